"""The hard rasteriser against a brute-force one, and what its docstring promises."""

import numpy as np
import pytest
import tensorflow as tf

from tf_softras.geometry import icosphere
from tf_softras.geometry.cameras import eye_from_angles, look_at, perspective
from tf_softras.ops import rasterize_faces


def pixel_centres(height, width):
    """x [width] and y [height] of the pixel centres, by the words of the convention."""
    shorter = min(height, width)
    x = (2 * np.arange(width) + 1 - width) / shorter
    y = (height - 1 - 2 * np.arange(height)) / shorter
    return x, y


def brute_force(vertices, faces, height, width, near=0.0):
    """Every face at every pixel, in float64, by barycentric coordinates from a linear solve."""
    x, y = np.meshgrid(*pixel_centres(height, width))
    face_index = np.full((height, width), -1)
    depth = np.full((height, width), np.inf)
    for index, face in enumerate(faces):
        corners = vertices[face].astype(np.float64)
        matrix = np.stack([corners[:, 0], corners[:, 1], np.ones(3)])
        if (corners[:, 2] <= near).any() or np.linalg.matrix_rank(matrix) < 3:
            continue
        points = np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
        weights = np.linalg.solve(matrix, points)
        inverse_depth = (weights / corners[:, 2:]).sum(0)
        inside = (weights >= 0).all(0).reshape(height, width)
        with np.errstate(divide="ignore"):
            z = (1 / inverse_depth).reshape(height, width)
        nearer = inside & (z < depth)
        face_index[nearer] = index
        depth[nearer] = z[nearer]
    depth[face_index < 0] = 0
    return face_index, depth


def random_triangles(seed, num_faces, extent=1.2):
    generator = np.random.default_rng(seed)
    vertices = generator.uniform(-extent, extent, (num_faces * 3, 3))
    vertices[:, 2] = generator.uniform(0.5, 5, num_faces * 3)
    return vertices.astype(np.float32), np.arange(num_faces * 3, dtype=np.int32).reshape(-1, 3)


def sphere_views(num_views, level=3):
    """An icosphere [num_views, vertices, 3] on the image plane from different sides."""
    sphere = icosphere(level)
    eyes = eye_from_angles(2.732, 30.0, np.arange(num_views) * 41.0)
    return perspective(look_at(0.5 * sphere.vertices, eyes)).numpy(), sphere.faces


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (9, 23), (23, 9), (1, 1)])
def test_faces_and_depths_equal_brute_force(dtype, height, width):
    vertices, faces = random_triangles(height, 40)
    vertices = vertices.astype(dtype)
    face_index, depth = rasterize_faces(vertices[None], faces, image_size=(height, width))
    expected_index, expected_depth = brute_force(vertices, faces, height, width)
    assert depth.dtype == dtype
    # Random coordinates: no centre is within rounding of an edge, no two depths are equal.
    np.testing.assert_array_equal(face_index[0], expected_index)
    np.testing.assert_allclose(depth[0], expected_depth, rtol=2 * np.finfo(dtype).eps + 1e-13)


def test_depth_is_interpolated_with_perspective():
    # On a line from depth 1 to depth 3, the middle of the picture is at 1 / mean(1, 1/3) = 1.5.
    vertices = np.array([[[-1, -1, 1], [1, -1, 3], [-1, 1, 1], [1, 1, 3]]], np.float64)
    faces = np.array([[0, 1, 2], [1, 3, 2]], np.int32)
    _, depth = rasterize_faces(vertices, faces, image_size=3)
    np.testing.assert_allclose(depth[0, 1, 1], 1.5, rtol=1e-14)


def test_both_sides_of_a_face_are_seen():
    vertices, faces = random_triangles(1, 10)
    forth = rasterize_faces(vertices[None], faces, image_size=32)
    back = rasterize_faces(vertices[None], faces[:, ::-1].copy(), image_size=32)
    np.testing.assert_array_equal(forth[0], back[0])


def test_row_zero_is_the_top_and_the_shorter_side_spans_two():
    # The quarter x > 0, y > 0 of a 4 x 8 image, whose height spans [-1, 1] and width [-2, 2].
    vertices = np.array([[[0, 0, 1], [9, 0, 1], [0, 9, 1]]], np.float32)
    face_index, _ = rasterize_faces(vertices, [[0, 1, 2]], image_size=(4, 8))
    expected = np.full((4, 8), -1)
    expected[:2, 4:] = 0
    np.testing.assert_array_equal(face_index[0], expected)


def test_shared_edges_through_pixel_centres_leave_no_crack():
    # A fan about the middle pixel's centre, whose edges run through rows, columns and diagonals of
    # pixel centres: every centre inside the square belongs to a face.
    ring = np.array([[1, 0], [1, 1], [0, 1], [-1, 1], [-1, 0], [-1, -1], [0, -1], [1, -1]])
    points = np.concatenate([[[0, 0]], ring]).astype(np.float32)
    vertices = np.concatenate([points, np.ones((9, 1), np.float32)], axis=1)[None]
    faces = np.array([[0, 1 + i, 1 + (i + 1) % 8] for i in range(8)], np.int32)
    for order in (faces, faces[:, ::-1].copy(), np.roll(faces, 1, axis=1)):
        face_index, _ = rasterize_faces(vertices, order, image_size=33)
        assert (face_index.numpy() >= 0).all()


def test_random_triangulations_of_the_image_leave_no_crack():
    generator = np.random.default_rng(0)
    side = 12
    grid = np.stack(np.meshgrid(*[np.linspace(-1.5, 1.5, side)] * 2), axis=-1)
    # Half of the points on a coarse lattice, so that pixel centres fall on vertices and edges.
    grid[1:-1, 1:-1] += generator.uniform(-0.1, 0.1, (side - 2, side - 2, 2))
    grid[::2, ::2] = np.round(grid[::2, ::2] * 8) / 8
    vertices = np.concatenate([grid.reshape(-1, 2), np.ones((side * side, 1))], axis=1)
    corner = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).reshape(-1)
    faces = np.concatenate(
        [
            np.stack([corner, corner + 1, corner + side], 1),
            np.stack([corner + 1, corner + side + 1, corner + side], 1),
        ]
    ).astype(np.int32)
    for size in (16, 31, 64):
        face_index, _ = rasterize_faces(vertices[None].astype(np.float32), faces, image_size=size)
        assert (face_index.numpy() >= 0).all()


def test_of_equal_depths_the_lower_face_index_is_kept():
    vertices, faces = random_triangles(3, 1)
    vertices[:, 2] = 1.0
    # All cyclic orders of the same face: the same plane up to rounding.
    faces = np.concatenate([faces, np.roll(faces, 1, 1), faces[:, ::-1]])
    face_index, _ = rasterize_faces(vertices[None], faces, image_size=32)
    assert set(np.unique(face_index)) == {-1, 0}


def test_a_face_with_a_vertex_at_or_before_near_is_left_out():
    vertices = np.array([[[-1, -1, 1], [1, -1, 2], [0, 1, 2]]], np.float32)
    for near, seen in ((0.0, True), (0.999, True), (1.0, False), (1.5, False)):
        face_index, _ = rasterize_faces(vertices, [[0, 1, 2]], image_size=8, near=near)
        assert (face_index.numpy() >= 0).any() == seen
    behind = vertices * [1, 1, -1]
    face_index, depth = rasterize_faces(behind, [[0, 1, 2]], image_size=8)
    assert (face_index.numpy() == -1).all() and (depth.numpy() == 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_finite_input_gives_depths_between_those_of_the_vertices(dtype):
    tiny, huge = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max
    coordinates = [-huge, -1e3, -1.0, -1e-7, -tiny, 0.0, tiny, 1e-7, 0.5, 1.0, 1e3, huge]
    depths = [tiny, 1e-7, 1.0, 1e3, huge]
    generator = np.random.default_rng(0)
    vertices = generator.choice(coordinates, (600, 3)).astype(dtype)
    vertices[:, 2] = generator.choice(depths, 600)
    for face in np.arange(600, dtype=np.int32).reshape(-1, 1, 3):
        _, depth = rasterize_faces(vertices[None], face, image_size=5)
        drawn = depth.numpy()[depth.numpy() != 0]
        corner_depths = vertices[face[0], 2]
        assert ((drawn >= corner_depths.min()) & (drawn <= corner_depths.max())).all()


def test_faces_without_area_are_left_out():
    vertices = np.array([[[-1, 0, 1], [0, 0, 1], [1, 0, 1], [0.5, 0.5, 1]]], np.float32)
    faces = np.array([[0, 1, 2], [0, 0, 3], [3, 3, 3], [0, 2, 0]], np.int32)
    face_index, _ = rasterize_faces(vertices, faces, image_size=9)
    assert (face_index.numpy() == -1).all()


def test_bands_and_batches_do_not_change_a_pixel():
    vertices, faces = sphere_views(20)
    together = rasterize_faces(vertices, faces, image_size=(37, 64))
    for item in range(0, 20, 7):  # one item is cut into more bands than twenty
        alone = rasterize_faces(vertices[item : item + 1], faces, image_size=(37, 64))
        for one, all_items in zip(alone, together, strict=True):
            np.testing.assert_array_equal(one[0], all_items[item])


def test_a_sphere_fills_its_disc():
    vertices, faces = sphere_views(3, level=4)
    face_index, depth = rasterize_faces(vertices, faces, image_size=65)
    # Half the width of a sphere of radius 0.5 from 2.732, in half image widths.
    radius = np.tan(np.arcsin(0.5 / 2.732)) / np.tan(np.radians(15))
    x, y = np.meshgrid(*pixel_centres(65, 65))
    # The polyhedron is inside the sphere by less than 0.4 % of its radius: half a pixel is wider.
    inner, outer = np.hypot(x, y) < radius - 1 / 65, np.hypot(x, y) > radius
    assert (face_index.numpy()[:, inner] >= 0).all()
    assert (face_index.numpy()[:, outer] == -1).all()
    np.testing.assert_allclose(depth[:, 32, 32], 2.232, atol=0.5 * 0.004)


def test_empty_meshes_and_batches_give_empty_pictures():
    vertices, faces = random_triangles(0, 4)
    face_index, depth = rasterize_faces(vertices[None], np.zeros((0, 3), np.int32), image_size=4)
    assert (face_index.numpy() == -1).all() and (depth.numpy() == 0).all()
    face_index, _ = rasterize_faces(
        np.zeros((2, 0, 3), np.float32), np.zeros((0, 3), np.int32), image_size=4
    )
    assert face_index.shape == (2, 4, 4)
    face_index, depth = rasterize_faces(vertices[None][:0], faces, image_size=(4, 6))
    assert face_index.shape == depth.shape == (0, 4, 6)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"faces": [[0, 1, 12]]}, r"faces.*\[0, 12\).*12"),
        ({"faces": [[0, -1, 2]]}, r"faces.*\[0, 12\).*-1"),
        ({"faces": [[0, 1]]}, r"faces|dimension"),
        ({"faces": [0, 1, 2]}, r"faces|rank"),
        ({"vertices": np.zeros((12, 3), np.float32)}, r"vertices|rank"),
        ({"vertices": np.zeros((1, 12, 2), np.float32)}, r"vertices|dimension"),
        ({"vertices": np.full((1, 12, 3), np.nan, np.float32)}, r"vertices.*finite.*nan"),
        ({"vertices": np.full((1, 12, 3), np.inf, np.float32)}, r"vertices.*finite.*inf"),
        ({"image_size": 0}, r"image_size"),
        ({"image_size": (4, -1)}, r"image_size"),
        ({"image_size": (2**32, 2**32)}, r"height.*4294967296"),
        ({"near": -1.0}, r"near.*-1"),
        ({"near": float("nan")}, r"near.*nan"),
    ],
)
def test_bad_input_is_named(change, named):
    vertices, faces = random_triangles(0, 4)
    arguments = {"vertices": vertices[None], "faces": faces, "image_size": 4} | change
    vertices, faces = arguments.pop("vertices"), arguments.pop("faces")
    with pytest.raises((tf.errors.InvalidArgumentError, ValueError), match=named):
        rasterize_faces(vertices, faces, **arguments)


def test_shapes_are_known_inside_a_graph_with_an_unknown_batch():
    @tf.function(input_signature=[tf.TensorSpec([None, 12, 3], tf.float32)])
    def rasterize(vertices):
        face_index, depth = rasterize_faces(vertices, np.zeros((1, 3), np.int32), image_size=(5, 7))
        assert face_index.shape.as_list() == depth.shape.as_list() == [None, 5, 7]
        return face_index

    assert rasterize(np.zeros((2, 12, 3), np.float32)).shape == (2, 5, 7)


def test_there_is_no_gradient():
    vertices, faces = random_triangles(0, 4)
    variable = tf.Variable(vertices[None])
    with tf.GradientTape() as tape:
        _, depth = rasterize_faces(variable, faces, image_size=4)
    assert tape.gradient(depth, variable) is None
