"""The nearest face of a mesh at each pixel: a hard, exact rasteriser for pictures."""

import tensorflow as tf

from tf_softras.geometry._image_size import standardize_image_size
from tf_softras.ops._arguments import faces_tensor, number, vertices_tensor
from tf_softras.ops._interpolation import validate_interpolation
from tf_softras.ops._library import library

tf.no_gradient("Softras>RasterizeFaces")


def rasterize_faces(vertices, faces, *, image_size, near=0.0, interpolation="perspective"):
    """Returns the nearest face at each pixel centre, and the depth there.

    A face covers a pixel if the pixel's centre is inside it or on its boundary, seen from either
    side; faces that share an edge leave no gap between them. Depth is interpolated with
    perspective (1/z is linear on the image plane), or linearly for parallel projection. If two
    faces have equal depth, the one with the lower index is kept. Faces without area, and faces with
    a vertex at z <= `near`, are left out: cut them before with `clip_to_near`.

    The result is the same for any number of threads. There is no gradient: for learning, use
    `soft_rasterize`.

    Args:
        vertices: float32 or float64 `[batch, num_vertices, 3]`: x and y on the image plane, whose
            shorter side spans [-1, 1], and the camera's depth in z (as `perspective` gives them).
        faces: int32 `[num_faces, 3]`, indices into the vertices.
        image_size: an int for a square image, or (height, width), in pixels.
        near: depth, not negative; a face must be beyond it as a whole.
        interpolation: "perspective", or "linear" for what `orthographic` projects.

    Returns:
        face_index: int32 `[batch, height, width]`, row 0 at the top; -1 where no face is.
        depth: `[batch, height, width]` of the vertices' type; 0 where no face is.

    Raises:
        ValueError: `image_size` or `interpolation` is not one of the above, `vertices` are not
            float32 or float64, or `faces` hold no integers.
        tf.errors.InvalidArgumentError: a face index out of range, a wrong shape, coordinates that
            are not finite, or a negative `near`.
    """
    height, width = standardize_image_size(image_size)
    validate_interpolation(interpolation)
    face_index, depth = library().softras_rasterize_faces(
        vertices=vertices_tensor(vertices),
        faces=faces_tensor(faces),
        height=height,
        width=width,
        near=number("near", near),
        interpolation=interpolation,
    )
    return face_index, depth
