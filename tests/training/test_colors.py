"""Training and judging colours: what is compared with what, and the figures that come out."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.shapes import (
    IMAGE_SIZE,
    LABELS,
    NUM_VIEWS,
    RADII,
    RENDERING,
    ellipsoid,
    tiny_config,
)
from tf_softras.datasets.shapenet_views.object_views import object_views
from tf_softras.datasets.view_pairs import view_pairs
from tf_softras.evaluation._evaluate_colors import mean_colors, psnr
from tf_softras.geometry import Mesh, icosphere, look_at, perspective
from tf_softras.layers import SoftRasterize, SoftShade
from tf_softras.losses import color_loss
from tf_softras.models import MeshReconstructor
from tf_softras.reconstruction import Meshes
from tf_softras.sheets._contact_sheet import _GAP, _HEADER, CELL
from tf_softras.training import ViewPairModel, color_sheet, evaluate_colors, train

RED = np.array([0.9, 0.2, 0.1], np.float32)


def colored_config(color="palette", **changes):
    config = tiny_config(**changes)
    return config.replace(model=config.model.replace(color=color, palette_size=3))


@pytest.fixture(scope="module")
def painted(dataset):
    """The ellipsoids, red where x > 0 and dark blue elsewhere, by their pictures' columns."""

    def paint(example):
        # From azimuth 90 degrees (+z) the column grows with x; seen from behind, it falls.
        images = np.array(example["images"])
        size = images.shape[1]
        for view, azimuth in enumerate(np.asarray(example["cameras"]["azimuth"])):
            right = np.array([np.sin(np.deg2rad(azimuth)), 0.0])  # Of x along the image's x.
            red = (np.arange(size) - (size - 1) / 2) * right[0] > 0
            images[view, :, red, :3] = np.rint(255 * RED)
            images[view, :, ~red, :3] = (20, 20, 120)
        images[images[..., 3] == 0] = 0
        return {**example, "images": images}

    examples = [paint(example) for example in dataset.as_numpy_iterator()]
    stacked = tf.nest.map_structure(lambda *values: np.stack(values), *examples)
    return tf.data.Dataset.from_tensor_slices(stacked)


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    config = colored_config(color_weight=0.5)
    reconstructor = MeshReconstructor(config.model)
    for layer in (reconstructor.decoder.get_layer("vertices"),
                  reconstructor.color_decoder.get_layer("selection")):  # fmt: skip
        layer.kernel.assign(tf.random.stateless_normal(layer.kernel.shape, [0, 1], 0.0, 0.2))
    return ViewPairModel(reconstructor, config)


@pytest.fixture
def batch(painted):
    return next(iter(view_pairs(painted, batch_size=3, seed=1, training=False, colors=True)))


def test_loss_compares_each_coloured_mesh_with_the_picture_of_each_view(model, batch):
    inputs, targets = batch
    silhouettes = model(inputs, training=False)["silhouettes"]
    faces, config = model.reconstructor.faces, model.config
    errors = np.zeros((3, 4))
    for mesh in (0, 1):
        vertices, colors = model.reconstructor.colored(inputs["images"][:, mesh], training=False)
        for view in (0, 1):
            plane = perspective(look_at(vertices, inputs["eyes"][:, view]))
            image, _ = SoftShade(faces, 16, config.sigma)([plane, colors])
            truth = inputs["images"][:, view].numpy()
            alpha = truth[..., 3]
            difference = ((image - truth[..., :3]) ** 2).numpy().mean(axis=-1)
            errors[:, 2 * mesh + view] = (alpha * difference).sum((1, 2)) / alpha.sum((1, 2))
            np.testing.assert_allclose(
                silhouettes[:, 2 * mesh + view],
                SoftRasterize(faces, 16, config.sigma)(plane),
                atol=1e-5,
            )
    # The order of meshes and views matters, or the test could not fail.
    assert np.abs(errors[:, 1] - errors[:, 2]).max() > 1e-3
    model.compile("adam")
    logs, without = {}, model.config.replace(color_weight=0.0)
    for name, config in (("with", model.config), ("without", without)):
        model.config = config
        logs[name] = model.evaluate(
            tf.data.Dataset.from_tensors((inputs, targets)), verbose=0, return_dict=True
        )
        model.make_test_function(force=True)
    np.testing.assert_allclose(logs["with"]["color_loss"], errors.mean(), rtol=1e-4)
    added = logs["with"]["loss"] - logs["without"]["loss"]
    np.testing.assert_allclose(added, 0.5 * errors.mean(), rtol=1e-3)


def test_training_learns_colours(painted, tmp_path):
    config = colored_config("direct", steps=40, learning_rate=1e-2)
    options = {"train_dataset": painted, "steps_per_epoch": 10, "progress": "none"}
    folder = train(config, run_folder=tmp_path / "run", **options)
    first, last = folder.history()[0], folder.history()[-1]
    assert last["step"] == 40 and last["color_loss"] < 0.95 * first["color_loss"]
    assert last["silhouette_iou"] > first["silhouette_iou"]
    assert folder.load_reconstructor().config.color == "direct"


class _Painted:
    """True shapes in one colour; `calls` batches of them."""

    gives, image_size = "colored meshes", IMAGE_SIZE
    faces = icosphere(2).faces

    def __init__(self, color, radii=RADII):
        self.color, self.radii = np.asarray(color, np.float32), radii

    def colored(self, images):
        objects = len(images) // NUM_VIEWS
        assert objects == len(RADII) or len(images) == 2
        radii = self.radii if objects == len(RADII) else self.radii[:2]
        repeats = NUM_VIEWS if objects == len(RADII) else 1
        vertices = np.repeat([ellipsoid(r).vertices for r in radii], repeats, axis=0)
        return vertices, np.broadcast_to(self.color, vertices.shape)

    def reconstruct(self, images):
        vertices, colors = self.colored(images)
        return Meshes(vertices=vertices, faces=self.faces, colors=colors)


def _in_one_color(dataset, color):
    def paint(example):
        shown = example["images"][..., 3:] > 0
        rgb = tf.where(shown, tf.constant(color, tf.uint8), tf.constant(0, tf.uint8))
        return {**example, "images": tf.concat([rgb, example["images"][..., 3:]], axis=-1)}

    return dataset.map(paint)


def test_psnr_of_a_known_error_is_the_number_worked_out_by_hand(dataset):
    """Off by 0.1 in one of three channels: 10 log10(3 / 0.01) = 24.77 dB; the mean is exact."""
    data = _in_one_color(dataset, [51, 102, 153])
    results = evaluate_colors(_Painted([0.2, 0.4, 0.7]), data, progress=False)
    assert list(results) == [
        "mean color, own side", "colors, own side",
        "mean color, other sides", "colors, other sides",
    ]  # fmt: skip
    for side in ("own side", "other sides"):
        # Rounding of the mean in float32 counts as 1e-10: 100 dB.
        assert results[f"mean color, {side}"].per_class["lamp"] == pytest.approx(100.0, abs=1.0)
        for name in ("table", "lamp", "sofa"):
            # Pixels at the rim that the soft shape does not cover are right, as the mean is.
            assert results[f"colors, {side}"].per_class[name] == pytest.approx(24.77, abs=0.5)
    assert results["colors, own side"].per_class["airplane"] is None
    assert sum(results["colors, own side"].objects.values()) == len(LABELS)


def test_what_the_mesh_does_not_cover_counts_as_the_mean_colour(painted):
    tiny = _Painted([1.0, 1.0, 1.0], [(1e-3, 1e-3, 1e-3)] * len(RADII))
    results = evaluate_colors(tiny, painted, progress=False)
    for side in ("own side", "other sides"):
        mean, colors = (results[f"{name}, {side}"].mean for name in ("mean color", "colors"))
        assert colors == pytest.approx(mean, abs=0.5) and mean < 30


class _Halves(_Painted):
    """True shapes, each half in x of a colour of its own."""

    def __init__(self, left, right):
        super().__init__(left)
        self.right = right

    def colored(self, images):
        vertices, left = super().colored(images)
        return vertices, np.where(vertices[..., :1] > 0, self.right, left)


def test_other_sides_are_compared_with_their_own_pictures(dataset):
    """The same meshes whatever the input: their pictures from all sides are a set, own or other."""
    blue = np.array([0.1, 0.2, 0.8], np.float32)

    def rendered(radii, example):
        shape = ellipsoid(radii)
        colors = np.where(shape.vertices[:, :1] > 0, RED, blue)
        mesh = Mesh(shape.vertices, shape.faces, vertex_colors=colors)
        return {**example, **object_views(mesh, RENDERING)}

    examples = [rendered(*pair) for pair in zip(RADII, dataset.as_numpy_iterator(), strict=True)]
    stacked = tf.nest.map_structure(lambda *values: np.stack(values), *examples)
    data = tf.data.Dataset.from_tensor_slices(stacked)
    true, swapped = (
        evaluate_colors(halves, data, progress=False)
        for halves in (_Halves(blue, RED), _Halves(RED, blue))
    )
    own, others = "colors, own side", "colors, other sides"
    # Pixels that are not covered have the mean colour of another input.
    assert true[others].mean == pytest.approx(true[own].mean, abs=0.3)
    for side in (own, others):
        assert true[side].mean > swapped[side].mean + 5


def test_mean_colour_and_psnr_weigh_by_alpha():
    truth = np.zeros((2, 1, 3, 4), np.float32)
    truth[0, 0] = [(1, 0, 0, 1.0), (0, 1, 0, 0.5), (0, 0, 1, 0)]
    np.testing.assert_allclose(mean_colors(truth), [[2 / 3, 1 / 3, 0], [0, 0, 0]], atol=1e-6)
    black = np.zeros((2, 1, 3, 3), np.float32)
    # A third of 1 in either pixel, whatever its weight.
    np.testing.assert_allclose(psnr(truth, black), [10 * np.log10(3), np.nan], rtol=1e-6)


def test_colour_loss_is_the_sum_in_plain_loops_and_has_its_gradient():
    random = np.random.default_rng(0)
    truth, image = random.random((2, 3, 4, 5, 4)), random.random((2, 3, 4, 5, 3))
    truth[0, 1, ..., 3] = 0.0

    def loop(p):
        total = np.zeros(2)
        for b, v in np.ndindex(2, 3):
            alpha = truth[b, v, ..., 3:]
            error = (alpha * (truth[b, v, ..., :3] - p[b, v]) ** 2).sum()
            total[b] += error / (3 * alpha.sum()) / 3 if alpha.any() else 0.0
        return total

    with tf.GradientTape() as tape:
        tensor = tf.constant(image)
        tape.watch(tensor)
        value = color_loss(truth, tensor)
        total = tf.reduce_sum(value)
    np.testing.assert_allclose(value, loop(image), rtol=1e-12)
    gradient = tape.gradient(total, tensor).numpy()
    for index in [(0, 0, 1, 2, 0), (1, 2, 3, 4, 2), (0, 1, 0, 0, 1)]:
        step = np.zeros_like(image)
        step[index] = 1e-5
        numeric = (loop(image + step) - loop(image - step)).sum() / 2e-5
        assert gradient[index] == pytest.approx(numeric, abs=1e-9)


@pytest.mark.parametrize("shapes", [((2, 4, 4, 3), (2, 4, 4, 3)), ((2, 4, 4, 4), (2, 4, 5, 3))])
def test_colours_of_other_shapes_are_refused(shapes):
    with pytest.raises(ValueError, match="y_true and y_pred: expected .*; received"):
        color_loss(np.zeros(shapes[0]), np.zeros(shapes[1]))


def test_sheet_shows_input_truth_and_reconstruction_side_by_side(dataset, tmp_path):
    data = _in_one_color(dataset, np.rint(255 * RED).astype(int))
    path = tmp_path / "pictures" / "sheet.png"
    color_sheet(_Painted(RED), data.take(2), path, input_view=1, num_views=2)
    sheet = np.asarray(Image.open(path)).astype(float) / 255
    assert sheet.shape == (_HEADER + 2 * (CELL + _GAP) + _GAP, 5 * (CELL + _GAP) + _GAP, 3)
    for row in range(2):
        # Without the name that is written into the first.
        top = _HEADER + row * (CELL + _GAP)
        cells = [
            sheet[top + 16 : top + CELL, _GAP + column * (CELL + _GAP) :][:, :CELL]
            for column in range(5)
        ]
        np.testing.assert_array_equal(cells[0], cells[1])  # The first side is the input's.
        for true, reconstructed in ((1, 2), (3, 4)):
            # At 16 pixels much is edge: blocks there, 128 pixels here.
            assert np.abs(cells[true] - cells[reconstructed]).mean() < 0.06
            middle = cells[reconstructed][CELL // 2 - 16, CELL // 2]
            np.testing.assert_allclose(middle, RED, atol=0.01)
    for options in ({"input_view": 6}, {"num_views": 7}):
        with pytest.raises(ValueError, match=r"expected input_view in \[0, 6\)"):
            color_sheet(_Painted(RED), data, path, **options)
    with pytest.raises(ValueError, match="expected at least one"):
        color_sheet(_Painted(RED), [], path)


def test_sheet_is_neither_mirrored_nor_upside_down(dataset, tmp_path):
    """A drop, thick at +x and bent upwards at -x: no two of its mirror images look alike."""
    ball = icosphere(3)
    x, y, z = ball.vertices.T
    vertices = np.stack([0.5 * x, (0.1 + 0.1 * x) * y + 0.2 * x**2 * (x < 0), (0.1 + 0.1 * x) * z])
    drop = Mesh(vertices.T.astype(np.float32), ball.faces).normalized()
    example = next(iter(dataset.take(1).as_numpy_iterator()))
    example |= object_views(drop, dataclasses.replace(RENDERING, image_size=64))

    class Answer:
        gives, image_size = "colored meshes", 64

        def reconstruct(self, images):
            colors = np.broadcast_to(RED, (1, *drop.vertices.shape))
            return Meshes(vertices=drop.vertices[None], faces=drop.faces, colors=colors)

    path = tmp_path / "sheet.png"
    color_sheet(Answer(), [example], path, input_view=1, num_views=1)
    sheet = np.asarray(Image.open(path))[_HEADER + 16 : _HEADER + CELL]
    true, drawn = (
        sheet[:, _GAP + column * (CELL + _GAP) :][:, :CELL].min(axis=-1) < 250 for column in (1, 2)
    )
    assert np.mean(true != drawn) < 0.02
    assert np.mean(true != drawn[:, ::-1]) > 0.05 and np.mean(true != drawn[::-1]) > 0.05
