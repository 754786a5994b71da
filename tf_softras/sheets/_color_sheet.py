"""A picture that shows what a network has learned of colours."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tf_softras._shared.files import replaced_whole
from tf_softras.geometry import Mesh, eye_from_angles, look_at, perspective
from tf_softras.ops import soft_shade
from tf_softras.reconstruction import Reconstructor, as_reconstructor, meshes_of
from tf_softras.sheets._contact_sheet import CELL, checked_rows, composed_sheet, on_white


def color_sheet(
    reconstructor: Reconstructor | Any,
    examples: Iterable[dict],
    path,
    *,
    class_names: Sequence[str] | None = None,
    input_view: int = 2,
    num_views: int = 4,
    sigma: float = 1e-5,
) -> None:
    """Writes a PNG with one row an example: input, and from several sides truth and reconstruction.

    Args:
        reconstructor: A `Reconstructor` that gives colored meshes, or a Keras network that does.
        examples: Examples of `shapenet_views` (`dataset.take(8)`, or dicts of arrays).
        path: The PNG file to write; it is written whole or not at all.
        class_names: The data set's own names, `builder.info.features["label"].names`; by default
            the 13 of the published tables.
        input_view: Index of the view that the network sees.
        num_views: Sides that are compared, evenly spread, the input's the first.
        sigma: Sharpness of the renders.

    Raises:
        ValueError: There is no example, no such view, or the network gives no colours.

    Source: "Soft Rasterizer", figure 6.
    """
    rows = checked_rows(
        examples, class_names=class_names, input_view=input_view, num_views=num_views
    )
    available = len(rows[0]["images"])
    views = (input_view + np.arange(num_views) * available // num_views) % available
    inputs = np.stack([row["images"][input_view] for row in rows])
    meshes = meshes_of(as_reconstructor(reconstructor), inputs, colored=True)
    sheet = [
        _row(row, mesh, input_view, views, sigma) for row, mesh in zip(rows, meshes, strict=True)
    ]
    titles = ["input"]
    for view in views:
        titles += [f"true, {rows[0]['cameras']['azimuth'][view]:.0f} deg", "reconstructed"]
    names = [row["class"] for row in rows]
    with replaced_whole(path) as written:
        composed_sheet(sheet, titles, names).save(written, format="PNG")


def _row(row: dict, mesh: Mesh, input_view: int, views, sigma: float) -> list:
    """Returns the row's pictures, float [height, width, 3] in [0, 1] each."""
    eyes = np.asarray(eye_from_angles(**row["cameras"]))[views]
    plane = perspective(look_at(mesh.vertices, eyes))
    colors = np.broadcast_to(np.asarray(mesh.vertex_colors), plane.shape)
    rendered, alpha = soft_shade(plane, mesh.faces, colors, image_size=CELL, sigma=sigma)
    rendered = np.concatenate([rendered, np.asarray(alpha)[..., None]], axis=-1)
    cells = [on_white(row["images"][input_view])]
    for true, reconstructed in zip(row["images"][views], rendered, strict=True):
        cells += [on_white(true), on_white(reconstructed)]
    return cells
