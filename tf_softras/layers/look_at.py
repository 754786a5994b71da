"""The look-at camera as a Keras layer."""

import keras

from tf_softras.geometry.cameras import eye_from_angles, look_at
from tf_softras.layers.geometry_dtype import geometry_dtype


@keras.saving.register_keras_serializable(package="Softras")
class LookAt(keras.layers.Layer):
    """Camera coordinates of meshes: x right, y up, z the depth along the viewing direction.

    The camera is fixed (`eye`, or `distance`, `elevation` and `azimuth`), or one per mesh: then the
    layer is called with vertices and eyes, `LookAt()([vertices, eyes])`.

    Args:
        distance: float, world units from the origin.
        elevation: float, degrees above the x-z plane.
        azimuth: float, degrees from +x towards +z.
        eye: three floats, world space, instead of the angles.
        at: three floats, the point looked at.
        up: three floats, the direction that is up in the picture.

    Call arguments:
        inputs: vertices, float `[batch, num_vertices, 3]` in world space; or, for a layer without a
            fixed camera, a pair of vertices and eyes, float `[batch, 3]` in world space.

    Returns:
        float `[batch, num_vertices, 3]` in camera space, of at least float32 under every policy.

    Raises:
        ValueError: the camera is given twice, or in part, or not at all.
    """

    def __init__(
        self,
        *,
        distance=None,
        elevation=None,
        azimuth=None,
        eye=None,
        at=(0.0, 0.0, 0.0),
        up=(0.0, 1.0, 0.0),
        **kwargs,
    ):
        super().__init__(**kwargs)
        angles = {"distance": distance, "elevation": elevation, "azimuth": azimuth}
        given = [name for name, value in angles.items() if value is not None]
        if given and (eye is not None or len(given) < 3):
            raise ValueError(
                "Invalid camera. Expected distance, elevation and azimuth together, or eye, or "
                f"none of them. Received: {', '.join(given + ['eye'] * (eye is not None))}"
            )
        self.distance, self.elevation, self.azimuth = (
            None if value is None else float(value) for value in angles.values()
        )
        self.eye = None if eye is None else _three_floats("eye", eye)
        self.at = _three_floats("at", at)
        self.up = _three_floats("up", up)
        self.autocast = False
        self.built = True

    @property
    def has_fixed_camera(self):
        """Whether the layer is called with vertices alone."""
        return self.eye is not None or self.distance is not None

    def call(self, inputs):
        """Transforms a batch of meshes; see the class."""
        vertices, eye = self._split(inputs)
        dtype = geometry_dtype(self)
        if eye is None:
            eye = self.eye or eye_from_angles(self.distance, self.elevation, self.azimuth)
        return look_at(
            keras.ops.cast(vertices, dtype), keras.ops.cast(eye, dtype), at=self.at, up=self.up
        )

    def compute_output_spec(self, inputs):
        """The symbolic camera coordinates."""
        vertices, _ = self._split(inputs)
        return keras.KerasTensor(vertices.shape, geometry_dtype(self))

    def get_config(self):
        """The arguments."""
        return {
            **super().get_config(),
            "distance": self.distance,
            "elevation": self.elevation,
            "azimuth": self.azimuth,
            "eye": self.eye,
            "at": self.at,
            "up": self.up,
        }

    def _split(self, inputs):
        is_pair = isinstance(inputs, (list, tuple))
        if is_pair == self.has_fixed_camera or (is_pair and len(inputs) != 2):
            expected = "vertices" if self.has_fixed_camera else "[vertices, eyes]"
            raise ValueError(
                f"Invalid input of layer {self.name!r}. Expected {expected}, as its camera is "
                f"{'fixed' if self.has_fixed_camera else 'not fixed'}. "
                f"Received: {f'{len(inputs)} tensors' if is_pair else 'one tensor'}"
            )
        return inputs if is_pair else (inputs, None)


def _three_floats(name, value):
    floats = [float(component) for component in value]
    if len(floats) != 3:
        raise ValueError(f"Invalid {name}. Expected three floats. Received: {name}={value!r}")
    return floats
