"""Writes a mesh as OBJ, with its materials (MTL) and their textures (PNG) beside it."""

import io
import pathlib

import numpy as np
import PIL.Image

from tf_softras.geometry.material import Material
from tf_softras.geometry.mesh import Mesh
from tf_softras.geometry.surfaces import corner_colors

# Rows of text that are made at a time.
_ROWS_AT_ONCE = 1 << 16


def encode_obj(path: pathlib.Path, mesh: Mesh) -> dict[str, bytes]:
    """Returns the files of an OBJ by name, in the order in which they must appear.

    See `save_mesh`. Source: the OBJ and MTL formats as of Wavefront's Advanced Visualizer, with
    vertex colours behind coordinates as MeshLab writes them.
    """
    materials, chosen = _materials(mesh)
    library = path.with_suffix(".mtl").name
    parts = [f"mtllib {library}\n"] if materials else []
    parts += _vertex_lines(mesh)
    if mesh.uvs is not None and any(one.texture is not None for one in materials):
        uvs, corner_uvs = np.unique(mesh.uvs.reshape(-1, 2), axis=0, return_inverse=True)
        parts += _lines("vt", uvs)
        corners = np.stack([mesh.faces + 1, corner_uvs.reshape(-1, 3) + 1], axis=-1)
        pattern = "f %d/%d %d/%d %d/%d\n"
        rows = corners.reshape(-1, 6)
    else:
        pattern, rows = "f %d %d %d\n", mesh.faces + 1
    if not materials:
        parts += _formatted(pattern, rows)
        return {path.name: "".join(parts).encode()}
    starts = np.flatnonzero(np.concatenate([[True], chosen[1:] != chosen[:-1]]))
    names = _names(materials)
    for start, end in zip(starts, [*starts[1:], len(chosen)], strict=True):
        parts.append(f"usemtl {names[chosen[start]]}\n")
        parts += _formatted(pattern, rows[start:end])
    textures = {
        index: (f"{path.stem}_{index}.png", _png(material.texture))
        for index, material in enumerate(materials)
        if material.texture is not None
    }
    described = "".join(
        _described(material, name, textures.get(index, (None,))[0])
        for index, (material, name) in enumerate(zip(materials, names, strict=True))
    )
    return {
        **dict(textures.values()),
        library: described.encode(),
        path.name: "".join(parts).encode(),
    }


def _materials(mesh: Mesh) -> tuple[list[Material], np.ndarray]:
    """Returns the materials to write and the index of each face's.

    OBJ has no colours of faces: each distinct one becomes a material of its own.
    """
    if mesh.face_colors is None:
        if mesh.face_materials is None:
            return [], np.zeros(len(mesh.faces), np.int64)
        chosen = mesh.face_materials
        if (chosen < 0).any():
            without = Material(
                color=(1.0, 1.0, 1.0) if mesh.vertex_colors is not None else (0.7,) * 3
            )
            return [*mesh.materials, without], np.where(chosen < 0, len(mesh.materials), chosen)
        return list(mesh.materials), chosen
    own = corner_colors(mesh)[:, 0].astype(np.float64)
    kind = np.zeros(len(mesh.faces)) if mesh.face_materials is None else mesh.face_materials
    rows, chosen = np.unique(np.column_stack([kind, own]), axis=0, return_inverse=True)
    materials = []
    for index, (number, *color, opacity) in enumerate(rows.tolist()):
        base = (
            Material() if mesh.face_materials is None or number < 0 else mesh.materials[int(number)]
        )
        materials.append(
            Material(
                color=tuple(color),
                texture=base.texture,
                opacity=opacity,
                alpha_cutoff=base.alpha_cutoff,
                wrap=base.wrap,
                name=f"color_{index}",
            )
        )
    return materials, chosen.reshape(-1)


def _names(materials: list[Material]) -> list[str]:
    """Returns a name for each material: its own, made plain and unlike the others'."""
    names: list[str] = []
    for index, material in enumerate(materials):
        plain = "_".join("".join(c if c.isprintable() else " " for c in material.name).split())
        plain = plain or f"material_{index}"
        names.append(plain if plain not in names else f"{plain}_{index}")
    return names


def _described(material: Material, name: str, texture: str | None) -> str:
    # str() of a float32 has the digits that give the same float32 when read.
    lines = [f"newmtl {name}", "Kd " + " ".join(str(np.float32(value)) for value in material.color)]
    if material.opacity < 1.0:
        lines.append(f"d {np.float32(material.opacity)}")
    if texture is not None:
        clamp = "-clamp on " if material.wrap == "clamp" else ""
        lines.append(f"map_Kd {clamp}{texture}")
    return "\n".join(lines) + "\n"


def _png(texture: np.ndarray) -> bytes:
    stream = io.BytesIO()
    PIL.Image.fromarray(texture).save(stream, format="PNG")
    return stream.getvalue()


def _vertex_lines(mesh: Mesh) -> list[str]:
    vertices = mesh.vertices
    if mesh.vertex_colors is None:
        return _lines("v", vertices)
    # OBJ defines no colour space for vertex colours; we write sRGB.
    return _lines("v", np.concatenate([vertices, mesh.vertex_colors[:, :3]], axis=1))


def _lines(keyword: str, rows: np.ndarray) -> list[str]:
    return _formatted(keyword + " %.9g" * rows.shape[1] + "\n", rows)


def _formatted(pattern: str, rows: np.ndarray) -> list[str]:
    """Returns `pattern % row` for all rows, in a few long strings."""
    return [
        (pattern * len(part)) % tuple(part.reshape(-1).tolist())
        for part in (
            rows[start : start + _ROWS_AT_ONCE] for start in range(0, len(rows), _ROWS_AT_ONCE)
        )
    ]
