"""The look-at camera as a Keras layer."""

import keras

from tf_softras.geometry.cameras import eye_from_angles, look_at
from tf_softras.layers._call_inputs import floats, split_inputs
from tf_softras.layers._geometry_dtype import geometry_dtype


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
        self.eye = None if eye is None else floats("eye", eye, 3)
        self.at = floats("at", at, 3)
        self.up = floats("up", up, 3)
        self.autocast = False
        self.built = True

    @property
    def has_fixed_camera(self):
        """Whether the layer is called with vertices alone."""
        return self.eye is not None or self.distance is not None

    def call(self, inputs):
        """Transforms a batch of meshes; see the class."""
        vertices, *eyes = self._split(inputs)
        dtype = geometry_dtype(self)
        eye = keras.ops.cast(self.eyes(*eyes), dtype)
        return look_at(keras.ops.cast(vertices, dtype), eye, at=self.at, up=self.up)

    def eyes(self, eyes=None):
        """Where the camera stands, world space: float `[3]`, or the eyes of the call."""
        if eyes is not None:
            return eyes
        return self.eye or eye_from_angles(self.distance, self.elevation, self.azimuth)

    def compute_output_spec(self, inputs):
        """The symbolic camera coordinates."""
        vertices, *_ = self._split(inputs)
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

    @property
    def input_names(self):
        """What the layer is called with."""
        return ("vertices",) if self.has_fixed_camera else ("vertices", "eyes")

    def _split(self, inputs):
        is_fixed = "fixed" if self.has_fixed_camera else "not fixed"
        return split_inputs(self, inputs, self.input_names, reason=f", as its camera is {is_fixed}")
