"""Cameras as Keras layers: from world space to the image plane."""

from tf_softras.layers.cameras.clip_to_near import ClipToNear
from tf_softras.layers.cameras.look_at import LookAt
from tf_softras.layers.cameras.orthographic import Orthographic
from tf_softras.layers.cameras.perspective import Perspective
from tf_softras.layers.cameras.pinhole import Pinhole
from tf_softras.layers.cameras.world_to_camera import WorldToCamera

__all__ = ["ClipToNear", "LookAt", "Orthographic", "Perspective", "Pinhole", "WorldToCamera"]
