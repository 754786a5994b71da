"""The projection by an intrinsic matrix as a Keras layer."""

import keras
import numpy as np

from tf_softras.geometry._image_size import standardize_image_size
from tf_softras.geometry.cameras import pinhole
from tf_softras.geometry.cameras._intrinsics import check_intrinsics
from tf_softras.layers._call_inputs import numbers
from tf_softras.layers._geometry_layer import GeometryLayer


@keras.saving.register_keras_serializable(package="Softras")
class Pinhole(GeometryLayer):
    """Returns image-plane coordinates of meshes in camera space, by an intrinsic matrix.

    See `tf_softras.geometry.pinhole` for the formula, and `tf_softras.geometry.intrinsic_matrix`
    for matrices of lenses. The matrix is fixed, or an input: then the layer is called with
    `[vertices, intrinsics]`. A batch of 1 beside a batch of n broadcasts.

    Args:
        image_size: Int, or (height, width) in pixels.
        intrinsics: None, or floats `[3, 3]`, or `[batch, 3, 3]` for one an item; pixels.
        pixel_center: Where the matrix has the middle of the top left pixel: 0 (OpenCV) or 0.5.

    Call arguments:
        inputs: Vertices, float `[batch, num_vertices, 3]` in camera space; or, for a layer without
            fixed intrinsics, vertices and intrinsics `[batch, 3, 3]`.

    Returns:
        Float `[batch, num_vertices, 3]`: x', y' on the image plane, whose shorter side spans
        [-1, 1], and the depth z; of at least float32 under every policy.

    Raises:
        ValueError: An argument or an input is not as above, or the matrix is none: its last row is
            not (0, 0, 1), or a focal length is not positive.

    Example:
    >>> matrix = geometry.intrinsic_matrix(64, focal_length=100.0)
    >>> point = np.float32([[[0.1, 0.2, 1.0]]])  # camera space
    >>> np.asarray(layers.Pinhole(64, matrix)(point)).round(4)  # 10 pixels of 32, and 20
    array([[[0.3125, 0.625 , 1.    ]]], dtype=float32)
    """

    def __init__(self, image_size, intrinsics=None, *, pixel_center=0.0, **kwargs):
        super().__init__(**kwargs)
        self.image_size = standardize_image_size(image_size)
        self.intrinsics = (
            None
            if intrinsics is None
            else numbers("intrinsics", intrinsics, (3, 3), is_batched=True)
        )
        if self.intrinsics is not None:
            check_intrinsics("intrinsics", np.asarray(self.intrinsics))
        self.pixel_center = numbers("pixel_center", pixel_center, ())

    @property
    def input_names(self):
        """The names of the inputs, in their order."""
        return ("vertices",) if self.intrinsics else ("vertices", "intrinsics")

    @property
    def input_shapes(self):
        """The shapes of the inputs."""
        # A fixed lens takes meshes of any leading dimensions.
        first = "..." if self.intrinsics else "batch"
        return {"vertices": (first, "num_vertices", 3), "intrinsics": ("batch", 3, 3)}

    def call(self, inputs):
        """Returns the meshes on the image plane; see the class."""
        given = self.split(inputs)
        vertices = given["vertices"]
        intrinsics = keras.ops.cast(given.get("intrinsics", self.intrinsics), vertices.dtype)
        return pinhole(
            vertices, intrinsics, image_size=self.image_size, pixel_center=self.pixel_center
        )

    def fixed_shapes(self):
        """Returns the shape of intrinsics that are one an item."""
        shape = np.shape(self.intrinsics) if self.intrinsics else ()
        return {"intrinsics": shape} if len(shape) == 3 else {}

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {
            **super().get_config(),
            "image_size": list(self.image_size),
            "intrinsics": self.intrinsics,
            "pixel_center": self.pixel_center,
        }
