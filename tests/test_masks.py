"""Masks as people have them, in losses, metrics and fits: the right values in float64 NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_softras import fitting, geometry, losses, metrics
from tf_softras.fitting._pictures import checked_pictures

RANDOM = np.random.default_rng(0)
# An anti-aliased mask of whole 255ths, and a prediction.
BYTES = RANDOM.integers(0, 256, (3, 6, 5)).astype("uint8")
BYTES[0] = 0
TRUTH = BYTES / 255.0
PREDICTED = RANDOM.random((3, 6, 5))


def soft_iou_loss(t, p, weight=1.0):
    """Eq. 3 of each image."""
    product, union = weight * t * p, weight * (t + p - t * p)
    return 1 - product.sum((-2, -1)) / union.sum((-2, -1))


def hard_iou(t, p, weight=1.0):
    both, either = (t > 0.5) & (p > 0.5), (t > 0.5) | (p > 0.5)
    return (weight * both).sum((-2, -1)) / (weight * either).sum((-2, -1))


def metric_of(*arguments):
    metric = metrics.SilhouetteIoU()
    metric.update_state(*arguments)
    return float(metric.result())


FORMATS = {
    "uint8": lambda m: np.rint(255 * m).astype("uint8"),
    "uint8 tensor": lambda m: tf.constant(np.rint(255 * m), tf.uint8),
    "float32": lambda m: m.astype("float32"),
    "a channel": lambda m: m[..., None],
    "uint8 with a channel": lambda m: np.rint(255 * m).astype("uint8")[..., None],
}


@pytest.mark.parametrize("of_predicted", FORMATS)
@pytest.mark.parametrize("of_truth", FORMATS)
def test_every_format_of_a_mask_gives_the_same_loss_and_metric(of_truth, of_predicted):
    predicted = np.rint(255 * PREDICTED) / 255
    given = FORMATS[of_truth](TRUTH), FORMATS[of_predicted](predicted)
    # float32 sums of 30 terms.
    expected = soft_iou_loss(TRUTH, predicted)
    np.testing.assert_allclose(losses.silhouette_iou_loss(*given), expected, rtol=3e-6)
    loss = losses.SilhouetteIoULoss()
    np.testing.assert_allclose(loss(*given), expected.mean(), rtol=3e-6)
    assert metric_of(*given) == pytest.approx(hard_iou(TRUTH, predicted).mean(), rel=1e-6)


def test_bool_masks_are_0_and_1():
    expected = soft_iou_loss(1.0 * (TRUTH > 0.5), PREDICTED)
    value = losses.silhouette_iou_loss(TRUTH > 0.5, PREDICTED)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    assert metric_of(TRUTH > 0.5, PREDICTED) == pytest.approx(hard_iou(TRUTH, PREDICTED).mean())


def test_colours_of_bytes_are_those_of_floats():
    picture = RANDOM.integers(0, 256, (2, 4, 5, 4)).astype("uint8")
    predicted = RANDOM.random((2, 4, 5, 3))
    rgb, alpha = picture[..., :3] / 255, picture[..., 3] / 255
    errors = ((rgb - predicted) ** 2).mean(-1)
    expected = (alpha * errors).sum((1, 2)) / alpha.sum((1, 2))
    np.testing.assert_allclose(losses.color_loss(picture, predicted), expected, rtol=1e-6)
    # One picture of many predictions.
    expected = (alpha[:1] * ((rgb[:1] - predicted) ** 2).mean(-1)).sum((1, 2)) / alpha[0].sum()
    np.testing.assert_allclose(losses.color_loss(picture[:1], predicted), expected, rtol=1e-6)


def test_a_batch_of_one_is_compared_with_each_item():
    for t, p in ((TRUTH[1:2], PREDICTED), (TRUTH, PREDICTED[1:2])):
        value = losses.silhouette_iou_loss(t, p)
        np.testing.assert_allclose(value, soft_iou_loss(t, p), rtol=1e-12)
        assert metric_of(t, p) == pytest.approx(hard_iou(t, p).mean())


REFUSED = {
    "int32": (
        TRUTH.astype("int32"),
        r"expected floats in \[0, 1\], bool.*received int32 \[3, 6, 5",
    ),
    "int64 of 0 and 1": ((TRUTH > 0.5).astype("int64"), "received int64"),
    "0 to 255 as floats": (255.0 * TRUTH, r"expected floats in \[0, 1\]; received .* to 255"),
    "below 0": (TRUTH - 0.01, r"received .* from -0.01"),
    "uint8 of 0 and 1": ((TRUTH > 0.5).astype("uint8"), "received 1 as the largest value"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_masks_that_would_give_a_wrong_number_are_refused_by_name(case):
    masks, match = REFUSED[case]
    for given in (masks, tf.constant(masks)):
        for function in (losses.silhouette_iou_loss, losses.SilhouetteIoULoss(), metric_of):
            with pytest.raises(ValueError, match=f"y_true: .*{match}"):
                function(given, PREDICTED)
            with pytest.raises(ValueError, match=f"y_pred: .*{match}"):
                function(PREDICTED, given)
    pictures = np.stack([masks] * 4, axis=-1)
    with pytest.raises(ValueError, match=f"y_true: .*{match}"):
        losses.color_loss(pictures, np.zeros((3, 6, 5, 3)))
    sphere = geometry.icosphere(0)
    with pytest.raises(ValueError, match=f"masks: .*{match}"):
        fitting.fit_mesh(sphere, lambda v: v, masks)
    with pytest.raises(ValueError, match=f"pictures: .*{match}"):
        fitting.fit_mesh(sphere, lambda v: v, TRUTH, pictures[..., :3])


def test_rounding_outside_the_range_is_taken():
    loss = losses.silhouette_iou_loss(np.float16(TRUTH) * np.float16(1.0005), PREDICTED)
    np.testing.assert_allclose(loss, soft_iou_loss(TRUTH, PREDICTED), rtol=2e-3)


def test_fits_read_masks_and_pictures_of_bytes_as_floats():
    pictures = RANDOM.integers(0, 256, (3, 6, 5, 3)).astype("uint8")
    read_pictures, masks = checked_pictures(pictures, BYTES[..., None])
    np.testing.assert_allclose(masks, TRUTH, rtol=1e-6)
    np.testing.assert_allclose(read_pictures, pictures / 255, rtol=1e-6)
    assert masks.dtype == read_pictures.dtype == tf.float32


@pytest.mark.parametrize("as_batches", [False, True])
def test_a_model_trains_on_masks_of_bytes_as_on_floats(as_batches):
    def losses_of(masks):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [keras.Input((4,)), keras.layers.Dense(30, "sigmoid"), keras.layers.Reshape((6, 5, 1))]
        )
        model.compile("sgd", losses.SilhouetteIoULoss(), metrics=[metrics.SilhouetteIoU()])
        data = (np.ones((3, 4), "float32"), masks)
        if as_batches:
            data = (tf.data.Dataset.from_tensor_slices(data).batch(3),)
        return model.fit(*data, epochs=2, verbose=0, shuffle=False).history

    of_bytes, floats = losses_of(BYTES), losses_of(TRUTH.astype("float32"))
    assert 0 < of_bytes["loss"][0] < 1
    for name, values in floats.items():
        assert of_bytes[name] == pytest.approx(values, rel=1e-5)


def test_a_graph_refuses_byte_masks_of_0_and_1_when_it_runs():
    @tf.function(input_signature=[tf.TensorSpec((None, 6, 5), tf.uint8)])
    def loss(masks):
        return losses.SilhouetteIoULoss()(masks, tf.constant(PREDICTED))

    np.testing.assert_allclose(loss(BYTES), soft_iou_loss(TRUTH, PREDICTED).mean(), rtol=3e-6)
    with pytest.raises(tf.errors.InvalidArgumentError, match="received 1 as the largest value"):
        loss((TRUTH > 0.5).astype("uint8"))


WEIGHTS = RANDOM.random((3, 6, 5)) * (RANDOM.random((3, 6, 5)) < 0.7)


@pytest.mark.parametrize("channel", [False, True])
def test_weights_of_pixels_count_in_intersection_and_union(channel):
    weight = WEIGHTS[..., None] if channel else WEIGHTS
    expected = soft_iou_loss(TRUTH, PREDICTED, WEIGHTS)
    value = losses.silhouette_iou_loss(TRUTH, PREDICTED, pixel_weight=weight)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    loss = losses.SilhouetteIoULoss()(TRUTH, PREDICTED, weight)
    np.testing.assert_allclose(loss, expected.mean(), rtol=1e-12)
    expected = hard_iou(TRUTH, PREDICTED, WEIGHTS).mean()
    assert metric_of(TRUTH, PREDICTED, weight) == pytest.approx(expected)


def test_a_pixel_of_weight_0_plays_no_part_and_an_image_of_them_none():
    changed = np.where(WEIGHTS == 0, 1 - PREDICTED, PREDICTED)
    loss = losses.SilhouetteIoULoss()
    np.testing.assert_allclose(loss(TRUTH, changed, WEIGHTS), loss(TRUTH, PREDICTED, WEIGHTS))
    assert metric_of(TRUTH, changed, WEIGHTS) == metric_of(TRUTH, PREDICTED, WEIGHTS)
    without = np.stack([WEIGHTS[0], WEIGHTS[1], 0 * WEIGHTS[2]])
    expected = hard_iou(TRUTH[:2], PREDICTED[:2], WEIGHTS[:2]).mean()
    assert metric_of(TRUTH, PREDICTED, without) == pytest.approx(expected)


REDUCED = {
    "sum": lambda loss, weight: (loss * weight).sum(),
    "sum_over_batch_size": lambda loss, weight: (loss * weight).sum() / 3,
    "mean_with_sample_weight": lambda loss, weight: (loss * weight).sum() / weight.sum(),
    None: lambda loss, weight: loss * weight,
}


@pytest.mark.parametrize("reduction", REDUCED)
def test_weights_of_items_and_of_views_multiply_their_losses(reduction):
    truth, predicted = RANDOM.random((2, 3, 2, 6, 5))
    each = soft_iou_loss(truth, predicted)
    loss = losses.SilhouetteIoULoss(reduction=reduction)
    items = np.array([0.5, 0.0, 3.0])
    for weight in (items, items[:, None], items.astype("float32")):
        expected = REDUCED[reduction](each.mean(1), items)
        np.testing.assert_allclose(loss(truth, predicted, weight), expected, rtol=1e-7)
    views = RANDOM.random((3, 2))
    expected = REDUCED[reduction]((each * views).mean(1) / views.mean(1), views.mean(1))
    np.testing.assert_allclose(loss(truth, predicted, views), expected, rtol=1e-7)


@pytest.mark.parametrize("shape", [(2,), (3, 6), (3, 5, 6), (1, 3, 6, 5), (3, 6, 5, 2)])
def test_weights_of_other_shapes_are_refused(shape):
    for function in (losses.SilhouetteIoULoss(), metric_of):
        with pytest.raises(ValueError, match="sample_weight: expected .*; received"):
            function(TRUTH, PREDICTED, np.ones(shape))


def test_a_mesh_loss_refuses_weights_that_are_not_of_items():
    loss = losses.LaplacianLoss([[0, 1, 2]])
    vertices = RANDOM.normal(size=(2, 3, 3))
    with pytest.raises(ValueError, match=r"sample_weight: expected the shape \[batch\]"):
        loss(None, vertices, np.ones((2, 3)))
    expected = (losses.laplacian_loss(vertices, [[0, 1, 2]]) * [1.0, 3.0]).numpy().sum() / 2
    np.testing.assert_allclose(loss(None, vertices, np.array([[1.0], [3.0]])), expected)


def test_one_nan_pixel_makes_the_loss_its_gradient_and_the_metric_nan():
    predicted = PREDICTED.copy()
    predicted[1, 2, 3] = np.nan
    for t, p in ((TRUTH, predicted), (predicted, TRUTH)):
        p = tf.constant(p)
        with tf.GradientTape() as tape:
            tape.watch(p)
            loss = losses.silhouette_iou_loss(t, p)
        assert np.isnan(loss).tolist() == [False, True, False]
        assert np.isnan(tape.gradient(loss, p)[1]).any()
        assert np.isnan(losses.SilhouetteIoULoss()(t, p))
        assert np.isnan(metric_of(t, p))


def test_a_nan_voxel_makes_its_class_nan_and_no_other():
    voxels = (RANDOM.random((2, 3, 3, 3)) < 0.5) * 1.0
    spoilt = voxels.copy()
    spoilt[1, 0, 0, 0] = np.nan
    metric = metrics.VoxelIoU(class_names=("a", "b"))
    metric.update_state(voxels, spoilt, labels=[0, 1])
    assert metric.per_class()["a"] == 1 and np.isnan(metric.per_class()["b"])
    assert np.isnan(metric.result())


def test_a_nan_in_a_mask_of_colours_is_nan():
    picture = np.ones((2, 2, 2, 4))
    picture[1, 0, 0, 3] = np.nan
    value = losses.color_loss(picture, np.zeros((2, 2, 2, 3)))
    assert np.isnan(value).tolist() == [False, True]


def test_voxels_may_have_a_channel_and_probabilities_must_lie_in_the_range():
    voxels, others = RANDOM.random((2, 2, 3, 3, 3)) < 0.5
    expected = [(t & p).sum() / (t | p).sum() for t, p in zip(voxels, others, strict=True)]
    for given in (voxels, voxels[..., None]), (others, others[..., None]):
        metric = metrics.VoxelIoU()
        metric.update_state(given[0] if given[0] is voxels else voxels, others[..., None])
        assert float(metric.result()) == pytest.approx(np.mean(expected))
    with pytest.raises(ValueError, match="y_pred: expected floats"):
        metrics.VoxelIoU().update_state(voxels, 8.0 * others)


LOSSES = {
    "SilhouetteIoULoss": (lambda **k: losses.SilhouetteIoULoss(**k), TRUTH, PREDICTED),
    "LaplacianLoss": (
        lambda **k: losses.LaplacianLoss(geometry.icosphere(0).faces, **k),
        None,
        RANDOM.normal(size=(2, 12, 3)),
    ),
    "FlatteningLoss": (
        lambda **k: losses.FlatteningLoss(geometry.icosphere(0).faces, **k),
        None,
        RANDOM.normal(size=(2, 12, 3)),
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_loss_classes_compute_in_float64_for_float64(name):
    make, y_true, y_pred = LOSSES[name]
    # A step that float32 does not see.
    value, moved = (
        make()(y_true, y) for y in (y_pred, y_pred * (1 - 1e-9 * np.arange(y_pred.shape[-1])))
    )
    assert value.dtype == tf.float64 and 0 < abs(float(value - moved)) < 1e-6 * float(value)
    restored = keras.losses.deserialize(keras.losses.serialize(make()))
    assert restored(y_true, y_pred).dtype == tf.float64
    # A type that is given is obeyed.
    assert make(dtype="float32")(y_true, y_pred).dtype == tf.float32
    assert make(dtype="float64")(y_true, y_pred.astype("float32")).dtype == tf.float64
