"""Codes are moved until their meshes have the silhouettes of pictures."""

import numpy as np
import pytest
import tensorflow as tf

from tf_softras import fitting, geometry, ops
from tf_softras.fitting import code
from tf_softras.fitting.code import _best_directions

SPHERE = geometry.icosphere(2)
SIZE = 32
# Two objects: long, and flat. All first codes are balls.
TRUE = np.float32([[0.45, 0.2, 0.25], [0.3, 0.1, 0.4]])
BALLS = np.full_like(TRUE, 0.3)
AZIMUTHS = np.float32([75.0, 200.0])


def decode(codes):
    """Returns eggs of three radii: blunt towards -x, so that no two sides look alike."""
    egg = SPHERE.vertices * np.where(SPHERE.vertices[:, :1] > 0, [1.0, 1.0, 1.0], [0.4, 1.0, 1.0])
    # A fin above +x and +z, which tells left from right.
    fin = np.float32(SPHERE.vertices.min(axis=1, keepdims=True) > 0.3) * [0.6, 0.6, 0.6]
    return tf.constant(egg + fin, tf.float32) * codes[:, None]


def eyes_at(azimuths):
    return np.asarray(geometry.eye_from_angles(2.732, 30.0, azimuths))


def masks_of(codes, azimuths=AZIMUTHS):
    plane = geometry.perspective(geometry.look_at(decode(tf.constant(codes)), eyes_at(azimuths)))
    return ops.soft_rasterize(plane, SPHERE.faces, image_size=SIZE, sigma=1e-6).numpy()


def iou(one, other):
    return (one * other).sum((1, 2)) / (one + other - one * other).sum((1, 2))


def test_silhouettes_from_known_cameras_are_met():
    masks = masks_of(TRUE)
    assert iou(masks, masks_of(BALLS)).max() < 0.75
    eyes = eyes_at(AZIMUTHS)
    options = {"prior": 0.0, "learning_rate": 0.1}
    fit = fitting.fit_codes(decode, SPHERE.faces, BALLS, masks, eyes=eyes, **options)
    np.testing.assert_array_equal(fit.eyes, eyes)
    np.testing.assert_allclose(fit.vertices, decode(fit.codes), atol=1e-6)
    assert iou(masks, masks_of(fit.codes)).min() > 0.95
    # The first object is seen along its length, from 30 degrees above; height and width are seen.
    np.testing.assert_allclose(fit.codes[0], TRUE[0], atol=0.06)


def test_cameras_are_found_if_the_shape_is_about_right():
    near = (TRUE * np.float32([1.1, 0.9, 1.1])).astype("float32")
    masks = masks_of(TRUE)
    fit = fitting.fit_codes(decode, SPHERE.faces, near, masks)
    cosines = (fit.eyes * eyes_at(AZIMUTHS)).sum(axis=1) / 2.732**2
    # The candidates are 10 degrees apart, and none is at 75.
    assert np.degrees(np.arccos(cosines)).max() < 4.0
    found = np.degrees(np.arctan2(fit.eyes[:, 2], fit.eyes[:, 0])) % 360
    assert iou(masks, masks_of(fit.codes, found.astype("float32"))).min() > 0.93


def test_items_are_independent():
    masks = masks_of(TRUE)
    options = {"trial_steps": 4, "steps": 6, "candidates": 12, "starts": 2}
    both = fitting.fit_codes(decode, SPHERE.faces, BALLS, masks, **options)
    for item in range(2):
        one = slice(item, item + 1)
        alone = fitting.fit_codes(decode, SPHERE.faces, BALLS[one], masks[one], **options)
        np.testing.assert_allclose(both.codes[one], alone.codes, atol=2e-4)
        np.testing.assert_allclose(both.losses[one], alone.losses, atol=2e-4)


def test_the_start_with_the_lowest_loss_is_followed(monkeypatch):
    # The wrong side comes first, the right one second.
    sides = (AZIMUTHS[:, None] + np.float32([180.0, 0.0])) / 10.0
    monkeypatch.setattr(code, "_best_directions", lambda *_: np.rint(sides).astype(int) % 36)
    near = (TRUE * np.float32([1.1, 0.9, 1.1])).astype("float32")
    fit = fitting.fit_codes(decode, SPHERE.faces, near, masks_of(TRUE), starts=2)
    cosines = (fit.eyes * eyes_at(AZIMUTHS)).sum(axis=1) / 2.732**2
    assert np.degrees(np.arccos(cosines)).max() < 6.0


def test_the_fit_goes_on_where_the_trial_ended():
    options = {"masks": masks_of(TRUE), "steps": 1, "starts": 2}
    short, long = (
        fitting.fit_codes(decode, SPHERE.faces, BALLS, trial_steps=steps, **options)
        for steps in (1, 30)
    )
    assert (long.losses < 0.8 * short.losses).all()


def test_float64_is_taken_as_it_is_meant():
    masks, eyes = masks_of(TRUE), eyes_at(AZIMUTHS)
    single = fitting.fit_codes(decode, SPHERE.faces, BALLS, masks, eyes=eyes, steps=2)
    wide = [tf.constant(values, tf.float64) for values in (BALLS, masks, eyes)]
    double = fitting.fit_codes(
        lambda codes: tf.cast(decode(codes), tf.float64),
        SPHERE.faces, *wide[:2], eyes=wide[2], steps=2,
    )  # fmt: skip
    np.testing.assert_allclose(double.codes, single.codes, atol=1e-6)


def test_a_heavy_prior_keeps_the_code():
    masks = masks_of(TRUE)
    eyes = eyes_at(AZIMUTHS)
    free = fitting.fit_codes(decode, SPHERE.faces, BALLS, masks, eyes=eyes, prior=0.0)
    held = fitting.fit_codes(decode, SPHERE.faces, BALLS, masks, eyes=eyes, prior=1e3)
    assert np.abs(held.codes - BALLS).max() < 0.01 < np.abs(free.codes - BALLS).max()


def test_peaks_of_a_circle_come_before_their_neighbours():
    ious = np.float32([[0.9, 0.5, 0.2, 0.6, 0.3, 0.8], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]])
    # 0.8 is next to 0.9, across the end of the row; the second row has one peak alone.
    np.testing.assert_array_equal(_best_directions(ious, 3), [[0, 3, 5], [5, 4, 3]])


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"codes": BALLS[0]}, r"codes: expected shape \[items, code_size\].*received \(3,\)"),
        ({"codes": BALLS[:0]}, "codes: expected .* at least one"),
        ({"codes": np.full_like(BALLS, np.nan)}, "codes: expected finite numbers"),
        ({"masks": np.zeros([3, SIZE, SIZE])}, r"masks: expected shape \[2, height, width\]"),
        ({"masks": np.full([2, SIZE, SIZE], 255.0)}, r"masks: expected values in \[0, 1\]"),
        ({"masks": np.full([2, SIZE, SIZE], np.nan)}, r"masks: expected values in \[0, 1\]"),
        ({"eyes": np.zeros([1, 3])}, r"eyes: expected shape \[2, 3\]"),
        ({"starts": 0}, r"starts: expected an int in \[1, 36\]; received 0"),
        ({"starts": 3, "candidates": 2}, r"starts: expected an int in \[1, 2\]; received 3"),
        ({"candidates": 0}, "candidates: expected a positive int; received 0"),
        ({"prior": float("nan")}, "prior: expected a finite number of at least 0; received nan"),
        ({"prior": np.inf}, "prior: expected a finite number of at least 0; received inf"),
        ({"steps": 0}, "steps: expected a positive int; received 0"),
        ({"steps": 2.0}, r"steps: expected a positive int; received 2\.0"),
        ({"starts": 2.0}, r"starts: expected an int in \[1, 36\]; received 2\.0"),
        ({"candidates": np.nan}, "candidates: expected a positive int; received nan"),
        ({"sigma": 1e-4}, "sigma: expected two positive finite numbers; received 0.0001"),
        ({"sigma": (1e-4, 0.0)}, "sigma: expected two positive finite numbers"),
        ({"distance": 0.0}, r"distance: expected a positive finite number; received 0\.0"),
        ({"eyes": np.zeros([2, 3])}, "eyes: expected finite points beside the origin"),
        ({"eyes": np.full([2, 3], np.nan)}, "eyes: expected finite points beside the origin"),
        ({"trial_steps": 0}, "trial_steps: expected a positive int; received 0"),
        (
            {"learning_rate": -1.0},
            r"learning_rate: expected a positive finite number; received -1\.0",
        ),
    ],
)
def test_bad_arguments_are_named(changes, message):
    arguments = {"codes": BALLS, "masks": masks_of(TRUE), "steps": 2, "trial_steps": 2}
    arguments |= changes
    with pytest.raises(ValueError, match=message):
        fitting.fit_codes(decode, SPHERE.faces, **arguments)
