"""Normals of meshes as a Keras layer."""

import keras
import numpy as np

from tf_softras.geometry.corner_mesh import checked_faces
from tf_softras.geometry.normals import vertex_normals
from tf_softras.layers._call_inputs import split_inputs
from tf_softras.layers._geometry_dtype import geometry_dtype


@keras.saving.register_keras_serializable(package="Softras")
class VertexNormals(keras.layers.Layer):
    """Unit normals of vertices, those of the faces around weighted by their areas.

    Args:
        faces: int `[num_faces, 3]`, vertex indices, counter-clockwise seen from outside.

    Call arguments:
        vertices: float `[batch, num_vertices, 3]`, world space (any right-handed frame).

    Returns:
        float `[batch, num_vertices, 3]`, outward; 0, with gradient 0, where there is no normal. At
        least float32 under every policy.

    Raises:
        ValueError: `faces` are not integers of that shape.
    """

    input_names = ("vertices",)

    def __init__(self, faces, **kwargs):
        super().__init__(**kwargs)
        self.faces = np.asarray(checked_faces(faces), np.int32)
        self.autocast = False
        self.built = True

    def call(self, vertices):
        """Gives a batch of meshes their normals; see the class."""
        (vertices,) = split_inputs(self, vertices, self.input_names)
        return vertex_normals(keras.ops.cast(vertices, geometry_dtype(self)), self.faces)

    def compute_output_spec(self, vertices):
        """The symbolic normals."""
        return keras.KerasTensor(vertices.shape, geometry_dtype(self))

    def get_config(self):
        """The arguments."""
        return {**super().get_config(), "faces": self.faces.tolist()}
