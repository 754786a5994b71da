"""The material of a part of a mesh's surface: a colour, a texture, an opacity."""

import dataclasses

import numpy as np

# A texture outside [0, 1] repeats, or its border goes on.
WRAPS = ("repeat", "clamp")


@dataclasses.dataclass(frozen=True, eq=False)
class Material:
    """The surface of the faces that name it.

    A point's colour is the product of the material's colour, its texture there and the mesh's own
    colours there, taken in linear light (IEC 61966-2-1); see `tf_softras.geometry.surfaces`.

    Attributes:
        color: three floats in [0, 1], sRGB.
        texture: uint8 `[height, width, 3]`, sRGB, row 0 is the top, where v is 1; or with a fourth
            channel, opacity (255 is opaque), straight colours; or None.
        opacity: float in [0, 1]; 1 hides what is behind. The texture's opacity multiplies it.
        alpha_cutoff: None, or a float in [0, 1]: points of less opacity are left out, all others
            are opaque (glTF's mode MASK).
        wrap: "repeat" or "clamp": the texture outside [0, 1].
        name: the material's name in its file.

    Raises:
        ValueError: A value is not as above.
    """

    color: tuple[float, float, float] = (1.0, 1.0, 1.0)
    texture: np.ndarray | None = None
    opacity: float = 1.0
    alpha_cutoff: float | None = None
    wrap: str = "repeat"
    name: str = ""

    def __post_init__(self):
        """Checks the values and freezes a copy of the texture."""
        color = tuple(float(value) for value in np.ravel(np.asarray(self.color, np.float64)))
        if len(color) != 3 or not all(0.0 <= value <= 1.0 for value in color):
            raise ValueError(f"color: expected three values in [0, 1]; received {self.color!r}")
        object.__setattr__(self, "color", color)
        for field in ("opacity", "alpha_cutoff"):
            value = getattr(self, field)
            if value is None and field == "alpha_cutoff":
                continue
            if not 0.0 <= float(value) <= 1.0:
                raise ValueError(f"{field}: expected a number in [0, 1]; received {value!r}")
            object.__setattr__(self, field, float(value))
        if self.wrap not in WRAPS:
            raise ValueError(f"wrap: expected one of {WRAPS}; received {self.wrap!r}")
        if self.texture is not None:
            object.__setattr__(self, "texture", _checked_texture(self.texture))

    @property
    def is_opaque(self) -> bool:
        """Whether every point of the material hides what is behind it."""
        if self.alpha_cutoff == 0.0:
            return True
        return self.opacity == 1.0 and (
            self.texture is None
            or self.texture.shape[-1] == 3
            or bool((self.texture[..., 3] == 255).all())
        )


def _checked_texture(texture) -> np.ndarray:
    """Returns a read-only copy, uint8 `[height, width, 3 or 4]`."""
    copied = np.array(texture)
    if copied.dtype != np.uint8 or copied.ndim != 3 or copied.shape[-1] not in (3, 4):
        raise ValueError(
            "texture: expected uint8 [height, width, 3] or [height, width, 4]; received "
            f"{copied.dtype} {list(copied.shape)}"
        )
    if not copied.size:
        raise ValueError(f"texture: expected texels; received an empty {list(copied.shape)}")
    copied.setflags(write=False)
    return copied
