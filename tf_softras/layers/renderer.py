"""Pictures of meshes in one call: camera, light, texture and rasteriser as one Keras layer."""

import keras
import numpy as np

from tf_softras._shared.array_text import array_from_text, array_to_text
from tf_softras._shared.faces import standardize_faces
from tf_softras.geometry._image_size import standardize_image_size
from tf_softras.geometry._vectors import normalize
from tf_softras.geometry.colors import DEFAULT_COLOR, linear_from_srgb, srgb_from_linear
from tf_softras.geometry.corner_mesh import clip_to_near, face_corners
from tf_softras.geometry.normals import vertex_normals
from tf_softras.layers._call_inputs import boolean, numbers, positive
from tf_softras.layers._geometry_layer import (
    GeometryLayer,
    geometry_dtype,
    repeat_to_batch,
    shared_batch,
)
from tf_softras.layers.cameras.look_at import LookAt
from tf_softras.layers.cameras.perspective import Perspective
from tf_softras.layers.lambert_lighting import LambertLighting, lights_shapes
from tf_softras.layers.soft_rasterize import supports_jit
from tf_softras.ops._soft_shade import soft_shade
from tf_softras.shading.lighting import DirectionalLight
from tf_softras.shading.mipmaps import footprint_attributes, uv_derivatives
from tf_softras.shading.texture import sample_texture

# An edge blurred over 0.3 of a pixel looks as it does with anti-aliasing; a pixel is 2 / side.
_EDGE_IN_PIXELS = 0.3


@keras.saving.register_keras_serializable(package="Softras")
class Renderer(GeometryLayer):
    """Pictures of meshes, with depth, normals and alpha, differentiable in all that is drawn.

    Colours, textures and the background are sRGB-encoded, as in files, and so is the picture. In
    between, and nowhere else in the package, they are made linear: light, blending and edges add up
    as light does. Depth, normals and alpha are numbers, never encoded.

    The surface's colour, position, normal and depth at each pixel are those of `soft_shade`,
    averaged over the faces that it blends; then the pixel is lit, and laid over the background
    with alpha. Faces are cut at the near plane.

    With `aggregation="soft"` alpha is the soft silhouette: everything learns, and edges between
    faces shine through faintly where nothing is behind them. With `aggregation="hard"` alpha is the
    share of samples that hit the mesh, for pictures as clean as `supersampling` makes them; then
    colours, light and the inside of faces learn, but not where the mesh ends.

    A batch of 1 beside a batch of n broadcasts, for every input: one mesh before many cameras, many
    meshes in one colour.

    `near` and `gamma` have other defaults in `SoftShade`: near 0, because it leaves faces out that
    reach behind the camera, where this layer cuts them, and a cut needs a depth above 0; and gamma
    1e-4, ten times as soft, which lets a hidden surface learn.

    Args:
        faces: int `[num_faces, 3]`; or None, for meshes whose faces differ: then they are an input.
        image_size: int, or (height, width) in pixels.
        camera: `LookAt` or `WorldToCamera`; by default `LookAt()`, with the input "eyes".
        lens: `Perspective`, `Pinhole` or `Orthographic`; by default `Perspective()`.
        lighting: a `LambertLighting`, or None for colours as they are; by default two-sided light,
            part ambient and part from above.
        face_uvs: None, or floats `[num_faces, 3, 2]`: texture coordinates of the faces' corners, v
            up; then a texture is an input instead of colours. Needs `faces`.
        wrap: "repeat" or "clamp": the texture beyond [0, 1].
        mipmaps: whether textures are averaged, in linear light, where a pixel covers many texels
            (trilinear; see `tf_softras.shading.sample_texture`). Needs `face_uvs`, and textures of
            known height and width.
        background: three floats in [0, 1], sRGB; or None for straight colours, which alpha is to be
            applied to.
        sigma: positive float, squared image-plane units: how soft edges are; by default as
            anti-aliasing makes them (0.3 pixels). For learning a larger one reaches farther.
        gamma: positive float, a share of `far - near`: how soft the front is in depth.
        near: positive float: faces are cut there, world units of depth.
        far: float, scales gamma; what lies beyond it fades.
        aggregation: "soft", or "hard" for the nearest face alone.
        supersampling: int: samples along each side of a pixel, averaged in linear light.
        implementation: "op" or "reference".

    Call arguments:
        inputs: vertices, float `[batch, num_vertices, 3]` in world space, or a dict of them and

            - what camera and lens are called with: "eyes", and perhaps "at" and "up" `[batch, 3]`;
              "rotations", "translations"; "intrinsics";
            - "faces", int `[batch, num_faces, 3]`, padded with faces of -1, if not fixed;
            - "colors", float `[batch, num_vertices, 3]`, sRGB; grey if they are missing;
            - with `face_uvs`, "textures", float `[batch, height, width, 3]`, sRGB.
        lights: None, or lights that replace those of `lighting`: a dict as `LambertLighting` takes
            it.

    Returns:
        dict: "image" `[batch, height, width, 3]` in [0, 1], sRGB; "alpha" `[batch, height, width]`
        in [0, 1]; "depth" `[batch, height, width]`, world units along the viewing direction, 0
        where no face is; "normals" `[batch, height, width, 3]`, unit and in world space, 0 where no
        face is. Row 0 is the top. Depth is of at least float32, the others of the policy's type.

    Raises:
        ValueError: an argument is not as above; an input is missing or has no meaning.
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
        wrap="repeat",
        mipmaps=False,
        background=(1.0, 1.0, 1.0),
        sigma=None,
        gamma=1e-5,
        near=0.1,
        far=100.0,
        aggregation="soft",
        supersampling=1,
        implementation="op",
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
                    "Invalid lighting. Expected a LambertLighting, None or 'default'. "
                    f"Received: lighting={lighting!r}"
                )
            sun = DirectionalLight((0.4, 1.0, 0.6), 0.65)
            lighting = LambertLighting(ambient=0.35, directional=[sun], two_sided=True, dtype=dtype)
        self.lighting = lighting
        self.face_uvs = None if face_uvs is None else self._checked_uvs(face_uvs)
        self.wrap = wrap
        self.mipmaps = boolean("mipmaps", mipmaps)
        if self.mipmaps and self.face_uvs is None:
            raise ValueError(
                "Invalid mipmaps. Expected face_uvs, too, without which there is no texture. "
                "Received: mipmaps=True and face_uvs=None"
            )
        self.background = None if background is None else numbers("background", background, (3,))
        self.supersampling = _checked_supersampling(supersampling)
        edge = _EDGE_IN_PIXELS * 2.0 / (min(self.image_size) * self.supersampling)
        self.sigma = positive("sigma", edge**2 if sigma is None else sigma)
        self.gamma = positive("gamma", gamma)
        self.near, self.far = float(near), float(far)
        self.aggregation, self.implementation = aggregation, implementation
        self.supports_jit = supports_jit(implementation)

    def call(self, inputs, lights=None):
        """Draws a batch of meshes; see the class."""
        given = self.split(inputs, lights)
        surface, alpha = self._rasterized(given)
        hit = keras.ops.cast(surface["share"] > 0.0, alpha.dtype)
        # What `soft_shade` leaves for the background is no part of the surface's mean.
        share = keras.ops.where(hit > 0.0, surface["share"], 1.0)
        surface = {name: value / share for name, value in surface.items()}
        alpha = hit if self.aggregation == "hard" else alpha[..., None]
        pixels = {
            "colors": self._lit(self._colors(surface, given), surface, given, lights) * alpha,
            "alpha": alpha,
            "depth": surface["depth"] * hit,
            "hit": hit,
            "normals": surface["normals"] * hit,
        }
        return self._images({name: self._averaged(value) for name, value in pixels.items()})

    @property
    def input_names(self):
        """The names of the inputs that have to be there."""
        names = ["vertices", *self.camera.input_names, *self.lens.input_names]
        names += ["faces"] * (self.faces is None) + ["textures"] * (self.face_uvs is not None)
        return tuple(dict.fromkeys(names))

    @property
    def optional_names(self):
        """The names of the inputs that may be there."""
        colors = ("colors",) if self.face_uvs is None else ()
        return (*self.camera.optional_names, *colors)

    def compute_output_spec(self, inputs, lights=None):
        """Returns the symbolic pictures."""
        shapes = {name: tuple(value.shape) for name, value in self._named(inputs).items()}
        shapes = self._shape(shapes, **lights_shapes(lights))
        dtypes = dict.fromkeys(shapes, self.compute_dtype) | {"depth": geometry_dtype(self)}
        return {name: keras.KerasTensor(shapes[name], dtypes[name]) for name in shapes}

    def _output_shape(self, shapes, batch):
        plane = (batch, *self.image_size)
        return _Pictures(image=(*plane, 3), alpha=plane, depth=plane, normals=(*plane, 3))

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
        """The arguments."""
        return {
            **super().get_config(),
            "faces": None if self.faces is None else array_to_text(self.faces),
            "image_size": list(self.image_size),
            "camera": keras.saving.serialize_keras_object(self.camera),
            "lens": keras.saving.serialize_keras_object(self.lens),
            "lighting": keras.saving.serialize_keras_object(self.lighting),
            "face_uvs": None if self.face_uvs is None else array_to_text(self.face_uvs),
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
        }

    @classmethod
    def from_config(cls, config):
        """The layer of a configuration."""
        parts = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in ("camera", "lens", "lighting")
        }
        return cls(**{**config, **parts})

    def _checked_uvs(self, face_uvs):
        is_text = isinstance(face_uvs, str)
        array = np.asarray(array_from_text(face_uvs) if is_text else face_uvs, np.float32)
        expected = None if self.faces is None else (len(self.faces), 3, 2)
        if array.shape != expected:
            raise ValueError(
                "Invalid face_uvs. Expected fixed faces and floats of shape (num_faces, 3, 2)"
                f"{'' if expected is None else f', here {expected}'}. Received: shape {array.shape}"
                f"{' and faces=None' if expected is None else ''}"
            )
        return array

    def split(self, inputs, lights=None):
        """Returns the inputs by name; vertices, colours and faces have the whole batch."""
        if lights is not None and self.lighting is None:
            raise ValueError("lights: expected None, as lighting is None; received lights")
        given = self._named(inputs)
        dtypes = {name: "int32" if name == "faces" else geometry_dtype(self) for name in given}
        given = {name: keras.ops.cast(value, dtypes[name]) for name, value in given.items()}
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

    def _rasterized(self, given):
        """What each pixel shows of the surface, times its share in the pixel; and alpha."""
        vertices = given["vertices"]
        faces = given["faces"] if self.faces is None else self.faces
        seen = _called(self.camera, vertices, given)
        attributes = {
            "positions": vertices,
            "normals": vertex_normals(vertices, faces),
            "share": keras.ops.ones_like(vertices[..., :1]),
            "depth": seen[..., 2:],
        }
        if self.face_uvs is None:
            colors = keras.ops.convert_to_tensor(DEFAULT_COLOR, vertices.dtype)
            colors = given.get("colors", colors + keras.ops.zeros_like(vertices))
            attributes["colors"] = linear_from_srgb(colors)
        widths = {name: value.shape[-1] for name, value in attributes.items()}
        packed = keras.ops.concatenate(list(attributes.values()), axis=-1)
        corners = face_corners(seen, faces, packed)
        packed = corners.attributes
        if self.face_uvs is not None:
            # A vertex may have different texture coordinates in each of its faces.
            uvs = keras.ops.convert_to_tensor(self.face_uvs.reshape(1, -1, 2), packed.dtype)
            uvs = uvs + keras.ops.zeros_like(packed[..., :1])
            packed, widths["uv"] = keras.ops.concatenate([packed, uvs], axis=-1), 2
        clipped = clip_to_near(corners.vertices, corners.faces, packed, near=self.near)
        plane, packed = _called(self.lens, clipped.vertices, given), clipped.attributes
        if self.mipmaps:
            footprints = _footprints(plane, packed[..., -2:])
            packed, widths["footprint"] = keras.ops.concatenate([packed, footprints], axis=-1), 6
        buffer, alpha = soft_shade(
            plane,
            clipped.faces,
            packed,
            image_size=self._sampled_size(),
            sigma=self.sigma,
            gamma=self.gamma,
            far=self.far,
            aggregation=self.aggregation,
            implementation=self.implementation,
        )
        ends = np.cumsum(list(widths.values()))
        parts = keras.ops.split(buffer, ends[:-1].tolist(), axis=-1)
        return dict(zip(widths, parts, strict=True)), alpha

    def _colors(self, surface, given):
        if self.face_uvs is None:
            return surface["colors"]
        textures, uv = linear_from_srgb(given["textures"]), surface["uv"]
        if not self.mipmaps:
            return sample_texture(textures, uv, wrap=self.wrap)
        derivatives = uv_derivatives(
            uv, surface["depth"], surface["footprint"], image_size=self._sampled_size()
        )
        return sample_texture(textures, uv, derivatives, wrap=self.wrap)

    def _sampled_size(self):
        return tuple(side * self.supersampling for side in self.image_size)

    def _lit(self, colors, surface, given, lights):
        if self.lighting is None:
            return colors
        inputs = {**surface, "colors": colors}
        if "eyes" in self.lighting.input_names:
            inputs["eyes"] = self.camera.eyes(*_inputs_of(self.camera, given)[1:])
        names = (*self.lighting.input_names, "positions")
        lit = self.lighting({name: inputs[name] for name in names}, lights=lights)
        return keras.ops.cast(lit, colors.dtype)

    def _averaged(self, samples):
        if self.supersampling == 1:
            return samples
        return keras.ops.average_pool(samples, self.supersampling, data_format="channels_last")

    def _images(self, means):
        """The layer's output from means over the samples of each pixel."""
        colors, alpha = means["colors"], means["alpha"]
        if self.background is None:
            colors = colors / keras.ops.where(alpha > 0.0, alpha, 1.0)
        else:
            background = keras.ops.cast(linear_from_srgb(self.background), colors.dtype)
            colors = colors + background * (1.0 - alpha)
        image = keras.ops.clip(srgb_from_linear(colors), 0.0, 1.0)
        depth = means["depth"] / keras.ops.where(means["hit"] > 0.0, means["hit"], 1.0)
        return {
            "image": keras.ops.cast(image, self.compute_dtype),
            "alpha": keras.ops.cast(alpha[..., 0], self.compute_dtype),
            "depth": depth[..., 0],
            "normals": keras.ops.cast(normalize(means["normals"]), self.compute_dtype),
        }


class _Pictures(dict):
    """The shapes of the layer's outputs by name."""

    def __missing__(self, name):
        # keras.layers.TimeDistributed asks for the first size of the only output.
        raise ValueError(
            "Renderer has four outputs, by name; a wrapper such as TimeDistributed takes a layer "
            'of one: keras.Model(vertices, renderer(vertices)["image"])'
        )


def _inputs_of(layer, given):
    return [given[name] for name in layer.input_names]


def _called(layer, vertices, given):
    """A camera or a lens applied to vertices, with what else it is called with."""
    given = {**given, "vertices": vertices}
    names = (*layer.input_names, *layer.optional_names)
    return layer({name: given[name] for name in names if name in given})


def _footprints(plane, uvs):
    """`footprint_attributes` of the faces of a clipped mesh, which has four corners for each."""
    batch, num_corners = keras.ops.shape(plane)[0], plane.shape[1]
    slopes = footprint_attributes(
        keras.ops.reshape(plane, (batch, num_corners // 4, 4, 3)),
        keras.ops.reshape(uvs, (batch, num_corners // 4, 4, 2)),
    )
    return keras.ops.reshape(slopes, (batch, num_corners, 6))


def _checked_supersampling(supersampling):
    if isinstance(supersampling, bool) or supersampling != int(supersampling) or supersampling < 1:
        raise ValueError(
            "Invalid supersampling. Expected a positive int. "
            f"Received: supersampling={supersampling!r}"
        )
    return int(supersampling)
