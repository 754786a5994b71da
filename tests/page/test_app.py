"""The page's server: what it answers, what it refuses, and what it leaves alone."""

import base64
import concurrent.futures
import io
import json
import pathlib
import sys
import threading
import urllib.error
import urllib.request

import numpy as np
import PIL.Image
import pytest
import trimesh

from tests.geometry.mesh_files.test_obj_and_written_files import read_glb
from tests.page.networks import Ball
from tests.page.servers import serving
from tf_softras.geometry import load_mesh
from tf_softras.page.app import create_app
from tf_softras.pictures import frame_object
from tf_softras.reconstruction import (
    Meshes,
    ReconstructorError,
    ServingError,
    VoxelFunction,
    as_reconstructor,
)

LIMIT = 200_000


@pytest.fixture(scope="module")
def url():
    app = create_app(
        as_reconstructor(Ball()),
        samples={"red": picture(255)},
        max_upload_bytes=LIMIT,
        allowed_hosts=["127.0.0.1"],
    )
    with serving(app) as url:
        yield url


def picture(red):
    """A cut-out, uint8 [40, 60, 4], of a rectangle as red as is said."""
    pixels = np.zeros((40, 60, 4), np.uint8)
    pixels[5:35, 10:50] = (red, 40, 80, 255)
    return pixels


def png(pixels):
    stream = io.BytesIO()
    PIL.Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()


def text(content):
    return base64.b64encode(content).decode()


def answered(url, body, headers=None):
    """(status, JSON) of a request; the body bytes, or what is to be JSON."""
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers or {})
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        content = error.read()
        return error.code, json.loads(content) if content.startswith(b"{") else content


def reconstructed(url, pixels, **more):
    status, answer = answered(f"{url}/reconstruct", {"picture": text(png(pixels)), **more})
    assert status == 200, answer
    return answer


def decoded(url):
    return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))))


def expected_vertices(pixels):
    return Ball()(frame_object(pixels)[None] / 255.0)[0]


def glb_vertices(answer):
    content = io.BytesIO(base64.b64decode(answer["files"]["mesh.glb"]))
    return trimesh.load_mesh(content, file_type="glb", process=False).vertices


def test_answer_holds_the_cut_out_the_silhouettes_and_the_mesh(url, tmp_path):
    answer = reconstructed(url, picture(200))
    np.testing.assert_array_equal(decoded(answer["cutOut"]), frame_object(picture(200)))
    large = frame_object(picture(200), image_size=256)
    np.testing.assert_array_equal(decoded(answer["object"]), large)
    expected = expected_vertices(picture(200))
    np.testing.assert_allclose(glb_vertices(answer), expected, rtol=1e-6)
    (tmp_path / "mesh.obj").write_bytes(base64.b64decode(answer["files"]["mesh.obj"]))
    mesh = load_mesh(tmp_path / "mesh.obj")
    np.testing.assert_allclose(mesh.vertices, expected, atol=1e-6)
    np.testing.assert_array_equal(mesh.faces, Ball().faces)
    assert [view["azimuth"] for view in answer["silhouettes"]] == [0, 60, 120, 180, 240, 300]
    for view in answer["silhouettes"]:
        # A ball of radius r at distance d covers pi/4 (tan(asin(r/d)) / tan(15 deg))^2 of a view.
        radius = np.linalg.norm(expected[0]) / 2.732
        share = np.pi / 4 * (np.tan(np.arcsin(radius)) / np.tan(np.radians(15))) ** 2
        # The icosphere lies inside the ball and covers some percent less; a soft edge adds some.
        black = 1.0 - decoded(view["picture"]).mean() / 255.0
        assert 0.94 * share < black < 1.03 * share


def test_the_mesh_has_the_colours_that_the_network_gives(tmp_path):
    class Painted:
        gives, image_size = "colored meshes", 64

        def reconstruct(self, images):
            vertices = Ball()(images)
            red = np.broadcast_to(np.float32([1.0, 0.0, 0.0]), vertices.shape)
            return Meshes(vertices=vertices, faces=Ball().faces, colors=red)

    with serving(create_app(Painted(), samples={})) as url:
        answer = reconstructed(url, picture(200))
    (tmp_path / "mesh.glb").write_bytes(base64.b64decode(answer["files"]["mesh.glb"]))
    colors = read_glb(tmp_path / "mesh.glb")[0]["COLOR_0"]
    np.testing.assert_array_equal(colors, [[255, 0, 0, 255]] * 162)
    first_vertex = base64.b64decode(answer["files"]["mesh.obj"]).decode().split("\nv ")[1]
    assert [float(value) for value in first_vertex.splitlines()[0].split()[3:]] == [1, 0, 0]


def test_a_network_that_gives_voxels_is_refused_before_anyone_asks():
    voxels = VoxelFunction(lambda images: np.zeros([len(images), 8, 8, 8]))
    with pytest.raises(ReconstructorError, match="one that gives voxels"):
        create_app(voxels, samples={})


def test_a_photo_comes_with_a_mask(url):
    pixels = picture(90)
    mask = text(png(pixels[..., 3]))
    photo = pixels.copy()
    photo[..., 3] = 255
    answer = reconstructed(url, photo[..., :3], mask=mask)
    np.testing.assert_allclose(glb_vertices(answer), expected_vertices(pixels), rtol=1e-6)


def scene():
    """A photo, uint8 [90, 120, 3], of a red rectangle before a sky; the rectangle alone."""
    rows, columns = np.mgrid[:90, :120]
    sky = np.stack([90 + rows / 4, 140 + rows / 4, 200 + columns / 8], -1)
    true = np.zeros((90, 120, 4), np.uint8)
    true[20:70, 30:90] = (200, 40, 30, 255)
    return np.where(true[..., 3:] > 0, true[..., :3], sky).astype(np.uint8), true


def test_a_photo_comes_with_a_box(url):
    pixels, true = scene()
    answer = reconstructed(url, pixels, box=[22, 12, 98, 78])
    np.testing.assert_allclose(glb_vertices(answer), expected_vertices(true), rtol=0.03)


def test_a_box_without_opencv_is_told_in_words(url, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    body = {"picture": text(png(scene()[0])), "box": [22, 12, 98, 78]}
    status, answer = answered(f"{url}/reconstruct", body)
    assert status == 501 and "pip install 'tf-softras[segment]'" in answer["error"]


def test_two_users_at_once_get_a_mesh_each(url):
    reds = [0, 255] * 8
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda red: reconstructed(url, picture(red)), reds))
    for red, answer in zip(reds, answers, strict=True):
        expected = expected_vertices(picture(red))
        np.testing.assert_allclose(glb_vertices(answer), expected, rtol=1e-6)


def test_a_slow_picture_does_not_hold_others_up():
    class Slow(Ball):
        begun, freed = threading.Event(), threading.Event()

        def __call__(self, images):
            if np.asarray(images)[..., 0].max() == 1.0:
                self.begun.set()
                assert self.freed.wait(60)
            return super().__call__(images)

    slow = Slow()
    app = create_app(as_reconstructor(slow), samples={})
    with serving(app) as url, concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(reconstructed, url, picture(255))
        assert slow.begun.wait(60)
        reconstructed(url, picture(0))
        assert not waiting.done()
        slow.freed.set()
        waiting.result(60)


def bomb():
    stream = io.BytesIO()
    PIL.Image.new("1", (9000, 9000)).save(stream, format="PNG")
    return stream.getvalue()


WHOLE = png(picture(200))
REFUSED = {
    "no JSON": (b"\x89PNG", 400, "expected JSON"),
    "a list": ([], 400, "expected JSON"),
    "deep": (b"[" * 100_000, 400, "expected JSON"),
    "no picture": ({}, 400, "received none"),
    "a path": ({"picture": "/etc/passwd"}, 400, "in base64"),
    "a file address": ({"picture": "file:///etc/passwd"}, 400, "in base64"),
    "an object": ({"picture": {"path": "/etc/passwd"}}, 400, "in base64"),
    "text": ({"picture": text(b"/etc/passwd")}, 422, "another kind of file"),
    "cut off": (
        {"picture": text(WHOLE[: len(WHOLE) // 2])},
        422,
        "picture: expected a whole picture; received a damaged one",
    ),
    "no object": ({"picture": text(png(0 * picture(0)))}, 422, "an empty one"),
    "no mask": ({"picture": text(png(picture(9)[..., :3]))}, 422, "a mask beside it"),
    "broken mask": ({"picture": text(WHOLE), "mask": text(b"?")}, 422, "mask: expected a PNG"),
    "other mask": (
        {"picture": text(WHOLE), "mask": text(png(picture(9)[:9, ..., 3]))},
        422,
        "mask: expected height and width of the picture; received those of the mask",
    ),
    "bomb": (
        {"picture": text(bomb())},
        422,
        "25000000 pixels; received height and width: 9000 x 9000",
    ),
    "box of words": ({"picture": text(WHOLE), "box": ["0", 0, 9, 9]}, 400, "four integers"),
    "box of truths": ({"picture": text(WHOLE), "box": [False, 0, 9, 9]}, 400, "four integers"),
    "short box": ({"picture": text(WHOLE), "box": [0, 0, 9]}, 400, "four integers"),
    "box outside": ({"picture": text(WHOLE), "box": [0, 0, 61, 9]}, 422, "box: expected 0 <= left"),
    "huge box": ({"picture": text(WHOLE), "box": [0, 0, 9, 10**400]}, 422, "box: expected"),
    "box and mask": (
        {"picture": text(WHOLE), "mask": text(WHOLE), "box": [0, 0, 9, 9]},
        422,
        "received both",
    ),
    "large": ({"picture": text(bytes(LIMIT + 1))}, 413, f"at most {LIMIT} bytes"),
    "large mask": (
        {"picture": text(WHOLE), "mask": text(bytes(LIMIT + 1))},
        413,
        "mask: expected at most",
    ),
    "huge": (bytes(3 * LIMIT + 1), 413, f"at most {3 * LIMIT} bytes"),
}


@pytest.mark.parametrize("body, status, words", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_used_is_told_in_words(url, body, status, words):
    received, answer = answered(f"{url}/reconstruct", body)
    assert received == status and words in answer["error"]
    # And the server goes on.
    reconstructed(url, picture(1))


@pytest.mark.parametrize(
    "error, status, words",
    [
        (ServingError("No model server answers"), 502, "No model server answers"),
        (ValueError("a fault with /a/path in it"), 500, "The server failed; its log says why."),
    ],
)
def test_faults_that_are_not_the_users_are_told_without_details(error, status, words, caplog):
    class Broken(Ball):
        def __call__(self, images):
            raise error

    with serving(create_app(as_reconstructor(Broken()), samples={})) as url:
        body = {"picture": text(WHOLE)}
        assert answered(f"{url}/reconstruct", body) == (status, {"error": words})
    assert ("a fault" in caplog.text) == (status == 500)


def test_no_path_leads_out_and_other_names_of_the_host_are_refused(url):
    for path in ("/../app.py", "/app.py", "/%2e%2e/app.py", "//etc/passwd", "/file=/etc/passwd"):
        assert answered(url + path, None)[0] == 404
    assert answered(f"{url}/settings", None, {"Host": "evil.example"})[0] == 400
    assert answered(f"{url}/settings", None)[1]["maxUploadBytes"] == LIMIT


opened = []
sys.addaudithook(lambda event, args: opened.append(args[:2]) if event == "open" else None)


def test_uploads_are_never_written_to_a_file(url):
    reconstructed(url, picture(7))  # Whatever is loaded the first time.
    opened.clear()
    large = np.random.default_rng(0).integers(0, 255, (200, 200, 4), np.uint8)
    reconstructed(url, large)
    answered(f"{url}/reconstruct", {"picture": text(b"broken")})
    written = [path for path, mode in opened if mode and set(str(mode)) & set("wax+")]
    assert not written
    package = pathlib.Path(create_app.__code__.co_filename).parents[1]
    assert not [path for path, _ in opened if str(path).startswith(str(package))]
