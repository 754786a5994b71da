"""TensorFlow Serving's BatchingParameters, by the names and types of its fields.

From tensorflow_serving/servables/tensorflow/session_bundle_config.proto, which the package
tensorflow-serving-api leaves out.
"""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

_FIELDS = {
    "max_batch_size": 1,
    "batch_timeout_micros": 2,
    "max_enqueued_batches": 3,
    "num_batch_threads": 4,
}


def _message_class():
    file = descriptor_pb2.FileDescriptorProto(
        name="tests/batching_parameters.proto",
        package="tests",
        syntax="proto3",
        dependency=[wrappers_pb2.DESCRIPTOR.name],
    )
    message = file.message_type.add(name="BatchingParameters")
    for name, number in _FIELDS.items():
        field = message.field.add(name=name, number=number, label=1, type=11)
        field.type_name = ".google.protobuf.Int64Value"
    message.field.add(name="allowed_batch_sizes", number=6, label=3, type=3)
    message.field.add(name="pad_variable_length_inputs", number=7, label=1, type=8)
    pool = descriptor_pool.Default()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tests.BatchingParameters"))


BatchingParameters = _message_class()
