"""Reconstructors by where they are, and the way from a picture to its mesh."""

import io

import numpy as np
import PIL.Image
import pytest

from tests.page.networks import Ball
from tests.page.servers import model_server, rest_api
from tests.shapes import tiny_config
from tf_softras.export import export_saved_model
from tf_softras.models import MeshReconstructor, VoxelReconstructor
from tf_softras.pictures import PictureError, frame_object
from tf_softras.reconstruction import (
    ReconstructorError,
    as_reconstructor,
    mesh_from_picture,
    open_reconstructor,
)
from tf_softras.run_folder import RunFolder


def cut_out(size=(40, 60)):
    picture = np.zeros((*size, 4), np.uint8)
    picture[5:35, 10:50] = (200, 40, 80, 255)
    return picture


@pytest.fixture(scope="module")
def network():
    return MeshReconstructor(tiny_config().model)


@pytest.fixture(scope="module")
def places(tmp_path_factory, network):
    """A run and a folder of versions, of one network."""
    folder = tmp_path_factory.mktemp("places")
    run = RunFolder.create(folder / "run", tiny_config())
    run.save_checkpoint(network, is_best=True)
    export_saved_model(network, folder / "saved")
    return folder


@pytest.mark.parametrize("place", ["run", "saved", "saved/1"])
def test_a_run_and_a_saved_model_give_the_networks_meshes(places, network, place):
    opened = open_reconstructor(str(places / place))
    mesh, seen = mesh_from_picture(opened, cut_out())
    np.testing.assert_array_equal(seen, frame_object(cut_out(), image_size=16))
    expected = network(np.float32(seen[None]) / 255.0, training=False)[0]
    np.testing.assert_allclose(mesh.vertices, expected, atol=1e-5)
    np.testing.assert_array_equal(mesh.faces, network.faces)


def test_a_url_opens_a_served_network():
    with rest_api(model_server(Ball())) as url:
        opened = open_reconstructor(f"{url}/v1/models/chair")
        mesh, seen = mesh_from_picture(opened, cut_out())
    np.testing.assert_array_equal(mesh.vertices, Ball()(np.float32(seen[None]) / 255.0)[0])


def test_a_picture_may_be_a_file_or_its_bytes_with_a_mask(tmp_path):
    photo, mask = (io.BytesIO() for _ in range(2))
    PIL.Image.fromarray(cut_out()[..., :3]).save(photo, format="PNG")
    PIL.Image.fromarray(cut_out()[..., 3]).save(mask, format="PNG")
    PIL.Image.fromarray(cut_out()).save(tmp_path / "cut_out.png")
    reconstructor = as_reconstructor(Ball())
    expected = mesh_from_picture(reconstructor, cut_out())[0].vertices
    for picture, options in (
        (tmp_path / "cut_out.png", {}),
        (photo.getvalue(), {"mask_path": mask.getvalue()}),
    ):
        mesh, _ = mesh_from_picture(reconstructor, picture, **options)
        np.testing.assert_array_equal(mesh.vertices, expected)
    with pytest.raises(PictureError, match="at most 100 pixels"):
        mesh_from_picture(reconstructor, tmp_path / "cut_out.png", max_pixels=100)


def test_an_array_goes_without_options_for_files_and_says_what_it_is():
    reconstructor = as_reconstructor(Ball())
    with pytest.raises(TypeError, match="options: expected none beside.*received box, nonsense"):
        mesh_from_picture(reconstructor, cut_out(), box=(1, 2, 3, 4), nonsense=3)
    mesh_from_picture(reconstructor, cut_out(), box=None, mask_path=None)
    with pytest.raises(PictureError, match="picture: expected uint8 .*; received float64"):
        mesh_from_picture(reconstructor, cut_out() / 255.0)


def test_a_network_that_gives_voxels_is_refused_before_the_picture_is_read():
    voxels = as_reconstructor(VoxelReconstructor(tiny_config().model, filters=(4, 2)))
    with pytest.raises(ReconstructorError, match="expected one that gives meshes"):
        mesh_from_picture(voxels, "nowhere.png")
    with pytest.raises(ReconstructorError, match="received a VoxelReconstructor"):
        export_saved_model(voxels.network, "nowhere")


@pytest.mark.parametrize("source", ["nowhere", "ftp://host:1/chair", "http://host"])
def test_a_place_without_a_network_is_refused(tmp_path, source):
    with pytest.raises(ReconstructorError, match=r"[Ee]xpected .*grpc://|nowhere': expected the"):
        open_reconstructor(source if "://" in source else tmp_path / source)


@pytest.mark.parametrize("place", [None, "saved", "http://127.0.0.1:1/v1/models/chair"])
def test_a_checkpoint_without_a_run_is_refused(tmp_path, place):
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").touch()
    place = str(tmp_path / place) if place == "saved" else place
    with pytest.raises(ReconstructorError, match="checkpoint: expected the folder of a run for"):
        open_reconstructor(place, checkpoint="last")
