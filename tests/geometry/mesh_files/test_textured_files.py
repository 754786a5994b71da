"""Textured and coloured meshes, written by the package and read by trimesh."""

import numpy as np
import PIL.Image
import pytest
import trimesh

from tf_softras.geometry import Material, Mesh, save_mesh
from tf_softras.geometry.colors import DEFAULT_COLOR

SQUARE = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
FACES = [[0, 1, 2], [0, 2, 3]]
UVS = [[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]]]


def checks(channels=3):
    """A texture whose four quarters differ, so that a mirrored or turned one does too."""
    texture = np.full((4, 6, channels), 255, np.uint8)
    texture[:2, :3, :3], texture[:2, 3:, :3] = (255, 0, 0), (0, 255, 0)
    texture[2:, :3, :3], texture[2:, 3:, :3] = (0, 0, 255), (200, 100, 50)
    if channels == 4:
        texture[0, 0, 3] = 90
    return texture


def textured(channels=3, **material):
    texture = checks(channels)
    return Mesh(SQUARE, FACES, materials=[Material(texture=texture, **material)], uvs=UVS)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("suffix", ["glb", "obj"])
def test_trimesh_reads_the_texture_and_where_it_lies(tmp_path, suffix, channels):
    mesh = textured(channels, name="paint")
    save_mesh(tmp_path / f"mesh.{suffix}", mesh)
    read = trimesh.load_mesh(tmp_path / f"mesh.{suffix}", process=False)
    material = read.visual.material
    picture = material.baseColorTexture if suffix == "glb" else material.image
    np.testing.assert_array_equal(np.asarray(picture), mesh.materials[0].texture)
    corners = read.vertices[read.faces]
    # trimesh's v goes up in both formats, as ours does: on this square (u, v) is (x, y).
    np.testing.assert_allclose(read.visual.uv[read.faces], corners[..., :2], atol=1e-7)
    np.testing.assert_allclose(corners, mesh.vertices[mesh.faces])


def test_a_seam_divides_the_vertices_that_lie_on_it_in_gltf_and_none_in_obj(tmp_path):
    torn = np.array(UVS, np.float32)
    torn[1] += 2.0
    mesh = Mesh(SQUARE, FACES, materials=[Material(texture=checks())], uvs=torn)
    for suffix in ("glb", "obj"):
        save_mesh(tmp_path / f"mesh.{suffix}", mesh)
        read = trimesh.load_mesh(tmp_path / f"mesh.{suffix}", process=False)
        np.testing.assert_allclose(read.visual.uv[read.faces], torn, atol=1e-6)
        assert len(read.vertices) == 6
    lines = (tmp_path / "mesh.obj").read_text().splitlines()
    assert sum(line.startswith("v ") for line in lines) == 4


def test_each_material_is_a_part_with_its_linear_colour_and_opacity(tmp_path):
    materials = [Material(color=(1.0, 0.5, 0.0)), Material(color=(0, 0, 1), opacity=0.25)]
    mesh = Mesh(SQUARE, FACES, materials=materials, face_materials=[0, 1])
    save_mesh(tmp_path / "mesh.glb", mesh)
    parts = trimesh.load_scene(tmp_path / "mesh.glb", process=False).geometry.values()
    seen = [
        (part.visual.material.baseColorFactor, part.visual.material.alphaMode) for part in parts
    ]
    # 0.5 on the screen is 0.21404 of the light: 55 of 255.
    np.testing.assert_array_equal(seen[0][0], [255, 55, 0, 255])
    np.testing.assert_array_equal(seen[1][0], [0, 0, 255, 64])
    assert seen[0][1] in (None, "OPAQUE") and seen[1][1] == "BLEND"


def test_a_mesh_without_colours_is_grey_in_other_programs_too(tmp_path):
    save_mesh(tmp_path / "mesh.glb", Mesh(SQUARE, FACES))
    read = trimesh.load_mesh(tmp_path / "mesh.glb", process=False)
    linear = ((DEFAULT_COLOR[0] + 0.055) / 1.055) ** 2.4
    np.testing.assert_allclose(read.visual.material.baseColorFactor[:3], 255 * linear, atol=0.5)


def test_a_cut_out_is_a_mask_and_a_clamped_texture_stays_clamped(tmp_path):
    mesh = textured(4, alpha_cutoff=0.5, wrap="clamp")
    save_mesh(tmp_path / "mesh.glb", mesh)
    material = trimesh.load_mesh(tmp_path / "mesh.glb", process=False).visual.material
    assert material.alphaMode == "MASK" and material.alphaCutoff == 0.5
    save_mesh(tmp_path / "mesh.obj", mesh)
    assert "map_Kd -clamp on mesh_0.png" in (tmp_path / "mesh.mtl").read_text()
    assert PIL.Image.open(tmp_path / "mesh_0.png").mode == "RGBA"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"color": (1, 0)}, r"color: expected three values in \[0, 1\]; received \(1, 0\)"),
        ({"color": (0, 0, 2)}, "color: expected three values"),
        ({"opacity": 1.5}, r"opacity: expected a number in \[0, 1\]; received 1.5"),
        ({"alpha_cutoff": float("nan")}, "alpha_cutoff: expected a number"),
        ({"wrap": "mirror"}, "wrap: expected one of .*'mirror'"),
        ({"texture": np.zeros((2, 2, 3))}, r"texture: expected uint8 .*float64 \[2, 2, 3\]"),
        ({"texture": np.zeros((2, 2), np.uint8)}, r"texture: expected uint8 .*\[2, 2\]"),
        ({"texture": np.zeros((0, 2, 3), np.uint8)}, "texture: expected texels"),
    ],
)
def test_an_invalid_material_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Material(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"materials": [1]}, r"materials: expected Material objects; received \['int'\]"),
        ({"materials": [Material()] * 2}, "face_materials: expected the material of each face"),
        ({"face_materials": [0, 0]}, r"face_materials: expected indices into 0 materials, or -1"),
        ({"materials": [Material()], "face_materials": [0]}, r"face_materials: .*int64 \[1\]"),
        ({"uvs": np.zeros((2, 3))}, r"uvs: expected \[2, 3, 2\].*received \[2, 3\]"),
        ({"uvs": np.full((2, 3, 2), np.nan)}, "uvs: expected finite numbers.*at face 0"),
        ({"materials": [Material(texture=checks())]}, "uvs: expected texture coordinates"),
    ],
)
def test_an_invalid_surface_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Mesh(SQUARE, FACES, **arguments)
