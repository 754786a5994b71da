"""Back-face culling: the faces that trimesh's normals show to the eye, and no others."""

import numpy as np
import pytest
import tensorflow as tf
import trimesh

from tf_softras import geometry, layers

# A torus hides some of its front faces and shows them through its back when those are culled.
TORUS = trimesh.creation.torus(0.4, 0.15, major_sections=14, minor_sections=8)
VERTICES, FACES = TORUS.vertices.astype("float32")[None], np.asarray(TORUS.faces, np.int32)
EYES = np.asarray(geometry.eye_from_angles(2.732, [25.0, 70.0], [40.0, 200.0]))
COLORS = np.random.default_rng(0).random(VERTICES.shape).astype("float32")


def seen_from(eye):
    """Returns bool [faces]: the eye is on the front side of the face's plane, by trimesh."""
    return np.einsum("fc,fc->f", TORUS.face_normals, eye - TORUS.triangles_center) > 0


def on_plane(eyes):
    return geometry.perspective(geometry.look_at(VERTICES, eyes))


def test_faces_that_are_left_are_those_whose_normals_of_trimesh_see_the_eye():
    mesh = geometry.cull_back_faces(on_plane(EYES), FACES)
    depth = np.asarray(mesh.vertices)[..., 2].reshape(2, len(FACES), 3)
    for item, eye in enumerate(EYES):
        left = seen_from(eye)
        assert 0.3 < left.mean() < 0.7
        np.testing.assert_array_equal((depth[item] > 0).all(axis=1), left)
        np.testing.assert_array_equal((depth[item] == -1).all(axis=1), ~left)


@pytest.mark.parametrize("aggregation", ["soft", "hard"])
def test_pictures_are_those_of_the_front_faces_alone(aggregation):
    front = FACES[seen_from(EYES[0])]
    plane, options = on_plane(EYES[:1]), {"sigma": 1e-4, "aggregation": aggregation}
    culled = layers.SoftShade(FACES, 24, cull_back_faces=True, **options)([plane, COLORS])
    alone = layers.SoftShade(front, 24, **options)([plane, COLORS])
    whole = layers.SoftShade(FACES, 24, **options)([plane, COLORS])
    for seen, expected in zip(culled, alone, strict=True):
        np.testing.assert_allclose(seen, expected, atol=1e-6)
    assert np.abs(np.asarray(whole[1]) - np.asarray(alone[1])).max() > 0.01
    silhouettes = layers.SoftRasterize(FACES, 24, 1e-4, cull_back_faces=True)(plane)
    np.testing.assert_allclose(silhouettes, culled[1], atol=1e-6)


def test_gradients_are_those_of_the_front_faces_alone():
    front = FACES[seen_from(EYES[0])]
    plane = tf.constant(on_plane(EYES[:1]))

    def gradient(layer):
        with tf.GradientTape() as tape:
            tape.watch(plane)
            value = tf.reduce_sum(layer(plane) ** 2)
        return tape.gradient(value, plane)

    culled = gradient(layers.SoftRasterize(FACES, 24, 1e-3, cull_back_faces=True))
    np.testing.assert_allclose(
        culled, gradient(layers.SoftRasterize(front, 24, 1e-3)), rtol=1e-4, atol=1e-5
    )


def test_the_inside_of_a_box_is_seen_through_its_culled_front_wall():
    box = trimesh.creation.box((1, 1, 1))
    # The eye is outside, faces are turned inside out: the near walls vanish, the far ones stay.
    inside_out = np.asarray(box.faces)[:, ::-1]
    eye = np.float32([[0.0, 0.0, 3.0]])
    options = {"aggregation": "hard", "lens": layers.Perspective(viewing_angle=20.0)}
    depths = [
        np.asarray(
            layers.Renderer(inside_out, 8, cull_back_faces=cull, **options)(
                {"vertices": box.vertices.astype("float32")[None], "eyes": eye}
            )["depth"]
        )[0, 4, 4]
        for cull in (False, True)
    ]
    np.testing.assert_allclose(depths, [2.5, 3.5], rtol=1e-5)


def test_a_part_cut_at_the_near_plane_keeps_its_front():
    # A floor under the eye, which reaches behind the camera: seen from above, not from below.
    floor = np.float32([[[-5, 0, -5], [5, 0, -5], [5, 0, 5], [-5, 0, 5]]])
    up = np.array([[0, 2, 1], [0, 3, 2]])
    for faces, is_seen in ((up, True), (up[:, ::-1], False)):
        renderer = layers.Renderer(
            faces, 8, camera=layers.LookAt(eye=(0, 1, 3)), cull_back_faces=True
        )
        assert (np.asarray(renderer(floor)["alpha"]).max() > 0.9) == is_seen


@pytest.mark.parametrize("kind", [layers.SoftRasterize, layers.SoftShade, layers.Renderer])
def test_layers_that_cull_are_restored(kind):
    layer = kind(FACES, 8, cull_back_faces=True)
    assert kind.from_config(layer.get_config()).cull_back_faces
    config = layer.get_config()
    del config["cull_back_faces"]  # A configuration of before.
    assert not kind.from_config(config).cull_back_faces
    with pytest.raises(ValueError, match="cull_back_faces: expected True or False"):
        kind(FACES, 8, cull_back_faces=1)


def test_a_near_behind_the_camera_would_show_what_is_culled():
    with pytest.raises(ValueError, match="near: expected at least 0"):
        layers.SoftRasterize(FACES, 8, near=-2.0, cull_back_faces=True)
