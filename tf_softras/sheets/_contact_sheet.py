"""A picture that shows what a network has learned."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw

from tf_softras._shared.files import replaced_whole
from tf_softras.datasets.shapenet_views.class_names import names_for
from tf_softras.geometry import Mesh, eye_from_angles
from tf_softras.reconstruction import Reconstructor, as_reconstructor, meshes_of
from tf_softras.rendering import render_views

CELL = 128
_GAP = 4
_HEADER = 18
WHITE = (1.0, 1.0, 1.0)
# The colour of predicted silhouettes; true ones are black.
_BLUE = (0.1, 0.3, 0.8)


def contact_sheet(
    reconstructor: Reconstructor | Callable,
    examples: Iterable[dict],
    path,
    *,
    faces=None,
    class_names: Sequence[str] | None = None,
    input_view: int = 2,
    num_views: int = 3,
) -> None:
    """Writes a PNG with one row an example: input, silhouettes, and the mesh.

    A row has the input picture; from `num_views` sides the true silhouette (black) and beside it
    the predicted one (blue); and the predicted mesh, shaded, from the side of the input and from
    the view a quarter of all views further. Predicted silhouettes are shares of samples that hit
    the mesh, as the true ones are: eq. 2 would leave pale lines along the edges between faces.

    Args:
        reconstructor: See `evaluate`. It gives meshes.
        examples: Examples of `shapenet_views` (`dataset.take(8)`, or dicts of arrays).
        path: The PNG file to write; it is written whole or not at all.
        faces: int32 `[num_faces, 3]` of a callable's meshes; by default its attribute `faces`.
        class_names: The data set's own names, `builder.info.features["label"].names`; by default
            the 13 of the published tables.
        input_view: Index of the view that the network sees.
        num_views: Sides from which silhouettes are compared, evenly spread, the input's the first.

    Raises:
        ValueError: There is no example, no such view, or the reconstructor gives voxels.
    """
    reconstructor = as_reconstructor(reconstructor, faces=faces)
    rows = checked_rows(
        examples, class_names=class_names, input_view=input_view, num_views=num_views
    )
    available = len(rows[0]["images"])
    compared = (input_view + np.arange(num_views) * available // num_views) % available
    shaded = (input_view + np.array([0, available // 4])) % available

    inputs = np.stack([row["images"][input_view] for row in rows])
    meshes = meshes_of(reconstructor, inputs)
    sheet = [
        _row(row, mesh, input_view, compared, shaded)
        for row, mesh in zip(rows, meshes, strict=True)
    ]
    names = [row["class"] for row in rows]
    azimuths = rows[0]["cameras"]["azimuth"]
    titles = ["input"]
    for view in compared:
        titles += [f"true, {azimuths[view]:.0f} deg", "predicted"]
    titles += [f"mesh, {azimuths[view]:.0f} deg" for view in shaded]
    with replaced_whole(path) as written:
        composed_sheet(sheet, titles, names).save(written, format="PNG")


def checked_rows(
    examples: Iterable[dict], *, class_names=None, input_view: int, num_views: int
) -> list[dict]:
    """Returns the examples as arrays.

    Raises:
        ValueError: There is no example, or no such view.
    """
    rows = [_arrays(example, class_names) for example in examples]
    if not rows:
        raise ValueError("examples: expected at least one; received none")
    available = len(rows[0]["images"])
    if not 0 <= input_view < available or not 1 <= num_views <= available:
        raise ValueError(
            f"views: expected input_view in [0, {available}) and num_views in "
            f"[1, {available}]; received {input_view}, num_views={num_views}"
        )
    return rows


def _arrays(example: dict, class_names) -> dict:
    """Returns what a sheet needs of an example as arrays, images in [0, 1]."""
    return {
        "images": np.asarray(example["images"], np.float32) / 255.0,
        "cameras": {name: np.asarray(value) for name, value in example["cameras"].items()},
        "class": names_for([example["label"]], class_names)[int(example["label"])],
        "model_id": np.asarray(example["model_id"]).item().decode(),
    }


def _row(row: dict, mesh: Mesh, input_view: int, compared, shaded) -> list:
    """Returns the row's pictures, float [height, width, 3] in [0, 1] each."""
    eyes = np.asarray(eye_from_angles(**row["cameras"]))
    picture = row["images"][input_view]
    true = row["images"][compared][..., 3]
    predicted = render_views(mesh, eyes[compared], image_size=true.shape[1:])[..., 3] / 255.0
    cells = [on_white(picture)]
    for true_mask, predicted_mask in zip(true, predicted, strict=True):
        cells += [_tinted(true_mask, (0.0, 0.0, 0.0)), _tinted(predicted_mask, _BLUE)]
    renders = render_views(mesh, eyes[shaded], image_size=CELL, background=WHITE)
    return cells + [render[..., :3] / 255.0 for render in renders]


def on_white(picture: np.ndarray) -> np.ndarray:
    """Returns straight RGB and alpha `[height, width, 4]` composited on white."""
    alpha = picture[..., 3:]
    return picture[..., :3] * alpha + (1.0 - alpha)


def _tinted(mask: np.ndarray, color) -> np.ndarray:
    return 1.0 - mask[..., None] * (1.0 - np.asarray(color))


def composed_sheet(rows: list[list], titles: list[str], names: list[str]) -> Image.Image:
    """Returns the sheet: titles above the columns, each row's name in its first cell."""
    step = CELL + _GAP
    sheet = Image.new(
        "RGB", (len(titles) * step + _GAP, len(rows) * step + _HEADER + _GAP), "white"
    )
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(titles):
        draw.text((column * step + _GAP, 3), title, fill="black")
    for index, (cells, name) in enumerate(zip(rows, names, strict=True)):
        top = index * step + _HEADER
        for column, cell in enumerate(cells):
            picture = Image.fromarray(np.rint(255.0 * np.clip(cell, 0.0, 1.0)).astype(np.uint8))
            sheet.paste(
                picture.resize((CELL, CELL), Image.Resampling.NEAREST),
                (column * step + _GAP, top),
            )
        draw.text((_GAP, top), name, fill="black")
        draw.line([(0, top - _GAP // 2), (sheet.width, top - _GAP // 2)], fill="lightgray")
    return sheet
