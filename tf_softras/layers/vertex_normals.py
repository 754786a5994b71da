"""Normals of meshes as a Keras layer."""

import keras

from tf_softras._shared.array_text import array_to_text
from tf_softras._shared.faces import standardize_faces
from tf_softras.geometry.normals import vertex_normals
from tf_softras.layers._geometry_layer import GeometryLayer


@keras.saving.register_keras_serializable(package="Softras")
class VertexNormals(GeometryLayer):
    """Returns unit normals of vertices, those of the faces around weighted by their areas.

    Args:
        faces: Int `[num_faces, 3]`, vertex indices, counter-clockwise seen from outside; or
            `[batch, num_faces, 3]`, padded with faces of -1.

    Call arguments:
        vertices: Float `[batch, num_vertices, 3]`, world space (any right-handed frame).

    Returns:
        Float `[batch, num_vertices, 3]`, outward; 0, with gradient 0, where there is no normal. At
        least float32 under every policy.

    Raises:
        ValueError: `faces` are not integers of that shape.

    Example:
    >>> triangle = np.float32([[[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]])
    >>> np.asarray(layers.VertexNormals([[0, 1, 2]])(triangle))[0, 0]
    array([0., 0., 1.], dtype=float32)
    """

    def __init__(self, faces, **kwargs):
        super().__init__(**kwargs)
        self.faces = standardize_faces(faces, is_padded=True, is_batched=True)

    def call(self, vertices):
        """Returns the normals of a batch of meshes; see the class."""
        return vertex_normals(self.split(vertices)["vertices"], self.faces)

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "faces": array_to_text(self.faces)}
