"""Shaded pictures of meshes.

Colours are those of the mesh's surface (`tf_softras.geometry.surfaces`), sRGB, and are shaded as
they stand, as the common viewers of ShapeNet do: a picture holds `colour * light`, with no
conversion to linear light. Light is that of flat, two-sided faces. It is part ambient, part from
the camera and part from above, and never exceeds 1, so no colour is clipped.
"""

import numpy as np

from tf_softras.geometry import Mesh, clip_to_near
from tf_softras.geometry._image_size import standardize_image_size
from tf_softras.geometry.cameras import N3MR_VIEWING_ANGLE, look_at, perspective
from tf_softras.geometry.mesh import check_mesh
from tf_softras.ops import rasterize_faces
from tf_softras.rendering._glass import lay_glass_over
from tf_softras.rendering._surface import Surface

# They sum to 1: a face that looks at the camera and up is as bright as its colour.
_AMBIENT_LIGHT = 0.45
_CAMERA_LIGHT = 0.35
_SKY_LIGHT = 0.2

# Faces are cut at this share of the eye's distance from the point it looks at: near enough that
# nothing visible is lost, and the cut corners keep enough digits on the image plane.
_NEAR_SHARE = 1e-3

# Views are drawn together up to this many samples: about 100 MB of face indices and depths.
_SAMPLES_AT_ONCE = 1 << 22


def render_views(
    mesh: Mesh,
    eyes,
    *,
    image_size=64,
    supersampling: int = 4,
    viewing_angle: float = N3MR_VIEWING_ANGLE,
    background=None,
    up=(0.0, 1.0, 0.0),
) -> np.ndarray:
    """Returns uint8 `[num_views, height, width, 4]`: pictures of a mesh from cameras at `eyes`.

    The cameras look at the origin with +y up (`cameras.look_at`). A face that reaches behind a
    camera is cut at a thousandth of the eye's distance from the origin: the floor and the walls of
    a room keep their visible part.

    A pixel is the box filter of `supersampling`^2 samples: alpha is the mean of their opacities (of
    an opaque mesh: the share of them that hit it), the colour is their mean by opacity (straight,
    not premultiplied), and 0 where alpha is 0. Textures are mip-mapped. Faces that are not opaque
    are blended over what lies behind them, in the order of depth at each sample. With a
    `background` the picture is composited on it and alpha is 255 everywhere.

    Args:
        mesh: the mesh, world space.
        eyes: float `[num_views, 3]`, world space, none of them at the origin.
        image_size: an int for square pictures, or (height, width), in pixels.
        supersampling: samples along each side of a pixel.
        viewing_angle: HALF of the angle of view across the shorter image side, in degrees.
        up: float `[3]` or `[num_views, 3]`: the direction that is up in the pictures; give
            `up_from_angles` for eyes straight above or below the origin.
        background: None, or an RGB colour of three values in [0, 1].

    Raises:
        TypeError: `mesh` is no `Mesh`.
        ValueError: an argument is out of range or of the wrong shape.
    """
    check_mesh(mesh)
    eyes = _checked_eyes(eyes)
    up = _checked_up(up, eyes)
    height, width = standardize_image_size(image_size)
    if supersampling < 1:
        raise ValueError(
            "supersampling: expected at least 1 sample along a side of a pixel; "
            f"received {supersampling}"
        )
    samples = height * width * supersampling**2
    at_once = max(1, _SAMPLES_AT_ONCE // samples)
    images = np.empty((len(eyes), height, width, 4), np.uint8)
    surface = Surface(mesh)
    for first in range(0, len(eyes), at_once):
        views = slice(first, first + at_once)
        drawn = _samples(
            mesh,
            surface,
            eyes[views],
            up[views],
            image_size=(height * supersampling, width * supersampling),
            supersampling=supersampling,
            viewing_angle=viewing_angle,
        )
        colors, coverage = _filtered(drawn, supersampling)
        if background is not None:
            colors = colors * coverage + _checked_color(background) * (1.0 - coverage)
            coverage = np.ones_like(coverage)
        images[views] = np.rint(255.0 * np.concatenate([colors, coverage], axis=-1))
    return images


def _checked_eyes(eyes) -> np.ndarray:
    eyes = np.asarray(eyes, np.float32)
    if eyes.ndim != 2 or eyes.shape[1] != 3:
        raise ValueError(f"shape of eyes: expected [num_views, 3]; received {list(eyes.shape)}")
    if not np.isfinite(eyes).all() or not eyes.any(axis=1).all():
        raise ValueError(
            "eyes: expected finite positions away from the origin, which the cameras look "
            f"at; received {eyes[~(np.isfinite(eyes).all(axis=1) & eyes.any(axis=1))][0].tolist()}"
        )
    return eyes


def _checked_up(up, eyes: np.ndarray) -> np.ndarray:
    """Returns up vectors, one an eye."""
    up = np.asarray(up, np.float32)
    if up.shape not in ((3,), eyes.shape) or not np.isfinite(up).all():
        raise ValueError(
            f"up: expected finite floats of shape [3] or {list(eyes.shape)}; "
            f"received shape {list(up.shape)}"
        )
    return np.broadcast_to(up, eyes.shape)


def _in_front(mesh: Mesh, vertices, eyes: np.ndarray):
    """Returns the mesh as the cameras at `eyes` see it, without what lies behind them.

    Only faces that reach behind one of the cameras are cut; all others keep their vertices, so that
    a picture without such a face is the same to the last bit.

    Args:
        mesh: the mesh.
        vertices: float32 `[num_views, num_vertices, 3]`, its vertices in camera space.
        eyes: float32 `[num_views, 3]`.

    Returns:
        vertices: float32 `[num_views, num_corners, 3]`, camera space in units of their own a view.
        faces: int32 `[num_drawn, 3]`, in the order of the mesh's faces.
        owners: int32 `[num_drawn]`, the face of the mesh that each of them is a part of.
    """
    distances = np.linalg.norm(eyes, axis=1)[:, None]
    is_behind = vertices.numpy()[..., 2] < _NEAR_SHARE * distances
    owners = np.arange(len(mesh.faces), dtype=np.int32)
    reaches = is_behind.any(axis=0)[mesh.faces].any(axis=1)
    if not reaches.any():
        return vertices, mesh.faces, owners
    # The distance becomes a number between 1 and 2 in every view. A power of 2 costs no digit, and
    # perspective does not depend on the unit.
    unit = np.exp2(np.floor(np.log2(distances)))[..., None]
    vertices = vertices.numpy() / unit
    cut = clip_to_near(vertices, mesh.faces[reaches], near=_NEAR_SHARE)
    vertices = np.concatenate([vertices, cut.vertices], axis=1)
    faces = np.concatenate([mesh.faces[~reaches], cut.faces + len(mesh.vertices)])
    # `clip_to_near` makes two faces of one. In the mesh's order the first of equals stays the same.
    owners = np.concatenate([owners[~reaches], np.repeat(owners[reaches], 2)])
    order = np.argsort(owners, kind="stable")
    return vertices, faces[order], owners[order]


def _checked_color(color) -> np.ndarray:
    color = np.asarray(color, np.float32)
    if color.shape != (3,) or not ((color >= 0.0) & (color <= 1.0)).all():
        raise ValueError(f"background: expected three values in [0, 1]; received {color}")
    return color


def _samples(
    mesh: Mesh, surface: Surface, eyes, up, *, image_size, supersampling, viewing_angle
) -> np.ndarray:
    """Returns float32 `[num_views, height, width, 4]`: colour times opacity, and opacity."""
    seen = look_at(mesh.vertices, eyes, up=up)
    vertices, faces, owners = _in_front(mesh, seen, eyes)
    is_opaque = ~surface.is_clear[owners]
    if not is_opaque.all():
        faces, owners = faces[is_opaque], owners[is_opaque]
    drawn, depth = rasterize_faces(
        perspective(vertices, viewing_angle=viewing_angle), faces, image_size=image_size
    )
    # Samples without a face have index -1; it takes the last owner, which is -1 too.
    face_index = np.append(owners, -1).take(drawn.numpy(), mode="wrap")
    light = _light(mesh, eyes)
    # The last row is 0; index -1 of an empty sample takes it.
    table = np.zeros((len(eyes), len(mesh.faces) + 1, 4), np.float32)
    table[:, :-1, :3] = light[..., None] * surface.flat_colors
    table[:, :-1, 3] = 1.0
    # A view at a time: `take` is several times as fast as indexing with two arrays.
    samples = np.empty((*face_index.shape, 4), np.float32)
    for rows, index, view in zip(table, face_index, samples, strict=True):
        rows.take(index, axis=0, mode="wrap", out=view)
    slope = np.tan(np.radians(viewing_angle))
    seen = seen.numpy()
    _color_varied(
        samples,
        mesh,
        surface,
        seen,
        light,
        face_index,
        slope=slope,
        supersampling=supersampling,
    )
    if surface.is_clear.any():
        clear = np.flatnonzero(surface.is_clear)
        # `_in_front` may have changed the unit of a view.
        unit = np.linalg.norm(eyes, axis=1)
        far = np.where(drawn.numpy() >= 0, depth.numpy(), np.inf)
        if vertices.shape[1] != seen.shape[1]:
            far *= np.exp2(np.floor(np.log2(unit)))[:, None, None]
        for view in range(len(eyes)):
            lay_glass_over(
                samples[view],
                far[view],
                seen[view][mesh.faces[clear]].astype(np.float64),
                clear,
                light[view, clear],
                surface,
                slope=slope,
                near=_NEAR_SHARE * float(unit[view]),
            )
    return samples


def _color_varied(samples, mesh, surface, seen, light, face_index, *, slope, supersampling) -> None:
    """Colours the samples of faces that have more than one colour, in place.

    A pixel that shows one face is coloured once, at its centre. At borders of faces each sample is
    coloured. In both cases the pixel's size chooses the level of a texture, as on graphics cards.
    """
    varied = np.append(surface.is_varied & ~surface.is_clear, False)
    if not varied.any():
        return
    num_views, height, width = face_index.shape
    step = 2.0 * slope / min(height, width)

    def colored(view, face, row, column):
        """Returns the lit colours of faces at places, which may lie between samples."""
        directions = np.stack(
            [(column - (width - 1) / 2.0) * step, ((height - 1) / 2.0 - row) * step], axis=-1
        )

        def corners(part):
            return seen[view[part, None], mesh.faces[face[part]]].astype(np.float64)

        colors = surface.colors(corners, face, directions, spacing=step * supersampling)
        return colors[:, :3] * light[view, face, None]

    blocks = face_index.reshape(
        num_views, height // supersampling, supersampling, width // supersampling, supersampling
    )
    first = blocks[:, :, 0, :, 0]
    is_alike = (blocks == first[:, :, None, :, None]).all(axis=(2, 4))
    view, row, column = np.nonzero(is_alike & varied[first])
    if len(view):
        middle = (supersampling - 1) / 2.0
        rows, columns = row * supersampling, column * supersampling
        colors = colored(view, first[view, row, column], rows + middle, columns + middle)
        for down in range(supersampling):
            for across in range(supersampling):
                samples[view, rows + down, columns + across, :3] = colors
    mixed = np.broadcast_to(~is_alike[:, :, None, :, None], blocks.shape).reshape(face_index.shape)
    view, row, column = np.nonzero(mixed & varied[face_index])
    if len(view):
        samples[view, row, column, :3] = colored(view, face_index[view, row, column], row, column)


def _light(mesh: Mesh, eyes: np.ndarray) -> np.ndarray:
    """Returns float32 `[num_views, num_faces]` in [0, 1]: the light that each camera sees."""
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    normals = _unit(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
    to_eye = _unit(eyes[:, None, :] - corners.mean(axis=1))
    facing = np.einsum("vfx,fx->vf", to_eye, normals)
    # The side that faces the camera is lit, whatever the winding in the file.
    upward = np.where(facing < 0.0, -normals[:, 1], normals[:, 1])
    return (
        _AMBIENT_LIGHT + _CAMERA_LIGHT * np.abs(facing) + _SKY_LIGHT * np.maximum(upward, 0.0)
    ).astype(np.float32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Returns vectors `[..., 3]` at length 1, or 0 where they are 0."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length == 0.0, 1.0, length)


def _filtered(samples: np.ndarray, supersampling: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns straight colours `[v, h, w, 3]` and opacity `[v, h, w, 1]`, box-filtered samples."""
    num_views, height, width, _ = samples.shape
    total = np.zeros((num_views, height // supersampling, width // supersampling, 4), np.float32)
    for row in range(supersampling):
        for column in range(supersampling):
            total += samples[:, row::supersampling, column::supersampling]
    hits = total[..., 3:]
    colors = total[..., :3] / np.where(hits > 0.0, hits, 1.0)
    return colors, hits / np.float32(supersampling**2)
