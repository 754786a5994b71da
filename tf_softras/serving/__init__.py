"""TensorFlow Serving seen from its clients: the messages, a client, a load."""

from tf_softras.serving._example_inputs import InputSpec, example_inputs
from tf_softras.serving.client import PredictError, connect
from tf_softras.serving.load import LoadReport, run_load

__all__ = ["InputSpec", "LoadReport", "PredictError", "connect", "example_inputs", "run_load"]
