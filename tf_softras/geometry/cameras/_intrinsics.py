"""Intrinsic matrices of lenses."""

import math

import keras
import numpy as np

from tf_softras._shared.ranges import check_between, known_array
from tf_softras.geometry._image_size import standardize_image_size
from tf_softras.geometry._shapes import check_shape, known_shape
from tf_softras.geometry._vectors import as_floating

_SIDES = ("width", "height", "shorter")
# The last row of a matrix may differ from (0, 0, 1) by this much. Nothing reads it, and a numeric
# derivative moves it a little. That of a transposed or scaled matrix differs by more.
_LAST_ROW = 0.01


def intrinsic_matrix(
    image_size,
    *,
    focal_length=None,
    focal_length_mm=None,
    sensor_width_mm=36.0,
    field_of_view=None,
    across="width",
    principal_point=None,
    skew=0.0,
    pixel_center=0.0,
):
    """Returns the matrix K of a pinhole camera, from exactly one description of its lens.

    Formula: rows (fx, skew, cx), (0, fy, cy), (0, 0, 1), in pixels, where
    ``f = focal_length_mm * width / sensor_width_mm`` or ``f = side / (2 tan(field_of_view / 2))``.

    Differentiable with respect to every number that is given as a tensor.

    Args:
        image_size: int, or (height, width) in pixels.
        focal_length: float `[...]` in pixels, or a pair (fx, fy) where pixels are not square.
        focal_length_mm: float `[...]` in millimetres, of square pixels on a sensor of
            `sensor_width_mm`.
        sensor_width_mm: float, millimetres across the image's width; 36 is full frame.
        field_of_view: float `[...]`, the FULL angle of view in degrees, in (0, 180).
        across: the side that `field_of_view` is measured across: "width", "height" or "shorter".
            Twice the `viewing_angle` of `perspective` is the field of view across "shorter".
        principal_point: pair (cx, cy) of floats `[...]`, pixels: where the optical axis meets the
            image; its middle by default.
        skew: float `[...]`, pixels.
        pixel_center: where the middle of the top left pixel is, 0 or 0.5, as in `pinhole`.

    Returns:
        float `[..., 3, 3]`, float32, or float64 where a number is given as float64 tensor or array.

    Raises:
        ValueError: none or several of the lens descriptions; or a value that is known and out of
            range. The values of tensors are not known under `tf.function`.
    """
    height, width = standardize_image_size(image_size)
    lens = {
        "focal_length": focal_length,
        "focal_length_mm": focal_length_mm,
        "field_of_view": field_of_view,
    }
    given = {name: value for name, value in lens.items() if value is not None}
    if len(given) != 1:
        raise ValueError(
            f"lens: expected exactly one of {', '.join(lens)}; "
            f"received {', '.join(given) or 'none of them'}"
        )
    ((name, value),) = given.items()
    if name == "focal_length":
        fx, fy = value if isinstance(value, (tuple, list)) else (value, value)
        fx, fy = _positive(name, fx), _positive(name, fy)
    elif name == "focal_length_mm":
        pixels_per_mm = width / _positive("sensor_width_mm", sensor_width_mm)
        fx = fy = _positive(name, value) * pixels_per_mm
    else:
        fx = fy = _side(across, height, width) / (2.0 * _tangent_of_half(value))
    if principal_point is None:
        principal_point = ((width - 1) / 2 + pixel_center, (height - 1) / 2 + pixel_center)
    return _matrix(fx, fy, skew, *principal_point)


def intrinsics_from_projection(projection, image_size, *, pixel_center=0.0):
    """Returns the matrix K of an OpenGL perspective projection, as of `glFrustum` or glTF.

    Depth range plays no part. An off-centre frustum becomes an off-centre principal point.

    Args:
        projection: float `[..., 4, 4]`, from OpenGL's camera frame to clip space, applied to
            columns; its last row is (0, 0, -1, 0).
        image_size: int, or (height, width) in pixels, of the viewport.
        pixel_center: where K is to have the middle of the top left pixel, 0 or 0.5, as in
            `pinhole`.

    Returns:
        float `[..., 3, 3]`, to be used with camera coordinates as `pinhole` wants them.

    Raises:
        ValueError: `image_size` is invalid, or `projection` has another shape.
    """
    height, width = standardize_image_size(image_size)
    projection = as_floating(projection)
    check_shape("projection", known_shape(projection), ("...", 4, 4))
    # Clip space is x = P00 x + P01 y + P02 z with z = -depth and the picture's y up; the viewport
    # takes [-1, 1] to the image's sides, its middle being (side - 1) / 2 between pixel centres.
    fx, skew, x_offset = (projection[..., 0, i] * (width / 2) for i in range(3))
    fy, y_offset = (projection[..., 1, i] * (height / 2) for i in (1, 2))
    cx = (width - 1) / 2 + pixel_center - x_offset
    cy = (height - 1) / 2 + pixel_center + y_offset
    return _matrix(fx, fy, -skew, cx, cy)


def check_intrinsics(name, intrinsics):
    """Checks an array or tensor of matrices K: its shape, and its values where they are known.

    Args:
        name: the argument's name, for the error.
        intrinsics: float `[..., 3, 3]`.

    Raises:
        ValueError: another shape; a last row other than (0, 0, 1); or fx or fy that is not
            positive. NaN passes: it stays NaN.
    """
    check_shape(name, known_shape(intrinsics), ("...", 3, 3))
    known = known_array(intrinsics)
    if known is None:
        return
    known = known.astype(np.float64)
    is_wrong = (np.abs(known[..., 2, :] - (0.0, 0.0, 1.0)) > _LAST_ROW).any(axis=-1)
    if is_wrong.any():
        raise ValueError(
            f"{name}: expected the last row (0, 0, 1), of a matrix in pixels that is neither "
            f"transposed nor scaled; received {known[is_wrong][0, 2].tolist()}"
        )
    focal = known[..., [0, 1], [0, 1]]
    if (focal <= 0.0).any():
        raise ValueError(
            f"{name}: expected positive focal lengths fx and fy; "
            f"received {focal[(focal <= 0.0).any(axis=-1)][0].tolist()}"
        )


def _positive(name, value):
    """Returns the value as it is, once it is checked where it is known."""
    check_between(name, value, 0.0, math.inf, "a positive length")
    return value


def _tangent_of_half(angle):
    expected = "the full angle of view, in degrees, between 0 and 180 (exclusive)"
    check_between("field_of_view", angle, 0.0, 180.0, expected)
    if isinstance(angle, (int, float)):
        return math.tan(math.radians(angle / 2.0))
    return keras.ops.tan(as_floating(angle) * (math.pi / 360.0))


def _side(across, height, width):
    if across not in _SIDES:
        raise ValueError(f"across: expected one of {_SIDES}; received {across!r}")
    return {"width": width, "height": height, "shorter": min(height, width)}[across]


def _matrix(fx, fy, skew, cx, cy):
    """Rows (fx, skew, cx), (0, fy, cy), (0, 0, 1) of numbers `[...]` that broadcast."""
    elements = (fx, fy, skew, cx, cy)
    # The type of the widest tensor: a plain number has none, and must not go by way of float32.
    dtype = keras.backend.result_type(
        "float32", *(e.dtype for e in elements if hasattr(e, "dtype"))
    )
    fx, fy, skew, cx, cy = (keras.ops.convert_to_tensor(e, dtype) for e in elements)
    zero = keras.ops.zeros_like(fx + fy + skew + cx + cy)
    one = zero + 1.0
    rows = [[fx + zero, skew + zero, cx + zero], [zero, fy + zero, cy + zero], [zero, zero, one]]
    return keras.ops.stack([keras.ops.stack(row, axis=-1) for row in rows], axis=-2)
