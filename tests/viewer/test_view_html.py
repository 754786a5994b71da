"""The page that shows meshes: in headless Chromium without a network, against our own renderer."""

import io
import urllib.request

import numpy as np
import PIL.Image
import pytest
import trimesh

from tests import chromium
from tf_softras.geometry import Material, Mesh, eye_from_angles, load_mesh
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


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = chromium.start(tmp_path_factory.mktemp("chromium"), offline=True, size=(560, 600))
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
    mesh = mesh.normalized()
    return render_views(mesh, eyes, image_size=shape, background=(1.0, 1.0, 1.0))[0][..., :3]


def share_that_differs(seen, mesh, azimuth, elevation=30, *, tolerance=6):
    expected = rendered(mesh, seen.shape[:2], azimuth, elevation).astype(int)
    return (np.abs(seen.astype(int) - expected).max(axis=-1) > tolerance).mean()


@pytest.mark.parametrize("azimuth, elevation", [(30, 30), (200, -15), (90, 60)])
def test_page_shows_what_the_renderer_draws(browser, shown, azimuth, elevation):
    mesh = steps()
    canvas = shown(
        [View("steps", mesh)], f"azimuth={azimuth}&elevation={elevation}&distance=2.732&turning=0"
    )
    seen = pixels(canvas).astype(int)
    expected = rendered(mesh, seen.shape[:2], azimuth, elevation).astype(int)
    difference = np.abs(seen - expected).max(axis=-1)
    # Edges are sampled otherwise, and COLOR_0 and light are rounded to 8 bits in turn.
    assert (difference > 6).mean() < 0.01
    # A mirrored picture fails by far.
    mirrored = np.abs(seen[:, ::-1] - expected).max(axis=-1)
    assert (mirrored > 6).mean() > 0.05
    assert not chromium.complaints(browser)


def picture_of_stripes(path):
    """Diagonal stripes and a red corner, so that a mirrored or turned picture differs."""
    stripes = np.indices((64, 64)).sum(axis=0) // 8 % 2
    pixels = np.where(stripes[..., None] > 0, (230, 200, 40), (30, 60, 140)).astype(np.uint8)
    pixels[:20, :20] = (200, 30, 30)
    PIL.Image.fromarray(pixels).save(path)


def textured_obj(folder):
    """The steps as an OBJ file with a texture, a plain material and glass."""
    picture_of_stripes(folder / "stripes.png")
    (folder / "steps.mtl").write_text(
        "newmtl a\nKd 1 1 1\nmap_Kd stripes.png\nnewmtl b\nKd 0.1 0.6 0.2\n"
        "newmtl c\nKd 0.5 0.5 0.9\nd 0.4\n"
    )
    mesh = steps()
    lines = ["mtllib steps.mtl", *("v " + " ".join(map(str, v)) for v in mesh.vertices.tolist())]
    lines += ["vt 0 0", "vt 1 0", "vt 1 1", "vt 0 1"]
    for index, (a, b, c) in enumerate((mesh.faces + 1).tolist()):
        if index % 12 == 0:
            lines.append(f"usemtl {'abc'[index // 12]}")
        second, third = (2, 3) if index % 2 else (3, 4)
        lines.append(f"f {a}/1 {b}/{second} {c}/{third}")
    (folder / "steps.obj").write_text("\n".join(lines) + "\n")
    return folder / "steps.obj"


def colored_ply(folder):
    mesh = steps()
    colors = np.rint((mesh.vertices - mesh.vertices.min(axis=0)) * 255).astype(int).clip(0, 255)
    header = f"ply\nformat ascii 1.0\nelement vertex {len(mesh.vertices)}\n"
    header += "".join(f"property float {axis}\n" for axis in "xyz")
    header += "".join(f"property uchar {name}\n" for name in ("red", "green", "blue"))
    header += (
        f"element face {len(mesh.faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    rows = [(*v, *c) for v, c in zip(mesh.vertices.tolist(), colors.tolist(), strict=True)]
    rows += [(3, *face) for face in mesh.faces.tolist()]
    path = folder / "steps.ply"
    path.write_text(header + "".join(" ".join(map(str, row)) + "\n" for row in rows))
    return path


def materials_glb(folder):
    """The steps as trimesh writes them: two nodes that are turned, each with its material."""
    mesh = steps()
    scene = trimesh.Scene()
    turn = trimesh.transformations.rotation_matrix(0.7, (1, 2, 3))
    for faces, color in ((mesh.faces[:12], (0.1, 0.4, 0.7)), (mesh.faces[12:], (0.8, 0.3, 0.1))):
        part = trimesh.Trimesh(mesh.vertices, faces, process=False)
        part.apply_transform(np.linalg.inv(turn))
        linear = [((c + 0.055) / 1.055) ** 2.4 for c in color]
        part.visual = trimesh.visual.TextureVisuals(
            material=trimesh.visual.material.PBRMaterial(baseColorFactor=[*linear, 1.0])
        )
        scene.add_geometry(part, transform=turn)
    scene.export(folder / "steps.glb")
    return folder / "steps.glb"


@pytest.mark.parametrize("write", [textured_obj, colored_ply, materials_glb])
@pytest.mark.parametrize("azimuth", [30, 250])
def test_files_look_in_the_page_as_they_are_rendered(browser, shown, tmp_path, write, azimuth):
    mesh = load_mesh(write(tmp_path))
    canvas = shown([View("file", mesh)], f"azimuth={azimuth}&distance=2.732&turning=0")
    seen = pixels(canvas)
    # Edges are sampled otherwise here and there, and so are the borders of stripes.
    assert share_that_differs(seen, mesh, azimuth, tolerance=12) < 0.02
    # Grey instead of the file's colours fails by far.
    grey = Mesh(mesh.vertices, mesh.faces)
    assert share_that_differs(seen, grey, azimuth, tolerance=12) > 0.05
    assert not chromium.complaints(browser)


def test_fine_textures_are_averaged_in_the_page_as_in_pictures(shown):
    texture = np.zeros((256, 256, 3), np.uint8)
    texture[(np.indices((256, 256)).sum(axis=0) % 2).astype(bool)] = 255
    uvs = np.float32([[[0, 0], [9, 0], [9, 9]], [[0, 0], [9, 9], [0, 9]]])
    square = [[0, -0.5, 0.5], [0, -0.5, -0.5], [0, 0.5, -0.5], [0, 0.5, 0.5]]
    mesh = Mesh(square, [[0, 1, 2], [0, 2, 3]], materials=[Material(texture=texture)], uvs=uvs)
    seen = pixels(shown([View("fine", mesh)], "azimuth=0&elevation=0&distance=2.732&turning=0"))
    middle = tuple(side // 2 for side in seen.shape[:2])
    # Half of the light is 188 of 255; the square looks at the camera, whose light is 0.8.
    np.testing.assert_allclose(seen[middle], 0.8 * 188, atol=3)
    assert share_that_differs(seen, mesh, 0, 0, tolerance=4) < 0.02


def test_a_cube_is_in_the_frame_whole(shown):
    box = trimesh.creation.box()
    seen = pixels(shown([View("box", Mesh(box.vertices, box.faces))], "elevation=35&turning=0"))
    for border in (seen[0], seen[-1], seen[:, 0], seen[:, -1]):
        assert (border == 255).all()


def test_mesh_turns_until_it_is_dragged(browser, shown):
    from selenium.webdriver import ActionChains

    canvas = shown([View("steps", steps())], "azimuth=30")
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
    canvas = shown([View("one", steps()), View(name, other, picture)])
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
    shown([View("steps", steps())])
    refused = browser.execute_async_script(
        "fetch('http://127.0.0.1:9/').catch((e) => arguments[0](String(e)))"
    )
    assert "Failed to fetch" in refused
    assert any("Content Security Policy" in line for line in chromium.complaints(browser))


def test_views_that_are_none_are_refused():
    with pytest.raises(ValueError, match="views: expected at least one mesh"):
        view_html([])
    with pytest.raises(ValueError, match="faces: expected at least one face"):
        view_html([View("points", Mesh(np.zeros((3, 3)), np.zeros((0, 3), int)))])
