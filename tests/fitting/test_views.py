"""Fits of textured meshes to pictures with known cameras."""

import dataclasses

import numpy as np
import pytest
from scipy.spatial import cKDTree

from tf_softras.datasets.posed_views import (
    PosedViews,
    PosedViewsError,
    eyes_around,
    rendered_views,
)
from tf_softras.fitting import FitError, fit_views, remesh
from tf_softras.fitting._views.atlas import painted, textured
from tf_softras.fitting._views.crops import crop_views
from tf_softras.fitting._views.hull import _without_unseen_parts, carved, object_frame, visual_hull
from tf_softras.fitting._views.surface import SurfaceGradient, UniformAdam
from tf_softras.fitting._views.view_measures import drawn_views, measured_views
from tf_softras.geometry import Mesh, eye_from_angles, icosphere

SIZE = 48


def box_mesh(sides=(0.8, 0.4, 0.6)):
    """Returns a box with a colour for each side."""
    x, y, z = 0.5 * np.array(sides)
    corners = [[i, j, k] for i in (-x, x) for j in (-y, y) for k in (-z, z)]
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    faces = [[q[0], q[i], q[i + 1]] for q in quads for i in (1, 2)]
    colors = np.repeat(np.eye(3)[[0, 1, 2, 0, 1, 2]] * 0.6 + 0.2, 2, axis=0)
    return Mesh(corners, faces, face_colors=colors)


def fine_box(sides=(0.8, 0.4, 0.6)):
    """Returns the box with every face cut into 64."""
    mesh = box_mesh(sides)
    vertices, faces = mesh.vertices, mesh.faces
    for _ in range(3):
        corners = vertices[faces]
        middles = 0.5 * (corners + np.roll(corners, -1, axis=1))
        a, b, c = (corners[:, i] for i in range(3))
        ab, bc, ca = (middles[:, i] for i in range(3))
        parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
        triangles = np.concatenate([np.stack(part, axis=1) for part in parts]).reshape(-1, 3)
        vertices, index = np.unique(triangles.round(6), axis=0, return_inverse=True)
        faces = index.reshape(-1, 3)
    return Mesh(vertices, faces)


def moved(views, scale, offset):
    """Returns the same pictures in a world of another scale and origin."""
    return PosedViews(
        dataclasses.replace(
            view,
            translation=scale * view.translation - view.rotation @ offset,
        )
        for view in views
    )


def distance_to_box(points, sides):
    """Returns the distance of points to the surface of a box about the origin."""
    outside = np.abs(points) - 0.5 * np.array(sides)
    far = np.linalg.norm(np.maximum(outside, 0.0), axis=-1)
    return np.abs(far + np.minimum(outside.max(axis=-1), 0.0))


@pytest.fixture(scope="module")
def views():
    return rendered_views(
        box_mesh(), eyes_around(18), image_size=(SIZE, SIZE + 16), hold_out=(4, 9)
    )


@pytest.fixture(scope="module")
def fitted(views):
    world = moved(views, 7.0, np.array([30.0, -20.0, 10.0]))
    return fit_views(world, steps=45, texture_size=128)


def test_a_box_is_found_in_any_world(fitted):
    vertices = (fitted.mesh.vertices - [30.0, -20.0, 10.0]) / 7.0
    distance = distance_to_box(vertices, (0.8, 0.4, 0.6))
    # A pixel is 0.03 there, and the surface is found within one. Corners are rounded, and the hull
    # that the 45 steps begin with has a roof of 0.09 that no camera sees edge-on.
    assert distance.mean() < 0.025 and distance.max() < 0.13
    # The centre is that of the hull. It lies half of that roof, 0.045 of 7 units, above the box's.
    np.testing.assert_allclose(fitted.state.center, [30.0, -20.0, 10.0], atol=0.33)
    assert fitted.mean("iou", held_out=True) > 0.9


def test_held_out_views_only_measure(views, fitted):
    assert [view["held_out"] for view in fitted.measures] == [view.held_out for view in views]
    options = {"steps": 4, "texture_size": None, "use_pictures": False}
    true = fit_views(views, **options)
    spoilt = fit_views(
        PosedViews(
            dataclasses.replace(view, picture=view.rgba()[::-1, ::-1]) if view.held_out else view
            for view in views
        ),
        **options,
    )
    np.testing.assert_array_equal(spoilt.mesh.vertices, true.mesh.vertices)
    assert spoilt.mean("iou", held_out=True) < true.mean("iou", held_out=True) - 0.05


def test_the_texture_has_the_colours_of_the_sides(fitted):
    (material,) = fitted.mesh.materials
    assert material.texture.shape == (128, 128, 3)
    # Sides are red, green and blue, with values 0.8 and 0.2 times the light of 0.45 to 1.
    for channel in range(3):
        pure = material.texture[..., channel] > 1.8 * np.delete(material.texture, channel, -1).max(
            -1
        )
        assert pure.mean() > 0.08
    assert fitted.mean("psnr", held_out=True) > 17.0


def test_a_fit_goes_on_where_it_ended(views):
    calls = []

    def stop(progress):
        calls.append(progress.iou)
        if len(calls) == 12:
            raise KeyboardInterrupt

    first = fit_views(views, steps=30, texture_size=None, use_pictures=False, on_step=stop)
    assert first.interrupted and first.mesh.vertex_colors is not None
    steps = []
    second = fit_views(
        views,
        steps=30,
        texture_size=None,
        use_pictures=False,
        state=first.state,
        on_step=steps.append,
    )
    assert not second.interrupted and steps[0].iou > calls[0]
    assert second.mean("iou", held_out=False) > first.mean("iou", held_out=False) - 0.01


@pytest.mark.parametrize("time_limit", [0.0, -1.0, float("nan")])
def test_a_time_limit_that_is_none_is_refused(views, time_limit):
    with pytest.raises(ValueError, match="time_limit: expected None or a positive number of sec"):
        fit_views(views, time_limit=time_limit, texture_size=None)


def test_a_time_limit_ends_the_fit(views):
    fitted = fit_views(views, time_limit=0.001, texture_size=None)
    assert fitted.interrupted and fitted.state.stage == 0


@pytest.mark.slow
def test_a_sphere_and_a_mesh_are_starts_too(views):
    for start in ("sphere", Mesh(0.4 * icosphere(2).vertices, icosphere(2).faces)):
        fitted = fit_views(views, start=start, steps=50, texture_size=None, use_pictures=False)
        assert fitted.mean("iou", held_out=True) > 0.85


def test_parts_beyond_the_pictures_are_not_of_the_hull(views):
    crops = crop_views(views, size=SIZE)
    crops = crops.moved(*object_frame(crops))
    ball, box = icosphere(1), fine_box()
    inside, beyond = (0.03 * ball.vertices + [0.0, y, 0.0] for y in (0.3, 1.2))
    mesh = Mesh(
        np.concatenate([box.vertices, beyond, inside]),
        np.concatenate([box.faces, *(ball.faces + len(box.vertices) + 42 * i for i in (0, 1))]),
    )
    kept = _without_unseen_parts(mesh, crops)
    expected = np.concatenate([mesh.vertices[: len(box.vertices)], inside])
    np.testing.assert_array_equal(kept.vertices, np.float32(expected))
    np.testing.assert_array_equal(kept.vertices[kept.faces[-80:]], np.float32(inside)[ball.faces])


def test_the_hull_is_the_box_where_views_see_its_sides(views):
    """The hull from 16 sides is the box, except for faces that no camera sees edge-on."""
    crops = crop_views(views.training(), size=SIZE)
    center, scale = object_frame(crops)
    # The tolerance covers coarse cells and the roof that cameras from above leave on the box.
    np.testing.assert_allclose(center, 0.0, atol=0.06)
    assert 0.78 < scale < 0.9
    corners = 0.98 * box_mesh().vertices.astype(np.float64)
    assert carved(crops, corners, 1.0).max() < 0.5 * scale / SIZE
    assert carved(crops, 1.3 * corners, 1.0).min() > 0.0
    hull = visual_hull(crops.moved(center, scale), resolution=64)
    signed = hull.vertices[hull.faces].astype(np.float64)
    volume = np.sum(signed[:, 0] * np.cross(signed[:, 1], signed[:, 2])) / 6.0 * scale**3
    assert 0.95 * 0.192 < volume < 1.25 * 0.192


def test_thin_parts_are_not_carved_away():
    """A plate a third of a pixel thick stays, though half of the cameras see it edge-on."""
    plate = box_mesh((0.9, 0.012, 0.6))
    views = rendered_views(plate, eyes_around(18), image_size=SIZE)
    crops = crop_views(views, size=SIZE)
    middle = np.stack(np.meshgrid([-0.4, 0.0, 0.4], [0.0], [-0.25, 0.25]), -1).reshape(-1, 3)
    assert carved(crops, middle, 1.0).max() < 0.0


def test_crops_project_like_their_pictures(views):
    """Every corner keeps its pixel, measured from the square's corner."""
    crops = crop_views(views, size=30)
    corners = box_mesh().vertices.astype(np.float64)
    for index, view in enumerate(views):
        camera = corners @ view.rotation.T + view.translation
        pixels = camera @ view.intrinsics.T
        square = camera @ crops.intrinsics[index].T
        left, top, right, _ = crops.boxes[index]
        expected = (pixels[:, :2] / pixels[:, 2:] - [left, top]) * crops.size / (right - left)
        np.testing.assert_allclose(square[:, :2] / square[:, 2:], expected, atol=1e-9)
        rows, columns = np.nonzero(crops.pictures[index, ..., 3] > 127)
        found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        wanted = [*expected.min(axis=0), *expected.max(axis=0)]
        np.testing.assert_allclose(found, wanted, atol=1.2)


def test_what_a_picture_does_not_show_carves_nothing():
    """A camera that cuts the object off does not carve beyond its border."""
    views = list(rendered_views(box_mesh(), eyes_around(18), image_size=SIZE))
    first = views[0]
    picture = first.rgba()[:, : SIZE // 2]
    views[0] = dataclasses.replace(first, picture=np.ascontiguousarray(picture))
    crops = crop_views(PosedViews(views), size=SIZE)
    corners = 0.95 * box_mesh().vertices.astype(np.float64)
    assert carved(crops, corners, 1.0).max() < 0.0


def test_texture_and_vertex_colours_reproduce_the_pictures(views):
    """Pictures of the true mesh are the true ones, except that light changes from view to view."""
    crops = crop_views(views, size=SIZE)
    mesh = fine_box()
    held_out = [False] * len(views)
    for colored in (textured(mesh, crops, texture_size=256), painted(mesh, crops)):
        measures = measured_views(colored, crops, held_out)
        assert np.mean([view["iou"] for view in measures]) > 0.97
        assert np.mean([view["psnr"] for view in measures]) > 20.0
    assert drawn_views(colored, crops).shape == crops.pictures.shape


def test_texels_keep_to_the_colours_of_the_pictures_on_a_mesh_that_is_off(views):
    """No texel runs away, though pixels beside an edge contradict the mesh at every step."""
    crops = crop_views(views, size=SIZE)
    mesh = fine_box((0.84, 0.42, 0.63))
    (material,) = textured(mesh, crops, texture_size=128).materials
    # Colours are 0.2 or 0.8 times a light of 0.45 to 1: from 23 to 204. The share outside was
    # 0.016, and 0.039 when texels took the whole correction of pixels that hardly show them.
    assert np.mean((material.texture < 10) | (material.texture > 225)) < 0.025


def test_a_plate_shrinks_to_the_coverage_of_its_masks():
    """A plate thinner than the true 0.6 pixels grows, and a thicker one shrinks."""

    def plate(thickness):
        mesh = box_mesh((0.9, thickness, 0.6))
        # Its middle is the middle of a row of pixels; a pixel is 0.0305 there.
        return Mesh(mesh.vertices + [0.0, 0.015, 0.0], mesh.faces)

    eyes = eye_from_angles(2.732, 0.0, np.arange(8) * 45.0)
    views = rendered_views(plate(0.018), np.asarray(eyes), image_size=SIZE)
    gradient = SurfaceGradient(crop_views(views, size=SIZE), colored=False, supersampling=4)
    growth = []
    for thickness in (0.015, 0.021):
        mesh = plate(thickness)
        # This sigma is so sharp that the silhouette's own blur does not thicken the plate. A loss
        # of products instead of minimum and maximum let it grow to 0.023.
        sigma = 0.001 * (2.0 / SIZE) ** 2
        _, change, _, _ = gradient(
            mesh.vertices, mesh.faces, np.zeros((8, 3)), np.zeros(10), np.arange(8), sigma
        )
        growth.append(-np.sum(np.sign(mesh.vertices[:, 1] - 0.015) * change[:, 1]))
    assert growth[0] > 0.0 > growth[1]


def test_remeshing_keeps_the_surface_and_gives_even_edges():
    mesh = remesh(fine_box(), 0.06)
    sides = mesh.vertices[mesh.faces] - mesh.vertices[np.roll(mesh.faces, 1, axis=1)]
    lengths = np.linalg.norm(sides, axis=-1)
    assert 0.04 < np.median(lengths) < 0.07 and lengths.max() < 0.16
    assert distance_to_box(mesh.vertices, (0.8, 0.4, 0.6)).max() < 0.02


def test_uniform_adam_keeps_the_direction_of_gradients():
    gradient = np.array([[3.0, -1.0, 0.1]])
    step = UniformAdam(0.5).step(gradient)
    np.testing.assert_allclose(step, 0.5 * gradient / 3.0, rtol=1e-6)


@pytest.mark.parametrize(
    "change, error, message",
    [
        (lambda views: views[:1], FitError, "expected at least 2 that are not held out"),
        (lambda views: opaque(views), PosedViewsError, "white everywhere"),
        (lambda views: empty(views), PosedViewsError, "received an empty mask"),
        (lambda views: turned_away(views), FitError, "looks at the object"),
        (lambda views: PosedViews([views[0], views[0]]), FitError, "one direction"),
        (lambda views: inside(views), FitError, "a camera outside of the object"),
        (lambda views: shuffled(views), FitError, "no point of space"),
    ],
)
def test_bad_views_are_one_sentence(views, change, error, message):
    training = views.training()
    with pytest.raises(error, match=message):
        fit_views(change(training), steps=3, texture_size=None)


def with_pictures(views, function):
    return PosedViews(dataclasses.replace(view, picture=function(view.rgba())) for view in views)


def opaque(views):
    return with_pictures(views, lambda picture: np.full_like(picture, 255))


def empty(views):
    return with_pictures(views, lambda picture: np.zeros_like(picture))


def turned_away(views):
    turn = np.diag([-1.0, 1.0, -1.0])
    first = views[0]
    away = dataclasses.replace(
        first, rotation=turn @ first.rotation, translation=turn @ first.translation
    )
    return PosedViews([away, *views[1:]])


def inside(views):
    first = views[0]
    return PosedViews(
        [dataclasses.replace(first, translation=0.08 * first.translation), *views[1:]]
    )


def shuffled(views):
    """Returns views whose masks lie at different places, so that no object is in all of them."""

    def cornered(picture, index):
        result = np.zeros_like(picture)
        result[2:8, 2 + 7 * (index % 5) : 8 + 7 * (index % 5)] = 255
        return result

    return PosedViews(
        dataclasses.replace(view, picture=cornered(view.rgba(), index))
        for index, view in enumerate(views)
    )


def test_starts_are_checked(views):
    with pytest.raises(ValueError, match="start: expected one of"):
        fit_views(views, start="cube")


def test_points_of_the_fit_cover_the_box(fitted):
    """Every point of the box's sides has a vertex near by."""
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.5, 0.5, (2000, 3))
    axis = rng.integers(0, 3, 2000)
    points[np.arange(2000), axis] = np.sign(points[np.arange(2000), axis]) * 0.5
    points *= (0.8, 0.4, 0.6)
    vertices = (fitted.mesh.vertices - [30.0, -20.0, 10.0]) / 7.0
    distance, _ = cKDTree(vertices).query(points)
    assert distance.max() < 0.13
