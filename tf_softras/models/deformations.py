"""Deforms the template sphere by the numbers that a network gives."""

import keras
import numpy as np
from keras import ops

from tf_softras.geometry import icosphere
from tf_softras.geometry.preconditioning import LaplacianPreconditioner

# The released code's factor on the centroid before its tanh.
CENTROID_SCALE = 0.1
# An icosphere coordinate this small is 0 except for rounding, so it lies in no octant.
_ZERO_COORDINATE = 1e-6
# Mirrored vertices of an icosphere agree to 1e-7; its vertices at level 7 are 6e-3 apart.
_SAME_COORDINATE = 1e-4


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
        symmetric: Whether to return the mean of each mesh and its mirror image about the plane
            x = 0, vertex by vertex. Such a mesh is symmetric to the last bit.
        **kwargs: For `keras.layers.Layer`.

    Source: "Soft Rasterizer", section 4.1.
    """

    def __init__(self, template_level, template_radius, symmetric=False, **kwargs):
        super().__init__(template_level, template_radius, **kwargs)
        self.symmetric = symmetric
        self.mirrored = mirrored_vertices(self.template / template_radius)

    def call(self, displacements):
        """Returns the deformed vertices."""
        displacements = ops.reshape(displacements, (-1, *self.template.shape))
        displacements = self.smoothed(displacements)
        vertices = ops.cast(self.template, displacements.dtype) + displacements
        if not self.symmetric:
            return vertices
        reflection = ops.cast(np.array([-1.0, 1.0, 1.0]), vertices.dtype)
        return 0.5 * (vertices + reflection * ops.take(vertices, self.mirrored, axis=1))

    def smoothed(self, displacements):
        """Returns the displacements [batch, num_vertices, 3] as they are added."""
        return displacements

    def compute_output_shape(self, displacements_shape):
        """Returns the shape of the vertices."""
        return (displacements_shape[0], *self.template.shape)

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "symmetric": self.symmetric}


@keras.saving.register_keras_serializable(package="Softras")
class PreconditionedDisplacement(TemplateDisplacement):
    """Smooths displacements [batch, 3 num_vertices] over the template, then adds them.

    Formula:

    ```python
    smooth = inverse(I + smoothness * L)  # L: the template's combinatorial Laplacian
    gain = sqrt(num_vertices) / norm(smooth)  # independent noise of variance 1 keeps that variance
    vertices = template + gain * smooth @ displacements
    ```

    A displacement of one vertex takes its neighbourhood along, so the surface stays smooth without
    heavy regularisers. The gain keeps the learning rate's meaning. The matrix is a constant of
    num_vertices squared numbers: 1.6 MB at level 3. A graph that holds it needs no custom op.

    Args:
        template_level: Subdivisions of the template sphere.
        template_radius: Its radius in object units.
        symmetric: As in `TemplateDisplacement`.
        smoothness: lambda of the preconditioner, at least 0; 0 smooths nothing.
        **kwargs: For `keras.layers.Layer`.

    Source: Nicolet, Jacobson and Jakob 2021, "Large Steps in Inverse Rendering of Geometry"; here
    for the output of a network.
    """

    def __init__(self, template_level, template_radius, symmetric=False, *, smoothness, **kwargs):
        super().__init__(template_level, template_radius, symmetric, **kwargs)
        self.smoothness = smoothness
        smooth = LaplacianPreconditioner(
            icosphere(template_level).faces, smoothness=smoothness
        ).dense_inverse()
        gain = np.sqrt(len(smooth)) / np.linalg.norm(smooth)
        self.smoothing = (gain * smooth).astype("float32")

    def smoothed(self, displacements):
        """Returns the displacements [batch, num_vertices, 3], smoothed over the template."""
        # One product of matrices for the whole batch: vertices first, all else in columns.
        columns = ops.transpose(displacements, (1, 0, 2))
        shape = ops.shape(columns)
        columns = ops.reshape(columns, (self.template.shape[0], -1))
        smooth = ops.matmul(ops.cast(self.smoothing, displacements.dtype), columns)
        return ops.transpose(ops.reshape(smooth, shape), (1, 0, 2))

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "smoothness": self.smoothness}


def mirrored_vertices(vertices) -> np.ndarray:
    """Returns the index of each vertex's mirror image about x = 0, int32 [num_vertices].

    Args:
        vertices: float [num_vertices, 3], an icosphere: each mirror image is a vertex too.
    """
    cells = np.rint(np.asarray(vertices, "float64") / _SAME_COORDINATE)
    order, mirrored_order = (np.lexsort((cells * [sign, 1, 1]).T) for sign in (1, -1))
    found = np.empty(len(cells), "int32")
    found[mirrored_order] = order
    return found


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
        # Any finite number stands in for logit(0): sign 0 takes it out.
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
