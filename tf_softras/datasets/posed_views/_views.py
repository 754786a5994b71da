"""The cameras and pictures of one object."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_softras._shared.errors import SoftrasError
from tf_softras._shared.extras import needs
from tf_softras.pictures import read_picture

# A rotation's rows are at right angles and of length 1, up to what six digits in a text file leave.
_ROTATION_TOLERANCE = 1e-3


class PosedViewsError(SoftrasError, ValueError):
    """A folder of posed pictures cannot be used; the message says what was expected."""


@dataclasses.dataclass(frozen=True, eq=False)
class PosedView:
    """One picture and its camera.

    Attributes:
        name: The view's name in messages and reports.
        picture: A PNG or JPEG file; or uint8 `[height, width, 4]`, straight sRGB and alpha.
        rotation: float64 `[3, 3]`, from the world to OpenCV's camera frame (x right, y down, z
            forward).
        translation: float64 `[3]`: camera coordinates are `rotation @ vertex + translation`.
        intrinsics: float64 `[3, 3]`, pixels; (0, 0) is the picture's top left corner.
        held_out: Whether the view is kept apart, to measure a fit by.
        mask: None, or the file of its mask: white is the object.
        box: None, or (left, top, right, bottom) in pixels: GrabCut cuts the object out.
        distortion: None, or OpenCV's coefficients (k1, k2, p1, p2, ...) of the lens.

    Raises:
        PosedViewsError: A matrix has another shape, is not finite, or is no rotation.
    """

    name: str
    picture: Any
    rotation: np.ndarray
    translation: np.ndarray
    intrinsics: np.ndarray
    held_out: bool = False
    mask: pathlib.Path | None = None
    box: tuple | None = None
    distortion: tuple | None = None

    def __post_init__(self):
        for field, shape in (("rotation", (3, 3)), ("translation", (3,)), ("intrinsics", (3, 3))):
            try:
                value = np.array(getattr(self, field), np.float64)
            except (TypeError, ValueError):
                value = np.zeros(0)
            if value.shape != shape or not np.isfinite(value).all():
                raise PosedViewsError(
                    f"{field} of the view '{self.name}': expected finite numbers {list(shape)}; "
                    f"received {getattr(self, field)}"
                )
            object.__setattr__(self, field, value)
        off = np.abs(self.rotation @ self.rotation.T - np.eye(3)).max()
        if off > _ROTATION_TOLERANCE or np.linalg.det(self.rotation) < 0:
            raise PosedViewsError(
                f"rotation of the view '{self.name}': expected a rotation; received one that is "
                f"off by {off:.2g}, of determinant {np.linalg.det(self.rotation):.2g}"
            )
        if min(self.intrinsics[0, 0], self.intrinsics[1, 1]) <= 0.0:
            raise PosedViewsError(
                f"intrinsics of the view '{self.name}': expected positive focal lengths; received "
                f"{self.intrinsics[0, 0]:g} and {self.intrinsics[1, 1]:g}"
            )

    @property
    def eye(self) -> np.ndarray:
        """Returns where the camera stands, float64 `[3]`, world space."""
        return -self.rotation.T @ self.translation

    def rgba(self) -> np.ndarray:
        """Returns the picture, undistorted: uint8 `[height, width, 4]`, alpha shows the object.

        Raises:
            PictureError: The file is no picture, or nothing says where the object is in it.
            ImportError: OpenCV is needed and not installed.
        """
        if isinstance(self.picture, np.ndarray):
            picture = self.picture
        else:
            picture = read_picture(self.picture, mask_path=self.mask, box=self.box)
        return picture if self.distortion is None else self._undistorted(picture)

    def _undistorted(self, picture):
        with needs("segment", "Undistorting pictures"):
            import cv2
        matrix = self.intrinsics.copy()
        matrix[:2, 2] -= 0.5  # OpenCV has the middle of the first pixel at 0.
        # Colours where alpha is 0 do not bleed in.
        alpha = picture[..., 3:].astype(np.float32) / 255.0
        premultiplied = np.concatenate([picture[..., :3] * alpha, alpha], axis=-1)
        moved = cv2.undistort(premultiplied, matrix, np.array(self.distortion, np.float64))
        alpha = moved[..., 3:]
        straight = moved[..., :3] / np.maximum(alpha, 1e-6)
        return np.rint(np.concatenate([straight, 255.0 * alpha], -1).clip(0, 255)).astype(np.uint8)


class PosedViews(Sequence):
    """The views of one object, in order; pictures are read when they are asked for.

    Args:
        views: `PosedView`s, at least one.

    Raises:
        PosedViewsError: There is none.
    """

    def __init__(self, views):
        self._views = tuple(views)
        if not self._views:
            raise PosedViewsError("views: expected at least one picture; received none")

    def __len__(self):
        return len(self._views)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return PosedViews(self._views[index])
        return self._views[index]

    @classmethod
    def from_arrays(cls, pictures, rotations, translations, intrinsics, *, held_out=()):
        """Returns views of pictures in memory.

        Args:
            pictures: uint8 arrays `[height, width, 4]`, straight sRGB and alpha.
            rotations: float `[views, 3, 3]`, as in `PosedView`.
            translations: float `[views, 3]`.
            intrinsics: float `[views, 3, 3]` or `[3, 3]`.
            held_out: Indices of the views that are kept apart.

        Raises:
            PosedViewsError: Shapes are not as above.
        """
        pictures = [np.asarray(picture) for picture in pictures]
        for picture in pictures:
            if picture.ndim != 3 or picture.shape[2] != 4 or picture.dtype != np.uint8:
                raise PosedViewsError(
                    "pictures: expected uint8 [height, width, 4]; received "
                    f"{picture.dtype} {list(picture.shape)}"
                )
        count = len(pictures)
        for field, values in (("rotations", rotations), ("translations", translations)):
            if len(values) != count:
                raise PosedViewsError(
                    f"{field}: expected one for each of {count} pictures; received {len(values)}"
                )
        intrinsics = np.broadcast_to(np.asarray(intrinsics, np.float64), (count, 3, 3))
        return cls(
            PosedView(f"view_{i:03d}", *camera, held_out=i in held_out)
            for i, camera in enumerate(
                zip(pictures, rotations, translations, intrinsics, strict=True)
            )
        )

    def training(self) -> "PosedViews":
        """Returns the views that are not held out."""
        return PosedViews(view for view in self if not view.held_out)

    def held_out(self) -> tuple[PosedView, ...]:
        """Returns the views that are held out, perhaps none."""
        return tuple(view for view in self if view.held_out)

    def holding_out_every(self, number: int) -> "PosedViews":
        """Returns the same views with every `number`-th held out, or none if there are fewer."""
        return PosedViews(
            dataclasses.replace(view, held_out=index % number == number - 1)
            for index, view in enumerate(self)
        )

    def as_dataset(self):
        """Returns a `tf.data.Dataset` of one example a view, in order.

        Examples are dicts: "name" (string), "picture" uint8 `[height, width, 4]`, "rotation" `[3,
        3]`, "translation" `[3]` and "intrinsics" `[3, 3]`, float32. Batch pictures of one size.
        """
        import tensorflow as tf

        def examples():
            for view in self:
                yield {
                    "name": view.name,
                    "picture": view.rgba(),
                    "rotation": view.rotation.astype(np.float32),
                    "translation": view.translation.astype(np.float32),
                    "intrinsics": view.intrinsics.astype(np.float32),
                }

        signature = {
            "name": tf.TensorSpec((), tf.string),
            "picture": tf.TensorSpec((None, None, 4), tf.uint8),
            "rotation": tf.TensorSpec((3, 3), tf.float32),
            "translation": tf.TensorSpec((3,), tf.float32),
            "intrinsics": tf.TensorSpec((3, 3), tf.float32),
        }
        return tf.data.Dataset.from_generator(examples, output_signature=signature)
