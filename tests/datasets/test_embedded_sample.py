"""The meshes that come with the package."""

import csv
import zipfile

import pytest

from tf_softras.datasets.shapenet_views.embedded_sample import unpack_sample
from tf_softras.datasets.shapenet_views.mesh_folder import scan_mesh_folder


def test_sample_holds_34_meshes_each_with_author_and_licence(tmp_path):
    unpack_sample(tmp_path)
    models, problems = scan_mesh_folder(tmp_path)
    assert len(models) == 34 and problems == []
    with (tmp_path / "index.csv").open(newline="") as file:
        rows = {f"{row['synset']}/{row['model']}": row for row in csv.DictReader(file)}
    assert {model.name for model in models} == set(rows)
    for row in rows.values():
        assert row["licence"] == "CC0-1.0"
        assert row["attribution"] and row["source"]


@pytest.mark.parametrize(
    "name",
    [
        "../escaped.obj",
        "/tmp/escaped.obj",
        "03001627/../../escaped/models/model_normalized.obj",
        "03001627/a/models/texture.png",
        "03001627\\a\\models\\model_normalized.obj",
    ],
)
def test_names_that_do_not_belong_there_are_refused_before_anything_is_written(tmp_path, name):
    path, target = tmp_path / "sample.zip", tmp_path / "target"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("index.csv", "synset,model,split\n")
        archive.writestr(name, "v 0 0 0\n")
    target.mkdir()
    with pytest.raises(ValueError, match="received the name"):
        unpack_sample(target, path=path)
    assert not list(target.iterdir())


def test_a_bomb_is_refused(tmp_path):
    path = tmp_path / "sample.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("index.csv", bytes(65 * 2**20))
    with pytest.raises(ValueError, match="bytes unpacked"):
        unpack_sample(tmp_path / "target", path=path)


def test_a_damaged_archive_is_named(tmp_path):
    path = tmp_path / "sample.zip"
    path.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(ValueError, match="sample.zip.*damaged"):
        unpack_sample(tmp_path / "target", path=path)
