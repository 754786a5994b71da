"""Light on matte surfaces."""

import dataclasses
from typing import Any

import keras

from tf_softras.geometry._vectors import as_floating, dot, normalize

# A point light is never nearer than this: 1 / distance^2 stays finite.
_NEAREST_LIGHT = 1e-3


@dataclasses.dataclass(frozen=True, eq=False)
class DirectionalLight:
    """Light from so far away that it comes from one direction, like the sun's.

    Attributes:
        direction: three floats or a float tensor `[3]` or `[batch, 3]`, world space: from the
            surface TOWARDS the light, of any length but 0.
        color: float, three floats or a tensor `[3]` or `[batch, 3]`, linear.
    """

    direction: Any
    color: Any = 1.0


@dataclasses.dataclass(frozen=True, eq=False)
class PointLight:
    """Light from a point, falling off with the square of the distance, like a bulb's.

    Attributes:
        position: three floats or a float tensor `[3]` or `[batch, 3]`, world space.
        color: as of a `DirectionalLight`, at distance 1.
    """

    position: Any
    color: Any = 1.0


def lambert_light(
    normals, positions=None, *, eye=None, ambient=0.0, directional=(), point=(), two_sided=False
):
    """Returns the light that matte surfaces reflect: multiply their colour by it.

    Formula: ``ambient + sum_d color_d max(n . l_d, 0) + sum_p color_p max(n . l_p, 0) / r_p^2``,
    with n the unit normal, l the unit direction towards a light and r the distance to it (at least
    0.001). Nothing casts a shadow. Differentiable in all that is given, the lights included.

    Args:
        normals: float `[batch, ..., 3]`, world space, of any length; where they are 0 (beside the
            mesh) only ambient light counts.
        positions: float `[batch, ..., 3]`, world space; point lights and `two_sided` need it.
        eye: float `[3]` or `[batch, 3]`, world space; `two_sided` needs it.
        ambient: float, three floats or a tensor `[3]` or `[batch, 3]`: the same from everywhere.
        directional: `DirectionalLight`s.
        point: `PointLight`s.
        two_sided: whether a surface that turns its back to the eye is lit as if it were its front,
            for meshes that are thin, open or wound at random.

    Returns:
        float `[batch, ..., 3]`, linear and at least 0 if the lights are.

    Raises:
        ValueError: `positions` or `eye` is missing.
    """
    needed = {
        "positions": positions is None and (point or two_sided),
        "eye": two_sided and eye is None,
    }
    missing = [name for name, is_missing in needed.items() if is_missing]
    if missing:
        raise ValueError(
            "lighting: expected positions for point lights, positions and eye for "
            f"two_sided; received no {' and no '.join(missing)}"
        )
    normals = as_floating(normals)

    def to_rank(values):
        """Reshapes `[3]`, `[batch, 3]` or one number to the rank of the normals."""
        values = keras.ops.convert_to_tensor(values, normals.dtype)
        if len(values.shape) < 2:
            return values
        ones = (1,) * (len(normals.shape) - 2)
        return keras.ops.reshape(values, (keras.ops.shape(values)[0], *ones, values.shape[-1]))

    unit = normalize(normals)
    if two_sided:
        is_back = dot(unit, to_rank(eye) - positions) < 0.0
        unit = keras.ops.where(is_back, -unit, unit)
    light = to_rank(ambient) + keras.ops.zeros_like(unit)
    for source in directional:
        cosine = dot(unit, normalize(to_rank(source.direction)))
        light = light + to_rank(source.color) * keras.ops.relu(cosine)
    for source in point:
        to_light = to_rank(source.position) - positions
        falloff = 1.0 / keras.ops.maximum(dot(to_light, to_light), _NEAREST_LIGHT**2)
        cosine = dot(unit, normalize(to_light))
        light = light + to_rank(source.color) * keras.ops.relu(cosine) * falloff
    return light
