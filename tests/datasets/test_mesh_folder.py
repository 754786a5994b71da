"""Meshes of a folder are found with their splits, and the rest is reported."""

import collections

import pytest

from tf_softras.datasets.shapenet_views.class_names import (
    CLASS_SYNSETS,
    SHAPENET_SYNSETS,
    labels_of,
    names_for,
)
from tf_softras.datasets.shapenet_views.mesh_folder import hashed_split, scan_mesh_folder

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
        "99999999/a": "has no models/model_normalized.obj, model.obj or other mesh (.glb, .off, "
        ".ply, .stl)",
        f"{CHAIR}/b": "not in the file of splits",
        f"{CHAIR}/hollow": "has no models/model_normalized.obj, model.obj or other mesh (.glb, "
        ".off, .ply, .stl)",
        f"{CHAIR}/gone": "in the file of splits, but has no mesh",
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


def found(folder):
    models, problems = scan_mesh_folder(folder)
    files = {(m.label, m.model): str(m.path.relative_to(folder)) for m in models}
    return files, {problem.name: problem.reason for problem in problems}


def lay(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_shapenet_is_read_as_its_first_version_is_shipped(tmp_path):
    lay(tmp_path, f"{CHAIR}/a/model.obj", f"{CHAIR}/a/model.mtl", f"{CHAIR}/a/images/t.jpg")
    lay(tmp_path, "taxonomy.json", f"{CHAIR}.csv", "03797390/b/model.obj")
    files, problems = found(tmp_path)
    assert files == {
        ("chair", "a"): f"{CHAIR}/a/model.obj",
        ("mug", "b"): "03797390/b/model.obj",
    }
    assert problems == {}


def test_a_folder_a_class_of_files_of_any_name_is_read(tmp_path):
    lay(tmp_path, "my mugs/one.glb", "my mugs/two.ply", "my mugs/two.stl", "my mugs/textures/t.png")
    lay(tmp_path, "cubes/deep/anything.off", "cubes/two/a.obj", "cubes/two/b.obj", "notes/a.txt")
    files, problems = found(tmp_path)
    assert files == {
        ("cubes", "deep"): "cubes/deep/anything.off",
        ("my mugs", "one"): "my mugs/one.glb",
        ("my mugs", "two"): "my mugs/two.ply",
    }
    assert problems == {
        "cubes/two": "holds several meshes, none of them called model: a, b",
        "notes": "holds no mesh",
    }


def test_meshes_side_by_side_are_one_class(tmp_path):
    lay(tmp_path, "lamps/a.glb", "lamps/b.obj", "lamps/b.mtl", "lamps/textures/wood.png")
    files, problems = found(tmp_path / "lamps")
    assert files == {("lamps", "a"): "a.glb", ("lamps", "b"): "b.obj"}
    assert problems == {}


def test_an_index_may_name_classes_that_are_no_synsets(tmp_path):
    lay(tmp_path, "mugs/a.glb", "2828884/b.obj")
    write_index(tmp_path, "mugs,a,test", header="class,model,split")
    models, problems = scan_mesh_folder(tmp_path)
    assert [(model.name, model.split) for model in models] == [("mugs/a", "test")]
    assert [problem.name for problem in problems] == ["2828884/b"]


def test_all_classes_of_shapenet_have_a_name_of_their_own():
    assert len(SHAPENET_SYNSETS) == len(set(SHAPENET_SYNSETS.values())) == 55
    assert all(len(synset) == 8 and synset.isdigit() for synset in SHAPENET_SYNSETS.values())
    assert list(SHAPENET_SYNSETS)[:13] == list(CLASS_SYNSETS)


def test_labels_are_the_tables_or_those_that_are_there():
    assert labels_of(["sofa", "chair"]) == list(CLASS_SYNSETS)
    assert labels_of(["mug", "sofa", "bed", "chair"]) == ["chair", "sofa", "bed", "mug"]
    assert names_for([0, 2], ["a", "b"]) == ("a", "b", "class 2")
    assert names_for([], None) == tuple(CLASS_SYNSETS)


def test_a_folder_without_meshes_is_an_error(tmp_path):
    (tmp_path / "99999999").mkdir()
    with pytest.raises(ValueError, match="received none.*99999999: holds no mesh"):
        scan_mesh_folder(tmp_path)
    with pytest.raises(FileNotFoundError, match="received no folder"):
        scan_mesh_folder(tmp_path / "absent")
