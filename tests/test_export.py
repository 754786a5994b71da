"""The SavedModel: what TensorFlow alone makes of it, and what is refused."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_softras import export
from tf_softras.config import ModelConfig
from tf_softras.export import ExportedReconstructor, SavedModelError, export_saved_model
from tf_softras.models import MeshReconstructor

# The networks are slim; the sizes of what goes in and comes out are the default ones.
SLIM = ModelConfig(convolution_filters=(4, 4, 4), encoder_units=(8, 6), decoder_units=(8,))

# Imports TensorFlow and nothing of ours: reads images, writes what each way of loading gives.
LOADER = """
import json, sys
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

saved, folder = sys.argv[1:]
images = np.load(folder + "/images.npy")
found = {}
with tf.compat.v1.Session(graph=tf.Graph()) as session:
    meta = tf.compat.v1.saved_model.load(session, ["serve"], saved)
    signature = meta.signature_def["serving_default"]
    found["inputs"] = {
        name: [info.dtype, [d.size for d in info.tensor_shape.dim]]
        for name, info in signature.inputs.items()
    }
    found["outputs"] = {
        name: [info.dtype, [d.size for d in info.tensor_shape.dim]]
        for name, info in signature.outputs.items()
    }
    names = {name: info.name for name, info in signature.outputs.items()}
    feed = signature.inputs["images"].name
    values = session.run(names, {feed: images})
    np.savez(folder + "/session.npz", **values)
    nodes = list(meta.graph_def.node)
    nodes += [node for function in meta.graph_def.library.function for node in function.node_def]
    found["ops"] = sorted({node.op for node in nodes})
    # As a server feeds: Python compares no shapes here, as Session.run would.
    options = config_pb2.CallableOptions(feed=[feed], fetch=[names["vertices"]])
    run = session._make_callable_from_options(options)
    try:
        run(images[:, :32])
        found["wrong shape"] = "accepted"
    except tf.errors.InvalidArgumentError as error:
        found["wrong shape"] = error.message
    found["one"] = run(images[:1])[0].shape
loaded = tf.saved_model.load(saved)
values = loaded.signatures["serving_default"](images=tf.constant(images))
np.savez(folder + "/loaded.npz", **{name: value.numpy() for name, value in values.items()})
found["modules"] = [name for name in sys.modules if name.startswith("tf_softras")]
print(json.dumps(found))
"""


def network(seed=0):
    keras.utils.set_random_seed(seed)
    model = MeshReconstructor(SLIM)
    random = np.random.default_rng(seed)
    for weight in model.weights:
        value = 0.2 * random.normal(size=weight.shape)
        weight.assign(np.abs(value) + 0.5 if "variance" in weight.path else value)
    return model


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    model = network()
    export_saved_model(model, folder / "model")
    return model, folder


@pytest.fixture(scope="module")
def elsewhere(exported):
    """What a fresh process that imports TensorFlow alone finds, and the images it was given."""
    _, folder = exported
    images = np.random.default_rng(1).random((3, 64, 64, 4)).astype("float32")
    np.save(folder / "images.npy", images)
    result = subprocess.run(
        [sys.executable, "-I", "-c", LOADER, str(folder / "model"), str(folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout), images


def test_a_fresh_process_with_tensorflow_alone_gets_the_networks_meshes(exported, elsewhere):
    model, folder = exported
    found, images = elsewhere
    assert found["modules"] == []
    for way in ("session", "loaded"):
        values = np.load(folder / f"{way}.npz")
        # The same float32 network in another graph: the order of sums may differ.
        np.testing.assert_allclose(values["vertices"], model(images), rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(values["faces"], model.faces)


def test_the_signature_is_the_promised_one(elsewhere):
    found, _ = elsewhere
    float32, int32 = tf.float32.as_datatype_enum, tf.int32.as_datatype_enum
    assert found["inputs"] == {"images": [float32, [-1, 64, 64, 4]]}
    assert found["outputs"] == {
        "vertices": [float32, [-1, 642, 3]],
        "faces": [int32, [1280, 3]],
    }
    assert found["one"] == [1, 642, 3]


def test_the_graph_holds_no_custom_op(elsewhere):
    found, _ = elsewhere
    assert "Conv2D" in found["ops"]
    assert not [op for op in found["ops"] if op.startswith("Softras")]


def test_images_of_another_shape_are_an_invalid_argument(elsewhere):
    # Without tf.ensure_shape the convolutions take them and the first dense layer fails.
    found, _ = elsewhere
    assert "[3,32,64,4] is not compatible with expected shape [?,64,64,4]" in found["wrong shape"]


def test_the_reader_is_called_as_the_network_is(exported, elsewhere):
    model, folder = exported
    _, images = elsewhere
    reader = ExportedReconstructor(folder / "model")
    np.testing.assert_allclose(reader(images), model(images), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(reader.faces, model.faces)
    assert reader.faces.dtype == np.int32 and reader.image_size == 64


def test_nothing_is_overwritten(exported):
    _, folder = exported
    before = (folder / "model" / "saved_model.pb").read_bytes()
    with pytest.raises(SavedModelError, match="one that exists"):
        export_saved_model(network(1), folder / "model")
    assert (folder / "model" / "saved_model.pb").read_bytes() == before


def test_a_failed_export_leaves_nothing(tmp_path, monkeypatch):
    write = export._write

    def fail(reconstructor, path):
        write(reconstructor, path)
        raise OSError("No space left on device")

    monkeypatch.setattr(export, "_write", fail)
    with pytest.raises(OSError, match="No space"):
        export_saved_model(network(), tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_what_is_no_saved_model_of_a_reconstructor_is_refused(tmp_path):
    class Doubler(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def __call__(self, x):
            return {"y": 2 * x}

    tf.saved_model.save(Doubler(), str(tmp_path / "doubler"), signatures=Doubler().__call__)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "saved_model.pb").write_bytes(b"nonsense")
    for name in ("doubler", "empty", "broken", "none"):
        with pytest.raises(SavedModelError, match=f"{name}'. Expected a SavedModel"):
            ExportedReconstructor(tmp_path / name)
