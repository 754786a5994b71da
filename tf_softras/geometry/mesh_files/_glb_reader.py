"""Reads binary glTF: the triangles of a scene where its nodes place them, with their materials.

Source: glTF 2.0 specification (ISO/IEC 12113), sections 3.5, 3.7 to 3.9; KHR_texture_transform.
"""

import math

import numpy as np

from tf_softras.geometry.colors import DEFAULT_COLOR
from tf_softras.geometry.material import Material
from tf_softras.geometry.mesh import Mesh
from tf_softras.geometry.mesh_files._gltf_document import GltfDocument, malformed
from tf_softras.geometry.mesh_files._reading import Reading, with_opacity
from tf_softras.geometry.surfaces import encoded

_TRIANGLES, _STRIP, _FAN = 4, 5, 6
_CLAMP, _MIRROR = 33071, 33648
# The key of parts that name no material.
_NO_MATERIAL = "none"


def read_glb(reading: Reading) -> Mesh:
    """Returns all parts of a scene as one mesh; see `load_mesh`.

    Raises:
        ValueError: It is no binary glTF 2 with triangles, requires an unknown extension, or is
            larger than allowed.
        OSError: It cannot be read.
    """
    document = GltfDocument(reading.bytes_of(reading.path), reading)
    with malformed():
        return _Scene(document, reading).mesh()


class _Scene:
    """The parts of a scene, while they are gathered."""

    def __init__(self, document: GltfDocument, reading: Reading):
        self._document = document
        self._reading = reading
        self._materials = _Materials(document, reading)
        self._num_faces = self._num_vertices = 0
        # One entry a primitive.
        self._vertices: list[np.ndarray] = []
        self._faces: list[np.ndarray] = []
        self._colors: list[np.ndarray | None] = []
        self._uvs: list[np.ndarray | None] = []
        self._chosen: list[int] = []
        # (accessors, placement) -> where the vertices begin, for primitives that share them.
        self._begins: dict[tuple, int] = {}
        for node, matrix in self._placed_nodes():
            mesh = document.item("meshes", node["mesh"])
            self._warn_of_moved(node, mesh)
            for primitive in mesh["primitives"]:
                self._add(primitive, matrix)

    def mesh(self) -> Mesh:
        """Returns all primitives as one mesh."""
        if not self._num_faces:
            raise ValueError(
                "expected a glTF file whose scene shows at least one face; received 0 faces"
            )
        vertices = np.concatenate(self._vertices)
        faces = np.concatenate(self._faces)
        counts = [len(part) for part in self._faces]
        materials = self._materials.used()
        chosen = np.repeat(np.array(self._chosen, np.int32), counts)
        uvs = None
        if any(part is not None for part in self._uvs):
            uvs = np.concatenate(
                [
                    np.zeros((count, 3, 2)) if part is None else part
                    for part, count in zip(self._uvs, counts, strict=True)
                ]
            )
            uvs = np.nan_to_num(uvs, posinf=0.0, neginf=0.0)
        return Mesh(
            vertices,
            faces,
            vertex_colors=self._vertex_colors(len(vertices)),
            materials=materials,
            face_materials=chosen if materials else None,
            uvs=uvs,
        )

    def _placed_nodes(self):
        """Yields (node, matrix to the world) of the nodes of the scene that have a mesh."""
        document = self._document
        nodes = document.list_of("nodes")
        scenes = document.list_of("scenes")
        children = [child for node in nodes for child in node.get("children", ())]
        if len(set(children)) < len(children):
            raise ValueError("expected a tree of nodes; received a node with two parents")
        if scenes:
            roots = document.item("scenes", document.tree.get("scene", 0)).get("nodes", [])
        else:
            # A file may come without a scene; then all that it holds is shown.
            inner = set(children)
            roots = [index for index in range(len(nodes)) if index not in inner]
        waiting = [(index, np.eye(4)) for index in reversed(roots)]
        seen = set()
        while waiting:
            index, outer = waiting.pop()
            node = document.item("nodes", index)
            if index in seen:
                raise ValueError("expected a tree of nodes; received a node with two parents")
            seen.add(index)
            matrix = outer @ _matrix(node)
            if "mesh" in node:
                yield node, matrix
            waiting += [(child, matrix) for child in reversed(node.get("children", []))]

    def _warn_of_moved(self, node: dict, mesh: dict):
        if any(mesh.get("weights", ())) or any(node.get("weights", ())):
            self._reading.warn("Morph targets are left out; the base shape is read.")
        if "skin" in node:
            self._reading.warn("A skin is left out; the shape is read as it is stored.")

    def _add(self, primitive: dict, matrix: np.ndarray):
        mode = primitive.get("mode", _TRIANGLES)
        if mode not in (_TRIANGLES, _STRIP, _FAN):
            self._reading.warn("Points and lines are left out.")
            return
        attributes = primitive["attributes"]
        described = self._document.item("accessors", attributes["POSITION"])
        count = described["count"]
        indices = None
        if "indices" in primitive:
            indices = self._document.accessor(primitive["indices"], widths=(1,))[:, 0]
            if indices.dtype.kind != "u":
                raise ValueError(f"expected unsigned indices; received {indices.dtype}")
        num_corners = count if indices is None else len(indices)
        num_faces = num_corners // 3 if mode == _TRIANGLES else max(0, num_corners - 2)
        if mode == _TRIANGLES and num_corners % 3:
            raise ValueError(f"expected three corners a triangle; received {num_corners} in all")
        if not num_faces:
            return
        self._num_faces += num_faces
        self._reading.check_faces(self._num_faces)
        corners = np.arange(count) if indices is None else indices.astype(np.int64)
        if corners.max() >= count:
            raise ValueError(
                f"expected indices below {count}, the number of vertices; received {corners.max()}"
            )
        faces = _triangles(corners, mode)
        if np.linalg.det(matrix[:3, :3]) < 0.0:
            # A mirrored part is turned inside out again.
            faces = faces[:, ::-1]
        material, transform = self._materials.number(primitive)
        self._faces.append(faces + self._first_vertex(attributes, matrix, count))
        self._uvs.append(self._face_uvs(attributes, transform, faces, count))
        self._chosen.append(material)

    def _first_vertex(self, attributes: dict, matrix: np.ndarray, count: int) -> int:
        """Returns where the vertices of a primitive begin, which are added if they are new."""
        color = attributes.get("COLOR_0")
        key = (attributes["POSITION"], color, matrix.tobytes())
        if key in self._begins:
            return self._begins[key]
        self._begins[key] = begin = self._num_vertices
        self._num_vertices += count
        most = 3 * self._reading.limits.max_faces
        if self._num_vertices > most:
            raise ValueError(
                f"expected at most {most} vertices (3 max_faces); received {self._num_vertices}"
            )
        points = self._document.numbers(attributes["POSITION"], widths=(3,))
        self._vertices.append(points @ matrix[:3, :3].T + matrix[:3, 3])
        self._colors.append(None if color is None else self._linear_colors(color, count))
        return begin

    def _linear_colors(self, index: int, count: int) -> np.ndarray:
        """Returns COLOR_0 as sRGB and opacity, float64 `[count, 3 or 4]`."""
        stored = self._document.accessor(index, widths=(3, 4), count=count)
        colors = stored.astype(np.float64)
        if stored.dtype.kind in "iu":
            # The specification allows no integers here that are not normalised.
            colors /= np.iinfo(stored.dtype).max
        colors = np.clip(np.nan_to_num(colors), 0.0, 1.0)
        colors[:, :3] = encoded(colors[:, :3])
        return with_opacity(colors)

    def _vertex_colors(self, num_vertices: int) -> np.ndarray | None:
        given = [part for part in self._colors if part is not None]
        if not given:
            return None
        # 1 is the factor that changes nothing.
        colors = np.ones((num_vertices, max(part.shape[1] for part in given)))
        begin = 0
        for vertices, part in zip(self._vertices, self._colors, strict=True):
            if part is not None:
                colors[begin : begin + len(vertices), : part.shape[1]] = part
            begin += len(vertices)
        if self._materials.all_opaque():
            colors = colors[:, :3]
        return colors

    def _face_uvs(self, attributes, transform, faces, count) -> np.ndarray | None:
        """Returns the (u, v), v up, of each corner of faces: float64 `[num_faces, 3, 2]`."""
        name = f"TEXCOORD_{0 if transform is None else transform['set']}"
        if name not in attributes:
            return None
        uvs = self._document.numbers(attributes[name], widths=(2,), count=count)
        if transform is not None:
            uvs = (uvs * transform["scale"]) @ transform["rotation"].T + transform["offset"]
        # glTF's v goes down.
        return np.stack([uvs[:, 0], 1.0 - uvs[:, 1]], axis=-1)[faces]


class _Materials:
    """The materials of a file that faces use, each read once."""

    def __init__(self, document: GltfDocument, reading: Reading):
        self._document = document
        self._reading = reading
        self._found: list[Material] = []
        self._numbers: dict = {}
        self._images: dict[int, np.ndarray | None] = {}
        self._modes: set[str] = set()

    def used(self) -> tuple[Material, ...]:
        """Returns the materials, none if no face has one in the file."""
        return () if set(self._numbers) == {_NO_MATERIAL} else tuple(self._found)

    def all_opaque(self) -> bool:
        """Returns whether no material in use looks at opacity."""
        return self._modes <= {"OPAQUE"}

    def number(self, primitive: dict) -> tuple[int, dict | None]:
        """Returns the material of a primitive, -1 for none, and where its texture lies."""
        index = primitive.get("material")
        if index is None:
            self._modes.add("OPAQUE")
            # A part without a material is grey, unless its vertices have colours.
            if "COLOR_0" in primitive["attributes"]:
                return -1, None
            return self._numbered(_NO_MATERIAL, Material(color=DEFAULT_COLOR)), None
        described = self._document.item("materials", index)
        color, texture_info = _surface(described)
        transform = _transform(texture_info)
        texture, wrap = None, "repeat"
        if texture_info is not None and transform is not None:
            has_uvs = f"TEXCOORD_{transform['set']}" in primitive["attributes"]
            if has_uvs:
                texture, wrap = self._texture(texture_info["index"])
            else:
                self._reading.warn("A part has a texture and no texture coordinates.")
        mode = described.get("alphaMode", "OPAQUE")
        self._modes.add(mode)
        if mode == "OPAQUE" and texture is not None:
            texture = texture[..., :3]
        linear = np.clip(np.nan_to_num(np.array(color, np.float64)), 0.0, 1.0)
        cutoff = described.get("alphaCutoff", 0.5) if mode == "MASK" else None
        material = Material(
            color=tuple(encoded(linear[:3]).tolist()),
            texture=texture,
            opacity=1.0 if mode == "OPAQUE" else float(linear[3]),
            alpha_cutoff=None if cutoff is None else min(1.0, max(0.0, float(cutoff))),
            wrap=wrap,
            name=str(described.get("name", "")),
        )
        return self._numbered((index, texture is None), material), transform

    def _numbered(self, key, material: Material) -> int:
        if key not in self._numbers:
            self._numbers[key] = len(self._found)
            self._found.append(material)
        return self._numbers[key]

    def _texture(self, index: int) -> tuple[np.ndarray | None, str]:
        texture = self._document.item("textures", index)
        source = texture.get("source")
        for extension in texture.get("extensions", {}).values():
            source = extension.get("source", source)
        if source is None:
            self._reading.warn("A texture without a picture is left out.")
            return None, "repeat"
        if source not in self._images:
            self._images[source] = self._image(source)
        pixels = self._images[source]
        sampler: dict = {}
        if "sampler" in texture:
            sampler = self._document.item("samplers", texture["sampler"])
        wraps = [sampler.get(name, 10497) for name in ("wrapS", "wrapT")]
        if _MIRROR in wraps:
            self._reading.warn("A texture that is mirrored beyond its border is repeated.")
        return pixels, "clamp" if wraps == [_CLAMP, _CLAMP] else "repeat"

    def _image(self, index: int) -> np.ndarray | None:
        image = self._document.item("images", index)
        if "bufferView" in image:
            data: bytes | None = self._document.bytes_of_view(image["bufferView"])
        else:
            data = self._document.bytes_of_uri(image.get("uri", ""))
        if data is None:
            self._reading.warn("A texture in another file is left out: no further file is opened.")
            return None
        return self._reading.texture(data, f"image {index}")


def _surface(described: dict) -> tuple[list[float], dict | None]:
    """Returns the linear colour and opacity of a material, and its texture's place if any."""
    old = described.get("extensions", {}).get("KHR_materials_pbrSpecularGlossiness")
    if old is not None and "pbrMetallicRoughness" not in described:
        return old.get("diffuseFactor", [1.0] * 4), old.get("diffuseTexture")
    pbr = described.get("pbrMetallicRoughness", {})
    return pbr.get("baseColorFactor", [1.0] * 4), pbr.get("baseColorTexture")


def _transform(texture_info: dict | None) -> dict | None:
    """Returns which texture coordinates a texture takes and how it turns them, v down."""
    if texture_info is None:
        return None
    moved = texture_info.get("extensions", {}).get("KHR_texture_transform", {})
    angle = float(moved.get("rotation", 0.0))
    cosine, sine = math.cos(angle), math.sin(angle)
    return {
        "set": int(moved.get("texCoord", texture_info.get("texCoord", 0))),
        "scale": np.array(moved.get("scale", (1.0, 1.0)), np.float64),
        "offset": np.array(moved.get("offset", (0.0, 0.0)), np.float64),
        # The specification's example (the lower left quarter, turned clockwise) asks for these
        # signs; three.js has them too.
        "rotation": np.array([[cosine, sine], [-sine, cosine]]),
    }


def _triangles(corners: np.ndarray, mode: int) -> np.ndarray:
    """Returns int64 `[num_faces, 3]` of a list, a strip or a fan of corners."""
    if mode == _TRIANGLES:
        return corners.reshape(-1, 3)
    nth = np.arange(len(corners) - 2)
    if mode == _FAN:
        return np.stack([np.repeat(corners[:1], len(nth)), corners[nth + 1], corners[nth + 2]], -1)
    odd = nth % 2
    return np.stack([corners[nth], corners[nth + 1 + odd], corners[nth + 2 - odd]], axis=-1)


def _matrix(node: dict) -> np.ndarray:
    """Returns float64 `[4, 4]`, from the node's frame to its parent's."""
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    x, y, z, w = np.array(node.get("rotation", (0.0, 0.0, 0.0, 1.0)), np.float64)
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    ) * np.array(node.get("scale", (1.0, 1.0, 1.0)), np.float64)
    matrix[:3, 3] = node.get("translation", (0.0, 0.0, 0.0))
    return matrix
