"""The camera of given extrinsics as a Keras layer."""

import keras
import numpy as np

from tf_softras.geometry.cameras import convert_extrinsics, world_to_camera
from tf_softras.layers._call_inputs import numbers
from tf_softras.layers._geometry_layer import GeometryLayer, geometry_dtype


@keras.saving.register_keras_serializable(package="Softras")
class WorldToCamera(GeometryLayer):
    """Returns camera coordinates of meshes, for cameras of given rotation and translation.

    Formula: ``rotation @ vertex + translation``, then from the convention's axes to ours.

    The camera is fixed (`rotation` and `translation`), or an input: then the layer is called with
    `[vertices, rotations, translations]`. A batch of 1 beside a batch of n broadcasts.

    Args:
        rotation: None, or floats `[3, 3]`, or `[batch, 3, 3]` for one an item: from the world to
            the camera's frame.
        translation: None, or floats `[3]` or `[batch, 3]`: the world's origin in the camera's
            frame.
        convention: The frame that they lead to: "opencv" (x right, y down, z forward), "opengl" (x
            right, y up, z backward) or "softras" (x right, y up, z forward).

    Call arguments:
        inputs: Vertices, float `[batch, num_vertices, 3]` in world space; or, for a layer without a
            fixed camera, vertices, rotations `[batch, 3, 3]` and translations `[batch, 3]`.

    Returns:
        Float `[batch, num_vertices, 3]` in camera space (x right, y up, z depth along the viewing
        direction), of at least float32 under every policy.

    Raises:
        ValueError: An argument or an input is not as above, or one of rotation and translation is
            missing.

    Example:
    >>> camera = layers.WorldToCamera(rotation=np.eye(3), translation=[0.0, 0.0, 3.0])
    >>> np.asarray(camera(np.float32([[[1.0, 2.0, 0.0]]])))   # OpenCV's y points down, ours up
    array([[[ 1., -2.,  3.]]], dtype=float32)
    """

    def __init__(self, *, rotation=None, translation=None, convention="opencv", **kwargs):
        super().__init__(**kwargs)
        if (rotation is None) != (translation is None):
            raise ValueError(
                "camera: expected rotation and translation together, or neither; received "
                f"{'translation' if rotation is None else 'rotation'} alone"
            )
        self.rotation = self.translation = None
        if rotation is not None:
            self.rotation = numbers("rotation", rotation, (3, 3), is_batched=True)
            self.translation = numbers("translation", translation, (3,), is_batched=True)
        self.convention = convention
        # Checks the name now, not at the first call.
        convert_extrinsics(np.eye(3), np.zeros(3), source=convention, target="softras")

    @property
    def input_names(self):
        """The names of the inputs, in their order."""
        return ("vertices",) if self.rotation else ("vertices", "rotations", "translations")

    @property
    def input_shapes(self):
        """The shapes of the inputs."""
        # A fixed camera takes meshes of any leading dimensions.
        first = "..." if self.rotation else "batch"
        return {
            "vertices": (first, "num_vertices", 3),
            "rotations": ("batch", 3, 3),
            "translations": ("batch", 3),
        }

    def call(self, inputs):
        """Returns the meshes in camera space; see the class."""
        given = self.split(inputs)
        vertices = given["vertices"]
        rotation, translation = (
            keras.ops.cast(given.get(f"{name}s", getattr(self, name)), vertices.dtype)
            for name in ("rotation", "translation")
        )
        return world_to_camera(vertices, rotation, translation, convention=self.convention)

    def eyes(self, rotations=None, translations=None):
        """Returns where the cameras stand in world space, float `[3]` or `[batch, 3]`."""
        if rotations is None:
            rotations, translations = self.rotation, self.translation
        dtype = geometry_dtype(self)
        rotations, translations = (
            keras.ops.cast(value, dtype) for value in (rotations, translations)
        )
        # The point that rotation and translation send to 0; a rotation's inverse is its transpose.
        return -keras.ops.sum(rotations * translations[..., :, None], axis=-2)

    def fixed_shapes(self):
        """Returns the shapes of rotations and translations that are one an item."""
        if self.rotation is None or self.translation is None:
            return {}
        shapes = {"rotation": np.shape(self.rotation), "translation": np.shape(self.translation)}
        ranks = {"rotation": 3, "translation": 2}
        return {name: shape for name, shape in shapes.items() if len(shape) == ranks[name]}

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {
            **super().get_config(),
            "rotation": self.rotation,
            "translation": self.translation,
            "convention": self.convention,
        }
