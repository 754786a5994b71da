"""Measures fits of validation objects by class: unseen views, F-score, chamfer, seconds.

    tools/fit_table.py shapenet_like --size 128 --per-class 1 --output build/fit_table

A folder in ShapeNet's layout is split as by `softras prepare`. Each validation object is rendered
from 32 sides, fitted, and compared with the truth from 16 sides that the fit has not seen. Rows are
appended to OUTPUT/rows.csv as they come, so that a run goes on after an interruption. Seconds are
processor time of the fit, because the machine may be shared.
"""

import argparse
import csv
import pathlib
import time

import numpy as np
import PIL.Image
from scipy.spatial import cKDTree

from tf_softras.datasets.posed_views import rendered_views
from tf_softras.datasets.shapenet_views.mesh_folder import CLASS_SYNSETS, scan_mesh_folder
from tf_softras.fitting import fit_mesh, fit_views
from tf_softras.fitting._views.crops import crop_views
from tf_softras.fitting._views.hull import object_frame, visual_hull
from tf_softras.fitting._views.view_measures import drawn_views
from tf_softras.geometry import (
    Mesh,
    eye_from_angles,
    icosphere,
    load_mesh,
    look_at,
    perspective,
    save_mesh,
)
from tf_softras.ops import rasterize_faces
from tf_softras.rendering import render_views

DISTANCE = 2.732
# The prototype's cameras: four rings of eight for the fit, and two rings of eight to measure it.
EYES = np.concatenate(
    [
        np.asarray(eye_from_angles(DISTANCE, elevation, np.arange(8) * 45.0 + 11.0 * ring))
        for ring, elevation in enumerate((-30.0, 0.0, 25.0, 55.0))
    ]
)
UNSEEN = np.concatenate(
    [
        np.asarray(eye_from_angles(DISTANCE, elevation, np.arange(8) * 45.0 + 22.0))
        for elevation in (-15.0, 40.0)
    ]
)
FIELDS = (
    "category",
    "model",
    "method",
    "iou",
    "f_score",
    "chamfer",
    "crossing",
    "seconds",
    "faces",
)
# (unseen-view IoU, F-score) of the prototype for one object of each class, at 128 pixels.
PROTOTYPE = {
    "airplane": (0.880, 0.864),
    "bench": (0.864, 0.842),
    "cabinet": (0.987, 0.412),
    "car": (0.964, 0.530),
    "chair": (0.983, 0.632),
    "display": (0.957, 0.660),
    "lamp": (0.574, 0.598),
    "loudspeaker": (0.855, 0.713),
    "rifle": (0.849, 0.790),
    "sofa": (0.974, 0.600),
    "table": (0.858, 0.382),
    "telephone": (0.967, 0.574),
    "vessel": (0.955, 0.523),
}


def main():
    arguments = parsed_arguments()
    output = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    rows_file = output / "rows.csv"
    rows = read_rows(rows_file)
    done = {(row["model"], row["method"]) for row in rows}
    for number, (category, model) in enumerate(chosen_objects(arguments)):
        if number % arguments.of != arguments.part:
            continue
        methods = [name for name in arguments.methods if (model.model, name) not in done]
        if methods:
            truth = Truth(load_mesh(model.path).normalized(), arguments.size)
        for method in methods:
            begin = time.process_time()
            mesh = METHODS[method](truth)
            seconds = time.process_time() - begin
            row = {
                "category": category,
                "model": model.model,
                "method": method,
                **truth.score(mesh),
                "crossing": round(crossing_share(mesh), 5),
                "seconds": round(seconds, 1),
                "faces": len(mesh.faces),
            }
            append_row(rows_file, row)
            print(*row.values(), flush=True)
            name = f"{category}-{model.model}-{method}"
            save_mesh(output / f"{name}.glb", mesh)
            write_sheet(output / f"{name}.png", truth, mesh)
    rows = read_rows(rows_file)
    print(table(rows))
    write_worst(output, [row for row in rows if row["method"] == arguments.methods[0]])


def parsed_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("meshes", type=pathlib.Path, help="folder in ShapeNet's layout")
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--size", type=int, default=128, help="pixels along a picture's side")
    parser.add_argument("--per-class", type=int, default=1000, help="objects of each class")
    parser.add_argument("--methods", nargs="+", choices=sorted(METHODS), default=["fit", "hull"])
    parser.add_argument("--part", type=int, default=0, help="number of this process's part")
    parser.add_argument(
        "--of", type=int, default=1, help="number of parts that objects are divided into"
    )
    return parser.parse_args()


def chosen_objects(arguments):
    """Returns (category, model) of the validation split, the first ones of each class first."""
    models, _ = scan_mesh_folder(arguments.meshes)
    names = {synset: name for name, synset in CLASS_SYNSETS.items()}
    by_class = {}
    for model in models:
        if model.split == "val":
            by_class.setdefault(names[model.synset], []).append(model)
    return [
        (category, members[rank])
        for rank in range(arguments.per_class)
        for category, members in sorted(by_class.items())
        if rank < len(members)
    ]


class Truth:
    """A mesh, its pictures, and the truth that a fit is compared with."""

    def __init__(self, mesh, size):
        self.mesh, self.size = mesh, size
        self.views = rendered_views(mesh, EYES, image_size=size)
        self.unseen = render_views(mesh, UNSEEN, image_size=128)
        self.points = visible_points(mesh)

    def score(self, mesh):
        """Returns IoU of unseen views, F-score at 1 % of the longest side, chamfer (sum)."""
        masks = [views[..., 3] / 255.0 for views in (pictures(mesh), self.unseen)]
        overlap, union = np.minimum(*masks).sum((1, 2)), np.maximum(*masks).sum((1, 2))
        points = visible_points(mesh)
        there, _ = cKDTree(self.points).query(points)
        back, _ = cKDTree(points).query(self.points)
        precision, recall = (there < 0.01).mean(), (back < 0.01).mean()
        return {
            "iou": round(float(np.mean(overlap / union)), 4),
            "f_score": round(float(2 * precision * recall / (precision + recall + 1e-9)), 4),
            "chamfer": round(float(there.mean() + back.mean()), 5),
        }


def pictures(mesh):
    return render_views(mesh, UNSEEN, image_size=128)


def visible_points(mesh, size=256, count=40_000):
    """Returns points of the surface that half of the cameras see, float64 `[count, 3]`."""
    found = []
    slope = np.tan(np.radians(15.0))
    for eye in np.concatenate([EYES, UNSEEN])[::2]:
        plane = perspective(look_at(mesh.vertices[None], eye[None]))
        index, depth = (
            one.numpy()[0] for one in rasterize_faces(plane, mesh.faces, image_size=size)
        )
        row, column = np.nonzero(index >= 0)
        x, y, z = (2 * column + 1 - size) / size, (size - 1 - 2 * row) / size, depth[row, column]
        forward = -eye / np.linalg.norm(eye)
        right = np.cross(forward, [0.0, 1.0, 0.0])
        right /= np.linalg.norm(right)
        axes = np.stack([right, np.cross(right, forward), forward])
        found.append(eye + np.stack([x * z * slope, y * z * slope, z], axis=-1) @ axes)
    points = np.concatenate(found)
    return points[np.random.default_rng(0).permutation(len(points))[:count]]


def crossing_share(mesh):
    """Returns the share of faces that cut another face, as a fold does; neighbours do not count."""
    _, index = np.unique(mesh.vertices.round(7), axis=0, return_inverse=True)
    faces, corners = index.reshape(-1)[mesh.faces], mesh.vertices[mesh.faces].astype(np.float64)
    middles = corners.mean(axis=1)
    reach = np.linalg.norm(corners - middles[:, None], axis=-1).max(axis=1)
    near = cKDTree(middles).query_pairs(2.0 * np.quantile(reach, 0.999), output_type="ndarray")
    near = near[~(faces[near[:, 0], :, None] == faces[near[:, 1], None, :]).any(axis=(1, 2))]
    near = np.concatenate([near, near[:, ::-1]])
    cuts = np.zeros(len(near), bool)
    for side in range(3):
        start, end = corners[near[:, 0], side], corners[near[:, 0], (side + 1) % 3]
        cuts |= passes_through(start, end, corners[near[:, 1]])
    return len(np.unique(near[cuts])) / len(faces)


def passes_through(start, end, triangle):
    """Returns whether segments pass through triangles, by Moeller and Trumbore's equations."""
    along, origin = end - start, triangle[:, 0]
    first, second = triangle[:, 1] - origin, triangle[:, 2] - origin
    across = np.cross(along, second)
    scale = np.einsum("ij,ij->i", first, across)
    safe = np.where(np.abs(scale) > 1e-15, scale, np.inf)
    offset = start - origin
    u = np.einsum("ij,ij->i", offset, across) / safe
    turned = np.cross(offset, first)
    v = np.einsum("ij,ij->i", along, turned) / safe
    t = np.einsum("ij,ij->i", second, turned) / safe
    return np.isfinite(safe) & (u > 0) & (v > 0) & (u + v < 1) & (t > 0) & (t < 1)


def fit(truth):
    fitted = fit_views(truth.views, size=truth.size, texture_size=256)
    return fitted.mesh


def fit_silhouettes(truth):
    fitted = fit_views(truth.views, size=truth.size, texture_size=None, use_pictures=False)
    return fitted.mesh


def hull(truth):
    crops = crop_views(truth.views, size=truth.size)
    center, scale = object_frame(crops)
    mesh = visual_hull(crops.moved(center, scale))
    return Mesh(mesh.vertices * scale + center, mesh.faces)


def before(truth):
    """Runs the fit before `softras fit`: Adam, the paper's regularisers, 150 steps."""
    masks = np.stack([view.rgba()[..., 3] for view in truth.views])
    ball = icosphere(3)
    fitted = fit_mesh(
        Mesh(0.35 * ball.vertices, ball.faces),
        lambda vertices: perspective(look_at(vertices, EYES)),
        masks.astype(np.float32) / 255.0,
        steps=150,
    )
    return fitted.mesh


METHODS = {"fit": fit, "silhouettes": fit_silhouettes, "hull": hull, "before": before}


def write_sheet(path, truth, mesh):
    """Writes the truth above the fit, from four unseen sides.

    The colours of a fit contain the light of its pictures, so no other light is added.
    """
    eyes = UNSEEN[[1, 3, 9, 13]]
    if mesh.uvs is None and mesh.vertex_colors is None:
        rows = [render_views(shown, eyes, image_size=160) for shown in (truth.mesh, mesh)]
    else:
        crops = crop_views(rendered_views(truth.mesh, eyes, image_size=160), size=160)
        rows = [crops.pictures, drawn_views(mesh, crops)]
    picture = np.concatenate([np.concatenate(row, axis=1) for row in rows]) / 255.0
    alpha = picture[..., 3:]
    on_white = picture[..., :3] * alpha + 1.0 - alpha
    PIL.Image.fromarray(np.uint8(np.rint(255.0 * on_white))).save(path)


def write_worst(output, rows, count=5):
    """Names the objects of the lowest IoU, and joins their sheets to OUTPUT/worst.png."""
    rows = sorted(rows, key=lambda row: row["iou"])[:count]
    names = [f"{row['category']}-{row['model']}-{row['method']}" for row in rows]
    for name, row in zip(names, rows, strict=True):
        print(f"{name}: IoU {row['iou']:.3f}, F-score {row['f_score']:.3f}")
    sheets = [PIL.Image.open(output / f"{name}.png").convert("RGB") for name in names]
    sheet = PIL.Image.new(
        "RGB", (max(one.width for one in sheets), sum(one.height for one in sheets)), "white"
    )
    top = 0
    for one in sheets:
        sheet.paste(one, (0, top))
        top += one.height
    sheet.save(output / "worst.png")


def read_rows(path):
    if not path.is_file():
        return []
    with path.open() as file:
        rows = list(csv.DictReader(file, FIELDS))
    return [{k: v if k in FIELDS[:3] else float(v) for k, v in row.items()} for row in rows]


def append_row(path, row):
    with path.open("a") as file:
        csv.DictWriter(file, FIELDS).writerow(row)


def table(rows):
    """Returns a Markdown table: a row for each class and method, means over objects."""
    lines = [
        "| class | method | objects | unseen IoU | F-score 1 % | chamfer | cut faces | seconds |"
    ]
    lines.append("| --- | --- | --- | --- | --- | --- | --- | --- |")
    methods = sorted({row["method"] for row in rows})
    for category in [*sorted({row["category"] for row in rows}), "all"]:
        for method in methods:
            members = [
                row
                for row in rows
                if row["method"] == method and category in (row["category"], "all")
            ]
            if members:
                lines.append(line(category, method, members))
        if category in PROTOTYPE:
            iou, f_score = PROTOTYPE[category]
            lines.append(f"| {category} | prototype | 1 | {iou:.3f} | {f_score:.3f} | | | |")
    return "\n".join(lines)


def line(category, method, members):
    means = [np.mean([row[name] for row in members]) for name in FIELDS[3:8]]
    return "| {} | {} | {} | {:.3f} | {:.3f} | {:.4f} | {:.2%} | {:.0f} |".format(
        category, method, len(members), *means
    )


if __name__ == "__main__":
    main()
