"""Pictures that set reconstructions side by side, as figures 5, 7 and 8 of the paper do."""

from collections.abc import Callable, Iterable, Sequence

import matplotlib
import numpy as np

from tf_softras._shared.files import replaced_whole
from tf_softras.evaluation._measure import answer_mesh
from tf_softras.evaluation._surface_metrics import distances_to_mesh
from tf_softras.geometry import Mesh, eye_from_angles
from tf_softras.reconstruction import Reconstructor, as_reconstructor
from tf_softras.rendering import render_views
from tf_softras.sheets._contact_sheet import CELL, WHITE, checked_rows, composed_sheet, on_white

# An error map is red from here on, object units: a tenth of the object's longest side.
LARGEST_ERROR = 0.1
# Faces of an error map are cut until no edge is longer, so that colours follow the distance.
_LONGEST_EDGE = 0.06


def comparison_sheet(
    networks: dict[str, Reconstructor | Callable],
    examples: Iterable[dict],
    path,
    *,
    truth: Callable[[str, str], Mesh] | None = None,
    class_names: Sequence[str] | None = None,
    input_view: int = 2,
) -> None:
    """Writes a PNG with one row an example: input, each network's answer, and the truth.

    Answers are shaded from the side of the input and from a quarter turn further. With the truth
    comes, for each network, the true surface coloured by its distance from the network's: blue 0,
    red a tenth of the object's longest side or more.

    Args:
        networks: Title -> a reconstructor, as for `evaluate`.
        examples: Examples of `shapenet_views`.
        path: The PNG file to write; it is written whole or not at all.
        truth: See `measure`.
        class_names: The data set's own names, `builder.info.features["label"].names`; by default
            the 13 of the published tables.
        input_view: Index of the view that the networks see.

    Raises:
        ImportError: Voxels or errors are drawn, and the extra `metrics` is not installed.
        ValueError: There is no network, no example, or no such view.
    """
    rows = checked_rows(examples, class_names=class_names, input_view=input_view, num_views=1)
    if not networks:
        raise ValueError("networks: expected at least one; received none")
    available = len(rows[0]["images"])
    inputs = np.stack([row["images"][input_view] for row in rows])
    answers = {name: _answers(network, inputs) for name, network in networks.items()}
    views = (input_view + np.array([0, available // 4])) % available
    sheet = []
    for index, row in enumerate(rows):
        eyes = np.asarray(eye_from_angles(**row["cameras"]))[views]
        meshes = [answers[name][index] for name in networks]
        cells = [on_white(row["images"][input_view])]
        for mesh in meshes:
            cells += _shaded(mesh, eyes)
        if truth is not None:
            true = truth(row["class"], row["model_id"])
            cells += _shaded(true, eyes)
            for mesh in meshes:
                cells += _shaded(mesh and error_map(true, mesh), eyes[:1])
        sheet.append(cells)
    titles = ["input"]
    for name in [*networks, *(["truth"] if truth else [])]:
        titles += [name, ""]
    if truth is not None:
        titles += [f"error of {name}" for name in networks]
    with replaced_whole(path) as written:
        names = [f"{row['class']} {row['model_id'][:6]}" for row in rows]
        composed_sheet(sheet, titles, names).save(written, format="PNG")


def error_map(true: Mesh, reconstructed: Mesh) -> Mesh:
    """Returns the true surface in small faces, coloured by their distance from another surface.

    Raises:
        ImportError: The extra `metrics` is not installed.
    """
    import trimesh

    vertices, faces = trimesh.remesh.subdivide_to_size(
        true.vertices.astype(np.float64), true.faces, max_edge=_LONGEST_EDGE, max_iter=20
    )
    distances = distances_to_mesh(vertices[faces].mean(axis=1), reconstructed)
    colors = matplotlib.colormaps["turbo"](np.minimum(distances / LARGEST_ERROR, 1.0))
    return Mesh(
        vertices=np.float32(vertices),
        faces=np.int32(faces),
        face_colors=np.float32(colors[:, :3]),
    )


def _answers(network: Reconstructor | Callable, images: np.ndarray) -> list[Mesh | None]:
    """Returns a mesh for each image; None for voxels of which none is occupied."""
    answers = as_reconstructor(network).reconstruct(images)
    return [
        answer_mesh(answer) if isinstance(answer, Mesh) or answer.any() else None
        for answer in answers
    ]


def _shaded(mesh: Mesh | None, eyes: np.ndarray) -> list[np.ndarray]:
    """Returns pictures [CELL, CELL, 3] in [0, 1] of a mesh; white ones without a mesh."""
    if mesh is None:
        return [np.ones((CELL, CELL, 3))] * len(eyes)
    renders = render_views(mesh, eyes, image_size=CELL, background=WHITE)
    return [render[..., :3] / 255.0 for render in renders]
