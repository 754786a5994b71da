"""Binary glTF files in TensorFlow's own operations."""

import json
import pathlib
import struct
import tempfile

import numpy as np
import tensorflow as tf

from tf_softras.export.checks import require
from tf_softras.geometry import Mesh, save_mesh

# A float32 in text that reads back as the same, always this wide: sign or space, "d.dddddddde-dd".
_DIGITS = 8
_WIDTH = 15
_CHUNK_JSON, _CHUNK_BIN = b"JSON", b"BIN\0"
_FLOAT, _ARRAY = 5126, "VEC3"


class GlbWriter:
    """Files of meshes whose faces are fixed: `save_mesh`'s file, with other vertices.

    Only the vertices and their bounds differ from mesh to mesh, so the file of the template is cut
    at those places, and a graph puts bytes in.

    Args:
        template: A `Mesh`; its faces are those of every mesh.
    """

    def __init__(self, template: Mesh):
        tree, binary = _chunks(_file_of(template))
        accessor, start = _positions(tree)
        end = start + template.vertices.nbytes
        if binary[start:end] != template.vertices.tobytes():
            raise RuntimeError("Expected the vertices in one piece in the file, received others.")
        self._num_vertices = len(template.vertices)
        self._json = _cut_at_bounds(tree, accessor)
        self._before, self._after = binary[:start], binary[end:]

    def __call__(self, vertices):
        """Returns string `[batch]`, a whole .glb file each.

        Args:
            vertices: float32 `[batch, num_vertices, 3]`.
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
        header, minimum, maximum, tail = (tf.repeat(part, batch) for part in self._json_pieces())
        return tf.strings.join(
            [
                header,
                _as_text(low),
                minimum,
                _as_text(high),
                maximum,
                _as_bytes(tf.reshape(vertices, [batch, 3 * self._num_vertices])),
                tail,
            ]
        )

    def _json_pieces(self):
        """Returns the bytes before and between low bounds, high bounds and vertices, and behind."""
        first, second, third = self._json
        bounds = 2 * (3 * _WIDTH + 2)
        json_length = len(first) + len(second) + len(third) + bounds
        padding = -json_length % 4
        binary_length = len(self._before) + 12 * self._num_vertices + len(self._after)
        total = 12 + 8 + json_length + padding + 8 + binary_length
        header = struct.pack("<4sIII4s", b"glTF", 2, total, json_length + padding, _CHUNK_JSON)
        binary_header = struct.pack("<I4s", binary_length, _CHUNK_BIN)
        third = third + b" " * padding + binary_header + self._before
        return [header + first], [second], [third], [self._after]


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


def _positions(tree: dict) -> tuple[dict, int]:
    """Returns the accessor of the vertices, and where they start in the binary chunk."""
    (primitive,) = tree["meshes"][0]["primitives"]
    accessor = tree["accessors"][primitive["attributes"]["POSITION"]]
    if (accessor["componentType"], accessor["type"]) != (_FLOAT, _ARRAY):
        raise RuntimeError("Expected vertices as three floats in the file, received others.")
    view = tree["bufferViews"][accessor["bufferView"]]
    return accessor, view.get("byteOffset", 0) + accessor.get("byteOffset", 0)


def _cut_at_bounds(tree: dict, accessor: dict) -> list[bytes]:
    """Returns the JSON in three pieces: between them belong the low bounds, and the high ones."""
    for name in ("min", "max"):
        accessor.pop(name, None)
        accessor[name] = ["@bounds@"]
    pieces = json.dumps(tree, separators=(",", ":")).split('"@bounds@"')
    return [piece.encode() for piece in pieces]


def _as_text(bounds):
    """Returns string `[batch]`, three numbers with commas, always as long."""
    text = tf.strings.as_string(bounds, precision=_DIGITS, scientific=True, width=_WIDTH)
    return tf.strings.reduce_join(text, axis=-1, separator=",")


def _as_bytes(values):
    """Returns string `[batch]`, the bytes of float32 `[batch, n]`, low byte first as in glTF."""
    every_byte = tf.constant(np.array([bytes([value]) for value in range(256)], object))
    flat = tf.reshape(tf.bitcast(values, tf.uint8), [tf.shape(values)[0], -1])
    return tf.strings.reduce_join(tf.gather(every_byte, tf.cast(flat, tf.int32)), axis=-1)
