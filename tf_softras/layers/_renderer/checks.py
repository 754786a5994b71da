"""Checks of what `Renderer` is made with and called with; each raises a ValueError."""

import numpy as np

from tf_softras._shared.array_text import array_from_text
from tf_softras.layers._call_inputs import numbers

# Half precision rounds by 5e-4.
_ROUNDING = 1e-3


def checked_face_uvs(face_uvs, num_faces):
    """Returns float32 `[num_faces, 3, 2]` of an array or its text; `num_faces` may be None."""
    array = np.asarray(_of_text(face_uvs), np.float32)
    expected = None if num_faces is None else (num_faces, 3, 2)
    if array.shape != expected:
        raise ValueError(
            "face_uvs: expected fixed faces and floats of shape (num_faces, 3, 2)"
            f"{'' if expected is None else f', here {expected}'}; received shape {array.shape}"
            f"{' and faces=None' if expected is None else ''}"
        )
    return array


def checked_face_textures(face_textures, face_uvs):
    """Returns int32 `[num_faces]` of an array or its text, none below -1."""
    array = np.asarray(_of_text(face_textures))
    expected = None if face_uvs is None else (len(face_uvs),)
    if array.shape != expected or array.dtype.kind not in "iu" or (array < -1).any():
        raise ValueError(
            "face_textures: expected face_uvs, and for each face the index of a texture, or -1, as "
            f"integers of shape {'(num_faces,)' if expected is None else expected}; received "
            f"{array.dtype} of shape {array.shape}{'' if face_uvs is not None else ' alone'}"
        )
    return array.astype(np.int32)


def checked_supersampling(supersampling):
    """Returns a positive int."""
    if isinstance(supersampling, bool) or supersampling != int(supersampling) or supersampling < 1:
        raise ValueError(f"supersampling: expected a positive int; received {supersampling!r}")
    return int(supersampling)


def checked_background(background):
    """Returns three floats in [0, 1], or None."""
    if background is None:
        return None
    color = numbers("background", background, (3,))
    # A colour that was computed may be beside 1 by a rounding.
    if not all(-_ROUNDING <= value <= 1.0 + _ROUNDING for value in color):
        raise ValueError(
            f"background: expected floats in [0, 1]; received {background!r}. Divide colours of 0 "
            "to 255 by 255.0"
        )
    return color


def checked_range(near, far):
    """Returns the depths near and far as floats, 0 < near < far."""
    depths = numbers("near", near, ()), numbers("far", far, ())
    if not 0.0 < depths[0] < depths[1]:
        raise ValueError(
            f"near and far: expected depths 0 < near < far; received near={near!r}, far={far!r}"
        )
    return depths


def check_colors(colors, num_vertices, num_faces):
    """Checks that there is a colour for each vertex, or for each corner of each face."""
    shape = tuple(colors.shape)
    if not _fits(shape[1:], (num_vertices, 3)) and not _fits(shape[1:], (num_faces, 3, 3)):
        raise ValueError(
            f"colors: expected shape [batch, {num_vertices}, 3], a colour for each vertex, or "
            f"[batch, {num_faces}, 3, 3], one for each corner of each face; received {list(shape)}"
        )


def check_textures(textures, face_textures):
    """Checks that there is one texture an item, or as many as `face_textures` names."""
    shape = tuple(textures.shape)
    several = () if face_textures is None else (None,)
    if not _fits(shape[1:], (*several, None, None, 3)):
        raise ValueError(
            f"textures: expected shape [batch, {'num_textures, ' if several else ''}height, width, "
            f"3]; received {list(shape)}"
        )
    if several:
        last = face_textures.max(initial=-1)
        if shape[1] is None or last >= shape[1]:
            raise ValueError(
                f"textures: expected a known number, at least {last + 1}, because face_textures "
                f"names that many; received {list(shape)}"
            )


def _of_text(values):
    return array_from_text(values) if isinstance(values, str) else values


def _fits(shape, expected):
    """Returns whether shapes may be the same; None is any size."""
    return len(shape) == len(expected) and all(
        None in (size, other) or size == other for size, other in zip(shape, expected, strict=True)
    )
