"""Cameras, and the conventions that hold everywhere in the package.

World
    Right-handed, +y up: the frame of ShapeNet's OBJ files, of OBJ and of glTF. Objects have their
    bounding box's centre at the origin and its longest side 1.
Camera
    ``look_at``: forward = at - eye, right = forward x up. Camera coordinates are x right, y up and
    z = depth along forward, positive in front of the camera.
    ``world_to_camera`` and ``convert_extrinsics`` know the frames of others by name: "opencv" (x
    right, y down, z forward) and "opengl" (x right, y up, z backward); this one is "softras".
Image plane
    ``perspective``: x' = x / (z tan(angle)) with the HALF angle of view; depth stays in z. The
    shorter image side spans [-1, 1], pixels are square. Row 0 is the top: in an image of H x W
    pixels whose shorter side is S the centre of pixel (row r, column c) is x = (2c + 1 - W) / S,
    y = (H - 1 - 2r) / S. ``pinhole`` (an intrinsic matrix) and ``orthographic`` land there too.
Views
    eye = d (cos e cos t, sin e, cos e sin t) for distance d, elevation e and azimuth t in degrees.
    The N3MR renders use d = 2.732, e = 30 and t = 15 i for view i = 0..23.

The functions take NumPy arrays as well as (symbolic) tensors and return tensors.
"""

from tf_softras.geometry.cameras._conventions import (
    CAMERA_AXES,
    N3MR_DISTANCE,
    N3MR_ELEVATION,
    N3MR_NUM_VIEWS,
    N3MR_VIEWING_ANGLE,
)
from tf_softras.geometry.cameras._extrinsics import (
    convert_extrinsics,
    look_at,
    look_at_extrinsics,
    world_to_camera,
)
from tf_softras.geometry.cameras._intrinsics import intrinsic_matrix, intrinsics_from_projection
from tf_softras.geometry.cameras._projections import orthographic, perspective, pinhole
from tf_softras.geometry.cameras._rotations import rotation_from_quaternion
from tf_softras.geometry.cameras._views import eye_from_angles, n3mr_views, up_from_angles

__all__ = [
    "CAMERA_AXES",
    "N3MR_DISTANCE",
    "N3MR_ELEVATION",
    "N3MR_NUM_VIEWS",
    "N3MR_VIEWING_ANGLE",
    "convert_extrinsics",
    "eye_from_angles",
    "intrinsic_matrix",
    "intrinsics_from_projection",
    "look_at",
    "look_at_extrinsics",
    "n3mr_views",
    "orthographic",
    "perspective",
    "pinhole",
    "rotation_from_quaternion",
    "up_from_angles",
    "world_to_camera",
]
