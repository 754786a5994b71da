"""Runs a SavedModel as TensorFlow Serving does: a Session, tensors by name, shapes not compared.

Imports TensorFlow and nothing of ours; the tests run it in processes of its own:

    python as_a_server.py SAVED_MODEL REQUESTS ANSWERS [OP_LIBRARY]

REQUESTS is a pickle of the tests' own: a list of (signature, {input: array}). ANSWERS gets, as a
pickle, {"signatures": ..., "ops": ..., "modules": ..., "answers": ...}; an answer is
{output: array} or the error's (class name, message). Arrays of bytes objects are strings.
"""

import pickle
import sys

import tensorflow as tf
from tensorflow.core.protobuf import config_pb2


class Model:
    """A SavedModel in a Session. It is fed by callables: Session.run would compare shapes."""

    def __init__(self, path):
        self.session = tf.compat.v1.Session(graph=tf.Graph())
        with self.session.graph.as_default():
            self.meta = tf.compat.v1.saved_model.load(self.session, ["serve"], path)
        self.signatures = {
            name: signature
            for name, signature in self.meta.signature_def.items()
            if not name.startswith("__")
        }
        self._callables = {}

    def __call__(self, signature_name, inputs):
        """{output: array}; raises what TensorFlow raises, KeyError for what is not there."""
        signature = self.signatures[signature_name]
        if set(inputs) != set(signature.inputs):
            raise KeyError(f"expected inputs {set(signature.inputs)}, received {set(inputs)}")
        if signature_name not in self._callables:
            options = config_pb2.CallableOptions(
                feed=[signature.inputs[name].name for name in sorted(signature.inputs)],
                fetch=[signature.outputs[name].name for name in sorted(signature.outputs)],
            )
            self._callables[signature_name] = self.session._make_callable_from_options(options)
        values = self._callables[signature_name](*(inputs[name] for name in sorted(inputs)))
        return dict(zip(sorted(signature.outputs), values, strict=True))

    def described(self):
        """Signature -> {"inputs": {name: (dtype, shape)}, "outputs": ...}."""
        return {
            name: {
                side: {
                    key: (
                        tf.dtypes.as_dtype(info.dtype).name,
                        [d.size for d in info.tensor_shape.dim],
                    )
                    for key, info in getattr(signature, side).items()
                }
                for side in ("inputs", "outputs")
            }
            for name, signature in self.signatures.items()
        }

    def ops(self):
        """The kinds of operations in the graph and in its functions."""
        nodes = list(self.meta.graph_def.node)
        for function in self.meta.graph_def.library.function:
            nodes += function.node_def
        return sorted({node.op for node in nodes})


def main(path, requests, answers, *libraries):
    for library in libraries:
        tf.load_op_library(library)
    model = Model(path)
    found = {"signatures": model.described(), "ops": model.ops(), "answers": []}
    with open(requests, "rb") as file:
        for signature, inputs in pickle.load(file):
            try:
                found["answers"].append(model(signature, inputs))
            except tf.errors.OpError as error:
                found["answers"].append((type(error).__name__, error.message))
    found["modules"] = [name for name in sys.modules if name.startswith("tf_softras")]
    with open(answers, "wb") as file:
        pickle.dump(found, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
