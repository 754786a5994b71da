"""The container of binary glTF: its JSON, its buffers and accessors, checked before they are read.

Source: glTF 2.0 specification (ISO/IEC 12113), sections 3.6 and 4.4.
"""

import base64
import json
import struct

import numpy as np

from tf_softras.geometry.mesh_files._reading import Reading

_HEADER = struct.Struct("<4sII")
_CHUNK = struct.Struct("<I4s")
_COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
_STRIDES = range(4, 253)
# Extensions that change how geometry is read, of those that a file may require.
_APPLIED = (
    "KHR_mesh_quantization",
    "KHR_texture_transform",
    "KHR_materials_pbrSpecularGlossiness",
    "EXT_texture_webp",
)
# They change light and shine, which pictures of this package do not show.
_WITHOUT_EFFECT = ("KHR_materials_", "KHR_lights_", "KHR_animation_", "KHR_xmp")


class GltfDocument:
    """A binary glTF file whose JSON, buffer views and accessors have been checked.

    An accessor is read when somebody asks for it. All that it takes is in the file: no view reaches
    beyond its buffer, and no accessor beyond its view, so nothing grows that is small.

    Attributes:
        tree: the JSON.

    Raises:
        ValueError: The file is no binary glTF 2, or needs an extension that is not known here.
    """

    def __init__(self, data: bytes, reading: Reading):
        text, binary = _chunks(data)
        self.tree = _parsed(text)
        self._reading = reading
        self._buffers: dict[int, memoryview] = {0: memoryview(binary)}
        self._check_extensions()
        with malformed():
            for index in range(len(self.list_of("bufferViews"))):
                self._check_view(index)
            for index in range(len(self.list_of("accessors"))):
                self._check_accessor(index)

    def list_of(self, name: str) -> list[dict]:
        """Returns a list of the tree, empty where there is none."""
        value = self.tree.get(name, [])
        if not isinstance(value, list):
            raise ValueError(f"expected a list of {name} in the glTF file; received another value")
        return value

    def accessor(self, index: int, *, widths=(1, 2, 3, 4), count: int | None = None) -> np.ndarray:
        """Returns an accessor as it is stored: `[count, width]`, of its component type.

        Args:
            index: its number.
            widths: how many components an element may have.
            count: how many elements are expected, or None.
        """
        described = self.item("accessors", index)
        found, width = described["count"], _WIDTHS[described["type"]]
        if width not in widths or (count is not None and found != count):
            raise ValueError(
                f"expected {'any number of' if count is None else count} elements of "
                f"{' or '.join(map(str, widths))} components in accessor {index}; received {found} "
                f"of {width}"
            )
        if "bufferView" in described:
            array = self._elements(described, width)
        elif "sparse" in described:
            most = 3 * self._reading.limits.max_faces
            if found > most:
                raise ValueError(f"expected at most {most} elements; received {found}")
            array = np.zeros((found, width), _COMPONENTS[described["componentType"]])
        else:
            raise ValueError(
                "expected accessors with a bufferView, not compressed; received one without"
            )
        if "sparse" in described:
            array = self._with_sparse(array.copy(), described, width)
        return array

    def numbers(self, index: int, **expected) -> np.ndarray:
        """Returns an accessor as float64, normalised integers as the numbers they stand for."""
        array = self.accessor(index, **expected)
        described = self.item("accessors", index)
        if described.get("normalized") and array.dtype.kind in "iu":
            return np.maximum(array / np.float64(np.iinfo(array.dtype).max), -1.0)
        return array.astype(np.float64)

    def bytes_of_view(self, index: int) -> bytes:
        """Returns the bytes of a buffer view."""
        return bytes(self._view(index))

    def bytes_of_uri(self, uri: str) -> bytes | None:
        """Returns what a data URI holds, None for any other URI."""
        head, comma, text = uri.partition(",")
        if not (head.startswith("data:") and head.endswith(";base64") and comma):
            return None
        try:
            return base64.b64decode(text, validate=True)
        except ValueError:
            return None

    def _check_extensions(self):
        required = self.tree.get("extensionsRequired", [])
        for name in required if isinstance(required, list) else [required]:
            if name not in _APPLIED and not str(name).startswith(_WITHOUT_EFFECT):
                raise ValueError(
                    f"expected a glTF file without compression or unknown extensions; received one "
                    f"that requires {name}"
                )

    def item(self, name: str, index) -> dict:
        items = self.list_of(name)
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(items):
            raise ValueError(
                f"expected an index in [0, {len(items)}) into the glTF file's {name}; received "
                f"{index!r}"
            )
        return items[index]

    def _buffer(self, index: int) -> memoryview:
        if index not in self._buffers:
            uri = self.item("buffers", index).get("uri", "")
            data = self.bytes_of_uri(uri)
            if data is None:
                raise ValueError(
                    "expected a glTF file that holds all its data; received one with data in "
                    f"another file, {uri[:60]!r}"
                )
            self._buffers[index] = memoryview(data)
        return self._buffers[index]

    def _view(self, index: int) -> memoryview:
        view = self.item("bufferViews", index)
        start = view.get("byteOffset", 0)
        return self._buffer(view["buffer"])[start : start + view["byteLength"]]

    def _check_view(self, index: int):
        view = self.item("bufferViews", index)
        _item_number(view, "buffer", 0)
        start, length = _item_number(view, "byteOffset", 0), _item_number(view, "byteLength")
        if view["buffer"] == 0 and start + length > len(self._buffers[0]):
            raise ValueError(
                f"expected {start + length} bytes of data for bufferView {index}; received "
                f"{len(self._buffers[0])}; the glTF file is cut off"
            )
        stride = view.get("byteStride", 4)
        if stride not in _STRIDES:
            raise ValueError(
                f"expected a byteStride from 4 to 252 in bufferView {index}; received {stride!r}"
            )

    def _check_accessor(self, index: int):
        described = self.item("accessors", index)
        count = described["count"]
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError("expected accessors of one element or more; received another count")
        if described["componentType"] not in _COMPONENTS or described["type"] not in _WIDTHS:
            raise ValueError(
                f"expected a component type and a type of glTF 2 in accessor {index}; received "
                f"{described['componentType']!r} and {described['type']!r}"
            )
        if "bufferView" in described:
            self._check_extent(described, index)

    def _check_extent(self, described: dict, index: int):
        view = self.item("bufferViews", described["bufferView"])
        size = np.dtype(_COMPONENTS[described["componentType"]]).itemsize
        size *= _WIDTHS[described["type"]]
        stride = view.get("byteStride", size)
        if stride < size:
            raise ValueError(
                f"expected elements that do not overlap in accessor {index}, {size} bytes each; "
                f"received a byteStride of {stride}"
            )
        start = _item_number(described, "byteOffset", 0)
        needed = start + (described["count"] - 1) * stride + size
        if needed > view["byteLength"]:
            raise ValueError(
                f"expected {needed} bytes in bufferView {described['bufferView']} for accessor "
                f"{index}; received {view['byteLength']}"
            )

    def _elements(self, described: dict, width: int) -> np.ndarray:
        """Returns `[count, width]` of a buffer view; a view of the file where it can be."""
        view = self._view(described["bufferView"])
        dtype = np.dtype(_COMPONENTS[described["componentType"]])
        stride = self.item("bufferViews", described["bufferView"]).get("byteStride", 0)
        start, count = described.get("byteOffset", 0), described["count"]
        needed = (count - 1) * (stride or dtype.itemsize * width) + dtype.itemsize * width
        if start + needed > len(view):
            raise ValueError("expected all data of an accessor in its buffer; received less")
        return np.ndarray(
            (count, width),
            dtype,
            view,
            start,
            (stride or dtype.itemsize * width, dtype.itemsize),
        )

    def _with_sparse(self, array: np.ndarray, described: dict, width: int) -> np.ndarray:
        sparse = described["sparse"]
        parts = []
        for name, component, parts_width in (
            ("indices", sparse["indices"]["componentType"], 1),
            ("values", described["componentType"], width),
        ):
            part = {
                **sparse[name],
                "componentType": component,
                "count": sparse["count"],
                "type": {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}[parts_width],
            }
            self._check_extent(part, -1)
            parts.append(self._elements(part, parts_width))
        indices, values = parts
        if indices.size and indices.max() >= len(array):
            raise ValueError("expected sparse indices below an accessor's count; received others")
        array[indices[:, 0]] = values
        return array


class malformed:  # noqa: N801
    """Turns what a tree of unexpected form raises into one sentence."""

    def __enter__(self):
        """Does nothing."""

    def __exit__(self, kind, error, traceback):
        """Raises a ValueError in place of what indexing a tree may raise."""
        if isinstance(error, (AttributeError, IndexError, KeyError, TypeError, OverflowError)):
            raise ValueError(
                "expected the JSON of a glTF file; received one in which "
                f"{type(error).__name__}: {error}"
            ) from error


def _item_number(item: dict, name: str, default: int | None = None) -> int:
    value = item[name] if default is None else item.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"expected {name} from 0 in the glTF file; received {value!r}")
    return value


def _chunks(data: bytes) -> tuple[bytes, bytes]:
    """Returns the JSON and the binary chunk, empty if there is none."""
    if len(data) < _HEADER.size + _CHUNK.size:
        raise ValueError(f"expected a binary glTF file; received {len(data)} bytes")
    magic, version, total = _HEADER.unpack_from(data)
    length, kind = _CHUNK.unpack_from(data, _HEADER.size)
    if (magic, version, kind) != (b"glTF", 2, b"JSON"):
        raise ValueError("expected a binary glTF 2 file that begins with JSON; received another")
    if total > len(data):
        raise ValueError(
            f"expected the {total} bytes that the glTF file's header says; received {len(data)}; "
            "the file is cut off"
        )
    start = _HEADER.size + _CHUNK.size
    text, rest = data[start : start + length], data[start + length : total]
    if len(rest) < _CHUNK.size:
        return text, b""
    length, kind = _CHUNK.unpack_from(rest)
    return text, rest[_CHUNK.size : _CHUNK.size + length] if kind == b"BIN\0" else b""


def _parsed(text: bytes) -> dict:
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"expected the JSON of a glTF file; received: {error}") from error
    if not isinstance(tree, dict):
        raise ValueError("expected the JSON of a glTF file; received no object")
    return tree
