"""Binary glTF files in TensorFlow's own operations."""

import json
import pathlib
import struct
import tempfile

import numpy as np
import tensorflow as tf

from tf_softras.geometry import Mesh, linear_from_srgb, save_mesh
from tf_softras.pictures._checks import require

# A float32 as text that reads back as the same number: sign or space, then "d.dddddddde-dd". The
# width is fixed, so the length of the JSON does not depend on the numbers.
_DIGITS = 8
_WIDTH = 15
_CHUNK_JSON, _CHUNK_BIN = b"JSON", b"BIN\0"
# Attribute -> component type (float, unsigned byte) and type.
_TYPES = {"POSITION": (5126, "VEC3"), "COLOR_0": (5121, "VEC4")}


class GlbWriter:
    """Writes .glb files of meshes that share their faces, as `save_mesh` would write them.

    The files differ only in vertices, bounds and colours. The template's file is cut at these
    places, and the graph fills in the bytes of each mesh.

    Args:
        template: A `Mesh` with the faces of every mesh. If it has `vertex_colors`, every mesh has
            colours.
    """

    def __init__(self, template: Mesh):
        tree, binary = _chunks(_file_of(template))
        holes = {"POSITION": template.vertices.tobytes()}
        if template.vertex_colors is not None:
            holes["COLOR_0"] = linear_bytes(template.vertex_colors).numpy().tobytes()
        starts = {name: _start(tree, name) for name in holes}
        if any(binary[starts[name] :][: len(hole)] != hole for name, hole in holes.items()):
            raise RuntimeError("template's file: expected vertices and colours in one piece each")
        for name in set(holes) - {"POSITION"}:
            for bound in ("min", "max"):  # glTF requires bounds of vertices only.
                _accessor(tree, name).pop(bound, None)
        self._json = _cut_at_bounds(tree, _accessor(tree, "POSITION"))
        self._holes = sorted(holes, key=starts.__getitem__)
        ends = [0] + [starts[name] + len(holes[name]) for name in self._holes]
        cuts = [starts[name] for name in self._holes] + [len(binary)]
        self._binary = [binary[end:cut] for end, cut in zip(ends, cuts, strict=True)]
        self._binary_length = len(binary)

    def __call__(self, vertices, colors=None):
        """Returns string `[batch]`: a whole .glb file for each mesh.

        Args:
            vertices: float32 `[batch, num_vertices, 3]`.
            colors: float32 `[batch, num_vertices, 3]` in [0, 1], sRGB, if the template has colours.
        """
        vertices = require(
            vertices,
            (
                tf.reduce_all(tf.math.is_finite(vertices)),
                "The network gave vertices that are not finite, of shape:",
                tf.shape(vertices),
            ),
        )
        batch = tf.shape(vertices)[0]
        low, high = tf.reduce_min(vertices, axis=1), tf.reduce_max(vertices, axis=1)
        contents = {"POSITION": tf.bitcast(vertices, tf.uint8)}
        if colors is not None:
            contents["COLOR_0"] = linear_bytes(colors)
        header, minimum, maximum, *rest = (tf.repeat(part, batch) for part in self._pieces())
        pieces = [header, _as_text(low), minimum, _as_text(high), maximum]
        for name, piece in zip(self._holes, rest, strict=True):
            pieces += [_as_bytes(tf.reshape(contents[name], [batch, -1])), piece]
        return tf.strings.join(pieces)

    def _pieces(self):
        """Returns the fixed bytes around low bounds, high bounds and holes, in order."""
        first, second, third = self._json
        bounds = 2 * (3 * _WIDTH + 2)
        json_length = len(first) + len(second) + len(third) + bounds
        padding = -json_length % 4
        total = 12 + 8 + json_length + padding + 8 + self._binary_length
        header = struct.pack("<4sIII4s", b"glTF", 2, total, json_length + padding, _CHUNK_JSON)
        binary_header = struct.pack("<I4s", self._binary_length, _CHUNK_BIN)
        third = third + b" " * padding + binary_header + self._binary[0]
        return [[header + first], [second], [third], *([piece] for piece in self._binary[1:])]


def linear_bytes(srgb):
    """Returns linear uint8 `[..., 4]`, as glTF stores colours, of sRGB `[..., 3]` in [0, 1]."""
    linear = linear_from_srgb(tf.cast(srgb, tf.float64))
    values = tf.cast(tf.round(255.0 * linear), tf.uint8)
    return tf.concat([values, tf.fill(tf.shape(values[..., :1]), tf.constant(255, tf.uint8))], -1)


def _file_of(mesh: Mesh) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "mesh.glb"
        save_mesh(path, mesh)
        return path.read_bytes()


def _chunks(content: bytes) -> tuple[dict, bytes]:
    """Returns the JSON tree and the binary chunk of a .glb file."""
    (json_length,) = struct.unpack_from("<I", content, 12)
    tree = json.loads(content[20 : 20 + json_length])
    return tree, content[20 + json_length + 8 :]


def _accessor(tree: dict, name: str) -> dict:
    """Returns the accessor of an attribute of the file's one mesh."""
    (primitive,) = tree["meshes"][0]["primitives"]
    accessor = tree["accessors"][primitive["attributes"][name]]
    if (accessor["componentType"], accessor["type"]) != _TYPES[name]:
        raise RuntimeError(f"{name}: expected {_TYPES[name]} in the template's file")
    return accessor


def _start(tree: dict, name: str) -> int:
    """Returns where an attribute starts in the binary chunk."""
    accessor = _accessor(tree, name)
    view = tree["bufferViews"][accessor["bufferView"]]
    return view.get("byteOffset", 0) + accessor.get("byteOffset", 0)


def _cut_at_bounds(tree: dict, accessor: dict) -> list[bytes]:
    """Returns the JSON in three pieces; the low and the high bounds belong between them."""
    for name in ("min", "max"):
        accessor.pop(name, None)
        accessor[name] = ["@bounds@"]
    pieces = json.dumps(tree, separators=(",", ":")).split('"@bounds@"')
    return [piece.encode() for piece in pieces]


def _as_text(bounds):
    """Returns string `[batch]`: three numbers with commas, of a fixed length."""
    text = tf.strings.as_string(bounds, precision=_DIGITS, scientific=True, width=_WIDTH)
    return tf.strings.reduce_join(text, axis=-1, separator=",")


def _as_bytes(values):
    """Returns bytes, uint8 `[batch, n]`, as string `[batch]`."""
    every_byte = tf.constant(np.array([bytes([value]) for value in range(256)], object))
    return tf.strings.reduce_join(tf.gather(every_byte, tf.cast(values, tf.int32)), axis=-1)
