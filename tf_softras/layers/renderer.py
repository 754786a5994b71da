"""Pictures of meshes in one call: camera, light, texture and rasteriser as one Keras layer."""

import keras
import numpy as np

from tf_softras._shared.array_text import array_to_text
from tf_softras._shared.faces import standardize_faces
from tf_softras.geometry._image_size import standardize_image_size
from tf_softras.geometry._shapes import known_shape
from tf_softras.geometry._vectors import normalize
from tf_softras.geometry.colors import check_not_integers, linear_from_srgb
from tf_softras.layers._call_inputs import boolean, positive
from tf_softras.layers._geometry_layer import (
    GeometryLayer,
    geometry_dtype,
    repeat_to_batch,
    shared_batch,
)
from tf_softras.layers._renderer.checks import (
    check_colors,
    check_textures,
    checked_background,
    checked_face_textures,
    checked_face_uvs,
    checked_range,
    checked_supersampling,
)
from tf_softras.layers._renderer.facing import (
    hide_back_faces,
    normals_of_either_side,
    side_shares,
    turns_front,
)
from tf_softras.layers._renderer.passes import Passes, gamma_for
from tf_softras.layers._renderer.picture import image_over, resolved
from tf_softras.layers._renderer.scene import (
    clipped_scene,
    corner_values,
    footprints,
    grey_colors,
    seen_scene,
)
from tf_softras.layers._renderer.texels import texels_of_samples
from tf_softras.layers.cameras.look_at import LookAt
from tf_softras.layers.cameras.perspective import Perspective
from tf_softras.layers.lambert_lighting import LambertLighting, lights_shapes
from tf_softras.layers.soft_rasterize import supports_jit
from tf_softras.ops._soft_rasterize import validate_implementation
from tf_softras.ops._soft_shade import validate_aggregation
from tf_softras.shading.lighting import DirectionalLight
from tf_softras.shading.texture import validate_wrap

# An edge blurred over 0.3 of a pixel looks as it does with anti-aliasing; a pixel is 2 / side.
_EDGE_IN_PIXELS = 0.3


@keras.saving.register_keras_serializable(package="Softras")
class Renderer(GeometryLayer):
    """Draws meshes: pictures, depth, normals and alpha, differentiable in everything drawn.

    Colours, textures, the background and the picture are sRGB, as in files. In between they are
    linear, so that light, blending and edges add up as light does. Depth, normals and alpha are
    plain numbers.

    Each sample shows a surface. Its colour, position, normal and depth are those of `soft_shade`:
    means over the faces that it blends. Texture coordinates have no mean across a seam, so they are
    those of one face. The sample is lit and then laid over the background with its coverage. Faces
    are cut at the near plane, and nothing is cut off far away.

    With `aggregation="soft"` every input has a gradient. Alpha is the soft silhouette of eq. 2, for
    losses. Coverage is ``min(1, sum_j D_j)``, so the background does not shine through the edges
    between faces. (The front and the back of a closed mesh are added up apart; the larger sum
    counts.) With `aggregation="hard"` alpha and coverage are the share of samples that hit the
    mesh. Colours, light and the inside of faces then have gradients; the mesh's outline has none.

    With two-sided light, or none, the winding of faces does not matter: it may be random, and a
    face may be there twice, once in each direction.

    Every input may have a batch of 1 beside a batch of n: one mesh before many cameras, many meshes
    in one colour.

    `near` and `gamma` have other defaults than in `SoftShade`. `near` is 0 there, because that
    layer leaves out faces that reach behind the camera; this one cuts them, and a cut needs a depth
    above 0. `gamma` is 1e-4 there, ten times as soft, so that hidden surfaces learn.

    The default `gamma` grows with `sigma`. Around a sample within reach of soft edges, the faces
    beside it on a tilted surface come nearer to the camera than its own. With a sharp gamma they
    would win, and each face of a plain surface would show its neighbour's edge.

    Args:
        faces: int `[num_faces, 3]`; or None, and faces are an input that may differ by item.
        image_size: int, or (height, width) in pixels.
        camera: `LookAt` or `WorldToCamera`; by default `LookAt()`, with the input "eyes".
        lens: `Perspective`, `Pinhole` or `Orthographic`; by default `Perspective()`.
        lighting: a `LambertLighting`, or None for colours without light; by default two-sided
            light, part ambient and part from above.
        face_uvs: None, or floats `[num_faces, 3, 2]`: texture coordinates of the faces' corners, v
            up. They need `faces`, and make "textures" an input.
        face_textures: None, or ints `[num_faces]`: the index of each face's texture, -1 for none.
            They need `face_uvs`, and "textures" then hold several.
        wrap: "repeat" or "clamp": the texture beyond [0, 1].
        mipmaps: whether a pixel that covers many texels shows their mean, in linear light
            (trilinear; see `tf_softras.shading.sample_texture`). It needs `face_uvs`, and textures
            of known height and width.
        background: three floats in [0, 1], sRGB; or None for straight colours that are not laid
            over anything.
        sigma: positive float, squared image-plane units: how soft edges are. The default blurs them
            over 0.3 pixels, as anti-aliasing does. Learning reaches farther with a larger one.
        gamma: positive float, a share of `far - near`: how soft the choice of the nearest face is.
            By default 1e-5 with the default sigma, in proportion more with a larger one, at most
            3e-4.
        near: positive float, world units of depth: faces are cut there.
        far: float above near, world units of depth: the unit of gamma. Points beyond it are drawn,
            too.
        aggregation: "soft", or "hard" for the nearest face alone.
        supersampling: int, samples along each side of a pixel. They are averaged in linear light,
            except depth and normals: a pixel has those of its sample nearest to the centre that
            hits.
        implementation: "op" or "reference".
        cull_back_faces: whether to leave out faces that turn their back to the camera: those whose
            corners run clockwise in the picture.

    Call arguments:
        inputs: vertices, float `[batch, num_vertices, 3]` in world space, or a dict of them and

            - the inputs of camera and lens: "eyes", and perhaps "at" and "up" `[batch, 3]`;
              "rotations", "translations"; "intrinsics";
            - "faces", int `[batch, num_faces, 3]`, padded with faces of -1, if not fixed;
            - "colors", sRGB, float `[batch, num_vertices, 3]` or, one for each corner of each face,
              `[batch, num_faces, 3, 3]`. Without them a mesh is grey, or shows its textures. They
              multiply textures, in linear light;
            - with `face_uvs`, "textures", sRGB, float `[batch, height, width, 3]`; with
              `face_textures` `[batch, num_textures, height, width, 3]`.

            `renderer_inputs` makes all of them of a `Mesh` with materials.
        lights: None, or a dict of lights that replace those of `lighting`; see `LambertLighting`.

    Returns:
        dict of "image" `[batch, height, width, 3]` in [0, 1], sRGB; "alpha" and "coverage"
        `[batch, height, width]` in [0, 1]; "depth" `[batch, height, width]`, world units along the
        viewing direction; and "normals" `[batch, height, width, 3]`, unit, world space. Depth and
        normals are 0 where no face is. Row 0 is the top. Depth is at least float32; the others have
        the policy's type.

    Raises:
        ValueError: an argument is not as above; an input is missing, unknown or of a wrong shape;
            colours or textures are integers; an eye is where it looks at.
        tf.errors.InvalidArgumentError: vertices or a camera are not finite; with
            `implementation="reference"` the pictures are NaN instead.

    Example:
    >>> sphere = geometry.icosphere(2)
    >>> renderer = layers.Renderer(sphere.faces, image_size=32)
    >>> eyes = geometry.eye_from_angles(2.732, 30.0, [0.0, 120.0, 240.0])
    >>> seen = renderer({"vertices": 0.5 * sphere.vertices[None], "eyes": eyes})  # 3 cameras
    >>> tuple(seen["image"].shape), round(float(seen["depth"][0, 16, 16]), 1)
    ((3, 32, 32, 3), 2.2)
    """

    def __init__(
        self,
        faces,
        image_size,
        *,
        camera=None,
        lens=None,
        lighting="default",
        face_uvs=None,
        face_textures=None,
        wrap="repeat",
        mipmaps=False,
        background=(1.0, 1.0, 1.0),
        sigma=None,
        gamma=None,
        near=0.1,
        far=100.0,
        aggregation="soft",
        supersampling=1,
        implementation="op",
        cull_back_faces=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        # Half precision would show as bands; the picture is cast at the end.
        dtype = geometry_dtype(self)
        self.faces = (
            None if faces is None else standardize_faces(faces, is_padded=True, is_batched=True)
        )
        self.image_size = standardize_image_size(image_size)
        self.camera = LookAt(dtype=dtype) if camera is None else camera
        self.lens = Perspective(dtype=dtype) if lens is None else lens
        if isinstance(lighting, str):
            if lighting != "default":
                raise ValueError(
                    "lighting: expected a LambertLighting, None or 'default'; "
                    f"received {lighting!r}"
                )
            sun = DirectionalLight((0.4, 1.0, 0.6), 0.65)
            lighting = LambertLighting(ambient=0.35, directional=[sun], two_sided=True, dtype=dtype)
        self.lighting = lighting
        self.face_uvs = (
            None
            if face_uvs is None
            else checked_face_uvs(face_uvs, None if self.faces is None else self.faces.shape[-2])
        )
        self.face_textures = (
            None if face_textures is None else checked_face_textures(face_textures, self.face_uvs)
        )
        validate_wrap(wrap)
        self.wrap = wrap
        self.mipmaps = boolean("mipmaps", mipmaps)
        if self.mipmaps and self.face_uvs is None:
            raise ValueError(
                "mipmaps: expected face_uvs, too, without which there is no texture; "
                "received mipmaps=True and face_uvs=None"
            )
        self.background = checked_background(background)
        self.supersampling = checked_supersampling(supersampling)
        edge = _EDGE_IN_PIXELS * 2.0 / (min(self.image_size) * self.supersampling)
        self.sigma = positive("sigma", edge**2 if sigma is None else sigma)
        self.gamma = positive("gamma", gamma_for(self.sigma, edge**2) if gamma is None else gamma)
        self.near, self.far = checked_range(near, far)
        validate_aggregation(aggregation)
        validate_implementation(implementation)
        self.aggregation, self.implementation = aggregation, implementation
        self.cull_back_faces = boolean("cull_back_faces", cull_back_faces)
        self.supports_jit = supports_jit(implementation)

    def call(self, inputs, lights=None):
        """Draws a batch of meshes; see the class."""
        given = self.split(inputs, lights)
        scene = self._scene(given)
        passes = self._passes()
        surface = passes.surface(scene)
        shown = dict(surface.attributes)
        if self._is_two_sided and self.aggregation == "soft":
            shown["normals"] = normals_of_either_side(shown["normals"], shown["to_eye"])
        if self.face_uvs is not None:
            texels = texels_of_samples(
                passes, scene, linear_from_srgb(given["textures"]), self.wrap
            )
            shown["colors"] = shown["colors"] * texels if "colors" in shown else texels
        colors = self._lit(shown, given, lights)
        pixels = resolved(
            {
                "colors": colors * surface.coverage,
                "alpha": surface.alpha,
                "coverage": surface.coverage,
            },
            {"depth": shown["depth"], "normals": normalize(shown["normals"])},
            surface.hit,
            self.supersampling,
        )
        return self._outputs(pixels)

    @property
    def input_names(self):
        """The names of the inputs that have to be there."""
        names = ["vertices", *self.camera.input_names, *self.lens.input_names]
        names += ["faces"] * (self.faces is None) + ["textures"] * (self.face_uvs is not None)
        return tuple(dict.fromkeys(names))

    @property
    def optional_names(self):
        """The names of the inputs that may be there."""
        return (*self.camera.optional_names, "colors")

    @property
    def input_shapes(self):
        """The shapes of the inputs, but for colours and textures."""
        return {
            **self.lens.input_shapes,
            **self.camera.input_shapes,
            "vertices": ("batch", "num_vertices", 3),
            "faces": ("batch", "num_faces", 3),
        }

    def _named(self, inputs):
        given = super()._named(inputs)
        for name in {"colors", "textures"} & set(given):
            check_not_integers(name, given[name])
        return given

    def compute_output_spec(self, inputs, lights=None):
        """Returns the symbolic pictures."""
        shapes = {name: tuple(value.shape) for name, value in self._named(inputs).items()}
        shapes = self._shape(shapes, **lights_shapes(lights))
        dtypes = dict.fromkeys(shapes, self.compute_dtype) | {"depth": geometry_dtype(self)}
        return {name: keras.KerasTensor(shapes[name], dtypes[name]) for name in shapes}

    def _output_shape(self, shapes, batch):
        plane = (batch, *self.image_size)
        color = (*plane, 3)
        return _Pictures(image=color, alpha=plane, coverage=plane, depth=plane, normals=color)

    def fixed_shapes(self):
        """Returns the shapes of what the layer and its parts have one an item of."""
        parts = [part for part in (self.camera, self.lens, self.lighting) if part is not None]
        shapes = {}
        for part in parts:
            own = part.fixed_shapes()
            shapes.update({f"{part.name}, {name}": shape for name, shape in own.items()})
        if self.faces is not None and self.faces.ndim == 3:
            shapes["faces"] = self.faces.shape
        return shapes

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {
            **super().get_config(),
            "faces": None if self.faces is None else array_to_text(self.faces),
            "image_size": list(self.image_size),
            "camera": keras.saving.serialize_keras_object(self.camera),
            "lens": keras.saving.serialize_keras_object(self.lens),
            "lighting": keras.saving.serialize_keras_object(self.lighting),
            "face_uvs": None if self.face_uvs is None else array_to_text(self.face_uvs),
            "face_textures": (
                None if self.face_textures is None else array_to_text(self.face_textures)
            ),
            "wrap": self.wrap,
            "mipmaps": self.mipmaps,
            "background": self.background,
            "sigma": self.sigma,
            "gamma": self.gamma,
            "near": self.near,
            "far": self.far,
            "aggregation": self.aggregation,
            "supersampling": self.supersampling,
            "implementation": self.implementation,
            "cull_back_faces": self.cull_back_faces,
        }

    @classmethod
    def from_config(cls, config):
        """Returns the layer of a configuration."""
        parts = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in ("camera", "lens", "lighting")
        }
        return cls(**{**config, **parts})

    def split(self, inputs, lights=None):
        """Returns the inputs by name; vertices, colours and faces have the whole batch."""
        if lights is not None and self.lighting is None:
            raise ValueError("lights: expected None, as lighting is None; received lights")
        given = self._named(inputs)
        dtypes = {name: "int32" if name == "faces" else geometry_dtype(self) for name in given}
        given = {name: keras.ops.cast(value, dtypes[name]) for name, value in given.items()}
        self.check_shapes({name: known_shape(value) for name, value in given.items()})
        if "colors" in given:
            faces = given["faces"] if self.faces is None else self.faces
            check_colors(given["colors"], given["vertices"].shape[1], faces.shape[-2])
        if "textures" in given:
            check_textures(given["textures"], self.face_textures)
        batch = shared_batch(
            [
                *given.values(),
                *(value for value in keras.tree.flatten(lights) if len(np.shape(value)) == 2),
                *(np.zeros(shape[:1]) for shape in self.fixed_shapes().values()),
            ]
        )
        for name in {"vertices", "colors", "faces"} & set(given):
            given[name] = repeat_to_batch(given[name], *batch)
        return given

    def _scene(self, given):
        """Returns the mesh on the image plane, cut at the near plane, with its attributes."""
        vertices = given["vertices"]
        faces = given["faces"] if self.faces is None else self.faces
        seen = _called(self.camera, vertices, given)
        colors = given.get("colors")
        if colors is None and self.face_uvs is None:
            colors = grey_colors(vertices)
        linear = None if colors is None else linear_from_srgb(colors)
        scene = seen_scene(vertices, faces, seen, linear)
        if self.cull_back_faces:
            is_front = turns_front(scene.vertices, self._interpolation)
            scene = scene._replace(vertices=hide_back_faces(scene.vertices, is_front))
        attributes = scene.attributes
        if self.aggregation == "soft":
            is_front = turns_front(scene.vertices, self._interpolation)
            attributes["sides"] = side_shares(faces, is_front, vertices.dtype)
            if self._is_two_sided:
                normals = attributes["normals"]
                attributes["to_eye"] = keras.ops.where(is_front, normals, -normals)
        if self.face_uvs is not None:
            attributes["uv"] = corner_values(scene, self.face_uvs)
        if self.face_textures is not None:
            index = np.repeat(self.face_textures[:, None, None], 3, axis=1)
            attributes["texture"] = corner_values(scene, index)
        scene = clipped_scene(scene, self.near)
        scene = scene._replace(vertices=_called(self.lens, scene.vertices, given))
        if self.mipmaps:
            scene.attributes["footprint"] = footprints(scene, self._interpolation)
        return scene

    def _passes(self):
        return Passes(
            image_size=tuple(side * self.supersampling for side in self.image_size),
            sigma=self.sigma,
            gamma=self.gamma,
            near=self.near,
            far=self.far,
            aggregation=self.aggregation,
            interpolation=self._interpolation,
            implementation=self.implementation,
        )

    @property
    def _interpolation(self):
        """The quantity that is linear over a face on the image plane: "perspective" is 1/z."""
        return getattr(self.lens, "interpolation", "perspective")

    @property
    def _is_two_sided(self):
        """True if both sides of a face look the same."""
        return self.lighting is None or getattr(self.lighting, "two_sided", False)

    def _lit(self, shown, given, lights):
        """Returns the linear colours of samples under the lights."""
        colors = shown["colors"]
        if self.lighting is None:
            return colors
        inputs = dict(shown)
        if "eyes" in self.lighting.input_names:
            inputs["eyes"] = self.camera.eyes(
                *(given[name] for name in self.camera.input_names[1:])
            )
        names = (*self.lighting.input_names, "positions")
        lit = self.lighting({name: inputs[name] for name in names}, lights=lights)
        return keras.ops.cast(lit, colors.dtype)

    def _outputs(self, pixels):
        """Returns the layer's output from what each pixel shows."""
        coverage = pixels["coverage"]
        image = image_over(self.background, pixels["colors"], coverage)
        dtype = self.compute_dtype
        return {
            "image": keras.ops.cast(image, dtype),
            "alpha": keras.ops.cast(pixels["alpha"][..., 0], dtype),
            "coverage": keras.ops.cast(coverage[..., 0], dtype),
            "depth": pixels["depth"][..., 0],
            "normals": keras.ops.cast(pixels["normals"], dtype),
        }


class _Pictures(dict):
    """The shapes of the layer's outputs by name."""

    def __missing__(self, name):
        # keras.layers.TimeDistributed asks for the first size of the only output.
        raise ValueError(
            "Renderer: expected a call without a wrapper such as TimeDistributed, because it has "
            "five outputs by name; received a wrapper that takes one output. Wrap a model of one: "
            'keras.Model(vertices, renderer(vertices)["image"])'
        )


def _called(layer, vertices, given):
    """Applies a camera or a lens to vertices and its other inputs."""
    given = {**given, "vertices": vertices}
    names = (*layer.input_names, *layer.optional_names)
    return layer({name: given[name] for name in names if name in given})
