"""`jit_compile=True` on a CPU: the op's bits, the op's errors."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tensorflow as tf

from tests.ops.meshes import SCENES, with_depths
from tf_softras.ops import soft_rasterize, soft_shade
from tf_softras.ops._library import library

FACES = [[0, 1, 2]]
TRIANGLE = np.array([[[-1, -1, 1], [1, -1, 1], [0, 1, 1]]], np.float32)


def _image_and_gradient(vertices, sigma, upstream, faces, image_size, near):
    with tf.GradientTape() as tape:
        tape.watch(vertices)
        image = soft_rasterize(vertices, faces, image_size=image_size, sigma=sigma, near=near)
        # Linear, so that XLA has nothing of its own to round.
        loss = tf.reduce_sum(image * upstream)
    return image, tape.gradient(loss, vertices)


def _assert_same_bits(one, other):
    for a, b in zip(one, other, strict=True):
        assert a.numpy().tobytes() == b.numpy().tobytes()


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_image_and_gradient_are_the_ops_bits(name, dtype):
    vertices, faces = SCENES[name](np.random.default_rng(0))
    # Large enough for several ranges of several threads.
    arguments = {"faces": faces, "image_size": (70, 90), "near": 0.1}
    upstream = np.random.default_rng(1).normal(size=(len(vertices), 70, 90)).astype(dtype)
    compiled = tf.function(_image_and_gradient, jit_compile=True)
    for sigma in (3e-5, 1e-2):
        inputs = tf.constant(vertices.astype(dtype)), tf.constant(sigma, dtype)
        expected = _image_and_gradient(*inputs, upstream, **arguments)
        assert np.any(expected[1].numpy() != 0)
        _assert_same_bits(compiled(*inputs, upstream, **arguments), expected)


@pytest.mark.parametrize("near", [0.1, 1.0, 1.0000001, -3.4e38, 1e-45])
def test_near_reaches_the_kernel_with_all_its_digits(near):
    compiled = tf.function(soft_rasterize, jit_compile=True)
    arguments = {"image_size": 8, "sigma": 1e-2, "near": near}
    vertices = TRIANGLE * [1, 1, np.float32(1.0000001)]
    _assert_same_bits(
        [compiled(vertices, FACES, **arguments)], [soft_rasterize(vertices, FACES, **arguments)]
    )


def test_sigma_is_an_input_of_the_compiled_code():
    traces = []

    @tf.function(jit_compile=True)
    def render(sigma):
        traces.append(1)
        return soft_rasterize(TRIANGLE, FACES, image_size=8, sigma=sigma)

    for sigma in (1e-1, 1e-3, 1e-1):
        expected = soft_rasterize(TRIANGLE, FACES, image_size=8, sigma=sigma)
        _assert_same_bits([render(tf.constant(sigma))], [expected])
    assert len(traces) == 1


def test_every_batch_size_of_an_unknown_batch_is_right():
    @tf.function(input_signature=[tf.TensorSpec([None, None, 3])], jit_compile=True)
    def render(vertices):
        return soft_rasterize(vertices, FACES, image_size=8, sigma=1e-2)

    for batch in (1, 3, 0, 2):
        vertices = np.random.default_rng(batch).uniform(-1, 1, (batch, 4, 3)).astype(np.float32)
        expected = soft_rasterize(vertices, FACES, image_size=8, sigma=1e-2)
        _assert_same_bits([render(vertices)], [expected])


def test_an_empty_mesh_has_no_picture_and_no_gradient():
    arguments = {"faces": np.zeros((0, 3), np.int32), "image_size": (3, 5), "near": 0.0}
    compiled = tf.function(_image_and_gradient, jit_compile=True)
    image, gradient = compiled(tf.ones([2, 4, 3]), 1e-3, tf.ones([2, 3, 5]), **arguments)
    assert not image.numpy().any() and not gradient.numpy().any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"faces": [[0, 1, 4]]}, r"faces: expected vertex indices in \[0, 3\); received 4"),
        ({"vertices": TRIANGLE * np.nan}, "vertices: expected finite coordinates; received nan"),
        ({"sigma": 0.0}, "sigma: expected a positive finite number; received 0"),
        ({"image_size": (2**30, 2**30 + 1)}, "height, width: expected sides of at most"),
        ({"near": np.inf}, "near: expected a finite depth"),
    ],
)
def test_bad_input_is_the_ops_error(changes, message):
    good = {"vertices": TRIANGLE, "faces": FACES, "sigma": 1e-3, "image_size": 8}
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        tf.function(soft_rasterize, jit_compile=True)(**{**good, **changes})


def test_the_gradient_checks_its_own_shapes():
    @tf.function(jit_compile=True)
    def gradient(image):
        image = tf.ensure_shape(image, [None, None, None])
        return library().softras_soft_rasterize_grad(
            TRIANGLE, FACES, 1e-3, image[:, :7], image, height=8, width=8
        )

    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match="7.*8|8.*7"):
        gradient(tf.zeros([1, 8, 8]))


def _shaded_and_gradients(inputs, upstream, faces, **options):
    vertices, attributes, background = inputs
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        image, alpha = soft_shade(
            vertices, faces, attributes, background=background, image_size=(70, 90), **options
        )
        loss = tf.reduce_sum(image * upstream) + tf.reduce_sum(alpha * upstream[..., 0])
    return image, alpha, *tape.gradient(loss, inputs)


@pytest.mark.parametrize("aggregation", ["soft", "hard"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("background_rank", [1, 4])
def test_shaded_image_and_gradients_are_the_ops_bits(aggregation, dtype, background_rank):
    rng = np.random.default_rng(0)
    vertices, faces = SCENES["small faces"](rng)
    shape = (len(vertices), 70, 90, 2)
    inputs = (
        with_depths(vertices, rng),
        rng.uniform(size=(*vertices.shape[:2], 2)),
        rng.uniform(size=shape[-background_rank:]),
    )
    inputs = [tf.constant(array.astype(dtype)) for array in inputs]
    upstream = rng.normal(size=shape).astype(dtype)
    # Numbers whose last digits matter: they reach the kernel as text.
    options = {
        "near": 0.1,
        "far": 9.000001,
        "epsilon": 1.1e-3,
        "min_coverage": 1.1e-4,
        "aggregation": aggregation,
        "interpolation": {1: "perspective", 4: "linear"}[background_rank],
        "summed_channels": 1 if aggregation == "soft" else 0,
    }
    compiled = tf.function(_shaded_and_gradients, jit_compile=True)
    for sigma, gamma in ((3e-5, 1e-4), (1e-2, 1e-1)):
        numbers = {"sigma": tf.constant(sigma, dtype), "gamma": tf.constant(gamma, dtype)}
        expected = _shaded_and_gradients(inputs, upstream, faces, **numbers, **options)
        assert all(np.any(part.numpy() != 0) for part in expected)
        _assert_same_bits(compiled(inputs, upstream, faces, **numbers, **options), expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"faces": [[0, 1, 4]]}, r"faces: expected vertex indices in \[0, 3\); received 4"),
        ({"gamma": 0.0}, "gamma: expected a positive finite number; received 0"),
        ({"attributes": np.full((1, 3, 1), np.inf)}, "attributes: expected finite numbers"),
        ({"background": [np.nan]}, "background: expected finite numbers; received nan"),
        ({"near": -1.0}, "near: expected a finite depth that is not negative"),
    ],
)
def test_bad_input_of_the_shader_is_the_ops_error(changes, message):
    good = {"vertices": TRIANGLE, "faces": FACES, "sigma": 1e-3, "image_size": 8, "gamma": 1e-4}
    good = {**good, "attributes": np.ones((1, 3, 1)), "background": [0.0]}
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        tf.function(soft_shade, jit_compile=True)(**{**good, **changes})


@pytest.mark.parametrize("op", ["softras_soft_shade_grad", "softras_soft_shade_scales_grad"])
def test_a_state_of_other_numbers_is_refused(op):
    @tf.function(jit_compile=True)
    def gradient(state):
        of_image, of_alpha = tf.ones([1, 8, 8, 2]), tf.ones([1, 8, 8])
        return getattr(library(), op)(
            *(TRIANGLE, FACES, 1e-3, 1e-3, tf.ones([1, 3, 2]), tf.zeros([2])),
            *(of_alpha, of_image, state, of_image, of_alpha),
            height=8,
            width=8,
        )

    for numbers in (0, 6):
        assert all(np.all(np.isfinite(part)) for part in gradient(tf.ones([1, 8, 8, numbers])))
    message = r"state: expected shape \[1,8,8,6\] or \[1,8,8,0\]; received \[1,8,8,4\]"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        gradient(tf.ones([1, 8, 8, 4]))


def test_a_shader_without_channels_has_alpha_alone():
    arguments = {"image_size": 8, "sigma": 1e-2, "gamma": 1e-4, "background": np.zeros(0)}
    render = tf.function(soft_shade, jit_compile=True)
    image, alpha = render(TRIANGLE, FACES, np.ones((1, 3, 0)), **arguments)
    assert image.shape == (1, 8, 8, 0)
    _assert_same_bits([alpha], [soft_rasterize(TRIANGLE, FACES, image_size=8, sigma=1e-2)])


def test_sizes_that_xla_does_not_know_are_refused():
    @tf.function(jit_compile=True)
    def render(vertices, keep):
        chosen = tf.boolean_mask(vertices, keep)
        return tf.reduce_sum(soft_rasterize(chosen, FACES, image_size=4, sigma=1e-2))

    with pytest.raises(tf.errors.UnimplementedError, match="vertices: expected sizes.*known"):
        render(tf.tile(TRIANGLE, [3, 1, 1]), tf.constant([True, False, True]))


def test_a_process_that_compiled_before_it_met_the_op_has_kernels_too():
    script = textwrap.dedent("""
        import tensorflow as tf
        assert tf.function(lambda x: x + 1, jit_compile=True)(1.0) == 2.0
        from tf_softras.ops import soft_rasterize, soft_shade
        vertices = [[[-1.0, -1, 1], [1, -1, 1], [0, 1, 1]]]
        arguments = {"faces": [[0, 1, 2]], "image_size": 8, "sigma": 1e-2}
        image = tf.function(soft_rasterize, jit_compile=True)(vertices, **arguments)
        assert tf.reduce_all(image == soft_rasterize(vertices, **arguments))
        print("same")
    """)
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.stdout.strip() == "same", result.stderr


def test_bits_do_not_depend_on_xlas_threads(tmp_path):
    script = textwrap.dedent("""
        import sys
        import numpy as np, tensorflow as tf
        tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
        from tests.ops.meshes import sphere
        from tests.ops.test_xla import _image_and_gradient
        vertices, faces = sphere(np.random.default_rng(0))
        compiled = tf.function(_image_and_gradient, jit_compile=True)
        upstream = np.random.default_rng(1).normal(size=(2, 150, 150)).astype(np.float32)
        results = compiled(
            tf.constant(vertices), 1e-3, upstream, faces=faces, image_size=150, near=0.0
        )
        np.savez(sys.argv[2], *results)
    """)
    runs = []
    for threads in ("1", "3"):
        file = tmp_path / f"{threads}.npz"
        subprocess.run(
            [sys.executable, "-c", script, threads, str(file)], check=True, capture_output=True
        )
        runs.append(np.load(file))
    for key in runs[0].files:
        assert np.any(runs[0][key] != 0)
        assert runs[0][key].tobytes() == runs[1][key].tobytes()
