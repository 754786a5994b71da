"""The network that comes with the package is used where no other is named."""

import click.testing
import keras
import numpy as np
import PIL.Image
import pytest

from tests.shapes import tiny_config
from tf_softras.cli import main
from tf_softras.cli.command import LOG_LEVEL
from tf_softras.datasets.shapenet_views.embedded_sample import unpack_sample
from tf_softras.geometry import eye_from_angles, load_mesh, n3mr_views
from tf_softras.models import MeshReconstructor, _pretrained, mesh_reconstructor, pretrained_names
from tf_softras.pictures import frame_object
from tf_softras.reconstruction import (
    SHIPPED_NETWORK,
    ReconstructorError,
    mesh_from_picture,
    open_reconstructor,
    shipped_network,
)
from tf_softras.rendering import render_views


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv(LOG_LEVEL, "2")


@pytest.fixture
def no_weights(tmp_path, monkeypatch):
    """A package without weights; their folder, to be filled."""
    folder = tmp_path / "pretrained"
    folder.mkdir()
    for module in (_pretrained, mesh_reconstructor):
        monkeypatch.setattr(module, "FOLDER", folder)
    return folder


@pytest.fixture
def network(no_weights):
    """A tiny network that comes with the package."""
    keras.utils.set_random_seed(3)
    network = MeshReconstructor(tiny_config().model.replace(deformation="preconditioned"))
    _pretrained.save_pretrained(network, no_weights / f"{SHIPPED_NETWORK}.npz")
    return MeshReconstructor.from_preset(SHIPPED_NETWORK)


@pytest.fixture
def picture(tmp_path):
    pixels = np.zeros((50, 80, 4), np.uint8)
    pixels[10:40, 20:70] = (200, 100, 50, 255)
    PIL.Image.fromarray(pixels).save(tmp_path / "cut_out.png")
    return tmp_path / "cut_out.png"


def softras(*arguments):
    return click.testing.CliRunner().invoke(main, [str(argument) for argument in arguments])


def done(*arguments):
    result = softras(*arguments)
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.stdout


def test_commands_use_it_where_no_run_is_named(network, picture, tmp_path):
    seen = frame_object(np.asarray(PIL.Image.open(picture)), image_size=16)
    expected = network(np.float32(seen[None]) / 255.0)[0]
    done("reconstruct", picture, "-o", tmp_path / "mesh.obj")
    np.testing.assert_allclose(load_mesh(tmp_path / "mesh.obj").vertices, expected, atol=1e-6)
    done("export", tmp_path / "saved")
    mesh, _ = mesh_from_picture(open_reconstructor(tmp_path / "saved" / "1"), picture)
    np.testing.assert_allclose(mesh.vertices, expected, atol=1e-5)


def test_pages_show_its_meshes_where_no_run_is_named(network, tmp_path, monkeypatch):
    samples = {"red": np.full((20, 20, 4), (200, 0, 0, 255), np.uint8)}
    samples["red"][0] = 0
    monkeypatch.setattr(
        "tf_softras.datasets.shapenet_views.sample_pictures.sample_pictures", lambda: samples
    )
    assert ": 1 mesh, " in done("view", "-o", tmp_path / "meshes.html")

    def create_app(reconstructor, **_):
        mesh, _ = mesh_from_picture(reconstructor, samples["red"])
        raise ReconstructorError(f"opened one of {len(mesh.vertices)} vertices")

    monkeypatch.setattr("tf_softras.page.app.create_app", create_app)
    vertices = len(network.template.vertices)
    assert softras("page").stderr == f"Error: opened one of {vertices} vertices\n"


@pytest.mark.parametrize("line", ["reconstruct PICTURE -o OUT/m.obj", "export OUT/s", "page", None])
def test_a_copy_without_weights_says_so_in_one_sentence(no_weights, picture, tmp_path, line):
    words = f"network: expected the weights '{SHIPPED_NETWORK}' that come with tf_softras; received"
    if line is None:
        with pytest.raises(ReconstructorError, match=words):
            shipped_network()
        return
    line = line.replace("PICTURE", str(picture)).replace("OUT", str(tmp_path))
    result = softras(*line.split())
    assert result.exit_code == 2 and result.stderr.startswith(f"Error: {words}")
    assert len(result.stderr.splitlines()) == 1 and "name a run" in result.stderr
    assert not (tmp_path / "s").exists()


def test_an_export_without_an_output_does_not_write_into_the_run(network, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    result = softras("export", tmp_path)
    assert result.exit_code == 2 and "which holds a run" in result.stderr
    assert "Missing argument 'OUTPUT'" in softras("export").stderr
    assert not (tmp_path / "1").exists()


@pytest.mark.skipif(
    SHIPPED_NETWORK not in pretrained_names(), reason="the package holds no weights yet"
)
def test_the_shipped_network_makes_the_silhouette_of_a_table_it_has_not_seen(tmp_path):
    unpack_sample(tmp_path)
    model = tmp_path / "04379243/43aa40d84d1b127fa0850b1ca77f0bae/models/model_normalized.obj"
    eye = np.asarray(eye_from_angles(**n3mr_views()))[2][None]
    (true,) = render_views(load_mesh(model).normalized(), eye, image_size=64)
    mesh, seen = mesh_from_picture(open_reconstructor(), true)
    (made,) = render_views(mesh, eye, image_size=64)
    # A picture does not tell how large an object is: the network sees all of one size.
    one, other = (picture[..., 3] > 127 for picture in (seen, frame_object(made)))
    # A ball of any size has 0.72.
    assert (one & other).sum() > 0.8 * (one | other).sum()
