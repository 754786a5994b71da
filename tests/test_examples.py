"""The examples run, keep short, and use public names only."""

import ast
import pathlib
import re
import runpy
import sys

import PIL.Image
import pytest
import trimesh

from tf_softras.datasets.shapenet_views import shapenet_views_dataset_builder as shapenet_views
from tf_softras.geometry import load_mesh

ROOT = pathlib.Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
MESHES = shapenet_views.Builder.code_path.parent / "dummy_data"
BOX = MESHES / "04379243/box/models/model_normalized.obj"


def run(monkeypatch, name, *arguments):
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_short_and_use_public_names_only(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 60
    for node in ast.walk(ast.parse(text)):
        names = []
        if isinstance(node, ast.ImportFrom):
            names = [*node.module.split("."), *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Attribute):
            names = [node.attr]
        assert not [name for name in names if name.startswith("_") and not name.endswith("__")]


def test_a_sphere_is_fitted_to_silhouettes(monkeypatch, tmp_path, capsys):
    film = ("--film", tmp_path / "fit.gif")
    run(
        monkeypatch,
        "fit_mesh_to_silhouettes.py",
        BOX,
        tmp_path / "fitted.obj",
        "--steps",
        "51",
        *film,
    )
    lines = capsys.readouterr().out.splitlines()
    first, last = (float(lines[at].split()[-1]) for at in (0, -1))
    assert last > first + 0.1 and last > 0.8
    with PIL.Image.open(tmp_path / "fit.gif") as shown:
        assert shown.n_frames == 6  # Every tenth of the 51 steps; no two alike.
    assert load_mesh(tmp_path / "fitted.obj").faces.shape == (1280, 3)


def test_a_functional_model_learns(monkeypatch, capsys):
    run(monkeypatch, "functional_model.py", "--count", "32", "--epochs", "2")
    assert "silhouette_iou" in capsys.readouterr().out


def test_own_meshes_are_trained_on(monkeypatch, tmp_path, capsys):
    run(monkeypatch, "train_on_own_meshes.py", MESHES, tmp_path, "--steps", "1")
    assert "| table | 1 |" in capsys.readouterr().out
    assert load_glb_faces(tmp_path / "mesh.glb") == 1280


def test_a_coloured_mesh_is_fitted_to_pictures(monkeypatch, tmp_path, capsys):
    fitted = tmp_path / "fitted.glb"
    run(monkeypatch, "fit_colored_mesh.py", BOX, fitted, "--steps", "20", "--size", "24")
    first, last = re.findall(r"loss (\S+) -> (\S+),", capsys.readouterr().out)[0]
    assert float(last) < 0.6 * float(first)
    assert load_glb_faces(fitted) == 1280


def test_a_textured_mesh_is_fitted_to_pictures(monkeypatch, tmp_path, capsys):
    fitted = tmp_path / "fitted.glb"
    run(monkeypatch, "fit_textured_mesh.py", BOX, fitted, "--steps", "10", "--size", "24")
    first, last = re.findall(r"colours (\S+) -> (\S+)", capsys.readouterr().out)[0]
    assert float(last) < 0.6 * float(first)
    texture = trimesh.load_mesh(fitted).visual.material.baseColorTexture
    assert texture.size == (128, 64)


def test_a_pose_is_found_in_a_picture(monkeypatch, capsys):
    arguments = ["--pictures", "1", "--starts", "6", "--steps", "60", "--size", "16"]
    run(monkeypatch, "fit_pose.py", *arguments)
    lines = capsys.readouterr().out.splitlines()
    assert float(re.search(r"is (\S+) deg off", lines[0])[1]) < 10.0
    assert lines[1].startswith("6 starts: ")


def test_a_light_is_found_in_pictures(monkeypatch, capsys):
    run(monkeypatch, "fit_light.py", BOX, "--size", "24", "--steps", "100")
    assert float(re.search(r"sun: (\S+) deg off", capsys.readouterr().out)[1]) < 3.0


def load_glb_faces(path):
    return len(trimesh.load_mesh(path).faces)
