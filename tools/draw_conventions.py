"""Draws docs/images/conventions.png: python tools/draw_conventions.py [PNG].

The package's own functions place world, cameras and image plane, so the picture follows them.
"""

import argparse
import pathlib

import numpy as np
import trimesh
from matplotlib.figure import Figure

from tf_softras import geometry, rendering

PICTURE = pathlib.Path(__file__).resolve().parents[1] / "docs/images/conventions.png"
COLORS = {"x": (0.85, 0.15, 0.1), "y": (0.1, 0.6, 0.15), "z": (0.15, 0.3, 0.85)}
GREY, AMBER = (0.6, 0.6, 0.62), (0.95, 0.6, 0.1)
EYE, HALF_ANGLE = np.float32([[5.0, 7.0, 8.2]]), 15.5
ONE_VIEW = 2


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", nargs="?", type=pathlib.Path, default=PICTURE)
    path = parser.parse_args().path

    figure = Figure(figsize=(12, 4.4), layout="constrained")
    world, seen, plane = figure.subplots(1, 3, width_ratios=[1.35, 1, 1.15])
    draw_world(world)
    draw_view(seen)
    draw_image_plane(plane)
    figure.savefig(path, dpi=80)


def steps():
    """Returns an object without mirror symmetry: a seat with a back and one arm."""
    boxes = [((0, -0.1, 0), (0.7, 0.1, 0.7)), ((0, 0.2, -0.3), (0.7, 0.6, 0.1))]
    boxes.append(((0.3, 0.05, 0.05), (0.1, 0.25, 0.6)))
    parts = [trimesh.creation.box(size).apply_translation(at) for at, size in boxes]
    joined = trimesh.util.concatenate(parts)
    return geometry.Mesh(0.75 * joined.vertices, joined.faces)


def arrow(axis):
    """Returns a unit arrow from the origin along an axis."""
    direction = np.eye(3)["xyz".index(axis)]
    shaft = trimesh.creation.cylinder(0.02, segment=[0 * direction, 0.9 * direction])
    tip = trimesh.creation.cone(0.06, 0.2)
    turn = trimesh.geometry.align_vectors([0, 0, 1], direction)
    turn[:3, 3] = 0.85 * direction
    return trimesh.util.concatenate([shaft, tip.apply_transform(turn)])


def camera(eye):
    """Returns a pyramid with its tip at the eye, which opens towards the origin."""
    cone = trimesh.creation.cone(0.16, 0.3, sections=4)
    turn = trimesh.geometry.align_vectors([0, 0, 1], eye / np.linalg.norm(eye))
    turn[:3, 3] = eye * (1 - 0.3 / np.linalg.norm(eye))
    return cone.apply_transform(turn)


def draw_world(axes):
    eyes = np.asarray(geometry.eye_from_angles(**geometry.n3mr_views()))
    parts = [(steps(), GREY)] + [(arrow(axis), COLORS[axis]) for axis in "xyz"]
    parts += [(camera(eye), AMBER if i == ONE_VIEW else GREY) for i, eye in enumerate(eyes)]
    vertices, faces, colors = [], [], []
    for part, color in parts:
        faces.append(part.faces + sum(len(group) for group in vertices))
        vertices.append(part.vertices)
        colors.append(np.tile(np.float32(color), (len(part.faces), 1)))
    scene = geometry.Mesh(*(np.concatenate(rows) for rows in (vertices, faces, colors)))
    (picture,) = rendering.render_views(
        scene, EYE, image_size=420, viewing_angle=HALF_ANGLE, background=(1, 1, 1)
    )
    axes.imshow(picture, extent=(-1, 1, -1, 1))
    labels = {f"+{axis}": (1.2 * np.eye(3)["xyz".index(axis)], COLORS[axis]) for axis in "xyz"}
    for view in (0, ONE_VIEW, 6, 12):
        labels[f"view {view}\nt = {15 * view}°"] = (eyes[view] + (0, 0.45, 0), "black")
    for text, (place, color) in labels.items():
        x, y, _ = project(place[None])[0]
        axes.text(x, y, text, color=color, ha="center", va="center", fontsize=9)
    axes.set_title("world: right-handed, +y up;\nazimuth t from +x towards +z")
    axes.axis("off")


def project(points):
    """Returns image-plane coordinates of points in the picture of the world."""
    seen = geometry.look_at(points.astype(np.float32), EYE[0])
    return np.asarray(geometry.perspective(seen, viewing_angle=HALF_ANGLE))


def draw_view(axes):
    eye = np.asarray(geometry.eye_from_angles(**geometry.n3mr_views()))[ONE_VIEW][None]
    (picture,) = rendering.render_views(steps(), eye, image_size=300, background=(1, 1, 1))
    axes.imshow(picture, extent=(-1, 1, -1, 1))
    axes.set(xticks=(-1, 0, 1), yticks=(-1, 0, 1), xlabel="x'", ylabel="y'")
    axes.set_title(f"the picture of view {ONE_VIEW}: elevation 30°,\nhalf the angle of view 15°")


def draw_image_plane(axes):
    """Draws pixels of 2 rows and 3 columns, and a triangle that covers one of them."""
    height, width = 2, 3
    for row in range(height):
        for column in range(width):
            shorter = min(height, width)
            x, y = (2 * column + 1 - width) / shorter, (height - 1 - 2 * row) / shorter
            axes.plot(x, y, "k.")
            label = f"row {row}, col {column}\n({x:+.1f}, {y:+.1f})"
            axes.text(x, y + 0.1, label, ha="center", fontsize=8)
    for x in np.arange(width + 1) - width / 2:
        axes.plot([x, x], [-1, 1], color="gray")
    for y in np.arange(height + 1) - height / 2:
        axes.plot([-width / height, width / height], [y, y], color="gray")
    axes.set(xticks=(-1.5, -1, 0, 1, 1.5), yticks=(-1, 0, 1), xlabel="x'", ylabel="y'")
    axes.set_aspect("equal")
    axes.set_title("pixels of 2 x 3: the shorter side\nspans [-1, 1], row 0 is the top")


if __name__ == "__main__":
    main()
