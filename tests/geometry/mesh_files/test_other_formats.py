"""Binary glTF, PLY, OFF and STL files, written here byte by byte or by the package itself."""

import json
import struct

import numpy as np
import pytest

from tf_softras.geometry import Mesh, MeshFileError, icosphere, load_mesh, save_mesh

# A pyramid without a bottom: its apex is +y.
VERTICES = [[0, 1, 0], [1, 0, 1], [1, 0, -1], [-1, 0, -1], [-1, 0, 1]]
FACES = [[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4, 1]]
COLORS = [[255, 0, 0], [0, 128, 0], [0, 0, 51], [255, 255, 255], [0, 0, 0]]


def rows(values):
    return "".join(" ".join(map(str, row)) + "\n" for row in values)


def ply(vertices, faces, *, colors=None, form="ascii"):
    header = f"ply\nformat {form} 1.0\nelement vertex {len(vertices)}\n"
    header += "".join(f"property float {axis}\n" for axis in "xyz")
    if colors:
        header += "".join(f"property uchar {name}\n" for name in ("red", "green", "blue"))
    header += f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    lines = [(*v, *c) for v, c in zip(vertices, colors or [()] * len(vertices), strict=True)]
    faces = [(len(face), *face) for face in faces]
    if form == "ascii":
        return (header + rows(lines) + rows(faces)).encode()
    order = ">" if "big" in form else "<"
    body = b"".join(
        struct.pack(f"{order}3f{len(line) - 3}B", *map(float, line[:3]), *line[3:])
        for line in lines
    )
    body += b"".join(struct.pack(f"{order}B{len(face) - 1}i", *face) for face in faces)
    return header.encode() + body


def stl(vertices, faces):
    corners = np.float32(vertices)[np.array(faces)]
    body = b"".join(
        struct.pack("<12fH", 0, 0, 0, *triangle.reshape(-1).tolist(), 0) for triangle in corners
    )
    return b"binary".ljust(80, b" ") + struct.pack("<I", len(faces)) + body


def ascii_stl(vertices, faces):
    text = "solid pyramid\n"
    for face in faces:
        text += "facet normal 0 0 0\nouter loop\n"
        text += "".join(f"vertex {x} {y} {z}\n" for x, y, z in (vertices[i] for i in face))
        text += "endloop\nendfacet\n"
    return (text + "endsolid pyramid\n").encode()


def off(vertices, faces, header="OFF\n"):
    faces = [(len(face), *face) for face in faces]
    return (header + f"{len(vertices)} {len(faces)} 0\n" + rows(vertices) + rows(faces)).encode()


def glb(change=lambda header: None, *, nodes=({"mesh": 0},)):
    """The pyramid in glTF; `change` has its JSON before it is written."""
    indices = np.uint16(FACES).tobytes()
    positions = np.float32(VERTICES).tobytes()
    colors = np.uint8([[*color, 255] for color in COLORS]).tobytes()
    chunk = indices + positions + colors
    starts = np.cumsum([0, len(indices), len(positions), len(colors)]).tolist()
    header = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": list(range(len(nodes)))}],
        "nodes": [dict(node) for node in nodes],
        "meshes": [
            {"primitives": [{"attributes": {"POSITION": 1, "COLOR_0": 2}, "indices": 0}]},
        ],
        "accessors": [
            {"bufferView": 0, "componentType": 5123, "count": 12, "type": "SCALAR"},
            {"bufferView": 1, "componentType": 5126, "count": 5, "type": "VEC3"},
            {"bufferView": 2, "componentType": 5121, "count": 5, "type": "VEC4"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": start, "byteLength": end - start}
            for start, end in zip(starts, starts[1:], strict=False)
        ],
        "buffers": [{"byteLength": len(chunk)}],
    }
    change(header)
    text = json.dumps(header).encode()
    text = text.ljust(-(-len(text) // 4) * 4)
    body = struct.pack("<II", len(text), 0x4E4F534A) + text
    body += struct.pack("<II", len(chunk), 0x004E4942) + chunk
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


@pytest.fixture
def load(tmp_path):
    def load_bytes(content, suffix, **options):
        path = tmp_path / f"mesh{suffix}"
        path.write_bytes(content)
        return load_mesh(path, **options)

    return load_bytes


def triangles(mesh):
    """The corners of each face, so that the order of vertices has no say."""
    return mesh.vertices[mesh.faces]


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".ply", ply(VERTICES, FACES)),
        (".ply", ply(VERTICES, FACES, form="binary_little_endian")),
        (".ply", ply(VERTICES, FACES, form="binary_big_endian")),
        (".off", off(VERTICES, FACES)),
        # Many files of ModelNet begin so.
        (".off", off(VERTICES, FACES, header="OFF")),
        (".stl", stl(VERTICES, FACES)),
        (".stl", ascii_stl(VERTICES, FACES)),
        (".STL", stl(VERTICES, FACES)),
        (".glb", glb()),
    ],
)
def test_faces_and_coordinates_are_the_files(load, suffix, content):
    mesh = load(content, suffix)
    assert mesh.vertices.shape == (5, 3)
    np.testing.assert_array_equal(triangles(mesh), np.float32(VERTICES)[np.array(FACES)])


@pytest.mark.parametrize(("suffix", "write"), [(".ply", ply), (".off", off)])
def test_a_polygon_becomes_the_triangles_it_is_made_of(load, suffix, write):
    mesh = load(write(VERTICES, [*FACES, [1, 4, 3, 2]]), suffix)
    assert mesh.faces.shape == (6, 3)
    # Closed now: a third of the base times the height.
    a, b, c = np.moveaxis(triangles(mesh).astype(np.float64), 1, 0)
    assert (a * np.cross(b, c)).sum() / 6 == pytest.approx(4 / 3)


@pytest.mark.parametrize("form", ["ascii", "binary_little_endian"])
def test_ply_colours_are_taken_as_they_are(load, form):
    mesh = load(ply(VERTICES, FACES, colors=COLORS, form=form), ".ply")
    np.testing.assert_allclose(mesh.vertex_colors, np.array(COLORS) / 255, atol=1e-6)


def test_gltf_colours_are_turned_from_linear_to_srgb(load):
    colors = load(glb(), ".glb").vertex_colors
    # 128 is half of the light, which a screen shows at 188; 51, a fifth, at 124.
    expected = [[255, 0, 0], [0, 188, 0], [0, 0, 124], [255, 255, 255], [0, 0, 0]]
    np.testing.assert_allclose(colors, np.array(expected) / 255, atol=0.5 / 255)


def test_gltf_nodes_put_their_meshes_where_they_belong(load):
    turned = [0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)]  # By 90 degrees about z: +y becomes -x.
    nodes = ({"mesh": 0, "translation": [5, 0, 0]}, {"mesh": 0, "rotation": turned})
    mesh = load(glb(nodes=nodes), ".glb")
    assert mesh.faces.shape == (8, 3)
    corners = np.unique(mesh.vertices.round(5), axis=0)
    for apex in ([5, 1, 0], [-1, 0, 0]):
        assert (np.abs(corners - apex).max(axis=1) < 1e-4).any()


@pytest.mark.parametrize("colored", ["vertex", "face", None])
def test_a_written_glb_is_read_again(tmp_path, colored):
    sphere = icosphere(2)
    options = {}
    if colored:
        count = len(sphere.vertices if colored == "vertex" else sphere.faces)
        colors = np.random.default_rng(0).integers(0, 4, (count, 3)) / 3
        options = {f"{colored}_colors": colors}
    mesh = Mesh(sphere.vertices, sphere.faces, **options)
    save_mesh(tmp_path / "mesh.glb", mesh)
    again = load_mesh(tmp_path / "mesh.glb")
    np.testing.assert_allclose(triangles(again), triangles(mesh), atol=1e-6)
    if colored is None:
        assert again.vertex_colors is None
        return
    corners = colors[mesh.faces] if colored == "vertex" else np.repeat(colors[:, None], 3, axis=1)
    # 8 bits of linear light are coarse where it is dark.
    np.testing.assert_allclose(again.vertex_colors[again.faces], corners, atol=0.01)


def test_no_other_file_is_opened(load, tmp_path):
    (tmp_path / "beside.bin").write_bytes(bytes(144))

    def from_beside(header):
        header["buffers"].append({"byteLength": 144, "uri": "beside.bin"})
        header["bufferViews"][1]["buffer"] = 1

    with pytest.raises(MeshFileError, match=r"mesh\.glb"):
        load(glb(from_beside), ".glb")

    def with_texture(header):
        header["images"] = [{"uri": "beside.bin"}]
        header["textures"] = [{"source": 0}]
        header["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}]
        header["meshes"][0]["primitives"][0]["material"] = 0

    assert len(load(glb(with_texture), ".glb").faces) == 4


def _set(*path, value):
    def change(header):
        for key in path[:-1]:
            header = header[key]
        header[path[-1]] = value

    return change


def _zeros(header):
    del header["accessors"][1]["bufferView"]
    header["accessors"][1]["count"] = 10**11


def _many_nodes(header):
    header["nodes"] = [{"mesh": 0}] * 1000
    header["scenes"][0]["nodes"] = list(range(1000))


def _doubling_nodes(header):
    header["nodes"] = [{"children": [i + 1, i + 1]} for i in range(60)] + [{"mesh": 0}]
    header["scenes"][0]["nodes"] = [0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "binary glTF file; received 0 bytes"),
        (b"\0" * 100, "binary glTF 2 file"),
        (glb()[:60], "header says; received 60; the file is cut off"),
        (glb()[:-30], "header says.*the file is cut off"),
        (glb(_zeros), "at most 300 vertices.*received 100000000000"),
        (glb(_many_nodes), "at most 100 faces.*received 104"),
        (glb(_doubling_nodes), "node with two parents"),
        (glb(_set("nodes", 0, "mesh", value=7)), r"index in \[0, 1\).*meshes; received 7"),
        (glb(_set("accessors", 0, "count", value=24)), "48 bytes in bufferView 0.*received 24"),
        (glb(_set("accessors", 0, "count", value="many")), "accessors of one element or more"),
        (glb(_set("accessors", 2, "count", value=-(10**9))), "accessors of one element or more"),
        (glb(_set("accessors", 0, value={"bufferView": 0})), "JSON of a glTF file.*'count'"),
        (glb(_set("accessors", value={})), "list of accessors"),
        (glb(_set("meshes", value=[])), r"index in \[0, 0\) into the glTF file's meshes"),
    ],
)
def test_a_broken_or_hostile_glb_is_refused(load, content, message):
    with pytest.raises(MeshFileError, match=rf"mesh\.glb.*{message}"):
        load(content, ".glb", max_faces=100)


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".ply", b""),
        (".ply", b"ply\nnonsense"),
        (".ply", ply(VERTICES, FACES)[:-10]),
        (".ply", ply(VERTICES, FACES, form="binary_little_endian")[:-20]),
        (".ply", ply(VERTICES, FACES).replace(b"vertex 5", b"vertex 500000000000")),
        (".ply", ply(VERTICES, FACES).replace(b"face 4", b"face 500000000000")),
        (".ply", ply(VERTICES, [])),
        (".ply", ply(VERTICES, [[0, 1, 9]])),
        (".ply", ply([["nan", 0, 0], *VERTICES[1:]], FACES)),
        (".off", b""),
        (".off", b"OFF\n"),
        (".off", off(VERTICES, FACES)[:-30]),
        (".off", off(VERTICES, FACES).replace(b"5 4 0", b"500000000000 4 0")),
        (".off", off(VERTICES, [[0, 1, 9]])),
        (".stl", b""),
        (".stl", stl(VERTICES, FACES)[:-30]),
        (".stl", stl(VERTICES, FACES).replace(struct.pack("<I", 4), struct.pack("<I", 2**31))),
        (".stl", stl([[np.nan, 0, 0], *VERTICES[1:]], FACES)),
        (".stl", b"solid nothing\nendsolid nothing\n"),
    ],
)
def test_a_broken_file_is_named(load, suffix, content):
    with pytest.raises(MeshFileError, match=rf"^'.*mesh{suffix}': .*expected .*; received"):
        load(content, suffix)


@pytest.mark.parametrize("content", [ply(VERTICES, FACES), off(VERTICES, FACES), glb()])
def test_limits_of_size_are_kept(load, content):
    suffix = {b"ply": ".ply", b"OFF": ".off", b"glT": ".glb"}[content[:3]]
    assert len(load(content, suffix, max_bytes=len(content), max_faces=4).faces) == 4
    with pytest.raises(MeshFileError, match=f"at most {len(content) - 1} bytes"):
        load(content, suffix, max_bytes=len(content) - 1)
    with pytest.raises(MeshFileError, match=r"at most 3 .*max_faces.*received 4"):
        load(content, suffix, max_faces=3)
