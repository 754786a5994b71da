"""Sheets of small pictures that show each feature; `softras gallery` writes them."""

import pathlib
import tempfile

import numpy as np
import PIL.Image
import PIL.ImageDraw

from tf_softras import fitting
from tf_softras.datasets.shapenet_views.embedded_sample import unpack_sample
from tf_softras.geometry import (
    Mesh,
    eye_from_angles,
    icosphere,
    intrinsic_matrix,
    load_mesh,
    look_at,
    perspective,
    rotation_from_quaternion,
    spherical_uvs,
)
from tf_softras.geometry.surfaces import corner_colors
from tf_softras.layers import LambertLighting, LookAt, Orthographic, Perspective, Pinhole, Renderer
from tf_softras.ops import soft_rasterize, soft_shade
from tf_softras.shading import DirectionalLight, PointLight

_CELL = 112
_GAP = 4
_LABEL = 14
_EYE = np.array([[2.1, 1.2, 1.2]], np.float32)
# Two objects of the embedded sample: an armchair by Absfrm, and a cabinet (CC0).
_CHAIR = "03001627/47be5f3bd17a5f26ac3d2432dd1cb399"
_CABINET = "02933112/237bb88ea4fdfcabec70b5b09062548d"
_SHARP = {"aggregation": "hard", "supersampling": 3}


def softness():
    """Returns cells of silhouettes and colours, from sharp to soft, in coverage and in depth."""
    mesh, colors = _three_balls()
    plane = perspective(look_at(mesh.vertices[None], [0.0, 0.0, 2.732]))
    options = {"image_size": _CELL, "far": 10.0, "background": 1.0}
    rows: list[list] = [[], []]
    for sigma in (1e-6, 3e-4, 3e-3, 3e-2):
        alpha = soft_rasterize(plane, mesh.faces, image_size=_CELL, sigma=sigma)[0]
        rows[0].append((f"sigma {sigma:.0e}", 1.0 - alpha[..., None] * np.ones(3)))
    for gamma in (1e-4, 3e-2, 1e-1):
        image, _ = soft_shade(plane, mesh.faces, colors[None], sigma=1e-4, gamma=gamma, **options)
        rows[1].append((f"gamma {gamma:.0e}", image[0]))
    image, _ = soft_shade(
        plane, mesh.faces, colors[None], sigma=1e-4, aggregation="hard", **options
    )
    rows[1].append(("hard", image[0]))
    return rows


def surfaces():
    """Returns cells of one call of `Renderer`, and of textures."""
    mesh, colors = _sample(_CHAIR)
    seen = _drawn(mesh, colors=colors)
    depth, hit = seen["depth"][..., None], seen["depth"][..., None] > 0
    near, far = depth[hit].min(), depth.max()
    shown = np.where(hit, 1.0 - 0.8 * (depth - near) / (far - near), 0.0)
    ball = Mesh(0.5 * icosphere(3).vertices, icosphere(3).faces)
    uvs = spherical_uvs(ball)
    white = {"colors": np.ones_like(ball.vertices)}
    return [
        [
            ("colour", seen["image"]),
            ("alpha", seen["alpha"][..., None] * np.ones(3)),
            ("depth", shown * np.ones(3)),
            ("normals", np.where(hit, 0.5 + 0.5 * seen["normals"], 1.0)),
        ],
        [
            ("smooth normals", _drawn(ball, **white)["image"]),
            ("texture", _drawn(ball, textures=_globe(), face_uvs=uvs)["image"]),
            ("unlit", _drawn(ball, textures=_globe(), face_uvs=uvs, lighting=None)["image"]),
            ("soft edges", _drawn(ball, **white, aggregation="soft", sigma=1e-3)["image"]),
        ],
        [
            ("texture far away", _tiles(mipmaps=False)),
            ("mip-mapped", _tiles(mipmaps=True)),
        ],
    ]


def lights():
    """Returns cells of each kind of light, on a ball and from behind on an open bowl."""
    ball = Mesh(0.5 * icosphere(4).vertices, icosphere(4).faces)
    bowl = Mesh(ball.vertices, ball.faces[(ball.vertices[ball.faces][..., 2] < 0.2).all(axis=1)])
    sun, red = DirectionalLight((1.0, 1.0, 0.5)), PointLight((0.9, 0.3, 0.9), (1.2, 0.2, 0.1))
    dim_sun = DirectionalLight(sun.direction, 0.3)
    blue = PointLight((-0.9, 0.1, 0.9), (0.1, 0.2, 1.2))

    def lit(mesh, **light):
        white = np.ones_like(mesh.vertices)
        return _drawn(mesh, colors=white, lighting=LambertLighting(**light))["image"]

    return [
        [
            ("ambient", lit(ball, ambient=(0.5, 0.45, 0.4))),
            ("directional", lit(ball, directional=[sun])),
            ("two points", lit(ball, point=[red, blue])),
            ("all", lit(ball, ambient=0.05, directional=[dim_sun], point=[red, blue])),
        ],
        [
            ("one-sided", lit(bowl, ambient=0.1, directional=[sun])),
            ("two-sided", lit(bowl, ambient=0.1, directional=[sun], two_sided=True)),
        ],
    ]


def cameras():
    """Returns cells of lenses, an off-centre picture, and a floor that runs under the camera."""
    mesh, colors = _sample(_CHAIR)
    size, wide = (_CELL, _CELL), (_CELL, 2 * _CELL + _GAP)

    def seen(lens, eye=_EYE, image_size=size):
        return _drawn(mesh, eye, image_size, colors=colors, lens=lens)["image"]

    corner = intrinsic_matrix(size, field_of_view=30.0, principal_point=(25.0, 80.0))
    height = intrinsic_matrix(wide, field_of_view=30.0, across="height")
    far_eye = 100.0 * _EYE / np.linalg.norm(_EYE)
    return [
        [
            ("30 degrees", seen(Perspective())),
            ("80 degrees, close", seen(Perspective(viewing_angle=40.0), 0.4 * _EYE)),
            ("orthographic", seen(Orthographic(view_size=1.5), far_eye)),
            ("off-centre", seen(Pinhole(size, corner))),
        ],
        [
            ("not square", seen(Pinhole(wide, height), image_size=wide)),
            ("crosses near: dropped", _floor(cut=False)),
            ("crosses near: cut", _floor(cut=True)),
        ],
    ]


def fits():
    """Returns cells, a row for each fit: its pictures, its start, its result."""
    return [_fitted_mesh(), _fitted_pose(), _fitted_texture(), _fitted_light()]


SHEETS = {
    "softness": softness,
    "surfaces": surfaces,
    "lights": lights,
    "cameras": cameras,
    "fits": fits,
}


def draw_sheet(name):
    """Returns uint8 `[height, width, 3]`: the sheet of that name in `SHEETS`, labelled."""
    rows = SHEETS[name]()
    widths = [sum(np.shape(cell)[1] + _GAP for _, cell in row) + _GAP for row in rows]
    step = _CELL + _LABEL + _GAP
    sheet = PIL.Image.new("RGB", (max(widths), len(rows) * step + _GAP), "white")
    draw = PIL.ImageDraw.Draw(sheet)
    for number, row in enumerate(rows):
        left, top = _GAP, number * step + _GAP
        for label, cell in row:
            draw.text((left, top), label, fill="black")
            pixels = np.rint(255.0 * np.clip(np.asarray(cell), 0.0, 1.0)).astype(np.uint8)
            sheet.paste(PIL.Image.fromarray(pixels), (left, top + _LABEL))
            left += pixels.shape[1] + _GAP
    return np.asarray(sheet)


def _three_balls():
    """Returns three balls, one behind the other seen from +z, and their colours."""
    ball = icosphere(2)
    centres = np.array([[-0.22, -0.12, 0.3], [0.0, 0.12, 0.0], [0.22, -0.12, -0.3]], np.float32)
    vertices = 0.3 * ball.vertices + centres[:, None]
    faces = ball.faces + len(ball.vertices) * np.arange(3)[:, None, None]
    colors = np.array([[0.9, 0.2, 0.1], [0.2, 0.7, 0.2], [0.1, 0.3, 0.9]], np.float32)
    mesh = Mesh(vertices.reshape(-1, 3), faces.reshape(-1, 3))
    return mesh, colors.repeat(len(ball.vertices), axis=0)


def _sample(name):
    """Returns an object of the sample with a vertex for each corner, and sRGB colours."""
    with tempfile.TemporaryDirectory() as folder:
        unpack_sample(folder)
        mesh = load_mesh(pathlib.Path(folder, name, "models", "model_normalized.obj")).normalized()
    faces = np.arange(mesh.faces.size, dtype=np.int32).reshape(-1, 3)
    colors = corner_colors(mesh)[..., :3].reshape(-1, 3)
    return Mesh(mesh.vertices[mesh.faces].reshape(-1, 3), faces), colors


def _globe():
    """Returns a texture: bands of latitude, squares of longitude, red at u = 0."""
    v, u = np.mgrid[31.5:-1:-1, 0.5:64] / [[[32]], [[64]]]
    squares = (np.floor(16 * u) + np.floor(8 * v)) % 2
    texture = np.stack([0.2 + 0.6 * squares, 0.3 + 0.5 * v, 0.9 - 0.6 * squares], axis=-1)
    texture[:, :4] = (0.9, 0.1, 0.1)
    return texture.astype(np.float32)


def _drawn(mesh, eyes=_EYE, image_size=_CELL, *, colors=None, textures=None, **options):
    """Returns arrays, the pictures of a mesh; of a single eye without a batch."""
    inputs = {"vertices": mesh.vertices, "colors": colors, "textures": textures}
    inputs = {
        name: np.repeat(value[None], len(eyes), axis=0)
        for name, value in inputs.items()
        if value is not None
    }
    renderer = Renderer(mesh.faces, image_size, **{**_SHARP, **options})
    outputs = renderer({**inputs, "eyes": eyes})
    return {name: value.numpy()[0 if len(eyes) == 1 else ...] for name, value in outputs.items()}


def _tiles(*, mipmaps):
    """Returns a floor of tiles to the horizon, one texture repeated, without supersampling."""
    x, z = 20.0, 40.0
    corners = np.array([[-x, 0, 2], [x, 0, 2], [x, 0, -z], [-x, 0, -z]], np.float32)
    uvs = np.stack([corners[:, 0], -corners[:, 2]], axis=-1) / 0.4
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    tiles = np.kron([[0.2, 0.8], [0.8, 0.2]], np.ones((16, 16)))[..., None] * np.ones(3)
    return _drawn(
        Mesh(corners, faces),
        np.array([[0.3, 0.5, 2.0]], np.float32),
        (_CELL, 2 * _CELL + _GAP),
        textures=tiles.astype(np.float32),
        face_uvs=uvs[faces],
        lighting=None,
        supersampling=1,
        mipmaps=mipmaps,
    )["image"]


def _floor(*, cut):
    """Returns a chequered floor from behind the camera to the horizon, of whole or cut faces."""
    x, z = np.meshgrid(np.arange(-6, 7), np.arange(-20, 2), indexing="ij")
    quads = np.stack([x, 0 * x - 0.5, z], axis=-1)
    a, b, c, d = (
        quads[i : i - 1 or None, j : j - 1 or None].reshape(-1, 3)
        for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))
    )
    vertices = np.stack([a, b, c, a, c, d], axis=1).reshape(-1, 3).astype(np.float32)
    shade = np.where((a[:, 0] + a[:, 2]) % 2, 0.25, 0.75).repeat(6)[:, None] * np.ones(3)
    faces = np.arange(len(vertices), dtype=np.int32).reshape(-1, 3)
    eye = np.array([[0.0, 0.0, 0.5]], np.float32)
    lens = Perspective(viewing_angle=45.0)
    at = (0.0, -0.35, -0.5)
    if cut:
        camera = LookAt(at=at)
        return _drawn(
            Mesh(vertices, faces), eye, colors=shade, lens=lens, camera=camera, lighting=None
        )["image"]
    plane = lens(look_at(vertices[None], eye, at=at))
    image, _ = soft_shade(
        plane,
        faces,
        shade[None],
        image_size=_CELL,
        sigma=1e-6,
        near=0.1,
        aggregation="hard",
        background=1.0,
    )
    return image[0]


def _around(count=12):
    return np.asarray(
        eye_from_angles(2.732, [35.0, -10.0] * (count // 2), 360 / count * np.arange(count))
    )


def _fitted_mesh():
    mesh, colors = _sample(_CABINET)
    eyes, ball = _around(), icosphere(3)
    # A pixel of the pictures is half as wide as one of the cells.
    seen = _drawn(mesh, eyes, _CELL // 2, colors=colors, background=None)
    template = Mesh(0.4 * ball.vertices, ball.faces)
    fit = fitting.fit_mesh(
        template,
        lambda v: perspective(look_at(v, eyes)),
        seen["alpha"],
        seen["image"],
        steps=250,
    )
    return [
        ("mesh: object", _drawn(mesh, colors=colors)["image"]),
        ("start", _drawn(template)["image"]),
        # The light of the pictures is in the fitted colours.
        ("fitted", _drawn(fit.mesh, colors=fit.vertex_colors, lighting=None)["image"]),
        ("its shape", _drawn(fit.mesh)["image"]),
    ]


def _fitted_pose():
    mesh, colors = _sample(_CABINET)
    eye = np.array([[0.0, 0.0, 2.732]], np.float32)
    truth = np.asarray(rotation_from_quaternion(np.array([0.1, 0.45, 0.05, 0.9], np.float32)))

    def seen(rotation, size=_CELL):
        turned = Mesh(mesh.vertices @ rotation.T, mesh.faces)
        return _drawn(turned, eye, size, colors=colors, lighting=None, background=None)

    target = seen(truth, 32)
    fit = fitting.fit_pose(
        mesh.vertices,
        mesh.faces,
        colors,
        lambda v: perspective(look_at(v, eye)),
        target["alpha"],
        target["image"],
        starts=4,
        steps=100,
    )
    rotations = (truth, fit.first_rotations[fit.best], fit.rotations[fit.best])
    images = [_on_white(seen(rotation)) for rotation in rotations]
    return list(zip(("pose: picture", "start", "found"), images, strict=True))


def _fitted_texture():
    ball = Mesh(0.5 * icosphere(3).vertices, icosphere(3).faces)
    uvs, eyes = spherical_uvs(ball), _around()
    options = {"face_uvs": uvs, "lighting": None}
    seen = _drawn(ball, eyes, 64, textures=_globe(), **options)
    fit = fitting.fit_texture(
        ball.vertices,
        ball.faces,
        uvs,
        lambda v: perspective(look_at(v, eyes)),
        seen["alpha"],
        seen["image"],
        texture_size=(32, 64),
    )
    tall = np.asarray(
        PIL.Image.fromarray(np.rint(255 * fit.texture).astype(np.uint8)).resize((2 * _CELL, _CELL))
    )
    return [
        ("texture: object", _drawn(ball, textures=_globe(), **options)["image"]),
        ("fitted", _drawn(ball, textures=fit.texture, **options)["image"]),
        ("fitted texture", tall / 255.0),
    ]


def _fitted_light():
    ball = Mesh(0.5 * icosphere(3).vertices, icosphere(3).faces)
    white, eyes = np.full_like(ball.vertices, 0.8), _around(4)
    lighting = LambertLighting(
        ambient=(0.05, 0.1, 0.2), directional=[DirectionalLight((-0.8, 0.6, 0.6), (0.9, 0.7, 0.3))]
    )
    seen = _drawn(ball, eyes, 64, colors=white, lighting=lighting)
    fit = fitting.fit_light(
        ball.vertices,
        ball.faces,
        white,
        lambda v: perspective(look_at(v, eyes)),
        seen["alpha"],
        seen["image"],
    )
    found = LambertLighting(ambient=fit.ambient, directional=[fit.sun])
    return [
        ("light: picture", _drawn(ball, colors=white, lighting=lighting)["image"]),
        ("found", _drawn(ball, colors=white, lighting=found)["image"]),
    ]


def _on_white(seen):
    alpha = seen["alpha"][..., None]
    return seen["image"] * alpha + (1.0 - alpha)
