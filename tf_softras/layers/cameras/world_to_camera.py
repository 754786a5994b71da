"""The camera of given extrinsics as a Keras layer."""

import keras
import numpy as np

from tf_softras.geometry.cameras import convert_extrinsics, world_to_camera
from tf_softras.layers._call_inputs import floats, split_inputs
from tf_softras.layers._geometry_dtype import geometry_dtype


@keras.saving.register_keras_serializable(package="Softras")
class WorldToCamera(keras.layers.Layer):
    """Camera coordinates of meshes, for cameras of given rotation and translation.

    Formula: ``rotation @ vertex + translation``, then from the convention's axes to ours.

    The camera is fixed (`rotation` and `translation`), or one per mesh: then the layer is called
    with `[vertices, rotations, translations]`.

    Args:
        rotation: None, or floats `[3, 3]`: from the world to the camera's frame.
        translation: None, or three floats: the world's origin in the camera's frame.
        convention: the frame that they lead to: "opencv" (x right, y down, z forward), "opengl" (x
            right, y up, z backward) or "softras" (x right, y up, z forward).

    Call arguments:
        inputs: vertices, float `[batch, num_vertices, 3]` in world space; or, for a layer without a
            fixed camera, vertices, rotations `[batch, 3, 3]` and translations `[batch, 3]`.

    Returns:
        float `[batch, num_vertices, 3]` in camera space (x right, y up, z depth along the viewing
        direction), of at least float32 under every policy.

    Raises:
        ValueError: an argument is not as above, or one of rotation and translation is missing.
    """

    def __init__(self, *, rotation=None, translation=None, convention="opencv", **kwargs):
        super().__init__(**kwargs)
        if (rotation is None) != (translation is None):
            raise ValueError(
                "Invalid camera. Expected rotation and translation together, or neither. "
                f"Received: {'translation' if rotation is None else 'rotation'} alone"
            )
        self.rotation = self.translation = None
        if rotation is not None:
            rows = np.reshape(floats("rotation", np.ravel(rotation), 9), (3, 3))
            self.rotation, self.translation = rows.tolist(), floats("translation", translation, 3)
        self.convention = convention
        # Checks the name now, not at the first call.
        convert_extrinsics(np.eye(3), np.zeros(3), source=convention, target="softras")
        self.autocast = False
        self.built = True

    @property
    def input_names(self):
        """What the layer is called with."""
        return ("vertices",) if self.rotation else ("vertices", "rotations", "translations")

    def call(self, inputs):
        """Transforms a batch of meshes; see the class."""
        vertices, *extrinsics = self._split(inputs)
        dtype = geometry_dtype(self)
        rotation, translation = extrinsics or (self.rotation, self.translation)
        return world_to_camera(
            keras.ops.cast(vertices, dtype),
            keras.ops.cast(rotation, dtype),
            keras.ops.cast(translation, dtype),
            convention=self.convention,
        )

    def eyes(self, rotations=None, translations=None):
        """Where the cameras stand, world space: float `[3]` or `[batch, 3]`."""
        if rotations is None:
            rotations, translations = self.rotation, self.translation
        dtype = geometry_dtype(self)
        rotations, translations = (
            keras.ops.cast(value, dtype) for value in (rotations, translations)
        )
        # The point that rotation and translation send to 0; a rotation's inverse is its transpose.
        return -keras.ops.sum(rotations * translations[..., :, None], axis=-2)

    def compute_output_spec(self, inputs):
        """The symbolic camera coordinates."""
        return keras.KerasTensor(self._split(inputs)[0].shape, geometry_dtype(self))

    def get_config(self):
        """The arguments."""
        return {
            **super().get_config(),
            "rotation": self.rotation,
            "translation": self.translation,
            "convention": self.convention,
        }

    def _split(self, inputs):
        return split_inputs(self, inputs, self.input_names)
