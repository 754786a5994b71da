"""Malformed requests to a SavedModel, in a process that none of them may end."""

import re

import numpy as np
import pytest

from tests.export import hostile_pictures
from tests.export.processes import run_as_a_server
from tf_softras.serving import InputSpec, example_inputs

IMAGES = np.full((2, 64, 64, 4), 0.5, np.float32)
MESHES = example_inputs([InputSpec("vertices", (642, 3)), InputSpec("eyes", (3,))], batch_size=2)
VERTICES, EYES = MESHES["vertices"], MESHES["eyes"]


def strings(*values, shape=None):
    return np.array(values, object).reshape([len(values)] if shape is None else shape)


def spoilt(array, value):
    array = array.copy()
    array[(-1,) * array.ndim] = value
    return array


def meshes(vertices=VERTICES, eyes=EYES):
    return {"vertices": vertices, "eyes": eyes}


def pictures(image, mask):
    return {"image_bytes": image, "mask_bytes": mask}


PNG, NONE = strings(hostile_pictures.PNG), strings(b"")

# Name -> (signature, inputs, words of the refusal).
MALFORMED = {
    "images of rank 0": ("serving_default", {"images": np.float32(0.5)}, "not compatible"),
    "images of rank 3": ("serving_default", {"images": IMAGES[0]}, "not compatible"),
    "images of rank 5": ("serving_default", {"images": IMAGES[None]}, "not compatible"),
    "images of half the height": ("serving_default", {"images": IMAGES[:, :32]}, "not compatible"),
    "images of three channels": ("serving_default", {"images": IMAGES[..., :3]}, "not compatible"),
    "images without pixels": ("serving_default", {"images": IMAGES[:, :0, :0]}, "not compatible"),
    "no image": ("serving_default", {"images": IMAGES[:0]}, "images: expected a batch of 1 to 64"),
    "too many images": (
        "serving_default",
        {"images": np.repeat(IMAGES[:1], 65, axis=0)},
        "images: expected a batch of 1 to 64.*65",
    ),
    "images of NaN": ("serving_default", {"images": spoilt(IMAGES, np.nan)}, "images: .*finite"),
    "images of NaN alone": ("serving_default", {"images": np.nan * IMAGES}, "images: .*finite"),
    "images of infinity": (
        "serving_default",
        {"images": spoilt(IMAGES, np.inf)},
        "images: .*finite",
    ),
    "images of bytes": ("serving_default", {"images": 255 * IMAGES}, r"in \[0, 1\].*127"),
    "images below 0": ("serving_default", {"images": IMAGES - 1}, r"in \[0, 1\].*-0.5"),
    "images of doubles": ("serving_default", {"images": np.float64(IMAGES)}, "float"),
    "images of integers": ("serving_default", {"images": np.int32(IMAGES)}, "float"),
    "images of strings": ("serving_default", {"images": PNG}, "float"),
    "no picture": ("encoded", pictures(PNG[:0], NONE[:0]), "image_bytes: expected a batch of 1"),
    "too many pictures": ("glb", pictures(np.repeat(PNG, 65), np.repeat(NONE, 65)), "1 to 64.*65"),
    "more masks than pictures": ("glb", pictures(PNG, np.repeat(NONE, 2)), "batches of one size"),
    "a picture of rank 0": ("encoded", pictures(strings(PNG[0], shape=()), NONE), "not compatible"),
    "pictures of rank 2": ("glb", pictures(strings(PNG[0], shape=(1, 1)), NONE), "not compatible"),
    "pictures of numbers": ("encoded", pictures(np.float32([1.0]), NONE), "string"),
    "vertices of rank 2": ("silhouettes", meshes(VERTICES[0]), "not compatible"),
    "too few vertices": ("silhouettes", meshes(VERTICES[:, 1:]), "not compatible"),
    "vertices of two numbers": ("silhouettes", meshes(VERTICES[..., :2]), "not compatible"),
    "vertices of NaN": ("silhouettes", meshes(spoilt(VERTICES, np.nan)), "vertices: .*finite"),
    "vertices far away": ("silhouettes", meshes(spoilt(VERTICES, 1e30)), "vertices: .*1e"),
    "eyes of infinity": ("silhouettes", meshes(eyes=spoilt(EYES, -np.inf)), "eyes: .*finite"),
    "eyes in the origin": ("silhouettes", meshes(eyes=0 * EYES), "eyes: .*0.001 from the origin"),
    "fewer eyes than meshes": ("silhouettes", meshes(eyes=EYES[:1]), "batches of one size.*2 1"),
    "no mesh": ("silhouettes", meshes(VERTICES[:0], EYES[:0]), "vertices: expected a batch of 1"),
    **{
        f"picture: {name}": (
            ("encoded", "glb")[i % 2],
            pictures(strings(image), strings(mask)),
            words,
        )
        for i, (name, (image, mask, words)) in enumerate(hostile_pictures.HOSTILE.items())
    },
    "one bad picture of two": (
        "encoded",
        pictures(strings(hostile_pictures.PNG, hostile_pictures.BOMB), np.repeat(NONE, 2)),
        "expected sides of 1 to 8192",
    ),
}
# The server's process must still answer this afterwards.
GOOD = {
    "serving_default": {"images": IMAGES},
    "encoded": pictures(PNG, NONE),
    "glb": pictures(strings(hostile_pictures.JPEG), strings(hostile_pictures.MASK)),
    "silhouettes": meshes(VERTICES[:1], EYES[:1]),
}


def damaged(content, random):
    """A file with a few bytes changed, a piece cut out, or its end lost."""
    content = bytearray(content)
    kind = random.integers(3)
    at = int(random.integers(len(content)))
    if kind == 0:
        for _ in range(random.integers(1, 6)):
            content[int(random.integers(len(content)))] = random.integers(256)
    elif kind == 1:
        del content[at : at + int(random.integers(1, 40))]
    else:
        del content[at:]
    return bytes(content)


def damaged_files():
    random = np.random.default_rng(0)
    for original in (
        hostile_pictures.PNG,
        hostile_pictures.JPEG,
        hostile_pictures.jpeg_of_scans(1),
    ):
        for _ in range(60):
            files = strings(damaged(original, random)), strings(hostile_pictures.MASK)
            yield "encoded", pictures(*(files if random.random() < 0.7 else files[::-1]))


@pytest.fixture(scope="module")
def answers(exported):
    """The answers of one process to all of it, in order."""
    malformed = [(signature, inputs) for signature, inputs, _ in MALFORMED.values()]
    requests = {
        "malformed": malformed,
        "damaged": list(damaged_files()),
        "good": list(GOOD.items()),
    }
    found = run_as_a_server(
        exported[1] / "1", [request for part in requests.values() for request in part]
    )
    remaining = iter(found["answers"])
    return {name: [next(remaining) for _ in part] for name, part in requests.items()}


def test_malformed_requests_are_invalid_arguments_and_none_ends_the_process(answers, subtests):
    for (name, (_, _, words)), answer in zip(MALFORMED.items(), answers["malformed"], strict=True):
        with subtests.test(name):
            assert isinstance(answer, tuple), "answered"
            kind, message = answer
            assert kind == "InvalidArgumentError"
            assert re.search(words, message, re.DOTALL), message


def test_damaged_files_are_answered_or_refused_and_none_ends_the_process(answers):
    kinds = [
        answer[0] if isinstance(answer, tuple) else "answered" for answer in answers["damaged"]
    ]
    assert set(kinds) == {"answered", "InvalidArgumentError"}
    for answer in answers["damaged"]:
        if isinstance(answer, dict):
            assert np.isfinite(answer["vertices"]).all()


def test_good_requests_are_answered_after_all_that(answers):
    for signature, answer in zip(GOOD, answers["good"], strict=True):
        assert isinstance(answer, dict), (signature, answer)
