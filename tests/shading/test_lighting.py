"""Light on matte surfaces: known angles and distances, and numeric gradients."""

import numpy as np
import pytest
import tensorflow as tf

from tests.gradient_checks import numeric_gradient
from tf_softras.shading import DirectionalLight, PointLight, lambert_light

UP = np.array([[[0.0, 1.0, 0.0]]])


def test_ambient_light_is_the_same_from_everywhere():
    seen = lambert_light(np.concatenate([UP, 0 * UP], axis=1), ambient=(0.1, 0.2, 0.3))
    np.testing.assert_allclose(seen, [[[0.1, 0.2, 0.3]] * 2])


@pytest.mark.parametrize("degrees, share", [(0, 1.0), (60, 0.5), (90, 0.0), (120, 0.0)])
def test_directional_light_falls_with_the_cosine(degrees, share):
    angle = np.radians(degrees)
    light = DirectionalLight(5.0 * np.array([np.sin(angle), np.cos(angle), 0]), (1.0, 0.5, 0.0))
    seen = lambert_light(3.0 * UP, directional=[light])
    np.testing.assert_allclose(seen, [[[share, share / 2, 0]]], atol=1e-12)


def test_point_light_falls_with_the_square_of_the_distance():
    positions = np.array([[[0.0, 0.0, 0.0], [0.0, -1.0, 0.0], [2.0, 0.0, 0.0], [0.0, 3.0, 0.0]]])
    normals = np.tile(UP, (1, 4, 1))
    seen = lambert_light(normals, positions, point=[PointLight((0.0, 2.0, 0.0), 8.0)])
    # At 2: 8 / 4. At 3: 8 / 9. At sqrt 8 and 45 degrees: 8 / 8 * sqrt(1/2). Above it: the back.
    np.testing.assert_allclose(seen[0, :, 0], [2.0, 8 / 9, np.sqrt(0.5), 0.0], atol=1e-12)


def test_a_two_sided_surface_is_lit_on_the_side_that_is_seen():
    lights = [DirectionalLight((0.0, 1.0, 0.0))]

    def seen(eye, two_sided):
        options = {"two_sided": two_sided, "directional": lights}
        return float(lambert_light(-UP, 0 * UP, eye=eye, **options)[0, 0, 0])

    assert seen((0.0, 2.0, 0.0), two_sided=False) == 0.0
    assert seen((0.0, 2.0, 0.0), two_sided=True) == 1.0
    # From below one sees the dark side.
    assert seen((0.0, -2.0, 0.0), two_sided=True) == 0.0


def test_lights_and_eyes_for_each_item():
    normals = np.random.default_rng(0).normal(size=(2, 4, 5, 3))
    positions = np.random.default_rng(1).normal(size=(2, 4, 5, 3))
    directions = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    eyes, colors = np.array([[0, 0, 3.0], [3.0, 0, 0]]), np.array([[1.0, 0.5, 0], [0, 1.0, 0.5]])

    def seen(items):
        return lambert_light(
            normals[items],
            positions[items],
            eye=eyes[items],
            ambient=colors[items],
            directional=[DirectionalLight(directions[items], colors[items])],
            point=[PointLight(eyes[items], colors[items])],
            two_sided=True,
        )

    together = seen(slice(None))
    for item in range(2):
        np.testing.assert_allclose(together[item], seen(slice(item, item + 1))[0], atol=1e-12)


RNG = np.random.default_rng(5)
POINT = {
    "normals": RNG.normal(size=(2, 3, 3)),
    "positions": RNG.normal(size=(2, 3, 3)),
    "ambient": RNG.uniform(size=3),
    "direction": RNG.normal(size=3),
    "direction color": RNG.uniform(size=3),
    "light position": RNG.normal(size=(2, 3)),
    "light color": RNG.uniform(size=3),
}


@pytest.mark.parametrize("of", POINT)
def test_gradients_are_the_numeric_ones(of):
    weights = RNG.normal(size=(2, 3, 3))

    def loss(x):
        given = {**POINT, of: x}
        return tf.reduce_sum(
            weights
            * lambert_light(
                given["normals"],
                given["positions"],
                eye=(0.0, 0.0, 3.0),
                ambient=given["ambient"],
                directional=[DirectionalLight(given["direction"], given["direction color"])],
                point=[PointLight(given["light position"], given["light color"])],
                two_sided=True,
            )
        )

    with tf.GradientTape() as tape:
        x = tf.constant(POINT[of])
        tape.watch(x)
        value = loss(x)
    expected = numeric_gradient(lambda p: float(loss(tf.constant(p))), POINT[of], step=1e-5)
    np.testing.assert_allclose(tape.gradient(value, x), expected, rtol=1e-7, atol=1e-7)


def test_gradients_are_finite_at_a_light_and_without_a_normal():
    with tf.GradientTape() as tape:
        x = tf.zeros((1, 2, 3))
        tape.watch(x)
        light = PointLight((0.0, 0.0, 0.0))
        seen = lambert_light(x, x, eye=(0.0, 0.0, 0.0), point=[light], two_sided=True)
    assert np.all(np.isfinite(seen)) and np.all(np.isfinite(tape.gradient(seen, x)))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"point": [PointLight((0, 0, 0))]}, "no positions"),
        ({"two_sided": True}, "no positions and no eye"),
        ({"two_sided": True, "positions": UP}, "no eye"),
    ],
)
def test_what_is_missing_is_named(arguments, message):
    with pytest.raises(ValueError, match=f"lighting: expected.*{message}"):
        lambert_light(UP, **arguments)
