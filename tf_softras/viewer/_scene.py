"""A mesh as the arrays that the viewer's script uploads to the graphics card."""

import base64

import numpy as np

from tf_softras.geometry import Mesh
from tf_softras.geometry.cameras import N3MR_DISTANCE, N3MR_VIEWING_ANGLE
from tf_softras.geometry.surfaces import corner_colors, filled_texture
from tf_softras.viewer._png import png_bytes


def scene_of(mesh: Mesh) -> dict:
    """Returns what `MeshViewer.show` takes: the mesh, its box centred, the longest side 1.

    The arrays are those that `rendering.render_views` draws, in the order in which they are drawn:
    opaque faces first, one group for each texture. Corners are joined where nothing divides them.

    Returns:
        JSON: "distance", of the camera that sees the whole mesh from anywhere; "positions", float32
        `[n, 3]`; "colors", uint8 `[n, 4]`, sRGB and opacity; "uvs", float32 `[n, 2]`, v up, or
        null; "indices", uint32 `[num_faces, 3]`, each array in base64, little-endian; "groups",
        each with "first" and "count" faces, "texture", a number or null, "cutoff", a number or
        null, and "clear"; "textures", each with "picture", a PNG in base64, and "wrap".

    Raises:
        ValueError: The mesh has no faces, or no extent.
    """
    mesh = mesh.normalized()
    colors = np.rint(255.0 * corner_colors(mesh)).astype(np.uint8)
    group_of, groups, textures = _groups(mesh, colors)
    order = np.argsort(group_of, kind="stable")
    counts = np.bincount(group_of, minlength=len(groups))
    for group, first, count in zip(groups, np.cumsum(counts) - counts, counts, strict=True):
        group |= {"first": int(first), "count": int(count)}
    faces, colors = mesh.faces[order], colors[order]
    uvs = mesh.uvs[order] if textures and mesh.uvs is not None else None
    if uvs is None and mesh.face_colors is None and len(mesh.materials) < 2:
        positions, indices = mesh.vertices, faces
        vertex_colors = np.zeros((len(positions), 4), np.uint8)
        vertex_colors[faces] = colors
    else:
        positions = mesh.vertices[faces].reshape(-1, 3)
        indices = np.arange(3 * len(faces)).reshape(-1, 3)
        vertex_colors = colors.reshape(-1, 4)
    radius = float(np.linalg.norm(mesh.vertices[np.unique(mesh.faces)], axis=1).max())
    return {
        "distance": max(N3MR_DISTANCE, radius / np.sin(np.radians(N3MR_VIEWING_ANGLE))),
        "positions": _encoded(positions, "<f4"),
        "colors": _encoded(vertex_colors, "u1"),
        "uvs": None if uvs is None else _encoded(uvs, "<f4"),
        "indices": _encoded(indices, "<u4"),
        "groups": groups,
        "textures": textures,
    }


def _groups(mesh: Mesh, colors: np.ndarray) -> tuple[np.ndarray, list[dict], list[dict]]:
    """Returns the group of each face, the groups in the order of drawing, and the textures."""
    is_clear: np.ndarray = np.asarray(colors[..., 3].min(axis=1) < 255)
    texture_of = np.full(len(mesh.faces), -1)
    cutoff_of = np.full(len(mesh.faces), -1.0)
    textures: list[dict] = []
    material_of = (
        np.full(len(mesh.faces), -1) if mesh.face_materials is None else mesh.face_materials
    )
    for index, material in enumerate(mesh.materials):
        chosen: np.ndarray = material_of == index
        if not chosen.any():
            continue
        if material.alpha_cutoff is not None:
            # A point of a cut-out is there or not: no order is needed.
            cutoff_of[chosen], is_clear[chosen] = material.alpha_cutoff, False
        elif not material.is_opaque:
            is_clear[chosen] = True
        if material.texture is not None:
            texture_of[chosen] = len(textures)
            picture = base64.b64encode(png_bytes(filled_texture(material.texture))).decode()
            textures.append({"picture": picture, "wrap": material.wrap})
    keys = np.column_stack([is_clear, texture_of, cutoff_of])
    rows, group_of = np.unique(keys, axis=0, return_inverse=True)
    groups = [
        {
            "clear": bool(clear),
            "texture": int(texture) if texture >= 0 else None,
            "cutoff": float(cutoff) if cutoff >= 0 else None,
        }
        for clear, texture, cutoff in rows
    ]
    return group_of.reshape(-1), groups, textures


def _encoded(array: np.ndarray, dtype: str) -> str:
    return base64.b64encode(np.ascontiguousarray(array).astype(dtype).tobytes()).decode()
