"""Fixed faces of meshes, as layers and losses are given them."""

import numpy as np

from tf_softras._shared.array_text import array_from_text


def standardize_faces(faces, *, is_padded=False, is_batched=False):
    """Returns fixed faces as an int32 array.

    Args:
        faces: Integers [num_faces, 3]: NumPy array, nested lists, an eager tensor; or the text of a
            configuration (`array_to_text`).
        is_padded: Whether faces of three -1 are taken, which stand for no face.
        is_batched: Whether [batch, num_faces, 3] is taken, too.

    Returns:
        int32 NumPy array of that shape; [0, 3] for an empty list.

    Raises:
        ValueError: Other values or shapes, or a tensor whose values are not known yet.
    """
    shapes = "[num_faces, 3]" + " or [batch, num_faces, 3]" * is_batched
    if isinstance(faces, str):
        faces = array_from_text(faces)
    try:
        array = np.asarray(faces)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise ValueError(
            f"faces: expected known integers {shapes}; received {type(faces).__name__}"
        ) from error
    if array.size == 0 and array.ndim == 1:
        array = array.reshape(0, 3).astype(np.int32)
    is_of_shape = array.ndim in ((2, 3) if is_batched else (2,)) and array.shape[-1] == 3
    if not is_of_shape or array.dtype.kind not in "iu":
        kind = type(faces).__name__ if array.dtype == object else array.dtype
        raise ValueError(f"faces: expected integers {shapes}; received {kind} {list(array.shape)}")
    lowest, highest = array.min(initial=0), array.max(initial=0)
    if not (-1 if is_padded else 0) <= lowest <= highest < 2**31:
        padding = ", or three of -1 in a padded face" if is_padded else ""
        raise ValueError(
            f"faces: expected vertex indices from 0 to 2**31 - 1{padding}; received indices from "
            f"{lowest} to {highest}"
        )
    missing = array < 0
    if (missing.any(axis=-1) != missing.all(axis=-1)).any():
        raise ValueError("faces: expected three of -1 in a padded face; received a face with fewer")
    return array.astype(np.int32)
