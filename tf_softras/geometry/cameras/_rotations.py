"""Rotation matrices from numbers that an optimiser may move freely."""

import keras

from tf_softras.geometry._shapes import check_shape, known_shape
from tf_softras.geometry._vectors import as_floating, normalize


def rotation_from_quaternion(quaternion):
    """Returns rotation matrices of quaternions of any length.

    The quaternion is normalised first, so all four numbers may be learned; q and -q give the same
    rotation. A quaternion shorter than 1e-15 has no direction and gives the identity, with gradient
    0.

    Args:
        quaternion: float `[..., 4]`, (x, y, z, w) with the real part last, as SciPy and glTF have
            them.

    Returns:
        float `[..., 3, 3]`, to be applied to columns.

    Raises:
        ValueError: the last dimension is known and not 4.
    """
    quaternion = as_floating(quaternion)
    check_shape("quaternion", known_shape(quaternion), ("...", 4))
    unit = normalize(quaternion)
    x, y, z, w = (unit[..., i] for i in range(4))
    rows = [
        [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - z * w), 2.0 * (x * z + y * w)],
        [2.0 * (x * y + z * w), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - x * w)],
        [2.0 * (x * z - y * w), 2.0 * (y * z + x * w), 1.0 - 2.0 * (x * x + y * y)],
    ]
    return keras.ops.stack([keras.ops.stack(row, axis=-1) for row in rows], axis=-2)
