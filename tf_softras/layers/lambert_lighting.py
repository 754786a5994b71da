"""Light on matte surfaces as a Keras layer."""

import keras
import numpy as np

from tf_softras.layers._call_inputs import boolean, numbers
from tf_softras.layers._geometry_layer import GeometryLayer
from tf_softras.shading.lighting import DirectionalLight, PointLight, lambert_light


@keras.saving.register_keras_serializable(package="Softras")
class LambertLighting(GeometryLayer):
    """Returns colours of matte surfaces under lights; see `tf_softras.shading.lambert_light`.

    Colours in and out are linear. The layer's lights are fixed, one for all items or one an item.
    Lights that a network makes are given to the call: `layer([colors, normals], lights={...})`.
    A batch of 1 beside a batch of n broadcasts.

    Args:
        ambient: Float or three floats, or floats `[batch, 3]`: light that is the same from
            everywhere.
        directional: `DirectionalLight`s, or dicts of their attributes "direction" and "color", each
            three floats or floats `[batch, 3]`.
        point: `PointLight`s, or dicts of their attributes "position" and "color".
        two_sided: Whether a surface that turns its back to the eye is lit as if it were its front.

    Call arguments:
        inputs: `[colors, normals]`; with point lights `[colors, normals, positions]`; with
            `two_sided` `[colors, normals, positions, eyes]`. Or a dict of them, in which positions
            and eyes may stand even if they are not needed. Colours, normals and positions are float
            `[batch, ..., 3]`, world space; eyes `[batch, 3]` or `[3]`.
        lights: None, or a dict of any of "ambient", "directional" and "point", each of the form
            above with tensors or arrays in place of floats, which replace the layer's.

    Returns:
        Float `[batch, ..., 3]`: colours times light, computed in at least float32 under every
        policy, of the policy's compute type.

    Raises:
        ValueError: An argument is not as above.

    Example:
    >>> sun = {"direction": [0.0, 0.0, 1.0], "color": 0.75}
    >>> lighting = layers.LambertLighting(ambient=0.25, directional=[sun])
    >>> white = np.ones((1, 2, 3), np.float32)
    >>> normals = np.float32([[[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]])  # towards the light, and away
    >>> np.asarray(lighting([white, normals]))[..., 0]
    array([[1.  , 0.25]], dtype=float32)
    >>> np.asarray(lighting([white, normals], lights={"ambient": np.zeros(3)}))[..., 0]
    array([[0.75, 0.  ]], dtype=float32)
    """

    optional_names = ("positions", "eyes")

    def __init__(self, *, ambient=0.0, directional=(), point=(), two_sided=False, **kwargs):
        super().__init__(**kwargs)
        self.ambient = _color("ambient", ambient)
        self.directional = [_light(DirectionalLight, "direction", light) for light in directional]
        self.point = [_light(PointLight, "position", light) for light in point]
        self.two_sided = boolean("two_sided", two_sided)

    @property
    def input_names(self):
        """The names of the inputs, in their order."""
        needs_positions = bool(self.point) or self.two_sided
        return ("colors", "normals") + ("positions",) * needs_positions + ("eyes",) * self.two_sided

    def call(self, inputs, lights=None):
        """Returns a batch of pictures or meshes under light; see the class."""
        given = self.split(inputs)
        light = lambert_light(
            given["normals"],
            given.get("positions"),
            eye=given.get("eyes"),
            two_sided=self.two_sided,
            **self._lights(lights),
        )
        return keras.ops.cast(given["colors"] * light, self.compute_dtype)

    def compute_output_spec(self, inputs, lights=None):
        """Returns the symbolic colours."""
        shapes = {name: tuple(value.shape) for name, value in self._named(inputs).items()}
        return self._spec(self._shape(shapes, **lights_shapes(lights)))

    def fixed_shapes(self):
        """Returns the shapes of lights that are one an item."""
        places = {"ambient": self.ambient}
        for i, light in enumerate((*self.directional, *self.point)):
            places.update({f"light {i}, {name}": value for name, value in vars(light).items()})
        return _of_items({name: np.shape(value) for name, value in places.items()})

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {
            **super().get_config(),
            "ambient": self.ambient,
            "directional": [vars(light) for light in self.directional],
            "point": [vars(light) for light in self.point],
            "two_sided": self.two_sided,
        }

    def _lights(self, lights):
        """Returns the lights of a call by the names of `lambert_light`."""
        own = {"ambient": self.ambient, "directional": self.directional, "point": self.point}
        lights = dict(lights or {})
        if not set(lights) <= set(own):
            raise ValueError(f"lights: expected a dict of {sorted(own)}; received {sorted(lights)}")
        for name, kind in (("directional", DirectionalLight), ("point", PointLight)):
            if name in lights:
                lights[name] = [
                    light if isinstance(light, kind) else kind(**light) for light in lights[name]
                ]
        return {**own, **lights}

    def _output_shape(self, shapes, batch):
        return (batch, *shapes["colors"][1:])

    def _output_dtype(self):
        return self.compute_dtype


def lights_shapes(lights):
    """Returns the shapes `[batch, 3]` of what the lights of a call have one an item of."""
    places = enumerate(keras.tree.flatten(lights))
    return _of_items({f"lights, {number}": np.shape(place) for number, place in places})


def _of_items(shapes):
    """Returns the shapes [batch, 3] among those of lights."""
    return {name: shape for name, shape in shapes.items() if len(shape) == 2}


def _light(kind, place, light):
    """Returns a light of plain floats."""
    given = dict(vars(light)) if isinstance(light, kind) else dict(light)
    if set(given) - {"color"} != {place}:
        raise ValueError(
            f"light: expected a {kind.__name__}, or a dict of {place} and color; received {light!r}"
        )
    return kind(
        numbers(place, given[place], (3,), is_batched=True),
        _color("color", given.get("color", 1.0)),
    )


def _color(name, value):
    value = [value] * 3 if np.ndim(value) == 0 else value
    return numbers(name, value, (3,), is_batched=True)
