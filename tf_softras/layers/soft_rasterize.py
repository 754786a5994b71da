"""The soft rasteriser as a Keras layer."""

import keras
import numpy as np

from tf_softras.geometry._image_size import standardize_image_size
from tf_softras.layers._geometry_dtype import geometry_dtype
from tf_softras.ops._library import xla_compiles
from tf_softras.ops._soft_rasterize import (
    SILHOUETTE_IMPLEMENTATIONS,
    soft_rasterize,
    validate_implementation,
)


@keras.saving.register_keras_serializable(package="Softras")
class SoftRasterize(keras.layers.Layer):
    """Soft silhouettes of meshes whose faces are fixed.

    Formula: ``D_j = sigmoid(s d^2 / sigma)``, ``S = 1 - prod_j (1 - D_j)``.

    The layer renders in float32 (or float64, where that is its dtype) whatever the policy, and
    hands back the policy's compute type. Its one weight, `sigma`, is not trainable; assigning to
    it, as `tf_softras.training.SigmaSchedule` does, retraces nothing.

    On CPUs XLA compiles the op to the same code: `compile(jit_compile=True)` gives the same
    pictures, bit for bit. XLA has no kernel for GPUs: where one is visible the layer says so to
    Keras (`supports_jit`), which then trains without XLA, with a warning if it was asked for.
    `implementation="reference"` compiles under XLA on every device and runs where no custom op can
    be loaded; it is slow. `implementation="n3mr"` is the baseline that the paper compares with:
    hard silhouettes, whatever sigma is, and the approximate gradient of the Neural 3D Mesh
    Renderer (Kato et al. 2018); XLA does not compile it.

    Args:
        faces: int `[num_faces, 3]`, vertex indices.
        image_size: int, or (height, width) in pixels.
        sigma: positive float, squared image-plane units: the sharpness.
        near: float; a face with a vertex at z <= near is left out.
        implementation: "op", "reference" or "n3mr".

    Call arguments:
        vertices: float `[batch, num_vertices, 3]`, image-plane x and y with camera depth z, as
            `Perspective` gives them.

    Returns:
        Silhouettes `[batch, height, width]` in [0, 1]; row 0 is the top, 0 where no face reaches.

    Raises:
        ValueError: an argument is not as above.

    Source: Liu et al. 2019, arXiv 1901.05567, eqs. 1 and 2.
    """

    implementations: tuple[str, ...] = SILHOUETTE_IMPLEMENTATIONS

    def __init__(self, faces, image_size, sigma=3e-5, *, near=0.0, implementation="op", **kwargs):
        super().__init__(**kwargs)
        self.faces = _standardize_faces(faces)
        self.image_size = standardize_image_size(image_size)
        validate_implementation(implementation, self.implementations)
        self.implementation = implementation
        self.near = float(near)
        self._initial_sigma = standardize_positive("sigma", sigma)
        self.supports_jit = implementation == "reference" or (
            implementation == "op" and xla_compiles()
        )
        # Vertices in float16 would be off by pixels: `call` casts them itself.
        self.autocast = False
        self._sigma = self._add_number("sigma", self._initial_sigma)
        self.built = True

    def _add_number(self, name, value):
        # A weight, so that a schedule's value is saved with the model; float32 under every policy.
        return self.add_weight(
            name=name,
            shape=(),
            dtype=geometry_dtype(self),
            # keras.initializers.Constant would go by way of float32.
            initializer=lambda shape, dtype: np.full(shape, value, dtype),
            trainable=False,
            autocast=False,
        )

    @property
    def sigma(self):
        """The sharpness now: a scalar weight. Assign a positive float to change it."""
        return self._sigma

    @sigma.setter
    def sigma(self, value):
        self._sigma.assign(standardize_positive("sigma", value))

    def call(self, vertices):
        """Renders a batch of meshes; see the class."""
        silhouettes = soft_rasterize(
            keras.ops.cast(vertices, geometry_dtype(self)),
            self.faces,
            image_size=self.image_size,
            sigma=self._sigma,
            near=self.near,
            implementation=self.implementation,
        )
        return keras.ops.cast(silhouettes, self.compute_dtype)

    def compute_output_shape(self, vertices_shape):
        """`(batch, height, width)`."""
        if len(vertices_shape) != 3 or vertices_shape[-1] not in (3, None):
            raise ValueError(
                f"Invalid input of layer {self.name!r}. Expected vertices of shape "
                f"(batch, num_vertices, 3). Received: shape={tuple(vertices_shape)}"
            )
        return (vertices_shape[0], *self.image_size)

    def compute_output_spec(self, vertices):
        """The symbolic silhouettes."""
        return keras.KerasTensor(self.compute_output_shape(vertices.shape), self.compute_dtype)

    def get_config(self):
        """The arguments; `sigma` is the initial one, the present one is a weight."""
        return {
            **super().get_config(),
            "faces": self.faces.tolist(),
            "image_size": list(self.image_size),
            "sigma": self._initial_sigma,
            "near": self.near,
            "implementation": self.implementation,
        }


def _standardize_faces(faces):
    array = np.asarray(faces)
    if array.size == 0:
        array = array.reshape(-1, 3).astype(np.int32)
    if array.ndim != 2 or array.shape[1] != 3 or not np.issubdtype(array.dtype, np.integer):
        raise ValueError(
            "Invalid faces. Expected integer vertex indices of shape (num_faces, 3). "
            f"Received: dtype {array.dtype}, shape {array.shape}"
        )
    if array.size and not 0 <= array.min() <= array.max() <= np.iinfo(np.int32).max:
        raise ValueError(
            "Invalid faces. Expected vertex indices in [0, 2**31). "
            f"Received: indices from {array.min()} to {array.max()}"
        )
    return array.astype(np.int32)


def standardize_positive(name, value):
    """A float from a positive finite number.

    Raises:
        ValueError: it is not one; the message calls it `name`.
    """
    number = float(value)
    if not 0.0 < number < float("inf"):
        raise ValueError(
            f"Invalid {name}. Expected a positive finite number. Received: {name}={value!r}"
        )
    return number
