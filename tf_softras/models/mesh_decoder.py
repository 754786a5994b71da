"""Turns a code into the vertices of a deformed sphere."""

import keras

from tf_softras.config import DEFORMATIONS, ModelConfig
from tf_softras.models.deformations import (
    BoundedDeformation,
    PreconditionedDisplacement,
    TemplateDisplacement,
)

# This is small, so that the untrained mesh is the template to within a percent and training starts
# from a closed silhouette: larger noise would be spikes that the regularisers must iron out first.
# It is not 0, because no gradient would reach the layers before. Adam's first step, which is as
# long as the learning rate, already has this size.
_OUTPUT_INITIALIZER_STDDEV = 1e-4


@keras.saving.register_keras_serializable(package="Softras")
class MeshDecoder(keras.Model):
    """Turns codes [batch, code_size] into vertices [batch, num_vertices, 3] in object units.

    Dense layers with ReLU come first. One more layer gives three numbers a vertex (and a centroid,
    where bounded), which deform the template. The last layers compute in float32 under a mixed
    policy: at half precision a vertex would be off by a thousandth of its displacement.

    Args:
        code_size: Length of the code.
        units: Units of each dense layer before the last.
        template_level: Subdivisions of the template sphere.
        template_radius: Its radius in object units.
        deformation: `"displacement"`, `"bounded"` or `"preconditioned"`; see
            `tf_softras.config.ModelConfig`.
        smoothness: lambda of the preconditioner, for `"preconditioned"`.
        symmetric: Whether every mesh is symmetric about x = 0; not for `"bounded"`.
        name: As in `keras.Model`.
        dtype: The policy of its layers; by default the global one.

    Raises:
        ValueError: `deformation` is none of these.

    Source: "Soft Rasterizer", sections 4.1 and 5.1.
    """

    def __init__(
        self,
        *,
        code_size,
        units,
        template_level,
        template_radius,
        deformation,
        smoothness=ModelConfig.smoothness,
        symmetric=ModelConfig.symmetric,
        name="mesh_decoder",
        dtype=None,
        **kwargs,
    ):
        if deformation not in DEFORMATIONS:
            raise ValueError(
                f"deformation: expected one of {', '.join(DEFORMATIONS)}; received {deformation!r}"
            )
        policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())
        code = keras.Input((code_size,), name="code")
        hidden = code
        for index, size in enumerate(units, 1):
            hidden = keras.layers.Dense(
                size, activation="relu", dtype=policy, name=f"dense_{index}"
            )(hidden)
        precise = policy if policy.compute_dtype == "float64" else "float32"
        template = (template_level, template_radius)
        layer = {"dtype": precise, "name": "deformation"}
        if deformation == "bounded":
            deform = BoundedDeformation(*template, **layer)
        elif deformation == "preconditioned":
            deform = PreconditionedDisplacement(
                *template, symmetric, smoothness=smoothness, **layer
            )
        else:
            deform = TemplateDisplacement(*template, symmetric, **layer)
        numbers = [_output_layer(deform.template.size, precise, "vertices")(hidden)]
        if deformation == "bounded":
            numbers.append(_output_layer(3, precise, "centroid")(hidden))
        super().__init__(inputs=code, outputs=deform(*numbers), name=name, **kwargs)
        # Not `dtype_policy`: a functional model has that of its input, whatever its layers have.
        self.layer_policy = policy
        self.arguments = {
            "code_size": code_size,
            "units": tuple(units),
            "template_level": template_level,
            "template_radius": template_radius,
            "deformation": deformation,
            "smoothness": smoothness,
            "symmetric": symmetric,
        }

    @classmethod
    def from_model_config(cls, config: ModelConfig, **kwargs):
        """Returns the decoder that `config` describes."""
        return cls(
            code_size=config.encoder_units[-1],
            units=config.decoder_units,
            template_level=config.template_level,
            template_radius=config.template_radius,
            deformation=config.deformation,
            smoothness=config.smoothness,
            symmetric=config.symmetric,
            **kwargs,
        )

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {
            **self.arguments,
            "units": list(self.arguments["units"]),
            "name": self.name,
            "trainable": self.trainable,
            "dtype": keras.dtype_policies.serialize(self.layer_policy),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Returns the decoder that `get_config` described."""
        return cls(**config)


def _output_layer(units, dtype, name):
    return keras.layers.Dense(
        units,
        kernel_initializer=keras.initializers.RandomNormal(stddev=_OUTPUT_INITIALIZER_STDDEV),
        dtype=dtype,
        name=name,
    )
