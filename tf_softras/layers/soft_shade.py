"""The soft shader as a Keras layer."""

import keras
import numpy as np

from tf_softras.layers._call_inputs import numbers, positive
from tf_softras.layers._geometry_layer import same_batch
from tf_softras.layers.soft_rasterize import SoftRasterize
from tf_softras.ops._interpolation import validate_interpolation
from tf_softras.ops._soft_rasterize import IMPLEMENTATIONS
from tf_softras.ops._soft_shade import soft_shade, validate_aggregation


@keras.saving.register_keras_serializable(package="Softras")
class SoftShade(SoftRasterize):
    """Returns pictures of vertices' attributes, and their alpha, for meshes of fixed faces.

    Formula: ``image = sum_j w_j C_j + w_b background`` with ``w_j ~ D_j exp(l_j / gamma)``, see
    `tf_softras.ops.soft_shade`.

    A `SoftRasterize` layer that gives an image beside the silhouettes: precision, `sigma`, XLA and
    saving are as there. `gamma` is a weight that is not trainable, too. A batch of 1 beside a batch
    of n broadcasts.

    `near` and `gamma` have other defaults in `Renderer`. `near` is 0.1 there, because `Renderer`
    cuts faces at it and a cut needs a depth above 0; this layer leaves out faces that reach behind
    the camera. `gamma` is 1e-5 there with sharp edges. 1e-4 lets a hidden surface learn through
    0.01 of depth.

    Args:
        faces: Int `[num_faces, 3]`, vertex indices.
        image_size: Int, or (height, width) in pixels.
        sigma: Positive float, squared image-plane units: the sharpness.
        gamma: Positive float, a share of far - near: the sharpness in depth.
        epsilon: None for a background behind every face, or a float, its level: a share of
            far - near before `far`.
        near: Float, not negative; a face with a vertex at z <= near is left out.
        far: Float above near, the unit of gamma; nothing is cut off there.
        background: A float, or one a channel; what a call without a background takes.
        aggregation: "soft", or "hard" for the nearest face alone.
        min_coverage: Float in (0, 0.5], the smallest coverage that counts in the image.
        interpolation: "perspective", or "linear" after `Orthographic`.
        implementation: "op" or "reference".
        cull_back_faces: Whether faces that turn their back to the camera are left out, as in
            `SoftRasterize`.

    Call arguments:
        inputs: A pair of vertices, float `[batch, num_vertices, 3]`, image-plane x and y with
            camera depth z, and attributes, float `[batch, num_vertices, channels]` (texture
            coordinates want `aggregation="hard"`: they have no mean across a seam); or these and a
            background, float `[batch, height, width, channels]` or `[channels]`.

    Returns:
        A pair: image `[batch, height, width, channels]`, row 0 is the top, and alpha
        `[batch, height, width]` in [0, 1].

    Raises:
        ValueError: An argument is not as above.

    Example:
    >>> triangle = np.float32([[[-1.0, -1.0, 1.0], [1.0, -1.0, 1.0], [-1.0, 1.0, 1.0]]])
    >>> red = np.float32([[[1.0, 0.0, 0.0]] * 3])             # one colour a vertex
    >>> image, alpha = layers.SoftShade([[0, 1, 2]], image_size=4, sigma=1e-4)([triangle, red])
    >>> np.asarray(image)[0, 3, 0].round(3)                   # the lower left pixel
    array([1., 0., 0.], dtype=float32)
    >>> tuple(image.shape), tuple(alpha.shape)
    ((1, 4, 4, 3), (1, 4, 4))

    Source: Liu et al. 2019, arXiv 1904.01786, the aggregate function for colours.
    """

    implementations = IMPLEMENTATIONS
    input_names = ("vertices", "attributes")
    optional_names = trailing_names = ("background",)

    def __init__(
        self,
        faces,
        image_size,
        sigma=3e-5,
        gamma=1e-4,
        *,
        epsilon=None,
        near=0.0,
        far=100.0,
        background=0.0,
        aggregation="soft",
        min_coverage=1e-4,
        interpolation="perspective",
        implementation="op",
        cull_back_faces=False,
        **kwargs,
    ):
        super().__init__(
            faces,
            image_size,
            sigma,
            near=near,
            implementation=implementation,
            cull_back_faces=cull_back_faces,
            **kwargs,
        )
        if not 0.0 <= self.near < float(far) < float("inf"):
            raise ValueError(
                f"near and far: expected depths 0 <= near < far; received {near!r}, far={far!r}"
            )
        self.far = float(far)
        self.epsilon = None if epsilon is None else numbers("epsilon", epsilon, ())
        self.background = _standardize_background(background)
        validate_aggregation(aggregation)
        self.aggregation = aggregation
        self.min_coverage = float(min_coverage)
        if not 0.0 < self.min_coverage <= 0.5:
            raise ValueError(
                f"min_coverage: expected a number in (0, 0.5]; received {min_coverage!r}"
            )
        validate_interpolation(interpolation)
        self.interpolation = interpolation
        self._initial_gamma = positive("gamma", gamma)
        self._gamma = self._add_number("gamma", self._initial_gamma)

    @property
    def gamma(self):
        """The sharpness in depth now: a scalar weight. Assign a positive float to change it."""
        return self._gamma

    @gamma.setter
    def gamma(self, value):
        self._gamma.assign(positive("gamma", value))

    def call(self, inputs):
        """Returns image and alpha of a batch of meshes; see the class."""
        given = self.split(inputs)
        vertices, attributes = same_batch(given["vertices"], given["attributes"])
        background = given.get("background", self.background)
        if "background" in given and len(background.shape) == 4:
            vertices, attributes, background = same_batch(vertices, attributes, background)
        shown = self._shown(vertices, attributes)
        pictures = soft_shade(
            shown.vertices,
            shown.faces,
            shown.attributes,
            image_size=self.image_size,
            sigma=self._sigma,
            gamma=self._gamma,
            epsilon=self.epsilon,
            near=self.near,
            far=self.far,
            background=keras.ops.cast(background, vertices.dtype),
            aggregation=self.aggregation,
            min_coverage=self.min_coverage,
            interpolation=self.interpolation,
            implementation=self.implementation,
        )
        return tuple(keras.ops.cast(picture, self.compute_dtype) for picture in pictures)

    def _output_shape(self, shapes, batch):
        alpha, attributes = super()._output_shape(shapes, batch), shapes["attributes"]
        if len(attributes) != 3:
            raise ValueError(
                f"Input of layer {self.name!r}: expected attributes [batch, num_vertices, "
                f"channels]; received {list(attributes)}"
            )
        return (*alpha, attributes[-1]), alpha

    def get_config(self):
        """Returns the arguments; `sigma` and `gamma` are the initial ones."""
        return {
            **super().get_config(),
            "gamma": self._initial_gamma,
            "epsilon": self.epsilon,
            "far": self.far,
            "background": self.background,
            "aggregation": self.aggregation,
            "min_coverage": self.min_coverage,
            "interpolation": self.interpolation,
        }


def _standardize_background(background):
    """Returns a float, or a list of them."""
    array = np.asarray(background, np.float64)
    if array.ndim > 1 or not np.all(np.isfinite(array)):
        raise ValueError(
            f"background: expected a finite number, or one a channel; received {background!r}"
        )
    return array.tolist()
