"""Builds that are spread over processes, that stop at the first problem, or that are cut off."""

import json
import shutil
import signal
import subprocess
import sys

import apache_beam as beam
import numpy as np
import pytest

from tests.datasets.builds import CODE, SMALL, build
from tf_softras.datasets.shapenet_views import shapenet_views_dataset_builder as shapenet_views
from tf_softras.datasets.shapenet_views.sources import BadObjectError, Problem, read_problems

ROOT = CODE.parents[2]
TABLE = "04379243"
TWO_PROCESSES = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]


def beam_options(flags=TWO_PROCESSES):
    return beam.options.pipeline_options.PipelineOptions(["--runner=DirectRunner", *flags])


def read(builder):
    return {
        split: list(builder.as_dataset(split=split).as_numpy_iterator())
        for split in builder.info.splits
    }


def report_of(builder):
    return json.loads((builder.data_path / "report.json").read_text())


@pytest.fixture
def meshes(tmp_path):
    return shutil.copytree(CODE / "dummy_data", tmp_path / "meshes")


def test_two_beam_processes_build_the_same_data_and_report(tmp_path, monkeypatch):
    one = build(tmp_path / "one", CODE / "dummy_data")

    def never(*args):
        raise AssertionError("rendered in this process")

    monkeypatch.setattr("tf_softras.datasets.shapenet_views.mesh_folder.object_views", never)
    two = build(tmp_path / "two", CODE / "dummy_data", beam_options=beam_options())
    first, second = read(one), read(two)
    assert {name: len(examples) for name, examples in first.items()} == {
        "train": 2,
        "val": 1,
        "test": 1,
    }
    assert first.keys() == second.keys()
    for split, examples in first.items():
        for example, other in zip(examples, second[split], strict=True):
            assert example["model_id"] == other["model_id"]
            for feature in ("images", "voxels", "label"):
                np.testing.assert_array_equal(example[feature], other[feature])
    assert report_of(one) == report_of(two)
    assert report_of(two)["num_problems"] == 2
    assert not list(two.data_path.glob("problems-*"))


@pytest.mark.parametrize(
    "options", [None, (), TWO_PROCESSES], ids=["here", "Beam", "two Beam processes"]
)
def test_a_strict_build_stops_at_the_first_problem(options, tmp_path):
    flags = None if options is None else beam_options(options)
    with pytest.raises(BadObjectError, match=f"^{TABLE}/(broken|empty): .*expected .*; received"):
        build(tmp_path, CODE / "dummy_data", beam_options=flags, strict=True)
    assert not list(tmp_path.rglob("report.json")) and not list(tmp_path.rglob("incomplete*"))


def test_problems_are_read_in_the_order_of_their_names_and_their_file_goes(tmp_path):
    path = tmp_path / "problems.jsonl"
    rows = [{"name": "b", "reason": "x"}, {"name": "a", "reason": "y"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_problems(path) == [Problem("a", "y"), Problem("b", "x")]
    assert not path.exists()


def test_a_split_of_problems_alone_is_an_error_under_beam_too(meshes, tmp_path):
    shutil.rmtree(meshes / "03001627")
    for model in ("box", "flat"):
        shutil.rmtree(meshes / TABLE / model)
    (meshes / "index.csv").write_text(
        f"synset,model,split\n{TABLE},broken,val\n{TABLE},empty,val\n"
    )
    # tfds's own sentence.
    with pytest.raises(ValueError, match="examples is 0 for split val"):
        build(tmp_path / "out", meshes, beam_options=beam_options(()))
    assert not list(tmp_path.rglob("report.json"))


def _vertices(lines):
    return "v 0 0 0\nv 1 0 0\nv 0 1 0\n" + lines


HOSTILE = {
    "NaN": (_vertices("v nan 0 0\nf 1 2 3\n"), "finite"),
    "infinity": (_vertices("v 1e39 0 0\nf 1 2 3\n"), "finite"),
    "no faces": (_vertices(""), "no face"),
    "a million faces": (_vertices("f 1 2 3\n" * 1_000_001), "at most 1000000 faces"),
    "indices": (_vertices("f 1 2 9\n"), "vertex indices"),
    "a library outside": ("mtllib ../../x.mtl\n" + _vertices("f 1 2 3\n"), "library in or below"),
    "an absolute library": ("mtllib /etc/passwd\n" + _vertices("f 1 2 3\n"), "'/etc/passwd'"),
    "binary": ("\0\1", "binary"),
}


def test_hostile_meshes_are_named_and_counted_with_their_reasons(meshes, tmp_path):
    index = (meshes / "index.csv").open("a")
    for name, (text, _) in HOSTILE.items():
        index.write(f"03001627,{name},train\n")
        path = meshes / "03001627" / name / "models" / "model_normalized.obj"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    index.close()
    outside = meshes / "03001627" / "a library outside" / "x.mtl"
    outside.write_text("newmtl a\nKd 1 0 0\n")
    report = report_of(build(tmp_path / "out", meshes))
    reasons = {problem["name"]: problem["reason"] for problem in report["problems"]}
    for name, (_, message) in HOSTILE.items():
        assert message in reasons[f"03001627/{name}"], name
    # Two of dummy_data beside them.
    assert report["num_problems"] == len(HOSTILE) + 2


_KILLED = """
import os, signal, sys
from tests.datasets.builds import SMALL, build
from tf_softras.datasets.shapenet_views import mesh_folder

render, calls = mesh_folder.object_views, []

def render_or_die(mesh, *arguments):
    calls.append(mesh)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return render(mesh, *arguments)

mesh_folder.object_views = render_or_die
build(sys.argv[1], sys.argv[2])
"""


def test_a_build_that_was_killed_leaves_nothing_that_counts_and_the_next_cleans_up(tmp_path):
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(tmp_path), str(CODE / "dummy_data")],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        timeout=180,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-2000:]
    assert len(list(tmp_path.rglob("incomplete.*_1.0.0"))) == 1
    assert not shapenet_views.Builder(config=SMALL, data_dir=tmp_path).is_prepared()
    again = build(tmp_path, CODE / "dummy_data")
    assert {name: len(examples) for name, examples in read(again).items()} == {
        "train": 2,
        "val": 1,
        "test": 1,
    }
    assert [path.name for path in again.data_path.parent.glob("[!.]*")] == ["1.0.0"]


def test_two_processes_do_not_build_the_same_data(tmp_path, monkeypatch):
    render = shapenet_views.Builder._sources
    script = "import sys; from tests.datasets.builds import build; build(*sys.argv[1:])"

    def sources(self, dl_manager):
        other = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path), str(CODE / "dummy_data")],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert other.returncode == 1 and "no other process" in other.stderr, other.stderr[-2000:]
        return render(self, dl_manager)

    monkeypatch.setattr(shapenet_views.Builder, "_sources", sources)
    assert build(tmp_path, CODE / "dummy_data").is_prepared()


def test_the_first_24_of_120_views_are_the_24_views():
    of_24, of_120 = (
        shapenet_views.Builder.builder_configs[name].cameras() for name in ("meshes", "meshes_120")
    )
    assert len(of_120["azimuth"]) == 120
    for name, values in of_24.items():
        np.testing.assert_array_equal(of_120[name][:24], values)
    pairs = set(zip(of_120["elevation"].tolist(), of_120["azimuth"].tolist(), strict=True))
    assert len(pairs) == 120 and len({elevation for elevation, _ in pairs}) == 5


def test_meshes_24_is_another_name_of_meshes(tmp_path):
    builder = shapenet_views.Builder(config="meshes_24", data_dir=tmp_path)
    assert builder.builder_config.name == "meshes"


def test_views_that_do_not_fill_the_elevations_are_an_error():
    config = shapenet_views.ShapenetViewsConfig(name="odd", num_views=7, elevations=(0.0, 30.0))
    with pytest.raises(ValueError, match="multiple of the number of elevations, 2.*received 7"):
        config.cameras()


def test_any_file_of_splits_may_be_given(meshes, tmp_path):
    # As ShapeNet's own file has its columns.
    splits = tmp_path / "all.csv"
    splits.write_text(f"id,synsetId,subSynsetId,modelId,split\n1,{TABLE},1,box,val\n")
    report = report_of(build(tmp_path / "out", meshes, splits_file=splits))
    assert report["objects"] == {"val": 1}
    with pytest.raises(FileNotFoundError, match="no.csv"):
        build(tmp_path / "none", meshes, splits_file=tmp_path / "no.csv")
