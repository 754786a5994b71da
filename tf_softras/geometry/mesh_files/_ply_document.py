"""The container of PLY files: header and elements, text or binary, checked against their size.

Source: G. Turk, "The PLY polygon file format", 1994.
"""

import dataclasses

import numpy as np

from tf_softras.geometry.mesh_files._reading import numbers

_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1",
    "short": "i2", "int16": "i2", "ushort": "u2", "uint16": "u2",
    "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4",
    "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
# The header ends somewhere in the first bytes of a PLY file.
_MOST_HEADER_BYTES = 1 << 16


@dataclasses.dataclass(frozen=True)
class Property:
    """A column of an element: a number, or a list of numbers of any length."""

    name: str
    dtype: np.dtype
    count_dtype: np.dtype | None = None


@dataclasses.dataclass
class Element:
    """An element of the file, such as `vertex` or `face`.

    Attributes:
        name: its name.
        count: how many rows it has.
        properties: its columns.
        columns: name -> float64 or the file's type, `[count]`; a list -> (int64 `[count]` lengths,
            all values end to end).
    """

    name: str
    count: int
    properties: list[Property] = dataclasses.field(default_factory=list)
    columns: dict = dataclasses.field(default_factory=dict)

    def scalars(self, names) -> np.ndarray | None:
        """Returns the columns of these names, float64 `[count, len(names)]`, None if one lacks."""
        if not all(isinstance(self.columns.get(name), np.ndarray) for name in names):
            return None
        return np.stack([self.columns[name].astype(np.float64) for name in names], axis=-1)

    def dtype_of(self, name: str) -> np.dtype:
        """Returns the type of a column in the file."""
        return next(one.dtype for one in self.properties if one.name == name)


def read_elements(data: bytes) -> tuple[dict[str, Element], list[str]]:
    """Returns the elements of a PLY file by name, and its comments.

    Raises:
        ValueError: It is no PLY file, or holds fewer or other data than its header says.
    """
    form, elements, comments, body = _header(data)
    if form == "ascii":
        _read_text(body, elements)
    else:
        _read_binary(body, elements)
    return {element.name: element for element in elements}, comments


def _header(data: bytes) -> tuple[str, list[Element], list[str], memoryview]:
    if data[:3] != b"ply":
        raise ValueError("expected a PLY file; received one that does not begin with 'ply'")
    head = data[:_MOST_HEADER_BYTES]
    end = head.find(b"end_header")
    if end < 0:
        raise ValueError("expected a PLY file's header with end_header; received none")
    body_start = end + len(b"end_header")
    # One line end, of one or two bytes, belongs to the header.
    line_end = data[body_start : body_start + 2]
    body_start += 2 if line_end == b"\r\n" else 1
    form, elements, comments = "", [], []
    for line in head[:end].decode("latin-1").splitlines()[1:]:
        keyword, *fields = line.split() or [""]
        try:
            if keyword == "format":
                form = fields[0]
            elif keyword in ("comment", "obj_info"):
                comments.append(" ".join(fields))
            elif keyword == "element":
                elements.append(Element(fields[0], int(fields[1])))
            elif keyword == "property":
                elements[-1].properties.append(_property(fields, _ORDERS.get(form, "")))
        except (IndexError, KeyError, ValueError):
            raise ValueError(f"expected a PLY header; received the line {line[:60]!r}") from None
    if form not in _ORDERS or any(element.count < 0 for element in elements):
        raise ValueError(
            f"expected a PLY format of {', '.join(_ORDERS)} and counts from 0; received {form!r}"
        )
    return form, elements, comments, memoryview(data)[body_start:]


def _property(fields: list[str], order: str) -> Property:
    if fields[0] == "list":
        _, count, values, name = fields
        return Property(name, np.dtype(order + _TYPES[values]), np.dtype(order + _TYPES[count]))
    dtype, name = fields
    return Property(name, np.dtype(order + _TYPES[dtype]))


def _too_short(element: Element) -> ValueError:
    return ValueError(
        f"expected {element.count} rows of the element {element.name!r}, as the header says; "
        "received fewer; the PLY file is cut off, or its header is wrong"
    )


def _read_text(body: memoryview, elements: list[Element]) -> None:
    """Fills the columns of a text: numbers divided by any whitespace, row by row."""
    values = numbers(bytes(body))
    if values is None:
        raise ValueError(
            "expected nothing but numbers behind the header of a PLY text; received others"
        )
    place = 0
    for element in elements:
        if not element.properties:
            continue
        # Each property takes one number of a row at least.
        if element.count * len(element.properties) > len(values) - place:
            raise _too_short(element)
        place = _read_rows(values, place, element)
    if place != len(values):
        raise ValueError(
            f"expected {place} numbers behind the PLY file's header, as it says; received "
            f"{len(values)}"
        )


def _read_rows(values: np.ndarray, place: int, element: Element) -> int:
    """Fills the columns from numbers at a place; returns where they end."""
    lists = [one for one in element.properties if one.count_dtype is not None]
    if not lists:
        width = len(element.properties)
        rows = values[place : place + element.count * width].reshape(element.count, width)
        element.columns = {one.name: rows[:, i] for i, one in enumerate(element.properties)}
        return place + rows.size
    if element.count and (end := _read_alike(values, place, element)):
        return end
    return _read_one_by_one(values, place, element)


def _read_alike(values: np.ndarray, place: int, element: Element) -> int | None:
    """Fills the columns if the lists of all rows are as long as those of the first, else None."""
    offsets, at = [], place
    for one in element.properties:
        offsets.append(at - place)
        if one.count_dtype is None:
            at += 1
            continue
        if at >= len(values) or not 0 <= values[at] <= len(values):
            return None
        at += 1 + int(values[at])
    width = at - place
    if place + element.count * width > len(values):
        return None
    rows = values[place : place + element.count * width].reshape(element.count, width)
    counted = [
        (one, offset)
        for one, offset in zip(element.properties, offsets, strict=True)
        if one.count_dtype is not None
    ]
    if any((rows[:, offset] != rows[0, offset]).any() for _, offset in counted):
        return None
    for one, offset in zip(element.properties, offsets, strict=True):
        if one.count_dtype is None:
            element.columns[one.name] = rows[:, offset]
        else:
            length = int(rows[0, offset])
            lengths = np.full(element.count, length, np.int64)
            element.columns[one.name] = (lengths, rows[:, offset + 1 : offset + 1 + length].ravel())
    return place + rows.size


def _read_one_by_one(values: np.ndarray, place: int, element: Element) -> int:
    """Fills the columns where lists differ in length."""
    numbers_of: dict[str, list] = {one.name: [] for one in element.properties}
    spans: dict[str, list] = {one.name: [] for one in element.properties}
    is_list = [(one.name, one.count_dtype is not None) for one in element.properties]
    total = len(values)
    for _ in range(element.count):
        for name, listed in is_list:
            if place >= total:
                raise _too_short(element)
            value = values[place]
            place += 1
            if not listed:
                numbers_of[name].append(value)
                continue
            if not 0 <= value <= total - place or value != int(value):
                raise _too_short(element)
            spans[name].append((place, int(value)))
            place += int(value)
    for name, listed in is_list:
        if listed:
            at, lengths = np.array(spans[name], np.int64).reshape(-1, 2).T
            element.columns[name] = (lengths, values[_spread(at, lengths)])
        else:
            element.columns[name] = np.array(numbers_of[name], np.float64)
    return place


def _spread(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Returns the places of spans, end to end."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths)


def _read_binary(body: memoryview, elements: list[Element]) -> None:
    place = 0
    for element in elements:
        least = sum((one.count_dtype or one.dtype).itemsize for one in element.properties)
        if element.count * least > len(body) - place:
            raise _too_short(element)
        if not element.count or not element.properties:
            continue
        place = _read_binary_alike(body, place, element) or _read_binary_one_by_one(
            body, place, element
        )


def _read_binary_alike(body, place: int, element: Element) -> int | None:
    """Fills the columns if the lists of all rows are as long as those of the first, else None."""
    fields: list[tuple] = []
    at, lengths = place, {}
    for number, one in enumerate(element.properties):
        dtype = one.dtype
        if one.count_dtype is None:
            fields.append((f"value{number}", dtype))
            at += dtype.itemsize
            continue
        count_dtype = one.count_dtype
        if at + count_dtype.itemsize > len(body):
            return None
        length = int(np.frombuffer(body, count_dtype, 1, at)[0])
        if not 0 <= length <= len(body):
            return None
        lengths[number] = length
        fields += [(f"count{number}", count_dtype), (f"value{number}", dtype, (length,))]
        at += count_dtype.itemsize + length * dtype.itemsize
    size = at - place
    if place + element.count * size > len(body):
        return None
    rows = np.frombuffer(body, np.dtype(fields), element.count, place)
    if any((rows[f"count{number}"] != length).any() for number, length in lengths.items()):
        return None
    for number, one in enumerate(element.properties):
        values = rows[f"value{number}"]
        if number in lengths:
            counts = np.full(element.count, lengths[number], np.int64)
            element.columns[one.name] = (counts, values.reshape(-1))
        else:
            element.columns[one.name] = values
    return place + element.count * size


def _read_binary_one_by_one(body, place: int, element: Element) -> int:
    """Fills the columns where lists differ in length: finds each row's place, then reads all."""
    places: dict[str, list[int]] = {one.name: [] for one in element.properties}
    counts: dict[str, list[int]] = {one.name: [] for one in element.properties}
    steps = []
    for one in element.properties:
        size = 0 if one.count_dtype is None else one.count_dtype.itemsize
        signed = one.count_dtype is not None and one.count_dtype.kind == "i"
        steps.append((places[one.name], counts[one.name], size, signed, one.dtype.itemsize))
    is_big = any(
        one.count_dtype is not None and one.count_dtype.str[0] == ">" for one in element.properties
    )  # A count of one byte has no order.
    is_big = is_big or any(one.dtype.str[0] == ">" for one in element.properties)
    total = len(body)
    for _ in range(element.count):
        for at, lengths, count_size, signed, size in steps:
            length = 1
            if count_size:
                count = body[place : place + count_size]
                length = int.from_bytes(count, "big" if is_big else "little", signed=signed)
                place += count_size
            if length < 0 or place + length * size > total:
                raise _too_short(element)
            at.append(place)
            lengths.append(length)
            place += length * size
    raw = np.frombuffer(body, np.uint8)
    for one in element.properties:
        starts, own = np.array(places[one.name]), np.array(counts[one.name], np.int64)
        values = raw[_spread(starts, own * one.dtype.itemsize)].view(one.dtype)
        element.columns[one.name] = values if one.count_dtype is None else (own, values)
    return place
