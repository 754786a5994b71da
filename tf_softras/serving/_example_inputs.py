"""Example inputs of every signature of an exported network, for warming up and load tests."""

import dataclasses
import io

import numpy as np
import PIL.Image

from tf_softras.geometry import eye_from_angles
from tf_softras.geometry.cameras import N3MR_DISTANCE, N3MR_ELEVATION


@dataclasses.dataclass(frozen=True)
class InputSpec:
    """An input of a signature.

    Attributes:
        name: The input's name.
        shape: The shape of one item, without the batch.
    """

    name: str
    shape: tuple[int, ...]


def example_inputs(specs, *, batch_size: int, picture: bytes | None = None) -> dict:
    """Returns a NumPy array `[batch_size, ...]` for each input.

    Images and pictures show a ball, meshes are points on one, and cameras look at it.

    Args:
        specs: The `InputSpec`s of a signature.
        batch_size: The number of items in each array.
        picture: A PNG or JPEG file to send instead of the ball.

    Raises:
        ValueError: No exported network has an input of such a name.
    """
    makers = {
        "images": lambda shape: _ball(shape[0]).astype(np.float32) / 255.0,
        "image_bytes": lambda shape: _png(_ball(256)) if picture is None else picture,
        "mask_bytes": lambda shape: b"",
        "vertices": lambda shape: _points(shape[0]),
        "eyes": lambda shape: np.asarray(eye_from_angles(N3MR_DISTANCE, N3MR_ELEVATION, 30.0)),
    }
    inputs = {}
    for spec in specs:
        if spec.name not in makers:
            raise ValueError(f"input: expected one of {', '.join(makers)}; received {spec.name!r}")
        item = makers[spec.name](spec.shape)
        inputs[spec.name] = np.array([item] * batch_size, object if _is_file(item) else np.float32)
    return inputs


def _is_file(item) -> bool:
    return isinstance(item, bytes)


def _ball(side: int) -> np.ndarray:
    """Returns uint8 `[side, side, 4]`: a shaded disc on nothing."""
    x, y = np.meshgrid(*2 * [(2 * np.arange(side) + 1 - side) / side])
    height = np.sqrt(np.maximum(0.4 - x**2 - y**2, 0.0))
    picture = np.repeat(np.uint8(255 * height)[..., None], 4, axis=-1)
    picture[..., 3] = np.where(height > 0, 255, 0)
    return picture


def _png(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(picture).save(file, format="PNG")
    return file.getvalue()


def _points(count: int) -> np.ndarray:
    """Returns float32 `[count, 3]`: points all around the origin, 0.25 from it."""
    # A spiral from pole to pole, by the golden angle.
    y = 1.0 - 2.0 * (np.arange(count) + 0.5) / count
    azimuth = np.pi * (3.0 - np.sqrt(5.0)) * np.arange(count)
    radius = np.sqrt(1.0 - y**2)
    points = np.stack([radius * np.cos(azimuth), y, radius * np.sin(azimuth)], axis=-1)
    return np.float32(0.25 * points)
