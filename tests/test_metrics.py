"""Metrics: against counts by hand, and sets of cells in plain Python."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_softras import metrics


def iou_by_sets(first, second):
    first, second = (set(map(tuple, np.argwhere(a))) for a in (first, second))
    return len(first & second) / len(first | second) if first | second else 1.0


def grids(*batch, seed=0, filled=0.4):
    return np.random.default_rng(seed).random((*batch, 4, 4, 4)) < filled


def test_silhouette_iou_of_small_masks_is_the_number_worked_out_by_hand():
    first = np.array([[1, 1, 0], [1, 1, 0]], "float32")
    second = np.array([[0, 0.6, 1], [0, 0.4, 1]], "float32")
    # Above 0.5: one pixel in common, six in either less the one at 0.4 that first has anyway: 6.
    assert float(metrics.SilhouetteIoU()(first[None], second[None])) == pytest.approx(1 / 6)
    # Above 0.3: two in common, six in either.
    metric = metrics.SilhouetteIoU(threshold=0.3)
    assert float(metric(first[None], second[None])) == pytest.approx(2 / 6)


def test_silhouette_iou_is_the_mean_over_views_and_batches_with_weights():
    random = np.random.default_rng(0)
    truth, silhouettes = random.random((2, 6, 3, 5, 7))
    each = np.array(
        [
            [iou_by_sets(t > 0.5, p > 0.5) for t, p in zip(ts, ps, strict=True)]
            for ts, ps in zip(truth, silhouettes, strict=True)
        ]
    )
    metric = metrics.SilhouetteIoU()
    metric.update_state(truth[:4], silhouettes[:4])
    metric.update_state(truth[4:], silhouettes[4:])
    assert float(metric.result()) == pytest.approx(each.mean())
    metric.reset_state()
    assert float(metric.result()) == 0
    weight = random.random(6)
    metric.update_state(truth, silhouettes, sample_weight=weight)
    assert float(metric.result()) == pytest.approx((each.mean(1) * weight).sum() / weight.sum())


def test_two_empty_grids_agree_and_one_empty_grid_does_not():
    empty, full = np.zeros((1, 4, 4, 4), bool), np.ones((1, 4, 4, 4), bool)
    assert float(metrics.VoxelIoU()(empty, empty)) == 1
    assert float(metrics.VoxelIoU()(empty, full)) == 0
    assert float(metrics.SilhouetteIoU()(empty[:, 0], empty[:, 0])) == 1
    assert float(metrics.SilhouetteIoU()(empty[:, 0], full[:, 0])) == 0


def test_voxel_iou_of_two_overlapping_boxes_is_the_number_worked_out_by_hand():
    first, second = np.zeros((2, 1, 32, 32, 32), bool)
    first[:, :16] = True
    second[:, 8:24] = True
    # 8 slices in common, 24 in either.
    assert float(metrics.VoxelIoU()(first, second)) == pytest.approx(1 / 3)


def test_voxel_iou_is_the_unweighted_mean_of_the_means_of_classes_seen():
    truth, voxels = grids(7), grids(7, 3, seed=1)
    labels = np.array([0, 0, 0, 0, 0, 2, 2])
    each = np.array([[iou_by_sets(t, p) for p in ps] for t, ps in zip(truth, voxels, strict=True)])
    metric = metrics.VoxelIoU(class_names=("chair", "lamp", "sofa"))
    for batch in (slice(0, 2), slice(2, 6), slice(6, 7)):
        metric.update_state(truth[batch], voxels[batch], labels=labels[batch])
    chair, sofa = each[:5].mean(), each[5:].mean()
    assert float(metric.result()) == pytest.approx((chair + sofa) / 2)
    assert metric.per_class() == {
        "chair": pytest.approx(chair),
        "lamp": None,
        "sofa": pytest.approx(sofa),
    }
    metric.reset_state()
    assert float(metric.result()) == 0
    assert set(metric.per_class().values()) == {None}


def test_voxel_iou_honours_sample_weight_of_items_and_of_views():
    truth, voxels, labels = grids(4), grids(4, 3, seed=1), [0, 0, 1, 1]
    each = np.array([[iou_by_sets(t, p) for p in ps] for t, ps in zip(truth, voxels, strict=True)])
    metric = metrics.VoxelIoU(class_names=("a", "b"))
    items = np.array([1.0, 3.0, 0.0, 0.0])
    metric.update_state(truth, voxels, items, labels=labels)
    expected = (each.mean(1) * items).sum() / items.sum()
    assert metric.per_class() == {"a": pytest.approx(expected), "b": None}
    assert float(metric.result()) == pytest.approx(expected)
    metric.reset_state()
    views = np.zeros((4, 3))
    views[2, 1] = 2.0
    metric.update_state(truth, voxels, views, labels=labels)
    assert metric.per_class() == {"a": None, "b": pytest.approx(each[2, 1])}


def test_voxel_iou_cuts_probabilities_at_the_threshold():
    truth = grids(2)
    probabilities = np.where(grids(2, seed=1), 0.7, 0.3)
    expected = np.mean([iou_by_sets(t, p > 0.5) for t, p in zip(truth, probabilities, strict=True)])
    assert float(metrics.VoxelIoU()(truth, probabilities)) == pytest.approx(expected)
    integers = truth.astype("int32"), (probabilities > 0.5).astype("uint8")
    assert float(metrics.VoxelIoU()(*integers)) == pytest.approx(expected)


def test_voxel_iou_does_not_know_the_order_of_its_samples():
    truth, voxels, labels = grids(9), grids(9, seed=1), np.arange(9) % 3
    order = np.random.default_rng(2).permutation(9)
    first, second = (metrics.VoxelIoU(class_names=("a", "b", "c")) for _ in range(2))
    first.update_state(truth, voxels, labels=labels)
    second.update_state(truth[order], voxels[order], labels=labels[order])
    assert first.per_class() == pytest.approx(second.per_class())


def test_voxel_iou_works_in_graphs_of_unknown_batch_size():
    metric = metrics.VoxelIoU(class_names=("a", "b"))

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, 4, 4, 4), tf.bool),
            tf.TensorSpec((None, None, 4, 4, 4), tf.bool),
            tf.TensorSpec((None,), tf.int64),
        ]
    )
    def update(truth, voxels, labels):
        metric.update_state(truth, voxels, labels=labels)

    eager = metrics.VoxelIoU(class_names=("a", "b"))
    for batch in (3, 2):
        update(grids(batch), grids(batch, 2, seed=1), np.arange(batch) % 2)
        eager.update_state(grids(batch), grids(batch, 2, seed=1), labels=np.arange(batch) % 2)
    assert metric.per_class() == pytest.approx(eager.per_class())
    with pytest.raises(tf.errors.InvalidArgumentError, match="2 classes"):
        update(grids(1), grids(1, 1), [2])


def test_labels_that_do_not_fit_are_refused():
    metric = metrics.VoxelIoU(class_names=("a", "b"))
    for labels in ([2], [-1], [0, 1]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="labels: expected"):
            metric.update_state(grids(1), grids(1), labels=labels)
    for labels in (None, [0.0], [[0]]):
        with pytest.raises(ValueError, match="labels: expected .*; received"):
            metric.update_state(grids(1), grids(1), labels=labels)
    assert set(metric.per_class().values()) == {None}


def test_shapes_and_options_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="y_true and y_pred: expected"):
        metrics.VoxelIoU().update_state(grids(2), grids(3))
    with pytest.raises(ValueError, match="y_true and y_pred: expected"):
        metrics.VoxelIoU().update_state(grids(), grids())
    with pytest.raises(ValueError, match="y_true and y_pred: expected"):
        metrics.SilhouetteIoU().update_state(np.zeros((1, 4, 4)), np.zeros((1, 4, 5)))
    with pytest.raises(ValueError, match="sample_weight: expected"):
        metrics.VoxelIoU().update_state(grids(2), grids(2), np.ones((2, 4)))
    for class_names in ((), ("a", "a"), "chair"):
        with pytest.raises(ValueError, match="class_names: expected"):
            metrics.VoxelIoU(class_names=class_names)
    with pytest.raises(ValueError, match="threshold: expected"):
        metrics.SilhouetteIoU(threshold=1.0)


@pytest.mark.parametrize(
    "metric",
    [
        metrics.SilhouetteIoU(threshold=0.25, name="mask"),
        metrics.VoxelIoU(class_names=("a", "b"), threshold=0.25, name="voxels"),
    ],
    ids=lambda m: m.name,
)
def test_metrics_survive_serialization(metric):
    restored = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert type(restored) is type(metric)
    assert restored.get_config() == metric.get_config()


def test_metrics_compile_into_a_model():
    model = keras.Sequential([keras.Input((4, 4, 4)), keras.layers.Identity()])
    model.compile(metrics=[metrics.VoxelIoU(), metrics.SilhouetteIoU()], loss="mse")
    truth, voxels = grids(4), grids(4, seed=1)
    logs = model.evaluate(voxels * 1.0, truth * 1.0, batch_size=3, verbose=0, return_dict=True)
    expected = [iou_by_sets(t, p) for t, p in zip(truth, voxels, strict=True)]
    assert logs["voxel_iou"] == pytest.approx(np.mean(expected))
    slices = zip(truth.reshape(-1, 4, 4), voxels.reshape(-1, 4, 4), strict=True)
    assert logs["silhouette_iou"] == pytest.approx(np.mean([iou_by_sets(*s) for s in slices]))
