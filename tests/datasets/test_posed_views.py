import dataclasses
import json

import cv2
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from tf_softras.datasets.posed_views import (
    PosedViews,
    PosedViewsError,
    load_posed_views,
    save_posed_views,
    views_from_eyes,
)
from tf_softras.geometry import (
    Mesh,
    eye_from_angles,
    intrinsic_matrix,
    look_at_extrinsics,
    pinhole,
    world_to_camera,
)
from tf_softras.rendering import render_views

SIZE = (24, 32)


def box_mesh():
    corners = [[x, y, z] for x in (-0.4, 0.4) for y in (-0.2, 0.2) for z in (-0.3, 0.3)]
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    return Mesh(corners, [[q[0], q[i], q[i + 1]] for q in quads for i in (1, 2)])


@pytest.fixture(scope="module")
def views():
    eyes = np.asarray(eye_from_angles(3.0, [10.0, 30.0, -20.0, 40.0], [0.0, 80.0, 170.0, 260.0]))
    rotations, translations = look_at_extrinsics(eyes, convention="opencv")
    lens = intrinsic_matrix(SIZE, field_of_view=30.0, across="shorter", pixel_center=0.5)
    pictures = render_views(box_mesh(), eyes, image_size=SIZE)
    return PosedViews.from_arrays(
        pictures, np.asarray(rotations), np.asarray(translations), np.asarray(lens)
    )


def assert_same(read, written):
    assert len(read) == len(written)
    for one, other in zip(read, written, strict=True):
        np.testing.assert_array_equal(one.rgba(), other.rgba())
        for name in ("rotation", "translation", "intrinsics"):
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=2e-6)


def test_what_is_written_is_read_again(views, tmp_path):
    assert_same(load_posed_views(save_posed_views(tmp_path, views), hold_out=0), views)
    # Another program's view of the file: NeRF's camera to world, looking along -z.
    frame = json.loads((tmp_path / "transforms.json").read_text())["frames"][1]
    matrix = np.array(frame["transform_matrix"])
    np.testing.assert_allclose(matrix[:3, 3], views[1].eye, atol=1e-6)
    np.testing.assert_allclose(
        -matrix[:3, 2], -views[1].eye / np.linalg.norm(views[1].eye), atol=1e-6
    )


def test_projected_corners_bound_the_mask_that_was_rendered(views):
    for view in views:
        corners = np.asarray(
            pinhole(
                world_to_camera(
                    tf.constant(box_mesh().vertices, tf.float64), view.rotation, view.translation
                ),
                view.intrinsics,
                image_size=SIZE,
                pixel_center=0.5,
            )
        )
        columns = (corners[:, 0] * min(SIZE) + SIZE[1]) / 2
        rows = (SIZE[0] - corners[:, 1] * min(SIZE)) / 2
        covered_rows, covered_columns = np.nonzero(view.rgba()[..., 3] > 0)
        # A pixel that is covered in part begins up to 1 before the corner.
        assert abs(covered_columns.min() - columns.min()) < 1.01
        assert abs(covered_columns.max() + 1 - columns.max()) < 1.01
        assert abs(covered_rows.min() - rows.min()) < 1.01
        assert abs(covered_rows.max() + 1 - rows.max()) < 1.01


def test_held_out_views_are_a_file_of_their_own(views, tmp_path):
    save_posed_views(tmp_path, views.holding_out_every(2))
    assert {path.name for path in tmp_path.glob("*.json")} == {
        "transforms_train.json",
        "transforms_test.json",
    }
    read = load_posed_views(tmp_path)
    assert [view.held_out for view in read] == [False, False, True, True]
    assert len(read.training()) == 2


def test_a_folder_without_splits_holds_every_eighth_out(views, tmp_path):
    many = PosedViews([*views, *views, *views, *views])
    read = load_posed_views(save_posed_views(tmp_path, many))
    assert [index for index, view in enumerate(read) if view.held_out] == [7, 15]
    assert not load_posed_views(tmp_path, hold_out=0).held_out()


def write_nerf(folder, views, **lens):
    """Blender's synthetic data: names without suffix and the angle of view."""
    (folder / "train").mkdir()
    frames = []
    for index, view in enumerate(views):
        PIL.Image.fromarray(view.rgba()).save(folder / "train" / f"r_{index}.png")
        matrix = np.eye(4)
        matrix[:3, :3] = view.rotation.T * [1, -1, -1]
        matrix[:3, 3] = view.eye
        frames.append({"file_path": f"./train/r_{index}", "transform_matrix": matrix.tolist()})
    (folder / "transforms_train.json").write_text(json.dumps({**lens, "frames": frames}))


def test_nerfs_angle_of_view_gives_the_lens(views, tmp_path):
    across = 2.0 * np.arctan(np.tan(np.radians(15.0)) * SIZE[1] / SIZE[0])
    write_nerf(tmp_path, views, camera_angle_x=across)
    assert_same(load_posed_views(tmp_path, hold_out=0), views)


def test_the_packages_own_file(views, tmp_path):
    entries = []
    for index, view in enumerate(views):
        PIL.Image.fromarray(view.rgba()[..., :3]).save(tmp_path / f"{index}.png")
        PIL.Image.fromarray(view.rgba()[..., 3]).save(tmp_path / f"mask{index}.png")
        entries.append(
            {
                "picture": f"{index}.png",
                "mask": f"mask{index}.png",
                "rotation": view.rotation.tolist(),
                "translation": view.translation.tolist(),
                "intrinsics": view.intrinsics.tolist(),
            }
        )
    (tmp_path / "cameras.json").write_text(json.dumps({"views": entries}))
    assert_same(load_posed_views(tmp_path, hold_out=0), views)


@pytest.mark.parametrize("binary", [False, True])
def test_colmap_models(views, tmp_path, binary):
    pycolmap = pytest.importorskip("pycolmap")
    from scipy.spatial.transform import Rotation

    model = tmp_path / "sparse/0"
    model.mkdir(parents=True)
    lens = views[0].intrinsics
    camera = f"1 PINHOLE {SIZE[1]} {SIZE[0]} {lens[0, 0]} {lens[1, 1]} {lens[0, 2]} {lens[1, 2]}\n"
    (model / "cameras.txt").write_text(camera)
    lines = []
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    for index, view in enumerate(views):
        x, y, z, w = Rotation.from_matrix(view.rotation).as_quat()
        numbers = " ".join(map(str, (w, x, y, z, *view.translation)))
        lines += [f"{index + 1} {numbers} 1 {index}.png\n", "\n"]
        PIL.Image.fromarray(view.rgba()[..., :3]).save(tmp_path / f"images/{index}.png")
        PIL.Image.fromarray(view.rgba()[..., 3]).save(tmp_path / f"masks/{index}.png.png")
    (model / "images.txt").write_text("".join(lines))
    (model / "points3D.txt").write_text("")
    if binary:
        reconstruction = pycolmap.Reconstruction(str(model))
        for path in model.glob("*.txt"):
            path.unlink()
        reconstruction.write_binary(str(model))
    assert_same(load_posed_views(tmp_path, hold_out=0), views)


def test_distorted_pictures_are_undistorted(views, tmp_path):
    """A point that OpenCV's model moves comes back to where the pinhole has it."""
    lens = np.array([[60.0, 0, 40.5], [0, 60.0, 30.5], [0, 0, 1]])
    coefficients = (-0.6, 0.05, 0.001, -0.002)
    point = np.array([[0.4, -0.25, 1.0]])
    matrix = lens - [[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]
    moved, _ = cv2.projectPoints(point, np.zeros(3), np.zeros(3), matrix, np.array(coefficients))
    column, row = np.rint(moved.ravel()).astype(int)
    picture = np.zeros((60, 80, 4), np.uint8)
    picture[row - 1 : row + 2, column - 1 : column + 2] = 255
    view = PosedViews.from_arrays([picture], views[0].rotation[None], [np.zeros(3)], lens)[0]
    straight = dataclasses.replace(view, distortion=coefficients).rgba()[..., 3].astype(float)
    rows, columns = np.indices(straight.shape)
    center = [np.sum(axis * straight) / straight.sum() for axis in (columns, rows)]
    # Rounding to a pixel is 0.5 at most; distortion moves the point by more than 3.
    np.testing.assert_allclose(center, (matrix @ point[0])[:2], atol=0.8)
    assert np.linalg.norm((matrix @ point[0])[:2] - moved.ravel()) > 3.0


def test_a_box_cuts_the_object_out(views, tmp_path):
    rng = np.random.default_rng(0)
    picture = rng.integers(90, 110, (60, 80, 3)).astype(np.uint8)
    picture[20:40, 30:55] = [200, 30, 30]
    PIL.Image.fromarray(picture).save(tmp_path / "photo.png")
    view = dataclasses.replace(views[0], picture=tmp_path / "photo.png", box=(20, 10, 65, 50))
    alpha = view.rgba()[..., 3]
    assert (alpha[22:38, 32:53] == 255).all() and (alpha[:10] == 0).all()


def test_batches_for_tensorflow(views):
    (batch,) = views.as_dataset().batch(4)
    assert batch["picture"].shape == (4, *SIZE, 4) and batch["rotation"].shape == (4, 3, 3)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"frames": []}, "expected 1 to 10,000 views"),
        ({"frames": 3}, "expected a list of objects 'frames'"),
        ({"frames": [{"file_path": "images/0000.png"}]}, "expected a file_path and a transform"),
        ({"up": "../secret.png"}, "expected files in its own folder"),
        ({"up": "/etc/hostname"}, "expected files in its own folder"),
        ({"up": "images/none.png"}, "beside it; received none"),
        ({"matrix": np.eye(4) * 2}, "expected a rotation"),
        ({"matrix": np.full((4, 4), np.nan)}, "transform_matrix of 4 rows"),
        ({"matrix": "abc"}, "transform_matrix of 4 rows"),
        ({"fl_x": "abc"}, "fl_x: expected a finite number"),
        ({"fl_x": None}, "expected fl_x in pixels or camera_angle_x"),
        ({"fl_x": -3.0}, "expected positive focal lengths"),
        ({"camera_model": "OPENCV_FISHEYE"}, "expected a pinhole camera"),
        ({"box": [1, 2, 3]}, "box: expected"),
    ],
)
def test_bad_transforms_are_one_sentence(views, tmp_path, change, message):
    save_posed_views(tmp_path, views[:1])
    path = tmp_path / "transforms.json"
    document = json.loads(path.read_text())
    frame = document["frames"][0]
    if "frames" in change:
        document["frames"] = change["frames"]
    elif "up" in change:
        frame["file_path"] = change["up"]
    elif "matrix" in change:
        matrix = change["matrix"]
        frame["transform_matrix"] = matrix if isinstance(matrix, str) else matrix.tolist()
    else:
        frame.update(change)
    path.write_text(json.dumps(document))
    with pytest.raises(PosedViewsError, match=message):
        load_posed_views(tmp_path)


def test_other_bad_folders_are_one_sentence(tmp_path):
    with pytest.raises(PosedViewsError, match="expected a folder of posed pictures; received none"):
        load_posed_views(tmp_path / "nowhere")
    with pytest.raises(PosedViewsError, match="received none of them"):
        load_posed_views(tmp_path)
    (tmp_path / "transforms.json").write_text("{")
    with pytest.raises(PosedViewsError, match="expected JSON"):
        load_posed_views(tmp_path)
    (tmp_path / "transforms.json").write_text("[" * 100_000)
    with pytest.raises(PosedViewsError, match="expected JSON"):
        load_posed_views(tmp_path)


def test_masks_of_another_folder_must_be_there(views, tmp_path):
    save_posed_views(tmp_path, views)
    (tmp_path / "other").mkdir()
    with pytest.raises(PosedViewsError, match="masks: expected"):
        load_posed_views(tmp_path, masks=tmp_path / "other")


def test_a_camera_is_wanted_for_each_picture():
    pictures = np.zeros((2, 8, 8, 4), np.uint8)
    with pytest.raises(PosedViewsError, match="rotations: expected one for each of 2"):
        views_from_eyes(pictures, [[0.0, 0.0, 2.732]])
