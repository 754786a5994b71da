"""`softras fit` and `softras render --transforms`: what they write, and sentences for bad input."""

import json

import click.testing
import numpy as np
import PIL.Image
import pytest
import trimesh

from tf_softras.cli import main
from tf_softras.cli.command import LOG_LEVEL
from tf_softras.datasets.shapenet_views import shapenet_views_dataset_builder as shapenet_views

BOX = (
    shapenet_views.Builder.code_path.parent / "dummy_data/04379243/box/models/model_normalized.obj"
)


def softras(*arguments):
    return click.testing.CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv(LOG_LEVEL, "2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(LOG_LEVEL, "2")
        result = softras(
            "render", BOX, "--transforms", folder / "views", "--views", 9, "--size", 32
        )
    assert result.exit_code == 0, result.output
    return folder


def test_render_writes_pictures_and_cameras(folder):
    frames = json.loads((folder / "views/transforms.json").read_text())["frames"]
    assert len(frames) == 9 and len(list((folder / "views/images").iterdir())) == 9


def test_fit_writes_mesh_report_page_film_and_goes_on(folder):
    mesh = folder / "box.glb"
    arguments = ["fit", folder / "views", "-o", mesh, "--steps", 3, "--texture-size", 64]
    arguments += ["--silhouettes-only", "--film", folder / "box.gif"]
    result = softras(*arguments)
    assert result.exit_code == 0, result.output + repr(result.exception)
    loaded = trimesh.load(mesh, force="mesh")
    assert loaded.visual.material.baseColorTexture.size == (64, 64)
    report = json.loads((folder / "box.report.json").read_text())
    assert report["views"] == 9 and report["held_out"] == 1 and len(report["per_view"]) == 9
    # Three steps from a hull of eight small pictures: enough to see that the fit began.
    assert report["iou"] > 0.7 and report["held_out_iou"] > 0.3
    page = (folder / "box.html").read_text()
    assert page.count('alt="the picture"') == page.count('alt="the mesh"') == 9
    assert PIL.Image.open(folder / "box.gif").n_frames > 5
    again = softras(*arguments)
    assert again.exit_code == 0 and "Going on with the fit" in again.output
    np.savez(folder / "box.fit.npz", stage=1)
    damaged = softras(*arguments)
    assert damaged.exit_code == 2 and "--fresh" in damaged.output


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["nowhere", "-o", "x.glb"], "expected a folder of posed pictures"),
        (["views", "-o", "x.txt"], "-o: expected a name that ends in .glb or .obj"),
        (["views", "-o", "none/x.glb"], "-o: expected a folder that exists"),
        (["views", "-o", "x.glb", "--masks", "none"], "masks: expected a folder"),
        (["views", "-o", "x.glb", "--film", "x.avi"], "--film: expected"),
        (["views", "-o", "x.glb", "--start", "none.obj"], "none.obj"),
        (["views", "-o", "x.glb", "--hold-out", "1"], "expected at least 2 that are not held out"),
    ],
)
def test_wrong_input_is_one_sentence(folder, arguments, message, monkeypatch):
    monkeypatch.chdir(folder)
    result = softras("fit", *arguments)
    assert result.exit_code == 2, result.output + repr(result.exception)
    assert message in result.output and "Traceback" not in result.output


def test_render_wants_something_to_write():
    assert "-o: expected a file, or a folder for --transforms" in softras("render", BOX).output


def test_transforms_stand_beside_a_picture_whose_angles_are_its_own(tmp_path):
    options = ("--views", 2, "--size", 16, "--azimuth", 50, "--background", "white")
    result = softras(
        "render", BOX, "-o", tmp_path / "a.png", "--transforms", tmp_path / "t", *options
    )
    assert result.exit_code == 0, result.output
    assert (np.asarray(PIL.Image.open(tmp_path / "a.png"))[..., 3] == 255).all()


@pytest.mark.parametrize("time", ["nan", "inf", "0.5"])
def test_a_time_that_is_none_is_refused(folder, time):
    result = softras("fit", folder / "views", "-o", folder / "none.glb", "--time", time)
    assert result.exit_code == 2 and "Invalid value for '--time'" in result.stderr
    assert not (folder / "none.glb").exists()
