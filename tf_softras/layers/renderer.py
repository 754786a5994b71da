"""Pictures of meshes in one call: camera, light, texture and rasteriser as one Keras layer."""

from typing import Any, NamedTuple

import keras
import numpy as np

from tf_softras._shared.array_text import array_from_text, array_to_text
from tf_softras._shared.faces import standardize_faces
from tf_softras.geometry._image_size import standardize_image_size
from tf_softras.geometry._vectors import cross, dot, normalize
from tf_softras.geometry.colors import DEFAULT_COLOR, linear_from_srgb, srgb_from_linear
from tf_softras.geometry.corner_mesh import (
    HIDDEN_CORNER,
    clip_to_near,
    face_corners,
    is_closed,
)
from tf_softras.geometry.normals import corner_normals
from tf_softras.layers._call_inputs import boolean, numbers, positive
from tf_softras.layers._geometry_layer import (
    GeometryLayer,
    geometry_dtype,
    repeat_to_batch,
    shared_batch,
)
from tf_softras.layers._samples import mean_of_samples, middle_sample
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
# Attributes that are not averaged over the faces that share a sample.
_WITHOUT_MEAN = ("uv", "footprint", "sides")
# A gamma beside which all depths are alike.
_ANY_DEPTH = 1e30
# A gamma, in units of the near plane's depth, by which the nearer of two faces has all the weight.
_ONE_DEPTH = 1e-6
# How far faces are moved apart, a share of their depth: far more than that, and not to be seen.
_LARGEST_MOVE = 1e-3
_GOLDEN_RATIO = 0.6180339887498949
# Mean normals shorter than this are those of faces that turn opposite sides to the camera.
_CANCELLED = 0.2


@keras.saving.register_keras_serializable(package="Softras")
class Renderer(GeometryLayer):
    """Pictures of meshes, with depth, normals and alpha, differentiable in all that is drawn.

    Colours, textures and the background are sRGB-encoded, as in files, and so is the picture. In
    between, and nowhere else in the package, they are made linear: light, blending and edges add up
    as light does. Depth, normals and alpha are numbers, never encoded.

    The surface's colour, position, normal and depth at each sample are those of `soft_shade`,
    averaged over the faces that it blends; texture coordinates, which have no mean across a seam,
    are those of one face. Then the sample is lit, and laid over the background with its coverage.
    Faces are cut at the near plane; nothing is cut off far away.

    With `aggregation="soft"` everything learns. Alpha is the soft silhouette of eq. 2, for losses;
    coverage is ``min(1, sum_j D_j)``, which does not let edges between faces shine through (of the
    front or the back of a closed mesh, whichever is larger). With
    `aggregation="hard"` both are the share of samples that hit the mesh, for pictures as clean as
    `supersampling` makes them; then colours, light and the inside of faces learn, but not where the
    mesh ends.

    With two-sided light, or none, it does not matter which way faces are wound: at random, or
    given twice, once in each direction.

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
        background: three floats in [0, 1], sRGB; or None for straight colours, which coverage is to
            be applied to.
        sigma: positive float, squared image-plane units: how soft edges are; by default as
            anti-aliasing makes them (0.3 pixels). For learning a larger one reaches farther.
        gamma: positive float, a share of `far - near`: how soft the front is in depth.
        near: positive float: faces are cut there, world units of depth.
        far: float, the unit of gamma; what lies beyond it is drawn like all else.
        aggregation: "soft", or "hard" for the nearest face alone.
        supersampling: int: samples along each side of a pixel, averaged in linear light. Depth and
            normals are not averaged: they are those of the sample nearest to the pixel's centre
            among those that hit.
        implementation: "op" or "reference".
        cull_back_faces: whether faces that turn their back to the camera are left out, those whose
            corners run clockwise in the picture.

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
        in [0, 1]; "coverage" of the same shape, in [0, 1], what the image is laid over the
        background with; "depth" `[batch, height, width]`, world units along the viewing direction,
        0 where no face is; "normals" `[batch, height, width, 3]`, unit and in world space, 0 where
        no face is. Row 0 is the top. Depth is of at least float32, the others of the policy's type.

    Raises:
        ValueError: an argument is not as above; an input is missing or has no meaning.
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
        self.face_uvs = None if face_uvs is None else self._checked_uvs(face_uvs)
        self.wrap = wrap
        self.mipmaps = boolean("mipmaps", mipmaps)
        if self.mipmaps and self.face_uvs is None:
            raise ValueError(
                "mipmaps: expected face_uvs, too, without which there is no texture; "
                "received mipmaps=True and face_uvs=None"
            )
        self.background = None if background is None else numbers("background", background, (3,))
        self.supersampling = _checked_supersampling(supersampling)
        edge = _EDGE_IN_PIXELS * 2.0 / (min(self.image_size) * self.supersampling)
        self.sigma = positive("sigma", edge**2 if sigma is None else sigma)
        self.gamma = positive("gamma", gamma)
        self.near, self.far = float(near), float(far)
        self.aggregation, self.implementation = aggregation, implementation
        self.cull_back_faces = boolean("cull_back_faces", cull_back_faces)
        self.supports_jit = supports_jit(implementation)

    def call(self, inputs, lights=None):
        """Draws a batch of meshes; see the class."""
        given = self.split(inputs, lights)
        scene = self._scene(given)
        names = [name for name in scene.attributes if name not in _WITHOUT_MEAN]
        surface, alpha = self._drawn(scene, names, self.aggregation)
        hit = surface["share"] > 0.0
        # With a level of its own the background would have a part in the surface's mean.
        share = keras.ops.where(hit, surface["share"], 1.0)
        surface = {name: value / share for name, value in surface.items()}
        if self.aggregation == "soft":
            alpha, coverage = alpha[..., None], self._coverage(scene)
        else:
            alpha = coverage = keras.ops.cast(hit, alpha.dtype)
        if self._is_two_sided:
            surface["normals"] = _normals_of_either_side(surface)
        colors = self._lit(self._colors(surface, scene, given), surface, given, lights)
        means = {"colors": colors * coverage, "alpha": alpha, "coverage": coverage}
        means = {name: mean_of_samples(value, self.supersampling) for name, value in means.items()}
        shown = {"depth": surface["depth"], "normals": normalize(surface["normals"])}
        for name, value in shown.items():
            value = value * keras.ops.cast(hit, value.dtype)
            shown[name] = middle_sample(value, hit, self.supersampling)
        return self._images({**means, **shown})

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
            "cull_back_faces": self.cull_back_faces,
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
                "face_uvs: expected fixed faces and floats of shape (num_faces, 3, 2)"
                f"{'' if expected is None else f', here {expected}'}; received shape {array.shape}"
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

    def _scene(self, given):
        """The mesh on the image plane, cut at the near plane, with what its corners carry."""
        vertices = given["vertices"]
        faces = given["faces"] if self.faces is None else self.faces
        seen = _called(self.camera, vertices, given)
        of_vertices = {
            "positions": vertices,
            "share": keras.ops.ones_like(vertices[..., :1]),
            "depth": seen[..., 2:],
        }
        if self.face_uvs is None:
            colors = keras.ops.convert_to_tensor(DEFAULT_COLOR, vertices.dtype)
            colors = given.get("colors", colors + keras.ops.zeros_like(vertices))
            of_vertices["colors"] = linear_from_srgb(colors)
        corners = face_corners(seen, faces, keras.ops.concatenate([*of_vertices.values()], axis=-1))
        if self.cull_back_faces:
            corners = corners._replace(vertices=self._front_faces(corners.vertices))
        attributes = _unpacked(corners.attributes, _widths(of_vertices))
        # A vertex may have other normals and texture coordinates in each of its faces.
        attributes["normals"] = corner_normals(vertices, faces)
        if self.aggregation == "soft":
            is_front = self._looks_at_the_camera(corners.vertices)
            of_closed = keras.ops.concatenate([is_front, keras.ops.logical_not(is_front)], axis=-1)
            of_others = keras.ops.convert_to_tensor([True, False])
            is_closed_mesh = keras.ops.reshape(is_closed(faces), (-1, 1, 1))
            sides = keras.ops.where(is_closed_mesh, of_closed, of_others)
            attributes["sides"] = keras.ops.cast(sides, vertices.dtype)
            if self._is_two_sided:
                normals = attributes["normals"]
                attributes["to_eye"] = keras.ops.where(is_front, normals, -normals)
        if self.face_uvs is not None:
            uvs = keras.ops.convert_to_tensor(self.face_uvs.reshape(1, -1, 2), vertices.dtype)
            attributes["uv"] = uvs + keras.ops.zeros_like(attributes["share"])
        packed = keras.ops.concatenate([*attributes.values()], axis=-1)
        clipped = clip_to_near(corners.vertices, corners.faces, packed, near=self.near)
        plane = _called(self.lens, clipped.vertices, given)
        attributes = _unpacked(clipped.attributes, _widths(attributes))
        if self.mipmaps:
            attributes["footprint"] = _footprints(self._for_interpolation(plane), attributes["uv"])
        return _Scene(plane, clipped.faces, attributes)

    def _drawn(self, scene, names, aggregation, **options):
        """The attributes of these names at each sample, and the silhouette."""
        chosen = {name: scene.attributes[name] for name in names}
        options = {"gamma": self.gamma, "far": self.far, **options}
        buffer, alpha = soft_shade(
            scene.plane,
            scene.faces,
            keras.ops.concatenate([*chosen.values()], axis=-1),
            image_size=self._sampled_size(),
            sigma=self.sigma,
            aggregation=aggregation,
            interpolation=self._interpolation,
            implementation=self.implementation,
            **options,
        )
        return _unpacked(buffer, _widths(chosen)), alpha

    def _of_one_face(self, scene, names):
        """Attributes at each sample of a single face: for what has no mean.

        Texture coordinates of faces that do not continue one another in the texture are such: their
        mean lies anywhere in it. A sample on the mesh shows the nearest face; one beside it, within
        reach of soft edges, one of the faces there, where that face is closest.
        """
        on_face, _ = self._drawn(scene, names, "hard")
        if self.aggregation == "hard":
            return on_face
        # Faces beside one another may be equally near: each is moved by a depth of its own.
        number = np.arange(scene.plane.shape[1] // 4).repeat(4)
        moved = 1.0 + _LARGEST_MOVE * ((number * _GOLDEN_RATIO) % 1.0)
        moved = keras.ops.convert_to_tensor(moved[:, None], scene.plane.dtype)
        plane = keras.ops.concatenate([scene.plane[..., :2], scene.plane[..., 2:] * moved], axis=-1)
        beside, _ = self._drawn(
            scene._replace(plane=plane), names, "soft", gamma=_ONE_DEPTH, far=self.near
        )
        is_on_face = on_face["share"] > 0.0
        return {name: keras.ops.where(is_on_face, on_face[name], beside[name]) for name in names}

    def _coverage(self, scene):
        """How much of each sample is covered: ``min(1, sum_j D_j)``, float `[..., 1]`.

        Beside an edge that two faces share, D of one and of the other add up to 1, where eq. 2 has
        1 - D (1 - D), 0.75 on the edge: the background would shine through. The front and the back
        of a closed mesh cover the same pixels, and each edge of its outline has a face of either:
        the larger of their two sums counts, or outlines would be wider than edges.
        """
        # By a gamma beside which all depths are alike, the weights are D_j and the background's 1.
        parts, _ = soft_shade(
            scene.plane,
            scene.faces,
            scene.attributes["sides"],
            image_size=self._sampled_size(),
            sigma=self.sigma,
            gamma=_ANY_DEPTH,
            epsilon=0.0,
            far=self.far,
            implementation=self.implementation,
        )
        sums = parts / (1.0 - keras.ops.sum(parts, axis=-1, keepdims=True))
        return keras.ops.minimum(keras.ops.max(sums, axis=-1, keepdims=True), 1.0)

    def _front_faces(self, corners):
        """Returns the corners, in camera space, those of back faces behind the camera."""
        is_back = keras.ops.logical_not(self._looks_at_the_camera(corners))
        # NaN is no back face: the op, which refuses it, sees it.
        is_finite = keras.ops.all(keras.ops.isfinite(corners), axis=-1, keepdims=True)
        behind = keras.ops.convert_to_tensor(HIDDEN_CORNER, corners.dtype)
        return keras.ops.where(keras.ops.logical_and(is_back, is_finite), behind, corners)

    def _looks_at_the_camera(self, corners):
        """Which corners' faces turn their front to the camera: bool `[batch, corners, 1]`."""
        batch, num_corners = keras.ops.shape(corners)[0], corners.shape[1]
        faces = keras.ops.reshape(corners, (batch, num_corners // 3, 3, 3))
        a, b, c = (faces[:, :, i] for i in range(3))
        # Camera space is left-handed: seen from its front a face's product points away.
        away = cross(b - a, c - a)
        along = away[..., 2:] if self._interpolation == "linear" else dot(away, a)
        return keras.ops.reshape(
            keras.ops.repeat(along >= 0.0, 3, axis=-1), (batch, num_corners, 1)
        )

    @property
    def _interpolation(self):
        """What is linear over a face on the image plane, by the lens."""
        return getattr(self.lens, "interpolation", "perspective")

    @property
    def _is_two_sided(self):
        """Whether it does not matter which side of a face is its front."""
        return self.lighting is None or getattr(self.lighting, "two_sided", False)

    def _for_interpolation(self, plane):
        """The image plane with depths that 1/z is to be taken of: 1 for parallel projection."""
        if self._interpolation == "perspective":
            return plane
        depth = plane[..., 2:]
        depth = keras.ops.where(depth > 0.0, keras.ops.ones_like(depth), depth)
        return keras.ops.concatenate([plane[..., :2], depth], axis=-1)

    def _colors(self, surface, scene, given):
        """The surface's linear colours, before light."""
        if self.face_uvs is None:
            return surface["colors"]
        names = ("share", "depth", "uv", *(("footprint",) if self.mipmaps else ()))
        at = self._of_one_face(scene, names)
        textures = linear_from_srgb(given["textures"])
        if not self.mipmaps:
            return sample_texture(textures, at["uv"], wrap=self.wrap)
        depth = at["depth"] if self._interpolation == "perspective" else 1.0
        derivatives = uv_derivatives(
            at["uv"], depth, at["footprint"], image_size=self._sampled_size()
        )
        return sample_texture(textures, at["uv"], derivatives, wrap=self.wrap)

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

    def _images(self, pixels):
        """The layer's output from what each pixel shows."""
        colors, coverage = pixels["colors"], pixels["coverage"]
        if self.background is None:
            colors = colors / keras.ops.where(coverage > 0.0, coverage, 1.0)
        else:
            background = keras.ops.cast(linear_from_srgb(self.background), colors.dtype)
            colors = colors + background * (1.0 - coverage)
        image = keras.ops.clip(srgb_from_linear(colors), 0.0, 1.0)
        return {
            "image": keras.ops.cast(image, self.compute_dtype),
            "alpha": keras.ops.cast(pixels["alpha"][..., 0], self.compute_dtype),
            "coverage": keras.ops.cast(coverage[..., 0], self.compute_dtype),
            "depth": pixels["depth"][..., 0],
            "normals": keras.ops.cast(pixels["normals"], self.compute_dtype),
        }


class _Pictures(dict):
    """The shapes of the layer's outputs by name."""

    def __missing__(self, name):
        # keras.layers.TimeDistributed asks for the first size of the only output.
        raise ValueError(
            "Renderer has five outputs, by name; a wrapper such as TimeDistributed takes a layer "
            'of one: keras.Model(vertices, renderer(vertices)["image"])'
        )


class _Scene(NamedTuple):
    """Meshes as the rasteriser takes them, and a dict of what their corners carry."""

    plane: Any
    faces: Any
    attributes: dict


def _widths(attributes):
    """The names of attributes and how many channels each has."""
    return {name: value.shape[-1] for name, value in attributes.items()}


def _unpacked(packed, widths):
    """The attributes of one tensor by name."""
    ends = np.cumsum(list(widths.values()))
    parts = keras.ops.split(packed, ends[:-1].tolist(), axis=-1)
    return dict(zip(widths, parts, strict=True))


def _normals_of_either_side(surface):
    """Mean normals; where the sides of faces cancel, as of doubled faces, the side that is seen."""
    normals = surface["normals"]
    cancels = dot(normals, normals) < _CANCELLED**2
    return keras.ops.where(cancels, surface.get("to_eye", normals), normals)


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
        raise ValueError(f"supersampling: expected a positive int; received {supersampling!r}")
    return int(supersampling)
