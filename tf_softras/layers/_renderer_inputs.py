"""Meshes with materials and textures, as `Renderer` takes them."""

import numpy as np
import tensorflow as tf

from tf_softras.geometry.material import Material
from tf_softras.geometry.mesh import Mesh, check_mesh
from tf_softras.geometry.surfaces import corner_colors, decoded, encoded, filled_texture

# Texture coordinates leave [0, 1] if they do so by more than rounding.
_ROUNDING = 1e-4


def renderer_inputs(mesh, *, max_texture_size=1024, ignore_opacity=False):
    """Returns the arguments and inputs of a `Renderer` that draws a mesh with its surfaces.

    Base colours and the colours of faces and vertices become "colors", one for each corner of each
    face; they multiply the textures, as `tf_softras.geometry.surfaces` says. All textures become
    one array, which may be learned: those of other sizes are resampled to the largest one's.

    Apart from light, the picture differs from that of `rendering.render_views` in two ways: colours
    that change over a face are interpolated in linear light instead of as stored, and every face
    hides those behind it.

    Args:
        mesh: `Mesh`.
        max_texture_size: int: a longer side of a texture is shortened to so many texels.
        ignore_opacity: whether a mesh that is not opaque is drawn as if it were; else it is
            refused.

    Returns:
        (arguments, inputs). `arguments` is a dict of "faces" and, for a mesh with textures,
        "face_uvs", "face_textures" and "wrap". `inputs` is a dict of float32 arrays, sRGB in [0,
        1]: "vertices" `[1, num_vertices, 3]`, "colors" `[1, num_faces, 3, 3]` (of a mesh with
        nothing but vertex colours `[1, num_vertices, 3]`), "textures" `[1, num_textures, height,
        width, 3]`.

    Raises:
        TypeError: `mesh` is no `Mesh`.
        ValueError: the mesh is not opaque, or its textures need both "repeat" and "clamp".

    Example:
    >>> red = geometry.Material(color=(1.0, 0.0, 0.0))
    >>> picture = geometry.Material(texture=np.full((8, 8, 3), 204, np.uint8))
    >>> square = geometry.Mesh(
    ...     [[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]],
    ...     [[0, 1, 2], [0, 2, 3]],
    ...     materials=[red, picture],
    ...     face_materials=[0, 1],
    ...     uvs=[[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]]],
    ... )
    >>> arguments, inputs = layers.renderer_inputs(square)
    >>> renderer = layers.Renderer(**arguments, image_size=32, lighting=None)
    >>> seen = renderer({**inputs, "eyes": np.float32([[0.0, 0.0, 2.732]])})
    >>> image = np.float64(seen["image"][0]).round(2)
    >>> image[20, 20].tolist(), image[12, 12].tolist()  # below the diagonal, and above it
    ([1.0, 0.0, 0.0], [0.8, 0.8, 0.8])
    """
    check_mesh(mesh)
    corners = corner_colors(mesh)
    if not ignore_opacity:
        _check_opaque(mesh, corners)
    inputs = {"vertices": mesh.vertices[None], "colors": corners[None, ..., :3]}
    if mesh.vertex_colors is not None and not mesh.materials:
        inputs["colors"] = mesh.vertex_colors[None, :, :3]
    textured = [
        index
        for index in np.unique([] if mesh.face_materials is None else mesh.face_materials)
        if index >= 0 and mesh.materials[index].texture is not None
    ]
    if not textured:
        return {"faces": mesh.faces}, inputs
    number = np.full(len(mesh.materials) + 1, -1, np.int32)  # Material -1 is the last of them.
    number[textured] = np.arange(len(textured))
    arguments = {
        "faces": mesh.faces,
        "face_uvs": mesh.uvs,
        "face_textures": number[mesh.face_materials],
        "wrap": _common_wrap(mesh, textured),
    }
    textures = _of_one_size([mesh.materials[index] for index in textured], max_texture_size)
    return arguments, {**inputs, "textures": textures[None]}


def _check_opaque(mesh: Mesh, corners: np.ndarray) -> None:
    is_clear = (corners[..., 3] < 1.0).any(axis=1)
    for index, material in enumerate(mesh.materials):
        if not material.is_opaque:
            is_clear |= mesh.face_materials == index
    if is_clear.any():
        raise ValueError(
            "mesh: expected opaque surfaces, because Renderer draws nothing through a face; "
            f"received {is_clear.sum()} of {len(mesh.faces)} faces that are not. Draw it with "
            "rendering.render_views, or give ignore_opacity=True"
        )


def _common_wrap(mesh: Mesh, textured: list[int]) -> str:
    """Returns how textures go on beyond [0, 1]; a material that stays inside does not care."""
    wraps: dict[str, int] = {}
    for index in textured:
        uvs = mesh.uvs[mesh.face_materials == index]  # type: ignore[index]
        if uvs.min() < -_ROUNDING or uvs.max() > 1.0 + _ROUNDING:
            wraps.setdefault(mesh.materials[index].wrap, index)
    if len(wraps) > 1:
        names = ", ".join(f"{wrap!r} of material {index}" for wrap, index in wraps.items())
        raise ValueError(f"materials: expected one wrap beyond [0, 1]; received {names}")
    return next(iter(wraps), mesh.materials[textured[0]].wrap)


def _of_one_size(materials: list[Material], max_size: int) -> np.ndarray:
    """Returns the materials' textures, sRGB, float32 `[num_textures, height, width, 3]`."""
    given = [material.texture for material in materials if material.texture is not None]
    textures = [filled_texture(texture)[..., :3] for texture in given]
    height = min(max(texture.shape[0] for texture in textures), max_size)
    width = min(max(texture.shape[1] for texture in textures), max_size)
    return np.stack([_resized(texture, height, width) for texture in textures])


def _resized(texture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Returns sRGB float32 `[height, width, 3]`, resampled in linear light."""
    values = texture.astype(np.float32) / 255.0
    if values.shape[:2] == (height, width):
        return values
    linear = tf.image.resize(decoded(values), (height, width), antialias=True)
    return encoded(linear.numpy()).clip(0.0, 1.0)
