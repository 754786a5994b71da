"""The command softras: what each command writes, and one sentence for every wrong input."""

import base64
import contextlib
import io
import json
import logging
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import types
import urllib.request

import click.testing
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
import trimesh

from tests.geometry.mesh_files.test_obj_and_written_files import read_glb
from tests.page.servers import model_server, rest_api
from tests.shapes import tiny_config
from tf_softras.cli import main
from tf_softras.cli.command import LOG_LEVEL
from tf_softras.cli.options import open_split
from tf_softras.config import preset
from tf_softras.datasets.shapenet_views import shapenet_views_dataset_builder as shapenet_views
from tf_softras.datasets.shapenet_views.class_names import CLASS_SYNSETS
from tf_softras.export import ExportedReconstructor
from tf_softras.geometry import load_mesh
from tf_softras.models import MeshReconstructor, _pretrained, mesh_reconstructor
from tf_softras.reconstruction import SHIPPED_NETWORK
from tf_softras.training import RunFolder

MESHES = shapenet_views.Builder.code_path.parent / "dummy_data"
BOX = MESHES / "04379243/box/models/model_normalized.obj"


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """Sets the log level as a user would: the command then leaves the log as it is."""
    monkeypatch.setenv(LOG_LEVEL, "2")


def softras(*arguments):
    return click.testing.CliRunner().invoke(main, [str(argument) for argument in arguments])


def done(*arguments, exit_code=0):
    """Standard output of a command that has to succeed."""
    result = softras(*arguments)
    assert result.exit_code == exit_code, result.output + repr(result.exception)
    return result.stdout


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with data (4 objects), a run of two steps, its SavedModel, and pictures."""
    folder = tmp_path_factory.mktemp("work")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(LOG_LEVEL, "2")
        done("prepare", "--meshes", MESHES, "--data-dir", folder / "data", exit_code=3)
        train = ("train", "--preset", "small", "--data-dir", folder / "data")
        done(*train, "--run", folder / "run", "--steps", 2, "--batch-size", 2, "--seed", 3)
        done("export", folder / "run", folder / "saved")
    picture = np.zeros((50, 80, 4), np.uint8)
    picture[10:40, 20:70] = (200, 100, 50, 255)
    PIL.Image.fromarray(picture).save(folder / "cut_out.png")
    PIL.Image.fromarray(picture[..., :3]).save(folder / "photo.jpg")
    PIL.Image.fromarray(picture[..., 3]).save(folder / "mask.png")
    PIL.Image.fromarray(0 * picture).save(folder / "empty.png")
    PIL.Image.fromarray(0 * picture[..., 3]).save(folder / "empty_mask.png")
    PIL.Image.fromarray(picture[:30, ..., 3]).save(folder / "small_mask.png")
    PIL.Image.new("1", (9000, 9000)).save(folder / "huge.png")
    (folder / "text.png").write_text("not a picture")
    (folder / "empty.obj").write_text("v 0 0 0\n")
    (folder / "empty.glb").touch()
    (folder / "no_run").mkdir()
    shutil.copytree(folder / "run", folder / "other_run")
    config = preset("small").replace(model=preset("small").model.replace(template_level=2))
    (folder / "other_run" / "config.json").write_text(json.dumps(config.to_dict()))
    return folder


# The files that the commands write


def test_prepare_says_what_it_made_and_what_it_left_out(work):
    report = json.loads(next((work / "data").rglob("report.json")).read_text())
    assert report["objects"] == {"train": 2, "val": 1, "test": 1}
    options = ("--meshes", MESHES, "--data-dir", work / "data", "--overwrite")
    again = done("prepare", *options, exit_code=3)
    assert re.match(
        rf"{MESHES}: \d meshes of the classes chair, table.* Each is drawn from 24", again
    )
    assert "Unknown size" not in again
    assert "meshes: train 2, val 1, test 1 objects in" in again
    assert "2 objects, files or folders were left out" in again
    versions = next((work / "data").rglob("report.json")).parents[1]
    assert [path.name for path in versions.glob("[!.]*")] == ["1.0.0"]


def test_a_failed_overwrite_keeps_the_data(work, tmp_path):
    broken = "04379243/broken"
    shutil.copytree(MESHES / broken, tmp_path / broken)
    before = next((work / "data").rglob("report.json")).read_text()
    result = softras("prepare", "--meshes", tmp_path, "--data-dir", work / "data", "--overwrite")
    assert result.exit_code == 2 and broken in result.stderr
    assert next((work / "data").rglob("report.json")).read_text() == before
    assert "| table | 1 |" in done("evaluate", work / "run", "--data-dir", work / "data")


def test_copies_are_drawn_from_random_sides_too(tmp_path):
    options = ("--meshes", MESHES, "--config", "meshes_random", "--data-dir", tmp_path)
    said = done("prepare", *options, "--variants", 1, exit_code=3)
    assert "meshes_random: train 4, val 1, test 1 objects in" in said
    report = json.loads(next(tmp_path.rglob("report.json")).read_text())
    assert report["variants"] == 1


def test_strict_prepare_stops_at_the_first_bad_mesh_and_names_it(tmp_path):
    result = softras("prepare", "--meshes", MESHES, "--data-dir", tmp_path, "--strict")
    # Behind what is left of a progress bar.
    assert result.exit_code == 2 and "Traceback" not in result.stderr
    assert re.search(r"Error: 04379243/(broken|empty): .*\n$", result.stderr)
    assert not list(tmp_path.rglob("report.json"))


def test_prepare_restores_the_data_that_a_killed_overwrite_had_set_aside(work, tmp_path):
    shutil.copytree(work / "data", tmp_path / "data")
    version = next((tmp_path / "data").rglob("report.json")).parent
    version.rename(version.with_name("replaced.1.0.0"))
    options = ("--meshes", MESHES, "--data-dir", tmp_path / "data")
    result = softras("prepare", *options)
    assert result.exit_code == 2 and "--overwrite replaces it" in result.stderr
    # Killed between the two renames: both are there, and the new one counts.
    shutil.copytree(version, version.with_name("replaced.1.0.0"))
    assert softras("prepare", *options).exit_code == 2
    assert [path.name for path in version.parent.glob("[!.]*")] == ["1.0.0"]


def test_prepare_leaves_the_log_of_the_data_sets_as_it_was(work):
    assert logging.getLogger("tf_softras.datasets").level == logging.NOTSET


def test_train_takes_its_options_and_goes_on_where_it_was(work, tmp_path):
    config = RunFolder.open(work / "run").config
    assert (config.preset, config.steps, config.batch_size, config.seed) == ("small", 2, 2, 3)
    assert config.learning_rate == preset("small").learning_rate
    # The recipe is that of the folder: no option but the new number of steps is needed.
    shutil.copytree(work / "run", tmp_path / "run")
    options = ("--run", tmp_path / "run", "--data-dir", work / "data")
    assert "Trained 2 steps" in done("train", *options)
    result = softras("train", *options, "--batch-size", 3)
    assert result.exit_code == 2 and "batch_size 3 instead of 2" in result.stderr


def test_evaluate_prints_a_table_and_writes_the_same_as_json(work, tmp_path):
    options = ("--data-dir", work / "data", "--template", "-o", tmp_path / "iou.json")
    table = done("evaluate", work / "run", *options)
    assert "| class | objects | template | best |" in table
    results = json.loads((tmp_path / "iou.json").read_text())
    assert (results["config"], results["split"]) == ("meshes", "test")
    for name in ("template", "best"):
        assert results[name]["objects"]["table"] == 1
        assert f"{results[name]['mean']:.4f}" in table
    done("evaluate", work / "run", "--data-dir", work / "data", "--split", "val")
    assert (work / "run" / "evaluation_val.json").is_file()


def test_evaluate_refines_meshes_by_found_and_by_known_cameras(work, tmp_path):
    options = ("--data-dir", work / "data", "--split", "val", "-o", tmp_path / "iou.json")
    table = done("evaluate", work / "run", *options, "--refine", "known", "--refine", "found")
    assert "| class | objects | best | best, camera known | best, camera found |" in table
    results = json.loads((tmp_path / "iou.json").read_text())
    means = {name: results[name]["mean"] for name in results if name.startswith("best")}
    # The run has hardly learned, so its codes matter little.
    plain = means.pop("best")
    assert len(means) == 2 and plain not in means.values()


def test_baselines_are_trained_and_evaluated_beside_the_papers_method(work, tmp_path):
    data = ("--data-dir", work / "data")
    train = ("train", "--preset", "small", *data, "--steps", 1, "--batch-size", 2)
    for method in ("retrieval", "n3mr"):
        printed = done(*train, "--method", method, "--run", tmp_path / method)
        assert f"steps ({method})" in printed
    # No option: the method is that of the folder.
    assert "(n3mr)" in done("train", *data, "--run", tmp_path / "n3mr")
    runs = (tmp_path / "retrieval", tmp_path / "n3mr", work / "run")
    table = done("evaluate", *runs, *data, "--template", "-o", tmp_path / "iou.json")
    assert "| class | objects | template | retrieval | n3mr | run |" in table
    assert json.loads((tmp_path / "iou.json").read_text())["n3mr"]["objects"]["table"] == 1
    retrieval = tmp_path / "retrieval"
    for wrong, message in (
        (("export", retrieval, tmp_path / "saved"), "gives meshes"),
        (
            ("reconstruct", work / "cut_out.png", retrieval, "-o", tmp_path / "m.obj"),
            "gives voxels",
        ),
        (("evaluate", retrieval, *data, "--template"), "makes meshes"),
        (("evaluate", retrieval, *data, "--refine", "found"), "--refine: expected a run whose"),
        (("evaluate", work / "run", work / "run", *data), "different names"),
    ):
        result = softras(*wrong)
        assert result.exit_code == 2 and message in result.stderr, result.stderr


def test_evaluate_measures_surfaces_beside_the_iou(work, tmp_path):
    pytest.importorskip("fcl", reason="needs the extra metrics")
    output = ("-o", tmp_path / "iou.json", "--sheet", tmp_path / "sheet.png")
    options = ("--data-dir", work / "data", "--split", "val", "--metrics", "--meshes", MESHES)
    table = done("evaluate", work / "run", *options, *output)
    metrics = json.loads((tmp_path / "iou.json").read_text())["best"]["metrics"]["mean"]
    assert f"| chamfer distance | {metrics['chamfer_distance']:.4f} |" in table
    assert 0 < metrics["silhouette_iou"] < 1
    # Input, two views of the mesh, two of the truth, and the error.
    assert PIL.Image.open(tmp_path / "sheet.png").width == 6 * 132 + 4


def test_experiment_trains_its_runs_and_goes_on_where_it_was(work, tmp_path):
    losses = ("--sigma", 1e-4, "--laplacian-weight", 1e-3, "--flattening-weight", 1e-4)
    sizes = ("--learning-rate", 1e-3, "--steps", 1, "--batch-size", 2, "--steps-per-epoch", 1)
    options = ("--preset", "small", *losses, *sizes)
    command = ("experiment", "ablation", "--data-dir", work / "data", "--output", tmp_path / "out")
    table = done(*command, *options)
    assert "| class | objects | without flattening | without Laplacian | full |" in table
    assert RunFolder.open(tmp_path / "out" / "without_Laplacian").config.laplacian_weight == 0.0
    config = RunFolder.open(tmp_path / "out" / "full").config
    assert (config.sigma, config.laplacian_weight, config.flattening_weight) == (1e-4, 1e-3, 1e-4)
    assert (config.learning_rate, config.batch_size) == (1e-3, 2)
    assert done(*command, *options) == table
    result = softras(*command, *options[:-2], "--seed", 1)
    assert result.exit_code == 2 and "seed 1 instead of 0" in result.stderr
    views = ("experiment", "views", "--data-dir", work / "data", "--output", tmp_path / "views")
    result = softras(*views, *options)
    assert result.exit_code == 2 and "meshes_120" in result.stderr


def test_experiment_names_the_classes_of_its_data_set(work, tmp_path, monkeypatch):
    given = {}

    def run_experiment(name, config, datasets, output, **options):
        given.update(options)
        output.mkdir()
        (output / "results.md").write_text("")

    monkeypatch.setattr("tf_softras.training.run_experiment", run_experiment)
    done("experiment", "table1", "--data-dir", work / "data", "--output", tmp_path / "out")
    assert given["class_names"] == list(CLASS_SYNSETS)


@pytest.mark.parametrize("model", ["run", "saved"])
def test_reconstruct_writes_the_networks_mesh_of_the_framed_picture(work, tmp_path, model):
    output, framed = tmp_path / "mesh.obj", tmp_path / "framed.png"
    options = ("-o", output, "--framed", framed)
    assert "642 vertices" in done("reconstruct", work / "cut_out.png", work / model, *options)
    seen = np.asarray(PIL.Image.open(framed))
    assert seen.shape == (64, 64, 4)
    expected = RunFolder.open(work / "run").load_reconstructor()(np.float32(seen[None]) / 255)
    # OBJ holds nine digits; the SavedModel may sum in another order.
    np.testing.assert_allclose(load_mesh(output).vertices, expected[0], atol=1e-5)


def test_reconstruct_takes_photos_with_masks_and_writes_gltf(work, tmp_path):
    photo = (work / "photo.jpg", work / "saved", "--mask", work / "mask.png")
    done("reconstruct", *photo, "-o", tmp_path / "mesh.glb")
    assert len(trimesh.load_mesh(tmp_path / "mesh.glb").faces) == 1280


def test_a_run_with_colours_is_judged_by_them_and_gives_coloured_meshes(work, tmp_path):
    run, data = tmp_path / "run", ("--data-dir", work / "data")
    train = ("train", "--preset", "small", "--color", "palette", *data, "--run", run)
    done(*train, "--steps", 1, "--batch-size", 1)
    assert RunFolder.open(run).config.model.color == "palette"
    text = done("evaluate", run, *data, "--sheet", tmp_path / "sheet.png")
    assert "| class | objects | mean color, own side | colors, own side |" in text
    (table,) = (line for line in text.split("PSNR")[1].splitlines() if "| table" in line)
    psnr = json.loads((run / "evaluation_test.json").read_text())["best"]["psnr"]
    assert [f"{psnr[name]['per_class']['table']:.2f}" for name in psnr] == table.split()[5::2]
    # A row of the split's one object: the input, and four sides, true and reconstructed.
    assert PIL.Image.open(tmp_path / "sheet.png").size == (9 * 132 + 4, 132 + 18 + 4)
    assert "642 vertices" in done(
        "reconstruct", work / "cut_out.png", run, "-o", tmp_path / "mesh.glb"
    )
    colors = np.int32(read_glb(tmp_path / "mesh.glb")[0]["COLOR_0"])
    # The picture's one colour, (200, 100, 50), is all that there is to sample; linear here.
    np.testing.assert_allclose(colors, np.tile([147, 32, 8, 255], (642, 1)), atol=1)
    done("view", run, "-o", tmp_path / "view.html")
    colors = []
    for glb in viewed(tmp_path / "view.html").values():
        (tmp_path / "viewed.glb").write_bytes(glb)
        colors.append(read_glb(tmp_path / "viewed.glb")[0]["COLOR_0"][:, :3])
    # Each mesh has the colours of its own picture.
    assert np.shape(colors) == (6, 642, 3) and np.ptp(colors, axis=0).min() > 0


def test_gallery_draws_the_sheet_that_is_asked_for_the_right_way_up(tmp_path):
    out = tmp_path / "new" / "gallery"
    assert done("gallery", out, "--only", "softness").split() == [str(out / "softness.png")]
    assert [path.name for path in out.iterdir()] == ["softness.png"]
    sheet = np.asarray(PIL.Image.open(out / "softness.png"))
    # Two rows of four cells of 112 pixels, gaps of 4, labels of 14 above.
    assert sheet.shape == (2 * 130 + 4, 4 * 116 + 4, 3)
    cells = [sheet[4 + 130 * row + 14 :, 4 + 116 * column :][:112, :112]
             for row in range(2) for column in range(4)]  # fmt: skip
    grey = [np.mean((cell[..., 0] > 20) & (cell[..., 0] < 235)) for cell in cells[:4]]
    assert grey[0] < 0.02 and grey[0] < grey[1] < grey[2] < grey[3]
    # Centres by eye at z = 2.732 and half an angle of 15 degrees: red (-0.34, -0.18), before green
    # (0, 0.16), before blue (0.27, -0.15); pixels a little outward where another is in front.
    for cell in (cells[4], cells[7]):
        for (row, column), color in {
            (66, 37): (230, 51, 26), (35, 58): (51, 179, 51), (69, 82): (26, 77, 230),
        }.items():  # fmt: skip
            np.testing.assert_allclose(np.int32(cell[row, column]), color, atol=1)


def test_export_writes_a_version_that_loads_and_then_the_next(work, tmp_path):
    assert "serving_default" in tf.saved_model.load(str(work / "saved" / "1")).signatures
    shutil.copytree(work / "saved", tmp_path / "saved")
    (tmp_path / "saved_with_op" / "4").mkdir(parents=True)
    options = ("--with-op", "--checkpoint", "last", "--max-pixels", 4095)
    printed = done("export", work / "run", tmp_path / "saved", *options)
    written = [tmp_path / name / "5" for name in ("saved", "saved_with_op")]
    assert printed.splitlines() == [f"Wrote {path}" for path in written]
    assert all((path / "saved_model.pb").is_file() for path in written)
    assert_pixels_are_limited(tf.saved_model.load(str(written[0])).signatures["encoded"], 4095)


def assert_pixels_are_limited(encoded, most):
    """One pixel more than `most` is refused; `most` pixels, 63 x 65, are read."""

    def vertices_of(height, width):
        picture = np.full((height, width, 4), 255, np.uint8)
        picture[: height // 2, :, 3] = 0
        file = io.BytesIO()
        PIL.Image.fromarray(picture).save(file, format="PNG")
        mesh = encoded(image_bytes=tf.constant([file.getvalue()]), mask_bytes=tf.constant([b""]))
        return mesh["vertices"]

    assert vertices_of(63, 65).shape[0] == 1
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"at most {most} pixels"):
        vertices_of(64, 64)


def test_render_writes_views_side_by_side(tmp_path):
    options = ("-o", tmp_path / "views.png", "--views", 3, "--size", 40)
    done("render", BOX, *options)
    picture = np.asarray(PIL.Image.open(tmp_path / "views.png"))
    assert picture.shape == (40, 120, 4)
    assert all(view[..., 3].any() for view in np.split(picture, 3, axis=1))
    done("render", BOX, *options, "--background", "white")
    corner = np.asarray(PIL.Image.open(tmp_path / "views.png"))[0, 0]
    np.testing.assert_array_equal(corner, 255)


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_render_writes_a_turntable(tmp_path, suffix):
    film = tmp_path / f"turn{suffix}"
    done("render", BOX, "-o", film, "--views", 12, "--size", 40, "--seconds", 1.2)
    assert film.stat().st_size > 500 and os.listdir(tmp_path) == [film.name]


def viewed(page):
    """Returns name -> binary glTF of the meshes that a page holds."""
    views = json.loads(re.search(r'id="views">(.*)</script>', page.read_text())[1])
    return {view["name"]: base64.b64decode(view["glb"]) for view in views}


def test_view_writes_one_page_of_a_mesh_or_of_what_a_network_makes(work, tmp_path):
    mesh, page = tmp_path / "mesh.glb", tmp_path / "view.html"
    done("reconstruct", work / "cut_out.png", work / "saved", "-o", mesh)
    for source, count in ((mesh, 1), (BOX, 1), (work / "saved", 6), (work / "run", 6)):
        assert f"{count} mesh" in done("view", source, "-o", page)
        glbs = list(viewed(page).values())
        assert len(glbs) == count and len(set(glbs)) == count
        assert all(len(trimesh.load_mesh(io.BytesIO(glb), file_type="glb").faces) for glb in glbs)
        if source == mesh:
            assert glbs == [mesh.read_bytes()]


def asked(url, body=None):
    with urllib.request.urlopen(url, None if body is None else json.dumps(body).encode()) as answer:
        return json.loads(answer.read())


@pytest.mark.parametrize("kind", ["saved", "url"])
def test_page_serves_the_meshes_that_reconstruct_writes(work, tmp_path, kind):
    done("reconstruct", work / "cut_out.png", work / "saved", "-o", tmp_path / "mesh.glb")
    expected = trimesh.load_mesh(tmp_path / "mesh.glb", process=False).vertices
    with contextlib.ExitStack() as stack:
        model = work / "saved"
        if kind == "url":
            server = model_server(ExportedReconstructor(model))
            model = f"{stack.enter_context(rest_api(server))}/v1/models/chair"
        process = start_process("page", model, "--port", 0, cwd=tmp_path)
        stack.callback(process.wait)
        stack.callback(process.kill)
        url = process.stdout.readline().split()[0]
        assert url.startswith("http://127.0.0.1:")
        assert [sample["name"] for sample in asked(f"{url}/settings")["samples"]][0] == "chair 1"
        picture = base64.b64encode((work / "cut_out.png").read_bytes()).decode()
        files = asked(f"{url}/reconstruct", {"picture": picture})["files"]
        mesh = trimesh.load_mesh(
            io.BytesIO(base64.b64decode(files["mesh.glb"])), file_type="glb", process=False
        )
        np.testing.assert_allclose(mesh.vertices, expected, atol=1e-6)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert "Traceback" not in process.stderr.read()


def test_page_names_the_extra_that_it_needs(work, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    result = softras("page", work / "saved")
    assert result.exit_code == 2 and "pip install 'tf-softras[page]'" in result.stderr


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """The folder of the weights that come with the package; empty."""
    folder = tmp_path / "pretrained"
    folder.mkdir()
    for module in (_pretrained, mesh_reconstructor):
        monkeypatch.setattr(module, "FOLDER", folder)
    return folder


def test_demo_leaves_what_it_lists(tmp_path, monkeypatch, weights):
    def unpack_dummy(folder):
        shutil.copytree(MESHES, folder, dirs_exist_ok=True)

    network = MeshReconstructor(tiny_config().model.replace(image_size=64))
    _pretrained.save_pretrained(network, weights / f"{SHIPPED_NETWORK}.npz")
    monkeypatch.setattr(shapenet_views, "unpack_sample", unpack_dummy)
    # Not tf_softras.cli.demo: that name is the command.
    monkeypatch.setattr(sys.modules["tf_softras.cli.demo"], "_fit_chair", lambda _: [])
    output = tmp_path / "demo"
    text = done("demo", "--output", output, "--steps", 2)
    listed = [line.split("  (")[0].strip() for line in text.splitlines() if "  (" in line]
    names = {str(pathlib.Path(line).relative_to(output)) for line in listed}
    assert names == {
        "shipped.png",
        "meshes/table-flat/mesh.glb",
        "meshes/table-box/mesh.glb",
        "training_curve.png",
        "contact_sheet.png",
        "contact_sheet_train.png",
        "saved_model",
        "run",
        "demo.json",
    }
    assert all(pathlib.Path(line).exists() for line in listed)
    assert "| before | after |" in text
    assert load_mesh(output / "meshes/table-box/mesh.glb").faces.shape == (80, 3)
    assert (output / "meshes/table-box/picture.png").is_file()
    figures = json.loads((output / "demo.json").read_text())
    assert f"  {figures['shipped']['mean']:.3f}  the shipped network" in text
    last = text.splitlines()[-1]
    assert f"{figures['test']['after']['mean']:.3f}  the short training, on other objects" in last


def test_demo_fits_a_chair_once(tmp_path, monkeypatch, capsys):
    module = sys.modules["tf_softras.cli.demo"]
    for name, value in (("FIT_STEPS", 5), ("FIT_SIZE", 32)):
        monkeypatch.setattr(module, name, value)
    written = module._fit_chair(tmp_path)
    names = [str(path.relative_to(tmp_path)) for path, _ in written]
    assert names == ["fit/chair.gif", "fit/chair.glb", "fit/chair.html"]
    assert all(path.is_file() for path, _ in written) and "held out" in capsys.readouterr().out
    assert module._fit_chair(tmp_path) == written and not capsys.readouterr().out


def test_demo_goes_on_without_weights(tmp_path, weights, capsys):
    assert sys.modules["tf_softras.cli.demo"]._shipped(None, tmp_path) == (None, [])
    assert "Left out: network: expected the weights" in capsys.readouterr().out


def test_splits_are_opened_without_the_cache_of_tfds():
    class Prepared:
        info = types.SimpleNamespace(splits={"val": None})

        def as_dataset(self, *, split, read_config):
            return split, read_config.try_autocache

    assert open_split(Prepared(), "val") == ("val", False)


def test_demo_goes_on_if_killed_and_keeps_an_earlier_one(tmp_path, monkeypatch):
    def stop(_):
        raise RuntimeError("begun")

    monkeypatch.setattr(sys.modules["tf_softras.cli.demo"], "_fit_chair", stop)
    output = tmp_path / "demo"
    said = []
    for finished in (False, True, True, False):
        said.append(softras("demo", "--output", output).stdout)
        (output / "demo.json").write_text(json.dumps({"finished": finished}))
        (output / "mesh.obj").touch()
    assert said[0] == ""
    assert said[1] == f"Going on with the demo that was begun in {output}.\n"
    assert said[2:] == [f"An earlier demo is kept in {output}.{n}.\n" for n in (1, 2)]
    assert all((tmp_path / f"demo.{n}" / "mesh.obj").exists() for n in (1, 2))


# Wrong input: {} is the folder `work`, OUT a folder to write to


WRONG = {
    "prepare: no folder": ("prepare --meshes {}/none --data-dir OUT", "received no folder"),
    "prepare: no meshes": ("prepare --meshes {}/no_run --data-dir OUT", "received none"),
    "prepare: both": ("prepare --config sample --meshes {}", "--meshes: expected a folder"),
    "prepare: neither": ("prepare --config meshes", "--meshes: expected a folder"),
    "prepare: again": ("prepare --meshes {} --data-dir {}/data", "--overwrite replaces it"),
    "prepare: no splits": (
        "prepare --meshes MESHES --data-dir OUT --splits {}/no.csv",
        "no.csv",
    ),
    "prepare: splits alone": ("prepare --splits {}/no.csv", "--splits: expected --meshes"),
    "prepare: variants": (
        "prepare --config meshes_120 --meshes MESHES --data-dir OUT --variants 2",
        "--variants: expected --config meshes_variants or meshes_random; received meshes_120",
    ),
    "prepare: objects": (
        "prepare --config sample --data-dir OUT --objects 2",
        "--objects: expected --config procedural or procedural_random; received sample",
    ),
    "prepare: no archive": (
        "prepare --nmr {}/none --data-dir OUT",
        "received none",
    ),
    "prepare: another archive": ("prepare --nmr {}/no_run --data-dir OUT", "received none"),
    "prepare: nmr without": ("prepare --config nmr --data-dir OUT", "--nmr: expected a folder"),
    "train: no data": ("train --run OUT/r --data-dir OUT", "--data-dir: expected a folder with"),
    "train: other data": (
        "train --run OUT/r --data-dir {}/data --config sample",
        "expected a folder with the data set sample",
    ),
    "train: value": ("train --run OUT/r --data-dir {}/data --steps 0", "steps: expected"),
    "train: rate": ("train --run OUT/r --data-dir {}/data --learning-rate nan", "learning_rate"),
    "train: meshes": (
        "train --run OUT/r --data-dir {}/data --tensorboard-meshes -1",
        "tensorboard_meshes: expected",
    ),
    "train: epoch": (
        "train --run OUT/r --data-dir {}/data --steps-per-epoch 0",
        "steps_per_epoch: expected",
    ),
    "train: other files": ("train --run {} --data-dir {}/data", "holds other files"),
    "train: a file": ("train --run {}/mask.png --data-dir {}/data", "a file"),
    "evaluate: no run": (
        "evaluate {}/none --data-dir {}/data",
        "expected a folder that `train` has written",
    ),
    "evaluate: not a run": (
        "evaluate {}/no_run --data-dir {}/data",
        "expected a folder that `train` has written",
    ),
    "evaluate: no split": (
        "evaluate {}/run --data-dir {}/data --split dev",
        "--split: expected one of",
    ),
    "evaluate: other config": (
        "evaluate {}/other_run --data-dir {}/data",
        "template_level 3 instead of 2",
    ),
    "export: no run": ("export {}/none OUT/s", "expected a folder that `train` has written"),
    "export: other config": ("export {}/other_run OUT/s", "template_level"),
    "export: exists": ("export {}/run {}/saved --version 1", "received one that exists"),
    "export: into a model": ("export {}/run {}/saved/1", "received a SavedModel itself"),
    "export: a file": ("export {}/run {}/mask.png", "received a file"),
    "reconstruct: no picture": ("reconstruct {}/none.png {}/saved -o OUT/m.obj", "No such file"),
    "reconstruct: no picture in it": (
        "reconstruct {}/text.png {}/saved -o OUT/m.obj",
        "another kind of file",
    ),
    "reconstruct: a folder": ("reconstruct {} {}/saved -o OUT/m.obj", "Is a directory"),
    "reconstruct: empty": ("reconstruct {}/empty.png {}/saved -o OUT/m.obj", "an empty one"),
    "reconstruct: empty mask": (
        "reconstruct {}/photo.jpg {}/saved --mask {}/empty_mask.png -o OUT/m.obj",
        "an empty one",
    ),
    "reconstruct: other mask": (
        "reconstruct {}/photo.jpg {}/saved --mask {}/small_mask.png -o OUT/m.obj",
        "received those of the mask and of the picture: 30 x 80 and 50 x 80",
    ),
    "reconstruct: no mask": (
        "reconstruct {}/photo.jpg {}/saved -o OUT/m.obj",
        "a mask beside it",
    ),
    "reconstruct: huge": ("reconstruct {}/huge.png {}/saved -o OUT/m.obj", "9000 x 9000"),
    "reconstruct: no model": (
        "reconstruct {}/cut_out.png {}/none -o OUT/m.obj",
        "is none of these",
    ),
    "reconstruct: other config": (
        "reconstruct {}/cut_out.png {}/other_run -o OUT/m.obj",
        "template_level",
    ),
    "reconstruct: suffix": ("reconstruct {}/cut_out.png {}/saved -o OUT/m.stl", ".obj or .glb"),
    "reconstruct: no output": (
        "reconstruct {}/cut_out.png {}/saved -o OUT/none/m.obj",
        "folder that exists",
    ),
    "render: no mesh": ("render {}/none.obj -o OUT/a.png", "No such file"),
    "render: no faces": ("render {}/empty.obj -o OUT/a.png", "no face"),
    "render: no OBJ": ("render {}/mask.png -o OUT/a.png", "ends in .obj"),
    "render: suffix": (f"render {BOX} -o OUT/a.jpg", "ends in .png"),
    "render: no output": (f"render {BOX} -o OUT/none/a.png", "folder that exists"),
    "render: too large": (f"render {BOX} -o OUT/a.png --views 99 --size 4096", "pixels in all"),
    "view: no mesh": ("view {}/none.glb -o OUT/a.html", "No such file"),
    "view: no glTF": ("view {}/empty.glb -o OUT/a.html", "expected a binary glTF file"),
    "view: no OBJ": ("view {}/mask.png -o OUT/a.html", "ends in .obj"),
    "view: no run": ("view {}/no_run -o OUT/a.html", "is none of these"),
    "view: suffix": (f"view {BOX} -o OUT/a.png", "ends in .html"),
    "view: no output": (f"view {BOX} -o OUT/none/a.html", "folder that exists"),
    "page: no run": ("page {}/no_run", "is none of these"),
    "page: no server": ("page http://127.0.0.1:1/v1/models/a", "UNREACHABLE"),
    "page: no URL": ("page http://127.0.0.1:1/chair", "URL of a model: expected"),
    "page: no address": ("page {}/saved --host 203.0.113.1", "an address of this machine"),
    "render: too fast": (f"render {BOX} -o OUT/a.gif --seconds 0.001", "frames_per_second"),
    "render: too slow": (
        f"render {BOX} -o OUT/a.gif --views 2 --size 16 --seconds 1310.8",
        "--seconds: expected at most 1310.7 for a GIF of --views 2",
    ),
    **{
        f"render: {option} without -o": (
            f"render {BOX} --transforms OUT/t --{option} {value}",
            f"--{option}: expected -o beside it",
        )
        for option, value in {
            "azimuth": 30,
            "elevation": 5,
            "background": "white",
            "seconds": 2,
        }.items()
    },
    "view: a folder": ("view {}/no_run -o OUT/a.html", "no_run': expected a mesh file, the folder"),
    "view: checkpoint of a mesh": (
        f"view {BOX} -o OUT/a.html --checkpoint last",
        "--checkpoint: expected a run for 'last'; received the mesh",
    ),
    "export: checkpoint without a run": (
        "export OUT/s --checkpoint last",
        "--checkpoint: expected a run for 'last'; received none",
    ),
    "reconstruct: checkpoint without a run": (
        "reconstruct {}/cut_out.png -o OUT/m.obj --checkpoint last",
        "checkpoint: expected the folder of a run for 'last'; received the network that comes",
    ),
    "reconstruct: model by name": (
        "reconstruct {}/cut_out.png {}/none -o OUT/m.obj",
        "none': expected the folder of a run",
    ),
    "demo: other files": ("demo --output {}", "holds other files"),
    "demo: a file": ("demo --output {}/mask.png", "received the file"),
}


@pytest.mark.parametrize("line, words", WRONG.values(), ids=WRONG)
def test_wrong_input_is_told_in_one_sentence_with_exit_code_2(work, tmp_path, line, words):
    names = {"{}": work, "OUT": tmp_path, "MESHES": MESHES}
    for name, path in names.items():
        line = line.replace(name, str(path))
    arguments = line.split()
    result = softras(*arguments)
    assert result.exit_code == 2, result.output + repr(result.exception)
    assert words in result.stderr
    assert result.stderr.startswith("Error: ") and len(result.stderr.splitlines()) == 1
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--distance=-3", "-3.0 is not in the range x>0"),
        ("--distance=0", "0.0 is not in the range x>0"),
        *(
            (f"--{name}={value}", f"expected a finite number; received {value}")
            for name in ("distance", "azimuth", "elevation", "seconds")
            for value in ("nan", "inf")
        ),
    ],
)
def test_options_of_render_are_finite_and_in_range(tmp_path, option, words):
    result = softras("render", BOX, "-o", tmp_path / "a.png", option)
    assert result.exit_code == 2 and not list(tmp_path.iterdir())
    assert f"Invalid value for '{option.split('=')[0]}': {words}" in result.stderr


def test_faults_of_ours_keep_their_traceback(monkeypatch):
    def fail(*_, **__):
        raise ValueError("a fault")

    monkeypatch.setattr("tf_softras.geometry.load_mesh", fail)
    result = softras("render", BOX, "-o", "a.png")
    assert result.exit_code == 1 and isinstance(result.exception, ValueError)


@pytest.mark.parametrize("command", ["", *main.commands])
def test_help_has_lines_to_copy(command):
    for flag in ("-h", "--help"):
        text = done(*command.split(), flag)
        examples = [line for line in text.split("Examples:")[1].splitlines() if line.strip()]
        assert any(line.startswith(f"  softras {command}".rstrip()) for line in examples)


def test_examples_of_the_help_are_commands_that_parse():
    for command in main.commands.values():
        for example in command.examples:
            name, *arguments = example.split()[1:]
            if example.startswith("softras ") and name == command.name:
                command.make_context(name, arguments)


def start_process(*arguments, cwd):
    """The command in a process of its own, from this source tree."""
    program = "from tf_softras.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[1])},
    )


def in_a_process(*arguments):
    """The command as its console script runs it, outside the source tree."""
    script = pathlib.Path(sys.executable).with_name("softras")
    environment = {name: value for name, value in os.environ.items() if name != LOG_LEVEL}
    return subprocess.run(
        [script, *map(str, arguments)], capture_output=True, text=True, env=environment
    )


def test_the_installed_command_ends_with_code_2_and_no_traceback(tmp_path):
    result = in_a_process("render", tmp_path / "none.obj", "-o", tmp_path / "a.png")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert result.stderr.splitlines()[-1].startswith(f"Error: '{tmp_path}/none.obj': expected")
