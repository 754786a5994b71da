"""The baselines that make voxels: shapes, saving, and what retrieval finds."""

import keras
import numpy as np
import pytest

from tests.shapes import IMAGE_SIZE, NUM_VIEWS, RADII, VOXELS, ellipsoids, tiny_config
from tf_softras.models import RetrievalReconstructor, VoxelReconstructor

CONFIG = tiny_config().model


def test_voxels_are_occupancies_at_four_times_two_to_the_doublings():
    images = np.random.default_rng(0).uniform(size=(2, IMAGE_SIZE, IMAGE_SIZE, 4)).astype("float32")
    for filters, side in (((8, 4), 16), ((8, 4, 2), 32)):
        model = VoxelReconstructor(CONFIG, filters)
        voxels = model(images).numpy()
        assert voxels.shape == (2, side, side, side) and model.resolution == side
        assert ((voxels > 0) & (voxels < 1)).all()
        # Undecided before it has learned.
        assert abs(voxels.mean() - 0.5) < 0.05


def test_voxels_in_training_do_not_saturate_however_large_the_grids_activations():
    images = np.random.default_rng(0).uniform(size=(4, IMAGE_SIZE, IMAGE_SIZE, 4)).astype("float32")
    model = VoxelReconstructor(CONFIG, (8, 4))
    expected = model(images, training=True).numpy()
    grid = model.get_layer("grid")
    grid.kernel.assign(1e4 * grid.kernel)
    grid.bias.assign(grid.bias - 1e5)
    np.testing.assert_allclose(model(images, training=True), expected, atol=2e-3)


@pytest.mark.parametrize("kind", ["voxel", "retrieval"])
def test_saved_model_gives_the_same_voxels(kind, tmp_path):
    if kind == "voxel":
        model = VoxelReconstructor(CONFIG, (8, 4))
    else:
        model = RetrievalReconstructor.from_dataset(ellipsoids(), image_size=IMAGE_SIZE)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    images = np.random.default_rng(0).uniform(size=(3, IMAGE_SIZE, IMAGE_SIZE, 4)).astype("float32")
    np.testing.assert_array_equal(again(images), model(images))
    assert type(again) is type(model)


def test_retrieval_answers_known_pictures_and_near_ones_with_their_objects():
    examples = list(ellipsoids().as_numpy_iterator())
    model = RetrievalReconstructor.from_dataset(ellipsoids(), image_size=IMAGE_SIZE)
    assert model.num_objects == len(RADII) and model.num_pictures == len(RADII) * NUM_VIEWS
    for example in examples:
        images = example["images"].astype("float32") / 255
        answers = model(images).numpy()
        assert answers.shape == (NUM_VIEWS, VOXELS, VOXELS, VOXELS)
        np.testing.assert_array_equal(answers, np.repeat(example["voxels"][None], NUM_VIEWS, 0))
        # Thinner, and of another colour.
        other = images * np.float32([0.2, 0.9, 0.9, 0.95])
        np.testing.assert_array_equal(model(other), answers)


def test_retrieval_needs_pictures_of_whole_cells():
    with pytest.raises(ValueError, match="image_size.*multiple of 16.*40"):
        RetrievalReconstructor(1, 1, 8, 40)
