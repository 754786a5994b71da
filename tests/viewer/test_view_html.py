"""The page that shows meshes: in headless Chromium without a network, against our own renderer."""

import io
import json
import struct
import urllib.request

import numpy as np
import PIL.Image
import pytest
import trimesh

from tests import chromium
from tf_softras.geometry import Mesh, encode_mesh, eye_from_angles
from tf_softras.rendering import render_views
from tf_softras.viewer import View, view_html


def steps():
    """A mesh that no mirror image, turn or swap of axes leaves as it is, in two colours."""
    boxes = [((0.0, 0.0, 0.0), (1.0, 0.1, 0.6)), ((0.35, 0.3, 0.0), (0.3, 0.5, 0.3))]
    boxes.append(((0.0, 0.1, 0.25), (0.2, 0.2, 0.1)))
    parts = [
        trimesh.creation.box(size, trimesh.transformations.translation_matrix(at))
        for at, size in boxes
    ]
    joined = trimesh.util.concatenate(parts)
    colors = np.tile(np.float32([0.8, 0.3, 0.1]), (len(joined.faces), 1))
    colors[:12] = (0.1, 0.4, 0.7)
    return Mesh(joined.vertices, joined.faces, colors).normalized()


def glb(mesh):
    return encode_mesh("mesh.glb", mesh)["mesh.glb"]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = chromium.start(tmp_path_factory.mktemp("chromium"), offline=True)
    yield browser
    browser.quit()


@pytest.fixture
def shown(browser, tmp_path):
    """Opens a page of views; gives the canvas once something is on it or a message is there."""

    def show(views, hash="turning=0"):
        path = tmp_path / "view.html"
        path.write_text(view_html(views), encoding="utf-8")
        browser.get("about:blank")
        browser.get(f"{path.as_uri()}#{hash}")
        canvas = browser.find_element("tag name", "canvas")
        message = browser.find_element("id", "message")
        chromium.wait(browser, lambda _: canvas.get_attribute("data-faces") or message.text)
        return canvas

    return show


def pixels(element):
    return np.asarray(PIL.Image.open(io.BytesIO(element.screenshot_as_png)).convert("RGB"))


def rendered(mesh, shape, azimuth, elevation):
    eyes = np.asarray(eye_from_angles(2.732, elevation, [azimuth]))
    return render_views(mesh, eyes, image_size=shape, background=(1.0, 1.0, 1.0))[0][..., :3]


@pytest.mark.parametrize("azimuth, elevation", [(30, 30), (200, -15), (90, 60)])
def test_page_shows_what_the_renderer_draws(browser, shown, azimuth, elevation):
    mesh = steps()
    canvas = shown([View("steps", glb(mesh))], f"azimuth={azimuth}&elevation={elevation}&turning=0")
    seen = pixels(canvas).astype(int)
    expected = rendered(mesh, seen.shape[:2], azimuth, elevation).astype(int)
    difference = np.abs(seen - expected).max(axis=-1)
    # Edges are sampled otherwise, and COLOR_0 and light are rounded to 8 bits in turn.
    assert (difference > 6).mean() < 0.01
    # A mirrored picture fails by far.
    mirrored = np.abs(seen[:, ::-1] - expected).max(axis=-1)
    assert (mirrored > 6).mean() > 0.05
    assert not chromium.complaints(browser)


def test_meshes_of_other_programs_are_shown_where_their_nodes_place_them(shown):
    mesh = steps()
    scene = trimesh.Scene()
    turn = trimesh.transformations.rotation_matrix(0.7, (1, 2, 3))
    halves = [mesh.faces[:12], mesh.faces[12:]]
    colors = [(0.1, 0.4, 0.7), (0.8, 0.3, 0.1)]
    for faces, color in zip(halves, colors, strict=True):
        part = trimesh.Trimesh(mesh.vertices, faces, process=False).apply_transform(
            np.linalg.inv(turn)
        )
        linear = [((c + 0.055) / 1.055) ** 2.4 for c in color]
        part.visual = trimesh.visual.TextureVisuals(
            material=trimesh.visual.material.PBRMaterial(baseColorFactor=[*linear, 1.0])
        )
        scene.add_geometry(part, transform=turn)
    canvas = shown([View("scene", scene.export(file_type="glb"))], "azimuth=30&turning=0")
    seen = pixels(canvas).astype(int)
    difference = np.abs(seen - rendered(mesh, seen.shape[:2], 30, 30)).max(axis=-1)
    assert (difference > 6).mean() < 0.01


def test_mesh_turns_until_it_is_dragged(browser, shown):
    from selenium.webdriver import ActionChains

    canvas = shown([View("steps", glb(steps()))], "azimuth=30")
    first = pixels(canvas)
    chromium.wait(browser, lambda _: (pixels(canvas) != first).any())
    ActionChains(browser).drag_and_drop_by_offset(canvas, 50, 0).perform()
    azimuth = browser.execute_script("return viewer.azimuth")
    browser.execute_async_script("setTimeout(arguments[0], 300)")
    assert browser.execute_script("return [viewer.azimuth, viewer.turning]") == [azimuth, False]
    ActionChains(browser).drag_and_drop_by_offset(canvas, 50, 0).perform()
    # A drag to the right brings the left side to the front: the camera goes to larger azimuths.
    moved = (browser.execute_script("return viewer.azimuth") - azimuth) % 360
    assert moved == pytest.approx(20.0, abs=1.0)


def test_several_meshes_are_chosen_from_beside_their_pictures(browser, shown):
    picture = np.full((8, 8, 4), 255, np.uint8)
    icosahedron = trimesh.creation.icosahedron()
    other = Mesh(icosahedron.vertices, icosahedron.faces)
    name = "</script><b>& 'two'"
    canvas = shown([View("one", glb(steps())), View(name, glb(other), picture)])
    assert canvas.get_attribute("data-faces") == "36"
    assert not browser.find_element("id", "picture").is_displayed()
    browser.find_element("css selector", "#choice option:nth-child(2)").click()
    chromium.wait(browser, lambda _: canvas.get_attribute("data-faces") == "20")
    assert browser.find_element("css selector", "#choice option:nth-child(2)").text == name
    image = browser.find_element("id", "picture")
    assert browser.execute_script("return arguments[0].naturalWidth", image) == 8
    link = browser.find_element("id", "download").get_attribute("href")
    with urllib.request.urlopen(link) as answer:
        file = io.BytesIO(answer.read())
    assert len(trimesh.load_mesh(file, file_type="glb").faces) == 20


def test_page_may_ask_the_network_for_nothing(browser, shown):
    shown([View("steps", glb(steps()))])
    refused = browser.execute_async_script(
        "fetch('http://127.0.0.1:9/').catch((e) => arguments[0](String(e)))"
    )
    assert "Failed to fetch" in refused
    assert any("Content Security Policy" in line for line in chromium.complaints(browser))


def glb_of(document, binary=b""):
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    if binary:
        chunks += struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def broken(**changes):
    """A glTF of one triangle, with changes to its parts."""
    document = {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "buffers": [{"byteLength": 36}],
    }
    corners = np.eye(3, dtype="<f4").tobytes()
    return glb_of({**document, **changes}, corners)


def test_a_triangle_without_indices_is_shown(shown):
    assert shown([View("triangle", broken())]).get_attribute("data-faces") == "1"


BROKEN = {
    "compressed": ({"extensionsRequired": ["KHR_draco_mesh_compression"]}, "KHR_draco"),
    "loop": ({"nodes": [{"children": [1]}, {"children": [0]}]}, "two parents"),
    "too many": (
        {"accessors": [{"bufferView": 0, "componentType": 5126, "count": 2**40, "type": "VEC3"}]},
        "data missing",
    ),
    "elsewhere": ({"bufferViews": [{"buffer": 1, "byteLength": 36}]}, "not in the file"),
    "empty": ({"nodes": [{}]}, "without triangles"),
}


@pytest.mark.parametrize("changes, words", BROKEN.values(), ids=BROKEN)
def test_files_that_cannot_be_shown_are_told_on_the_page(browser, shown, changes, words):
    shown([View("broken", broken(**changes))])
    message = browser.find_element("id", "message").text
    assert message.startswith("This mesh cannot be shown. Expected a mesh in binary glTF")
    assert words in message


def test_views_that_are_none_are_refused():
    with pytest.raises(ValueError, match="at least one mesh"):
        view_html([])
    with pytest.raises(ValueError, match="'ply'.*binary glTF"):
        view_html([View("ply", b"ply\nformat ascii 1.0")])
