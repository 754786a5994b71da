"""Pictures of one object with known cameras: NeRF's and Blender's, COLMAP's or the package's own.

Every reader gives `PosedViews`: world to camera in OpenCV's frame, intrinsics in pixels with the
picture's corner at (0, 0) (the middle of the top left pixel is 0.5), pictures with an alpha channel
that shows the object.
"""

from tf_softras.datasets.posed_views._load import load_posed_views
from tf_softras.datasets.posed_views._rendered import (
    angles_around,
    eyes_around,
    rendered_views,
    views_from_eyes,
)
from tf_softras.datasets.posed_views._transforms import save_posed_views
from tf_softras.datasets.posed_views._views import PosedView, PosedViews, PosedViewsError

__all__ = [
    "PosedView",
    "PosedViews",
    "PosedViewsError",
    "angles_around",
    "eyes_around",
    "load_posed_views",
    "rendered_views",
    "save_posed_views",
    "views_from_eyes",
]
