"""Meshes as the shader takes them: corners on the image plane that carry their attributes."""

from typing import Any, NamedTuple

import keras
import numpy as np

from tf_softras.geometry.colors import DEFAULT_COLOR
from tf_softras.geometry.corner_mesh import CornerMesh, clip_to_near, face_corners
from tf_softras.geometry.normals import corner_normals
from tf_softras.shading.mipmaps import footprint_attributes


class Scene(NamedTuple):
    """A batch of meshes with a vertex for each corner of each face.

    Attributes:
        vertices: float `[batch, num_corners, 3]`, camera space or image plane.
        faces: int32 `[num_faces, 3]`, the same for every item.
        attributes: dict of float `[batch, num_corners, channels]`. "share" is 1 at each corner, so
            its picture is the share of the surface in a blend with the background.
    """

    vertices: Any
    faces: np.ndarray
    attributes: dict[str, Any]


def seen_scene(vertices, faces, seen, colors=None) -> Scene:
    """Returns the scene in camera space, three corners a face.

    Args:
        vertices: float `[batch, num_vertices, 3]`, world space.
        faces: int `[num_faces, 3]`, or `[batch, num_faces, 3]` padded with faces of -1.
        seen: float `[batch, num_vertices, 3]`, the same vertices in camera space.
        colors: None, or linear colours, float `[batch, num_vertices, 3]` or, one for each corner of
            each face, `[batch, num_faces, 3, 3]`.
    """
    of_vertices = {
        "positions": vertices,
        "share": keras.ops.ones_like(vertices[..., :1]),
        "depth": seen[..., 2:],
    }
    if colors is not None and len(colors.shape) == 3:
        of_vertices["colors"] = colors
    corners = face_corners(seen, faces, packed(of_vertices))
    attributes = unpacked(corners.attributes, of_vertices)
    # A vertex may have another normal in each of its faces.
    attributes["normals"] = corner_normals(vertices, faces)
    if colors is not None and len(colors.shape) == 4:
        num_corners = corners.vertices.shape[1]
        attributes["colors"] = keras.ops.reshape(colors, (-1, num_corners, 3))
    return Scene(corners.vertices, corners.faces, attributes)


def grey_colors(vertices):
    """Returns sRGB colours of vertices that have none, float `[batch, num_vertices, 3]`."""
    grey = keras.ops.convert_to_tensor(DEFAULT_COLOR, vertices.dtype)
    return grey + keras.ops.zeros_like(vertices)


def corner_values(scene: Scene, values):
    """Returns float `[batch, num_corners, channels]`: the same `[num_faces, 3, channels]` an item.

    Args:
        scene: in camera space.
        values: NumPy array.
    """
    values = values.reshape(1, -1, values.shape[-1])
    values = keras.ops.convert_to_tensor(values, scene.vertices.dtype)
    return values + keras.ops.zeros_like(scene.attributes["share"])


def clipped_scene(scene: Scene, near: float) -> Scene:
    """Returns a scene of camera space cut at the near plane: four corners a face."""
    corners: CornerMesh = clip_to_near(
        scene.vertices, scene.faces, packed(scene.attributes), near=near
    )
    attributes = unpacked(corners.attributes, scene.attributes)
    return Scene(corners.vertices, corners.faces, attributes)


def footprints(scene: Scene, interpolation):
    """Returns float `[batch, num_corners, 6]`: `footprint_attributes` of a clipped scene.

    Args:
        scene: on the image plane, four corners a face, with the attribute "uv".
        interpolation: "perspective" or "linear": what the shader does between corners.
    """
    plane = scene.vertices
    if interpolation != "perspective":
        # Parallel projection divides by no depth: 1 stands for all that are in front.
        depth = plane[..., 2:]
        depth = keras.ops.where(depth > 0.0, keras.ops.ones_like(depth), depth)
        plane = keras.ops.concatenate([plane[..., :2], depth], axis=-1)
    batch, num_corners = keras.ops.shape(plane)[0], plane.shape[1]
    slopes = footprint_attributes(
        keras.ops.reshape(plane, (batch, num_corners // 4, 4, 3)),
        keras.ops.reshape(scene.attributes["uv"], (batch, num_corners // 4, 4, 2)),
    )
    return keras.ops.reshape(slopes, (batch, num_corners, 6))


def packed(attributes):
    """Returns attributes beside one another in one tensor."""
    return keras.ops.concatenate([*attributes.values()], axis=-1)


def unpacked(tensor, attributes):
    """Returns the attributes of one tensor by name; `attributes` gives names and channels."""
    widths = [value.shape[-1] for value in attributes.values()]
    starts = np.cumsum(widths)[:-1].tolist()
    # TensorFlow does not split a tensor into one part.
    parts = keras.ops.split(tensor, starts, axis=-1) if starts else [tensor]
    return dict(zip(attributes, parts, strict=True))
