"""The look-at camera as a Keras layer."""

import keras
import numpy as np

from tf_softras.geometry._shapes import check_shapes_broadcast
from tf_softras.geometry.cameras import eye_from_angles, look_at, up_from_angles
from tf_softras.geometry.cameras._extrinsics import check_eye_is_apart
from tf_softras.layers._call_inputs import numbers
from tf_softras.layers._geometry_layer import GeometryLayer, geometry_dtype

# The cosine of elevations from where on a camera of angles goes by its azimuth, not by +y.
_NEAR_POLE = 1e-3


@keras.saving.register_keras_serializable(package="Softras")
class LookAt(GeometryLayer):
    """Returns camera coordinates of meshes: x right, y up, z the depth along the viewing direction.

    The camera is fixed (`eye`, or `distance`, `elevation` and `azimuth`), or an input: then the
    layer is called with vertices and eyes, `LookAt()([vertices, eyes])`. A batch of 1 beside a
    batch of n broadcasts: one mesh before many cameras, or many meshes before one.

    Args:
        distance: Float, world units from the origin.
        elevation: Float, degrees above the x-z plane.
        azimuth: Float, degrees from +x towards +z.
        eye: Three floats, world space, instead of the angles.
        at: Three floats, the point looked at.
        up: Three floats, the direction that is up in the picture; by default +y. Looking straight
            down or up, a camera of angles keeps its azimuth; one of an eye has no more to go by.

    Each of them may also be one an item: floats `[batch]` for angles and distance, `[batch, 3]` for
    the others.

    Call arguments:
        inputs: Vertices, float `[batch, num_vertices, 3]` in world space; for a layer without a
            fixed camera, a list of vertices and eyes, float `[batch, 3]` in world space. Or a dict
            of "vertices", "eyes" if the camera is not fixed, and perhaps "at" and "up", float
            `[batch, 3]`, which replace the constructor's.

    Returns:
        Float `[batch, num_vertices, 3]` in camera space, of at least float32 under every policy.

    Raises:
        ValueError: The camera is given twice, or in part; numbers that are not finite; an eye at
            the point looked at; inputs of another shape.

    Example:
    >>> mesh = 0.5 * geometry.icosphere(1).vertices[None]     # one mesh of 42 vertices
    >>> ring = layers.LookAt(distance=2.0, elevation=0.0, azimuth=[0.0, 90.0, 180.0])
    >>> seen = ring(mesh)                                     # from three cameras
    >>> tuple(seen.shape), round(float(np.mean(seen[..., 2])), 3)
    ((3, 42, 3), 2.0)
    """

    optional_names = ("at", "up")

    def __init__(
        self,
        *,
        distance=None,
        elevation=None,
        azimuth=None,
        eye=None,
        at=(0.0, 0.0, 0.0),
        up=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        angles = {"distance": distance, "elevation": elevation, "azimuth": azimuth}
        given = [name for name, value in angles.items() if value is not None]
        if given and (eye is not None or len(given) < 3):
            raise ValueError(
                "camera: expected distance, elevation and azimuth together, or eye, or none of "
                f"them; received {', '.join(given + ['eye'] * (eye is not None))}"
            )
        self.distance, self.elevation, self.azimuth = (
            None if value is None else numbers(name, value, (), is_batched=True)
            for name, value in angles.items()
        )
        self.eye = None if eye is None else numbers("eye", eye, (3,), is_batched=True)
        self.at = numbers("at", at, (3,), is_batched=True)
        self.up = None if up is None else numbers("up", up, (3,), is_batched=True)
        if self.eye is not None:
            check_eye_is_apart("eye", self.eyes(), np.asarray(self.at))
        elif self.distance is not None:
            check_shapes_broadcast({name: np.asarray(getattr(self, name)).shape for name in angles})
            name = "distance, elevation and azimuth"
            check_eye_is_apart(name, self.eyes(), np.asarray(self.at))

    @property
    def has_fixed_camera(self):
        """Whether the layer is called without eyes."""
        return self.eye is not None or self.distance is not None

    @property
    def input_names(self):
        """The names of the inputs, in their order."""
        return ("vertices",) if self.has_fixed_camera else ("vertices", "eyes")

    @property
    def input_shapes(self):
        """The shapes of the inputs."""
        # A fixed camera takes meshes of any leading dimensions.
        first = "..." if self.has_fixed_camera else "batch"
        vectors = dict.fromkeys(("eyes", "at", "up"), ("batch", 3))
        return {"vertices": (first, "num_vertices", 3), **vectors}

    @property
    def reason(self):
        """Why these are the inputs."""
        return f", as its camera is {'fixed' if self.has_fixed_camera else 'not fixed'}"

    def call(self, inputs):
        """Returns the meshes in camera space; see the class."""
        given = self.split(inputs)
        vertices = given["vertices"]
        eye, at, up = (
            keras.ops.cast(value, vertices.dtype)
            for value in (
                self.eyes(given.get("eyes")),
                given.get("at", self.at),
                given["up"] if "up" in given else self._up(),
            )
        )
        if "eyes" in given:
            check_eye_is_apart("eyes", eye, at)
        eye = eye + keras.ops.zeros_like(at) + keras.ops.zeros_like(up)
        return look_at(vertices, eye, at=at, up=up)

    def _up(self):
        """Returns the up vector: as given, or +y, or by the azimuth where +y is along the view."""
        if self.up is not None:
            return self.up
        plus_y = np.array([0.0, 1.0, 0.0], np.float32)
        if self.elevation is None:
            return plus_y
        at = np.asarray(self.at)
        is_centred = (at[..., 0] == 0.0) & (at[..., 2] == 0.0)
        is_pole = is_centred & (np.abs(np.cos(np.radians(self.elevation))) < _NEAR_POLE)
        if not is_pole.any():
            return plus_y
        by_azimuth = up_from_angles(self.elevation, self.azimuth)
        return keras.ops.where(is_pole[..., None], by_azimuth, plus_y)

    def eyes(self, eyes=None):
        """Returns where the camera stands in world space, float `[3]` or `[batch, 3]`."""
        if eyes is not None:
            return eyes
        if self.eye is not None:
            return keras.ops.convert_to_tensor(self.eye, geometry_dtype(self))
        return eye_from_angles(self.distance, self.elevation, self.azimuth)

    def fixed_shapes(self):
        """Returns the shapes of what the camera has one an item of."""
        fixed = {"at": np.shape(self.at), "up": () if self.up is None else np.shape(self.up)}
        if self.eye is not None:
            fixed["eye"] = np.shape(self.eye)
        else:
            angles = (self.distance, self.elevation, self.azimuth)
            shapes = (np.shape(angle) for angle in angles if angle is not None)
            fixed["eye"] = (*np.broadcast_shapes(*shapes), 3)
        return {name: shape for name, shape in fixed.items() if len(shape) == 2}

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {
            **super().get_config(),
            "distance": self.distance,
            "elevation": self.elevation,
            "azimuth": self.azimuth,
            "eye": self.eye,
            "at": self.at,
            "up": self.up,
        }
