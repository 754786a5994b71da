"""Files in a SavedModel folder that TensorFlow Serving alone reads: warm-up requests, batching."""

import pathlib

import tensorflow as tf

from tf_softras.export._checks import MAX_BATCH_SIZE
from tf_softras.serving import InputSpec, example_inputs
from tf_softras.serving.messages import PredictionLog

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
BATCHING_FILE = "batching_params.pbtxt"

# The time that a call may wait for others to share a batch.
BATCH_TIMEOUT_MICROSECONDS = 2000
# The number of batches that may wait for a thread; the server refuses more as UNAVAILABLE.
MAX_ENQUEUED_BATCHES = 64


def write_warmup_requests(path: pathlib.Path, model_name: str, specs: dict) -> None:
    """Writes one request for each signature, which a server runs before it offers the version.

    Args:
        path: The SavedModel folder.
        model_name: The model's name in the requests. Servers ignore it.
        specs: Signature -> the `tf.TensorSpec`s of its inputs.
    """
    file = path / WARMUP_FILE
    file.parent.mkdir()
    with tf.io.TFRecordWriter(str(file)) as writer:
        for signature, tensors in specs.items():
            inputs = example_inputs(
                [InputSpec(spec.name, tuple(spec.shape[1:])) for spec in tensors], batch_size=1
            )
            log = PredictionLog()
            request = log.predict_log.request
            request.model_spec.name = model_name
            request.model_spec.signature_name = signature
            for name, value in inputs.items():
                request.inputs[name] = tf.make_tensor_proto(value).SerializeToString()
            writer.write(log.SerializeToString())


def write_batching_parameters(path: pathlib.Path) -> None:
    """Writes how a server makes batches of calls, if it is started with both flags.

    These are --enable_batching and --enable_per_model_batching_parameters; the files in deploy/ set
    neither. There are no `allowed_batch_sizes`: with them a call of 0 rows that shares a batch ends
    the server's process (its CHECK in MergeInputTensors), and `glb` is a fifth slower. The number
    of threads is the machine's matter: see docs/serving.md.
    """
    lines = [
        f"max_batch_size {{ value: {MAX_BATCH_SIZE} }}",
        f"batch_timeout_micros {{ value: {BATCH_TIMEOUT_MICROSECONDS} }}",
        f"max_enqueued_batches {{ value: {MAX_ENQUEUED_BATCHES} }}",
    ]
    (path / BATCHING_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")
