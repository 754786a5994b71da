"""A network whose meshes are known: a ball as large as the picture is red."""

import numpy as np

from tf_softras.geometry import icosphere


class Ball:
    """Called as a `MeshReconstructor` is."""

    def __init__(self):
        sphere = icosphere(2)
        self.vertices, self.faces = sphere.vertices, sphere.faces

    def __call__(self, images):
        radius = 0.1 + 0.4 * np.asarray(images)[..., 0].mean(axis=(1, 2))
        return radius[:, None, None].astype(np.float32) * self.vertices
