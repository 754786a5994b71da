"""Variants of meshes: which there are, what they keep, and that a name settles each."""

import numpy as np
import pytest

from tests.datasets.builds import CODE, SMALL, build
from tf_softras.datasets.shapenet_views.mesh_folder import scan_mesh_folder
from tf_softras.datasets.shapenet_views.mesh_variants import MeshVariant, deformed, with_variants
from tf_softras.datasets.shapenet_views.object_views import Rendering
from tf_softras.geometry import Material, Mesh, icosphere

FOLDER = CODE / "dummy_data"


def colored_ball(**changes):
    ball = icosphere(2)
    colors = np.random.default_rng(0).uniform(size=(len(ball.faces), 3))
    return Mesh(0.5 * ball.vertices, ball.faces, **{"face_colors": colors, **changes})


def random(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("seed", range(12))
def test_symmetric_meshes_stay_symmetric_and_faces_keep_their_winding(seed):
    ball = colored_ball()
    variant = deformed(ball, random(seed))
    reflected = ball.vertices * np.float32([-1, 1, 1])
    distances = np.linalg.norm(ball.vertices[:, None] - reflected, axis=-1)
    mirrored = distances.argmin(axis=1)
    np.testing.assert_allclose(variant.vertices[mirrored] * [-1, 1, 1], variant.vertices, atol=1e-6)
    a, b, c = variant.vertices[variant.faces].astype(float).transpose(1, 0, 2)
    # Six times the volume: positive for faces that are counter-clockwise from outside.
    assert np.einsum("ij,ij->i", a, np.cross(b, c)).sum() > 0
    assert np.abs(variant.vertices - ball.vertices).max() > 0.02


def test_a_seed_settles_shape_and_colours_and_another_changes_them():
    one, again, other = (deformed(colored_ball(), random(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.vertices, again.vertices)
    np.testing.assert_array_equal(one.face_colors, again.face_colors)
    assert np.abs(one.vertices - other.vertices).max() > 0.01
    assert np.abs(one.face_colors - other.face_colors).max() > 0.01
    assert 0.0 <= one.face_colors.min() and one.face_colors.max() <= 1.0


def test_equal_colours_stay_equal_whatever_holds_them():
    materials = [Material(color=(0.5, 0.3, 0.2)), Material(color=(0.1, 0.9, 0.2))]
    ball = colored_ball(
        face_colors=None,
        materials=materials,
        face_materials=np.arange(320) % 2,
        vertex_colors=np.tile([0.5, 0.3, 0.2, 0.4], (162, 1)),
    )
    variant = deformed(ball, random())
    first, second = (material.color for material in variant.materials)
    assert first != pytest.approx(materials[0].color) and first != pytest.approx(second)
    np.testing.assert_allclose(variant.vertex_colors[:, :3], np.tile(first, (162, 1)), atol=1e-6)
    np.testing.assert_allclose(variant.vertex_colors[:, 3], 0.4, atol=1e-6)


def test_training_models_alone_have_variants_beside_them():
    models, _ = scan_mesh_folder(FOLDER)
    sources = with_variants(models, 2)
    training = [model for model in models if model.split == "train"]
    assert training and len(sources) == len(models) + 2 * len(training)
    variants = [source for source in sources if isinstance(source, MeshVariant)]
    assert {variant.split for variant in variants} == {"train"}
    assert {variant.name for variant in variants} == {
        f"{model.name}~{number}" for model in training for number in (1, 2)
    }
    assert with_variants(models, 0) == models


def test_a_build_has_each_variant_once_and_other_pictures_of_it(tmp_path):
    builder = build(tmp_path, FOLDER, variants=1)
    images = {
        example["model_id"].decode(): example["images"]
        for example in builder.as_dataset(split="train").as_numpy_iterator()
    }
    assert builder.info.metadata["variants"] == 1
    names = [name for name in images if "~" not in name]
    assert set(images) == {*names, *(f"{name}~1" for name in names)}
    for name in names:
        assert (images[name] != images[f"{name}~1"]).any()
    assert not any(
        b"~" in example["model_id"]
        for example in builder.as_dataset(split="val").as_numpy_iterator()
    )
    with pytest.raises(ValueError, match="variants: expected at least 0; received -1"):
        build(tmp_path / "none", FOLDER, config=SMALL, variants=-1)


def test_random_cameras_are_settled_by_the_objects_name_and_stay_in_their_ranges():
    rendering = Rendering(random_cameras=True, num_views=500)
    cameras, again, other = (rendering.cameras(name) for name in ("a/b", "a/b", "a/c"))
    for name, (low, high) in {
        "elevation": (-10, 60), "distance": (2.3, 3.5), "azimuth": (0, 360),
    }.items():  # fmt: skip
        values = cameras[name]
        assert values.dtype == np.float32 and low <= values.min() and values.max() <= high
        # 500 uniform draws leave 5 % at either end free with probability 1e-11.
        assert values.min() < low + 0.05 * (high - low) < high - 0.05 * (high - low) < values.max()
        np.testing.assert_array_equal(values, again[name])
        assert (values != other[name]).any()
