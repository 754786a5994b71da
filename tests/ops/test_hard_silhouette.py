"""The Neural 3D Mesh Renderer's silhouettes and their approximate gradient."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_softras import geometry, layers, losses
from tf_softras.ops import rasterize_faces, soft_rasterize
from tf_softras.ops._library import library
from tf_softras.ops._soft_rasterize_reference import pixel_centres

# Added to the length of every move, image-plane units.
SHORTEST_MOVE = 1e-3


def cross(a, b):
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def move_to_pass(vertex, other, axis, points):
    """Returns the move of `vertex` along an axis that puts its edge to `other` on each point.

    cross(vertex + move * axis - other, point - other) = 0, linear in the move.
    """
    unit = np.eye(2)[axis]
    at_rest = cross(vertex - other, points - other)
    by_unit = cross(np.broadcast_to(unit, points.shape), points - other)
    with np.errstate(divide="ignore", invalid="ignore"):
        return -at_rest / by_unit


def reference_gradient(vertices, faces, face_index, upstream):
    """Section 3.2 of the paper, pixel by pixel in float64, for one mesh: [num_vertices, 3]."""
    gradient = np.zeros((len(vertices), 3))
    centres = pixel_centres(*face_index.shape).reshape(*face_index.shape, 2)
    plane = np.asarray(vertices, np.float64)[:, :2]
    for face, corners in enumerate(faces):
        for k in range(3):
            ends, opposite = (corners[(k + 1) % 3], corners[(k + 2) % 3]), corners[k]
            for axis in range(2):
                # Rows of the transposed image are the columns.
                lines = zip(
                    *(
                        image if axis == 0 else image.swapaxes(0, 1)
                        for image in (centres, face_index, upstream)
                    ),
                    strict=True,
                )
                for points, seen, wish in lines:
                    across = plane[list(ends), 1 - axis]
                    if not across.min() <= points[0, 1 - axis] <= across.max():
                        continue
                    for end in range(2):
                        vertex, other = plane[ends[end]], plane[ends[1 - end]]
                        move = move_to_pass(vertex, other, axis, points)
                        if not np.isfinite(move).all():
                            continue
                        gradient[ends[end], axis] += _line_sum(
                            face, points, seen, wish, move, vertex, other, plane[opposite]
                        )
    return gradient


def _line_sum(face, points, seen, wish, move, vertex, other, opposite):
    """Returns the sum that the pixels of one line ask of one vertex."""
    side = cross(other - vertex, points - vertex) * np.sign(
        cross(other - vertex, opposite - vertex)
    )
    inside, outside = np.flatnonzero(side >= 0), np.flatnonzero(side < 0)
    if not inside.size or not outside.size:
        return 0.0
    nearest_inside = inside[np.abs(side[inside]).argmin()]
    nearest_outside = outside[np.abs(side[outside]).argmin()]
    move = move + np.sign(move) * SHORTEST_MOVE
    # delta I is 1 for an empty pixel that is covered, -1 for a covered one that is left.
    to_cover = (side < 0) & (seen < 0) & (wish < 0) & (seen[nearest_inside] == face)
    to_leave = (side >= 0) & (seen == face) & (wish > 0) & (seen[nearest_outside] < 0)
    return (wish[to_cover] / move[to_cover]).sum() - (wish[to_leave] / move[to_leave]).sum()


def random_scene(seed, num_faces=6, extent=1.3):
    generator = np.random.default_rng(seed)
    vertices = generator.uniform(-extent, extent, (num_faces + 2, 3))
    vertices[:, 2] = generator.uniform(0.5, 5, len(vertices))
    # Faces that share vertices and hide one another.
    faces = np.array([[i, i + 1, i + 2] for i in range(num_faces)], np.int32)
    return vertices, faces


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("height", "width"), [(12, 12), (7, 17), (17, 7), (1, 1)])
def test_gradient_equals_that_of_the_equations(height, width, dtype):
    for seed in range(4):
        vertices, faces = random_scene(seed)
        vertices = vertices.astype(dtype)
        face_index, _ = rasterize_faces(vertices[None], faces, image_size=(height, width))
        upstream = np.random.default_rng(seed + 99).normal(size=(1, height, width)).astype(dtype)
        gradient = library().softras_hard_silhouette_grad(
            vertices[None], faces, face_index, upstream
        )
        expected = reference_gradient(vertices, faces, face_index[0].numpy(), upstream[0])
        if height > 1:
            assert np.abs(expected[:, :2]).max() > 0.1
        # Sums in double; 1 / (move + 1e-3) magnifies the rounding of a crossing by 1e3 at most.
        tolerance = 1e-10 if dtype == np.float64 else 4 * np.finfo(dtype).eps
        scale = max(np.abs(expected).max(), 1.0)
        np.testing.assert_allclose(gradient[0], expected, atol=tolerance * scale)


TRIANGLE = np.array([[[-0.5, -0.4, 2], [0.3, -0.4, 2], [-0.1, 0.5, 2]]], np.float32)


def n3mr(vertices, faces=((0, 1, 2),), image_size=32):
    return soft_rasterize(vertices, faces, image_size=image_size, sigma=1e-4, implementation="n3mr")


def test_a_pixel_is_the_mean_of_four_samples():
    image = n3mr(TRIANGLE).numpy()
    face_index, _ = rasterize_faces(TRIANGLE, [[0, 1, 2]], image_size=64)
    samples = (face_index.numpy() >= 0).reshape(1, 32, 2, 32, 2)
    np.testing.assert_array_equal(image, samples.mean(axis=(2, 4)))
    assert set(np.unique(image)) == {0.0, 0.25, 0.5, 0.75, 1.0}


@pytest.mark.parametrize("shift", [(0.2, 0.0), (-0.2, 0.0), (0.0, 0.2), (0.0, -0.2)])
def test_gradient_leads_a_triangle_to_where_it_should_be(shift):
    """All vertices together: against the gradient is along the shift, and across it next to 0."""
    target = n3mr(TRIANGLE + np.float32([*shift, 0.0]))
    vertices = tf.Variable(TRIANGLE)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(n3mr(vertices) - target))
    step = -tape.gradient(loss, vertices).numpy()[0].sum(axis=0)
    assert step @ np.float32([*shift, 0.0]) > 0
    axis = np.flatnonzero(shift)[0]
    assert abs(step[axis]) > 3 * abs(step[1 - axis])
    assert step[2] == 0.0


def test_gradient_is_zero_where_the_silhouette_is_right():
    vertices = tf.Variable(TRIANGLE)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(n3mr(vertices) - n3mr(TRIANGLE)))
    np.testing.assert_array_equal(tape.gradient(loss, vertices), np.zeros_like(TRIANGLE))


def test_sphere_becomes_an_ellipsoid_by_its_gradient():
    sphere = geometry.icosphere(2)
    eyes = geometry.eye_from_angles(2.732, 30.0, np.arange(4) * 90.0)
    chain = keras.Sequential(
        [layers.Perspective(), layers.SoftRasterize(sphere.faces, 32, implementation="n3mr")]
    )

    def drawn(vertices):
        return chain(layers.LookAt()([tf.repeat(vertices[None], 4, axis=0), eyes]))

    target = drawn(tf.constant(sphere.vertices * np.float32([0.5, 0.25, 0.35])))
    vertices = tf.Variable(0.25 * sphere.vertices)
    loss = losses.SilhouetteIoULoss()
    before = float(loss(target, drawn(vertices)))
    optimizer = keras.optimizers.Adam(0.01)
    for _ in range(60):
        with tf.GradientTape() as tape:
            value = loss(target, drawn(vertices))
        optimizer.apply([tape.gradient(value, vertices)], [vertices])
    # Half of what is left are outline pixels at 32 x 32.
    assert before > 0.4 and float(loss(target, drawn(vertices))) < 0.1


def test_layer_is_saved_with_its_implementation_and_is_not_for_xla():
    layer = layers.SoftRasterize([[0, 1, 2]], 8, implementation="n3mr")
    again = layers.SoftRasterize.from_config(layer.get_config())
    np.testing.assert_array_equal(again(TRIANGLE), layer(TRIANGLE))
    assert again.implementation == "n3mr" and not again.supports_jit
    with pytest.raises(ValueError, match="implementation: expected.*'op', 'reference'"):
        layers.SoftShade([[0, 1, 2]], 8, implementation="n3mr")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"face_index": np.full((1, 4, 4), 1, np.int32)}, r"face_index.*\[-1, 1\).*1"),
        ({"face_index": np.full((1, 4, 4), -2, np.int32)}, r"face_index.*-2"),
        ({"face_index": np.zeros((2, 4, 4), np.int32)}, r"face_index|Dimension"),
        ({"upstream": np.zeros((1, 4, 5), np.float32)}, r"silhouette_gradient|Dimension"),
        ({"vertices": np.full((1, 3, 3), np.nan, np.float32)}, r"vertices.*nan"),
        ({"faces": np.array([[0, 1, 3]], np.int32)}, r"faces.*3"),
    ],
)
def test_bad_input_of_the_gradient_is_named(change, named):
    arguments = {
        "vertices": TRIANGLE,
        "faces": np.array([[0, 1, 2]], np.int32),
        "face_index": np.zeros((1, 4, 4), np.int32),
        "upstream": np.zeros((1, 4, 4), np.float32),
    } | change
    with pytest.raises((tf.errors.InvalidArgumentError, ValueError), match=named):
        library().softras_hard_silhouette_grad(*arguments.values())


def test_empty_meshes_and_batches_have_gradients():
    faces = np.zeros((0, 3), np.int32)
    for vertices in (np.zeros((2, 0, 3), np.float32), TRIANGLE[:0], TRIANGLE):
        variable = tf.Variable(vertices)
        with tf.GradientTape() as tape:
            image = n3mr(variable, faces, image_size=4)
        assert tape.gradient(image, variable).shape == vertices.shape
