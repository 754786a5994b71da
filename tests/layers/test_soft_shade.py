"""The layer as Keras users meet it. What it shares with SoftRasterize is tested there."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_softras import geometry, layers, training
from tf_softras.ops import soft_shade

MESH = geometry.icosphere(1)
EYES = geometry.eye_from_angles(2.732, 30.0, np.array([10.0, 100.0], np.float32)).numpy()
VERTICES = np.repeat(0.5 * MESH.vertices[None], 2, axis=0)
ON_PLANE = geometry.perspective(geometry.look_at(VERTICES, EYES)).numpy()
COLORS = np.random.default_rng(0).uniform(0, 1, (*ON_PLANE.shape[:2], 4)).astype(np.float32)
BACKGROUND = np.random.default_rng(1).uniform(0, 1, (2, 16, 16, 4)).astype(np.float32)
OPTIONS = {"sigma": 1e-3, "gamma": 1e-3}


def _expected(background=0.0, **options):
    return soft_shade(
        ON_PLANE,
        MESH.faces,
        COLORS,
        **{"image_size": 16, "background": background, **OPTIONS, **options},
    )


def _assert_equal(pictures, expected):
    for picture, truth in zip(pictures, expected, strict=True):
        np.testing.assert_array_equal(picture, truth)


def _model(**options):
    vertices = keras.Input(ON_PLANE.shape[1:])
    colors = keras.Input(COLORS.shape[1:])
    layer = layers.SoftShade(MESH.faces, 16, **{**OPTIONS, **options})
    return keras.Model([vertices, colors], layer([vertices, colors]))


def test_renders_what_the_op_renders():
    options = {"epsilon": 0.5, "near": 2.5, "far": 4.0, "min_coverage": 1e-2}
    for aggregation in ("soft", "hard"):
        layer = layers.SoftShade(
            MESH.faces, (12, 20), aggregation=aggregation, **OPTIONS, **options
        )
        expected = _expected(image_size=(12, 20), aggregation=aggregation, **options)
        _assert_equal(layer([ON_PLANE, COLORS]), expected)


@pytest.mark.parametrize("background", [0.5, [0.25, 0.5, 0.75, 1.0]])
def test_background_of_the_layer(background):
    layer = layers.SoftShade(MESH.faces, 16, background=background, **OPTIONS)
    _assert_equal(layer([ON_PLANE, COLORS]), _expected(background))


@pytest.mark.parametrize("background", [BACKGROUND, BACKGROUND[0, 0, 0]])
def test_background_of_the_call_goes_before_the_layers(background):
    layer = layers.SoftShade(MESH.faces, 16, background=0.5, **OPTIONS)
    _assert_equal(layer([ON_PLANE, COLORS, background]), _expected(background))


def test_reference_implementation_agrees():
    pictures = layers.SoftShade(MESH.faces, 16, 1e-3, 0.1, implementation="reference")(
        [ON_PLANE, COLORS]
    )
    for picture, truth in zip(pictures, _expected(gamma=0.1), strict=True):
        np.testing.assert_allclose(picture, truth, atol=1e-4)


def test_works_in_a_functional_model_with_unknown_batch_size():
    model = _model()
    assert model.output_shape == [(None, 16, 16, 4), (None, 16, 16)] or model.output_shape == (
        (None, 16, 16, 4),
        (None, 16, 16),
    )
    _assert_equal(model([ON_PLANE, COLORS]), _expected())
    image, alpha = model.predict([ON_PLANE[:1], COLORS[:1]], verbose=0)
    assert image.shape == (1, 16, 16, 4) and alpha.shape == (1, 16, 16)


def test_keras_file_restores_pictures_and_present_numbers(tmp_path):
    model = _model(background=[0.0, 0.5, 1.0, 0.25], aggregation="soft")
    model.layers[-1].sigma, model.layers[-1].gamma = 1e-2, 1e-1
    expected = [picture.numpy() for picture in model([ON_PLANE, COLORS])]
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    assert float(restored.layers[-1].gamma) == pytest.approx(1e-1)
    _assert_equal(restored([ON_PLANE, COLORS]), expected)


def test_config_round_trip():
    layer = layers.SoftShade(
        MESH.faces,
        (8, 9),
        1e-3,
        1e-2,
        epsilon=0.1,
        near=0.25,
        far=7.0,
        background=[0.5, 0.25],
        aggregation="hard",
        min_coverage=0.01,
        implementation="reference",
        name="shade",
    )
    config = layer.get_config()
    clone = layers.SoftShade.from_config(config)
    assert clone.get_config() == config
    named = ("epsilon", "near", "far", "background", "aggregation", "min_coverage", "gamma")
    values = (0.1, 0.25, 7.0, [0.5, 0.25], "hard", 0.01, 1e-2)
    assert tuple(config[name] for name in named) == values


@pytest.mark.parametrize("policy", ["mixed_float16", "bfloat16"])
def test_half_precision_renders_in_float32_and_hands_back_its_own_type(policy):
    layer = layers.SoftShade(MESH.faces, 16, dtype=policy, **OPTIONS)
    for picture, truth in zip(layer([ON_PLANE, COLORS]), _expected(), strict=True):
        assert keras.backend.standardize_dtype(picture.dtype) == layer.compute_dtype
        np.testing.assert_array_equal(
            tf.cast(picture, tf.float32), tf.cast(tf.cast(truth, picture.dtype), tf.float32)
        )


def test_float64_layers_render_in_float64():
    layer = layers.SoftShade(MESH.faces, 16, dtype="float64", **OPTIONS)
    vertices, colors = ON_PLANE.astype(np.float64), COLORS.astype(np.float64)
    expected = soft_shade(vertices, MESH.faces, colors, image_size=16, **OPTIONS)
    pictures = layer([vertices, colors])
    assert all(picture.dtype == tf.float64 for picture in pictures)
    _assert_equal(pictures, expected)


def test_assigning_gamma_changes_a_compiled_function_without_a_retrace():
    layer = layers.SoftShade(MESH.faces, 16, 1e-3, 1e-4)
    traces = []

    @tf.function
    def render(vertices, colors):
        traces.append(1)
        return layer([vertices, colors])

    before = render(ON_PLANE, COLORS)[0].numpy()
    layer.gamma = 1e-1
    after = render(ON_PLANE, COLORS)[0].numpy()
    assert len(traces) == 1
    np.testing.assert_array_equal(after, _expected(gamma=1e-1)[0])
    assert np.any(before != after)
    assert not layer.trainable_weights and len(layer.non_trainable_weights) == 2


def test_sigma_schedules_find_it():
    model = _model()
    schedule = training.SigmaSchedule(lambda step: 0.5)
    model.compile("sgd", loss=["mse", "mse"])
    schedule.set_model(model)
    schedule.on_train_begin()
    schedule.on_train_batch_begin(0)
    assert float(model.layers[-1].sigma) == 0.5


def test_fit_recovers_vertex_colors():
    target = _expected()[0].numpy()

    class Colors(keras.layers.Layer):
        def build(self, _):
            self.colors = self.add_weight(shape=COLORS.shape, initializer="zeros")

        def call(self, vertices):
            return self.colors + 0.0 * vertices[..., :1]

    vertices = keras.Input(ON_PLANE.shape[1:])
    image, _ = layers.SoftShade(MESH.faces, 16, **OPTIONS)([vertices, Colors()(vertices)])
    model = keras.Model(vertices, image)
    model.compile(keras.optimizers.Adam(0.1), "mse")
    # Each item has colours of its own: their order must stay.
    options = {"batch_size": 2, "epochs": 100, "shuffle": False}
    history = model.fit(ON_PLANE, target, verbose=0, **options).history["loss"]
    assert history[-1] < 0.05 * history[0]


@pytest.mark.parametrize("aggregation", ["soft", "hard"])
def test_a_step_compiled_by_xla_trains_as_one_that_is_not(aggregation):
    losses = {}
    for jit_compile in (False, True):
        vertices, colors = keras.Input(ON_PLANE.shape[1:]), keras.Input(COLORS.shape[1:])
        shade = layers.SoftShade(MESH.faces, 8, aggregation=aggregation, **OPTIONS)
        assert shade.supports_jit
        moved = keras.layers.Dense(3, kernel_initializer="identity")(vertices)
        image, _ = shade([moved, colors])
        model = keras.Model([vertices, colors], image)
        model.compile("sgd", "mse", jit_compile=jit_compile)
        batch = [ON_PLANE, COLORS]
        target = np.zeros((len(ON_PLANE), 8, 8, COLORS.shape[-1]), np.float32)
        history = model.fit(batch, target, epochs=3, verbose=0).history["loss"]
        assert history[-1] < history[0]
        losses[jit_compile] = history
    np.testing.assert_allclose(losses[True], losses[False], rtol=1e-5)


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"faces": [[0, 1]]}, "faces: expected integers"),
            ({"sigma": 0.0}, "sigma: expected a positive"),
            ({"gamma": 0.0}, "gamma: expected a positive.*0.0"),
            ({"gamma": float("nan")}, "gamma: expected a positive.*nan"),
            ({"near": -1.0}, "near and far: expected depths.*-1.0"),
            ({"near": 2.0, "far": 1.0}, "near and far: expected depths.*1.0"),
            ({"far": float("inf")}, "near and far: expected depths.*inf"),
            ({"epsilon": float("inf")}, "epsilon: expected a float.*inf"),
            ({"background": [[0.0]]}, r"background: expected.*\[\[0.0\]\]"),
            ({"background": float("nan")}, "background: expected.*nan"),
            ({"aggregation": "max"}, "aggregation: expected.*'max'"),
            ({"min_coverage": 0.0}, "min_coverage: expected.*0.0"),
            ({"implementation": "cuda"}, "implementation: expected"),
        ],
    )
    def test_constructor(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            layers.SoftShade(**{"faces": MESH.faces, "image_size": 8, **arguments})

    def test_assigned_gamma(self):
        layer = layers.SoftShade(MESH.faces, 8)
        with pytest.raises(ValueError, match="gamma: expected a positive.*-1"):
            layer.gamma = -1.0

    def test_vertices_alone(self):
        with pytest.raises(ValueError, match=r"expected \[vertices, attributes\]"):
            layers.SoftShade(MESH.faces, 8)(ON_PLANE)

    def test_symbolic_shapes(self):
        layer = layers.SoftShade(MESH.faces, 8)
        with pytest.raises(ValueError, match="expected vertices"):
            layer([keras.Input((5, 2)), keras.Input((5, 3))])
        with pytest.raises(ValueError, match="expected attributes"):
            layer([keras.Input((5, 3)), keras.Input((5,))])
