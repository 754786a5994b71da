"""The config `nmr`: what was stored comes back, in our frame, or is named."""

import hashlib
import json
import pickle
import shutil
import tracemalloc
import zipfile

import numpy as np
import pytest

from tests.datasets.builds import build
from tests.datasets.nmr_archives import sample_features, stored, write_archive, zipped
from tf_softras.datasets.shapenet_views import nmr_archive
from tf_softras.datasets.shapenet_views.embedded_sample import unpack_sample
from tf_softras.datasets.shapenet_views.nmr_archive import (
    NmrArchiveError,
    NmrFiles,
    check_axes,
    find_files,
    restored_images,
)
from tf_softras.datasets.shapenet_views.object_views import Rendering
from tf_softras.datasets.shapenet_views.sources import BadObjectError, Problem

# The class of two of the objects.
CABINET = "02933112"


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    """Three objects of the sample, two of them of one class."""
    folder = tmp_path_factory.mktemp("sample")
    unpack_sample(folder)
    return sample_features(folder)


@pytest.fixture(scope="module")
def archive(objects, tmp_path_factory):
    """A folder with a train and a val split: to be read only."""
    folder = tmp_path_factory.mktemp("nmr") / "mesh_reconstruction"
    write_archive(folder, objects, "train")
    write_archive(folder, objects[:1], "val")
    return folder


def reasons(problems):
    return {problem.name: problem.reason for problem in problems}


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_objects_come_back_as_they_were_rendered(kind, objects, archive, tmp_path):
    manual_dir = archive.parent
    if kind == "zip":
        manual_dir = tmp_path / "manual"
        manual_dir.mkdir()
        zipped(archive, manual_dir / "of_my_own.zip")
    builder = build(tmp_path / "data", manual_dir, "nmr")
    assert {name: info.num_examples for name, info in builder.info.splits.items()} == {
        "train": 3,
        "val": 1,
    }
    assert json.loads((builder.data_path / "report.json").read_text())["num_problems"] == 0
    found = {
        example["model_id"]: example
        for example in builder.as_dataset(split="val").as_numpy_iterator()
    }
    _, expected = objects[0]
    example = found[b"val_00000"]
    np.testing.assert_array_equal(example["voxels"], expected["voxels"])
    alpha = expected["images"][..., 3]
    np.testing.assert_array_equal(example["images"][..., 3], alpha)
    assert (example["images"][alpha == 0] == 0).all()
    # Stored colours are rounded after they were multiplied by alpha, so what comes back is off by
    # half of 255 / alpha at most, and by half of its own rounding.
    error = np.abs(example["images"][..., :3].astype(float) - expected["images"][..., :3])
    assert (error <= (127.5 / np.maximum(alpha, 1) + 0.5)[..., None])[alpha > 0].all()
    np.testing.assert_array_equal(example["cameras"]["azimuth"], 15.0 * np.arange(24))


def test_colours_are_those_before_white_and_inversion():
    image = np.zeros((1, 4, 1, 3), np.uint8)
    # Opaque (200, 100, 0); half covered by the same; nothing.
    image[0, :, 0, 0] = (55, 155, 255, 255)
    image[0, :, 0, 1] = (28, 78, 128, 128)  # 255 - (0.502 c + 0.498 * 255) = 0.502 (255 - c)
    restored = restored_images(image)[0, 0]
    np.testing.assert_array_equal(restored[0], (200, 100, 0, 255))
    np.testing.assert_allclose(restored[1].astype(int), (200, 100, 0, 128), atol=1)
    np.testing.assert_array_equal(restored[2], 0)


def test_voxels_in_another_order_than_the_authors_are_noticed(archive, tmp_path):
    shutil.copytree(archive, tmp_path, dirs_exist_ok=True)
    for path in tmp_path.glob("*_voxels.npz"):
        np.savez_compressed(path, np.load(path)["arr_0"].transpose(0, 2, 1, 3))
    with pytest.raises(NmrArchiveError, match=r"order \(\+y, -z, \+x\).*IoU 0"):
        check_axes(find_files(tmp_path)[0])


def test_the_published_archive_is_known_by_its_md5(archive, tmp_path, monkeypatch):
    path = zipped(archive, tmp_path / nmr_archive.ARCHIVE_NAME)
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    with pytest.raises(NmrArchiveError, match=f"MD5 cde0353519427992c1183232ebff74e8.*MD5 {md5}"):
        find_files(tmp_path)
    monkeypatch.setattr(nmr_archive, "ARCHIVE_MD5", md5)
    assert len(find_files(tmp_path)[0]) == len(list(archive.iterdir())) // 2


def test_a_class_is_never_in_memory(tmp_path):
    count = 120
    images = np.zeros((count, *nmr_archive.IMAGES_SHAPE), np.uint8)
    images[:, :, 3, 20:40, 20:40] = 255
    np.savez_compressed(tmp_path / f"{CABINET}_train_images.npz", images)
    np.savez_compressed(
        tmp_path / f"{CABINET}_train_voxels.npz", np.ones((count, 32, 32, 32), bool)
    )
    path = zipped(tmp_path, tmp_path / "all.zip")
    (files,), _ = find_files(path.parent)
    tracemalloc.start()
    assert sum(1 for _ in files.examples(Rendering())) == count
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The class has 47 MB of pictures; an object 0.4 MB, and its colours take 5 MB as they are made.
    assert peak < 12e6


def _header(shape, dtype="|u1", fortran=False):
    text = f"{{'descr': '{dtype}', 'fortran_order': {fortran}, 'shape': {shape}, }}".ljust(117)
    return b"\x93NUMPY\x01\x00\x76\x00" + text.encode() + b"\n"


def _npz(path, member, name="arr_0.npy"):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, member)


class _Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('unpickled')",))


def _pickled(path):
    array = np.empty(1, object)
    array[0] = _Bomb()
    np.savez(path, array)
    assert b"unpickled" in path.read_bytes()


def _flipped(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


DAMAGES = {
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-500]), "whole .npz"),
    "corrupt": (_flipped, "whole .npz"),
    "empty": (lambda path: path.write_bytes(b""), "whole .npz"),
    "a pickle": (lambda path: path.write_bytes(pickle.dumps(_Bomb())), "whole .npz"),
    "pickled objects": (_pickled, "received pickled objects"),
    "floats": (lambda path: np.savez(path, np.zeros((1, 24, 4, 64, 64))), "float64"),
    "small": (lambda path: np.savez(path, np.zeros((1, 24, 4, 8, 8), "u1")), "24, 4, 8, 8"),
    "scalar": (lambda path: np.savez(path, np.uint8(3)), "uint8"),
    "another key": (lambda path: np.savez(path, images=np.zeros(3)), "arr_0.npy"),
    "header alone": (lambda path: _npz(path, _header("(9, 24, 4, 64, 64)")), "bytes; received 128"),
    "header that lies": (lambda path: _npz(path, _header("(10**9, 24, 4, 64, 64)")), "whole"),
    "billions": (lambda path: _npz(path, _header("(1000000000, 24, 4, 64, 64)")), "1000000000"),
    "Fortran": (lambda path: _npz(path, _header("(1, 24, 4, 64, 64)", fortran=True)), "Fortran"),
    "no header": (lambda path: _npz(path, b"not NumPy's"), "whole .npz"),
    "fewer objects": (
        lambda path: np.savez(path, np.zeros((0, 24, 4, 64, 64), np.uint8)),
        "as many pictures as voxels",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named_and_gives_nothing(damage, archive, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(archive, folder)
    act, message = DAMAGES[damage]
    act(folder / f"{CABINET}_train_images.npz")
    files, _ = find_files(folder)
    (damaged,) = [one for one in files if (one.synset, one.split) == (CABINET, "train")]
    (problem,) = damaged.examples(Rendering())
    assert isinstance(problem, Problem) and problem.name == f"{CABINET}_train"
    assert message in problem.reason and f"{CABINET}_train_" in problem.reason


def test_damage_is_counted_beside_the_data_and_ends_a_strict_build(archive, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(archive, folder)
    _flipped(folder / f"{CABINET}_train_voxels.npz")
    (folder / "12345678_train_images.npz").write_bytes(b"")
    (folder / f"{CABINET}_val_images.npz").unlink(missing_ok=True)
    builder = build(tmp_path / "data", folder, "nmr")
    report = json.loads((builder.data_path / "report.json").read_text())
    names = {problem["name"] for problem in report["problems"]}
    assert f"{CABINET}_train" in names and str(folder / "12345678_train_images.npz") in names
    assert report["num_problems"] == len(report["problems"]) == len(names)
    with pytest.raises(BadObjectError, match="12345678_train_images.npz"):
        build(tmp_path / "strict", folder, "nmr", strict=True)
    assert not list((tmp_path / "strict").rglob("*.tfrecord*"))


def test_names_that_lead_out_of_the_archive_are_reported_and_not_followed(archive, tmp_path):
    path = zipped(archive, tmp_path / "all.zip")
    outside = ["../02933112_val_images.npz", "/etc/x.npz", "a/../../x.npz", "..\\x.npz"]
    with zipfile.ZipFile(path, "a") as opened:
        for name in outside:
            opened.writestr(name, b"x")
    files, problems = find_files(tmp_path)
    assert len(files) == len(list(archive.iterdir())) // 2
    assert {name for name, why in reasons(problems).items() if "leads out" in why} == set(outside)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["all.zip"]


def test_an_object_without_voxels_or_pictures_is_named(objects, tmp_path):
    images, voxels = stored(objects[0][1])
    np.savez(tmp_path / f"{CABINET}_test_images.npz", np.stack([images, 0 * images, images]))
    np.savez(tmp_path / f"{CABINET}_test_voxels.npz", np.stack([voxels, voxels, 0 * voxels]) > 0)
    (files,), _ = find_files(tmp_path)
    good, *bad = files.examples(Rendering())
    assert good[0] == f"{CABINET}/test_00000"
    assert [problem.name for problem in bad] == [f"{CABINET}/test_00001", f"{CABINET}/test_00002"]


def test_a_folder_without_the_archive_is_an_error(archive, tmp_path):
    with pytest.raises(FileNotFoundError, match="received none"):
        find_files(tmp_path / "absent")
    with pytest.raises(NmrArchiveError, match="received none"):
        find_files(tmp_path)
    (tmp_path / "broken.zip").write_bytes(b"PK")
    with pytest.raises(NmrArchiveError, match="broken.zip': expected a ZIP file"):
        find_files(tmp_path)
    zipped(archive, tmp_path / "second.zip")
    with pytest.raises(NmrArchiveError, match="one ZIP file.*broken.zip, second.zip"):
        find_files(tmp_path)


def test_files_in_a_zip_that_go_missing_are_a_problem(archive, tmp_path):
    path = zipped(archive, tmp_path / "all.zip")
    lost = NmrFiles(CABINET, "train", "gone.npz", "gone_too.npz", archive=str(path))
    (problem,) = lost.examples(Rendering())
    assert "gone.npz" in problem.reason
