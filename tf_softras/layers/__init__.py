"""Keras layers: cameras, surfaces, the soft rasteriser and the soft shader."""

from tf_softras.layers._renderer_inputs import renderer_inputs
from tf_softras.layers.cameras.clip_to_near import ClipToNear
from tf_softras.layers.cameras.look_at import LookAt
from tf_softras.layers.cameras.orthographic import Orthographic
from tf_softras.layers.cameras.perspective import Perspective
from tf_softras.layers.cameras.pinhole import Pinhole
from tf_softras.layers.cameras.world_to_camera import WorldToCamera
from tf_softras.layers.lambert_lighting import LambertLighting
from tf_softras.layers.project_voxels import ProjectVoxels
from tf_softras.layers.renderer import Renderer
from tf_softras.layers.soft_rasterize import SoftRasterize
from tf_softras.layers.soft_shade import SoftShade
from tf_softras.layers.uv_texture import UVTexture
from tf_softras.layers.vertex_normals import VertexNormals

__all__ = [
    "ClipToNear",
    "LambertLighting",
    "LookAt",
    "Orthographic",
    "Perspective",
    "Pinhole",
    "ProjectVoxels",
    "Renderer",
    "SoftRasterize",
    "SoftShade",
    "UVTexture",
    "VertexNormals",
    "WorldToCamera",
    "renderer_inputs",
]
