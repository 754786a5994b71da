"""The perspective projection as a Keras layer."""

import keras

from tf_softras.geometry.cameras import N3MR_VIEWING_ANGLE, perspective
from tf_softras.layers._call_inputs import numbers
from tf_softras.layers._geometry_layer import GeometryLayer


@keras.saving.register_keras_serializable(package="Softras")
class Perspective(GeometryLayer):
    """Returns image-plane coordinates of meshes in camera space; depth is kept in z.

    Formula: ``x' = x / (z tan(angle))``, ``y' = y / (z tan(angle))``.

    Args:
        viewing_angle: HALF of the angle of view across the shorter image side, degrees in (0, 90).

    Call arguments:
        vertices: Float `[batch, num_vertices, 3]`, camera space, as `LookAt` gives them.

    Returns:
        Float `[batch, num_vertices, 3]`: x', y' on the image plane, whose shorter side spans
        [-1, 1], and the depth z; of at least float32 under every policy.

    Raises:
        ValueError: `viewing_angle` is not in (0, 90).

    Example:
    >>> point = np.float32([[[1.0, 0.5, 2.0]]])  # camera space
    >>> np.asarray(layers.Perspective(viewing_angle=45.0)(point)).round(6)
    array([[[0.5 , 0.25, 2.  ]]], dtype=float32)
    """

    def __init__(self, *, viewing_angle=N3MR_VIEWING_ANGLE, **kwargs):
        super().__init__(**kwargs)
        self.viewing_angle = numbers("viewing_angle", viewing_angle, ())
        # Checks the angle now, not at the first call.
        perspective([[0.0, 0.0, 1.0]], viewing_angle=self.viewing_angle)

    @property
    def input_shapes(self):
        """The shape of the input."""
        return {"vertices": ("...", "num_vertices", 3)}

    def call(self, vertices):
        """Returns the meshes on the image plane; see the class."""
        return perspective(self.split(vertices)["vertices"], viewing_angle=self.viewing_angle)

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "viewing_angle": self.viewing_angle}
