"""Cutting at the near plane as a Keras layer."""

import keras
import numpy as np

from tf_softras.geometry.corner_mesh import clip_to_near
from tf_softras.layers._call_inputs import split_inputs
from tf_softras.layers._geometry_dtype import geometry_dtype


@keras.saving.register_keras_serializable(package="Softras")
class ClipToNear(keras.layers.Layer):
    """Meshes in camera space, cut at the near plane; see `tf_softras.geometry.clip_to_near`.

    The result has faces of its own, the same for every mesh: give `layer.clipped_faces` to the
    layers that follow, and them a `near` less than this one.

    Args:
        faces: int `[num_faces, 3]`, vertex indices.
        near: positive float: the depth of the plane.
        has_attributes: whether the layer is called with `[vertices, attributes]`.

    Call arguments:
        inputs: vertices, float `[batch, num_vertices, 3]` in camera space; with `has_attributes`
            vertices and attributes, float `[batch, num_vertices, channels]`.

    Returns:
        float `[batch, 4 * num_faces, 3]`, camera space; with `has_attributes` a pair, the second
        being float `[batch, 4 * num_faces, channels]`. At least float32 under every policy.

    Raises:
        ValueError: an argument is not as above.
    """

    def __init__(self, faces, *, near, has_attributes=False, **kwargs):
        super().__init__(**kwargs)
        self.faces = np.asarray(faces)
        self.near = float(near)
        self.has_attributes = bool(has_attributes)
        if self.faces.ndim != 2:
            raise ValueError(
                "Invalid faces. Expected integer vertex indices of shape (num_faces, 3). "
                f"Received: shape {self.faces.shape}"
            )
        # Checks both now; the table of faces depends on nothing else.
        corner = np.zeros((0, max(self.faces.max(initial=0), 0) + 1, 3), np.float32)
        self.clipped_faces = clip_to_near(corner, self.faces, near=self.near).faces
        self.autocast = False
        self.built = True

    @property
    def input_names(self):
        """What the layer is called with."""
        return ("vertices", "attributes") if self.has_attributes else ("vertices",)

    def call(self, inputs):
        """Cuts a batch of meshes; see the class."""
        dtype = geometry_dtype(self)
        given = [
            keras.ops.cast(value, dtype) for value in split_inputs(self, inputs, self.input_names)
        ]
        clipped = clip_to_near(given[0], self.faces, *given[1:], near=self.near)
        return (clipped.vertices, clipped.attributes) if self.has_attributes else clipped.vertices

    def compute_output_spec(self, inputs):
        """The symbolic corners, and their attributes."""
        specs = [
            keras.KerasTensor(
                (value.shape[0], 4 * len(self.faces), value.shape[2]), geometry_dtype(self)
            )
            for value in split_inputs(self, inputs, self.input_names)
        ]
        return tuple(specs) if self.has_attributes else specs[0]

    def get_config(self):
        """The arguments."""
        return {
            **super().get_config(),
            "faces": self.faces.tolist(),
            "near": self.near,
            "has_attributes": self.has_attributes,
        }
