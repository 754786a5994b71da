"""The messages that are described here, beside those of tensorflow-serving-api."""

import numpy as np
import tensorflow as tf
from google.protobuf import wrappers_pb2

from tests.serving.apis import get_model_metadata_pb2, predict_pb2, prediction_log_pb2
from tf_softras.serving import messages


def theirs_of(message):
    modules = (predict_pb2, prediction_log_pb2, get_model_metadata_pb2)
    (found,) = [
        getattr(module, message.DESCRIPTOR.name)
        for module in modules
        if hasattr(module, message.DESCRIPTOR.name)
    ]
    return found


def test_fields_have_the_numbers_and_types_of_tensorflow_servings():
    for name in (
        "PredictRequest",
        "PredictResponse",
        "PredictionLog",
        "GetModelMetadataRequest",
        "GetModelMetadataResponse",
        "SignatureDefMap",
    ):
        ours = getattr(messages, name)
        assert_same_fields(ours.DESCRIPTOR, theirs_of(ours).DESCRIPTOR)


def assert_same_fields(ours, theirs):
    for field in ours.fields:
        other = theirs.fields_by_name[field.name]
        assert (field.number, field.is_repeated) == (other.number, other.is_repeated), field.name
        # On the wire bytes are what a message is.
        if field.type == field.TYPE_BYTES:
            assert other.type in (other.TYPE_BYTES, other.TYPE_MESSAGE)
            continue
        assert field.type == other.type, field.name
        if field.type == field.TYPE_MESSAGE:
            assert_same_fields(field.message_type, other.message_type)


def test_a_log_is_written_as_tensorflow_serving_writes_it():
    array = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    ours, theirs = messages.PredictionLog(), prediction_log_pb2.PredictionLog()
    for log in (ours, theirs):
        spec = log.predict_log.request.model_spec
        spec.name, spec.signature_name, spec.version.value = "chair", "glb", 2**40
    tensor = tf.make_tensor_proto(array)
    ours.predict_log.request.inputs["images"] = tensor.SerializeToString()
    theirs.predict_log.request.inputs["images"].CopyFrom(tensor)
    assert ours.SerializeToString() == theirs.SerializeToString()
    again = prediction_log_pb2.PredictionLog.FromString(ours.SerializeToString())
    np.testing.assert_array_equal(
        tf.make_ndarray(again.predict_log.request.inputs["images"]), array
    )
    assert isinstance(again.predict_log.request.model_spec.version, wrappers_pb2.Int64Value)
