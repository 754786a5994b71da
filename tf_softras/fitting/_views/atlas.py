"""Makes a texture atlas for a fitted mesh and colours it from all pictures."""

import functools

import numpy as np
import tensorflow as tf

from tf_softras._shared.extras import needs
from tf_softras.fitting._views.texture_pixels import (
    image_plane,
    nearest_surface,
    surface_pixels,
)
from tf_softras.geometry import (
    Material,
    Mesh,
    linear_from_srgb,
    srgb_from_linear,
    vertex_normals,
)
from tf_softras.ops import rasterize_faces
from tf_softras.shading import sample_texture

# Texels between charts. Charts this far apart show no seam after mip-mapping.
_PADDING = 4
# The smallest cosine at which a view of a surface counts for its colour.
_LEAST_FACING = 0.15
# A point is visible if it lies at most this far behind the nearest face. The object's size is 1.
_DEPTH_TOLERANCE = 0.012
_VIEWS_A_STEP = 4
# Rounds in which coloured vertices give their colours to neighbours without one.
_SPREADING = 50
# A texel counts as shown if a step's views weigh it with at least this share of a pixel.
_LEAST_REACH = 1e-3
# Pixels that hardly show a texel may contradict one another, so such a texel takes only a part of
# their correction. A texel shown as much as the median one takes half.
_DAMPING = 1.0
# The share of a step's correction that is applied, because other views pull elsewhere.
_RELAXATION = 0.7


def textured(mesh, crops, *, texture_size, steps=40, seed=0) -> Mesh:
    """Returns the mesh with a texture made from the pictures.

    Every texel begins as the weighted mean of the pixels that show it; frontal views weigh more.
    Then the texture is drawn with mip-mapping, and corrected by the difference from the pictures.
    Texels that no picture shows, and the padding around charts, get their neighbours' colours.

    Args:
        mesh: A `Mesh` in the frame of the crops.
        crops: `Crops`.
        texture_size: Texels along a side.
        steps: The number of corrections after the mean.
        seed: Seed of the order of the views.

    Raises:
        ImportError: xatlas is not installed.
    """
    vertices, faces = mesh.vertices, mesh.faces
    uvs = _unwrapped(mesh, texture_size)
    texel_faces, positions, normals = _texels(vertices, faces, uvs, texture_size)
    colors, weights = _mean_colors(mesh, crops, positions, normals)
    seen = np.zeros((texture_size, texture_size), np.float32)
    texture = np.zeros((texture_size, texture_size, 3), np.float32)
    seen[texel_faces >= 0] = weights > 0.0
    texture[texel_faces >= 0] = colors
    texture = _filled(texture, seen)
    texture, shown = _refined(texture, texel_faces >= 0, vertices, faces, uvs, crops, steps, seed)
    # Texels that no picture shows, and the padding, follow the refined texels. A texel without a
    # mean may still be shown, by pixels that see its face at a slant or through a fold.
    texture = _filled(texture, np.maximum(seen, shown))
    encoded = np.asarray(srgb_from_linear(texture.clip(0.0, 1.0)))
    material = Material(texture=np.uint8(np.rint(255.0 * encoded)), wrap="clamp", name="fitted")
    return Mesh(vertices, faces, materials=(material,), uvs=uvs)


def painted(mesh, crops) -> Mesh:
    """Returns the mesh with a colour for each vertex: the mean of the pixels that show it.

    A vertex that no picture shows gets the mean of its neighbours, up to 50 edges away.

    Args:
        mesh: A `Mesh` in the frame of the crops.
        crops: `Crops`.
    """
    normals = np.asarray(vertex_normals(mesh.vertices[None], mesh.faces))[0]
    colors, weights = _mean_colors(mesh, crops, mesh.vertices.astype(np.float64), normals)
    known = weights > 0.0
    sides = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
    sides = np.concatenate([sides, sides[:, ::-1]])
    for _ in range(_SPREADING):
        given = sides[known[sides[:, 1]] & ~known[sides[:, 0]]]
        if not len(given):
            break
        total, count = np.zeros_like(colors), np.zeros(len(colors))
        np.add.at(total, given[:, 0], colors[given[:, 1]])
        np.add.at(count, given[:, 0], 1.0)
        reached = count > 0
        colors[reached] = total[reached] / count[reached, None]
        known |= reached
    colors[~known] = colors[known].mean(axis=0) if known.any() else 0.5
    encoded = np.asarray(srgb_from_linear(colors.clip(0.0, 1.0)))
    return Mesh(mesh.vertices, mesh.faces, vertex_colors=encoded.clip(0.0, 1.0))


def _unwrapped(mesh, texture_size):
    """Returns the texture coordinates of the faces' corners, float32 `[num_faces, 3, 2]`."""
    with needs("fit", "A texture"):
        import xatlas
    normals = np.asarray(vertex_normals(mesh.vertices[None], mesh.faces))[0]
    atlas = xatlas.Atlas()
    atlas.add_mesh(
        np.ascontiguousarray(mesh.vertices),
        np.ascontiguousarray(mesh.faces, np.uint32),
        np.ascontiguousarray(normals, np.float32),
    )
    chart = xatlas.ChartOptions()
    chart.max_cost = 4.0
    chart.max_iterations = 1
    pack = xatlas.PackOptions()
    pack.resolution, pack.padding, pack.bilinear = texture_size, _PADDING, True
    atlas.generate(chart, pack)
    # The faces are those of the mesh, in their order; vertices are split at seams.
    _, faces, uvs = atlas[0]
    return uvs[faces].astype(np.float32)


def _texels(vertices, faces, uvs, size):
    """Returns the face of each texel `[size, size]`, and points and normals of texels with one."""
    corners = uvs.reshape(-1, 2)
    plane = np.concatenate([2.0 * corners - 1.0, np.ones((len(corners), 1))], axis=1)
    index = np.arange(len(corners), dtype=np.int32).reshape(-1, 3)
    normals = np.asarray(vertex_normals(vertices[None], faces))[0]
    attributes = np.concatenate([vertices[faces], normals[faces]], axis=-1).reshape(1, -1, 6)
    plane = tf.constant(plane[None], tf.float32)
    image = nearest_surface(plane, index, tf.constant(attributes, tf.float32), size)
    face_index, _ = rasterize_faces(plane, index, image_size=size)
    face_index = face_index.numpy()[0]
    values = image.numpy()[0][face_index >= 0]
    length = np.linalg.norm(values[:, 3:], axis=1, keepdims=True)
    return face_index, values[:, :3], values[:, 3:] / np.maximum(length, 1e-9)


def _mean_colors(mesh, crops, positions, normals):
    """Returns linear colours `[texels, 3]` and the sums of the weights of their views."""
    total = np.zeros((len(positions), 3))
    weights = np.zeros(len(positions))
    for view in range(len(crops)):
        one = crops.take([view])
        depth = _depth(mesh, one)
        camera = positions @ one.rotations[0].T + one.translations[0]
        z = camera[:, 2]
        pixels = (camera / np.maximum(z, 1e-6)[:, None]) @ one.intrinsics[0].T
        facing = np.sum((one.eyes[0] - positions) * normals, axis=1)
        facing /= np.linalg.norm(one.eyes[0] - positions, axis=1)
        inside = (pixels[:, :2] >= 0.5).all(1) & (pixels[:, :2] <= one.size - 0.5).all(1)
        candidate = inside & (z > 0) & (facing > _LEAST_FACING)
        chosen = np.flatnonzero(candidate)
        column, row = pixels[chosen, 0] - 0.5, pixels[chosen, 1] - 0.5
        near_depth = depth[np.rint(row).astype(int), np.rint(column).astype(int)]
        seen = (near_depth > 0) & (z[chosen] <= near_depth + _DEPTH_TOLERANCE)
        chosen, column, row = chosen[seen], column[seen], row[seen]
        picture = _linear_picture(one)[0]
        sampled = _bilinear(picture, row, column)
        weight = facing[chosen] ** 2 * (sampled[:, 3] > 0.95)
        total[chosen] += weight[:, None] * sampled[:, :3] / np.maximum(sampled[:, 3:], 1e-6)
        weights[chosen] += weight
    return total / np.maximum(weights, 1e-9)[:, None], weights


def _linear_picture(crops):
    """Returns linear colours times alpha, and alpha, float32 `[views, size, size, 4]`."""
    square = crops.pictures.astype(np.float32) / 255.0
    alpha = square[..., 3:]
    return np.concatenate([np.asarray(linear_from_srgb(square[..., :3])) * alpha, alpha], axis=-1)


def _bilinear(picture, row, column):
    top, left = np.floor(row).astype(int), np.floor(column).astype(int)
    down, right = (row - top)[:, None], (column - left)[:, None]
    below = np.minimum(top + 1, picture.shape[0] - 1)
    beside = np.minimum(left + 1, picture.shape[1] - 1)
    upper = (1 - right) * picture[top, left] + right * picture[top, beside]
    lower = (1 - right) * picture[below, left] + right * picture[below, beside]
    return (1 - down) * upper + down * lower


def _depth(mesh, crops):
    """Returns the nearest depth at the pixels of one view, 0 where there is none."""
    face_index, depth = rasterize_faces(
        image_plane(mesh.vertices, crops), mesh.faces, image_size=crops.size
    )
    return np.where(face_index.numpy()[0] >= 0, depth.numpy()[0], 0.0)


def _filled(texture, known):
    """Returns a texture whose unknown texels have the colours of known ones near by.

    Known texels are averaged at half the size, a quarter and so on. An unknown texel takes the
    finest average that holds a known one.
    """
    size = texture.shape[0]
    weights = known[..., None].astype(np.float32)
    if size == 1:
        return texture
    half = size // 2
    blocks = (texture * weights)[: 2 * half, : 2 * half].reshape(half, 2, half, 2, -1)
    counts = weights[: 2 * half, : 2 * half].reshape(half, 2, half, 2, 1)
    sums, count = blocks.sum((1, 3)), counts.sum((1, 3))
    coarse = _filled(sums / np.maximum(count, 1e-6), (count[..., 0] > 0).astype(np.float32))
    index = np.minimum(np.arange(size) // 2, half - 1)
    return np.where(weights > 0, texture, coarse[index][:, index])


def _refined(texture, painted, vertices, faces, uvs, crops, steps, seed):
    """Returns the texture after some steps towards the pictures, and which texels they show.

    A step adds to each texel the weighted mean difference of the pixels that show it (simultaneous
    iterative reconstruction), so there is no step size to choose.

    Mesh and cameras do not move. Each step draws the texture coordinates and their slopes once, for
    its own views.
    """
    shown = np.zeros(texture.shape[:2], bool)
    corners = vertices[faces].reshape(-1, 3)
    face_uvs = tf.constant(uvs[None])
    backprojected = _compiled_backprojection(crops.size, len(texture))
    random = np.random.default_rng(seed)
    order: list[int] = []
    for step in range(steps):
        if not order:
            order = list(random.permutation(len(crops)))
        views = [order.pop() for _ in range(min(_VIEWS_A_STEP, len(order)))]
        some = crops.take(views)
        linear = _linear_picture(some)
        target = linear[..., :3] / np.maximum(linear[..., 3:], 1e-6)
        weight = (linear[..., 3] > 0.99) & some.valid
        found = backprojected(
            tf.constant(texture, tf.float32),
            face_uvs,
            image_plane(corners, some),
            tf.constant(target, tf.float32),
            tf.constant(weight, tf.float32),
        )
        residual, reached = (one.numpy() for one in found)
        shown |= painted & (reached > _LEAST_REACH)
        typical = np.median(reached[painted & (reached > _LEAST_REACH)]) if shown.any() else 1.0
        change = residual / (reached[..., None] + _DAMPING * typical + 1e-6)
        change = np.where(painted[..., None], change, 0.0)
        texture = (texture + _RELAXATION * (1.0 - 0.9 * step / steps) * change).clip(0.0, 1.0)
    return texture.astype(np.float32), shown


@functools.lru_cache(maxsize=16)
def _compiled_backprojection(size, texture_size):
    """Returns the graph of one correction of a texture; it serves all meshes.

    The graph returns the sum of differences at each texel, and how many pixels show the texel.
    """

    def backprojected(texture, face_uvs, plane, target, weight):
        pixels = surface_pixels(plane, face_uvs, size)
        hit = pixels.hit * weight[..., None]
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(texture)
            drawn = sample_texture(texture, pixels.uv, wrap="clamp", uv_derivatives=pixels.change)
        residual = tape.gradient(drawn, texture, output_gradients=hit * (target - drawn))
        reached = tape.gradient(drawn, texture, output_gradients=hit * tf.ones_like(drawn))
        return residual, reached[..., 0]

    shapes = [(texture_size, texture_size, 3), (1, None, 3, 2), (None, None, 3)]
    shapes += [(None, size, size, 3), (None, size, size)]
    signature = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    return tf.function(backprojected, input_signature=signature, autograph=False)
