"""Clipping at the near plane and meshes of different size, against shapely and brute force."""

import keras
import numpy as np
import pytest
import shapely
import tensorflow as tf

from tests.gradient_checks import numeric_gradient
from tf_softras import geometry
from tf_softras.geometry.corner_mesh import is_closed
from tf_softras.ops import rasterize_faces, soft_rasterize

NEAR = 0.5
# One triangle for each set of corners before the plane.
DEPTHS = [[z0, z1, z2] for z0 in (0.2, 1.0) for z1 in (-0.3, 1.5) for z2 in (0.4, 2.0)]


def triangles(seed, depths=DEPTHS):
    """A batch of two soups of triangles `[2, 3 * num_faces, 3]`, and the faces."""
    rng = np.random.default_rng(seed)
    vertices = rng.uniform(-1, 1, (2, 3 * len(depths), 3))
    vertices[..., 2] = np.ravel(depths)
    return vertices, np.arange(3 * len(depths)).reshape(-1, 3)


def polygon_of(mesh, face):
    """Returns the area that both triangles of an input face cover, seen along the axis."""
    corners = np.asarray(mesh.vertices)[0][mesh.faces[2 * face : 2 * face + 2]]
    return shapely.union_all(
        [shapely.Polygon(c[:, :2]).buffer(0) for c in corners if (c[:, 2] > 0).all()]
    )


@pytest.mark.parametrize("face", range(8))
def test_what_remains_is_the_part_beyond_the_plane(face):
    vertices, faces = triangles(0)
    clipped = geometry.clip_to_near(vertices, faces, near=NEAR)
    assert clipped.vertices.shape == (2, 4 * 8, 3) and clipped.faces.shape == (16, 3)
    corners = vertices[0][faces[face]]
    # Depth is linear in x and y over the triangle: the plane z = NEAR is a line there.
    slope = np.linalg.solve(np.c_[corners[:, :2], np.ones(3)], corners[:, 2] - NEAR)
    normal = slope[:2] / np.linalg.norm(slope[:2])
    foot = -slope[2] / np.linalg.norm(slope[:2]) * normal
    along = np.array([-normal[1], normal[0]])
    beyond = shapely.Polygon(
        [
            foot - 50 * along,
            foot + 50 * along,
            foot + 50 * (along + normal),
            foot - 50 * along + 50 * normal,
        ]
    )
    expected = shapely.Polygon(corners[:, :2]).intersection(beyond)
    remains = polygon_of(clipped, face)
    assert remains.symmetric_difference(expected).area < 1e-12
    # Both triangles add up: they do not overlap.
    parts = np.asarray(clipped.vertices)[0][clipped.faces[2 * face : 2 * face + 2]]
    areas = [shapely.Polygon(c[:, :2]).area for c in parts if (c[:, 2] > 0).all()]
    assert sum(areas) == pytest.approx(expected.area, abs=1e-12)


def test_faces_keep_their_front():
    vertices, faces = triangles(1)
    clipped = geometry.clip_to_near(vertices, faces, near=NEAR)

    def turn(corners):
        a, b = corners[..., 1, :2] - corners[..., 0, :2], corners[..., 2, :2] - corners[..., 0, :2]
        return np.sign(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])

    parts = np.asarray(clipped.vertices)[:, clipped.faces]
    exist = (parts[..., 2] > 0).all(-1)
    np.testing.assert_array_equal(
        turn(parts)[exist], np.repeat(turn(vertices[:, faces]), 2, axis=1)[exist]
    )
    assert exist.sum() == 2 * (3 * 1 + 3 * 2 + 1)  # One corner kept, two corners kept, all three.


def test_attributes_are_linear_in_space_and_cut_with_the_face():
    vertices, faces = triangles(2)
    linear = np.random.default_rng(0).normal(size=(3, 4))
    clipped = geometry.clip_to_near(vertices, faces, vertices @ linear + 0.25, near=NEAR)
    exist = np.asarray(clipped.vertices)[..., 2] > 0
    np.testing.assert_allclose(
        np.asarray(clipped.attributes)[exist],
        np.asarray(clipped.vertices)[exist] @ linear + 0.25,
        atol=1e-12,
    )
    assert not np.asarray(clipped.attributes)[~exist].any()


def test_a_corner_on_the_plane_is_kept_and_cuts_nothing():
    vertices, faces = triangles(3, [[NEAR, NEAR, 1.0], [NEAR, 0.1, 0.2], [NEAR, 0.1, 0.9]])
    clipped = geometry.clip_to_near(vertices, faces, near=NEAR)
    kept = np.asarray(clipped.vertices)[0].reshape(3, 4, 3)
    np.testing.assert_array_equal(kept[0, :3], vertices[0, :3])
    # A point: the corner and twice itself, where both of its edges are cut.
    np.testing.assert_allclose(kept[1, :3], vertices[0, [3, 3, 3]], atol=1e-12)
    assert np.all(kept[2, :3, 2] >= NEAR) and np.all(np.isfinite(kept))


def test_a_face_through_the_camera_is_drawn_as_far_as_it_reaches():
    # A floor one unit below the camera, from 3 behind it to 8 in front, 2 wide on either side.
    floor = np.array([[[-2, -1, -3], [2, -1, -3], [2, -1, 8], [-2, -1, 8]]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)

    def seen(vertices, faces):
        plane = geometry.perspective(vertices, viewing_angle=45.0)
        return rasterize_faces(plane, faces, image_size=32)[0].numpy()[0] >= 0

    assert not seen(floor, faces).any()
    clipped = geometry.clip_to_near(floor, faces, near=0.1)
    # A ray (x, y, 1) with y < 0 meets the floor at depth -1 / y and width -x / y.
    centre = (2 * np.arange(32) + 1 - 32) / 32
    x, y = np.meshgrid(centre, -centre)
    with np.errstate(divide="ignore"):
        depth = np.where(y < 0, -1 / y, np.inf)
    expected = (depth <= 8) & (np.abs(x * depth) <= 2)
    np.testing.assert_array_equal(seen(clipped.vertices, clipped.faces), expected)


@pytest.mark.parametrize("of", ["vertices", "attributes"])
def test_gradients_are_the_numeric_ones(of):
    vertices, faces = triangles(4)
    attributes = np.random.default_rng(1).normal(size=(2, 24, 2))
    rng = np.random.default_rng(2)
    weights = rng.normal(size=(2, 32, 3)), rng.normal(size=(2, 32, 2))
    point = vertices if of == "vertices" else attributes

    def loss(x):
        x = tf.convert_to_tensor(x)
        arguments = (x, faces, attributes) if of == "vertices" else (vertices, faces, x)
        clipped = geometry.clip_to_near(*arguments, near=NEAR)
        return tf.reduce_sum(weights[0] * tf.sin(clipped.vertices)) + tf.reduce_sum(
            weights[1] * tf.sin(clipped.attributes)
        )

    with tf.GradientTape() as tape:
        x = tf.constant(point)
        tape.watch(x)
        value = loss(x)
    gradient = tape.gradient(value, x).numpy()
    expected = numeric_gradient(lambda p: float(loss(p)), point, step=1e-4)
    np.testing.assert_allclose(gradient, expected, atol=1e-8)
    # Vertices before the plane move the cuts, in depth and sideways.
    assert np.all((gradient != 0).any(axis=0)[3:])


def test_gradients_are_finite_where_edges_lie_in_the_plane():
    vertices = np.zeros((1, 3, 3), np.float32)
    vertices[..., 2] = NEAR + np.array([0.0, -6e-8, 6e-8])
    with tf.GradientTape() as tape:
        x = tf.constant(vertices)
        tape.watch(x)
        clipped = geometry.clip_to_near(x, [[0, 1, 2]], near=NEAR)
    assert np.all(np.isfinite(tape.gradient(clipped.vertices, x)))


@pytest.mark.parametrize("near", [0.0, -1.0, float("inf"), float("nan")])
def test_near_is_checked(near):
    with pytest.raises(ValueError, match="near: expected"):
        geometry.clip_to_near(np.zeros((1, 3, 3)), [[0, 1, 2]], near=near)


class TestMeshesOfDifferentSize:
    meshes = [
        geometry.icosphere(0),
        geometry.icosphere(1),
        geometry.Mesh([[9, 9, 9]], np.zeros((0, 3), int)),
    ]

    def test_padding(self):
        vertices, faces = geometry.pad_meshes(self.meshes)
        assert vertices.shape == (3, 42, 3) and faces.shape == (3, 80, 3)
        np.testing.assert_array_equal(faces[0, :20], self.meshes[0].faces)
        assert np.all(faces[0, 20:] == -1) and np.all(faces[2] == -1)

    @pytest.mark.parametrize("join", ["face_corners", "clip_to_near"])
    def test_each_item_is_drawn_as_if_alone(self, join):
        vertices, faces = geometry.pad_meshes(self.meshes)
        eye = [2.0, 1.0, 0.5]
        seen = geometry.look_at(0.4 * vertices, eye)
        options = {"near": 0.1} if join == "clip_to_near" else {}
        corners = getattr(geometry, join)(seen, faces, **options)
        images = soft_rasterize(
            geometry.perspective(corners.vertices), corners.faces, image_size=16, sigma=1e-3
        )
        for mesh, image in zip(self.meshes, images, strict=True):
            alone = soft_rasterize(
                geometry.perspective(geometry.look_at(0.4 * mesh.vertices, eye))[None],
                mesh.faces,
                image_size=16,
                sigma=1e-3,
            )
            np.testing.assert_allclose(image, alone[0], atol=1e-6)

    def test_gradients_reach_the_vertices_of_real_faces_alone(self):
        vertices, faces = geometry.pad_meshes(self.meshes)
        with tf.GradientTape() as tape:
            x = tf.constant(vertices)
            tape.watch(x)
            corners = geometry.face_corners(x, faces, 2.0 * x)
            value = tf.reduce_sum(corners.vertices) + tf.reduce_sum(corners.attributes)
        gradient = tape.gradient(value, x).numpy()
        for item, mesh in enumerate(self.meshes):
            uses = np.bincount(mesh.faces.ravel(), minlength=42)
            np.testing.assert_allclose(gradient[item], 3.0 * uses[:, None] * np.ones(3))

    def test_shapes_may_be_unknown_but_for_the_number_of_faces(self):
        vertices, faces = geometry.pad_meshes(self.meshes)

        @tf.function(
            input_signature=[tf.TensorSpec([None, None, 3]), tf.TensorSpec([None, 80, 3], tf.int32)]
        )
        def traced(vertices, faces):
            clipped = geometry.clip_to_near(vertices, faces, vertices, near=0.1)
            return clipped.vertices, clipped.attributes

        expected = geometry.clip_to_near(vertices, faces, vertices, near=0.1)
        for seen, wanted in zip(traced(vertices, faces), (expected[0], expected[2]), strict=True):
            np.testing.assert_allclose(seen, wanted, atol=1e-6)

    def test_an_empty_mesh_and_an_empty_batch(self):
        for shape in ((0, 3, 3), (2, 0, 3)):
            faces = np.zeros((0, 3), np.int32) if shape[1] == 0 else np.array([[0, 1, 2]])
            clipped = geometry.clip_to_near(np.zeros(shape), faces, np.zeros(shape), near=1.0)
            assert clipped.vertices.shape == (shape[0], 4 * len(faces), 3)
            assert clipped.attributes.shape == (shape[0], 4 * len(faces), 3)

    @pytest.mark.parametrize(
        "faces, message",
        [
            ([[0, 1]], r"faces: expected.*\[1, 2\]"),
            ([[0.0, 1.0, 2.0]], "faces: expected.*float"),
            ([[[0, 1, -1]]], "faces: expected.*padded.*-1"),
            ([[-2, -2, -2]], "faces: expected.*-2"),
        ],
    )
    def test_bad_faces(self, faces, message):
        with pytest.raises(ValueError, match=message):
            geometry.face_corners(np.zeros((1, 3, 3)), faces)

    def test_an_index_out_of_range(self):
        with pytest.raises(tf.errors.InvalidArgumentError, match="3"):
            geometry.face_corners(np.zeros((1, 3, 3)), [[0, 1, 3]])
        with pytest.raises(tf.errors.InvalidArgumentError, match="3"):
            geometry.face_corners(np.zeros((1, 3, 3)), [[[0, 1, 3]]])

    @pytest.mark.parametrize("meshes", [[], [None]])
    def test_bad_meshes(self, meshes):
        with pytest.raises(ValueError, match="meshes: expected"):
            geometry.pad_meshes(meshes)


def test_all_of_it_compiles_under_xla():
    vertices, faces = triangles(5)
    clip = tf.function(
        lambda x: geometry.clip_to_near(x, faces, x, near=NEAR)[::2], jit_compile=True
    )
    expected = geometry.clip_to_near(vertices, faces, vertices, near=NEAR)
    np.testing.assert_allclose(clip(tf.constant(vertices))[0], expected.vertices, atol=1e-12)
    assert keras.ops.shape(expected.attributes) == (2, 32, 3)


@pytest.mark.parametrize("coordinate", [0, 1, 2])
@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_a_corner_that_is_not_finite_is_not_hidden(coordinate, broken):
    vertices, faces = triangles(1)
    vertices[0, :, 2] = -1.0  # The whole item is behind the plane.
    vertices[0, 4, coordinate] = broken
    clipped = geometry.clip_to_near(vertices, faces, near=NEAR)
    assert not np.isfinite(clipped.vertices[0]).all() and np.isfinite(clipped.vertices[1]).all()
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected finite coordinates"):
        soft_rasterize(clipped.vertices, clipped.faces, image_size=4, sigma=1e-3)


def test_a_mesh_is_closed_where_each_edge_has_two_faces_that_run_it_oppositely():
    faces = geometry.icosphere(1).faces
    one_turned = np.concatenate([faces[:1, ::-1], faces[1:]])
    assert is_closed(faces) and is_closed(np.concatenate([faces, [[-1, -1, -1]]]))
    others = (faces[1:], one_turned, np.concatenate([faces, faces[:, ::-1]]))
    assert not any(is_closed(other) for other in others)
    batch = np.stack([faces, one_turned, np.concatenate([faces[:79], [[-1, -1, -1]]])])
    np.testing.assert_array_equal(is_closed(batch), [True, False, False])
