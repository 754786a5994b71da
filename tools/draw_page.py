"""Draws docs/images/page.png: PYTHONPATH=. python tools/draw_page.py [PNG].

It opens `softras page` in headless Chromium, as the tests do (`make chromium`), with the chair of
`draw_photographs.py`, and draws a box around the chair with the mouse.
"""

import argparse
import pathlib
import tempfile
import time

import PIL.Image
from draw_photographs import renders
from selenium.webdriver import ActionChains

from tests import chromium
from tests.page.servers import serving
from tf_softras.datasets.shapenet_views.sample_pictures import sample_pictures
from tf_softras.page.app import create_app
from tf_softras.reconstruction import open_reconstructor

PICTURE = pathlib.Path(__file__).resolve().parents[1] / "docs/images/page.png"
SIZE = (1280, 960)
CHAIR = 0
# The mesh turns until an arrow key is pressed; each press turns it by 10 degrees.
PRESSES = 6
PRESS_ARROWS = """
const key = new KeyboardEvent("keydown", {key: arguments[0]});
for (let i = 0; i < arguments[1]; i++) document.getElementById("mesh").dispatchEvent(key);
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", nargs="?", type=pathlib.Path, default=PICTURE)
    path = parser.parse_args().path
    _, pixels, box = renders()[CHAIR]
    app = create_app(open_reconstructor(), samples=sample_pictures())
    with tempfile.TemporaryDirectory() as folder, serving(app) as url:
        picture = pathlib.Path(folder, "chair.png")
        PIL.Image.fromarray(pixels).save(picture)
        browser = chromium.start(folder, size=SIZE)
        try:
            browser.get(url)
            show_mesh(browser, picture, pixels.shape, box)
            browser.save_screenshot(str(path))
            PIL.Image.open(path).convert("RGB").save(path, optimize=True)
        finally:
            browser.quit()


def show_mesh(browser, picture, shape, box):
    """Chooses a picture, draws the box (left, top, right, bottom), and waits for the mesh."""
    browser.find_element("id", "picture").send_keys(str(picture))
    chromium.wait(browser, lambda _: browser.find_element("id", "hint").text)
    canvas = browser.find_element("id", "preview")
    height, width = shape[:2]
    scale = canvas.size["width"] / width
    # Selenium counts from the middle of an element.
    left, right = (round(scale * (side - width / 2)) for side in (box[0], box[2]))
    top, bottom = (round(scale * (side - height / 2)) for side in (box[1], box[3]))
    mouse = ActionChains(browser).move_to_element_with_offset(canvas, left, top).click_and_hold()
    mouse.move_to_element_with_offset(canvas, right, bottom).release().perform()
    chromium.wait(browser, lambda _: browser.find_element("id", "status").text == "Done.")
    mesh = browser.find_element("id", "mesh")
    chromium.wait(browser, lambda _: mesh.get_attribute("data-faces"))
    browser.execute_script(PRESS_ARROWS, "ArrowLeft", PRESSES)
    # Until it is drawn.
    time.sleep(1.0)


if __name__ == "__main__":
    main()
