"""Times DEODR, a differentiable renderer on the CPU, beside this package: one thread.

DEODR draws hard surfaces and blurs only their outlines, over a pixel (de La Gorce et al., PAMI
2011). The model differs, so images are compared only by eye and by the area that they cover. Its
own call is timed, forward and backward, without the projection and the search for outlines.

    pip install deodr
    python tools/compare_deodr.py [--rows abcd] [--repeats 5]
"""

import argparse
import sys

import numpy as np

try:
    import deodr
except ModuleNotFoundError:
    sys.exit("deodr: expected the package; received none. `pip install deodr` brings it.")

from benchmark_scenes import ROWS, pictures, scene, seconds, silhouettes, use_one_thread


def outline_flags(points, faces):
    """Returns bool `[num_faces, 3]`, whether edges 0-1, 1-2 and 2-0 of each face are outlines."""
    a, b, c = (points[faces[:, k]] for k in range(3))
    u, v = b - a, c - a
    is_front = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0] < 0
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    _, index = np.unique(edges, axis=0, return_inverse=True)
    fronts = np.bincount(index.ravel(), weights=np.repeat(is_front, 3))
    return (fronts == 1)[index.ravel()].reshape(-1, 3)


def deodr_scenes(row, channels):
    """Returns one Scene2D an item; `channels` 1 is the silhouette, 3 the vertices' colours."""
    vertices, faces, colors = scene(row)
    faces = faces.astype(np.uint32)
    for plane, color in zip(vertices.astype(np.float64), colors, strict=True):
        # Pixel centres are whole numbers, y is down.
        x = (plane[:, 0] * row.side + row.side - 1) / 2
        y = (row.side - 1 - plane[:, 1] * row.side) / 2
        points = np.ascontiguousarray(np.stack([x, y], axis=1))
        values = np.ones((len(plane), 1)) if channels == 1 else color.astype(np.float64)
        yield deodr.Scene2D(
            faces=faces,
            faces_uv=faces,
            ij=points,
            depths=np.ascontiguousarray(plane[:, 2]),
            textured=np.zeros(len(faces), bool),
            uv=np.zeros((len(plane), 2)),
            shade=np.zeros(len(plane)),
            colors=np.ascontiguousarray(values),
            shaded=np.zeros(len(faces), bool),
            edgeflags=outline_flags(points, faces),
            height=row.side,
            width=row.side,
            nb_colors=channels,
            texture=np.zeros((0, 0)),
            background_color=np.zeros(channels),
            clockwise=False,
            backface_culling=True,
        )


def deodr_calls(row, channels):
    """Returns a call that renders and differentiates a batch, and one that returns the images."""
    scenes = list(deodr_scenes(row, channels))
    upstream = np.ones((row.side, row.side, channels))

    def run():
        for item in scenes:
            item.clear_gradients()
            item.render(sigma=1)
            # Without a copy of the image: its own blur is undone.
            item.render_backward(upstream, make_copies=False)

    return run, lambda: np.stack([item.render(sigma=1)[0] for item in scenes])


def main():
    """Prints a table: ms an image, forward and backward."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="abcd")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    use_one_thread()
    print("| row | what | this package, ms an image | DEODR, ms | times | covered, both |")
    print("| --- | --- | ---: | ---: | ---: | --- |")
    for name in arguments.rows:
        row = ROWS[name]
        for what, channels, ours in (("silhouettes", 1, silhouettes), ("colours", 3, pictures)):
            run, image = ours(row)
            their_run, their_image = deodr_calls(row, channels)
            covered = [
                np.mean(values() != 0 if channels > 1 else values())
                for values in (image, their_image)
            ]
            times = [
                1e3 * seconds(call, arguments.repeats) / row.batch for call in (run, their_run)
            ]
            print(
                f"| {name} | {what} | {times[0]:.3f} | {times[1]:.3f} | {times[1] / times[0]:.2f} "
                f"| {covered[0]:.3f}, {covered[1]:.3f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
