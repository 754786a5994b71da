"""Batches of view pairs: what is in them, in which order, and that a seed settles it."""

import collections
import doctest
import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests.datasets.builds import CODE
from tf_softras.datasets import view_pairs as view_pairs_module
from tf_softras.datasets.view_pairs import batch_model_ids, single_views, view_pairs
from tf_softras.geometry import Mesh, load_mesh
from tf_softras.geometry.cameras import eye_from_angles
from tf_softras.pictures import frame_object
from tf_softras.rendering import render_views

NUM_VIEWS = 6
AZIMUTHS = np.arange(NUM_VIEWS, dtype=np.float32) * 60


def objects(count, num_views=NUM_VIEWS):
    """Examples whose pictures hold the object's number in red and the view's in alpha."""
    images = np.zeros((count, num_views, 4, 4, 4), np.uint8)
    images[..., 0] = np.arange(count)[:, None, None, None]
    images[..., 3] = np.arange(num_views)[:, None, None] * 40
    cameras = {
        "distance": np.full((count, num_views), 2.0, np.float32),
        "elevation": np.full((count, num_views), 30.0, np.float32),
        "azimuth": np.tile(AZIMUTHS[:num_views], (count, 1)),
    }
    return tf.data.Dataset.from_tensor_slices(
        {
            "images": images,
            "voxels": np.zeros((count, 2, 2, 2), bool),
            "cameras": cameras,
            "label": np.arange(count, dtype=np.int64),
            "model_id": [f"object {i}" for i in range(count)],
        }
    )


def drawn(batches, count):
    """(object, view a, view b) of the first `count` objects."""
    found = []
    for inputs, _ in batches:
        pictures = np.rint(inputs["images"].numpy() * 255).astype(int)
        found += [(item[0, 0, 0, 0], *(item[:, 0, 0, 3] // 40)) for item in pictures]
        if len(found) >= count:
            return found[:count]
    return found


def test_inputs_and_targets_belong_together():
    inputs, targets = next(iter(view_pairs(objects(8), batch_size=8, seed=0)))
    images, eyes = inputs["images"].numpy(), inputs["eyes"].numpy()
    assert images.shape == (8, 2, 4, 4, 4) and images.dtype == np.float32
    assert images.max() <= 1.0
    views = np.rint(images[:, :, 0, 0, 3] * 255 / 40).astype(int)
    np.testing.assert_allclose(eyes, eye_from_angles(2.0, 30.0, AZIMUTHS[views]), atol=1e-6)
    # (mesh a, view a), (mesh a, view b), (mesh b, view a), (mesh b, view b)
    expected = images[..., 3][:, [0, 1, 0, 1]]
    np.testing.assert_array_equal(targets["silhouettes"], expected)


@pytest.mark.parametrize("compare_input", [True, False])
def test_many_views_of_an_object_are_different_and_belong_to_their_eyes(compare_input):
    options = {"pictures_per_object": 2, "views_per_mesh": 4, "compare_input": compare_input}
    batches = view_pairs(objects(8), batch_size=8, seed=0, colors=True, **options)
    counts = collections.Counter()
    for inputs, targets in batches.take(40):
        pictures, eyes = targets["pictures"].numpy(), inputs["eyes"].numpy()
        assert inputs["images"].shape == (8, 2, 4, 4, 4) and pictures.shape == (8, 4, 4, 4, 4)
        silhouettes = targets["silhouettes"].numpy()
        for mesh in (0, 1):
            np.testing.assert_array_equal(silhouettes[:, 4 * mesh : 4 * mesh + 4], pictures[..., 3])
        views = np.rint(pictures[:, :, 0, 0, 3] * 255 / 40).astype(int)
        np.testing.assert_allclose(eyes, eye_from_angles(2.0, 30.0, AZIMUTHS[views]), atol=1e-6)
        own = np.rint(inputs["images"].numpy()[:, :, 0, 0, 3] * 255 / 40).astype(int)
        for compared, given in zip(views, own, strict=True):
            assert len(set(compared)) == 4 and len(set(given)) == 2
            assert list(compared[:2]) == list(given) if compare_input else True
            assert compare_input or not set(compared) & set(given)
            counts.update([tuple(compared)])
        shown, compared = inputs["images"].numpy()[..., 0, 0, 0], pictures[..., 0, 0, 0]
        assert (compared == shown[:, :1]).all()
    # 320 draws of the 360 ordered choices of 4 views among 6 meet about 212 of them.
    assert len(counts) > 180


def test_the_first_two_views_do_not_depend_on_how_many_follow():
    """Runs that were begun with pairs of views go on with the same pairs."""
    (few, _), (many, _) = (
        next(iter(view_pairs(objects(8), batch_size=8, seed=0, views_per_mesh=views)))
        for views in (2, 5)
    )
    np.testing.assert_array_equal(few["images"], many["images"])
    np.testing.assert_array_equal(few["eyes"], many["eyes"][:, :2])


def test_a_view_is_never_paired_with_itself_and_every_pair_comes():
    pairs = drawn(view_pairs(objects(10), batch_size=50, seed=0), 3000)
    counts = collections.Counter((a, b) for _, a, b in pairs)
    assert set(counts) == set(itertools.permutations(range(NUM_VIEWS), 2))
    # 3000 draws of 30 pairs: 100 each, five standard deviations are 50.
    assert 50 < min(counts.values()) and max(counts.values()) < 150


def test_every_pass_takes_every_object_once_in_a_new_order_with_new_pairs():
    found = drawn(view_pairs(objects(20), batch_size=5, seed=3), 60)
    passes = [found[start : start + 20] for start in (0, 20, 40)]
    orders = [[item for item, _, _ in one] for one in passes]
    assert all(sorted(order) == list(range(20)) for order in orders)
    assert orders[0] != orders[1] != orders[2] and orders[0] != list(range(20))
    assert sorted(passes[0]) != sorted(passes[1]) != sorted(passes[2])


def test_a_seed_settles_everything_and_another_changes_it():
    def first(seed):
        return drawn(view_pairs(objects(20), batch_size=7, seed=seed), 60)

    assert first(5) == first(5)
    assert first(5) != first(6)
    assert first(2**40) != first(0)


def test_fewer_objects_than_a_batch_still_fill_every_batch():
    batches = view_pairs(objects(3), batch_size=8, seed=0)
    assert batches.element_spec[0]["images"].shape[0] == 8
    assert sorted(item for item, _, _ in drawn(batches, 12)) == [0] * 4 + [1] * 4 + [2] * 4


@pytest.mark.parametrize("first_batch", [1, 4, 7])
def test_batches_may_begin_anywhere_and_are_those_of_a_run_from_the_start(first_batch):
    # 7 objects, batches of 4: 7 batches are 4 passes, and batches reach from one pass to the next.
    options = {"batch_size": 4, "seed": 5}
    whole = view_pairs(objects(7), **options).skip(first_batch).take(4)
    late = view_pairs(objects(7), first_batch=first_batch, **options).take(4)
    for (inputs, _), (expected, _) in zip(late, whole, strict=True):
        np.testing.assert_array_equal(inputs["images"], expected["images"])
        np.testing.assert_array_equal(inputs["eyes"], expected["eyes"])


def test_the_objects_of_a_batch_are_known_by_its_number():
    batches = view_pairs(objects(7), batch_size=3, seed=5).take(6)
    for number, (inputs, _) in enumerate(batches):
        numbers = np.rint(inputs["images"][:, 0, 0, 0, 0] * 255).astype(int)
        names = batch_model_ids(objects(7), batch_size=3, seed=5, batch=number)
        assert names == [f"object {i}" for i in numbers]


def rendered(mesh, views=NUM_VIEWS):
    """An example of `shapenet_views` of a mesh."""
    cameras = {
        "distance": np.full(views, 2.732, np.float32),
        "elevation": np.linspace(-20, 50, views).astype(np.float32),
        "azimuth": (np.arange(views) * 37).astype(np.float32),
    }
    images = render_views(mesh, eye_from_angles(**cameras), image_size=64)
    example = {"images": images, "cameras": cameras, "model_id": "mesh"}
    return tf.data.Dataset.from_tensors(example)


def test_mirrored_pairs_are_pictures_of_the_mirrored_mesh_from_the_mirrored_cameras():
    box = load_mesh(CODE / "dummy_data/04379243/box/models/model_normalized.obj").normalized()
    # A sheared box with a colour a face looks like none of its mirror images.
    vertices = 0.6 * box.vertices @ [[1.0, 0.3, 0.0], [0.0, 1.0, 0.2], [0.4, 0.0, 1.0]]
    colors = np.random.default_rng(0).uniform(size=(len(box.faces), 3))
    mesh = Mesh(vertices, box.faces, colors)
    across = Mesh(vertices * [-1, 1, 1], box.faces, colors)
    pairs = view_pairs(rendered(mesh), batch_size=1, seed=0, mirror=True).take(12)
    plain = view_pairs(rendered(mesh), batch_size=1, seed=0).take(12)
    mirrored = 0
    for (inputs, targets), (unmirrored, _) in zip(pairs, plain, strict=True):
        images, eyes = inputs["images"][0].numpy(), inputs["eyes"][0].numpy()
        is_mirrored = not np.array_equal(eyes, unmirrored["eyes"][0])
        mirrored += is_mirrored
        expected = render_views(across if is_mirrored else mesh, eyes, image_size=64) / 255.0
        other = render_views(mesh if is_mirrored else across, eyes, image_size=64) / 255.0
        # A sample of the rasteriser that lies on an edge may fall to either side: 1/16 of a pixel.
        assert np.abs(images - expected).mean() < 1e-3
        assert np.abs(images - other).mean() > 2e-2
        np.testing.assert_array_equal(targets["silhouettes"][0, 0], images[0, ..., 3])
    assert 0 < mirrored < 12


def test_colour_jitter_is_a_gain_of_each_channel_and_leaves_alpha():
    options = {"batch_size": 8, "seed": 1}
    plain, _ = next(iter(view_pairs(objects(8), **options)))
    jittered, targets = next(iter(view_pairs(objects(8), color_jitter=0.4, **options)))
    np.testing.assert_array_equal(jittered["images"][..., 3], plain["images"][..., 3])
    np.testing.assert_array_equal(targets["silhouettes"][:, 0], plain["images"][:, 0, ..., 3])
    example = rendered(load_mesh(CODE / "dummy_data/04379243/box/models/model_normalized.obj"))
    plain, _ = next(iter(view_pairs(example, batch_size=4, seed=1)))
    jittered, _ = next(iter(view_pairs(example, batch_size=4, seed=1, color_jitter=0.4)))
    before, after = (255 * batch["images"].numpy() for batch in (plain, jittered))
    gains = set()
    for item in range(4):
        for channel in range(3):
            x, y = before[item, ..., channel].ravel(), after[item, ..., channel].ravel()
            gain = (x @ y) / (x @ x)
            assert 0.6 <= gain <= 1.4
            np.testing.assert_allclose(y, np.minimum(gain * x, 255), atol=1.5)
            gains.add(round(float(gain), 3))
    assert len(gains) > 6


def test_a_share_of_the_pictures_is_framed_as_photographs_are_and_no_target_is():
    example = rendered(load_mesh(CODE / "dummy_data/04379243/box/models/model_normalized.obj"))
    options = {"batch_size": 1, "seed": 3, "pictures_per_object": 1, "views_per_mesh": 3}
    plain = view_pairs(example, **options).take(16)
    half = view_pairs(example, framed_share=0.5, **options).take(16)
    count = 0
    for (inputs, targets), (expected, same) in zip(half, plain, strict=True):
        picture, before = inputs["images"][0, 0].numpy(), expected["images"][0, 0].numpy()
        np.testing.assert_array_equal(targets["silhouettes"], same["silhouettes"])
        if np.array_equal(picture, before):
            continue
        count += 1
        framed = frame_object(np.uint8(np.rint(255 * before))) / np.float32(255)
        np.testing.assert_allclose(picture, framed, atol=1e-6)
    assert 3 <= count <= 13
    everything = view_pairs(example, framed_share=1.0, **options).take(4)
    for (inputs, _), (expected, _) in zip(everything, plain, strict=False):
        assert not np.array_equal(inputs["images"], expected["images"])


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
@pytest.mark.parametrize("name", ["framed_share", "gray_share"])
def test_a_share_of_the_pictures_is_checked(name, share):
    with pytest.raises(ValueError, match=f"{name}: expected 0 to 1; received"):
        view_pairs(objects(4), batch_size=1, seed=0, **{name: share})


def test_a_share_of_the_pictures_loses_its_colours_and_no_target_does():
    example = rendered(load_mesh(CODE / "dummy_data/04379243/box/models/model_normalized.obj"))
    example = example.map(lambda views: {**views, "images": views["images"] // [1, 2, 3, 1]})
    options = {"batch_size": 8, "seed": 3, "pictures_per_object": 1, "colors": True}
    plain = view_pairs(example, **options).take(4)
    half = view_pairs(example, gray_share=0.5, **options).take(4)
    count = 0
    for (inputs, targets), (expected, same) in zip(half, plain, strict=True):
        np.testing.assert_array_equal(targets["pictures"], same["pictures"])
        np.testing.assert_array_equal(inputs["images"][..., 3], expected["images"][..., 3])
        for picture, before in zip(inputs["images"][:, 0], expected["images"][:, 0], strict=True):
            mean = np.repeat(np.mean(before[..., :3], -1, keepdims=True), 3, -1)
            if not np.array_equal(picture, before):
                count += 1
                np.testing.assert_allclose(picture[..., :3], mean, atol=1e-6)
    assert 6 <= count <= 26


def test_noise_has_the_deviation_asked_for_and_is_on_no_target():
    options = {"batch_size": 8, "seed": 3}
    plain = view_pairs(objects(8), **options).take(2)
    noisy = list(view_pairs(objects(8), picture_noise=0.1, **options).take(2))
    noises = []
    for (inputs, targets), (expected, same) in zip(noisy, plain, strict=True):
        np.testing.assert_array_equal(targets["silhouettes"], same["silhouettes"])
        noises.append((inputs["images"] - expected["images"]).numpy())
        assert abs(noises[-1].mean()) < 0.02
        assert abs(noises[-1].std() - 0.1) < 0.02
        assert abs(np.corrcoef(noises[-1][0].ravel(), noises[-1][1].ravel())[0, 1]) < 0.4
    assert not np.allclose(*noises, atol=1e-3)
    again = view_pairs(objects(8), picture_noise=0.1, first_batch=1, **options).take(1)
    np.testing.assert_array_equal(next(iter(again))[0]["images"], noisy[1][0]["images"])
    with pytest.raises(ValueError, match="picture_noise: expected at least 0; received -1"):
        view_pairs(objects(8), picture_noise=-1, **options)


def test_a_global_seed_of_0_is_no_error_and_changes_nothing():
    options = {"batch_size": 4, "seed": 3}
    expected, _ = next(iter(view_pairs(objects(8), **options)))
    tf.random.set_seed(0)
    inputs, _ = next(iter(view_pairs(objects(8), **options)))
    np.testing.assert_array_equal(inputs["eyes"], expected["eyes"])


def test_there_is_no_augmentation_out_of_training():
    options = {"batch_size": 8, "seed": 1, "training": False}
    plain = view_pairs(objects(8), **options)
    augmented = {"mirror": True, "color_jitter": 0.5, "framed_share": 1.0, "gray_share": 1.0}
    asked = view_pairs(objects(8), picture_noise=0.1, **augmented, **options)
    for (inputs, _), (expected, _) in zip(asked, plain, strict=True):
        np.testing.assert_array_equal(inputs["images"], expected["images"])
        np.testing.assert_array_equal(inputs["eyes"], expected["eyes"])


def test_out_of_training_there_is_one_pass_in_order():
    batches = view_pairs(objects(10), batch_size=4, seed=0, training=False)
    assert [len(inputs["eyes"]) for inputs, _ in batches] == [4, 4, 2]
    first, second = drawn(batches, 99), drawn(batches, 99)
    assert [item for item, _, _ in first] == list(range(10))
    assert first == second and all(a != b for _, a, b in first)


def test_two_views_are_enough_and_one_is_not():
    assert {(a, b) for _, a, b in drawn(view_pairs(objects(9, 2), batch_size=9, seed=0), 99)} == {
        (0, 1),
        (1, 0),
    }
    with pytest.raises(ValueError, match="2 views"):
        view_pairs(objects(9, 1), batch_size=9, seed=0)


def test_single_views_gives_every_view_of_every_object_once():
    batches = list(single_views(objects(5), batch_size=2))
    assert [len(batch["label"]) for batch in batches] == [2, 2, 1]
    images = np.concatenate([batch["images"] for batch in batches])
    assert images.shape == (5, NUM_VIEWS, 4, 4, 4) and images.dtype == np.float32
    np.testing.assert_allclose(images[:, :, 0, 0, 0] * 255, np.tile(np.arange(5)[:, None], 6))
    np.testing.assert_allclose(images[:, :, 0, 0, 3] * 255, np.tile(np.arange(6) * 40, (5, 1)))
    eyes = np.concatenate([batch["eyes"] for batch in batches])
    np.testing.assert_allclose(eyes[3], eye_from_angles(2.0, 30.0, AZIMUTHS), atol=1e-6)
    assert batches[1]["model_id"].numpy().tolist() == [b"object 2", b"object 3"]
    assert batches[0]["voxels"].dtype == tf.bool


@pytest.mark.parametrize("batches", [view_pairs, single_views])
def test_an_empty_data_set_and_a_batch_of_none_are_errors(batches):
    options = {"seed": 0} if batches is view_pairs else {}
    for empty in (objects(3).take(0), objects(3).filter(lambda example: example["label"] > 5)):
        with pytest.raises(ValueError, match="at least one object"):
            batches(empty, batch_size=2, **options)
    with pytest.raises(ValueError, match="batch_size"):
        batches(objects(3), batch_size=0, **options)


def test_the_example_of_the_docstring_runs():
    results = doctest.testmod(view_pairs_module)
    assert results.attempted and not results.failed
