"""The perspective projection as a Keras layer."""

import keras

from tf_softras.geometry.cameras import N3MR_VIEWING_ANGLE, perspective
from tf_softras.layers._geometry_dtype import geometry_dtype


@keras.saving.register_keras_serializable(package="Softras")
class Perspective(keras.layers.Layer):
    """Image-plane coordinates of meshes in camera space; depth is kept in z.

    Formula: ``x' = x / (z tan(angle))``, ``y' = y / (z tan(angle))``.

    Args:
        viewing_angle: HALF of the angle of view across the shorter image side, degrees in (0, 90).

    Call arguments:
        vertices: float `[batch, num_vertices, 3]`, camera space, as `LookAt` gives them.

    Returns:
        float `[batch, num_vertices, 3]`: x', y' on the image plane, whose shorter side spans
        [-1, 1], and the depth z; of at least float32 under every policy.

    Raises:
        ValueError: `viewing_angle` is not in (0, 90).
    """

    def __init__(self, *, viewing_angle=N3MR_VIEWING_ANGLE, **kwargs):
        super().__init__(**kwargs)
        self.viewing_angle = float(viewing_angle)
        # Checks the angle now, not at the first call.
        perspective([[0.0, 0.0, 1.0]], viewing_angle=self.viewing_angle)
        self.autocast = False
        self.built = True

    input_names = ("vertices",)

    def call(self, vertices):
        """Projects a batch of meshes; see the class."""
        return perspective(
            keras.ops.cast(vertices, geometry_dtype(self)), viewing_angle=self.viewing_angle
        )

    def compute_output_spec(self, vertices):
        """The symbolic image-plane coordinates."""
        return keras.KerasTensor(vertices.shape, geometry_dtype(self))

    def get_config(self):
        """The arguments."""
        return {**super().get_config(), "viewing_angle": self.viewing_angle}
