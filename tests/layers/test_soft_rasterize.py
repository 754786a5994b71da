"""The layer as Keras users meet it: every kind of model, saving, precision, schedules."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_softras import geometry, layers
from tf_softras.ops import soft_rasterize

MESH = geometry.icosphere(1)
EYES = geometry.eye_from_angles(2.732, 30.0, np.array([10.0, 100.0], np.float32)).numpy()
VERTICES = np.repeat(0.5 * MESH.vertices[None], 2, axis=0)
ON_PLANE = geometry.perspective(geometry.look_at(VERTICES, EYES)).numpy()


def _sequential():
    return keras.Sequential(
        [
            layers.LookAt(distance=2.732, elevation=30.0, azimuth=10.0),
            layers.Perspective(),
            layers.SoftRasterize(MESH.faces, 16, sigma=1e-3),
        ]
    )


def _functional():
    vertices = keras.Input((MESH.vertices.shape[0], 3))
    eyes = keras.Input((3,))
    seen = layers.Perspective()(layers.LookAt()([vertices, eyes]))
    return keras.Model([vertices, eyes], layers.SoftRasterize(MESH.faces, 16, 1e-3)(seen))


class Free(keras.layers.Layer):
    """Vertices that are weights, whatever comes in."""

    def build(self, _):
        self.vertices = self.add_weight(
            shape=ON_PLANE.shape, initializer=lambda shape, dtype: ON_PLANE.astype(dtype)
        )

    def call(self, inputs):
        return self.vertices + 0.0 * keras.ops.sum(inputs)


def test_renders_what_the_op_renders():
    layer = layers.SoftRasterize(MESH.faces, (12, 20), sigma=1e-3, near=0.5)
    expected = soft_rasterize(ON_PLANE, MESH.faces, image_size=(12, 20), sigma=1e-3, near=0.5)
    np.testing.assert_array_equal(layer(ON_PLANE), expected)


def test_reference_implementation_agrees():
    op = layers.SoftRasterize(MESH.faces, 16, 1e-3)(ON_PLANE)
    reference = layers.SoftRasterize(MESH.faces, 16, 1e-3, implementation="reference")(ON_PLANE)
    # Both in float32: promise 1 twice.
    np.testing.assert_allclose(op, reference, atol=2 * (5e-6 + 4e-8 / np.sqrt(1e-3)))


def test_works_in_a_sequential_model():
    expected = soft_rasterize(ON_PLANE[:1], MESH.faces, image_size=16, sigma=1e-3)
    np.testing.assert_allclose(_sequential()(VERTICES[:1]), expected, atol=1e-5)


def test_works_in_a_functional_model_with_unknown_batch_size():
    model = _functional()
    assert model.output_shape == (None, 16, 16)
    expected = soft_rasterize(ON_PLANE, MESH.faces, image_size=16, sigma=1e-3)
    np.testing.assert_allclose(model([VERTICES, EYES]), expected, atol=1e-5)
    assert model.predict([VERTICES[:1], EYES[:1]], verbose=0).shape == (1, 16, 16)


def test_works_in_a_subclassed_model_whose_shapes_are_unknown():
    class Renderer(keras.Model):
        def __init__(self):
            super().__init__()
            self.rasterize = layers.SoftRasterize(MESH.faces, 16, 1e-3)

        def call(self, vertices):
            return self.rasterize(vertices)

    model = Renderer()

    @tf.function(input_signature=[tf.TensorSpec([None, None, 3])])
    def render(vertices):
        return model(vertices)

    np.testing.assert_array_equal(render(ON_PLANE), model(ON_PLANE))


@pytest.mark.parametrize("make", [_sequential, _functional])
def test_keras_file_restores_picture_and_present_sigma(make, tmp_path):
    model = make()
    inputs = VERTICES if make is _sequential else [VERTICES, EYES]
    model(inputs)
    model.layers[-1].sigma = 1e-2
    expected = model(inputs).numpy()
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    assert float(restored.layers[-1].sigma) == pytest.approx(1e-2)
    np.testing.assert_array_equal(restored(inputs), expected)


def test_config_round_trip():
    layer = layers.SoftRasterize(
        MESH.faces, (8, 9), 1e-3, near=0.25, implementation="reference", name="silhouettes"
    )
    clone = layers.SoftRasterize.from_config(layer.get_config())
    assert clone.get_config() == layer.get_config()
    np.testing.assert_array_equal(clone.faces, layer.faces)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16", "bfloat16"])
def test_half_precision_renders_in_float32_and_hands_back_its_own_type(policy):
    exact = layers.SoftRasterize(MESH.faces, 16, 1e-4)(ON_PLANE)
    layer = layers.SoftRasterize(MESH.faces, 16, 1e-4, dtype=policy)
    image = layer(ON_PLANE)
    assert keras.backend.standardize_dtype(image.dtype) == layer.compute_dtype
    # Bit for bit what rounding the float32 picture gives.
    np.testing.assert_array_equal(
        tf.cast(image, tf.float32), tf.cast(tf.cast(exact, image.dtype), tf.float32)
    )


def test_cameras_keep_float32_under_mixed_precision():
    look, project = layers.LookAt(dtype="mixed_float16"), layers.Perspective(dtype="mixed_float16")
    seen = project(look([VERTICES, EYES]))
    assert seen.dtype == tf.float32
    np.testing.assert_array_equal(seen, ON_PLANE)


def test_float64_layers_render_in_float64():
    layer = layers.SoftRasterize(MESH.faces, 16, 1e-3, dtype="float64")
    expected = soft_rasterize(ON_PLANE.astype(np.float64), MESH.faces, image_size=16, sigma=1e-3)
    image = layer(ON_PLANE.astype(np.float64))
    assert image.dtype == tf.float64
    np.testing.assert_array_equal(image, expected)


def test_assigning_sigma_changes_a_compiled_function_without_a_retrace():
    layer = layers.SoftRasterize(MESH.faces, 16, 1e-3)
    traces = []

    @tf.function
    def render(vertices):
        traces.append(1)
        return layer(vertices)

    before = render(ON_PLANE).numpy()
    layer.sigma = 1e-2
    after = render(ON_PLANE).numpy()
    assert len(traces) == 1
    np.testing.assert_array_equal(
        after, soft_rasterize(ON_PLANE, MESH.faces, image_size=16, sigma=1e-2)
    )
    assert np.any(before != after)


@pytest.mark.parametrize("jit_compile", ["auto", False, True])
def test_fit_moves_vertices_towards_a_silhouette(jit_compile):
    target = soft_rasterize(0.7 * ON_PLANE * [1, 1, 1 / 0.7], MESH.faces, image_size=16, sigma=1e-3)

    model = keras.Sequential([Free(), layers.SoftRasterize(MESH.faces, 16, 1e-3)])
    model.compile(keras.optimizers.Adam(0.02), "mse", jit_compile=jit_compile)
    dummy = np.zeros((2, 1), np.float32)
    history = model.fit(dummy, target, epochs=30, verbose=0, batch_size=2).history["loss"]
    assert history[-1] < 0.1 * history[0]


def _train(implementation, **compile_arguments):
    """Vertices and loss after three steps, and the model."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [Free(), layers.SoftRasterize(MESH.faces, 16, 1e-3, implementation=implementation)]
    )
    # Plain SGD: what XLA fuses around the op is a multiplication and an addition.
    model.compile(keras.optimizers.SGD(0.1), "mse", **compile_arguments)
    target = np.zeros((2, 16, 16), np.float32)
    history = model.fit(np.zeros((2, 1)), target, epochs=3, verbose=0, batch_size=2).history["loss"]
    return model.layers[0].vertices.numpy(), history, model


@pytest.mark.parametrize("implementation", ["op", "reference"])
def test_a_step_compiled_by_xla_trains_as_one_that_is_not(implementation):
    vertices, losses, model = _train(implementation, jit_compile=True)
    assert model.jit_compile and model.train_function is not None
    expected_vertices, expected_losses, other = _train(implementation, jit_compile=False)
    assert not other.jit_compile
    assert np.max(np.abs(expected_vertices - ON_PLANE)) > 1e-3
    # The loss and its gradient are XLA's: rounded otherwise, in the seventh digit.
    np.testing.assert_allclose(vertices, expected_vertices, rtol=0, atol=2e-6)
    np.testing.assert_allclose(losses, expected_losses, rtol=2e-6)


@pytest.mark.parametrize("device_type", ["GPU", "TPU"])
def test_beside_another_device_the_op_trains_without_xla(device_type, monkeypatch):
    """Keras picks XLA where it sees a GPU, and XLA has no kernel for it."""
    assert layers.SoftRasterize(MESH.faces, 8).supports_jit
    cpus = tf.config.list_physical_devices("CPU")
    other = tf.config.PhysicalDevice(f"/physical_device:{device_type}:0", device_type)
    for function in ("list_physical_devices", "get_visible_devices"):
        monkeypatch.setattr(tf.config, function, lambda *_: [*cpus, other])
    assert not layers.SoftRasterize(MESH.faces, 8).supports_jit
    assert layers.SoftRasterize(MESH.faces, 8, implementation="reference").supports_jit
    _, losses, model = _train("op", jit_compile="auto")
    assert not model.jit_compile and np.all(np.isfinite(losses))
    with pytest.warns(UserWarning, match="doesn't support `jit_compile=True`"):
        _, losses, model = _train("op", jit_compile=True)
    assert not model.jit_compile and np.all(np.isfinite(losses))


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"faces": [[0, 1]]}, r"faces: expected integers .*received int64 \[1, 2\]"),
            ({"faces": [[0.0, 1.0, 2.0]]}, "faces: expected integers .*received float64"),
            ({"faces": [[0, 1, -1]]}, "faces: expected vertex indices .*-1"),
            ({"image_size": 0}, "image_size: expected"),
            ({"image_size": (8, 8, 8)}, "image_size: expected"),
            ({"sigma": 0.0}, "sigma: expected a positive"),
            ({"sigma": float("inf")}, "sigma: expected a positive"),
            ({"implementation": "cuda"}, "implementation: expected"),
        ],
    )
    def test_constructor(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            layers.SoftRasterize(**{"faces": MESH.faces, "image_size": 8, **arguments})

    def test_assigned_sigma(self):
        layer = layers.SoftRasterize(MESH.faces, 8)
        with pytest.raises(ValueError, match="sigma: expected a positive.*-1"):
            layer.sigma = -1.0

    def test_symbolic_shape(self):
        with pytest.raises(ValueError, match="expected vertices"):
            layers.SoftRasterize(MESH.faces, 8)(keras.Input((5, 2)))

    @pytest.mark.parametrize(
        "arguments",
        [
            {"distance": 1.0},
            {"distance": 1.0, "elevation": 2.0},
            {"distance": 1.0, "elevation": 2.0, "azimuth": 3.0, "eye": (1, 2, 3)},
            {"azimuth": 3.0, "eye": (1, 2, 3)},
        ],
    )
    def test_camera_in_part_or_twice(self, arguments):
        with pytest.raises(ValueError, match="camera: expected .*; received"):
            layers.LookAt(**arguments)

    def test_eye_of_two_numbers(self):
        with pytest.raises(ValueError, match="eye: expected floats"):
            layers.LookAt(eye=(1.0, 2.0))

    def test_fixed_camera_called_with_eyes(self):
        with pytest.raises(ValueError, match="expected vertices.*fixed"):
            layers.LookAt(eye=(1.0, 2.0, 3.0))([VERTICES, EYES])

    def test_free_camera_called_without_eyes(self):
        with pytest.raises(ValueError, match=r"expected \[vertices, eyes\]"):
            layers.LookAt()(VERTICES)

    def test_viewing_angle(self):
        with pytest.raises(ValueError, match="viewing_angle: expected"):
            layers.Perspective(viewing_angle=90.0)
