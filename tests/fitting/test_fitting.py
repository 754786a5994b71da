"""Fits find the mesh, the pose, the texture and the light that pictures were drawn with."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.transform import Rotation

from tf_softras import fitting, geometry, layers, shading
from tf_softras.fitting._descent import between, descend

SPHERE = geometry.icosphere(2)
EYES = np.asarray(geometry.eye_from_angles(3.0, [20.0, 20.0, -50.0, 60.0] * 2, 45.0 * np.arange(8)))


def project(vertices):
    return geometry.perspective(geometry.look_at(vertices, EYES))


def drawn(faces, vertices, size=32, *, eyes=EYES, lighting=None, inputs=(), **options):
    """Returns pictures and masks from every side, drawn without soft edges."""
    layer = layers.Renderer(
        faces, size, lighting=lighting, aggregation="hard", supersampling=4, **options
    )
    each = {"vertices": vertices[None], "eyes": eyes, **dict(inputs)}
    outputs = layer(
        {name: np.broadcast_to(x, (len(eyes), *x.shape[1:])) for name, x in each.items()}
    )
    return outputs["image"].numpy(), outputs["alpha"].numpy()


def test_a_mesh_and_its_colours_are_recovered():
    ellipsoid = 0.5 * SPHERE.vertices * np.float32([1.2, 0.5, 0.9])
    colors = np.where(ellipsoid[:, :1] > 0, [0.9, 0.3, 0.2], [0.2, 0.5, 0.8]).astype(np.float32)
    pictures, masks = drawn(SPHERE.faces, ellipsoid, inputs={"colors": colors[None]})
    ball = geometry.Mesh(0.4 * SPHERE.vertices, SPHERE.faces)
    fit = fitting.fit_mesh(ball, project, masks, pictures, steps=60, learning_rate=0.02)
    assert fit.losses.shape == (60,) and fit.losses[-1] < 0.3 * fit.losses[0]
    assert fit.silhouette_iou > 0.93
    # Its bounding box, which began with 0.8 in each direction, is within a pixel on both sides:
    # 2 / 32 of 3 tan(15), twice.
    np.testing.assert_allclose(np.ptp(fit.mesh.vertices, axis=0), [1.2, 0.5, 0.9], atol=0.1)
    away_from_seam = np.abs(fit.mesh.vertices[:, 0]) > 0.15
    wanted = np.where(fit.mesh.vertices[:, :1] > 0, [0.9, 0.3, 0.2], [0.2, 0.5, 0.8])
    error = np.abs(fit.vertex_colors - wanted)[away_from_seam]
    # All colours begin grey, 0.3 off.
    assert np.median(error) < 0.06 and error.mean() < 0.1


def test_a_mesh_is_recovered_from_silhouettes_alone():
    _, masks = drawn(SPHERE.faces, 0.5 * SPHERE.vertices * np.float32([1, 0.7, 1]))
    ball = geometry.Mesh(0.4 * SPHERE.vertices, SPHERE.faces)
    fit = fitting.fit_mesh(ball, project, masks, steps=30, learning_rate=0.02)
    assert fit.vertex_colors is None and fit.silhouette_iou > 0.93


def colored_box():
    """Returns a subdivided box of three different sides whose corners have different colours."""
    vertices = SPHERE.vertices / np.abs(SPHERE.vertices).max(axis=1, keepdims=True)
    return 0.35 * vertices * np.float32([1, 0.8, 0.6]), SPHERE.faces, 0.5 + 0.5 * vertices


@pytest.mark.parametrize("moves", [False, True])
def test_a_pose_is_recovered(moves):
    vertices, faces, colors = colored_box()
    truth = Rotation.from_euler("xyz", [30, 40, -20], degrees=True)
    offset = np.float32([0.1, -0.08, 0.0] if moves else [0, 0, 0])
    eye = np.float32([[0, 0, 3]])
    posed = (vertices @ truth.as_matrix().T + offset).astype(np.float32)
    pictures, masks = drawn(faces, posed, 24, eyes=eye, inputs={"colors": colors[None]})
    # The starts are turned by 70 degrees about one axis, and by 150 about another.
    starts = Rotation.from_rotvec([[0.7, 0.7, 0.7], [1.5, -2.1, 0.0]]) * truth
    fit = fitting.fit_pose(
        vertices,
        faces,
        colors,
        lambda v: geometry.perspective(geometry.look_at(v, eye)),
        masks[0],
        pictures[0],
        starts=starts.as_quat(),
        moves=moves,
        steps=100,
        # The starts are far off, so the fit needs soft edges and a high learning rate.
        learning_rate=0.1,
        sigma=(3e-2, 1e-4),
        gamma=(1e-2, 1e-3),
    )
    np.testing.assert_allclose(fit.first_rotations, starts.as_matrix(), atol=1e-6)
    found = Rotation.from_matrix(fit.rotations[fit.best])
    assert np.degrees((found * truth.inv()).magnitude()) < 4.0
    # The tolerance is a third of a pixel, 2 / 24 of 3 tan(15). In depth it is the same, divided by
    # the box's half size of 0.35.
    error = np.abs(fit.translations[fit.best] - offset)
    assert error[0] < 0.025 and error[1] < 0.025 and error[2] < 0.2
    assert fit.losses.shape == (100, 2) and fit.best == np.argmin(fit.losses[-1])


def pose_problem(truth, size=24):
    vertices, faces, colors = colored_box()
    eye = np.float32([[0, 0, 3]])
    posed = (vertices @ truth.as_matrix().T).astype(np.float32)
    pictures, masks = drawn(faces, posed, size, eyes=eye, inputs={"colors": colors[None]})
    camera = lambda v: geometry.perspective(geometry.look_at(v, eye))  # noqa: E731
    return vertices, faces, colors, camera, masks[0], pictures[0]


def degrees_off(rotations, truth):
    return np.degrees((Rotation.from_matrix(rotations) * truth.inv()).magnitude())


TURNED = Rotation.from_euler("xyz", [30, 40, -20], degrees=True)


def test_starts_are_the_best_of_their_candidates():
    # The nearest of 64 rotations is 35 degrees away in the median: 64 (t - sin t) / pi = 0.7. A
    # single one is 126 degrees away.
    problem = pose_problem(TURNED)
    tried = {
        count: fitting.fit_pose(*problem, starts=12, candidates=count, steps=1) for count in (1, 64)
    }
    for fit in tried.values():
        # One step of Adam moves each number of a unit quaternion by 0.03: 2 asin(0.06) = 6.9.
        assert np.all(degrees_off(fit.first_rotations, Rotation.from_matrix(fit.rotations)) < 7)
    median = {
        count: np.median(degrees_off(fit.first_rotations, TURNED)) for count, fit in tried.items()
    }
    assert median[1] > 90 and median[64] < 60


def test_most_random_starts_find_the_pose():
    fit = fitting.fit_pose(*pose_problem(TURNED), starts=10, steps=60)
    found = degrees_off(fit.rotations, TURNED) < 6.0
    assert found.sum() >= 8 and found[fit.best]
    # The losses tell the other starts apart.
    assert fit.losses[-1][found].max() < 0.8 * fit.losses[-1][~found].min(initial=np.inf)


def test_a_texture_is_recovered():
    rng = np.random.default_rng(0)
    texture = (
        rng.uniform(0.1, 0.9, (4, 8, 3)).repeat(2, axis=0).repeat(2, axis=1).astype(np.float32)
    )
    uvs = geometry.spherical_uvs(SPHERE)
    pictures, masks = drawn(
        SPHERE.faces, 0.5 * SPHERE.vertices, inputs={"textures": texture[None]}, face_uvs=uvs
    )
    fit = fitting.fit_texture(
        0.5 * SPHERE.vertices,
        SPHERE.faces,
        uvs,
        project,
        masks,
        pictures,
        texture_size=(8, 16),
        steps=100,
    )
    # Skip the poles, because their texels are smaller than a pixel.
    error = np.abs(fit.texture - texture)[2:-2]
    assert error.mean() < 0.02 and np.abs(0.5 - texture).mean() > 0.15


def test_a_light_is_recovered():
    vertices = 0.5 * SPHERE.vertices
    colors = np.random.default_rng(1).uniform(0.4, 0.9, vertices.shape).astype(np.float32)
    ambient, sun = (0.1, 0.15, 0.2), shading.DirectionalLight((0.5, 0.7, 0.4), (0.8, 0.7, 0.5))
    pictures, masks = drawn(
        SPHERE.faces,
        vertices,
        inputs={"colors": colors[None]},
        lighting=layers.LambertLighting(ambient=ambient, directional=[sun]),
    )
    fit = fitting.fit_light(vertices, SPHERE.faces, colors, project, masks, pictures, steps=120)
    direction = np.float32(sun.direction) / np.linalg.norm(sun.direction)
    assert np.degrees(np.arccos(fit.sun.direction @ direction)) < 1.0
    np.testing.assert_allclose(fit.ambient, ambient, atol=0.01)
    np.testing.assert_allclose(fit.sun.color, sun.color, atol=0.01)


def test_descent_minimises_each_item_for_itself():
    x = tf.Variable([3.0, -2.0])
    losses = descend(lambda progress: (x - 1.0) ** 2, [x], steps=200, learning_rate=0.1)
    assert losses.shape == (200, 2) and losses[0] == pytest.approx([4.0, 9.0])
    np.testing.assert_allclose(x, [1.0, 1.0], atol=5e-3)


def test_schedules_go_by_equal_factors():
    assert [float(between((1e-2, 1e-4), p)) for p in (0.0, 0.5, 1.0)] == pytest.approx(
        [1e-2, 1e-3, 1e-4]
    )


MASKS = np.zeros((8, 16, 16), np.float32)


@pytest.mark.parametrize(
    "fit, message",
    [
        (lambda: fitting.fit_mesh(SPHERE, project, MASKS[0]), "masks: expected .*16, 16"),
        (lambda: fitting.fit_mesh(SPHERE, project, MASKS, MASKS), "pictures: expected .*16, 16, 3"),
        (lambda: fitting.fit_mesh(SPHERE, project, MASKS, steps=0), "steps: expected.*0"),
        (
            lambda: fitting.fit_mesh(SPHERE, project, MASKS, steps=3, learning_rate=1e30),
            "finite.*1e\\+30",
        ),
        (
            lambda: fitting.fit_pose(
                *colored_box(), project, MASKS[0], np.zeros((16, 16, 3)), starts=[[1.0, 2.0]]
            ),
            "starts: expected.*2",
        ),
        (
            lambda: fitting.fit_pose(
                *colored_box(), project, MASKS[0], np.zeros((16, 16, 3)), candidates=0
            ),
            "candidates: expected.*0",
        ),
    ],
)
def test_bad_input(fit, message):
    with pytest.raises(ValueError, match=message):
        fit()
