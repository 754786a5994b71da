"""The projection by an intrinsic matrix as a Keras layer."""

import keras
import numpy as np

from tf_softras.geometry._image_size import standardize_image_size
from tf_softras.geometry.cameras import pinhole
from tf_softras.layers._call_inputs import floats, split_inputs
from tf_softras.layers._geometry_dtype import geometry_dtype


@keras.saving.register_keras_serializable(package="Softras")
class Pinhole(keras.layers.Layer):
    """Image-plane coordinates of meshes in camera space, by an intrinsic matrix.

    See `tf_softras.geometry.pinhole` for the formula, and `tf_softras.geometry.intrinsic_matrix`
    for matrices of lenses. The matrix is fixed, or one per mesh: then the layer is called with
    `[vertices, intrinsics]`.

    Args:
        image_size: int, or (height, width) in pixels.
        intrinsics: None, or floats `[3, 3]`, pixels.
        pixel_center: where the matrix has the middle of the top left pixel: 0 (OpenCV) or 0.5.

    Call arguments:
        inputs: vertices, float `[batch, num_vertices, 3]` in camera space; or, for a layer without
            fixed intrinsics, vertices and intrinsics `[batch, 3, 3]`.

    Returns:
        float `[batch, num_vertices, 3]`: x', y' on the image plane, whose shorter side spans
        [-1, 1], and the depth z; of at least float32 under every policy.

    Raises:
        ValueError: an argument is not as above.
    """

    def __init__(self, image_size, intrinsics=None, *, pixel_center=0.0, **kwargs):
        super().__init__(**kwargs)
        self.image_size = standardize_image_size(image_size)
        self.intrinsics = None
        if intrinsics is not None:
            elements = floats("intrinsics", np.ravel(intrinsics), 9)
            self.intrinsics = np.reshape(elements, (3, 3)).tolist()
        self.pixel_center = float(pixel_center)
        self.autocast = False
        self.built = True

    @property
    def input_names(self):
        """What the layer is called with."""
        return ("vertices",) if self.intrinsics else ("vertices", "intrinsics")

    def call(self, inputs):
        """Projects a batch of meshes; see the class."""
        vertices, *intrinsics = self._split(inputs)
        dtype = geometry_dtype(self)
        return pinhole(
            keras.ops.cast(vertices, dtype),
            keras.ops.cast(intrinsics[0] if intrinsics else self.intrinsics, dtype),
            image_size=self.image_size,
            pixel_center=self.pixel_center,
        )

    def compute_output_spec(self, inputs):
        """The symbolic image-plane coordinates."""
        return keras.KerasTensor(self._split(inputs)[0].shape, geometry_dtype(self))

    def get_config(self):
        """The arguments."""
        return {
            **super().get_config(),
            "image_size": list(self.image_size),
            "intrinsics": self.intrinsics,
            "pixel_center": self.pixel_center,
        }

    def _split(self, inputs):
        return split_inputs(self, inputs, self.input_names)
