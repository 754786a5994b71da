"""Binary glTF files, made byte by byte for tests."""

import json
import struct

import numpy as np

_COMPONENTS = {"int8": 5120, "uint8": 5121, "int16": 5122, "uint16": 5123, "uint32": 5125}
_COMPONENTS["float32"] = 5126
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}


class GlbFile:
    """A file that grows: `tree` is its JSON."""

    def __init__(self):
        self.tree = {"asset": {"version": "2.0"}, "accessors": [], "bufferViews": []}
        self.tree |= {"scene": 0, "scenes": [{"nodes": []}], "nodes": [], "meshes": []}
        self._binary = b""

    def view(self, data, **more):
        self.tree["bufferViews"].append(
            {"buffer": 0, "byteOffset": len(self._binary), "byteLength": len(data), **more}
        )
        self._binary += data + bytes(-len(data) % 4)
        return len(self.tree["bufferViews"]) - 1

    def accessor(self, array, **more):
        array = np.asarray(array)
        array = array.reshape(len(array), -1)
        self.tree["accessors"].append(
            {
                "bufferView": self.view(array.tobytes()),
                "componentType": _COMPONENTS[array.dtype.name],
                "count": len(array),
                "type": _TYPES[array.shape[1]],
                **more,
            }
        )
        return len(self.tree["accessors"]) - 1

    def part(self, points, indices=None, *, node=None, mode=None, material=None, **attributes):
        """Adds a mesh of one primitive and a root node that shows it."""
        position = points if isinstance(points, int) else self.accessor(np.float32(points))
        primitive = {"attributes": {"POSITION": position, **attributes}}
        if indices is not None:
            primitive["indices"] = self.accessor(np.uint16(indices).reshape(-1))
        if mode is not None:
            primitive["mode"] = mode
        if material is not None:
            primitive["material"] = material
        self.tree["meshes"].append({"primitives": [primitive]})
        self.tree["nodes"].append({"mesh": len(self.tree["meshes"]) - 1, **(node or {})})
        self.tree["scenes"][0]["nodes"].append(len(self.tree["nodes"]) - 1)
        return primitive

    def material(self, factor=None, *, texture=None, info=None, **more):
        """Adds a material; `texture` is the bytes of a picture file."""
        pbr = {} if factor is None else {"baseColorFactor": list(factor)}
        if texture is not None:
            for name in ("images", "textures"):
                self.tree.setdefault(name, [])
            self.tree["images"].append({"bufferView": self.view(texture), "mimeType": "image/png"})
            self.tree["textures"].append({"source": len(self.tree["images"]) - 1})
            pbr["baseColorTexture"] = {"index": len(self.tree["textures"]) - 1, **(info or {})}
        self.tree.setdefault("materials", []).append({"pbrMetallicRoughness": pbr, **more})
        return len(self.tree["materials"]) - 1

    def content(self):
        self.tree["buffers"] = [{"byteLength": len(self._binary)}]
        text = json.dumps(self.tree).encode()
        text += b" " * (-len(text) % 4)
        body = struct.pack("<I4s", len(text), b"JSON") + text
        body += struct.pack("<I4s", len(self._binary), b"BIN\0") + self._binary
        return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body
