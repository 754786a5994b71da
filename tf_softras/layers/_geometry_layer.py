"""The base of layers that have no weights and compute in at least float32."""

import keras
import tensorflow as tf

from tf_softras.geometry._shapes import check_shape, known_shape
from tf_softras.layers._call_inputs import broadcast_batch, shapes_by_name, split_inputs


def geometry_dtype(layer):
    """Returns float64 where that is the layer's type, else float32.

    Half precision would move vertices by pixels.
    """
    return "float64" if layer.variable_dtype == "float64" else "float32"


def same_batch(*tensors):
    """Returns the tensors with one batch size: a batch of 1 is repeated to that of the others.

    Raises:
        tf.errors.InvalidArgumentError: Two batch sizes differ, and none of them is 1.
    """
    known = {tensor.shape[0] for tensor in tensors}
    if len(known) == 1 and None not in known:
        return tensors
    batch = shared_batch(tensors)
    return tuple(repeat_to_batch(tensor, *batch) for tensor in tensors)


def shared_batch(tensors):
    """Returns the batch size of tensors as an int, None where it is unknown, and as int32 `[1]`."""
    batch = tf.shape(tensors[0])[:1]
    for tensor in tensors[1:]:
        batch = tf.broadcast_dynamic_shape(batch, tf.shape(tensor)[:1])
    sizes = {tensor.shape[0] for tensor in tensors}
    known = sizes - {None, 1}
    return next(iter(known), None if None in sizes else 1), batch


def repeat_to_batch(tensor, static, batch):
    """Returns a tensor with the batch size that `shared_batch` found."""
    if static is not None and tensor.shape[0] == static:
        return tensor
    repeated = tf.broadcast_to(tensor, tf.concat([batch, tf.shape(tensor)[1:]], axis=0))
    return tf.ensure_shape(repeated, (static, *tensor.shape[1:]))


class GeometryLayer(keras.layers.Layer):
    """A layer of named inputs, whose batches broadcast: a batch of 1 fits any.

    A subclass gives `input_names`, perhaps `optional_names`, `call` and `_output_shape`. Its inputs
    are one tensor, a list in the order of the names, or a dict.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.autocast = False
        self.built = True

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the inputs, in their order."""
        return ("vertices",)

    @property
    def optional_names(self) -> tuple[str, ...]:
        """The names of further inputs that a dict may hold."""
        return ()

    @property
    def trailing_names(self) -> tuple[str, ...]:
        """The names of further inputs that a list may end with."""
        return ()

    @property
    def input_shapes(self) -> dict[str, tuple]:
        """The shapes of inputs by name, as `check_shape` takes them; others are not checked."""
        return {}

    @property
    def reason(self) -> str:
        """The reason why these inputs are expected; it ends the error about others."""
        return ""

    def split(self, inputs):
        """Returns the inputs by name, as floats of the layer's type."""
        dtype = geometry_dtype(self)
        given = {name: keras.ops.cast(value, dtype) for name, value in self._named(inputs).items()}
        self.check_shapes({name: known_shape(value) for name, value in given.items()})
        return given

    def check_shapes(self, shapes):
        """Checks the shapes of inputs by name.

        Raises:
            ValueError: One of them is not that of `input_shapes`.
        """
        for name, expected in self.input_shapes.items():
            check_shape(name, shapes.get(name), expected)

    def compute_output_shape(self, inputs_shape):
        """Returns the output's shape from those of the inputs, in the form of the inputs."""
        return self._shape(shapes_by_name(self, inputs_shape, self.input_names, **self._options()))

    def compute_output_spec(self, inputs):
        """Returns the symbolic output."""
        shapes = {name: tuple(value.shape) for name, value in self._named(inputs).items()}
        return self._spec(self._shape(shapes))

    def fixed_shapes(self):
        """Returns a dict of the shapes of constants that the layer has one an item of."""
        return {}

    def _named(self, inputs):
        return split_inputs(self, inputs, self.input_names, **self._options())

    def _options(self):
        return {
            "optional": self.optional_names,
            "trailing": self.trailing_names,
            "reason": self.reason,
        }

    def _shape(self, shapes, **others):
        """Returns the output's shape from the shapes of inputs and of others of the same batch."""
        self.check_shapes(shapes)
        batch = broadcast_batch(self, {**shapes, **self.fixed_shapes(), **others})
        return self._output_shape(shapes, batch)

    def _output_shape(self, shapes, batch):
        return (batch, *shapes["vertices"][1:])

    def _spec(self, shape):
        """Returns the symbolic tensor of a shape, or those of a tuple or dict of shapes."""
        if isinstance(shape, dict):
            return {name: self._spec(each) for name, each in shape.items()}
        if any(isinstance(each, tuple) for each in shape):
            return tuple(self._spec(each) for each in shape)
        return keras.KerasTensor(shape, self._output_dtype())

    def _output_dtype(self):
        return geometry_dtype(self)
