"""Pictures of meshes: where things appear, in which colour, and how much of a pixel they cover."""

import numpy as np
import pytest

from tf_softras.geometry import Mesh, icosphere
from tf_softras.geometry.cameras import eye_from_angles
from tf_softras.rendering import _render_views, render_views

RED, GREEN, BLUE = np.eye(3)


def random_mesh(seed, num_faces=40):
    generator = np.random.default_rng(seed)
    centres = generator.uniform(-0.35, 0.35, (num_faces, 1, 3))
    corners = (centres + generator.uniform(-0.15, 0.15, (num_faces, 3, 3))).reshape(-1, 3)
    faces = np.arange(3 * num_faces).reshape(-1, 3)
    return Mesh(corners, faces, generator.uniform(0, 1, (num_faces, 3)))


def marker(position, color, size=0.08):
    """A small octahedron."""
    corners = np.concatenate([np.eye(3), -np.eye(3)]) * size + position
    faces = [[x, y, z] for x in (0, 3) for y in (1, 4) for z in (2, 5)]
    return Mesh(corners, faces, np.tile(color, (8, 1)))


def joined(*meshes):
    offsets = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([m.faces + o for m, o in zip(meshes, offsets, strict=False)]),
        np.concatenate([mesh.face_colors for mesh in meshes]),
    )


def centre_of(image, color):
    """Mean (row, column) of the pixels in which `color` is the strongest."""
    chosen = (image[..., :3].argmax(-1) == np.argmax(color)) & (image[..., 3] > 0)
    assert chosen.any()
    return np.argwhere(chosen).mean(0)


def brute_force_alpha(mesh, eye, size, supersampling, viewing_angle=15.0):
    """Share of a pixel's samples inside any triangle, float64, from the words of the convention."""
    forward = -eye / np.linalg.norm(eye)
    right = np.cross(forward, [0, 1, 0])
    right /= np.linalg.norm(right)
    camera = (mesh.vertices - eye) @ np.stack([right, np.cross(right, forward), forward], 1)
    plane = camera[:, :2] / (camera[:, 2:] * np.tan(np.radians(viewing_angle)))
    fine = size * supersampling
    centres = (2 * np.arange(fine) + 1 - fine) / fine
    x, y = np.meshgrid(centres, -centres)
    hit = np.zeros((fine, fine), bool)
    for a, b, c in plane[mesh.faces]:
        sides = [
            (q[0] - p[0]) * (y - p[1]) - (q[1] - p[1]) * (x - p[0])
            for p, q in ((a, b), (b, c), (c, a))
        ]
        hit |= (np.min(sides, 0) >= 0) | (np.max(sides, 0) <= 0)
    return hit.reshape(size, supersampling, size, supersampling).mean((1, 3))


def test_alpha_is_the_share_of_samples_inside_the_mesh():
    mesh = random_mesh(0)
    eyes = eye_from_angles(2.732, [30.0, -20.0, 0.0], [10.0, 130.0, 275.0]).numpy()
    images = render_views(mesh, eyes, image_size=24, supersampling=3)
    for image, eye in zip(images, eyes.astype(np.float64), strict=True):
        expected = brute_force_alpha(mesh, eye, 24, 3)
        assert 0.05 < expected.mean() < 0.9
        # float32 cameras may move an edge across a sample here and there: one of nine samples.
        difference = np.abs(image[..., 3] / 255 - expected)
        assert difference.max() < 1 / 9 + 1 / 255
        assert (difference > 1 / 255).sum() <= 2


def test_view_from_plus_x_has_y_up_and_minus_z_at_the_right():
    mesh = joined(marker([0, 0.4, 0], GREEN), marker([0, 0, -0.4], BLUE), marker([0, 0, 0], RED))
    (image,) = render_views(mesh, [[2.732, 0, 0]], image_size=65)
    red, green, blue = (centre_of(image, color) for color in (RED, GREEN, BLUE))
    # The middle of a 65-pixel picture is the centre of pixel 32: nothing is shifted by a half.
    np.testing.assert_allclose(red, [32, 32], atol=1e-6)
    # 0.4 from 2.732 away is 0.4 / (2.732 tan 15) = 0.546 half-widths: 17.76 pixels.
    np.testing.assert_allclose(green, [32 - 17.76, 32], atol=0.3)
    np.testing.assert_allclose(blue, [32, 32 + 17.76], atol=0.3)


def test_view_from_plus_z_has_plus_x_at_the_right():
    mesh = joined(marker([0.4, 0, 0], RED), marker([0, 0.4, 0], GREEN), marker([0, 0, 0.4], BLUE))
    (image,) = render_views(mesh, eye_from_angles([2.732], [0.0], [90.0]), image_size=65)
    assert centre_of(image, RED)[1] > 40
    assert centre_of(image, GREEN)[0] < 24
    np.testing.assert_allclose(centre_of(image, BLUE), [32, 32], atol=0.1)


def test_a_mirrored_mesh_gives_the_mirrored_picture():
    mesh = random_mesh(1)
    mirrored = Mesh(mesh.vertices * [1, 1, -1], mesh.faces, mesh.face_colors)
    eyes = [[2.5, 0.7, 0]]
    picture, other = (render_views(m, eyes, image_size=(20, 31)) for m in (mesh, mirrored))
    np.testing.assert_array_equal(picture, other[:, :, ::-1])


def test_nearer_faces_hide_farther_ones():
    mesh = joined(marker([0.3, 0, 0], RED, 0.2), marker([-0.3, 0, 0], BLUE, 0.1))
    front, back = render_views(mesh, [[2.732, 0, 0], [-2.732, 0, 0]], image_size=32)
    assert front[16, 16].argmax() in (0, 3) and (front[..., 2] == 0).all()
    assert back[16, 16, 2] > 0 and back[16, 16, 0] == 0


def test_colour_is_the_materials_times_the_light():
    # A square that looks at the camera: ambient and camera light are 0.8, none comes from above.
    square = Mesh(
        [[0, -0.31, -0.31], [0, 0.31, -0.31], [0, 0.31, 0.31], [0, -0.31, 0.31]],
        [[0, 1, 2], [0, 2, 3]],
        [[0.5, 1.0, 0.0]] * 2,
    )
    (image,) = render_views(square, [[100.0, 0, 0]], viewing_angle=0.25)
    drawn = image[image[..., 3] > 0]
    # At 100 away the angle to a face's middle takes 1e-6 of the light: a rounding of 255 at most.
    assert (np.abs(drawn[:, :3].astype(int) - [102, 204, 0]) <= 1).all()
    assert len(np.unique(drawn[:, 3])) > 1  # anti-aliased borders have the same straight colour
    assert (image[image[..., 3] == 0] == 0).all()


def test_light_from_above_makes_tops_brighter_than_bottoms():
    sphere = icosphere(3)
    (image,) = render_views(Mesh(sphere.vertices * 0.5, sphere.faces), [[2.732, 0, 0]])
    assert image[15, 32, 0] > image[48, 32, 0] + 10


def test_both_sides_of_a_face_look_alike():
    mesh = random_mesh(2)
    flipped = Mesh(mesh.vertices, mesh.faces[:, ::-1], mesh.face_colors)
    eyes = eye_from_angles(2.732, [30.0, 30.0], [0.0, 100.0])
    difference = render_views(mesh, eyes).astype(int) - render_views(flipped, eyes)
    # The order of a face's corners changes the last bit of its normal.
    assert np.abs(difference).max() <= 1


def test_a_background_is_composited_and_opaque():
    mesh, eyes = random_mesh(3), [[2.0, 1.0, 1.0]]
    clear = render_views(mesh, eyes)
    opaque = render_views(mesh, eyes, background=(1.0, 0.5, 0.0))
    alpha = clear[..., 3:] / 255
    expected = clear[..., :3] * alpha + np.array([255, 127.5, 0]) * (1 - alpha)
    assert (opaque[..., 3] == 255).all()
    # Three roundings: colour, alpha and the composite.
    np.testing.assert_allclose(opaque[..., :3], expected, atol=1.5)


def brute_force_hits(mesh, eye, size, viewing_angle=15.0):
    """Returns the face that each pixel's ray meets first, -1 for none, in float64."""
    eye = np.asarray(eye, np.float64)
    forward = -eye / np.linalg.norm(eye)
    right = np.cross(forward, [0, 1, 0])
    right /= np.linalg.norm(right)
    plane = (2 * np.arange(size) + 1 - size) / size * np.tan(np.radians(viewing_angle))
    x, y = np.meshgrid(plane, -plane)
    rays = forward + x[..., None] * right + y[..., None] * np.cross(right, forward)
    nearest, hit = np.full((size, size), np.inf), np.full((size, size), -1)
    for index, (a, b, c) in enumerate(mesh.vertices.astype(np.float64)[mesh.faces]):
        # eye + t ray = a + u (b - a) + v (c - a), by Cramer's rule.
        across, from_a = np.cross(rays, c - a), eye - a
        determinant = across @ (b - a)
        determinant[determinant == 0] = np.nan  # a ray along the face meets nothing
        u = across @ from_a / determinant
        v = rays @ np.cross(from_a, b - a) / determinant
        depth = np.dot(np.cross(from_a, b - a), c - a) / determinant
        met = (u >= 0) & (v >= 0) & (u + v <= 1) & (depth > 0) & (depth < nearest)
        nearest[met], hit[met] = depth[met], index
    return hit


def test_faces_that_reach_behind_the_camera_are_cut_and_not_dropped():
    floor = [[-0.5, -0.1, -0.5], [0.5, -0.1, -0.5], [0.5, -0.1, 0.5], [-0.5, -0.1, 0.5]]
    wall = [[-0.1, 0.1, -0.1], [0.1, 0.1, -0.1], [0.0, -0.1, 0.0]]
    mesh = Mesh(np.array(floor + wall) * 3, [[0, 3, 2], [0, 2, 1], [4, 5, 6]], np.eye(3))
    # Cameras 0 and 2 stand above and below the floor, camera 1 sees all of it from outside, and
    # camera 3 is almost in the middle: the cut is at a share of the distance, not at a length.
    eyes = np.concatenate(
        [eye_from_angles([1.2, 12.0, 0.7], [10.0, 20.0, -5.0], [30.0, 80.0, 200.0]), [[0, 0, 0.01]]]
    )
    images = render_views(mesh, eyes, image_size=65, supersampling=1)
    for image, eye in zip(images, eyes, strict=True):
        expected = brute_force_hits(mesh, eye, 65)
        drawn = np.where(image[..., 3] > 0, image[..., :3].argmax(-1), -1)
        # float32 may move an edge across the centre of a pixel here and there.
        assert (drawn != expected).sum() <= 2
    assert all((image[..., 3] > 0).mean() > 0.01 for image in images)


def test_a_cut_changes_nothing_elsewhere():
    mesh, eyes = random_mesh(5), eye_from_angles(2.732, 30.0, [10.0, 250.0]).numpy()
    behind = Mesh(  # a face out of both pictures, behind the first camera
        np.concatenate([mesh.vertices, [[-1, 9, 3], [0, 9, 5], [1, 9, 3]]]),
        np.concatenate([mesh.faces, [[0, 1, 2]] + np.int32(len(mesh.vertices))]),
        np.concatenate([mesh.face_colors, [RED]]),
    )
    np.testing.assert_array_equal(render_views(behind, eyes), render_views(mesh, eyes))


def test_views_drawn_in_parts_are_the_same(monkeypatch):
    mesh, eyes = random_mesh(4), eye_from_angles(2.732, 30.0, np.arange(5) * 70.0)
    together = render_views(mesh, eyes, image_size=16)
    monkeypatch.setattr(_render_views, "_SAMPLES_AT_ONCE", 2 * 16 * 16 * 16)
    np.testing.assert_array_equal(render_views(mesh, eyes, image_size=16), together)


def test_a_mesh_without_faces_and_no_views_give_empty_pictures():
    empty = Mesh(np.zeros((0, 3)), np.zeros((0, 3), np.int32))
    assert not render_views(empty, [[1.0, 0, 0]], image_size=8).any()
    assert render_views(random_mesh(0), np.zeros((0, 3)), image_size=8).shape == (0, 8, 8, 4)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"eyes": [1.0, 0, 0]}, "eyes"),
        ({"eyes": [[1.0, 0, 0], [0.0, np.nan, 0]]}, "eyes"),
        ({"eyes": [[1.0, 0, 0], [0.0, 0.0, 0]]}, "eyes"),
        ({"image_size": 0}, "image_size"),
        ({"image_size": 6.5}, "image_size"),
        ({"image_size": (1, 2, 3)}, "image_size"),
        ({"supersampling": 0}, "supersampling"),
        ({"background": (0, 0)}, "background"),
        ({"background": (0, 0, 255)}, "background"),
        ({"viewing_angle": 90.0}, "viewing_angle"),
    ],
)
def test_bad_arguments_are_named(change, named):
    arguments = {"eyes": [[1.0, 0, 0]], "image_size": 8} | change
    with pytest.raises(ValueError, match=named):
        render_views(random_mesh(0), arguments.pop("eyes"), **arguments)
