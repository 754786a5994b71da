"""Colours of vertices: what a palette may hold, what both heads learn, and how they are saved."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.test_mesh_reconstructor import TINY, pictures, shuffled
from tf_softras import config
from tf_softras.models import ColorDecoder, MeshReconstructor
from tf_softras.models.color_decoder import SampledPalette

if tuple(map(int, keras.__version__.split(".")[:2])) <= (3, 12):
    pytest.skip("colours want a Keras after 3.12", allow_module_level=True)

HEADS = pytest.mark.parametrize("color", config.COLORS)


def palette_by_loop(image, sampling, selection):
    """One picture, in float64, cell by cell and vertex by vertex."""
    cells = []
    # Sides that are no multiple of 4 reach beyond the picture by as much before as behind.
    first_row, first_column = (-(-side % 4 // 2) for side in image.shape[:2])
    for row in range(first_row, image.shape[0], 4):
        for column in range(first_column, image.shape[1], 4):
            square = image[max(row, 0) : row + 4, max(column, 0) : column + 4]
            square = square.reshape(-1, 4).astype(np.float64)
            alpha = square[:, 3].sum()
            mean = (square[:, :3] * square[:, 3:]).sum(axis=0) / alpha if alpha else np.zeros(3)
            cells.append((alpha / len(square), mean))
    palette = []
    for k in range(sampling.shape[1]):
        weights = [np.exp(sampling[c, k]) * alpha for c, (alpha, _) in enumerate(cells)]
        palette.append(
            sum(w * mean for w, (_, mean) in zip(weights, cells, strict=True)) / sum(weights)
        )
    shares = np.exp(selection) / np.exp(selection).sum(axis=1, keepdims=True)
    return shares @ np.array(palette)


@pytest.mark.parametrize("size", [(8, 12), (10, 7)])
def test_palette_is_the_sum_in_plain_loops(size):
    random = np.random.default_rng(0)
    image = random.random((*size, 4)).astype(np.float32)
    image[:5, :4, 3] = 0.0  # A cell without anything of the object, and some of another.
    sampling = 2 * random.normal(size=(-(-size[0] // 4) * -(-size[1] // 4), 3))
    selection = 2 * random.normal(size=(5, 3))
    colors = SampledPalette()(image[None], sampling[None], selection[None])[0]
    expected = palette_by_loop(image, sampling, selection)
    np.testing.assert_allclose(colors, expected, atol=1e-5)
    # Or else the palette was one colour.
    assert np.ptp(expected, axis=0).max() > 0.02


def test_palette_takes_nothing_from_outside_the_object():
    image = np.zeros((1, 16, 16, 4), np.float32)
    image[..., :3] = (0.0, 1.0, 0.0)
    image[0, 5:7, 9:11] = (1.0, 0.0, 0.25, 1.0)
    # The logits want every other cell.
    sampling = np.full((1, 16, 2), 9.0, np.float32)
    sampling[0, 1 * 4 + 2] = -9.0
    colors = SampledPalette()(image, sampling, np.zeros((1, 3, 2), np.float32))
    np.testing.assert_allclose(colors[0], np.tile([1.0, 0.0, 0.25], (3, 1)), atol=1e-6)


def test_picture_without_an_object_gives_finite_colours_and_gradients():
    model = shuffled(MeshReconstructor(TINY.replace(color="palette")))
    with tf.GradientTape() as tape:
        _, colors = model.colored(np.zeros((2, 16, 16, 4), np.float32))
        total = tf.reduce_sum(colors)
    assert not np.any(colors)
    gradients = tape.gradient(total, model.color_decoder.trainable_variables)
    assert all(np.isfinite(g).all() for g in gradients)


@HEADS
def test_colours_are_in_range_beside_the_same_vertices(color):
    model = shuffled(MeshReconstructor(TINY.replace(color=color)))
    vertices, colors = model.colored(pictures(3))
    assert colors.shape == (3, 42, 3) and colors.dtype == tf.float32
    assert 0 <= np.min(colors) and np.max(colors) <= 1
    np.testing.assert_array_equal(vertices, model(pictures(3)))
    # They differ from picture to picture and from vertex to vertex.
    assert np.ptp(colors, axis=0).max() > 1e-4 and np.ptp(colors, axis=1).max() > 1e-4


@HEADS
def test_head_learns_which_vertices_have_which_of_two_colours(color):
    """The left half of the vertices is red, the right half blue, as those of the picture are."""
    decoder = ColorDecoder(
        code_size=4, units=(16,), template_level=1, image_size=16, color=color, palette_size=2
    )
    image = np.zeros((1, 16, 16, 4), np.float32)
    image[:, 2:14, 2:8], image[:, 2:14, 8:14] = (0.9, 0.1, 0.2, 1.0), (0.1, 0.2, 0.8, 1.0)
    target = np.where(np.arange(42)[:, None] < 21, image[0, 8, 4, :3], image[0, 8, 12, :3])
    code, optimizer = np.ones((1, 4), np.float32), keras.optimizers.Adam(0.05)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(decoder([code, image]) - target))
        weights = decoder.trainable_variables
        optimizer.apply(tape.gradient(loss, [w.value for w in weights]), weights)
        return loss

    losses = [float(step()) for _ in range(150)]
    # The mean colour in all places would keep it at 0.086.
    assert losses[0] > 0.05 and losses[-1] < 1e-3


def test_a_keras_that_would_leave_colours_untrained_is_refused(monkeypatch):
    monkeypatch.setattr(keras, "__version__", "3.12.4")
    with pytest.raises(RuntimeError, match="after 3.12.*received Keras 3.12.4"):
        MeshReconstructor(TINY.replace(color="palette"))
    assert MeshReconstructor(TINY).color_decoder is None


@HEADS
def test_every_weight_gets_a_gradient(color):
    model = shuffled(MeshReconstructor(TINY.replace(color=color)))
    with tf.GradientTape() as tape:
        vertices, colors = model.colored(pictures(3), training=True)
        loss = tf.reduce_mean(tf.square(vertices - 0.1)) + tf.reduce_mean(tf.square(colors - 0.1))
    weights = model.trainable_variables
    assert {id(w) for w in model.color_decoder.trainable_variables} <= {id(w) for w in weights}
    gradients = tape.gradient(loss, [w.value for w in weights])
    assert all(g is not None and np.abs(g).max() > 0 for g in gradients)


@HEADS
def test_files_give_the_same_colours_back(color, tmp_path):
    model = shuffled(MeshReconstructor(TINY.replace(color=color, palette_size=3)))
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    other = MeshReconstructor(model.config)
    other.load_weights(tmp_path / "model.weights.h5")
    for restored in (keras.models.load_model(tmp_path / "model.keras"), other):
        assert restored.config == model.config
        for mine, theirs in zip(
            restored.colored(pictures(2)), model.colored(pictures(2)), strict=True
        ):
            np.testing.assert_array_equal(mine, theirs)


@HEADS
def test_mixed_precision_gives_float32_colours(color):
    mixed = MeshReconstructor(TINY.replace(color=color), dtype="mixed_float16")
    full = shuffled(MeshReconstructor(mixed.config))
    mixed.set_weights(full.get_weights())
    colors = mixed.colored(pictures(3))[1]
    assert colors.dtype == tf.float32
    np.testing.assert_allclose(colors, full.colored(pictures(3))[1], atol=0.02)


def test_a_network_without_colours_has_no_weight_more_and_says_so():
    plain, colored = MeshReconstructor(TINY), MeshReconstructor(TINY.replace(color="direct"))
    # One dense layer of 8 units on a code of 6, and one of 3 numbers for each of 42 vertices.
    assert colored.count_params() - plain.count_params() == 6 * 8 + 8 + 8 * 126 + 126
    assert plain.color_decoder is None
    with pytest.raises(ValueError, match="direct, palette.*received None"):
        plain.colored(pictures(1))
    with pytest.raises(ValueError, match=r"images: expected.*\[0, 1\].*uint8"):
        colored.colored(np.zeros((1, 16, 16, 4), "uint8"))
    with pytest.raises(ValueError, match="color: expected.*direct, palette"):
        ColorDecoder.from_config({**colored.color_decoder.get_config(), "color": "rainbow"})
