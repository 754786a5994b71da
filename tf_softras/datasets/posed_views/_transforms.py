"""transforms.json of NeRF and Blender, and the package's own cameras.json."""

import json
import math
import pathlib

import numpy as np

from tf_softras._shared.files import write_json
from tf_softras.datasets.posed_views._views import PosedView, PosedViewsError
from tf_softras.pictures import write_picture

MAX_BYTES = 64 * 2**20
MAX_VIEWS = 10_000
SUFFIXES = (".png", ".jpg", ".jpeg", ".PNG", ".JPG", ".JPEG")
# From OpenGL's camera frame (x right, y up, z backward) to OpenCV's, and back.
_TURN = np.diag([1.0, -1.0, -1.0])
_DISTORTION = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")


def read_transforms(path: pathlib.Path, *, held_out: bool = False) -> list[PosedView]:
    """Returns the views of a transforms.json: camera to world, OpenGL's frame.

    The lens is `fl_x`, `fl_y`, `cx`, `cy`, of the file or of a frame, or `camera_angle_x`. OpenCV's
    distortion (`k1`, `k2`, `p1`, `p2`, ...) is taken along. `mask_path` and `box` of a frame too.

    Raises:
        PosedViewsError: The file is not as above, or names a file outside of its folder.
    """
    document = _read_json(path)
    return [
        _view_of_frame(path, {**document, **frame}, frame, number, held_out)
        for number, frame in enumerate(_list(path, document, "frames"))
    ]


def read_cameras(path: pathlib.Path) -> list[PosedView]:
    """Returns the views of the package's cameras.json: world to camera, OpenCV's frame.

    A view has `picture`, `rotation` (three rows), `translation` and `intrinsics` (three rows,
    pixels, the picture's corner at 0), and perhaps `mask`, `box`, `distortion` and `held_out`.

    Raises:
        PosedViewsError: The file is not as above, or names a file outside of its folder.
    """
    views = []
    for number, entry in enumerate(_list(path, _read_json(path), "views")):
        missing = {"picture", "rotation", "translation", "intrinsics"} - set(entry)
        if missing:
            raise PosedViewsError(
                f"'{path}', view {number}: expected {sorted(missing)[0]!r}; received "
                f"{sorted(entry)}"
            )
        mask = entry.get("mask")
        views.append(
            PosedView(
                name=str(entry["picture"]),
                picture=_file_inside(path, entry["picture"]),
                rotation=entry["rotation"],
                translation=entry["translation"],
                intrinsics=entry["intrinsics"],
                held_out=bool(entry.get("held_out", False)),
                mask=None if mask is None else _file_inside(path, mask),
                box=_box(path, entry.get("box")),
                distortion=tuple(entry["distortion"]) if entry.get("distortion") else None,
            )
        )
    return views


def save_posed_views(folder, views) -> pathlib.Path:
    """Writes pictures and their cameras as NeRF and Blender do: PNG files and transforms.json.

    Views that are held out go to transforms_test.json, the others to transforms_train.json; where
    none is held out there is one transforms.json. Any program that reads NeRF's data reads it.

    Args:
        folder: The folder to write; made if it is missing.
        views: `PosedViews`.

    Returns:
        The folder.

    Raises:
        OSError: A file cannot be written.
    """
    folder = pathlib.Path(folder)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    parts = {"train": [view for view in views if not view.held_out]}
    parts["test"] = [view for view in views if view.held_out]
    number = 0
    for part, members in parts.items():
        frames = []
        for view in members:
            name = f"images/{number:04d}.png"
            picture = view.rgba()
            write_picture(folder / name, picture)
            frames.append({"file_path": name, **_frame(view, picture.shape)})
            number += 1
        if frames:
            file = f"transforms_{part}.json" if parts["test"] else "transforms.json"
            write_json(folder / file, {"frames": frames})
    return folder


def _frame(view, shape):
    """Returns the camera of a view as a frame of transforms.json has it."""
    matrix = np.eye(4)
    matrix[:3, :3] = view.rotation.T @ _TURN
    matrix[:3, 3] = view.eye
    lens = view.intrinsics
    return {
        "transform_matrix": matrix.tolist(),
        "w": shape[1],
        "h": shape[0],
        "fl_x": lens[0, 0],
        "fl_y": lens[1, 1],
        "cx": lens[0, 2],
        "cy": lens[1, 2],
    }


def _view_of_frame(path, lens, frame, number, held_out):
    name = frame.get("file_path")
    try:
        matrix = np.array(frame.get("transform_matrix"), np.float64)
    except (TypeError, ValueError):
        matrix = np.zeros(0)
    if not isinstance(name, str) or matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise PosedViewsError(
            f"'{path}', frame {number}: expected a file_path and a transform_matrix of 4 rows; "
            f"received {sorted(frame)}"
        )
    picture = _file_inside(path, name)
    rotation = _TURN @ matrix[:3, :3].T
    mask = frame.get("mask_path")
    return PosedView(
        name=name,
        picture=picture,
        rotation=rotation,
        translation=-rotation @ matrix[:3, 3],
        intrinsics=_intrinsics(path, lens, picture),
        held_out=held_out,
        mask=None if mask is None else _file_inside(path, mask),
        box=_box(path, frame.get("box")),
        distortion=_distortion(path, lens),
    )


def _intrinsics(path, lens, picture):
    numbers = {
        key: _number(path, lens, key)
        for key in ("fl_x", "fl_y", "cx", "cy", "camera_angle_x", "camera_angle_y", "w", "h")
        if lens.get(key) is not None
    }
    if not {"w", "h"} <= set(numbers):
        numbers["w"], numbers["h"] = picture_size(picture)
    if "fl_x" in numbers:
        across = numbers["fl_x"]
    elif 0.0 < numbers.get("camera_angle_x", 0.0) < math.pi:
        across = 0.5 * numbers["w"] / math.tan(0.5 * numbers["camera_angle_x"])
    else:
        raise PosedViewsError(
            f"'{path}': expected fl_x in pixels or camera_angle_x in radians, in (0, pi); received "
            f"{numbers.get('camera_angle_x', 'neither')}"
        )
    along = numbers.get("fl_y", across)
    if "fl_y" not in numbers and 0.0 < numbers.get("camera_angle_y", 0.0) < math.pi:
        along = 0.5 * numbers["h"] / math.tan(0.5 * numbers["camera_angle_y"])
    cx, cy = numbers.get("cx", 0.5 * numbers["w"]), numbers.get("cy", 0.5 * numbers["h"])
    return [[across, 0.0, cx], [0.0, along, cy], [0.0, 0.0, 1.0]]


def picture_size(path) -> tuple[int, int]:
    """Returns the width and height of a picture file, upright, without decoding it.

    Raises:
        PosedViewsError: It is no picture.
    """
    import PIL.Image

    try:
        with PIL.Image.open(path, formats=("PNG", "JPEG")) as picture:
            turned = picture.getexif().get(0x0112, 1) in (5, 6, 7, 8)
            return picture.size[::-1] if turned else picture.size
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        raise PosedViewsError(
            f"'{path}': expected a PNG or JPEG picture; received another kind of file"
        ) from error


def _distortion(path, lens):
    if str(lens.get("camera_model", "")).upper().find("FISHEYE") >= 0:
        raise PosedViewsError(
            f"'{path}': expected a pinhole camera with OpenCV's distortion; received "
            f"{lens['camera_model']}. Undistort the pictures first"
        )
    values = tuple(_number(path, lens, key) if lens.get(key) else 0.0 for key in _DISTORTION)
    if not any(values):
        return None
    return values if any(values[5:]) else values[:5]


def _number(path, lens, key):
    value = lens[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise PosedViewsError(f"'{path}', {key}: expected a finite number; received {value!r}")
    return float(value)


def _box(path, box):
    if box is None:
        return None
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(x, int) for x in box):
        raise PosedViewsError(
            f"'{path}', box: expected [left, top, right, bottom] in pixels; received {box!r}"
        )
    return tuple(box)


def _read_json(path):
    with path.open("rb") as file:
        text = file.read(MAX_BYTES + 1)
    if len(text) > MAX_BYTES:
        raise PosedViewsError(f"'{path}': expected at most {MAX_BYTES:,} bytes; received more")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PosedViewsError(f"'{path}': expected JSON; received: {error}") from error
    if not isinstance(document, dict):
        raise PosedViewsError(f"'{path}': expected a JSON object; received another value")
    return document


def _list(path, document, key):
    entries = document.get(key)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise PosedViewsError(
            f"'{path}': expected a list of objects {key!r}; received "
            f"{type(entries).__name__ if entries is not None else sorted(document)}"
        )
    if not 0 < len(entries) <= MAX_VIEWS:
        raise PosedViewsError(
            f"'{path}': expected 1 to {MAX_VIEWS:,} views in {key!r}; received {len(entries):,}"
        )
    return entries


def _file_inside(path, name):
    """Returns the file that a JSON file names, relative to its folder, and in it.

    Raises:
        PosedViewsError: It lies outside, or does not exist.
    """
    folder = path.parent.resolve()
    file = (folder / str(name)).resolve()
    if not file.is_relative_to(folder):
        raise PosedViewsError(f"'{path}': expected files in its own folder; received '{name}'")
    # NeRF's files leave the suffix out.
    for candidate in (file, *(file.with_name(file.name + suffix) for suffix in SUFFIXES)):
        if candidate.is_file():
            return candidate
    raise PosedViewsError(f"'{path}': expected the file '{name}' beside it; received none")
