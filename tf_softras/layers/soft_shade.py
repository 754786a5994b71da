"""The soft shader as a Keras layer."""

import keras
import numpy as np

from tf_softras.layers._geometry_dtype import geometry_dtype
from tf_softras.layers.soft_rasterize import SoftRasterize, standardize_positive
from tf_softras.ops._soft_rasterize import IMPLEMENTATIONS
from tf_softras.ops._soft_shade import AGGREGATIONS, soft_shade


@keras.saving.register_keras_serializable(package="Softras")
class SoftShade(SoftRasterize):
    """Pictures of vertices' attributes, and their alpha, for meshes whose faces are fixed.

    Formula: ``image = sum_j w_j C_j + w_b background`` with ``w_j ~ D_j exp(l_j / gamma)``, see
    `tf_softras.ops.soft_shade`.

    A `SoftRasterize` layer that gives an image beside the silhouettes: precision, `sigma`, XLA and
    saving are as there. `gamma` is a weight that is not trainable, too.

    Args:
        faces: int `[num_faces, 3]`, vertex indices.
        image_size: int, or (height, width) in pixels.
        sigma: positive float, squared image-plane units: the sharpness.
        gamma: positive float, a share of far - near: the sharpness in depth.
        epsilon: float, the level of the background, as a share of far - near before `far`.
        near: float, not negative; a face with a vertex at z <= near is left out.
        far: float above near.
        background: a float, or one a channel; what a call without a background takes.
        aggregation: "soft", or "hard" for the nearest face alone.
        min_coverage: float in (0, 0.5], the smallest coverage that counts in the image.
        implementation: "op" or "reference".

    Call arguments:
        inputs: a pair of vertices, float `[batch, num_vertices, 3]`, image-plane x and y with
            camera depth z, and attributes, float `[batch, num_vertices, channels]`; or these and a
            background, float `[batch, height, width, channels]` or `[channels]`.

    Returns:
        A pair: image `[batch, height, width, channels]`, row 0 is the top, and alpha
        `[batch, height, width]` in [0, 1].

    Raises:
        ValueError: an argument is not as above.

    Source: Liu et al. 2019, arXiv 1904.01786, the aggregate function for colours.
    """

    implementations = IMPLEMENTATIONS

    def __init__(
        self,
        faces,
        image_size,
        sigma=3e-5,
        gamma=1e-4,
        *,
        epsilon=1e-3,
        near=0.0,
        far=100.0,
        background=0.0,
        aggregation="soft",
        min_coverage=1e-4,
        implementation="op",
        **kwargs,
    ):
        super().__init__(
            faces, image_size, sigma, near=near, implementation=implementation, **kwargs
        )
        if not 0.0 <= self.near < float(far) < float("inf"):
            raise ValueError(
                "Invalid near or far. Expected depths 0 <= near < far. "
                f"Received: near={near!r}, far={far!r}"
            )
        self.far = float(far)
        self.epsilon = float(epsilon)
        if not np.isfinite(self.epsilon):
            raise ValueError(
                f"Invalid epsilon. Expected a finite number. Received: epsilon={epsilon!r}"
            )
        self.background = _standardize_background(background)
        if aggregation not in AGGREGATIONS:
            raise ValueError(
                f"Invalid aggregation. Expected one of {AGGREGATIONS}. "
                f"Received: aggregation={aggregation!r}"
            )
        self.aggregation = aggregation
        self.min_coverage = float(min_coverage)
        if not 0.0 < self.min_coverage <= 0.5:
            raise ValueError(
                "Invalid min_coverage. Expected a number in (0, 0.5]. "
                f"Received: min_coverage={min_coverage!r}"
            )
        self._initial_gamma = standardize_positive("gamma", gamma)
        self._gamma = self._add_number("gamma", self._initial_gamma)

    @property
    def gamma(self):
        """The sharpness in depth now: a scalar weight. Assign a positive float to change it."""
        return self._gamma

    @gamma.setter
    def gamma(self, value):
        self._gamma.assign(standardize_positive("gamma", value))

    def call(self, inputs):
        """Renders a batch of meshes; see the class."""
        vertices, attributes, background = self._split(inputs)
        dtype = geometry_dtype(self)
        pictures = soft_shade(
            keras.ops.cast(vertices, dtype),
            self.faces,
            keras.ops.cast(attributes, dtype),
            image_size=self.image_size,
            sigma=self._sigma,
            gamma=self._gamma,
            epsilon=self.epsilon,
            near=self.near,
            far=self.far,
            background=keras.ops.cast(background, dtype),
            aggregation=self.aggregation,
            min_coverage=self.min_coverage,
            implementation=self.implementation,
        )
        return tuple(keras.ops.cast(picture, self.compute_dtype) for picture in pictures)

    def _split(self, inputs):
        if not isinstance(inputs, (list, tuple)) or len(inputs) not in (2, 3):
            raise ValueError(
                f"Invalid input of layer {self.name!r}. Expected [vertices, attributes] or "
                f"[vertices, attributes, background]. Received: {inputs}"
            )
        return (*inputs, self.background)[:3]

    def compute_output_shape(self, input_shapes):
        """`(batch, height, width, channels)` and `(batch, height, width)`."""
        vertices_shape, attributes_shape, *_ = self._split(input_shapes)
        alpha = super().compute_output_shape(vertices_shape)
        if len(attributes_shape) != 3:
            raise ValueError(
                f"Invalid input of layer {self.name!r}. Expected attributes of shape "
                f"(batch, num_vertices, channels). Received: shape={tuple(attributes_shape)}"
            )
        return (*alpha, attributes_shape[-1]), alpha

    def compute_output_spec(self, inputs):
        """The symbolic image and alpha."""
        vertices, attributes, _ = self._split(inputs)
        shapes = self.compute_output_shape([vertices.shape, attributes.shape])
        return tuple(keras.KerasTensor(shape, self.compute_dtype) for shape in shapes)

    def get_config(self):
        """The arguments; `sigma` and `gamma` are the initial ones, the present ones are weights."""
        return {
            **super().get_config(),
            "gamma": self._initial_gamma,
            "epsilon": self.epsilon,
            "far": self.far,
            "background": self.background,
            "aggregation": self.aggregation,
            "min_coverage": self.min_coverage,
        }


def _standardize_background(background):
    """A float, or a list of them."""
    array = np.asarray(background, np.float64)
    if array.ndim > 1 or not np.all(np.isfinite(array)):
        raise ValueError(
            "Invalid background. Expected a finite number, or one a channel. "
            f"Received: background={background!r}"
        )
    return array.tolist()
