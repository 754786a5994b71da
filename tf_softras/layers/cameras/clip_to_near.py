"""Cutting at the near plane as a Keras layer."""

import keras
import numpy as np

from tf_softras._shared.array_text import array_to_text
from tf_softras._shared.faces import standardize_faces
from tf_softras.geometry.corner_mesh import clip_to_near
from tf_softras.layers._call_inputs import boolean, numbers
from tf_softras.layers._geometry_layer import GeometryLayer, same_batch


@keras.saving.register_keras_serializable(package="Softras")
class ClipToNear(GeometryLayer):
    """Returns meshes cut at the near plane; see `tf_softras.geometry.clip_to_near`.

    The result has faces of its own, the same for every mesh: give `layer.clipped_faces` to the
    layers that follow, and them a `near` less than this one.

    Args:
        faces: Int `[num_faces, 3]`, vertex indices; faces of three -1 are left out.
        near: Positive float: the depth of the plane.
        has_attributes: Whether the layer is called with `[vertices, attributes]`.

    Call arguments:
        inputs: Vertices, float `[batch, num_vertices, 3]` in camera space; with `has_attributes`
            vertices and attributes, float `[batch, num_vertices, channels]`.

    Returns:
        Float `[batch, 4 * num_faces, 3]`, camera space; with `has_attributes` a pair, the second
        being float `[batch, 4 * num_faces, channels]`. At least float32 under every policy.

    Raises:
        ValueError: An argument is not as above.

    Example:
    >>> triangle = np.float32([[[0.0, 0.0, 3.0], [1.0, 0.0, 3.0], [0.0, 0.0, -1.0]]])
    >>> clip = layers.ClipToNear([[0, 1, 2]], near=1.0)
    >>> np.asarray(clip(triangle))                            # two corners, two cuts
    array([[[0. , 0. , 3. ],
            [1. , 0. , 3. ],
            [0.5, 0. , 1. ],
            [0. , 0. , 1. ]]], dtype=float32)
    >>> clip.clipped_faces.tolist()
    [[0, 1, 2], [0, 2, 3]]
    """

    def __init__(self, faces, *, near, has_attributes=False, **kwargs):
        super().__init__(**kwargs)
        self.faces = standardize_faces(faces, is_padded=True)
        self.near = numbers("near", near, ())
        self.has_attributes = boolean("has_attributes", has_attributes)
        # Checks near now; the table of faces depends on nothing else.
        corner = np.zeros((0, max(self.faces.max(initial=0), 0) + 1, 3), np.float32)
        self.clipped_faces = clip_to_near(corner, self.faces, near=self.near).faces

    @property
    def input_names(self):
        """The names of the inputs, in their order."""
        return ("vertices", "attributes") if self.has_attributes else ("vertices",)

    def call(self, inputs):
        """Returns the meshes that are left; see the class."""
        given = self.split(inputs)
        if not self.has_attributes:
            return clip_to_near(given["vertices"], self.faces, near=self.near).vertices
        vertices, attributes = same_batch(given["vertices"], given["attributes"])
        clipped = clip_to_near(vertices, self.faces, attributes, near=self.near)
        return clipped.vertices, clipped.attributes

    def _output_shape(self, shapes, batch):
        pair = tuple((batch, 4 * len(self.faces), shapes[name][2]) for name in self.input_names)
        return pair if self.has_attributes else pair[0]

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {
            **super().get_config(),
            "faces": array_to_text(self.faces),
            "near": self.near,
            "has_attributes": self.has_attributes,
        }
