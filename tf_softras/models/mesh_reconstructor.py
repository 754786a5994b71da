"""Turns one picture into a mesh: the whole network."""

import keras

from tf_softras.config import COLORS, PRESETS, ModelConfig, preset
from tf_softras.geometry import Mesh, icosphere
from tf_softras.models._pretrained import (
    FOLDER,
    pretrained_names,
    read_pretrained,
    set_pretrained,
)
from tf_softras.models.color_decoder import ColorDecoder
from tf_softras.models.image_encoder import ImageEncoder
from tf_softras.models.mesh_decoder import MeshDecoder


@keras.saving.register_keras_serializable(package="Softras")
class MeshReconstructor(keras.Model):
    """Turns pictures into vertices of a mesh whose faces are always `.faces`.

    Input: images float32 [batch, 64, 64, 4] in [0, 1], colours 0 where there is no object, alpha
    last. Output: vertices float32 [batch, 642, 3] in object units (inside [-0.5, 0.5]^3 once
    trained), world frame; sizes as the configuration has them.

    ```python
    model = MeshReconstructor.from_preset("paper")
    mesh = Mesh(vertices=model.predict(images)[0], faces=model.faces)
    ```

    If the configuration asks for colours, `colored` returns them beside the vertices.

    Args:
        config: A `ModelConfig`, its `to_dict()`, or the name of a preset.
        name: As in `keras.Model`.
        dtype: The policy of its layers; by default the global one. Vertices are float32 under a
            mixed policy too.

    Attributes:
        config: The `ModelConfig`.
        encoder: The `ImageEncoder`.
        decoder: The `MeshDecoder`.
        color_decoder: The `ColorDecoder`, or None.
        template: The `Mesh` that is deformed.
        faces: int32 [num_faces, 3], those of the template.

    Raises:
        ValueError: No such preset, or a configuration that is not valid.

    Source: "Soft Rasterizer", sections 4.1 and 5.1.
    """

    def __init__(self, config="paper", *, name="mesh_reconstructor", dtype=None, **kwargs):
        config = _model_config(config)
        policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())
        encoder = ImageEncoder.from_model_config(config, dtype=policy)
        decoder = MeshDecoder.from_model_config(config, dtype=policy)
        images = keras.Input(encoder.input_shape[1:], name="images")
        vertices = decoder(encoder(images))
        super().__init__(inputs=images, outputs=vertices, name=name, **kwargs)
        # Not `dtype_policy`: a functional model has that of its input, whatever its layers have.
        self.layer_policy = policy
        self.config = config
        self.encoder = encoder
        self.decoder = decoder
        self.color_decoder = None
        if config.color is not None:
            self.color_decoder = ColorDecoder.from_model_config(config, dtype=policy)
        sphere = icosphere(config.template_level)
        self.template = Mesh(vertices=config.template_radius * sphere.vertices, faces=sphere.faces)

    @classmethod
    def from_preset(cls, name, **kwargs):
        """Returns the network of a preset.

        The names of `models.pretrained_names()` give trained networks: their weights come with the
        package, and `softras reconstruct` uses them when no run is named. The names of
        `config.PRESETS` ("paper", "many-pictures", ...) give untrained ones.

        Args:
            name: The preset's name.
            **kwargs: For the constructor.

        Raises:
            ValueError: There is no such preset; the message lists those there are.
        """
        if name not in pretrained_names():
            if name not in PRESETS:
                names = ", ".join((*pretrained_names(), *PRESETS))
                raise ValueError(f"preset: expected one of {names}; received {name!r}")
            return cls(preset(name).model, **kwargs)
        config, weights = read_pretrained(FOLDER / f"{name}.npz")
        network = cls(config, **kwargs)
        set_pretrained(network, weights, name)
        return network

    @property
    def faces(self):
        """The faces of every mesh that the network gives, int32 [num_faces, 3]."""
        return self.template.faces

    def colored(self, images, training=None):
        """Returns the vertices and their colours, float32 [batch, num_vertices, 3] both.

        Colours are sRGB in [0, 1]: those of the surface as the pictures show it, with its light.

        Raises:
            ValueError: The network gives no colours; or the images are integers.
        """
        if self.color_decoder is None:
            raise ValueError(
                "network for colours: expected a configuration whose `color` is one of "
                f"{', '.join(COLORS)}; received {self.config.color}"
            )
        _check_floating(images)
        images = keras.ops.convert_to_tensor(images)
        code = self.encoder(images, training=training)
        return self.decoder(code, training=training), self.color_decoder([code, images])

    def call(self, images, training=None, mask=None):
        """Returns the vertices, float32 [batch, num_vertices, 3].

        Raises:
            ValueError: The images are integers (so most likely in [0, 255]). Keras refuses those of
                another shape before they get here.
        """
        _check_floating(images)
        return super().call(images, training=training, mask=mask)

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {
            "config": self.config.to_dict(),
            "name": self.name,
            "trainable": self.trainable,
            "dtype": keras.dtype_policies.serialize(self.layer_policy),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Returns the network that `get_config` described, untrained."""
        return cls(**config)


def _check_floating(images):
    dtype = keras.backend.standardize_dtype(images.dtype)
    if "float" not in dtype:
        raise ValueError(f"images: expected floating-point values in [0, 1]; received {dtype}")


def _model_config(config):
    if isinstance(config, ModelConfig):
        return config
    if isinstance(config, dict):
        return ModelConfig.from_dict(config)
    return preset(config).model
