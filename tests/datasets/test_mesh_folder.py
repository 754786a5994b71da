"""Which meshes of a folder are found, in which split, and what is said of the rest."""

import collections

import pytest

from tf_softras.datasets.shapenet_views.mesh_folder import (
    CLASS_SYNSETS,
    hashed_split,
    scan_mesh_folder,
)

CHAIR, TABLE = CLASS_SYNSETS["chair"], CLASS_SYNSETS["table"]


@pytest.fixture
def folder(tmp_path):
    for name in (f"{CHAIR}/b", f"{CHAIR}/a", f"{TABLE}/a"):
        path = tmp_path / name / "models" / "model_normalized.obj"
        path.parent.mkdir(parents=True)
        path.touch()
    return tmp_path


def write_index(folder, *rows, header="synset,model,split"):
    (folder / "index.csv").write_text("\n".join([header, *rows]) + "\n")


def test_classes_are_those_of_the_published_table_in_its_order():
    assert (
        list(CLASS_SYNSETS)
        == (
            "airplane bench cabinet car chair display lamp loudspeaker rifle sofa table telephone "
            "vessel"
        ).split()
    )
    assert len(set(CLASS_SYNSETS.values())) == 13


def test_models_come_in_the_order_of_their_names(folder):
    models, problems = scan_mesh_folder(folder)
    assert [model.name for model in models] == [f"{CHAIR}/a", f"{CHAIR}/b", f"{TABLE}/a"]
    assert all(model.path.is_file() for model in models)
    assert problems == []


def test_a_mesh_may_be_of_any_readable_format_and_obj_comes_first(folder):
    other = folder / TABLE / "b" / "models"
    other.mkdir(parents=True)
    (other / "model_normalized.off").touch()
    (folder / CHAIR / "a" / "models" / "model_normalized.ply").touch()
    models, problems = scan_mesh_folder(folder)
    assert {model.name: model.path.suffix for model in models} == {
        f"{CHAIR}/a": ".obj",
        f"{CHAIR}/b": ".obj",
        f"{TABLE}/a": ".obj",
        f"{TABLE}/b": ".off",
    }
    assert problems == []


def test_the_index_names_the_split_and_may_have_more_columns(folder):
    write_index(
        folder,
        f"chair,{CHAIR},a,val",
        f"chair,{CHAIR},b,test",
        f"table,{TABLE},a,train",
        header="category,synset,model,split",
    )
    models, problems = scan_mesh_folder(folder)
    assert [model.split for model in models] == ["val", "test", "train"]
    assert problems == []


def test_what_is_left_out_is_named_with_its_reason(folder):
    write_index(folder, f"{CHAIR},a,train", f"{CHAIR},gone,train")
    (folder / "99999999" / "a" / "models").mkdir(parents=True)
    (folder / CHAIR / "hollow").mkdir()
    (folder / ".cache").mkdir()
    models, problems = scan_mesh_folder(folder)
    assert [model.name for model in models] == [f"{CHAIR}/a"]
    reasons = {problem.name: problem.reason for problem in problems}
    assert reasons == {
        "99999999": "not the synset of one of the 13 classes",
        f"{CHAIR}/b": "not in the file of splits",
        f"{CHAIR}/hollow": "has no models/model_normalized.obj (.glb, .off, .ply, .stl)",
        f"{CHAIR}/gone": "in the file of splits, but has no folder",
        f"{TABLE}/a": "not in the file of splits",
    }


def test_without_an_index_the_split_is_a_stable_hash():
    # Written down once: another value would move the models of every user between splits.
    names = [hashed_split(f"{CHAIR}/{i}") for i in range(8)]
    assert names == "test train train val train train train train".split()
    counts = collections.Counter(hashed_split(str(i)) for i in range(10_000))
    # Four standard deviations of 10 000 draws are less than 2 %.
    assert abs(counts["train"] - 7000) < 200
    assert abs(counts["val"] - 1000) < 150
    assert abs(counts["test"] - 2000) < 170


@pytest.mark.parametrize(
    ("rows", "header", "named"),
    [
        (["a"], "model", "no column split and no column synset"),
        ([f"{CHAIR},a,validation"], "synset,model,split", "line 2.*'validation'"),
    ],
)
def test_an_index_that_cannot_be_read_is_an_error(folder, rows, header, named):
    write_index(folder, *rows, header=header)
    with pytest.raises(ValueError, match=named):
        scan_mesh_folder(folder)


def test_a_folder_without_meshes_is_an_error(tmp_path):
    (tmp_path / "99999999").mkdir()
    with pytest.raises(ValueError, match="found none"):
        scan_mesh_folder(tmp_path)
    with pytest.raises(FileNotFoundError, match="found no folder"):
        scan_mesh_folder(tmp_path / "absent")
