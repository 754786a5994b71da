"""The soft rasteriser as a Keras layer."""

import keras
import numpy as np

from tf_softras._shared.array_text import array_to_text
from tf_softras._shared.faces import standardize_faces
from tf_softras.geometry._image_size import standardize_image_size
from tf_softras.geometry.corner_mesh import CornerMesh, cull_back_faces
from tf_softras.layers._call_inputs import boolean, numbers, positive
from tf_softras.layers._geometry_layer import GeometryLayer, geometry_dtype
from tf_softras.ops._library import xla_compiles
from tf_softras.ops._soft_rasterize import (
    SILHOUETTE_IMPLEMENTATIONS,
    soft_rasterize,
    validate_implementation,
)


@keras.saving.register_keras_serializable(package="Softras")
class SoftRasterize(GeometryLayer):
    """Returns soft silhouettes of meshes whose faces are fixed.

    Formula: ``D_j = sigmoid(s d^2 / sigma)``, ``S = 1 - prod_j (1 - D_j)``.

    The layer renders in float32 (or float64, where that is its dtype) whatever the policy, and
    returns the policy's compute type. Its one weight, `sigma`, is not trainable. To assign to it,
    as `tf_softras.training.SigmaSchedule` does, retraces nothing.

    On CPUs XLA compiles the op to the same code: `compile(jit_compile=True)` gives the same
    pictures, bit for bit. XLA has no kernel for GPUs: where one is visible the layer says so to
    Keras (`supports_jit`), which then trains without XLA, with a warning if it was asked for.
    `implementation="reference"` compiles under XLA on every device and runs where no custom op can
    be loaded; it is slow. `implementation="n3mr"` is the baseline that the paper compares with:
    hard silhouettes, whatever sigma is, and the approximate gradient of the Neural 3D Mesh
    Renderer (Kato et al. 2018); XLA does not compile it.

    Faces with a vertex at z <= near are left out whole: a face that crosses the near plane
    vanishes. `ClipToNear` before the projection keeps the part in front of it.

    Args:
        faces: Int `[num_faces, 3]`, vertex indices. For meshes whose faces differ by item see
            `tf_softras.geometry.face_corners`.
        image_size: Int, or (height, width) in pixels.
        sigma: Positive float, squared image-plane units: the sharpness.
        near: Float; a face with a vertex at z <= near is left out.
        implementation: "op", "reference" or "n3mr".
        cull_back_faces: Whether faces that turn their back to the camera are left out, forward and
            backward: those whose corners run clockwise in the picture. Needs near of at least 0.

    Call arguments:
        vertices: Float `[batch, num_vertices, 3]`, image-plane x and y with camera depth z, as
            `Perspective` gives them.

    Returns:
        Silhouettes `[batch, height, width]` in [0, 1]; row 0 is the top, 0 where no face reaches.

    Raises:
        ValueError: An argument is not as above.

    Example:
    >>> triangle = np.float32([[[-1.0, -1.0, 1.0], [1.0, -1.0, 1.0], [-1.0, 1.0, 1.0]]])
    >>> silhouette = layers.SoftRasterize([[0, 1, 2]], image_size=4, sigma=1e-4)(triangle)
    >>> np.asarray(silhouette)[0].round(1)                    # half where the edge cuts a pixel
    array([[0.5, 0. , 0. , 0. ],
           [1. , 0.5, 0. , 0. ],
           [1. , 1. , 0.5, 0. ],
           [1. , 1. , 1. , 0.5]], dtype=float32)

    Source: Liu et al. 2019, arXiv 1901.05567, eqs. 1 and 2.
    """

    implementations: tuple[str, ...] = SILHOUETTE_IMPLEMENTATIONS

    def __init__(
        self,
        faces,
        image_size,
        sigma=3e-5,
        *,
        near=0.0,
        implementation="op",
        cull_back_faces=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.faces = standardize_faces(faces)
        self.image_size = standardize_image_size(image_size)
        validate_implementation(implementation, self.implementations)
        self.implementation = implementation
        self.near = numbers("near", near, ())
        self.cull_back_faces = boolean("cull_back_faces", cull_back_faces)
        if self.cull_back_faces and self.near < 0:
            raise ValueError(
                f"near: expected at least 0, as back faces are culled; received {near!r}"
            )
        self._initial_sigma = positive("sigma", sigma)
        self.supports_jit = supports_jit(implementation)
        self._sigma = self._add_number("sigma", self._initial_sigma)

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
        self._sigma.assign(positive("sigma", value))

    def call(self, vertices):
        """Returns the silhouettes of a batch of meshes; see the class."""
        shown = self._shown(self.split(vertices)["vertices"])
        silhouettes = soft_rasterize(
            shown.vertices,
            shown.faces,
            image_size=self.image_size,
            sigma=self._sigma,
            near=self.near,
            implementation=self.implementation,
        )
        return keras.ops.cast(silhouettes, self.compute_dtype)

    def get_config(self):
        """Returns the arguments; `sigma` is the initial one, the present one is a weight."""
        return {
            **super().get_config(),
            "faces": array_to_text(self.faces),
            "image_size": list(self.image_size),
            "sigma": self._initial_sigma,
            "near": self.near,
            "implementation": self.implementation,
            "cull_back_faces": self.cull_back_faces,
        }

    def _shown(self, vertices, attributes=None):
        """Returns the mesh that the op is given, without back faces if they are culled."""
        if self.cull_back_faces:
            return cull_back_faces(vertices, self.faces, attributes)
        return CornerMesh(vertices, self.faces, attributes)

    def _output_shape(self, shapes, batch):
        shape = shapes["vertices"]
        if len(shape) != 3 or shape[-1] not in (3, None):
            raise ValueError(
                f"Input of layer {self.name!r}: expected vertices [batch, num_vertices, 3]; "
                f"received {list(shape)}"
            )
        return (batch, *self.image_size)

    def _output_dtype(self):
        return self.compute_dtype


def supports_jit(implementation):
    """Returns whether XLA compiles an implementation on every device that is visible."""
    return implementation == "reference" or (implementation == "op" and xla_compiles())
