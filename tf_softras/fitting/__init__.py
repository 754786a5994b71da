"""Fits to pictures: a mesh, a pose, a texture, a light, or the code that a network decodes.

All by gradients through the op.

Pictures are sRGB in [0, 1] as files hold them; masks are silhouettes in [0, 1]. `project` is any
camera: a function from world-space vertices `[batch, num_vertices, 3]` to the image plane
`[views, num_vertices, 3]`, such as ``lambda v: perspective(look_at(v, eyes))``.
"""

from tf_softras.fitting._remeshing import remesh
from tf_softras.fitting._showing import ViewComparison, compared_views, fit_film, upright
from tf_softras.fitting.code import FittedCodes, fit_codes
from tf_softras.fitting.light import FittedLight, fit_light
from tf_softras.fitting.mesh import FittedMesh, fit_mesh
from tf_softras.fitting.pose import FittedPose, fit_pose
from tf_softras.fitting.texture import FittedTexture, fit_texture
from tf_softras.fitting.views import FitError, FitState, FittedViews, fit_views

__all__ = [
    "FitError",
    "FitState",
    "FittedCodes",
    "FittedLight",
    "FittedMesh",
    "FittedPose",
    "FittedTexture",
    "FittedViews",
    "ViewComparison",
    "compared_views",
    "fit_codes",
    "fit_film",
    "fit_light",
    "fit_mesh",
    "fit_pose",
    "fit_texture",
    "fit_views",
    "remesh",
    "upright",
]
