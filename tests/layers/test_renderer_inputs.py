"""`renderer_inputs`: the picture is the one that `render_views` draws, and its textures learn."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_softras import geometry, layers, rendering
from tf_softras.geometry import Material, Mesh
from tf_softras.rendering import _render_views

RANDOM = np.random.default_rng(3)
BALL = geometry.icosphere(1)
EYES = np.float32(geometry.eye_from_angles(2.732, [20.0, 35.0], [100.0, 60.0]))


def picture(height, width):
    """A smooth texture: sampling it elsewhere by a rounding changes little."""
    coarse = RANDOM.uniform(0, 255, (4, 4, 3)).astype(np.float32)
    return np.uint8(np.rint(tf.image.resize(coarse, (height, width)).numpy()))


def quads(materials, **surfaces):
    """Squares of the plane z = 0 beside one another, a material each; uvs leave [0, 1]."""
    vertices, faces, uvs = [], [], []
    for number in range(len(materials)):
        x = 0.4 * number - 0.2 * len(materials)
        vertices += [[x, -0.3, 0], [x + 0.4, -0.3, 0], [x + 0.4, 0.3, 0], [x, 0.3, 0]]
        faces += [[4 * number + i for i in corners] for corners in ((0, 1, 2), (0, 2, 3))]
        corners = 1.7 * np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) - 0.3
        uvs += [corners[[0, 1, 2]], corners[[0, 2, 3]]]
    return Mesh(
        vertices,
        faces,
        materials=materials,
        face_materials=np.repeat(np.arange(len(materials)), 2),
        uvs=uvs,
        **surfaces,
    )


MATERIALS = (
    Material(texture=picture(32, 32)),
    Material(color=(0.9, 0.3, 0.1)),
    Material(color=(0.2, 0.9, 0.6), texture=picture(32, 32)),
)
MESHES = {
    "materials": quads(MATERIALS),
    "materials and face colours": quads(MATERIALS, face_colors=RANDOM.uniform(0.3, 1, (6, 3))),
    "a texture and plain vertices": quads(MATERIALS[:1], vertex_colors=[[0.5, 0.9, 0.2]] * 4),
    "base colours": quads(MATERIALS[1:2] * 2),
    "vertex colours": Mesh(
        0.5 * BALL.vertices, BALL.faces, vertex_colors=np.full((42, 3), [0.2, 0.4, 0.9])
    ),
    "nothing": Mesh(0.5 * BALL.vertices, BALL.faces),
}


def drawn(mesh, image_size=64, **options):
    arguments, inputs = layers.renderer_inputs(mesh)
    mipmaps = "textures" in inputs
    options = {"lighting": None, "aggregation": "hard", "mipmaps": mipmaps, **options}
    renderer = layers.Renderer(**arguments, image_size=image_size, **options)
    return renderer({**inputs, "eyes": EYES})["image"].numpy()


@pytest.fixture
def unlit(monkeypatch):
    """`render_views` shows colours as they are."""
    ones = lambda mesh, eyes: np.ones((len(eyes), len(mesh.faces)), np.float32)  # noqa: E731
    monkeypatch.setattr(_render_views, "_light", ones)


@pytest.mark.parametrize("name", MESHES)
def test_the_picture_is_that_of_render_views(unlit, name):
    mesh = MESHES[name]
    expected = rendering.render_views(
        mesh, EYES, image_size=64, supersampling=1, background=(1, 1, 1)
    )
    seen = 255.0 * drawn(mesh)
    assert (expected[..., :3] < 250).any(axis=-1).mean() > 0.05
    # One unit by rounding to bytes; single pixels lie on an edge for one of the two alone.
    wrong = np.abs(seen - expected[..., :3]).max(axis=-1) > 1.01
    assert wrong.mean() < 0.002


def test_soft_edges_show_the_same_surface():
    mesh = MESHES["materials"]
    hard, soft = drawn(mesh), drawn(mesh, aggregation="soft")
    # They differ along outlines, half a pixel on either side.
    assert np.median(np.abs(hard - soft)) == 0.0 and np.abs(hard - soft).mean() < 0.02


def test_textures_of_other_sizes_are_resampled_to_the_largest():
    materials = [Material(texture=picture(*size)) for size in ((16, 32), (32, 8))]
    _, inputs = layers.renderer_inputs(quads(materials))
    assert inputs["textures"].shape == (1, 2, 32, 32, 3)
    _, inputs = layers.renderer_inputs(quads(materials), max_texture_size=16)
    assert inputs["textures"].shape == (1, 2, 16, 16, 3)
    plain = [Material(texture=np.full((*size, 3), 51, np.uint8)) for size in ((3, 5), (8, 2))]
    _, inputs = layers.renderer_inputs(quads(plain))
    np.testing.assert_allclose(inputs["textures"], 0.2, atol=1e-5)


def test_textures_and_colors_learn():
    arguments, inputs = layers.renderer_inputs(MESHES["materials"])
    renderer = layers.Renderer(**arguments, image_size=24, lighting=None)
    learned = {name: tf.Variable(inputs[name]) for name in ("textures", "colors")}
    with tf.GradientTape() as tape:
        image = renderer({**inputs, **learned, "eyes": EYES})["image"]
        loss = tf.reduce_sum(image**2)
    gradients = tape.gradient(loss, learned)
    assert np.abs(gradients["textures"]).max(axis=(0, 2, 3, 4)).min() > 0.0
    by_face = np.abs(gradients["colors"]).max(axis=(0, 2, 3))
    assert by_face.shape == (6,) and by_face.min() > 0.0


def test_a_configuration_keeps_the_choice_of_textures():
    arguments, inputs = layers.renderer_inputs(MESHES["materials"])
    renderer = layers.Renderer(**arguments, image_size=8)
    again = layers.Renderer.from_config(renderer.get_config())
    np.testing.assert_array_equal(again.face_textures, [0, 0, -1, -1, 1, 1])
    seen = {name: keras.Input(array.shape[1:]) for name, array in inputs.items()}
    assert again({**seen, "eyes": keras.Input((3,))})["image"].shape == (None, 8, 8, 3)


def test_glass_is_refused_unless_it_may_be_drawn_opaque():
    mesh = quads([Material(opacity=0.4), Material()])
    with pytest.raises(ValueError, match="mesh: expected opaque.*received 2 of 4 faces"):
        layers.renderer_inputs(mesh)
    _, inputs = layers.renderer_inputs(mesh, ignore_opacity=True)
    np.testing.assert_array_equal(inputs["colors"], 1.0)


def test_two_ways_to_go_on_beyond_a_texture_are_refused():
    clamped = Material(texture=picture(8, 8), wrap="clamp")
    with pytest.raises(ValueError, match="materials: expected one wrap.*'repeat' of material 0"):
        layers.renderer_inputs(quads([MATERIALS[0], clamped]))


@pytest.mark.parametrize(
    "arguments, inputs, message",
    [
        (
            {},
            {"colors": np.ones((1, 5, 3))},
            r"colors: expected shape \[batch, 12, 3\].*\[1, 5, 3\]",
        ),
        ({}, {"textures": np.ones((1, 8, 8, 3))}, r"textures: expected shape.*num_textures"),
        (
            {},
            {"textures": np.ones((1, 1, 8, 8, 3))},
            "textures: expected a known number, at least 2",
        ),
        ({"face_textures": [0, 1]}, {}, r"face_textures: expected.*\(6,\).*\(2,\)"),
        ({"face_textures": [-2] * 6}, {}, "face_textures: expected"),
        ({"face_uvs": None}, {}, "face_textures: expected face_uvs"),
    ],
)
def test_bad_surfaces_are_refused(arguments, inputs, message):
    good, drawn = layers.renderer_inputs(MESHES["materials"])
    with pytest.raises(ValueError, match=message):
        layers.Renderer(**{**good, **arguments}, image_size=8)({**drawn, **inputs, "eyes": EYES})


def test_vertices_in_place_of_a_mesh_are_named():
    with pytest.raises(TypeError, match="mesh: expected a tf_softras.geometry.Mesh; received nd"):
        layers.renderer_inputs(BALL.vertices)
