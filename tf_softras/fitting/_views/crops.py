"""Cuts posed pictures to squares around the object."""

import dataclasses

import numpy as np
import PIL.Image

from tf_softras.datasets.posed_views import PosedViewsError
from tf_softras.pictures import OPAQUE

# Free pixels around the object's box, as a share of its side. A soft edge needs some.
_MARGIN = 0.06


@dataclasses.dataclass(frozen=True, eq=False)
class Crops:
    """Square pictures of the object and their cameras.

    Attributes:
        names: The views' names.
        pictures: uint8 `[views, size, size, 4]`, straight sRGB and alpha.
        valid: bool `[views, size, size]`, whether the pixel lies inside the original picture.
        rotations: float64 `[views, 3, 3]`, OpenCV's frame.
        translations: float64 `[views, 3]`.
        intrinsics: float64 `[views, 3, 3]`, in pixels of the square; its corner is (0, 0).
        boxes: int `[views, 4]`: left, top, right and bottom of the square in the picture.
    """

    names: tuple
    pictures: np.ndarray
    valid: np.ndarray
    rotations: np.ndarray
    translations: np.ndarray
    intrinsics: np.ndarray
    boxes: np.ndarray

    def __len__(self):
        return len(self.names)

    @property
    def size(self) -> int:
        """Returns the side of the squares, pixels."""
        return self.pictures.shape[1]

    @property
    def masks(self) -> np.ndarray:
        """Returns the masks, float32 `[views, size, size]` in [0, 1]."""
        return self.pictures[..., 3].astype(np.float32) / 255.0

    @property
    def eyes(self) -> np.ndarray:
        """Returns the positions of the cameras, float64 `[views, 3]`."""
        return -np.einsum("vji,vj->vi", self.rotations, self.translations)

    def take(self, indices) -> "Crops":
        """Returns some of the views."""
        return Crops(
            tuple(self.names[index] for index in indices),
            *(
                getattr(self, field.name)[indices]
                for field in dataclasses.fields(self)
                if field.name != "names"
            ),
        )

    def moved(self, center, scale) -> "Crops":
        """Returns the views in a frame whose origin is `center` and whose unit is `scale`."""
        turned = np.einsum("vij,j->vi", self.rotations, np.asarray(center, np.float64))
        return dataclasses.replace(self, translations=(self.translations + turned) / scale)

    def reduced(self, size: int) -> "Crops":
        """Returns the views with `size` pixels along a side; never more than they have."""
        if size >= self.size:
            return self
        pictures = np.stack([_resized(picture, size) for picture in self.pictures])
        valid = np.stack([_resized_flags(flags, size) for flags in self.valid])
        intrinsics = self.intrinsics.copy()
        intrinsics[:, :2] *= size / self.size
        return dataclasses.replace(self, pictures=pictures, valid=valid, intrinsics=intrinsics)


def crop_views(views, *, size: int) -> Crops:
    """Returns the views cut to squares around the object, at most `size` pixels a side.

    All squares have the same number of pixels. No picture is enlarged, so a small object has more
    background around it. Only one whole picture is in memory at a time.

    Args:
        views: `PosedViews`.
        size: The most pixels along a side.

    Raises:
        PosedViewsError: A picture has another size than its camera.
        PictureError: A file cannot be read, or shows no object.
    """
    boxes, sides = [], []
    for view in views:
        box = _object_box(view)
        boxes.append(box)
        side = max(box[2] - box[0], box[3] - box[1])
        sides.append(int(np.ceil(side * (1.0 + 2.0 * _MARGIN))) + 4)
    size = min(size, max(sides))
    squares, pictures, valid, intrinsics = [], [], [], []
    for view, box, side in zip(views, boxes, sides, strict=True):
        side = max(side, size)
        left, top = (int(np.floor((box[i] + box[i + 2] - side) / 2)) for i in (0, 1))
        square, flags = _cut(view.rgba(), left, top, side)
        pictures.append(_resized(square, size))
        valid.append(_resized_flags(flags, size))
        lens = view.intrinsics.copy()
        lens[:2, 2] -= (left, top)
        lens[:2] *= size / side
        intrinsics.append(lens)
        squares.append((left, top, left + side, top + side))
    return Crops(
        names=tuple(view.name for view in views),
        pictures=np.stack(pictures),
        valid=np.stack(valid),
        rotations=np.stack([view.rotation for view in views]),
        translations=np.stack([view.translation for view in views]),
        intrinsics=np.stack(intrinsics),
        boxes=np.array(squares),
    )


def _object_box(view):
    """Returns left, top, right and bottom of the pixels that are more than half opaque."""
    picture = view.rgba()
    inside = picture[..., 3] > OPAQUE
    if not inside.any():
        raise PosedViewsError(
            f"mask of the view '{view.name}': expected an object; received an empty mask"
        )
    if inside.all():
        raise PosedViewsError(
            f"mask of the view '{view.name}': expected a mask that cuts the object out, of a "
            "camera outside of it; received one that is white everywhere"
        )
    height, width = inside.shape
    middle = view.intrinsics[:2, 2]
    if not (-width < middle[0] < 2 * width and -height < middle[1] < 2 * height):
        raise PosedViewsError(
            f"intrinsics of the view '{view.name}': expected those of its {width} x {height} "
            f"pixels; received the principal point ({middle[0]:g}, {middle[1]:g})"
        )
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def _cut(picture, left, top, side):
    """Returns the square uint8 `[side, side, 4]`, and which pixels lie inside the picture."""
    height, width = picture.shape[:2]
    square = np.zeros((side, side, 4), np.uint8)
    flags = np.zeros((side, side), bool)
    rows = slice(max(top, 0), min(top + side, height))
    columns = slice(max(left, 0), min(left + side, width))
    place = (
        slice(rows.start - top, rows.stop - top),
        slice(columns.start - left, columns.stop - left),
    )
    square[place], flags[place] = picture[rows, columns], True
    return square, flags


def _resized(picture, size):
    """Returns a picture reduced by area; colours are averaged with alpha as weight."""
    if picture.shape[0] == size:
        return picture
    image = PIL.Image.fromarray(picture).resize((size, size), PIL.Image.Resampling.BOX)
    return np.asarray(image)


def _resized_flags(flags, size):
    if flags.shape[0] == size:
        return flags
    image = PIL.Image.fromarray(np.uint8(flags) * 255)
    return np.asarray(image.resize((size, size), PIL.Image.Resampling.BOX)) > 250
