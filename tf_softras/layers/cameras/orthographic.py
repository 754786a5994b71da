"""The parallel projection as a Keras layer."""

import keras

from tf_softras.geometry.cameras import orthographic
from tf_softras.layers._call_inputs import numbers
from tf_softras.layers._geometry_layer import GeometryLayer


@keras.saving.register_keras_serializable(package="Softras")
class Orthographic(GeometryLayer):
    """Returns image-plane coordinates of meshes in camera space under parallel projection.

    Formula: ``x' = 2 (x - center_x) / view_size``, ``y' = 2 (y - center_y) / view_size``.

    Give ``interpolation="linear"`` to a `SoftShade` that follows; `Renderer` does so by itself.

    Args:
        view_size: Positive float: what the shorter image side spans, in world units.
        center: Two floats: the point of camera space in the image's middle.

    Call arguments:
        vertices: Float `[batch, num_vertices, 3]`, camera space.

    Returns:
        Float `[batch, num_vertices, 3]`: x', y' on the image plane, whose shorter side spans
        [-1, 1], and the depth z; of at least float32 under every policy.

    Raises:
        ValueError: An argument is not as above.

    Example:
    >>> point = np.float32([[[1.0, 0.5, 3.0]]])  # camera space
    >>> np.asarray(layers.Orthographic(view_size=4.0)(point))
    array([[[0.5 , 0.25, 3.  ]]], dtype=float32)
    """

    # z, not 1/z, is linear over a face on the image plane.
    interpolation = "linear"

    def __init__(self, *, view_size=2.0, center=(0.0, 0.0), **kwargs):
        super().__init__(**kwargs)
        self.view_size = numbers("view_size", view_size, ())
        self.center = numbers("center", center, (2,))
        # Checks the size now, not at the first call.
        orthographic([[0.0, 0.0, 1.0]], view_size=self.view_size)

    @property
    def input_shapes(self):
        """The shape of the input."""
        return {"vertices": ("...", "num_vertices", 3)}

    def call(self, vertices):
        """Returns the meshes on the image plane; see the class."""
        vertices = self.split(vertices)["vertices"]
        return orthographic(vertices, view_size=self.view_size, center=self.center)

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "view_size": self.view_size, "center": self.center}
