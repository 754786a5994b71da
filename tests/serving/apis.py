"""TensorFlow Serving's own messages, which `make` installs apart: see the Makefile."""

import os
import sys

# Behind all others: nothing else is taken from there.
sys.path.append(os.path.join(sys.prefix, "serving_api"))

from tensorflow_serving.apis import (  # noqa: E402
    get_model_metadata_pb2,
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)

__all__ = [
    "get_model_metadata_pb2",
    "predict_pb2",
    "prediction_log_pb2",
    "prediction_service_pb2_grpc",
]
