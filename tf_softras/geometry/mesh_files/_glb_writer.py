"""Writes a mesh as binary glTF 2: one mesh, a primitive for each material, pictures inside."""

import io
import json
import struct

import numpy as np
import PIL.Image

from tf_softras.geometry.colors import DEFAULT_COLOR
from tf_softras.geometry.material import Material
from tf_softras.geometry.mesh import Mesh
from tf_softras.geometry.surfaces import decoded, filled_texture

_FLOAT, _UNSIGNED_BYTE, _UNSIGNED_INT = 5126, 5121, 5125
_ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 34962, 34963
_LINEAR, _LINEAR_MIPMAP_LINEAR = 9729, 9987
_WRAPS = {"repeat": 10497, "clamp": 33071}


def encode_glb(mesh: Mesh) -> bytes:
    """Returns the mesh as the bytes of a .glb file; see `save_mesh`.

    Source: glTF 2.0 specification (ISO/IEC 12113), sections 3.7, 3.9 and 4.4.
    """
    return _GlbFile(mesh).content()


class _GlbFile:
    """The JSON tree and the binary chunk, while they grow."""

    def __init__(self, mesh: Mesh):
        self._binary = bytearray()
        self._tree: dict = {
            "asset": {"version": "2.0", "generator": "tf_softras"},
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0}],
            "meshes": [{"primitives": []}],
            "materials": [],
            "accessors": [],
            "bufferViews": [],
        }
        has_opacity = _has_opacity(mesh)
        for index, chosen in _parts(mesh):
            material = mesh.materials[index] if index >= 0 else _material_of_none(mesh)
            self._add_primitive(mesh, chosen, material)
            self._add_material(material, has_opacity)

    def content(self) -> bytes:
        """Returns the whole file."""
        self._tree["buffers"] = [{"byteLength": len(self._binary)}]
        text = json.dumps(self._tree, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        total = 12 + 8 + len(text) + 8 + len(self._binary)
        return b"".join(
            (
                struct.pack("<4sIII4s", b"glTF", 2, total, len(text), b"JSON"),
                text,
                struct.pack("<I4s", len(self._binary), b"BIN\0"),
                bytes(self._binary),
            )
        )

    def _add_primitive(self, mesh: Mesh, chosen, material: Material):
        vertices, indices, uvs, colors = _indexed(mesh, chosen, material)
        attributes = {
            "POSITION": self._add_accessor(
                vertices, _FLOAT, "VEC3", min=_bound(vertices, "min"), max=_bound(vertices, "max")
            )
        }
        if uvs is not None:
            # glTF's v goes down.
            flipped = np.stack([uvs[:, 0], 1.0 - uvs[:, 1]], axis=-1).astype(np.float32)
            attributes["TEXCOORD_0"] = self._add_accessor(flipped, _FLOAT, "VEC2")
        if colors is not None:
            attributes["COLOR_0"] = self._add_accessor(
                linear_bytes(colors), _UNSIGNED_BYTE, "VEC4", normalized=True
            )
        flat = indices.astype(np.uint32).reshape(-1)
        bounds = {"min": [int(flat.min())], "max": [int(flat.max())]}
        self._tree["meshes"][0]["primitives"].append(
            {
                "attributes": attributes,
                "indices": self._add_accessor(flat, _UNSIGNED_INT, "SCALAR", **bounds),
                "mode": 4,
                "material": len(self._tree["materials"]),
            }
        )

    def _add_material(self, material: Material, has_opacity: bool):
        pbr: dict = {"metallicFactor": 0.0, "roughnessFactor": 1.0}
        factor = [*decoded(np.array(material.color)).tolist(), material.opacity]
        if factor != [1.0] * 4:
            pbr["baseColorFactor"] = factor
        if material.texture is not None:
            pbr["baseColorTexture"] = {"index": self._add_texture(material.texture, material.wrap)}
        described: dict = {"pbrMetallicRoughness": pbr, "doubleSided": True}
        if material.name:
            described["name"] = material.name
        if material.alpha_cutoff is not None:
            described |= {"alphaMode": "MASK", "alphaCutoff": material.alpha_cutoff}
        elif has_opacity or not material.is_opaque:
            described["alphaMode"] = "BLEND"
        self._tree["materials"].append(described)

    def _add_texture(self, texture: np.ndarray, wrap: str) -> int:
        for name in ("images", "samplers", "textures"):
            self._tree.setdefault(name, [])
        stream = io.BytesIO()
        PIL.Image.fromarray(filled_texture(texture)).save(stream, format="PNG")
        self._tree["images"].append(
            {"bufferView": self._add_view(stream.getvalue()), "mimeType": "image/png"}
        )
        self._tree["samplers"].append(
            {
                "magFilter": _LINEAR,
                "minFilter": _LINEAR_MIPMAP_LINEAR,
                "wrapS": _WRAPS[wrap],
                "wrapT": _WRAPS[wrap],
            }
        )
        last = len(self._tree["images"]) - 1
        self._tree["textures"].append({"source": last, "sampler": last})
        return last

    def _add_accessor(self, array: np.ndarray, component: int, kind: str, **more) -> int:
        target = _ELEMENT_ARRAY_BUFFER if kind == "SCALAR" else _ARRAY_BUFFER
        view = self._add_view(np.ascontiguousarray(array).tobytes(), target=target)
        self._tree["accessors"].append(
            {
                "bufferView": view,
                "componentType": component,
                "count": len(array),
                "type": kind,
                **more,
            }
        )
        return len(self._tree["accessors"]) - 1

    def _add_view(self, data: bytes, **more) -> int:
        view = {"buffer": 0, "byteOffset": len(self._binary), "byteLength": len(data), **more}
        self._binary += data + bytes(-len(data) % 4)
        self._tree["bufferViews"].append(view)
        return len(self._tree["bufferViews"]) - 1


def linear_bytes(srgb: np.ndarray) -> np.ndarray:
    """Returns sRGB values in [0, 1] as glTF has colours: linear uint8 `[n, 4]` of `[n, 3 or 4]`."""
    values = np.full((len(srgb), 4), 255, np.uint8)
    values[:, :3] = np.round(decoded(srgb[:, :3].astype(np.float64)) * 255.0)
    if srgb.shape[1] == 4:
        values[:, 3] = np.round(srgb[:, 3] * 255.0)
    return values


def _parts(mesh: Mesh):
    """Yields (index of a material or -1, its faces: a mask, or None for all)."""
    if mesh.face_materials is None:
        yield -1, None
        return
    for index in np.unique(mesh.face_materials).tolist():
        chosen = mesh.face_materials == index
        yield index, None if chosen.all() else chosen


def _material_of_none(mesh: Mesh) -> Material:
    """Returns the material of faces without one: white under colours, else the default grey."""
    colored = mesh.face_colors is not None or mesh.vertex_colors is not None
    return Material() if colored else Material(color=DEFAULT_COLOR)


def _has_opacity(mesh: Mesh) -> bool:
    """Returns whether the mesh's own colours let something through."""
    for colors in (mesh.vertex_colors, mesh.face_colors):
        if colors is not None and colors.shape[1] == 4 and (colors[:, 3] < 1.0).any():
            return True
    return False


def _indexed(mesh: Mesh, chosen, material: Material):
    """Returns vertices, indices `[n, 3]`, and uvs and colours of each vertex, or None.

    A vertex stands once for each pair of uv and face colour that meets in it. If nothing divides
    them, and all faces are wanted, the mesh's own vertices and faces stay as they are.
    """
    faces = mesh.faces if chosen is None else mesh.faces[chosen]
    uvs = None
    if mesh.uvs is not None and material.texture is not None:
        uvs = mesh.uvs if chosen is None else mesh.uvs[chosen]
    face_colors = mesh.face_colors
    if face_colors is not None and chosen is not None:
        face_colors = face_colors[chosen]
    if chosen is None and uvs is None and face_colors is None:
        return mesh.vertices, faces, None, mesh.vertex_colors
    columns = [faces.reshape(-1, 1)]
    if uvs is not None:
        # + 0.0: -0 and 0 are one place.
        columns.append((uvs.reshape(-1, 2) + np.float32(0.0)).view(np.int32))
    colors = None
    if face_colors is not None:
        colors, color = np.unique(face_colors, axis=0, return_inverse=True)
        columns.append(np.repeat(color.reshape(-1), 3)[:, None])
    keys = np.ascontiguousarray(np.concatenate(columns, axis=1).astype(np.int32))
    first, indices = unique_rows(keys)
    vertex = keys[first, 0]
    if colors is not None:
        vertex_colors = colors[keys[first, -1]]
    else:
        vertex_colors = None if mesh.vertex_colors is None else mesh.vertex_colors[vertex]
    return (
        mesh.vertices[vertex],
        indices.reshape(-1, 3),
        None if uvs is None else uvs.reshape(-1, 2)[first],
        vertex_colors,
    )


def unique_rows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns where each distinct row stands first, and for each row the number of its like."""
    order = np.lexsort(rows.T[::-1])
    ordered = rows[order]
    is_new = np.ones(len(rows), bool)
    is_new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    indices = np.empty(len(rows), np.int64)
    indices[order] = np.cumsum(is_new) - 1
    return order[is_new], indices


def _bound(vertices: np.ndarray, name: str) -> list[float]:
    return getattr(vertices, name)(axis=0).tolist()
