"""Reads material libraries (MTL) of OBJ files."""

import dataclasses
import math

import numpy as np
import PIL.Image

from tf_softras.geometry.material import Material
from tf_softras.geometry.mesh_files._reading import Reading

# The colour of a material that gives none: Blender's default.
DEFAULT_COLOR = (0.8, 0.8, 0.8)
# Options of a texture with how many words follow each; of -o, -s and -t one to three numbers do.
_OPTIONS = {
    "-blendu": 1, "-blendv": 1, "-bm": 1, "-boost": 1, "-cc": 1, "-clamp": 1, "-imfchan": 1,
    "-mm": 2, "-texres": 1, "-type": 1,
}  # fmt: skip
_VECTOR_OPTIONS = ("-o", "-s", "-t")


@dataclasses.dataclass
class MtlMaterial:
    """The statements of a material that count here.

    Attributes:
        diffuse: `Kd`, or None.
        opacity: `d`, or 1 - `Tr`, or None.
        texture: the file of `map_Kd`, or None.
        opacity_texture: the file of `map_d`, or None.
        clamp: whether the texture ends at its border.
        scale: `-s` of the texture: texture coordinates are multiplied by it.
        offset: `-o` of the texture: then it is added to them.
    """

    diffuse: tuple[float, float, float] | None = None
    opacity: float | None = None
    texture: str | None = None
    opacity_texture: str | None = None
    clamp: bool = False
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)

    def as_material(self, name: str, reading: Reading) -> Material:
        """Returns the surface, its texture read.

        `Kd` multiplies the texture, as the format has it. A texture without `Kd`, or with a black
        one that would hide it, counts as it is.
        """
        texture = None if self.texture is None else reading.texture_beside(self.texture)
        color = self.diffuse
        if texture is not None and (color is None or color == (0.0, 0.0, 0.0)):
            color = (1.0, 1.0, 1.0)
        if self.opacity_texture is not None and self.opacity_texture != self.texture:
            opacities = reading.texture_beside(self.opacity_texture)
            if opacities is not None:
                texture = _with_opacities(texture, opacities)
                color = color or DEFAULT_COLOR
        return Material(
            color=DEFAULT_COLOR if color is None else color,
            texture=texture,
            opacity=1.0 if self.opacity is None else self.opacity,
            wrap="clamp" if self.clamp else "repeat",
            name=name,
        )


def _with_opacities(texture: np.ndarray | None, opacities: np.ndarray) -> np.ndarray:
    """Returns a texture whose opacity is the brightness of another picture."""
    grey = PIL.Image.fromarray(opacities[..., :3]).convert("L")
    if texture is None:
        texture = np.full((*opacities.shape[:2], 3), 255, np.uint8)
    height, width = texture.shape[:2]
    alpha = np.asarray(grey.resize((width, height), PIL.Image.Resampling.BILINEAR))
    return np.concatenate([texture[..., :3], alpha[..., None]], axis=-1)


def read_mtl(data: bytes) -> dict[str, MtlMaterial]:
    """Returns the materials of a library by name, as it is written behind `newmtl`."""
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")
    materials: dict[str, MtlMaterial] = {}
    current = None
    for line in text.splitlines():
        keyword, *fields = line.split() or [""]
        keyword = keyword.lower()
        if keyword == "newmtl":
            current = materials.setdefault(" ".join(fields), MtlMaterial())
        elif current is not None and fields and not keyword.startswith("#"):
            _read_statement(current, keyword, fields)
    return materials


def _read_statement(material: MtlMaterial, keyword: str, fields: list[str]):
    if keyword == "kd":
        material.diffuse = _color(fields)
    elif keyword == "d":
        values = _numbers(fields[1:] if fields[0] == "-halo" else fields)
        material.opacity = _clipped(values[0]) if values else material.opacity
    elif keyword == "tr":
        values = _numbers(fields)
        # `d` beside it says the same the right way round, and some exporters write Tr wrongly.
        if values and material.opacity is None:
            material.opacity = 1.0 - _clipped(values[0])
    elif keyword == "map_kd":
        material.texture, options = _texture(fields)
        material.clamp = options.get("-clamp", [""])[0].lower() == "on"
        material.scale = _pair(options.get("-s"), 1.0)
        material.offset = _pair(options.get("-o"), 0.0)
    elif keyword == "map_d":
        material.opacity_texture, _ = _texture(fields)


def _color(fields: list[str]) -> tuple[float, float, float] | None:
    """Returns a colour in [0, 1], or None if it makes no sense. One number stands for all three."""
    values = _numbers(fields)
    if len(values) not in (1, 3, 4):
        return None
    red, green, blue = (values * 3)[:3] if len(values) == 1 else values[:3]
    return _clipped(red), _clipped(green), _clipped(blue)


def _numbers(fields: list[str]) -> list[float]:
    """Returns the numbers up to the first word that is none, empty if one is not finite."""
    values = []
    for field in fields:
        try:
            values.append(float(field))
        except ValueError:
            break
    return values if all(map(math.isfinite, values)) else []


def _clipped(value: float) -> float:
    return min(1.0, max(0.0, value))


def _pair(fields: list[str] | None, default: float) -> tuple[float, float]:
    values = _numbers(fields or [])
    u, v = (values + [default] * 2)[:2]
    return u, v


def _texture(fields: list[str]) -> tuple[str | None, dict[str, list[str]]]:
    """Returns the file of a texture, whose name may have spaces, and its options."""
    options: dict[str, list[str]] = {}
    fields = list(fields)
    while len(fields) > 1 and fields[0].lower() in (*_OPTIONS, *_VECTOR_OPTIONS):
        option = fields.pop(0).lower()
        if option in _VECTOR_OPTIONS:
            # The last word is the file, even where it looks like a number.
            count = min(3, len(fields) - 1, len(_leading_numbers(fields)))
        else:
            count = min(_OPTIONS[option], len(fields) - 1)
        options[option], fields = fields[:count], fields[count:]
    name = " ".join(fields).strip('"')
    return name or None, options


def _leading_numbers(fields: list[str]) -> list[str]:
    count = 0
    for field in fields:
        try:
            float(field)
        except ValueError:
            break
        count += 1
    return fields[:count]


def named(materials: dict[str, MtlMaterial], name: str) -> MtlMaterial | None:
    """Returns the material that `usemtl` names, with or without a comment behind either name."""
    if name in materials:
        return materials[name]
    short = name.split(" #", 1)[0]
    if short in materials:
        return materials[short]
    for other, material in materials.items():
        if other.split(" #", 1)[0] == short:
            return material
    return None
