"""Light on matte surfaces as a Keras layer."""

import keras
import numpy as np

from tf_softras.layers._call_inputs import floats, split_inputs
from tf_softras.layers._geometry_dtype import geometry_dtype
from tf_softras.shading.lighting import DirectionalLight, PointLight, lambert_light


@keras.saving.register_keras_serializable(package="Softras")
class LambertLighting(keras.layers.Layer):
    """Colours of matte surfaces under fixed lights; see `tf_softras.shading.lambert_light`.

    Colours in and out are linear. Lights that are learned go to `lambert_light` itself.

    Args:
        ambient: float or three floats: light that is the same from everywhere.
        directional: `DirectionalLight`s, or dicts of their attributes.
        point: `PointLight`s, or dicts of their attributes.
        two_sided: whether a surface that turns its back to the eye is lit as if it were its front.

    Call arguments:
        inputs: `[colors, normals]`; with point lights `[colors, normals, positions]`; with
            `two_sided` `[colors, normals, positions, eyes]`. Colours, normals and positions are
            float `[batch, ..., 3]`, world space; eyes `[batch, 3]` or `[3]`.

    Returns:
        float `[batch, ..., 3]`: colours times light, computed in at least float32 under every
        policy, of the policy's compute type.

    Raises:
        ValueError: an argument is not as above.
    """

    def __init__(self, *, ambient=0.0, directional=(), point=(), two_sided=False, **kwargs):
        super().__init__(**kwargs)
        self.ambient = _color("ambient", ambient)
        self.directional = [_light(DirectionalLight, "direction", light) for light in directional]
        self.point = [_light(PointLight, "position", light) for light in point]
        self.two_sided = bool(two_sided)
        self.autocast = False
        self.built = True

    @property
    def input_names(self):
        """What the layer is called with."""
        needs_positions = bool(self.point) or self.two_sided
        return ("colors", "normals") + ("positions",) * needs_positions + ("eyes",) * self.two_sided

    def call(self, inputs):
        """Lights a batch of pictures or meshes; see the class."""
        given = {
            name: keras.ops.cast(value, geometry_dtype(self))
            for name, value in zip(
                self.input_names, split_inputs(self, inputs, self.input_names), strict=True
            )
        }
        light = lambert_light(
            given["normals"],
            given.get("positions"),
            eye=given.get("eyes"),
            ambient=self.ambient,
            directional=self.directional,
            point=self.point,
            two_sided=self.two_sided,
        )
        return keras.ops.cast(given["colors"] * light, self.compute_dtype)

    def compute_output_spec(self, inputs):
        """The symbolic colours."""
        colors = split_inputs(self, inputs, self.input_names)[0]
        return keras.KerasTensor(colors.shape, self.compute_dtype)

    def get_config(self):
        """The arguments."""
        return {
            **super().get_config(),
            "ambient": self.ambient,
            "directional": [vars(light) for light in self.directional],
            "point": [vars(light) for light in self.point],
            "two_sided": self.two_sided,
        }


def _light(kind, place, light):
    """A light of plain floats."""
    given = dict(vars(light)) if isinstance(light, kind) else dict(light)
    if set(given) - {"color"} != {place}:
        raise ValueError(
            f"Invalid light. Expected a {kind.__name__}, or a dict of {place} and color. "
            f"Received: {light!r}"
        )
    return kind(floats(place, given[place], 3), _color("color", given.get("color", 1.0)))


def _color(name, value):
    return floats(name, [value] * 3 if np.ndim(value) == 0 else value, 3)
