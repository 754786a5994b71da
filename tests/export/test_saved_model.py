"""SavedModels: what TensorFlow alone makes of them, how versions come about, what is refused."""

import io
import json
import struct
import threading

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
import trimesh
from google.protobuf import text_format
from tensorflow.core.framework import tensor_pb2

from tests.conftest import SIGMA
from tests.export.batching_parameters import BatchingParameters
from tests.export.processes import run_as_a_server
from tests.geometry.mesh_files.test_obj_and_written_files import read_glb
from tf_softras.config import preset
from tf_softras.export import (
    ExportedReconstructor,
    SavedModelError,
    export_saved_model,
    saved_model,
    saved_model_folder,
)
from tf_softras.export._checks import MAX_BATCH_SIZE
from tf_softras.geometry import eye_from_angles, look_at, perspective, save_mesh
from tf_softras.geometry.mesh import Mesh
from tf_softras.models import MeshReconstructor
from tf_softras.ops import soft_rasterize
from tf_softras.ops._library import LIBRARY_PATH
from tf_softras.pictures import frame_object, read_picture
from tf_softras.serving.messages import PredictionLog


def cut_outs():
    """Three PNG files and a JPEG file with its mask, each of another size, as [4] each."""
    random = np.random.default_rng(5)
    images, masks = [], []
    for height, width in ((50, 80), (200, 90), (64, 64), (120, 130)):
        picture = np.zeros((height, width, 4), np.uint8)
        picture[height // 5 : -height // 4, width // 3 : -width // 9] = 255
        picture[..., :3] = random.integers(0, 256, (height, width, 3))
        images.append(file_of(picture))
        masks.append(b"")
    images[-1] = file_of(picture[..., :3], format="JPEG")
    masks[-1] = file_of(picture[..., 3])
    return np.array(images, object), np.array(masks, object)


def file_of(picture, format="PNG"):
    file = io.BytesIO()
    PIL.Image.fromarray(picture).save(file, format=format)
    return file.getvalue()


@pytest.fixture(scope="module")
def requests():
    random = np.random.default_rng(1)
    images, masks = cut_outs()
    pictures = {"image_bytes": images, "mask_bytes": masks}
    return {
        "serving_default": {"images": random.random((3, 64, 64, 4)).astype(np.float32)},
        "encoded": pictures,
        "glb": pictures,
        "silhouettes": {
            "vertices": random.uniform(-0.5, 0.5, (2, 642, 3)).astype(np.float32),
            "eyes": np.float32(eye_from_angles(2.732, [30.0, -10.0], [0.0, 75.0])),
        },
    }


@pytest.fixture(scope="module")
def warm_up(exported):
    """The requests that lie beside the SavedModel: (signature, {input: array})."""
    records = tf.data.TFRecordDataset(
        str(exported[1] / "1/assets.extra/tf_serving_warmup_requests")
    )
    requests = []
    for record in records.as_numpy_iterator():
        request = PredictionLog.FromString(record).predict_log.request
        tensors = {
            name: tf.make_ndarray(tensor_pb2.TensorProto.FromString(content))
            for name, content in request.inputs.items()
        }
        requests.append((request.model_spec.signature_name, tensors))
    return requests


@pytest.fixture(scope="module")
def elsewhere(exported, requests, warm_up):
    """Returns the answers by signature of a fresh process that imports TensorFlow alone."""
    found = run_as_a_server(exported[1] / "1", [*requests.items(), *warm_up])
    answers = found["answers"]
    found["answers"] = dict(zip(requests, answers, strict=False))
    found["warm-up answers"] = answers[len(requests) :]
    return found


def framed(requests, tmp_path):
    """Returns the images that the command line makes of the pictures in `requests`."""
    seen = []
    for image, mask in zip(*requests["encoded"].values(), strict=True):
        (tmp_path / "image").write_bytes(image)
        (tmp_path / "mask").write_bytes(mask)
        picture = read_picture(tmp_path / "image", mask_path=tmp_path / "mask" if mask else None)
        seen.append(frame_object(picture))
    return np.float32(seen) / 255.0


# Its contents


def test_the_signatures_are_the_promised_ones(elsewhere):
    files = {name: ("string", [-1]) for name in ("image_bytes", "mask_bytes")}
    meshes = {"vertices": ("float32", [-1, 642, 3]), "faces": ("int32", [-1, 1280, 3])}
    assert elsewhere["signatures"] == {
        "serving_default": {
            "inputs": {"images": ("float32", [-1, 64, 64, 4])},
            "outputs": meshes,
        },
        "encoded": {"inputs": files, "outputs": meshes},
        "glb": {"inputs": files, "outputs": {"glb_bytes": ("string", [-1])}},
        "silhouettes": {
            "inputs": {"vertices": ("float32", [-1, 642, 3]), "eyes": ("float32", [-1, 3])},
            "outputs": {"silhouettes": ("float32", [-1, 64, 64])},
        },
    }


def test_the_graph_holds_no_custom_op(elsewhere):
    assert elsewhere["modules"] == []
    assert {"Conv2D", "DecodePng", "Assert"} <= set(elsewhere["ops"])
    assert not [op for op in elsewhere["ops"] if "oftras" in op]


def test_meshes_of_images_are_the_networks(exported, requests, elsewhere):
    model, _ = exported
    answer = elsewhere["answers"]["serving_default"]
    expected = model(requests["serving_default"]["images"])
    # The same float32 network in another graph: the order of sums may differ.
    np.testing.assert_allclose(answer["vertices"], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(answer["faces"], [model.faces] * 3)
    # Noise differs little from noise, and the answers must differ by more than the tolerance.
    assert np.ptp(answer["vertices"], axis=0).max() > 5e-4


def test_meshes_of_files_are_those_that_the_command_line_makes(
    exported, requests, elsewhere, tmp_path
):
    model, _ = exported
    answer = elsewhere["answers"]["encoded"]
    expected = model(framed(requests, tmp_path))
    # JPEG's last bits are its decoder's.
    for files, tolerance in ((slice(0, 3), 1e-6), (slice(3, 4), 1e-3)):
        np.testing.assert_allclose(answer["vertices"][files], expected[files], atol=tolerance)
    np.testing.assert_array_equal(answer["faces"], [model.faces] * 4)


def test_glb_files_hold_the_same_meshes_to_the_bit(exported, elsewhere):
    model, _ = exported
    vertices = elsewhere["answers"]["encoded"]["vertices"]
    files = elsewhere["answers"]["glb"]["glb_bytes"]
    for content, expected in zip(files, vertices, strict=True):
        mesh = trimesh.load_mesh(io.BytesIO(content), file_type="glb", process=False)
        np.testing.assert_array_equal(np.float32(mesh.vertices), expected)
        np.testing.assert_array_equal(mesh.faces, model.faces)
        length, json_length = struct.unpack_from("<8xII", content)
        assert length == len(content) and json_length % 4 == 0
        tree = json.loads(content[20 : 20 + json_length])
        (bounds,) = [item for item in tree["accessors"] if item["type"] == "VEC3"]
        # Validators of glTF want these exact.
        np.testing.assert_array_equal(np.float32(bounds["min"]), expected.min(axis=0))
        np.testing.assert_array_equal(np.float32(bounds["max"]), expected.max(axis=0))


def test_glb_files_are_those_that_save_mesh_writes(exported, elsewhere, tmp_path):
    model, _ = exported
    content = elsewhere["answers"]["glb"]["glb_bytes"][0]
    vertices = elsewhere["answers"]["encoded"]["vertices"][0]
    save_mesh(tmp_path / "mesh.glb", Mesh(vertices=vertices, faces=model.faces))
    trees, binaries = [], []
    for file in (content, (tmp_path / "mesh.glb").read_bytes()):
        (json_length,) = struct.unpack_from("<I", file, 12)
        tree = json.loads(file[20 : 20 + json_length])
        for accessor in tree["accessors"]:  # Doubles in one, nine digits in the other.
            accessor["min"], accessor["max"] = np.float32(accessor["min"]), None
            accessor["min"] = accessor["min"].tolist()
        trees.append(tree)
        binaries.append(file[20 + json_length :])
    assert trees[0] == trees[1]
    assert binaries[0] == binaries[1]


def expected_silhouettes(requests, model):
    """In float64, where the op is within 1e-10 of the definition."""
    vertices, eyes = (tf.cast(value, tf.float64) for value in requests["silhouettes"].values())
    seen = perspective(look_at(vertices, eyes))
    return soft_rasterize(seen, model.faces, image_size=64, sigma=SIGMA)


def test_silhouettes_are_those_of_the_definition(exported, requests, elsewhere):
    expected = expected_silhouettes(requests, exported[0])
    answer = elsewhere["answers"]["silhouettes"]["silhouettes"]
    # Coordinates in float32 put edges 1e-6 elsewhere, and at this sigma a silhouette changes by
    # 1/sqrt(sigma) = 100 a unit; faces of noise add up.
    np.testing.assert_allclose(answer, expected, atol=1e-3)
    assert 0.2 < answer.mean() < 0.9


def test_with_the_op_silhouettes_come_from_it(exported, requests, tmp_path):
    model, _ = exported
    path = export_saved_model(model, tmp_path / "chair", sigma=SIGMA, implementation="op")
    found = run_as_a_server(path, list(requests.items()), LIBRARY_PATH)
    assert "Softras>SoftRasterize" in found["ops"]
    meshes, _, _, silhouettes = found["answers"]
    expected = expected_silhouettes(requests, model)
    np.testing.assert_allclose(silhouettes["silhouettes"], expected, atol=1e-3)
    expected = model(requests["serving_default"]["images"])
    np.testing.assert_allclose(meshes["vertices"], expected, rtol=1e-5, atol=1e-6)


# The files beside it


def test_each_signature_has_a_warm_up_request_and_each_request_is_answered(warm_up, elsewhere):
    assert sorted(signature for signature, _ in warm_up) == sorted(elsewhere["signatures"])
    for (_, inputs), answer in zip(warm_up, elsewhere["warm-up answers"], strict=True):
        assert isinstance(answer, dict), answer
        assert {len(value) for value in (*inputs.values(), *answer.values())} == {1}
    # The ball of the request is in front of its camera.
    assert 0.01 < elsewhere["warm-up answers"][-1]["silhouettes"].mean() < 0.5


def test_batching_parameters_are_ones_that_a_server_takes(exported):
    text = (exported[1] / "1" / "batching_params.pbtxt").read_text()
    parameters = text_format.Parse(text, BatchingParameters())
    # A real server that fills batches up to allowed sizes ended at calls of 0 rows among others.
    assert not parameters.allowed_batch_sizes
    assert parameters.max_batch_size.value == MAX_BATCH_SIZE
    assert parameters.max_enqueued_batches.value > 0


# Versions


@pytest.fixture
def quick(monkeypatch):
    """Exports write the thread's name only, when `hook` has been called with their path."""

    def replace(hook=lambda path: None):
        def write(reconstructor, path, *args, **options):
            path.mkdir()
            (path / "saved_model.pb").write_text(threading.current_thread().name)
            hook(path)

        monkeypatch.setattr(saved_model, "_write", write)

    return replace


def test_versions_count_up_and_none_is_overwritten(tmp_path, quick):
    quick()
    base = tmp_path / "new" / "chair"
    base.mkdir(parents=True)
    for name in ("7", "0009", "notes.txt", "12.partly", ".13.scratch"):
        (base / name).mkdir()
    assert export_saved_model(None, base) == base / "10"
    assert export_saved_model(None, base, version=3) == base / "3"
    before = (base / "3" / "saved_model.pb").stat()
    for version in (3, 7, 9, 10):
        with pytest.raises(SavedModelError, match=f"{version}': expected a version that is free"):
            export_saved_model(None, base, version=version)
    with pytest.raises(SavedModelError, match="at least 1; received 0"):
        export_saved_model(None, base, version=0)
    assert (base / "3" / "saved_model.pb").stat() == before
    assert not list((base / "7").iterdir())


def test_what_is_no_folder_of_versions_is_refused(exported, tmp_path):
    model, base = exported
    (tmp_path / "file").touch()
    with pytest.raises(SavedModelError, match="received a file"):
        export_saved_model(model, tmp_path / "file")
    with pytest.raises(SavedModelError, match="received a SavedModel itself"):
        export_saved_model(model, base / "1")


@pytest.mark.parametrize("max_pixels", [0, 4096 * 4096 + 1, 1e6])
def test_a_limit_on_pixels_out_of_range_is_refused(tmp_path, quick, max_pixels):
    quick()
    with pytest.raises(ValueError, match=r"^max_pixels: expected an integer in \[1, 16777216\]"):
        export_saved_model(None, tmp_path, max_pixels=max_pixels)


def test_a_version_is_there_whole_or_not_at_all(tmp_path, quick):
    seen = []

    def fail(path):
        seen.append([entry.name for entry in tmp_path.iterdir() if entry.name.isdigit()])
        raise OSError("No space left on device")

    quick(fail)
    with pytest.raises(OSError, match="No space"):
        export_saved_model(None, tmp_path)
    assert seen == [[]] and not list(tmp_path.iterdir())


def test_of_two_exports_at_once_neither_is_lost_or_mixed(tmp_path, quick):
    barrier = threading.Barrier(2)
    quick(lambda path: barrier.wait(timeout=60))
    outcomes = {}

    def export():
        name = threading.current_thread().name
        try:
            outcomes[name] = export_saved_model(None, tmp_path)
        except (SavedModelError, OSError) as error:
            outcomes[name] = error

    threads = [threading.Thread(target=export, name=name) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [name for name, outcome in outcomes.items() if outcome == tmp_path / "1"]
    assert (tmp_path / "1" / "saved_model.pb").read_text() == winner
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


# Reading it back


def test_the_reader_is_called_as_the_network_is(exported, requests):
    model, base = exported
    images = requests["serving_default"]["images"]
    for path in (base, base / "1"):
        reader = ExportedReconstructor(path)
        np.testing.assert_allclose(reader(images), model(images), rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(reader.faces, model.faces)
        assert reader.faces.dtype == np.int32 and reader.image_size == 64


def test_the_newest_version_that_is_whole_is_read(tmp_path, quick):
    quick()
    assert saved_model_folder(tmp_path) is None and saved_model_folder(tmp_path / "none") is None
    for version in (9, 10, 2):
        export_saved_model(None, tmp_path, version=version)
    (tmp_path / "11").mkdir()
    assert saved_model_folder(tmp_path) == tmp_path / "10"
    assert saved_model_folder(tmp_path / "2") == tmp_path / "2"


def test_what_is_no_saved_model_of_a_reconstructor_is_refused(tmp_path):
    class Doubler(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def __call__(self, x):
            return {"y": 2 * x}

    tf.saved_model.save(Doubler(), str(tmp_path / "doubler"), signatures=Doubler().__call__)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "saved_model.pb").write_bytes(b"nonsense")
    for name in ("doubler", "empty", "broken", "none"):
        with pytest.raises(SavedModelError, match=f"{name}': expected a SavedModel"):
            ExportedReconstructor(tmp_path / name)


def test_a_network_with_colours_hands_them_out_and_writes_them_into_gltf(tmp_path):
    """The file that the graph writes reads as the one that `save_mesh` writes."""
    config = preset("small").model.replace(template_level=1, color="palette")
    network = MeshReconstructor(config)
    for weight in network.color_decoder.weights:
        weight.assign(tf.random.stateless_normal(weight.shape, [1, 2], stddev=2.0))
    path = export_saved_model(network, tmp_path / "colored")
    random = np.random.default_rng(0)
    images = random.random((2, 64, 64, 4)).astype(np.float32)
    exported = ExportedReconstructor(path)
    assert exported.gives == "colored meshes"
    meshes = exported.reconstruct(images)
    vertices, colors = network.colored(images)
    np.testing.assert_allclose(meshes.vertices, vertices, atol=1e-5)
    np.testing.assert_allclose(meshes.colors, colors, atol=1e-5)
    picture = np.full((64, 64, 4), 255, np.uint8)
    picture[..., :3] = np.linspace(0, 255, 64)[:, None, None] * [1.0, 0.5, 0.2]
    served = tf.saved_model.load(str(path)).signatures
    mask = file_of(np.full((64, 64), 255, np.uint8))
    arguments = {
        "image_bytes": tf.constant([file_of(picture)]),
        "mask_bytes": tf.constant([mask]),
    }
    mesh = served["encoded"](**arguments)
    content = served["glb"](**arguments)["glb_bytes"].numpy()[0]
    colors = np.clip(mesh["colors"][0], 0.0, 1.0)
    assert np.ptp(colors, axis=0).min() > 0.01  # Or nothing was compared.
    save_mesh(tmp_path / "m.glb", Mesh(mesh["vertices"][0], network.faces, vertex_colors=colors))
    (tmp_path / "served.glb").write_bytes(content)
    (mine, faces, _), (theirs, _, _) = (
        read_glb(tmp_path / name) for name in ("served.glb", "m.glb")
    )
    np.testing.assert_array_equal(mine["POSITION"], theirs["POSITION"])
    np.testing.assert_array_equal(faces, network.faces)
    # Rounded to 8 bits from values that two runs of the network gave.
    mine, theirs = (np.int32(arrays["COLOR_0"]) for arrays in (mine, theirs))
    np.testing.assert_allclose(mine, theirs, atol=1)
    assert np.ptp(mine[:, :3], axis=0).min() > 1 and (mine[:, 3] == 255).all()
