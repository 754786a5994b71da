"""The messages of TensorFlow Serving's API that this package sends and writes, by field number.

The package `tensorflow-serving-api` has all messages, but it requires the package `tensorflow`,
which overwrites `tensorflow-cpu`. Only the tests use it: they compare both byte for byte.

A tensor is the bytes of its `TensorProto` here, because a message and bytes are encoded alike.
"""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "tensorflow.serving"
_Field = descriptor_pb2.FieldDescriptorProto

# Message -> {field: (number, type)}. A type in quotes is a message of this table.
_FIELDS = {
    "Int64Value": {"value": (1, _Field.TYPE_INT64)},
    "ModelSpec": {
        "name": (1, _Field.TYPE_STRING),
        "version": (2, "Int64Value"),
        "signature_name": (3, _Field.TYPE_STRING),
    },
    "PredictRequest": {"model_spec": (1, "ModelSpec"), "inputs": (2, dict)},
    "PredictResponse": {"outputs": (1, dict), "model_spec": (2, "ModelSpec")},
    "PredictLog": {"request": (1, "PredictRequest")},
    "PredictionLog": {"predict_log": (6, "PredictLog")},
    "Any": {"type_url": (1, _Field.TYPE_STRING), "value": (2, _Field.TYPE_BYTES)},
    "GetModelMetadataRequest": {"model_spec": (1, "ModelSpec"), "metadata_field": (2, list)},
    "GetModelMetadataResponse": {"model_spec": (1, "ModelSpec"), "metadata": (2, dict)},
    "SignatureDefMap": {"signature_def": (1, dict)},
}


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="tf_softras/serving.proto", package=_PACKAGE, syntax="proto3"
    )
    for message_name, fields in _FIELDS.items():
        message = file.message_type.add(name=message_name)
        for name, (number, kind) in fields.items():
            field = message.field.add(name=name, number=number, label=_Field.LABEL_OPTIONAL)
            if kind is dict:
                _make_map(message, field)
            elif kind is list:
                field.label, field.type = _Field.LABEL_REPEATED, _Field.TYPE_STRING
            elif isinstance(kind, str):
                field.type, field.type_name = _Field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            else:
                field.type = kind
    return file


def _make_map(message, field) -> None:
    """Makes a field a map from strings to messages, kept as bytes."""
    entry = message.nested_type.add(name=f"{field.name.title().replace('_', '')}Entry")
    entry.options.map_entry = True
    for number, (name, kind) in enumerate(
        [("key", _Field.TYPE_STRING), ("value", _Field.TYPE_BYTES)], start=1
    ):
        entry.field.add(name=name, number=number, type=kind, label=_Field.LABEL_OPTIONAL)
    field.label, field.type = _Field.LABEL_REPEATED, _Field.TYPE_MESSAGE
    field.type_name = f".{_PACKAGE}.{message.name}.{entry.name}"


# A separate pool: tensorflow-serving-api registers the same names in the default one.
_POOL = descriptor_pool.DescriptorPool()
_POOL.Add(_file())


def _message_class(name: str):
    descriptor = _POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}")
    return message_factory.GetMessageClass(descriptor)


Any = _message_class("Any")
GetModelMetadataRequest = _message_class("GetModelMetadataRequest")
GetModelMetadataResponse = _message_class("GetModelMetadataResponse")
ModelSpec = _message_class("ModelSpec")
PredictionLog = _message_class("PredictionLog")
PredictRequest = _message_class("PredictRequest")
PredictResponse = _message_class("PredictResponse")
SignatureDefMap = _message_class("SignatureDefMap")
