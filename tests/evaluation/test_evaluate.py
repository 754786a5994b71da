"""3D IoU over a data set: on reconstructions whose IoU is known."""

import json

import numpy as np
import pytest

from tests.shapes import LABELS, NUM_VIEWS, RADII, ellipsoid, tiny_config
from tf_softras.evaluation._evaluate import solid_voxels
from tf_softras.geometry import Mesh, icosphere, voxelize
from tf_softras.models import MeshReconstructor
from tf_softras.training import Evaluation, TemplateBaseline, comparison_table, evaluate

FACES = icosphere(2).faces


class _Reconstructor:
    """Gives, batch by batch, meshes that were made beforehand."""

    faces = FACES

    def __init__(self, meshes):
        self.vertices = np.stack([mesh.vertices for mesh in meshes])
        self.shown = 0

    def __call__(self, images):
        first = self.shown
        self.shown += len(images)
        return self.vertices[first : self.shown]


def _iou(first, second):
    return (first & second).sum() / (first | second).sum()


def _voxels(mesh):
    return voxelize(mesh.vertices, mesh.faces, resolution=16)


def test_true_meshes_have_an_iou_of_one_whatever_the_batches(dataset):
    truth = [ellipsoid(radii) for radii in RADII for _ in range(NUM_VIEWS)]
    for batch_size in (1, 3, 8):
        result = evaluate(_Reconstructor(truth), dataset, batch_size=batch_size, progress=False)
        assert result.per_class["lamp"] == result.per_class["table"] == result.mean == 1.0


def test_mean_is_over_views_and_objects_of_a_class_then_over_classes(dataset):
    small = ellipsoid((0.25, 0.25, 0.25))
    # Every second view of every object is wrong.
    meshes = [
        small if view % 2 else ellipsoid(radii) for radii in RADII for view in range(NUM_VIEWS)
    ]
    result = evaluate(_Reconstructor(meshes), dataset, progress=False)
    of_object = [(1 + _iou(_voxels(small), _voxels(ellipsoid(radii)))) / 2 for radii in RADII]
    lamp = (of_object[1] + of_object[2]) / 2
    expected = {"table": of_object[0], "lamp": lamp, "sofa": of_object[3]}
    for name, iou in expected.items():
        # float32 sums of six values.
        assert result.per_class[name] == pytest.approx(iou, rel=1e-6)
    assert result.mean == pytest.approx(np.mean(list(expected.values())), rel=1e-6)
    assert result.per_class["airplane"] is None
    assert sum(result.objects.values()) == len(LABELS) and result.objects["lamp"] == 2
    assert result.views == NUM_VIEWS


def test_network_and_its_template_agree_before_training(dataset):
    """The untrained network gives the template to within 1e-3, far less than a cell of 1/16."""
    reconstructor = MeshReconstructor(tiny_config().model)
    untrained = evaluate(reconstructor, dataset, progress=False)
    template = evaluate(TemplateBaseline(reconstructor.template), dataset, progress=False)
    assert 0.1 < template.mean < 0.6
    # A vertex at a cell's side may fall to the other.
    assert untrained.mean == pytest.approx(template.mean, abs=0.05)


def test_table_has_the_classes_in_the_papers_order_and_a_column_for_each(dataset):
    names = ("airplane", "bench", "cabinet", "car")
    first = Evaluation({"airplane": 0.5, "bench": None, "cabinet": 0.25, "car": None},
                       dict(zip(names, (3, 0, 1, 0), strict=True)), views=24)  # fmt: skip
    second = Evaluation({"airplane": 0.75, "bench": None, "cabinet": 0.75, "car": None},
                        first.objects, views=24)  # fmt: skip
    assert comparison_table({"before": first, "after": second}) == (
        "| class | objects | before | after |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| airplane | 3 | 0.5000 | 0.7500 |\n"
        "| cabinet | 1 | 0.2500 | 0.7500 |\n"
        "| **mean over classes** | 4 | **0.3750** | **0.7500** |\n"
    )
    assert first.to_markdown().startswith("| class | objects | IoU |\n")


def test_json_holds_every_class_and_the_mean(tmp_path):
    result = Evaluation({"airplane": 0.5, "bench": None}, {"airplane": 1, "bench": 0}, views=24)
    result.save(tmp_path / "evaluation.json")
    assert json.loads((tmp_path / "evaluation.json").read_text()) == {
        "mean": 0.5,
        "per_class": {"airplane": 0.5, "bench": None},
        "objects": {"airplane": 1, "bench": 0},
        "views": 24,
        "per_object": {},
    }


def test_mesh_inside_the_grid_is_voxelised_by_the_rule_itself():
    mesh = ellipsoid((0.5, 0.3, 0.2))
    np.testing.assert_array_equal(
        solid_voxels(mesh.vertices, mesh.faces, resolution=16), _voxels(mesh)
    )


@pytest.mark.parametrize("reach", [0.55, 0.6, 3.0, 40.0])
def test_mesh_that_reaches_beyond_the_grid_stays_solid(reach):
    """Along x the box fills the grid; along y and z it fills cells 3.5 to 12.5: 4 to 12 and 3."""
    corners = np.array(
        [[x, y, z] for x in (-reach, reach) for y in (-0.3, 0.3) for z in (-0.3, 0.3)], np.float32
    )
    faces = [
        [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
        [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
    ]  # fmt: skip
    box = Mesh(vertices=corners, faces=faces)
    voxels = solid_voxels(box.vertices, box.faces, resolution=16)
    expected = np.zeros((16, 16, 16), bool)
    expected[:, 3:13, 3:13] = True
    np.testing.assert_array_equal(voxels, expected)
    # The plain rule makes the box open and hollow.
    assert _voxels(box).sum() < expected.sum() / 2
