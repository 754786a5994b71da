"""Changes the rasteriser's sharpness while a model trains."""

from collections.abc import Callable

import keras

from tf_softras.layers import SoftRasterize


class SigmaSchedule(keras.callbacks.Callback):
    """Sets sigma before every training step to what a schedule says for that step.

    The step is the optimizer's count, so a run that was interrupted goes on with the right sigma.
    Nothing is retraced: sigma is a weight of the layer.

    ```python
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([149_999], [1e-4, 3e-5])
    model.fit(dataset, callbacks=[SigmaSchedule(schedule)])
    ```

    Args:
        schedule: Any callable from the number of steps done to a positive float, for example a
            `keras.optimizers.schedules.LearningRateSchedule`.
        layer: The `SoftRasterize` layer to change; by default each one among the model's layers.

    Raises:
        ValueError: When training begins: the model has no such layer.
    """

    def __init__(self, schedule: Callable, layer: SoftRasterize | None = None):
        super().__init__()
        self.schedule = schedule
        self.layer = layer
        self._layers: list[SoftRasterize] = []

    def on_train_begin(self, logs=None):
        """Finds the layers."""
        self._layers = [self.layer] if self.layer is not None else _rasterizers(self.model)
        if not self._layers:
            raise ValueError(
                "model for SigmaSchedule: expected a SoftRasterize layer among "
                f"model.layers; received {[layer.name for layer in self.model.layers]}"
            )

    def on_train_batch_begin(self, batch, logs=None):
        """Sets sigma for the step that begins."""
        sigma = float(self.schedule(int(self.model.optimizer.iterations.numpy())))
        for layer in self._layers:
            layer.sigma = sigma

    def on_epoch_end(self, epoch, logs=None):
        """Adds the present sigma to the epoch's logs."""
        if logs is not None:
            logs["sigma"] = float(self._layers[0].sigma.numpy())


def _rasterizers(model):
    return [layer for layer in model.layers if isinstance(layer, SoftRasterize)]
