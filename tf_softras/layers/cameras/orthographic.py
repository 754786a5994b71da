"""The parallel projection as a Keras layer."""

import keras

from tf_softras.geometry.cameras import orthographic
from tf_softras.layers._call_inputs import floats, split_inputs
from tf_softras.layers._geometry_dtype import geometry_dtype


@keras.saving.register_keras_serializable(package="Softras")
class Orthographic(keras.layers.Layer):
    """Image-plane coordinates of meshes in camera space under parallel projection.

    Formula: ``x' = 2 (x - center_x) / view_size``, ``y' = 2 (y - center_y) / view_size``.

    Args:
        view_size: positive float: what the shorter image side spans, in world units.
        center: two floats: the point of camera space in the image's middle.

    Call arguments:
        vertices: float `[batch, num_vertices, 3]`, camera space.

    Returns:
        float `[batch, num_vertices, 3]`: x', y' on the image plane, whose shorter side spans
        [-1, 1], and the depth z; of at least float32 under every policy.

    Raises:
        ValueError: an argument is not as above.
    """

    input_names = ("vertices",)

    def __init__(self, *, view_size=2.0, center=(0.0, 0.0), **kwargs):
        super().__init__(**kwargs)
        self.view_size = float(view_size)
        self.center = floats("center", center, 2)
        # Checks the size now, not at the first call.
        orthographic([[0.0, 0.0, 1.0]], view_size=self.view_size)
        self.autocast = False
        self.built = True

    def call(self, vertices):
        """Projects a batch of meshes; see the class."""
        (vertices,) = split_inputs(self, vertices, self.input_names)
        vertices = keras.ops.cast(vertices, geometry_dtype(self))
        return orthographic(vertices, view_size=self.view_size, center=self.center)

    def compute_output_spec(self, vertices):
        """The symbolic image-plane coordinates."""
        return keras.KerasTensor(vertices.shape, geometry_dtype(self))

    def get_config(self):
        """The arguments."""
        return {**super().get_config(), "view_size": self.view_size, "center": self.center}
