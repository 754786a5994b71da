"""Procedural objects: closed, turned as ShapeNet's are, settled by a number, and a data set."""

import numpy as np
import pytest
import scipy.spatial
import trimesh

from tests.datasets.builds import build, shapenet_views
from tf_softras.datasets.procedural import PROCEDURAL_CLASSES, procedural_mesh
from tf_softras.datasets.procedural.solids import Assembly


def as_trimesh(mesh):
    # By index alone: where solids touch, merging corners would join them.
    return trimesh.Trimesh(mesh.vertices.astype("float64"), mesh.faces, process=False)


@pytest.mark.parametrize("name", PROCEDURAL_CLASSES)
def test_every_solid_is_closed_and_faces_outwards(name):
    # Enough for every kind of airplane, car and lamp.
    for number in range(30):
        mesh = procedural_mesh(name, number)
        np.testing.assert_allclose(np.ptp(mesh.vertices, axis=0).max(), 1.0, atol=1e-5)
        solids = as_trimesh(mesh).split(only_watertight=False)
        assert len(solids) >= 2
        assert all(solid.is_watertight and solid.volume > 0 for solid in solids)


@pytest.mark.parametrize("name", PROCEDURAL_CLASSES)
def test_a_number_settles_an_object(name):
    one, again, other = (procedural_mesh(name, number) for number in (3, 3, 4))
    np.testing.assert_array_equal(one.vertices, again.vertices)
    np.testing.assert_array_equal(one.face_colors, again.face_colors)
    assert one.vertices.shape != other.vertices.shape or np.any(one.vertices != other.vertices)


def test_solids_have_their_volumes():
    solids = Assembly()
    solids.box((1, 2, 3), (1, 2, 3), (1, 0, 0))
    solids.rod((0, 0, 0), (1, 1, 1), 0.1, (1, 0, 0), sides=400)
    solids.revolve([(0, 1), (3, 0.5)], (1, 0, 0), center=(5, 0, 0), sides=400)
    solids.loft([(0, 0, 0, 1, 2), (4, 0, 0, 1, 2)], (1, 0, 0), sides=400)
    solids.wing((0, 0, 0, 2), (3, 0, 0, 2), (1, 0, 0), thickness=0.4)
    solids.fin((0, 0, 2), (3, 0, 2), (1, 0, 0), thickness=0.4)
    volumes = [solid.volume for solid in as_trimesh(solids.mesh()).split()]
    frustum = np.pi * 3 / 3 * (1 + 0.5 + 0.25)
    # A wing is a prismatoid: its thickness falls to half at the tip.
    expected = [6, np.pi * 0.01 * 3**0.5, frustum, np.pi * 8, 1.8, 1.8, 2.4]
    np.testing.assert_allclose(volumes, expected, rtol=1e-3)


def test_airplanes_are_symmetric_and_look_towards_minus_z():
    for number in range(30):
        vertices = procedural_mesh("airplane", number).vertices
        # Of each vertex there is a mirror image.
        distances, _ = scipy.spatial.KDTree(vertices).query(vertices * [-1, 1, 1])
        assert distances.max() < 1e-5
        assert vertices[vertices[:, 1].argmax(), 2] > 0  # the top of the fin


def test_an_unknown_class_is_named():
    with pytest.raises(ValueError, match="name: expected one of airplane.*; received 'mug'"):
        procedural_mesh("mug", 0)


@pytest.mark.parametrize("number", [-1, 1.0, True, "1"])
def test_a_number_that_is_none_is_refused(number):
    with pytest.raises(ValueError, match="number: expected an integer of at least 0; received"):
        procedural_mesh("car", number)


def test_integers_of_numpy_are_integers():
    expected = procedural_mesh("car", 2)
    np.testing.assert_array_equal(procedural_mesh("car", np.int64(2)).vertices, expected.vertices)


def test_the_data_set_has_every_class_and_no_file(tmp_path):
    config = shapenet_views.ShapenetViewsConfig(
        name="few", source="procedural", image_size=16, num_views=3, voxel_resolution=8
    )
    builder = build(tmp_path, "", config, objects=1)
    examples = list(builder.as_dataset(split="train").as_numpy_iterator())
    names = builder.info.features["label"].names
    assert sorted(names[example["label"]] for example in examples) == sorted(PROCEDURAL_CLASSES)
    assert all(example["images"][..., 3].max() == 255 for example in examples)
    assert all(example["voxels"].any() for example in examples)


def test_random_sides_are_those_of_a_config_of_its_own():
    config = next(
        one for one in shapenet_views.Builder.BUILDER_CONFIGS if one.name == "procedural_random"
    )
    assert config.source == "procedural"
    cameras = [config.cameras(name) for name in ("02691156/a", "02691156/b")]
    assert np.ptp(cameras[0]["elevation"]) > 20 and np.ptp(cameras[0]["distance"]) > 0.3
    assert (cameras[0]["azimuth"] != cameras[1]["azimuth"]).any()
