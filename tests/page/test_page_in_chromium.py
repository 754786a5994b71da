"""The page in headless Chromium: upload, mesh on screen, download, and words for what is broken."""

import io

import numpy as np
import PIL.Image
import pytest
import trimesh

from tests import chromium
from tests.page.networks import Ball
from tests.page.servers import serving
from tf_softras.geometry import load_mesh
from tf_softras.page.app import create_app
from tf_softras.pictures import frame_object
from tf_softras.reconstruction import as_reconstructor

LIMIT = 200_000


def picture(red):
    pixels = np.zeros((40, 60, 4), np.uint8)
    pixels[5:35, 10:50] = (red, 40, 80, 255)
    return pixels


def photo(red):
    """A picture, uint8 [160, 240, 3], of an object before a sky; the object alone."""
    rows, columns = np.mgrid[:160, :240]
    sky = np.stack([90 + rows / 4, 140 + rows / 4, 200 + columns / 8], -1)
    true = np.zeros((160, 240, 4), np.uint8)
    true[40:120, 60:180] = (red, 40, 30, 255)
    return np.where(true[..., 3:] > 0, true[..., :3], sky).astype(np.uint8), true


@pytest.fixture(scope="module")
def url():
    samples = {"red": picture(255), "blue": picture(0)}
    app = create_app(as_reconstructor(Ball()), samples=samples, max_upload_bytes=LIMIT)
    with serving(app) as url:
        yield url


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("chromium")


@pytest.fixture(scope="module")
def browser(folder):
    browser = chromium.start(folder)
    yield browser
    browser.quit()


@pytest.fixture
def page(browser, url):
    browser.get(url)
    chromium.wait(browser, lambda b: b.find_elements("css selector", "#samples button"))
    yield browser
    assert not chromium.complaints(browser)


@pytest.fixture
def files(tmp_path):
    PIL.Image.fromarray(picture(200)).save(tmp_path / "cut_out.png")
    PIL.Image.fromarray(picture(90)[..., :3]).save(tmp_path / "photo.png")
    PIL.Image.fromarray(picture(90)[..., 3]).save(tmp_path / "mask.png")
    (tmp_path / "broken.png").write_bytes((tmp_path / "cut_out.png").read_bytes()[:60])
    (tmp_path / "large.png").write_bytes(bytes(LIMIT + 1))
    return tmp_path


def text(page, name):
    return page.find_element("id", name).text


def choose(page, name, path):
    page.find_element("id", name).send_keys(str(path))


def wait_for_mesh(page):
    chromium.wait(page, lambda _: text(page, "status") == "Done." or text(page, "error"))
    assert not text(page, "error")
    canvas = page.find_element("id", "mesh")
    chromium.wait(page, lambda _: canvas.get_attribute("data-faces") == "320")
    return canvas


def wait_for_hint(page, words):
    chromium.wait(page, lambda _: text(page, "hint") == words)


def wait_for_error(page):
    chromium.wait(page, lambda _: text(page, "error"))
    assert not page.find_element("id", "result").is_displayed()
    return text(page, "error")


def only_refused(page, status):
    """Chromium itself notes a refusal; nothing else may be there."""
    (complaint,) = chromium.complaints(page)
    assert f"status of {status}" in complaint


def download(page, folder, name):
    path = folder / "downloads" / name
    path.unlink(missing_ok=True)
    # A new window under load is laid out late: until then its links have no visible text.
    chromium.wait(page, lambda b: b.find_elements("link text", name))[0].click()
    chromium.wait(page, lambda _: path.exists() and path.stat().st_size)
    return path


def expected_vertices(pixels):
    return Ball()(frame_object(pixels)[None] / 255.0)[0]


def test_an_uploaded_picture_becomes_a_mesh_on_the_screen_and_on_disk(page, files, folder):
    choose(page, "picture", files / "cut_out.png")
    canvas = wait_for_mesh(page)
    pixels = np.asarray(PIL.Image.open(io.BytesIO(canvas.screenshot_as_png)).convert("L"))
    # A grey ball on white in a frame: seen in the middle, not in the corners.
    height, width = pixels.shape
    assert pixels[height // 2, width // 2] < 200 and pixels[10, 10] == 255
    shown = page.find_elements("css selector", "#silhouettes img")
    assert len(shown) == 6
    images = [*shown, *(page.find_element("id", name) for name in ("cut-out", "object"))]
    widths = [page.execute_script("return arguments[0].naturalWidth", image) for image in images]
    assert widths == [128] * 6 + [64, 256]
    expected = expected_vertices(picture(200))
    glb = trimesh.load_mesh(download(page, folder, "mesh.glb"), process=False)
    np.testing.assert_allclose(glb.vertices, expected, rtol=1e-6)
    obj = load_mesh(download(page, folder, "mesh.obj"))
    np.testing.assert_allclose(obj.vertices, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["mesh", "result"])
def test_nothing_fades_in_where_the_system_asks_for_reduced_motion(page, name):
    script = "return getComputedStyle(document.getElementById(arguments[0])).animationName"
    assert page.execute_script(script, name) == "none"


def test_a_photo_waits_for_its_mask(page, files, folder):
    choose(page, "picture", files / "photo.png")
    wait_for_hint(page, "Draw a box around the object.")
    assert not text(page, "error") and not page.find_element("id", "result").is_displayed()
    choose(page, "mask", files / "mask.png")
    wait_for_mesh(page)
    assert text(page, "hint") == "Cut out by the mask."
    glb = trimesh.load_mesh(download(page, folder, "mesh.glb"), process=False)
    np.testing.assert_allclose(glb.vertices, expected_vertices(picture(90)), rtol=1e-6)


def drag(page, one, other):
    """Draws a box on the photo, whose corners are given as shares of its width and height."""
    from selenium.webdriver import ActionChains

    canvas = page.find_element("id", "preview")
    width, height = canvas.size["width"], canvas.size["height"]
    (x, y), (dx, dy) = (
        (round((share[0] - 0.5) * width), round((share[1] - 0.5) * height))
        for share in (one, other)
    )
    actions = ActionChains(page, duration=50).move_to_element_with_offset(canvas, x, y)
    actions.click_and_hold().move_by_offset(dx - x, dy - y).release().perform()


def test_a_box_drawn_on_a_photo_cuts_its_object_out(page, files, folder):
    pixels, true = photo(90)
    PIL.Image.fromarray(pixels).save(files / "scene.png")
    choose(page, "picture", files / "scene.png")
    wait_for_hint(page, "Draw a box around the object.")
    # The object fills columns 60 to 180 of 240 and rows 40 to 120 of 160; from any corner.
    drag(page, (0.82, 0.18), (0.18, 0.82))
    wait_for_mesh(page)
    assert text(page, "hint") == "Not cut out well? Draw another box."
    glb = trimesh.load_mesh(download(page, folder, "mesh.glb"), process=False)
    np.testing.assert_allclose(glb.vertices, expected_vertices(true), rtol=0.03)
    # A click draws no box.
    page.find_element("id", "preview").click()
    assert page.find_element("id", "result").is_displayed()
    # Another box of plain background: words, and the photo stays.
    drag(page, (0.01, 0.01), (0.1, 0.1))
    assert wait_for_error(page).startswith("box: expected colours")
    only_refused(page, 422)
    drag(page, (0.15, 0.15), (0.85, 0.85))
    wait_for_mesh(page)


def test_a_box_can_be_drawn_without_a_mouse(page, files):
    from selenium.webdriver import Keys

    PIL.Image.fromarray(photo(90)[0]).save(files / "scene.png")
    choose(page, "picture", files / "scene.png")
    wait_for_hint(page, "Draw a box around the object.")
    preview = page.find_element("id", "preview")
    preview.send_keys(Keys.ENTER, Keys.ARROW_RIGHT, Keys.SHIFT, Keys.ARROW_LEFT)
    # Nine tenths of the width, a fiftieth to the right and back.
    assert page.execute_script("return chosen.box") == [29, 16, 216, 144]
    assert not page.find_element("id", "result").is_displayed()
    preview.send_keys(Keys.ENTER)
    wait_for_mesh(page)


def test_samples_are_one_click_away(page, folder):
    page.find_element("css selector", "#samples button:nth-child(2)").click()
    wait_for_mesh(page)
    glb = trimesh.load_mesh(download(page, folder, "mesh.glb"), process=False)
    np.testing.assert_allclose(glb.vertices, expected_vertices(picture(0)), rtol=1e-6)


def test_pictures_can_be_dropped(page):
    drop = """
    const url = document.querySelector("#samples img").src;
    const bytes = Uint8Array.from(atob(url.split(",")[1]), (c) => c.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], "dropped.png"));
    const event = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
    document.getElementById("drop").dispatchEvent(event);
    """
    page.execute_script(drop)
    wait_for_mesh(page)


def test_a_broken_picture_gives_words_and_the_next_one_a_mesh(page, files):
    choose(page, "picture", files / "broken.png")
    assert wait_for_error(page).startswith("picture: expected a whole")
    only_refused(page, 422)
    choose(page, "picture", files / "cut_out.png")
    wait_for_mesh(page)


def test_a_large_picture_is_told_before_it_is_sent(page, files):
    choose(page, "picture", files / "large.png")
    assert f"expected at most {LIMIT} bytes; received {LIMIT + 1}" in wait_for_error(page)


def test_a_server_that_is_gone_is_told(browser, files):
    with serving(create_app(as_reconstructor(Ball()), samples={"red": picture(255)})) as url:
        browser.get(url)
        chromium.wait(browser, lambda b: b.find_elements("css selector", "#samples button"))
    choose(browser, "picture", files / "cut_out.png")
    assert wait_for_error(browser) == "The server does not answer."
    chromium.complaints(browser)


def test_two_users_see_a_mesh_each(page, browser, url, folder):
    first = browser.current_window_handle
    page.find_element("css selector", "#samples button:nth-child(1)").click()
    browser.switch_to.new_window("window")
    browser.get(url)
    chromium.wait(browser, lambda b: b.find_elements("css selector", "#samples button"))
    browser.find_element("css selector", "#samples button:nth-child(2)").click()
    for window, red in ((browser.current_window_handle, 0), (first, 255)):
        browser.switch_to.window(window)
        wait_for_mesh(browser)
        glb = trimesh.load_mesh(download(browser, folder, "mesh.glb"), process=False)
        np.testing.assert_allclose(glb.vertices, expected_vertices(picture(red)), rtol=1e-6)
        if window != first:
            browser.close()
