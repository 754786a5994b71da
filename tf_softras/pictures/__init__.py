"""Pictures: files in and out, an object cut out, and framed as the training renders frame it.

`read_picture` and `frame_object` run the same TensorFlow functions as an exported network's graph,
so the command line, the page and a model server see the same pictures.
"""

from tf_softras.pictures._checks import PictureError
from tf_softras.pictures._cut_out import OPAQUE
from tf_softras.pictures._files import read_picture, write_picture
from tf_softras.pictures._framing import OBJECT_SHARE, frame_object

__all__ = [
    "OBJECT_SHARE",
    "OPAQUE",
    "PictureError",
    "frame_object",
    "read_picture",
    "write_picture",
]
