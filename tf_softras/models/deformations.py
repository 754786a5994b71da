"""How numbers that a network gives deform the template sphere."""

import keras
import numpy as np
from keras import ops

from tf_softras.geometry import icosphere

# The released code's factor on the centroid before its tanh.
CENTROID_SCALE = 0.1
# Icosphere coordinates this small are 0 but for rounding; so they have no octant to be kept in.
_ZERO_COORDINATE = 1e-6


class _Deformation(keras.layers.Layer):
    """Holds the template: float32 [num_vertices, 3], an icosphere about the origin."""

    def __init__(self, template_level, template_radius, **kwargs):
        super().__init__(**kwargs)
        self.template_level = template_level
        self.template_radius = template_radius
        self.template = template_radius * icosphere(template_level).vertices

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {
            **super().get_config(),
            "template_level": self.template_level,
            "template_radius": self.template_radius,
        }


@keras.saving.register_keras_serializable(package="Softras")
class TemplateDisplacement(_Deformation):
    """Adds displacements [batch, 3 num_vertices] to the template: [batch, num_vertices, 3].

    Args:
        template_level: Subdivisions of the template sphere.
        template_radius: Its radius in object units.
        **kwargs: For `keras.layers.Layer`.

    Source: "Soft Rasterizer", section 4.1.
    """

    def call(self, displacements):
        """Returns the deformed vertices."""
        displacements = ops.reshape(displacements, (-1, *self.template.shape))
        return ops.cast(self.template, displacements.dtype) + displacements

    def compute_output_shape(self, displacements_shape):
        """Returns the shape of the vertices."""
        return (displacements_shape[0], *self.template.shape)


@keras.saving.register_keras_serializable(package="Softras")
class BoundedDeformation(_Deformation):
    """Moves the template's vertices within their octants about a centroid that moves too.

    Formula:

    ```python
    p = sigmoid(logit(2 * abs(template)) + bias) * sign(template)  # in (-1, 1), octant kept
    c = tanh(0.1 * centroid)
    vertices = (relu(p) * (1 - c) - relu(-p) * (1 + c) + c) / 2
    ```

    With bias and centroid 0 that is the template. Vertices stay inside [-0.5, 0.5]^3. A template
    coordinate that is 0 has no octant: it stays on its plane through the centroid, whatever its
    bias, as in the released code.

    Args:
        template_level: Subdivisions of the template sphere.
        template_radius: Its radius in object units, below 0.5. The released code has 0.25.
        **kwargs: For `keras.layers.Layer`.

    Call arguments: bias [batch, 3 num_vertices], centroid [batch, 3].

    Source: the authors' released code (it follows "Neural 3D Mesh Renderer").
    """

    def __init__(self, template_level, template_radius, **kwargs):
        super().__init__(template_level, template_radius, **kwargs)
        template = self.template.astype("float64")
        on_plane = np.abs(template) < _ZERO_COORDINATE
        # In place of logit(0) any finite number will do: sign 0 takes it out.
        share = np.where(on_plane, 0.5, 2 * np.abs(template))
        self.logit = np.log(share / (1 - share))
        self.sign = np.where(on_plane, 0.0, np.sign(template))

    def call(self, bias, centroid):
        """Returns the deformed vertices [batch, num_vertices, 3]."""
        bias = ops.reshape(bias, (-1, *self.template.shape))
        logit, sign = (ops.cast(x, bias.dtype) for x in (self.logit, self.sign))
        centroid = ops.tanh(CENTROID_SCALE * centroid)[:, None, :]
        octant = ops.sigmoid(logit + bias) * sign
        above, below = ops.relu(octant), ops.relu(-octant)
        return 0.5 * (above * (1 - centroid) - below * (1 + centroid) + centroid)

    def compute_output_shape(self, bias_shape, centroid_shape):
        """Returns the shape of the vertices."""
        return (bias_shape[0], *self.template.shape)
