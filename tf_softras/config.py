"""Configurations: every hyper-parameter's default, written once.

`PRESETS` holds the recipe of the paper, that of its released code where the two differ, a network
small enough to train within minutes on two cores, and two recipes that lead on few objects.

Source: Liu et al., "Soft Rasterizer", section 5.1; the authors' released training code.
"""

import dataclasses
import math
import numbers

DEFORMATIONS = ("displacement", "bounded", "preconditioned")
COLORS = ("direct", "palette")
# The rows of the paper's Table 1, in its order; see `ReconstructionConfig.method`.
METHODS = ("retrieval", "voxel", "n3mr", "softras")
# Filters of `models.VoxelReconstructor`, from 4 cells a side up; its last doubling has 1.
VOXEL_FILTERS = (128, 64, 32)
MAX_TEMPLATE_LEVEL = 7
# A preconditioned template holds a dense matrix: 26 MB at level 4, 420 MB at level 5.
MAX_PRECONDITIONED_LEVEL = 4
# The devices that share a batch; see `training.make_strategy`.
DISTRIBUTIONS = ("auto", "none", "mirrored", "multi-worker")


def _invalid(name, expected, received):
    return ValueError(f"{name}: expected {expected}; received {received!r}")


def _is_integer(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _check_integer(name, value, lowest, highest=None):
    expected = f"an integer of at least {lowest}"
    if highest is not None:
        expected = f"an integer from {lowest} to {highest}"
    if not _is_integer(value) or value < lowest or (highest is not None and value > highest):
        raise _invalid(name, expected, value)


def _check_real(name, value, lower, upper=math.inf, *, lower_included=False, upper_included=False):
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    above = number and (value >= lower if lower_included else value > lower)
    if not above or not (value < upper or (upper_included and value == upper)):
        expected = f"a finite number {'of at least' if lower_included else 'above'} {lower:g}"
        if upper < math.inf:
            expected += f" and {'at most' if upper_included else 'below'} {upper:g}"
        raise _invalid(name, expected, value)


def _check_boolean(name, value):
    if not isinstance(value, bool):
        raise _invalid(name, "True or False", value)


def _positive_integers(name, values):
    sequence = isinstance(values, list | tuple)
    if not sequence or not values or not all(_is_integer(v) and v > 0 for v in values):
        raise _invalid(name, "one or more positive integers", values)
    return tuple(values)


def _checked_fields(cls, values):
    if not isinstance(values, dict):
        raise _invalid(cls.__name__, "a dict", values)
    fields = dataclasses.fields(cls)
    expected = {field.name for field in fields}
    # Older configuration files lack newer fields; these are the values they implied.
    values = {f.name: f.default for f in fields if f.metadata.get("added")} | values
    if unknown := sorted(map(str, set(values) - expected)):
        raise _invalid(cls.__name__, f"only the keys {sorted(expected)}", unknown)
    if missing := sorted(expected - set(values)):
        raise ValueError(f"{cls.__name__}: expected all keys; received no {', no '.join(missing)}")
    return values


def _to_json(value):
    if isinstance(value, dict):
        return {key: _to_json(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Holds the shape of a `tf_softras.models.MeshReconstructor`.

    Attributes:
        convolution_filters: Filters of each 5x5 convolution of stride 2.
        encoder_units: Units of the encoder's dense layers; the last is the size of the code.
        decoder_units: Units of the decoder's dense layers, before the one that gives vertices.
        template_level: Subdivisions of the icosphere that is deformed; 3 gives 642 vertices.
        template_radius: Radius of the undeformed template in object units, below 0.5, where
            objects fill [-0.5, 0.5]^3. The released code starts from 0.25 (half a unit sphere,
            halved again); the paper gives no number, so both presets start from that sphere.
        deformation: `"displacement"` (the paper) adds the network's output to the template;
            `"bounded"` (the released code) keeps every vertex in its octant about a centroid;
            `"preconditioned"` adds the output after it is smoothed over the template.
        smoothness: lambda of the preconditioner ``(I + lambda L)^-1``, for `"preconditioned"`;
            see `models.deformations.PreconditionedDisplacement`.
        symmetric: Whether every mesh is symmetric about the plane x = 0, as most of ShapeNet's
            objects are.
        image_size: Height and width of the input pictures in pixels.
        color: How vertices get colours: None (they have none), `"direct"` (three numbers a vertex)
            or `"palette"` (each vertex mixes `palette_size` colours sampled from the picture).
        palette_size: Colours of the palette.

    Raises:
        ValueError: A value is out of range; the message names it.
    """

    convolution_filters: tuple[int, ...] = (64, 128, 256)
    encoder_units: tuple[int, ...] = (1024, 1024, 512)
    decoder_units: tuple[int, ...] = (1024, 2048)
    template_level: int = 3
    template_radius: float = 0.25
    deformation: str = "displacement"
    image_size: int = 64
    color: str | None = dataclasses.field(default=None, metadata={"added": True})
    palette_size: int = dataclasses.field(default=8, metadata={"added": True})
    smoothness: float = dataclasses.field(default=4.0, metadata={"added": True})
    symmetric: bool = dataclasses.field(default=False, metadata={"added": True})

    def __post_init__(self):
        for name in ("convolution_filters", "encoder_units", "decoder_units"):
            object.__setattr__(self, name, _positive_integers(name, getattr(self, name)))
        _check_integer("template_level", self.template_level, 0, MAX_TEMPLATE_LEVEL)
        _check_real("template_radius", self.template_radius, 0.0, 0.5)
        if self.deformation not in DEFORMATIONS:
            raise _invalid("deformation", f"one of {', '.join(DEFORMATIONS)}", self.deformation)
        _check_integer("image_size", self.image_size, 1)
        if self.color is not None and self.color not in COLORS:
            raise _invalid("color", f"None or one of {', '.join(COLORS)}", self.color)
        _check_integer("palette_size", self.palette_size, 1)
        _check_real("smoothness", self.smoothness, 0.0, lower_included=True)
        _check_boolean("symmetric", self.symmetric)
        if self.deformation == "preconditioned":
            _check_integer("template_level", self.template_level, 0, MAX_PRECONDITIONED_LEVEL)
        if self.symmetric and self.deformation == "bounded":
            raise _invalid("symmetric", "False for the deformation 'bounded'", self.symmetric)

    def to_dict(self):
        """Returns a dict of JSON types that `from_dict` takes back."""
        return _to_json(dataclasses.asdict(self))

    @classmethod
    def from_dict(cls, values):
        """Returns the configuration that `to_dict` wrote.

        Raises:
            ValueError: A key is unknown or missing, or a value out of range; named.
        """
        return cls(**_checked_fields(cls, values))

    def replace(self, **changes):
        """Returns a copy with some values changed, validated again."""
        return dataclasses.replace(self, **changes)


@dataclasses.dataclass(frozen=True)
class ReconstructionConfig:
    """Holds everything that a training run depends on, except its data.

    Attributes:
        preset: The name of the preset that this configuration came from.
        method: What is trained. `"softras"` trains a `MeshReconstructor` through the soft
            rasteriser. The others are the baselines of Table 1, on the same data by the same steps.
            `"n3mr"` trains the same network through the hard rasteriser with N3MR's approximate
            gradient, and ignores sigma. `"voxel"` trains the same encoder with a decoder of
            voxels by their projections, and ignores the weights of eq. 6. `"retrieval"` answers
            with the training object whose picture is nearest, and takes no step.
        model: The network.
        sigma: Sharpness of the silhouettes (eq. 1), in squared image-plane units.
        learning_rate: Adam's learning rate.
        beta_1: Adam's decay of the first moment.
        beta_2: Adam's decay of the second moment.
        epsilon: Adam's epsilon: that of the authors' framework, a tenth of Keras's.
        laplacian_weight: lambda of eq. 6.
        flattening_weight: mu of eq. 6.
        color_weight: The weight of the colours' squared error, where the model has colours.
        batch_size: Objects in a batch.
        steps: Optimizer steps of the whole run. Schedules that are shares of it stretch with it.
        decay_steps: Steps after which sigma and the learning rate are multiplied by
            `decay_factor`, or None for never.
        decay_factor: See `decay_steps`.
        seed: Seed of the initial weights and of the order of the data.
        mirror: Whether half of the objects in training, drawn anew each time, are mirrored:
            pictures left to right, cameras from one side of the object's plane x = 0 to the other.
            Objects of ShapeNet stand with their left and right along x.
        color_jitter: Colours in training are multiplied by a gain for each channel of each object,
            uniform in [1 - color_jitter, 1 + color_jitter]; 0 for never.
        gray_share: The share of pictures in training that lose their colours.
        picture_noise: Standard deviation of the uniform noise on pictures in training, whose values
            are in [0, 1].
        framed_share: The share of pictures in training that are framed as photographs are, by
            `pictures.frame_object`. A network that never saw such pictures takes a small object
            that fills its picture for a large one.
        pictures_per_object: Pictures of each object in a batch. Each becomes a mesh.
        views_per_mesh: Views that each mesh is compared in; 2 is the paper. The views of an object
            are drawn anew each time, without repetition, and are the same for all of its meshes.
        compare_input: Whether the pictures that the meshes are made of are among those views.
        sigma_start: If given, sigma falls from this to `sigma` by equal factors.
        sigma_anneal: The share of the steps that this takes.
        warmup_steps: Steps in which the learning rate rises from 0 along a line.
        final_learning_rate: If given, the learning rate falls along half a cosine, from the end of
            the warm-up to this at the last step.
        weight_averaging: If positive, an exponential moving average of the weights is evaluated
            and saved, with this decay a step, such as 0.999. Training itself is unchanged.

    Raises:
        ValueError: A value is out of range; the message names it.
    """

    preset: str = "paper"
    method: str = dataclasses.field(default="softras", metadata={"added": True})
    model: ModelConfig = ModelConfig()
    sigma: float = 3e-5
    learning_rate: float = 1e-4
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    laplacian_weight: float = 0.01
    flattening_weight: float = 0.001
    color_weight: float = dataclasses.field(default=1.0, metadata={"added": True})
    batch_size: int = 64
    steps: int = 250_000
    decay_steps: int | None = None
    decay_factor: float = 0.3
    seed: int = 0
    mirror: bool = dataclasses.field(default=False, metadata={"added": True})
    color_jitter: float = dataclasses.field(default=0.0, metadata={"added": True})
    gray_share: float = dataclasses.field(default=0.0, metadata={"added": True})
    picture_noise: float = dataclasses.field(default=0.0, metadata={"added": True})
    framed_share: float = dataclasses.field(default=0.0, metadata={"added": True})
    pictures_per_object: int = dataclasses.field(default=2, metadata={"added": True})
    views_per_mesh: int = dataclasses.field(default=2, metadata={"added": True})
    compare_input: bool = dataclasses.field(default=True, metadata={"added": True})
    sigma_start: float | None = dataclasses.field(default=None, metadata={"added": True})
    sigma_anneal: float = dataclasses.field(default=0.6, metadata={"added": True})
    warmup_steps: int = dataclasses.field(default=0, metadata={"added": True})
    final_learning_rate: float | None = dataclasses.field(default=None, metadata={"added": True})
    weight_averaging: float = dataclasses.field(default=0.0, metadata={"added": True})

    def __post_init__(self):
        if not isinstance(self.preset, str) or not self.preset:
            raise _invalid("preset", "a name", self.preset)
        if self.method not in METHODS:
            raise _invalid("method", f"one of {', '.join(METHODS)}", self.method)
        if not isinstance(self.model, ModelConfig):
            raise _invalid("model", "a ModelConfig", self.model)
        if self.model.color is not None and self.method != "softras":
            raise _invalid("method", "softras, the one that learns colours", self.method)
        _check_real("sigma", self.sigma, 0.0)
        _check_real("learning_rate", self.learning_rate, 0.0)
        _check_real("beta_1", self.beta_1, 0.0, 1.0, lower_included=True)
        _check_real("beta_2", self.beta_2, 0.0, 1.0, lower_included=True)
        _check_real("epsilon", self.epsilon, 0.0)
        _check_real("laplacian_weight", self.laplacian_weight, 0.0, lower_included=True)
        _check_real("flattening_weight", self.flattening_weight, 0.0, lower_included=True)
        _check_real("color_weight", self.color_weight, 0.0, lower_included=True)
        _check_integer("batch_size", self.batch_size, 1)
        _check_integer("steps", self.steps, 1)
        if self.decay_steps is not None:
            _check_integer("decay_steps", self.decay_steps, 1)
        _check_real("decay_factor", self.decay_factor, 0.0)
        _check_integer("seed", self.seed, 0, 2**32 - 1)
        _check_boolean("mirror", self.mirror)
        _check_real("color_jitter", self.color_jitter, 0.0, 1.0, lower_included=True)
        for name in ("gray_share", "framed_share"):
            value = getattr(self, name)
            _check_real(name, value, 0.0, 1.0, lower_included=True, upper_included=True)
        _check_real("picture_noise", self.picture_noise, 0.0, lower_included=True)
        _check_integer("pictures_per_object", self.pictures_per_object, 1)
        _check_integer("views_per_mesh", self.views_per_mesh, 1)
        _check_boolean("compare_input", self.compare_input)
        if self.compare_input and self.views_per_mesh < self.pictures_per_object:
            raise _invalid(
                "views_per_mesh",
                f"at least the {self.pictures_per_object} pictures of an object, which are "
                "compared",
                self.views_per_mesh,
            )
        self._check_schedules()

    def _check_schedules(self):
        if self.sigma_start is not None:
            _check_real("sigma_start", self.sigma_start, 0.0)
        _check_real("sigma_anneal", self.sigma_anneal, 0.0, 1.0, upper_included=True)
        _check_integer("warmup_steps", self.warmup_steps, 0)
        if self.final_learning_rate is not None:
            _check_real("final_learning_rate", self.final_learning_rate, 0.0, lower_included=True)
        _check_real("weight_averaging", self.weight_averaging, 0.0, 1.0, lower_included=True)
        if self.decay_steps is None:
            return
        for name in ("sigma_start", "final_learning_rate"):
            if getattr(self, name) is not None:
                raise _invalid(name, "None where decay_steps is given", getattr(self, name))

    def to_dict(self):
        """Returns a dict of JSON types that `from_dict` takes back."""
        return _to_json(dataclasses.asdict(self))

    @classmethod
    def from_dict(cls, values):
        """Returns the configuration that `to_dict` wrote.

        Raises:
            ValueError: A key is unknown or missing, or a value out of range; named.
        """
        fields = _checked_fields(cls, values)
        return cls(**{**fields, "model": ModelConfig.from_dict(fields["model"])})

    def replace(self, **changes):
        """Returns a copy with some values changed, validated again."""
        return dataclasses.replace(self, **changes)


_SMALL_NETWORK = ModelConfig(
    convolution_filters=(16, 32, 64),
    encoder_units=(256, 256, 128),
    decoder_units=(256, 512),
)

# Each mesh is compared in many views, which this rasteriser makes cheap. docs/results.md says what
# each of the other changes is worth.
_MANY_VIEWS = ReconstructionConfig(
    preset="many-views",
    model=_SMALL_NETWORK.replace(deformation="preconditioned", smoothness=4.0, symmetric=True),
    pictures_per_object=1,
    views_per_mesh=8,
    batch_size=32,
    steps=4000,
    sigma_start=1e-3,
    sigma_anneal=0.6,
    learning_rate=4e-4,
    warmup_steps=50,
    final_learning_rate=8e-6,
    # The preconditioner keeps surfaces smooth, so a tenth of the paper's weights is enough.
    laplacian_weight=1e-3,
    flattening_weight=1e-4,
    color_jitter=0.2,
)

PRESETS = {
    "paper": ReconstructionConfig(),
    "released": ReconstructionConfig(
        preset="released",
        model=ModelConfig(deformation="bounded"),
        sigma=1e-4,
        laplacian_weight=0.005,
        flattening_weight=0.0005,
        decay_steps=150_000,
    ),
    "small": ReconstructionConfig(
        preset="small",
        model=_SMALL_NETWORK,
        # On the embedded sample's 23 training objects, 2 cores: 0.1 s a step. After 800 steps the
        # 3D IoU on them is 0.54 (the template's is 0.16); at a learning rate of 1e-3 it is 0.32.
        learning_rate=3e-4,
        batch_size=16,
        steps=1600,
    ),
    "many-views": _MANY_VIEWS,
    # As many silhouettes a step teach more if they come from more pictures: docs/results.md.
    "many-pictures": _MANY_VIEWS.replace(
        preset="many-pictures",
        views_per_mesh=2,
        compare_input=False,
        batch_size=128,
        learning_rate=8e-4,
        final_learning_rate=1.6e-5,
        color_jitter=0.4,
        gray_share=0.3,
        picture_noise=0.02,
    ),
}


def preset(name):
    """Returns the `ReconstructionConfig` called `name`.

    Raises:
        ValueError: There is no such preset; the message lists those there are.
    """
    if not isinstance(name, str) or name not in PRESETS:
        raise _invalid("preset", f"one of {', '.join(PRESETS)}", name)
    return PRESETS[name]
