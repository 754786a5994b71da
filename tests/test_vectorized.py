"""`tape.jacobian`, `batch_jacobian` and `tf.vectorized_map` over everything that is public.

TensorFlow vectorises them ("pfor"), operation by operation, and some of its converters are wrong:
2.21 takes a roll along a negative axis for one along the axis after it. Nothing raises then.
"""

import ast
import inspect
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.gradient_checks import directional_derivative
from tf_softras import geometry, layers, losses, ops, shading

PACKAGE = pathlib.Path(geometry.__file__).parents[1]

MESH = geometry.icosphere(0)
FACES = MESH.faces
SIZE = (4, 5)
F64 = {"dtype": "float64"}
RNG = np.random.default_rng(5)


def noise(*shape, low=0.0, high=1.0):
    return RNG.uniform(low, high, shape)


# Two of each: what a case is mapped over and differentiated by.
WORLD = 0.5 * MESH.vertices.astype(np.float64) + noise(2, 12, 3, low=-0.02, high=0.02)
# Far enough from the axis of symmetry to keep pixels off ties of edges.
EYES = np.array([[1.3, 1.0, 2.1], [-0.9, 1.4, 1.7]])
CAMERA = geometry.look_at(WORLD, EYES).numpy()
PLANE = geometry.perspective(CAMERA, viewing_angle=20.0).numpy()
# The plane at 2 cuts both meshes.
NEAR = float(np.median(CAMERA[..., 2]))
COLORS = noise(2, 12, 3)
IMAGES = noise(2, *SIZE)
UVS = noise(2, 6, 2)
# A pixel covers between one texel and the texture.
UV_DERIVATIVES = noise(2, 6, 2, 2, low=0.1, high=0.2)
TEXTURES = noise(2, 6, 7, 3)
FACE_UVS = noise(len(FACES), 3, 2)
POSITIONS = noise(2, 6, 3, low=-1.0)
NORMALS = noise(2, 6, 3, low=-1.0)
TO_CAMERA = geometry.look_at_extrinsics(EYES, convention="opencv")
ROTATIONS, TRANSLATIONS = (value.numpy() for value in TO_CAMERA)
INTRINSICS = np.array([[[4.0, 0.1, 2.0], [0, 4.2, 1.5], [0, 0, 1]]] * 2)
VOXELS = noise(2, 4, 4, 4)


def for_each(value, like):
    """The first item of a batched constant, for each item of the point that is mapped over."""
    return tf.repeat(tf.constant(value)[:1], tf.shape(like)[0], axis=0)


def rasterized(implementation):
    return lambda v: ops.soft_rasterize(
        v, FACES, image_size=SIZE, sigma=1e-2, implementation=implementation
    )


def shaded(implementation, aggregation):
    def pictures(v):
        image, alpha = ops.soft_shade(
            v,
            FACES,
            for_each(COLORS, v),
            image_size=SIZE,
            sigma=1e-2,
            gamma=1e-2,
            aggregation=aggregation,
            implementation=implementation,
        )
        return tf.concat([image, alpha[..., None]], axis=-1)

    return pictures


def rendered(output, *, by="eyes", **options):
    renderer = layers.Renderer(
        FACES,
        SIZE,
        camera=layers.LookAt(**F64),
        lens=layers.Perspective(viewing_angle=20.0, **F64),
        sigma=1e-2,
        near=NEAR,
        **options,
        **F64,
    )
    given = {"eyes": EYES, "vertices": WORLD, "colors": COLORS}
    if "face_uvs" in options:
        given = {**given, "textures": TEXTURES}
        del given["colors"]
    return lambda x: renderer(
        {name: x if name == by else for_each(value, x) for name, value in given.items()}
    )[output]


def clipped(vertices):
    mesh = geometry.clip_to_near(vertices, FACES, for_each(COLORS, vertices), near=NEAR)
    return tf.concat([mesh.vertices, mesh.attributes], axis=-1)


def lit(lights):
    options = {
        "directional": [shading.DirectionalLight((0.4, 1.0, 0.6), 0.65)],
        "point": [shading.PointLight((1.0, 2.0, 0.5), 0.8)],
        "two_sided": True,
        "eye": (1.0, 2.0, 3.0),
    }

    def light(normals):
        return shading.lambert_light(normals, for_each(POSITIONS, normals), **lights(options))

    return light


def flat(outputs):
    """Outputs `[batch, ...]` side by side, `[batch, n]`."""
    outputs = [tf.convert_to_tensor(output) for output in outputs]
    return tf.concat([tf.reshape(output, (tf.shape(output)[0], -1)) for output in outputs], axis=1)


def layer_of_lights(normals):
    layer = layers.LambertLighting(
        ambient=0.1,
        directional=[{"direction": (0.4, 1.0, 0.6), "color": 0.65}],
        point=[{"position": (1.0, 2.0, 0.5)}],
        two_sided=True,
        **F64,
    )
    colors, positions = (for_each(value, normals) for value in (COLORS[:, :6], POSITIONS))
    return layer([colors, normals, positions, for_each(EYES, normals)])


# They have variables, which no traced function may make.
SOFT_RASTERIZE_LAYER = layers.SoftRasterize(FACES, SIZE, sigma=1e-2, **F64)
SOFT_SHADE_LAYER = layers.SoftShade(FACES, SIZE, sigma=1e-2, gamma=1e-2, **F64)


# name of what is public -> [(what of it, function of a batch, points [2, ...])]
CASES = {
    "ops.soft_rasterize": [
        ("op", rasterized("op"), PLANE),
        ("reference", rasterized("reference"), PLANE),
    ],
    "ops.soft_shade": [
        ("op soft", shaded("op", "soft"), PLANE),
        ("op hard", shaded("op", "hard"), PLANE),
        ("reference soft", shaded("reference", "soft"), PLANE),
        ("reference hard", shaded("reference", "hard"), PLANE),
    ],
    "layers.SoftRasterize": [("", SOFT_RASTERIZE_LAYER, PLANE)],
    "layers.SoftShade": [("", lambda v: flat(SOFT_SHADE_LAYER([v, for_each(COLORS, v)])), PLANE)],
    "layers.Renderer": [
        ("normals by eyes", rendered("normals"), EYES),
        (
            "mip-mapped by eyes",
            rendered("image", face_uvs=FACE_UVS, mipmaps=True, supersampling=2),
            EYES,
        ),
        (
            "hard by several textures",
            rendered(
                "image",
                by="textures",
                face_uvs=FACE_UVS,
                face_textures=np.arange(len(FACES)) % 2,
                aggregation="hard",
            ),
            np.random.default_rng(7).uniform(size=(2, 2, 6, 7, 3)),
        ),
        (
            "hard depth by vertices",
            rendered("depth", by="vertices", aggregation="hard", lighting=None),
            WORLD,
        ),
    ],
    "layers.LookAt": [
        ("", lambda e: layers.LookAt(**F64)([for_each(WORLD, e), e]), EYES),
    ],
    "layers.WorldToCamera": [
        (
            "",
            lambda r: layers.WorldToCamera(**F64)(
                [for_each(WORLD, r), r, for_each(TRANSLATIONS, r)]
            ),
            ROTATIONS,
        ),
    ],
    "layers.Perspective": [("", lambda v: layers.Perspective(**F64)(v), CAMERA)],
    "layers.Pinhole": [
        ("", lambda k: layers.Pinhole(SIZE, **F64)([for_each(CAMERA, k), k]), INTRINSICS)
    ],
    "layers.Orthographic": [("", lambda v: layers.Orthographic(**F64)(v), CAMERA)],
    "layers.ClipToNear": [("", lambda v: layers.ClipToNear(FACES, near=NEAR, **F64)(v), CAMERA)],
    "layers.VertexNormals": [("", lambda v: layers.VertexNormals(FACES, **F64)(v), WORLD)],
    "layers.LambertLighting": [("", layer_of_lights, NORMALS)],
    "layers.UVTexture": [
        ("", lambda uv: layers.UVTexture(**F64)([for_each(TEXTURES, uv), uv]), UVS)
    ],
    "geometry.look_at": [
        ("", lambda e: geometry.look_at(for_each(WORLD, e), e, at=(0.1, 0, 0)), EYES)
    ],
    "geometry.look_at_extrinsics": [
        ("", lambda e: flat(geometry.look_at_extrinsics(e, convention="opengl")), EYES)
    ],
    "geometry.convert_extrinsics": [
        (
            "",
            lambda r: flat(
                geometry.convert_extrinsics(
                    r, for_each(TRANSLATIONS, r), source="opencv", target="softras"
                )
            ),
            ROTATIONS,
        )
    ],
    "geometry.world_to_camera": [
        (
            "",
            lambda t: geometry.world_to_camera(
                for_each(WORLD, t), for_each(ROTATIONS, t), t, convention="opencv"
            ),
            TRANSLATIONS,
        )
    ],
    "geometry.perspective": [("", geometry.perspective, CAMERA)],
    "geometry.pinhole": [
        (
            "",
            lambda v: geometry.pinhole(v, for_each(INTRINSICS, v), image_size=SIZE),
            CAMERA,
        )
    ],
    "geometry.orthographic": [("", geometry.orthographic, CAMERA)],
    "geometry.intrinsic_matrix": [
        ("", lambda f: geometry.intrinsic_matrix(SIZE, field_of_view=f), np.array([30.0, 50])),
    ],
    "geometry.intrinsics_from_projection": [
        (
            "",
            lambda p: geometry.intrinsics_from_projection(p, SIZE),
            noise(2, 4, 4),
        )
    ],
    "geometry.rotation_from_quaternion": [
        ("", geometry.rotation_from_quaternion, noise(2, 4, low=-1.0))
    ],
    "geometry.clip_to_near": [("", clipped, CAMERA)],
    "geometry.face_corners": [
        ("", lambda v: geometry.face_corners(v, FACES).vertices, CAMERA),
    ],
    "geometry.vertex_normals": [("", lambda v: geometry.vertex_normals(v, FACES), WORLD)],
    "geometry.corner_normals": [("", lambda v: geometry.corner_normals(v, FACES), WORLD)],
    "geometry.cull_back_faces": [
        ("", lambda v: geometry.cull_back_faces(v, FACES).vertices, PLANE),
    ],
    "geometry.linear_from_srgb": [("", geometry.linear_from_srgb, COLORS)],
    "geometry.srgb_from_linear": [("", geometry.srgb_from_linear, COLORS)],
    "shading.lambert_light": [
        ("all", lit(lambda options: options), NORMALS),
        (
            "ambient",
            lambda a: shading.lambert_light(for_each(NORMALS, a), ambient=a),
            noise(2, 3),
        ),
    ],
    "shading.mip_levels": [("", lambda t: flat(shading.mip_levels(t)), TEXTURES)],
    "shading.footprint_attributes": [
        (
            "",
            lambda c: shading.footprint_attributes(c, for_each(UVS[:, :4], c)),
            np.array([[-1, -1, 1], [1, -1, 2], [1, 1, 3], [-1, 1, 2.0]]) + noise(2, 4, 3, high=0.3),
        )
    ],
    "shading.uv_derivatives": [
        (
            "",
            lambda uv: shading.uv_derivatives(
                uv, uv[..., :1] + 1.0, tf.tile(uv, (1, 1, 3)), image_size=SIZE
            ),
            UVS,
        )
    ],
    "shading.level_of_detail": [
        ("", lambda d: shading.level_of_detail(d, height=64, width=64), UV_DERIVATIVES)
    ],
    "shading.sample_texture": [
        ("by uv", lambda uv: shading.sample_texture(for_each(TEXTURES, uv), uv), UVS),
        (
            "mip-mapped",
            lambda uv: shading.sample_texture(
                for_each(TEXTURES, uv), uv, for_each(UV_DERIVATIVES, uv), wrap="clamp"
            ),
            UVS,
        ),
        ("by texture", lambda t: shading.sample_texture(t, for_each(UVS, t)), TEXTURES),
    ],
    "losses.silhouette_iou_loss": [
        ("", lambda y: losses.silhouette_iou_loss(for_each(IMAGES, y), y), IMAGES[::-1])
    ],
    "losses.SilhouetteIoULoss": [
        (
            "",
            lambda y: losses.SilhouetteIoULoss(reduction=None, **F64)(for_each(IMAGES, y), y),
            IMAGES[::-1],
        )
    ],
    "losses.color_loss": [
        (
            "",
            lambda y: losses.color_loss(tf.tile(for_each(IMAGES, y)[..., None], (1, 1, 1, 4)), y),
            noise(2, *SIZE, 3),
        )
    ],
    "losses.chamfer_loss": [
        ("", lambda p: losses.chamfer_loss(for_each(NORMALS, p), p), POSITIONS)
    ],
    "losses.ChamferLoss": [
        (
            "",
            lambda p: losses.ChamferLoss(reduction=None, **F64)(for_each(NORMALS, p), p),
            POSITIONS,
        )
    ],
    "losses.laplacian_loss": [("", lambda v: losses.laplacian_loss(v, FACES), WORLD)],
    "losses.flattening_loss": [("", lambda v: losses.flattening_loss(v, FACES), WORLD)],
    "losses.LaplacianLoss": [
        (
            "",
            lambda v: losses.LaplacianLoss(FACES, reduction=None, **F64)(None, v),
            WORLD,
        )
    ],
    "losses.FlatteningLoss": [
        (
            "",
            lambda v: losses.FlatteningLoss(FACES, reduction=None, **F64)(None, v),
            WORLD,
        )
    ],
}
# In float32, whatever comes in: no central differences in float64.
SINGLE_CASES = {
    "geometry.eye_from_angles": [
        (
            "",
            lambda angles: geometry.eye_from_angles(2.7, angles[..., 0], angles[..., 1]),
            np.array([[30.0, 15.0], [-10.0, 200.0]], np.float32),
        )
    ],
    "geometry.up_from_angles": [
        (
            "",
            lambda angles: geometry.up_from_angles(angles[..., 0], angles[..., 1]),
            np.array([[30.0, 15.0], [-10.0, 200.0]], np.float32),
        )
    ],
    "layers.ProjectVoxels": [
        (
            "",
            lambda v: layers.ProjectVoxels(SIZE)([v, tf.cast(for_each(EYES, v), tf.float32)]),
            VOXELS.astype(np.float32),
        )
    ],
}
# Public, and no function of real numbers with a derivative.
NO_DERIVATIVE = {
    "ops": {"rasterize_faces", "register_ops"},
    "layers": {"renderer_inputs"},
    # Random: a map draws other points than a loop.
    "losses": {"sample_surface"},
}
# Cameras, and what else of geometry pictures are differentiated through.
DIFFERENTIABLE_GEOMETRY = ("cameras", "colors", "corner_mesh", "normals")


def parameters():
    return [
        pytest.param(function, points, id=f"{name} {what}".strip())
        for table in (CASES, SINGLE_CASES)
        for name, cases in table.items()
        for what, function, points in cases
    ]


def summed(function, points):
    """Three weighted sums of each item's outputs, `[batch, 3]`: Jacobians of three rows."""
    values = function(points)
    values = tf.reshape(values, (tf.shape(points)[0], int(np.prod(values.shape[1:]))))
    weights = np.random.default_rng(1).normal(size=(values.shape[1], 3))
    return values @ weights.astype(points.dtype.as_numpy_dtype)


def assert_close(actual, expected, tolerance):
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize(("function", "points"), parameters())
def test_vectorized_derivatives_and_maps_are_those_of_a_loop(function, points):
    # Differences of the order of sums in the points' type.
    rounding = 1e-12 if points.dtype == np.float64 else 1e-5
    points = tf.constant(points)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(points)
        values = summed(function, points)
        rows = [tf.reduce_sum(values[:, row]) for row in range(3)]
    # Items do not depend on one another, so one gradient holds a row of each item's Jacobian.
    loop = np.stack([tape.gradient(row, points).numpy() for row in rows], axis=1)
    assert np.any(loop != 0)

    if len(points.shape) > 1:  # batch_jacobian takes no numbers
        assert_close(tape.batch_jacobian(values, points).numpy(), loop, rounding)
    across_items = tape.jacobian(values, points).numpy()
    for item in range(2):
        assert_close(across_items[item, :, item], loop[item], rounding)
        assert_close(across_items[item, :, 1 - item], np.zeros_like(loop[item]), rounding)
    mapped = tf.vectorized_map(lambda point: summed(function, point[None])[0], points)
    assert_close(mapped.numpy(), values.numpy(), rounding)

    if points.dtype == tf.float64:
        direction = np.random.default_rng(0).normal(size=points.shape)
        along = (loop * direction[:, None]).reshape(2, 3, -1).sum(axis=-1)
        numeric = directional_derivative(
            lambda x: summed(function, tf.constant(x)).numpy(), points.numpy(), direction, 1e-5
        )
        # Rounding over the step, 1e-16 / 1e-5, times what lies between input and output.
        assert_close(along, numeric, 1e-8)


def public_functions(room):
    """Returns the names of the functions, layers and losses that a room exports."""
    name = room.__name__.split(".")[-1]
    public = {key: getattr(room, key) for key in room.__all__}
    if room is geometry:
        return {
            key
            for key, value in public.items()
            if inspect.isfunction(value)
            and value.__module__.split(".")[2] in DIFFERENTIABLE_GEOMETRY
        } - {"n3mr_views", "pad_meshes"}
    return {
        key
        for key, value in public.items()
        if inspect.isfunction(value) or issubclass(value, (keras.layers.Layer, keras.losses.Loss))
    } - NO_DERIVATIVE.get(name, set())


@pytest.mark.parametrize("room", [geometry, layers, losses, ops, shading])
def test_everything_public_is_tried(room):
    name = room.__name__.split(".")[-1]
    tried = {case.split(".")[1] for case in {**CASES, **SINGLE_CASES} if case.startswith(name)}
    assert public_functions(room) == tried


def negative_rolls(source):
    """Yields the lines that call TensorFlow's or Keras's `roll` along anything but a literal axis
    of at least 0 (or `axis % rank`)."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr != "roll" or ast.unparse(node.func.value) in ("np", "numpy"):
            continue
        (axis,) = [k.value for k in node.keywords if k.arg == "axis"] or node.args[2:3] or [None]
        is_safe = isinstance(axis, ast.Constant) and isinstance(axis.value, int)
        if not is_safe and not (isinstance(axis, ast.BinOp) and isinstance(axis.op, ast.Mod)):
            yield node.lineno


def test_no_roll_counts_its_axis_from_the_end():
    found = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line in negative_rolls(path.read_text())
    ]
    assert not found, f"use tf_softras.geometry._vectors.roll: {found}"


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("tf.roll(x, 1, axis=-1)", 1),
        ("keras.ops.roll(x, 1, -2)", 1),
        ("ops.roll(x, 1, axis=axis)", 1),
        ("tf.roll(x, [1, 1], axis=[1, -1])", 1),
        ("keras.ops.roll(x, 1)", 1),
        ("tf.roll(x, 1, axis=1)", 0),
        ("np.roll(x, 1, axis=-1)", 0),
        ("keras.ops.roll(x, 1, axis=axis % rank)", 0),
    ],
)
def test_the_search_for_rolls_finds_them(source, count):
    assert len(list(negative_rolls(source))) == count
