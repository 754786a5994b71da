"""Files as other programs write them: each form was once read wrongly, and is small here."""

import io
import logging
import struct
import tracemalloc

import numpy as np
import PIL.Image
import pytest

from tests.geometry.mesh_files.gltf_files import GlbFile
from tf_softras.geometry import MeshFileError, load_mesh
from tf_softras.geometry.surfaces import corner_colors, face_colors

SQUARE = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
FACES = [0, 1, 2, 0, 2, 3]
BESIDE = {"translation": [3, 0, 0]}


@pytest.fixture
def load(tmp_path):
    """Writes files, the mesh last, and reads the mesh; gives the warnings too."""

    def load_files(name, content, **others):
        for other, data in others.items():
            path = tmp_path / other.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data if isinstance(data, bytes) else data.encode())
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load_mesh(path)

    return load_files


def png(color=(200, 100, 50), size=(4, 4), mode="RGB"):
    stream = io.BytesIO()
    PIL.Image.new(mode, size, color).save(stream, format="PNG")
    return stream.getvalue()


def area(mesh):
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces].astype(np.float64), 1, 0)
    return np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2


def box(mesh):
    return np.ptp(mesh.vertices, axis=0)


# ---- binary glTF ---------------------------------------------------------------------------------


def test_colours_of_sixteen_bits_keep_their_high_byte(load):
    file = GlbFile()
    # 0.2140 of the light is 0.5 on the screen.
    colors = np.tile(np.uint16([65535, 0, round(0.21404 * 65535), 65535]), (4, 1))
    file.part(SQUARE, FACES, COLOR_0=file.accessor(colors, normalized=True))
    mesh = load("mesh.glb", file.content())
    np.testing.assert_allclose(mesh.vertex_colors, [[1, 0, 0.5]] * 4, atol=1e-4)


def test_quantised_positions_are_the_numbers_they_stand_for(load):
    file = GlbFile()
    file.tree["extensionsRequired"] = ["KHR_mesh_quantization"]
    points = np.zeros((4, 4), np.int16)  # A row of 8 bytes: positions lie 4 bytes apart at least.
    points[:, :3] = np.int16(SQUARE) * 32767
    view = file.view(points.tobytes(), byteStride=8)
    file.tree["accessors"].append(
        {"bufferView": view, "componentType": 5122, "count": 4, "type": "VEC3", "normalized": True}
    )
    file.part(0, FACES)
    file.part(0, FACES, node=BESIDE)
    mesh = load("mesh.glb", file.content())
    np.testing.assert_allclose(box(mesh), [4, 1, 0])
    assert mesh.faces.shape == (4, 3)


def test_a_sparse_morph_target_of_weight_nothing_does_not_matter(load):
    file = GlbFile()
    primitive = file.part(SQUARE, FACES)
    sparse = {
        "count": 1,
        "indices": {"bufferView": file.view(b"\0\0\0\0"), "componentType": 5123},
        "values": {"bufferView": file.view(np.float32([9, 9, 9]).tobytes())},
    }
    file.tree["accessors"].append(
        {"componentType": 5126, "count": 4, "type": "VEC3", "sparse": sparse}
    )
    primitive["targets"] = [{"POSITION": len(file.tree["accessors"]) - 1}]
    file.tree["meshes"][0]["weights"] = [0]
    np.testing.assert_allclose(box(load("mesh.glb", file.content())), [1, 1, 0])
    # In use it counts: corner 0 moves to (9, 9, 9).
    primitive["attributes"]["POSITION"] = len(file.tree["accessors"]) - 1
    np.testing.assert_array_equal(load("mesh.glb", file.content()).vertices[0], [9, 9, 9])


def test_parts_with_colours_and_parts_with_materials_keep_both(load):
    file = GlbFile()
    red = file.accessor(np.tile(np.uint8([255, 0, 0, 255]), (4, 1)), normalized=True)
    blue = file.material((0, 0, 1, 1))
    file.part(SQUARE, FACES, COLOR_0=red)
    file.part(SQUARE, FACES, node=BESIDE, material=blue)
    file.part(SQUARE, FACES, node={"translation": [6, 0, 0]})
    colors = face_colors(load("mesh.glb", file.content()))
    expected = [[1, 0, 0]] * 2 + [[0, 0, 1]] * 2 + [[0.7] * 3] * 2
    np.testing.assert_allclose(colors, expected, atol=1e-6)


def test_base_colours_are_turned_from_linear_to_srgb(load):
    file = GlbFile()
    file.part(SQUARE, FACES, material=file.material((1, 0, 0.21404, 1)))
    file.part(SQUARE, FACES, node=BESIDE, material=file.material((0, 0, 1, 1)))
    colors = face_colors(load("mesh.glb", file.content()))
    np.testing.assert_allclose(colors, [[1, 0, 0.5]] * 2 + [[0, 0, 1]] * 2, atol=1e-4)


def test_colour_factor_texture_and_vertex_colour_multiply(load):
    file = GlbFile()
    half = np.tile(np.uint8([128, 255, 255, 255]), (4, 1))
    file.part(
        SQUARE,
        FACES,
        material=file.material((1, 0.5, 1, 1), texture=png((255, 255, 128))),
        COLOR_0=file.accessor(half, normalized=True),
        TEXCOORD_0=file.accessor(np.float32(SQUARE)[:, :2]),
    )
    mesh = load("mesh.glb", file.content())
    # Each channel has one factor: 128 of 255 of the light, half of it, and sRGB 128.
    expected = [0.7366, 0.7354, 128 / 255]
    np.testing.assert_allclose(face_colors(mesh), [expected] * 2, atol=2e-3)


@pytest.mark.parametrize(
    ("mode", "alpha", "cutoff"), [("OPAQUE", 1.0, None), ("BLEND", 0.25, None), ("MASK", 0.25, 0.5)]
)
def test_alpha_modes_say_what_opacity_means(load, mode, alpha, cutoff):
    file = GlbFile()
    material = file.material((1, 1, 1, 0.25), alphaMode=mode)
    file.part(SQUARE, FACES, material=material)
    (material,) = load("mesh.glb", file.content()).materials
    assert (material.opacity, material.alpha_cutoff) == (alpha, cutoff)


def test_a_texture_transform_moves_the_texture(load):
    file = GlbFile()
    # The specification's example: the lower left quarter, turned clockwise by 90 degrees.
    moved = {"offset": [0, 1], "rotation": np.pi / 2, "scale": [0.5, 0.5]}
    info = {"extensions": {"KHR_texture_transform": moved}}
    file.part(
        SQUARE,
        FACES,
        material=file.material(texture=png(), info=info),
        TEXCOORD_0=file.accessor(np.float32(SQUARE)[:, :2]),
    )
    uvs = load("mesh.glb", file.content()).uvs
    assert uvs.min() == pytest.approx(0, abs=1e-6) and uvs.max() == pytest.approx(0.5, abs=1e-6)
    # glTF's (1, 0), the picture's upper right, comes from v 0.5 down and u 0: half up on the left.
    np.testing.assert_allclose(uvs[0, 1], [0, 0.5], atol=1e-6)


def test_the_second_set_of_texture_coordinates_can_be_chosen(load):
    file = GlbFile()
    file.part(
        SQUARE,
        FACES,
        material=file.material(texture=png(), info={"texCoord": 1}),
        TEXCOORD_0=file.accessor(np.zeros((4, 2), np.float32)),
        TEXCOORD_1=file.accessor(np.uint16(SQUARE)[:, :2] * 65535, normalized=True),
    )
    uvs = load("mesh.glb", file.content()).uvs
    np.testing.assert_allclose(uvs[0], [[0, 1], [1, 1], [1, 0]])


@pytest.mark.parametrize("mode, indices", [(5, [0, 1, 3, 2]), (6, [0, 1, 2, 3])])
def test_strips_and_fans_of_triangles_are_faces(load, mode, indices):
    file = GlbFile()
    file.part(SQUARE, indices, mode=mode)
    mesh = load("mesh.glb", file.content())
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces], 1, 0)
    # Both look to +z: a strip's second triangle is turned.
    np.testing.assert_allclose(np.cross(b - a, c - a), [[0, 0, 1]] * 2)


def test_a_mirrored_node_is_not_inside_out(load):
    file = GlbFile()
    file.part(SQUARE, FACES, node={"scale": [-1, 1, 1]})
    mesh = load("mesh.glb", file.content())
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces], 1, 0)
    np.testing.assert_allclose(np.cross(b - a, c - a), [[0, 0, 1]] * 2)


def test_without_a_scene_all_root_nodes_are_shown(load):
    file = GlbFile()
    file.part(SQUARE, FACES)
    file.part(SQUARE, FACES, node=BESIDE)
    del file.tree["scenes"], file.tree["scene"]
    np.testing.assert_allclose(box(load("mesh.glb", file.content())), [4, 1, 0])


def test_a_scene_that_shows_nothing_is_told(load):
    file = GlbFile()
    file.part(SQUARE, FACES)
    file.tree["scenes"] = [{"nodes": []}]
    with pytest.raises(MeshFileError, match="scene shows at least one face; received 0"):
        load("mesh.glb", file.content())


def test_overlapping_elements_cannot_grow_a_small_file(load):
    file = GlbFile()
    file.part(SQUARE, FACES)
    view = file.view(bytes(20_000), byteStride=1)
    matrices = {"bufferView": view, "componentType": 5126, "count": 19_000, "type": "MAT4"}
    file.tree["accessors"] += [matrices] * 340
    tracemalloc.start()
    try:
        with pytest.raises(MeshFileError, match="byteStride from 4 to 252 in bufferView 2"):
            load("mesh.glb", file.content())
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()
    file.tree["bufferViews"][view]["byteStride"] = 4
    with pytest.raises(MeshFileError, match="do not overlap in accessor 2, 64 bytes each"):
        load("mesh.glb", file.content())


@pytest.mark.parametrize(
    "extension", ["KHR_draco_mesh_compression", "EXT_meshopt_compression", "ACME_secret"]
)
def test_a_required_extension_that_is_unknown_is_refused_by_name(load, extension):
    file = GlbFile()
    file.part(SQUARE, FACES)
    file.tree["extensionsRequired"] = [extension]
    with pytest.raises(MeshFileError, match=f"requires {extension}"):
        load("mesh.glb", file.content())


def test_textures_have_a_limit_before_they_are_decoded(load, tmp_path):
    file = GlbFile()
    uvs = file.accessor(np.float32(SQUARE)[:, :2])
    large = png(size=(3000, 3000))
    file.part(SQUARE, FACES, material=file.material(texture=large), TEXCOORD_0=uvs)
    load("mesh.glb", file.content())
    with pytest.raises(MeshFileError, match="at most 8000000 pixels in all.*received 9000000"):
        load_mesh(tmp_path / "mesh.glb", max_texture_pixels=8_000_000)


# ---- PLY -----------------------------------------------------------------------------------------


def ply(header, body):
    return f"ply\nformat ascii 1.0\n{header}end_header\n{body}"


XYZ = "property float x\nproperty float y\nproperty float z\n"
RGB = "property uchar red\nproperty uchar green\nproperty uchar blue\n"
LIST = "property list uchar int vertex_indices\n"


def test_ply_keeps_vertex_colours_beside_texture_coordinates(load):
    header = f"element vertex 3\n{XYZ}property float s\nproperty float t\n{RGB}"
    header += f"property uchar alpha\nelement face 1\n{LIST}"
    body = "0 0 0 0 0 255 0 0 255\n1 0 0 1 0 0 255 0 255\n0 1 0 0 1 0 0 255 255\n3 0 1 2\n"
    mesh = load("mesh.ply", ply(header, body))
    np.testing.assert_array_equal(mesh.vertex_colors, np.eye(3))
    np.testing.assert_array_equal(mesh.uvs, [[[0, 0], [1, 0], [0, 1]]])


@pytest.mark.parametrize("kind, largest", [("ushort", 65535), ("float", 1), ("uint8", 255)])
def test_ply_colours_of_any_type_and_name_are_read(load, kind, largest):
    names = [f"property {kind} diffuse_{name}\n" for name in ("red", "green", "blue")]
    header = f"element vertex 3\n{XYZ}{''.join(names)}element face 1\n{LIST}"
    body = f"0 0 0 {largest} 0 0\n1 0 0 0 {largest} 0\n0 1 0 0 0 {largest}\n3 0 1 2\n"
    np.testing.assert_array_equal(load("mesh.ply", ply(header, body)).vertex_colors, np.eye(3))


def test_ply_quads_keep_the_colours_of_faces_and_blank_lines_do_not_matter(load):
    header = f"element vertex 6\n{XYZ}element face 2\n{LIST}{RGB}"
    body = "0 0 0\n1 0 0\n\n1 1 0\n0 1 0\n2 0 0\n2 1 0\n"
    body += "4 0 1 2 3 255 0 0\n\n4 1 4 5 2 0 0 255\n"
    mesh = load("mesh.ply", ply(header, body))
    np.testing.assert_array_equal(mesh.face_colors, [[1, 0, 0]] * 2 + [[0, 0, 1]] * 2)


def test_a_concave_polygon_has_its_area_in_every_format(load):
    points = "0 0 0\n3 0 0\n3 3 0\n2 1 0\n"
    header = f"element vertex 4\n{XYZ}element face 1\n{LIST}"
    obj = "".join(f"v {line}\n" for line in points.splitlines())
    for name, text in (
        ("a.ply", ply(header, points + "4 0 1 2 3\n")),
        ("a.off", f"OFF\n4 1 0\n{points}4 0 1 2 3\n"),
        ("a.obj", obj + "f 1 2 3 4\n"),
    ):
        assert area(load(name, text)) == pytest.approx(3.0), name


@pytest.mark.parametrize("order", ["little", "big"])
def test_binary_faces_of_different_size_are_read(load, order):
    mark = {"little": "<", "big": ">"}[order]
    header = f"ply\nformat binary_{order}_endian 1.0\nelement vertex 5\n{XYZ}element face 2\n"
    header += f"{LIST}{RGB}end_header\n"
    points = np.array([*SQUARE, [2, 0, 0]], mark + "f4").tobytes()
    faces = struct.pack(f"{mark}B4i3B", 4, 0, 1, 2, 3, 255, 0, 0)
    faces += struct.pack(f"{mark}B3i3B", 3, 1, 4, 2, 0, 0, 255)
    mesh = load("mesh.ply", header.encode() + points + faces)
    assert area(mesh) == pytest.approx(1.5)
    np.testing.assert_array_equal(mesh.face_colors, [[1, 0, 0], [1, 0, 0], [0, 0, 1]])
    with pytest.raises(MeshFileError, match="2 rows of the element 'face'.*cut off"):
        load("cut.ply", (header.encode() + points + faces)[:-5])


def test_triangle_strips_of_scanners_are_faces(load):
    header = f"element vertex 6\n{XYZ}element tristrips 1\nproperty list int int vertex_indices\n"
    points = "0 0 0\n1 0 0\n0 1 0\n1 1 0\n5 0 0\n5 1 0\n"
    mesh = load("mesh.ply", ply(header, points + "8 0 1 2 3 -1 1 4 3\n"))
    assert mesh.faces.tolist() == [[0, 1, 2], [2, 1, 3], [1, 4, 3]]


def test_meshlabs_texture_lies_where_its_corners_say(load):
    header = f"comment TextureFile wood.png\nelement vertex 3\n{XYZ}element face 1\n{LIST}"
    header += "property list uchar float texcoord\n"
    body = "0 0 0\n1 0 0\n0 1 0\n3 0 1 2 6 0 0 1 0 0.25 1\n"
    mesh = load("mesh.ply", ply(header, body), **{"wood.png": png()})
    np.testing.assert_array_equal(mesh.uvs, [[[0, 0], [1, 0], [0.25, 1]]])
    assert (mesh.materials[0].texture == [200, 100, 50]).all()


@pytest.mark.parametrize(
    "body",
    ["0 0 0\n1 0 0\n1 1 0\n3 0 1 2\n3 0 2", "0 0 0\n1 0 0\n1 1 0\n3 0 1 2\n3 0 2 1\n3 0 1 2\n"],
    ids=["cut in a line", "more than it says"],
)
def test_a_ply_text_that_holds_other_counts_than_it_says_is_refused(load, body):
    header = f"element vertex 3\n{XYZ}element face 2\n{LIST}"
    with pytest.raises(MeshFileError, match="as (the header|it) says"):
        load("mesh.ply", ply(header, body))


# ---- OFF -----------------------------------------------------------------------------------------


def test_off_keeps_the_colours_of_vertices(load):
    text = "COFF\n3 1 0\n0 0 0 255 0 0 255\n1 0 0 0 255 0 255\n0 1 0 0 0 255 255\n3 0 1 2\n"
    np.testing.assert_array_equal(load("mesh.off", text).vertex_colors, np.eye(3))


def test_off_keeps_the_colours_of_faces(load):
    text = "OFF\n4 3 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n"
    text += "3 0 1 2 1.0 0.0 0.0\n3 0 2 3 0.0 0.0 1.0 0.5\n3 0 1 3\n"
    colors = load("mesh.off", text).face_colors
    np.testing.assert_allclose(colors, [[1, 0, 0, 1], [0, 0, 1, 0.5], [0.7, 0.7, 0.7, 1]])
    by_bytes = text.replace("1.0", "255").replace("0.5", "127").replace("0.0", "0")
    colors = load("mesh.off", by_bytes).face_colors
    np.testing.assert_allclose(colors[1], [0, 0, 1, 127 / 255], atol=1e-6)


def test_off_of_polygons_of_different_size_is_read(load):
    text = "off\n5 2 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n-.5 .5 0\n5 0 1 2 3 4\n3 0 1 2\n"
    mesh = load("mesh.off", text)
    assert mesh.faces.shape == (4, 3) and area(mesh) == pytest.approx(1.75)


def test_off_in_free_form_with_comments_is_read(load):
    text = "OFF # a square\n\n4 2 5 0 0\n0 1 0 0\n1 1\n0 0 1 0 # last\n3 0 1\n2 3 0 2 3\n"
    assert area(load("mesh.off", text)) == pytest.approx(1.0)


@pytest.mark.parametrize("count", [2, 2_000_000_000])
def test_off_with_fewer_faces_than_it_says_is_refused(load, count):
    text = f"OFF\n4 {count} 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n3 0 1 2\n"
    with pytest.raises(MeshFileError, match=f"{count} faces that the header says"):
        load("mesh.off", text)


def test_off_with_more_faces_than_it_says_is_refused(load):
    text = "OFF\n4 1 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n3 0 1 2\n3 0 2 3\n"
    with pytest.raises(MeshFileError, match="1 faces, as the header says; received 4 numbers more"):
        load("mesh.off", text)


# ---- STL -----------------------------------------------------------------------------------------


def stl(count, triangles, *, attribute=0, header=b""):
    body = np.float32(triangles).reshape(-1, 3, 3)
    parts = [struct.pack("<3f", 0, 0, 0) + one.tobytes() + struct.pack("<H", attribute)
             for one in body]  # fmt: skip
    return header.ljust(80, b"\0") + struct.pack("<I", count) + b"".join(parts)


TWO = [[SQUARE[0], SQUARE[1], SQUARE[2]], [SQUARE[0], SQUARE[2], SQUARE[3]]]


@pytest.mark.parametrize("count", [0, 1, 3, 2**32 - 1])
def test_stl_of_another_number_of_triangles_than_it_says_is_refused(load, count):
    message = f"the {count} triangles that its header says; received 184 bytes, room for 2"
    with pytest.raises(MeshFileError, match=message):
        load("mesh.stl", stl(count, TWO))


def test_stl_colours_of_fifteen_bits_are_kept(load):
    # VisCAM: bit 15 says that there is a colour, blue in the lowest bits.
    mesh = load("mesh.stl", stl(2, TWO, attribute=1 << 15 | 31 << 10))
    np.testing.assert_array_equal(mesh.face_colors, [[1, 0, 0]] * 2)
    # Magics: bit 15 asks for the colour of the whole, which the header has.
    header = b"COLOR=" + bytes([0, 255, 0, 255])
    mesh = load("mesh.stl", stl(2, TWO, attribute=1 << 15, header=header))
    np.testing.assert_array_equal(mesh.face_colors, [[0, 1, 0]] * 2)
    assert load("mesh.stl", stl(2, TWO)).face_colors is None


# ---- OBJ and MTL ---------------------------------------------------------------------------------

RED_TRIANGLE = "usemtl R\nv 0 0 0\nv 3 0 0\nv 3 3 0\nf 1 2 3\n"


@pytest.mark.parametrize(
    "library",
    [
        "newmtl R\nKd 1 0 0 # hi\n",
        "newmtl R # red\nKd 1 0 0\n",
        "newmtl R\nKd 1 0 0 1\n",
        b"\xef\xbb\xbfnewmtl R\nKd 1 0 0\n",
        "newmtl R\r\n\tkd 1.0 0.0 0.0\r\n",
    ],
    ids=["comment", "comment behind a name", "four numbers", "byte order mark", "Windows"],
)
def test_a_red_material_is_red(load, library):
    mesh = load("mesh.obj", "mtllib a.mtl\n" + RED_TRIANGLE, **{"a.mtl": library})
    np.testing.assert_array_equal(face_colors(mesh), [[1, 0, 0]])


@pytest.mark.parametrize("name", ["sub\\a.mtl", ".\\sub\\a.mtl", "sub/a.mtl # red"])
def test_libraries_are_found_by_paths_as_windows_has_them(load, name):
    library = {"sub__a.mtl": "newmtl R\nKd 1 0 0\n"}
    mesh = load("mesh.obj", f"mtllib {name}\n" + RED_TRIANGLE, **library)
    np.testing.assert_array_equal(face_colors(mesh), [[1, 0, 0]])


def test_colours_behind_coordinates_are_those_of_vertices(load):
    text = "v 0 0 0 1 0 0\nv 3 0 0 0 1 0\nv 3 3 0 0 0 1\nf 1 2 3\n"
    np.testing.assert_array_equal(load("mesh.obj", text).vertex_colors, np.eye(3))
    by_bytes = text.replace(" 1 0 0\n", " 255 0 0\n")
    np.testing.assert_array_equal(load("mesh.obj", by_bytes).vertex_colors[0], [1, 0, 0])


TEXTURED = (
    "usemtl R\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nvt 5 5\nf 1/1 2/2 3/3\n"
    "f 1/4 2/2 3/3\n"
)


@pytest.mark.parametrize(
    ("line", "uvs"),
    [
        ("map_Kd wood.png", [[0, 0], [1, 0], [0, 1]]),
        ("map_Kd -s 2 3 1 -o 0.5 0 wood.png", [[0.5, 0], [2.5, 0], [0.5, 3]]),
        ("map_Kd -clamp on -bm 0.5 -mm 0 1 -blendu off wood.png", [[0, 0], [1, 0], [0, 1]]),
        ("map_Kd .\\wood.png # a comment", [[0, 0], [1, 0], [0, 1]]),
        ("MAP_KD wood.png", [[0, 0], [1, 0], [0, 1]]),
    ],
)
def test_a_texture_is_read_with_its_options(load, line, uvs):
    files = {"a.mtl": f"newmtl R\nKd 1 1 1\n{line}\n", "wood.png": png()}
    mesh = load("mesh.obj", "mtllib a.mtl\n" + TEXTURED, **files)
    np.testing.assert_allclose(mesh.uvs[0], uvs)
    (material,) = mesh.materials
    assert (material.texture == [200, 100, 50]).all()
    assert material.wrap == ("clamp" if "clamp" in line else "repeat")


@pytest.mark.parametrize(
    ("lines", "color"),
    [("Kd 0.5 1 1\n", (0.5, 1, 1)), ("", (1, 1, 1)), ("Kd 0 0 0\n", (1, 1, 1))],
    ids=["as the format has it", "no Kd", "a black that would hide it"],
)
def test_kd_multiplies_the_texture(load, lines, color):
    files = {"a.mtl": f"newmtl R\n{lines}map_Kd my wood.png\n", "my wood.png": png()}
    (material,) = load("mesh.obj", "mtllib a.mtl\n" + TEXTURED, **files).materials
    assert material.color == color and material.texture is not None


@pytest.mark.parametrize(
    ("lines", "opacity"), [("d 0.3", 0.3), ("Tr 0.7", 0.3), ("d -halo 0.3", 0.3), ("Tr 1\nd 1", 1)]
)
def test_glass_is_not_opaque(load, lines, opacity):
    files = {"a.mtl": f"newmtl R\nKd 1 0 0\n{lines}\n"}
    mesh = load("mesh.obj", "mtllib a.mtl\n" + RED_TRIANGLE, **files)
    np.testing.assert_allclose(corner_colors(mesh)[0, 0], [1, 0, 0, opacity], atol=1e-6)


def test_a_picture_of_opacity_is_the_textures(load):
    files = {"a.mtl": "newmtl R\nmap_Kd wood.png\nmap_d holes.png\n", "wood.png": png()}
    files["holes.png"] = png(51, mode="L", size=(2, 2))
    (material,) = load("mesh.obj", "mtllib a.mtl\n" + TEXTURED, **files).materials
    assert (material.texture == [200, 100, 50, 51]).all() and not material.is_opaque


@pytest.mark.parametrize(
    ("picture", "kind"),
    [
        (png((10, 20, 30, 128), mode="RGBA"), 4),
        (png((10, 20, 30, 255), mode="RGBA"), 3),
        (png(7, mode="L"), 3),
        (png(1, mode="P"), 3),
        (png(40_000, mode="I;16"), 3),
    ],
)
def test_textures_of_all_kinds_of_pixels_are_eight_bits_of_colour(load, picture, kind):
    files = {"a.mtl": "newmtl R\nmap_Kd wood.png\n", "wood.png": picture}
    texture = load("mesh.obj", "mtllib a.mtl\n" + TEXTURED, **files).materials[0].texture
    assert texture.shape == (4, 4, kind) and texture.dtype == np.uint8


def test_shapenets_textures_beside_the_models_folder_are_read(load):
    files = {"m/images/t.png": png(), "secret.png": png((1, 2, 3))}
    files["m/models/a.mtl"] = "newmtl R\nmap_Kd ../images/t.png\n"
    mesh = load("m/models/model_normalized.obj", "mtllib a.mtl\n" + TEXTURED, **files)
    assert (mesh.materials[0].texture == [200, 100, 50]).all()


@pytest.mark.parametrize(
    "name", ["../../secret.png", "../secret.png", "../images/../secret.png", "../images/out.png"]
)
def test_no_other_file_beside_it_is_opened(load, tmp_path, caplog, name):
    for folder in ("m/images", "m/models"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "m/images/out.png").symlink_to("../../secret.png")
    files = {"secret.png": png(), "m/secret.png": png()}
    files["m/models/a.mtl"] = f"newmtl R\nKd 0 1 0\nmap_Kd {name}\n"
    with caplog.at_level(logging.WARNING):
        mesh = load("m/models/mesh.obj", "mtllib a.mtl\n" + TEXTURED, **files)
    assert mesh.materials[0].texture is None and mesh.materials[0].color == (0, 1, 0)
    assert "leads out of the mesh's own folder and ../images" in caplog.text
    with pytest.raises(MeshFileError, match="texture in or below the mesh's own folder or ../imag"):
        load_mesh(tmp_path / "m/models/mesh.obj", foreign_files="error")


def test_faces_refer_to_texture_coordinates_that_exist(load):
    with pytest.raises(MeshFileError, match="indices of texture coordinates up to 1.*received 2"):
        load("mesh.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nf 1/1 2/2 3/1\n")


def test_blocks_of_a_long_file_meet(load, monkeypatch):
    from tf_softras.geometry.mesh_files import _obj_reader

    # Vertices and faces in turn, negative indices, materials, comments and blank lines.
    generator = np.random.default_rng(0)
    text, expected = "mtllib a.mtl\n", []
    for i in range(400):
        rows = generator.uniform(-1, 1, (3, 3)).round(4)
        text += "".join("v " + " ".join(map(str, row)) + "\n" for row in rows)
        text += ("\n", "# v 1 2 3\n", f"usemtl {'RG'[i % 2]}\n")[i % 3]
        text += "f -3 -2 -1\n" if i % 2 else f"f {3 * i + 1}// {3 * i + 2}// {3 * i + 3}//\n"
        expected.append(rows)
    files = {"a.mtl": "newmtl R\nKd 1 0 0\nnewmtl G\nKd 0 1 0\n"}
    whole = load("mesh.obj", text, **files)
    monkeypatch.setattr(_obj_reader, "_BLOCK_SIZE", 50)
    parts = load("mesh.obj", text, **files)
    np.testing.assert_array_equal(whole.vertices[whole.faces], np.float32(expected))
    for name in ("vertices", "faces", "face_materials"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
