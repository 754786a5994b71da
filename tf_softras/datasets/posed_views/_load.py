"""A folder of posed pictures, of whatever kind it is."""

import dataclasses
import pathlib

from tf_softras.datasets.posed_views._colmap import colmap_model, read_colmap
from tf_softras.datasets.posed_views._transforms import SUFFIXES, read_cameras, read_transforms
from tf_softras.datasets.posed_views._views import PosedView, PosedViews, PosedViewsError

_SPLITS = {"train": False, "val": True, "test": True}
# NeRF's synthetic test sets hold 200 views: enough to measure by are these.
MAX_HELD_OUT = 25


def load_posed_views(folder, *, masks=None, box=None, hold_out=8) -> PosedViews:
    """Returns the pictures and cameras of a folder.

    Read is the first of these that is there: `cameras.json` (the package's own), `transforms.json`
    or `transforms_train.json` with `_val` and `_test` (NeRF, Blender), a COLMAP model in the folder
    or in its `sparse/0`. The object is where a picture's alpha is, or its mask is white.

    Args:
        folder: The folder, or a JSON file in it.
        masks: None, or a folder with a mask for each picture, of its name or its name and .png; by
            default the folder `masks`, if there is one and pictures have no mask of their own.
        box: None, or (left, top, right, bottom) in pixels around the object in every picture:
            GrabCut cuts it out.
        hold_out: Every `hold_out`-th view is kept apart if the folder does not say which are; 0 for
            none.

    Raises:
        PosedViewsError: The folder holds none of these, or one of them is not as it should be.
        ImportError: A COLMAP model, and pycolmap is not installed.

    Example:
        >>> import tempfile
        >>> load_posed_views(tempfile.mkdtemp())
        Traceback (most recent call last):
        PosedViewsError: ...
    """
    folder = pathlib.Path(folder)
    if not folder.exists():
        raise PosedViewsError(f"'{folder}': expected a folder of posed pictures; received none")
    views = _read(folder)
    folder = folder if folder.is_dir() else folder.parent
    if box is not None:
        views = [dataclasses.replace(view, box=tuple(box), mask=None) for view in views]
    elif masks is not None:
        masks = pathlib.Path(masks)
        if not masks.is_dir():
            raise PosedViewsError(f"masks: expected a folder; received '{masks}'")
        views = [dataclasses.replace(view, mask=_mask(masks, view, True)) for view in views]
    elif (folder / "masks").is_dir():
        views = [
            dataclasses.replace(view, mask=view.mask or _mask(folder / "masks", view, False))
            for view in views
        ]
    result = PosedViews(views)
    if hold_out and not result.held_out() and len(result) >= hold_out:
        return result.holding_out_every(hold_out)
    return result


def _read(folder):
    """Returns the views of the first kind of file that the folder holds."""
    if folder.is_file():
        cameras = folder.name == "cameras.json"
        return read_cameras(folder) if cameras else read_transforms(folder)
    if (folder / "cameras.json").is_file():
        return read_cameras(folder / "cameras.json")
    if (folder / "transforms.json").is_file():
        return read_transforms(folder / "transforms.json")
    views: list[PosedView] = []
    for split, held_out in _SPLITS.items():
        path = folder / f"transforms_{split}.json"
        if path.is_file() and (not held_out or views):
            read = read_transforms(path, held_out=held_out)
            if held_out:
                kept = sum(view.held_out for view in views)
                read = read[:: max(1, -(-len(read) // max(1, MAX_HELD_OUT - kept)))]
            views += read
    if views:
        return views
    model = colmap_model(folder)
    if model is not None:
        return read_colmap(model, folder)
    raise PosedViewsError(
        f"'{folder}': expected cameras.json, transforms.json, transforms_train.json or a COLMAP "
        "model (cameras.bin or .txt) in it or in sparse/0; received none of them"
    )


def _mask(masks, view, required):
    """Returns the mask of a view in a folder: of the picture's name, or that and .png."""
    name = pathlib.PurePath(str(view.name)).name
    stem = pathlib.PurePath(name).stem
    # COLMAP's name first; then the same name with a suffix of its own.
    for candidate in (f"{name}.png", *(stem + suffix for suffix in SUFFIXES), name + ".jpg"):
        if (masks / candidate).is_file():
            return masks / candidate
    if required:
        raise PosedViewsError(
            f"masks: expected '{masks / stem}.png' for '{view.name}'; received none"
        )
    return None
