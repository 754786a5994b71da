import builtins
import io
import json
import logging
import os
import pathlib
import struct

import numpy as np
import pytest

from tf_softras.geometry import Mesh, MeshFileError, icosphere, load_mesh, save_mesh
from tf_softras.geometry.surfaces import face_colors

SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv 0 0 1\n"
SQUARE_VERTICES = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1]]


@pytest.fixture
def write(tmp_path):
    def write_file(text, name="mesh.obj"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write_file


def signed_volume(mesh):
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces].astype(np.float64), 1, 0)
    return (a * np.cross(b, c)).sum() / 6


@pytest.mark.parametrize(
    ("statements", "faces"),
    [
        ("f 1 2 3", [[0, 1, 2]]),
        ("f 1 2 3 4", [[0, 1, 2], [0, 2, 3]]),
        ("f 1 2 3 4\nf 4 3 2 1", [[0, 1, 2], [0, 2, 3], [3, 2, 1], [3, 1, 0]]),
        ("f 1 2 3 4\nf 1 2 5", [[0, 1, 2], [0, 2, 3], [0, 1, 4]]),
        ("f -5 -4 -3", [[0, 1, 2]]),
        ("f 1 -4 3", [[0, 1, 2]]),
        ("vt 0 0\nvt 1 1\nf 1/1 2/2 3/1\nf 1/2 2/1 4/1", [[0, 1, 2], [0, 1, 3]]),
        ("vn 0 0 1\nvn 1 0 0\nf 1//1 2//1 3//1\nf 1//2 2//2 3//2", [[0, 1, 2], [0, 1, 2]]),
        ("vt 0 0\nvn 0 0 1\nf 1/1/1 2/1/1 3/1/1\nf 1/1/1 2//1 3", [[0, 1, 2], [0, 1, 2]]),
        ("f 1 1 2\nf 3 3 3", [[0, 0, 1], [2, 2, 2]]),
        (
            "o a\ng x y\ns 1\nf 1 2 3\no b\ng\nf 3 4 5\no a\nf 1 2 5",
            [[0, 1, 2], [2, 3, 4], [0, 1, 4]],
        ),
        ("  f 1 2 3\n\tf\t1\t2\t4  ", [[0, 1, 2], [0, 1, 3]]),
        ("f 1 2 3 # last\n# f 1 2 4\n#f 1 2 5", [[0, 1, 2]]),
        ("f 1 2 \\\n3\nf 1 \\\n 2 \\\n 4\n", [[0, 1, 2], [0, 1, 3]]),
        ("# a folder: c:\\meshes\\\nf 1 2 3", [[0, 1, 2]]),
        ("p 1\nl 1 2 3\nf 1 2 3\ncurv 0 1 2\nfoo bar", [[0, 1, 2]]),
    ],
)
def test_faces_keep_their_order_and_vertices_theirs(write, statements, faces):
    mesh = load_mesh(write(SQUARE + statements))
    np.testing.assert_array_equal(mesh.faces, faces)
    np.testing.assert_array_equal(mesh.vertices, SQUARE_VERTICES)
    assert not mesh.materials and mesh.vertex_colors is None


@pytest.mark.parametrize("line_end", ["\r\n", "\r", "\n\n"])
def test_line_ends_of_every_system_are_read(write, line_end):
    text = SQUARE + "usemtl a\nf 1 2 3\nf 2 3 4\n"
    mesh = load_mesh(write(text.replace("\n", line_end)))
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2], [1, 2, 3]])
    np.testing.assert_array_equal(mesh.vertices, SQUARE_VERTICES)


def test_negative_indices_count_from_the_line_they_stand_in(write):
    # Not from the end of the file: then both faces would be the second.
    first = "v 0 0 0\nv 1 0 0\nv 1 1 0\nf -3 -2 -1\n"
    mesh = load_mesh(write(first + first.replace(" 0\n", " 5\n")))
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2], [3, 4, 5]])


def test_positive_indices_may_point_to_vertices_that_follow(write):
    mesh = load_mesh(write("f 1 2 3\n" + SQUARE))
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2]])


def test_a_concave_polygon_does_not_cover_what_is_outside_it(write):
    text = "v 1 1 0\nv 1 3 0\nv 0 3 0\nv 0 0 0\nv 3 0 0\nv 3 1 0\nf 2 3 4 5 6 1\n"
    mesh = load_mesh(write(text))
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces], 1, 0)
    assert len(mesh.faces) == 4
    assert np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2 == 5.0


def test_equal_vertices_are_not_merged_and_unused_ones_not_dropped(write):
    mesh = load_mesh(write("v 0 0 0\nv 9 9 9\nv 1 0 0\nv 0 0 0\nv 0 1 0\nf 1 3 5\nf 4 3 5\n"))
    assert len(mesh.vertices) == 5
    np.testing.assert_array_equal(mesh.faces, [[0, 2, 4], [3, 2, 4]])


def test_numbers_in_any_notation_weights_and_vertex_colours_are_read(write):
    text = "v 1e-3 -.5 +2E+00\nv 1 2 3 1.0\nv 4 5 6 0.1 0.2 0.3\nf 1 2 3"
    mesh = load_mesh(write(text))
    np.testing.assert_array_equal(
        mesh.vertices, np.float32([[1e-3, -0.5, 2], [1, 2, 3], [4, 5, 6]])
    )


def test_a_byte_order_mark_is_passed_over(write):
    assert len(load_mesh(write(b"\xef\xbb\xbf" + SQUARE.encode() + b"f 1 2 3")).vertices) == 5


MATERIALS = """# two
newmtl dark wood #1
  Ka 1 1 1
Kd 0.25 0.5 0.75
map_Kd {texture}
Ns 10

newmtl grey
Kd 0.5
newmtl bare
Ks 1 1 1
newmtl bright
Kd 1.5 -1 1
newmtl broken
Kd nan 0 0
"""


def test_faces_carry_the_diffuse_colours_of_their_materials(write):
    write(MATERIALS, "house.mtl")
    faces = (
        "f 1 2 3\nusemtl dark wood #1\nf 1 2 3 4\nusemtl grey\nf 1 2 5\nusemtl  dark   wood #1\n"
        "f 1 2 4\nusemtl bare\nf 1 2 5\nusemtl missing\nf 1 2 5\nusemtl bright\nf 1 2 5\n"
        "usemtl broken\nf 1 2 5\n"
    )
    mesh = load_mesh(write("# no mtllib here\nmtllib house.mtl\n" + SQUARE + faces))
    wood, grey, default = [0.25, 0.5, 0.75], [0.5] * 3, [0.8] * 3
    np.testing.assert_array_equal(
        face_colors(mesh),
        np.float32([default, wood, wood, grey, wood, default, default, [1, 0, 1], default]),
    )


def test_all_material_libraries_are_read_by_name_with_spaces_or_several_in_a_line(write):
    write("newmtl a\nKd 1 0 0\n", "my colours.mtl")
    write("newmtl b\nKd 0 1 0\n", "b.mtl")
    write("newmtl c\nKd 0 0 1\n", "sub/c.mtl")
    text = (
        "mtllib my colours.mtl\nmtllib b.mtl ./sub/c.mtl\n"
        + SQUARE
        + "usemtl a\nf 1 2 3\nusemtl b\nf 1 2 3\nusemtl c\nf 1 2 3\n"
    )
    np.testing.assert_array_equal(face_colors(load_mesh(write(text))), np.eye(3))


@pytest.mark.parametrize("library", ["", "mtllib gone.mtl\n", "mtllib \n", "mtllib .\n"])
def test_without_a_material_library_there_are_no_colours(write, library, caplog):
    with caplog.at_level(logging.WARNING):
        mesh = load_mesh(write(library + SQUARE + "usemtl a\nf 1 2 3\n"))
    assert not mesh.materials
    assert ("gone.mtl" in caplog.text) == ("gone.mtl" in library)


@pytest.fixture
def opened(monkeypatch):
    """The files that are opened, by whatever way."""
    names = []

    def recording(function):
        def wrapper(file, *args, **kwargs):
            names.append(str(file))
            return function(file, *args, **kwargs)

        return wrapper

    monkeypatch.setattr(builtins, "open", recording(builtins.open))
    monkeypatch.setattr(io, "open", recording(io.open))
    monkeypatch.setattr(os, "open", recording(os.open))
    # Python 3.10's pathlib keeps io.open of its own.
    if accessor := getattr(pathlib, "_NormalAccessor", None):
        monkeypatch.setattr(accessor, "open", staticmethod(recording(accessor.open)))
    return names


def test_only_the_files_that_are_named_are_opened(write, opened):
    write(b"\x89PNG", "wood.png")
    write(b"\x89PNG", "other.png")
    write(MATERIALS.replace("{texture}", "wood.png"), "house.mtl")
    path = write("mtllib house.mtl\n" + SQUARE + "usemtl dark wood #1\nf 1 2 3\n")
    opened.clear()
    warnings = []
    assert load_mesh(path, warn=warnings.append).materials
    # The library is among them, so the recording works.
    assert {os.path.basename(name) for name in opened} == {"mesh.obj", "house.mtl", "wood.png"}
    assert len(warnings) == 1 and "'wood.png' cannot be decoded" in warnings[0]


@pytest.mark.parametrize("way", ["parent", "absolute", "link", "folder link", "loop"])
def test_a_library_outside_the_folder_is_not_opened(write, tmp_path, opened, caplog, way):
    secret = write("newmtl a\nKd 1 0 0\n", "secret/secret.mtl")
    path = write("", "model/mesh.obj")
    (path.parent / "linked.mtl").symlink_to(secret)
    (path.parent / "linked").symlink_to(secret.parent)
    (path.parent / "loop.mtl").symlink_to("loop.mtl")
    name = {
        "parent": "../secret/secret.mtl",
        "absolute": str(secret),
        "link": "linked.mtl",
        "folder link": "linked/secret.mtl",
        "loop": "loop.mtl",
    }[way]
    path.write_text(f"mtllib {name}\n{SQUARE}usemtl a\nf 1 2 3\n")
    opened.clear()
    with caplog.at_level(logging.WARNING):
        assert not load_mesh(path).materials
    assert [os.path.basename(name) for name in opened] == ["mesh.obj"]
    assert name in caplog.text


def test_a_folder_that_is_a_link_is_a_folder(write, tmp_path):
    write("newmtl a\nKd 1 0 0\n", "model/a.mtl")
    write(f"mtllib a.mtl\n{SQUARE}usemtl a\nf 1 2 3\n", "model/mesh.obj")
    (tmp_path / "link").symlink_to(tmp_path / "model")
    np.testing.assert_array_equal(face_colors(load_mesh(tmp_path / "link/mesh.obj")), [[1, 0, 0]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"faces \(f\); received 0 vertices and no face"),
        ("\n\n# nothing\n", "no face"),
        (SQUARE, "received 5 vertices and no face"),
        (
            bytes(range(256)) * 20,
            "broken.obj': expected the text of an OBJ file; received binary data",
        ),
        (bytes(range(128, 256)) * 20, "no face"),
        ("glTF and other words\nsolid cube\n", "no face"),
        (SQUARE + "f 1 2 6", "up to 5, the number of vertices; received 6 in line 6"),
        (SQUARE + "f 1 2 0", "from 1, or from -1 down to -5.*in line 6; received '1 2 0'"),
        (SQUARE + "f 1 2 -6", "down to -5.*line 6"),
        (SQUARE + "f 1 2 99999999999999999999", "received 99999999999999999999 in line 6"),
        (SQUARE + "f 1 2 x", "whole vertex indices in line 6; received '1 2 x'"),
        (SQUARE + "f 1.5 2 3", "whole vertex indices in line 6"),
        (SQUARE + "f /1 /2 /3", "whole vertex indices in line 6"),
        (SQUARE + "f 1 2", "three or more corners in line 6; received '1 2'"),
        (SQUARE + "f", "three or more corners in line 6"),
        ("v 0 0\n" + SQUARE + "f 1 2 3", "three numbers as coordinates in line 1; received '0 0'"),
        ("v nan 0 0\n" + SQUARE + "f 1 2 3", "finite float32 coordinates.*nan.*vertex 0"),
        ("v 0 inf 0\n" + SQUARE + "f 2 3 4", "finite float32 coordinates.*inf.*vertex 0"),
        ("v 0 1e60 0\n" + SQUARE + "f 2 3 4", "finite float32 coordinates.*inf.*vertex 0"),
        (
            "v 0 one 0\n" + SQUARE + "f 2 3 4",
            "numbers as coordinates in line 1; received '0 one 0'",
        ),
        ("v 0 \xff 0\n" + SQUARE + "f 2 3 4", "numbers as coordinates in line 1"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(write, content, message):
    path = write(content, "broken.obj")
    with pytest.raises(MeshFileError, match=message) as caught:
        load_mesh(path)
    assert str(path) in str(caught.value)


def test_nonsense_in_a_material_library_is_passed_over(write):
    nonsense = "Kd 1 0 0\nnewmtl a\nname a b\nmap_Kd\nd\nTr x\nKd spectral a.rfl\nKd 0 1 0\nd nan\n"
    write(nonsense, "odd.mtl")
    mesh = load_mesh(write("mtllib odd.mtl\nusemtl a\n" + SQUARE + "f 1 2 3"))
    assert mesh.materials[0].color == (0, 1, 0) and mesh.materials[0].opacity == 1


def test_missing_files_folders_and_other_suffixes_are_named(write, tmp_path):
    with pytest.raises(MeshFileError, match=r"gone\.obj.*No such file"):
        load_mesh(tmp_path / "gone.obj")
    (tmp_path / "folder.obj").mkdir()
    with pytest.raises(MeshFileError, match=r"folder\.obj.*expected a file; received a folder"):
        load_mesh(tmp_path / "folder.obj")
    with pytest.raises(MeshFileError, match=r"mesh\.fbx.*ends in \.obj or .*; received '\.fbx'"):
        load_mesh(write("solid", "mesh.fbx"))
    with pytest.raises(MeshFileError, match="no suffix"):
        load_mesh(write("solid", "mesh"))


def test_limits_of_size_are_kept(write):
    text = SQUARE + "f 1 2 3\nf 1 2 3 4\n"
    path = write(text)
    assert len(load_mesh(str(path), max_bytes=len(text), max_faces=3).faces) == 3
    with pytest.raises(MeshFileError, match=rf"mesh\.obj.*at most {len(text) - 1} bytes"):
        load_mesh(path, max_bytes=len(text) - 1)
    with pytest.raises(MeshFileError, match=r"mesh\.obj.*at most 2 faces.*received 3"):
        load_mesh(path, max_faces=2)


def test_a_large_material_library_is_refused(write):
    write("# " + "x" * 1000, "a.mtl")
    with pytest.raises(MeshFileError, match="at most 500 bytes"):
        load_mesh(write("mtllib a.mtl\n" + SQUARE + "f 1 2 3"), max_bytes=500)


def plain_counts(path):
    """Counts and vertices by the dumbest means: these files hold nothing but triangles."""
    lines = [line.split() for line in path.read_text().splitlines()]
    vertices = np.float32([line[1:4] for line in lines if line[:1] == ["v"]])
    return len(vertices), sum(line[:1] == ["f"] for line in lines), vertices


def test_real_objects_are_read_whole():
    folder = os.environ.get("TF_SOFTRAS_MESHES", "")
    paths = sorted(pathlib.Path(folder).glob("*/*/models/model_normalized.obj")) if folder else []
    if not paths:
        pytest.skip("TF_SOFTRAS_MESHES names no folder of meshes in ShapeNet's layout.")
    for path in paths[:: max(1, len(paths) // 20)][:20]:
        mesh = load_mesh(path)
        num_vertices, num_faces, vertices = plain_counts(path)
        assert (len(mesh.vertices), len(mesh.faces)) == (num_vertices, num_faces)
        np.testing.assert_array_equal(mesh.vertices, vertices)
        assert mesh.materials


def colored_box():
    """An asymmetrical solid, so that a mirrored or turned one differs, in three colours."""
    vertices = np.array([[x, y, z] for x in (0, 1) for y in (0, 2) for z in (0, 3)]) / 7 - 0.1
    faces = [
        [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
        [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
    ]  # fmt: skip
    colors = np.array([[0.0, 0.5, 1.0], [0.063, 0.79, 1 / 3], [1.0, 1.0, 1.0]])
    return Mesh(vertices, faces, colors[[0, 0, 1, 1, 0, 2, 2, 2, 1, 0, 0, 0]])


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_an_obj_round_trip_keeps_vertices_and_faces(tmp_path, scale):
    sphere = icosphere(2)
    mesh = Mesh(sphere.vertices * scale, sphere.faces)
    save_mesh(tmp_path / "mesh.obj", mesh)
    again = load_mesh(tmp_path / "mesh.obj")
    np.testing.assert_array_equal(again.faces, mesh.faces)
    # Nine digits are a float32.
    np.testing.assert_array_equal(again.vertices, mesh.vertices)
    assert not again.materials
    assert [path.name for path in tmp_path.iterdir()] == ["mesh.obj"]


def test_an_obj_round_trip_keeps_colours_exactly(tmp_path):
    mesh = colored_box()
    save_mesh(str(tmp_path / "my box.obj"), mesh)
    again = load_mesh(tmp_path / "my box.obj")
    np.testing.assert_array_equal(again.faces, mesh.faces)
    np.testing.assert_array_equal(face_colors(again), mesh.face_colors)
    np.testing.assert_array_equal(again.vertices, mesh.vertices)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my box.mtl", "my box.obj"]
    assert (tmp_path / "my box.mtl").read_text().count("newmtl") == 3


def read_glb(path):
    """The arrays of the file's only primitive, by the glTF 2.0 specification."""
    data = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    json_length, json_type = struct.unpack_from("<I4s", data, 12)
    assert json_type == b"JSON"
    tree = json.loads(data[20 : 20 + json_length])
    bin_length, bin_type = struct.unpack_from("<I4s", data, 20 + json_length)
    assert bin_type == b"BIN\0"
    binary = data[28 + json_length :]
    assert len(binary) == bin_length
    assert json_length % 4 == bin_length % 4 == 0
    assert "uri" not in tree["buffers"][0]

    def accessor(index):
        entry = tree["accessors"][index]
        view = tree["bufferViews"][entry["bufferView"]]
        start = view.get("byteOffset", 0) + entry.get("byteOffset", 0)
        dtype = {5121: "<u1", 5125: "<u4", 5126: "<f4"}[entry["componentType"]]
        width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[entry["type"]]
        assert start % 4 == 0
        assert "byteStride" not in view
        array = np.frombuffer(binary, dtype, entry["count"] * width, start).reshape(-1, width)
        for bound, least in (("min", array.min(axis=0)), ("max", array.max(axis=0))):
            if bound in entry:
                np.testing.assert_allclose(entry[bound], least)
        return entry, array

    (mesh,) = tree["meshes"]
    (primitive,) = mesh["primitives"]
    assert primitive.get("mode", 4) == 4
    arrays = {name: accessor(i) for name, i in primitive["attributes"].items()}
    assert {"min", "max"} <= set(arrays["POSITION"][0])
    for node in tree["nodes"]:
        # No transform but the identity: what is in the buffer is what is seen.
        assert not {"translation", "rotation", "scale"} & set(node)
        np.testing.assert_array_equal(node.get("matrix", np.eye(4).ravel()), np.eye(4).ravel())
    faces = accessor(primitive["indices"])[1].reshape(-1, 3)
    material = tree["materials"][primitive["material"]]
    return {name: array for name, (_, array) in arrays.items()}, faces, material


def test_a_glb_holds_the_vertices_and_faces_as_they_are(tmp_path):
    mesh = icosphere(3)
    save_mesh(tmp_path / "mesh.glb", mesh)
    arrays, faces, material = read_glb(tmp_path / "mesh.glb")
    assert set(arrays) == {"POSITION"}
    np.testing.assert_array_equal(arrays["POSITION"], mesh.vertices)
    np.testing.assert_array_equal(faces, mesh.faces)
    assert material["doubleSided"]
    assert material["pbrMetallicRoughness"]["metallicFactor"] == 0.0


def test_a_glb_keeps_the_colour_of_each_face_as_linear_bytes(tmp_path):
    mesh = colored_box()
    save_mesh(tmp_path / "mesh.glb", mesh)
    arrays, faces, _ = read_glb(tmp_path / "mesh.glb")
    np.testing.assert_array_equal(arrays["POSITION"][faces], mesh.vertices[mesh.faces])
    assert len(arrays["POSITION"]) < 3 * len(faces)
    colors = arrays["COLOR_0"][faces]
    assert (colors[..., 3] == 255).all()
    # From sRGB: 0.5 -> 0.21404, 0.063 -> 0.00510, 0.79 -> 0.58711, 1/3 -> 0.09084, times 255.
    table = {0.0: 0, 0.5: 55, 1.0: 255, 0.063: 1, 0.79: 150, 1 / 3: 23}
    expected = [
        [table[min(table, key=lambda key: abs(key - v))] for v in c] for c in mesh.face_colors
    ]
    for corner in range(3):
        np.testing.assert_array_equal(colors[:, corner, :3], expected)


@pytest.mark.parametrize("mesh", [icosphere(1), colored_box()], ids=["sphere", "coloured box"])
def test_files_are_not_mirrored(tmp_path, mesh):
    assert signed_volume(mesh) > 0
    save_mesh(tmp_path / "mesh.obj", mesh)
    assert signed_volume(load_mesh(tmp_path / "mesh.obj")) == pytest.approx(signed_volume(mesh))
    save_mesh(tmp_path / "mesh.glb", mesh)
    arrays, faces, _ = read_glb(tmp_path / "mesh.glb")
    assert signed_volume(Mesh(arrays["POSITION"], faces)) == pytest.approx(signed_volume(mesh))


@pytest.mark.parametrize("name", ["mesh.obj", "mesh.glb"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, name):
    save_mesh(tmp_path / name, icosphere(0))
    before = (tmp_path / name).read_bytes()

    def fail(source, target):
        del source, target
        raise OSError("the disk is gone")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="the disk is gone"):
        save_mesh(tmp_path / name, icosphere(1))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == before


def test_a_file_is_replaced_and_readable_as_any_other(tmp_path):
    path = tmp_path / "mesh.glb"
    path.touch()
    permissions = path.stat().st_mode
    save_mesh(path, icosphere(0))
    assert path.stat().st_mode == permissions
    assert path.stat().st_size > 0


def test_what_cannot_be_written_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"mesh\.stl.*\.obj or \.glb; received '\.stl'"):
        save_mesh(tmp_path / "mesh.stl", icosphere(0))
    with pytest.raises(ValueError, match="no suffix"):
        save_mesh(tmp_path / "mesh", icosphere(0))
    with pytest.raises(FileNotFoundError, match=r"mesh\.obj.*expected a folder that exists.*gone"):
        save_mesh(tmp_path / "gone" / "mesh.obj", icosphere(0))
    with pytest.raises(ValueError, match="at least one face"):
        save_mesh(tmp_path / "mesh.obj", Mesh(np.zeros((3, 3)), np.zeros((0, 3), int)))
    assert not list(tmp_path.iterdir())


def test_colours_of_vertices_are_linear_in_gltf_and_srgb_in_obj(tmp_path):
    sphere = icosphere(0)
    colors = np.random.default_rng(0).random(sphere.vertices.shape).astype(np.float32)
    mesh = Mesh(sphere.vertices, sphere.faces, vertex_colors=colors)
    save_mesh(tmp_path / "mesh.glb", mesh)
    save_mesh(tmp_path / "mesh.obj", mesh)
    assert not (tmp_path / "mesh.mtl").exists()
    arrays, faces, _ = read_glb(tmp_path / "mesh.glb")
    np.testing.assert_array_equal(arrays["POSITION"], mesh.vertices)
    np.testing.assert_array_equal(faces, mesh.faces)
    # IEC 61966-2-1 in plain NumPy.
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    np.testing.assert_allclose(arrays["COLOR_0"][:, :3], 255 * linear, atol=0.5001)
    assert (arrays["COLOR_0"][:, 3] == 255).all()
    rows = [line.split()[1:] for line in (tmp_path / "mesh.obj").read_text().splitlines()
            if line.startswith("v ")]  # fmt: skip
    np.testing.assert_array_equal(np.float32(rows)[:, 3:], colors)
    again = load_mesh(tmp_path / "mesh.obj")
    np.testing.assert_array_equal(again.faces, mesh.faces)
    np.testing.assert_array_equal(again.vertex_colors, colors)
