"""Fits to each object's own silhouettes: near the truth, counted by class and by object."""

import dataclasses

import numpy as np

from tests.shapes import RENDERING, ellipsoids
from tf_softras.evaluation import evaluate_fit


def test_ellipsoids_are_found_and_counted():
    rendering = dataclasses.replace(RENDERING, image_size=32, elevations=(-30.0, 30.0))
    evaluation = evaluate_fit(ellipsoids(rendering).skip(2), progress=False, steps=10)
    assert evaluation.views == 6
    assert evaluation.objects["lamp"] == 1 and evaluation.objects["sofa"] == 1
    assert sorted(evaluation.per_object) == ["lamp/ellipsoid 2", "sofa/ellipsoid 3"]
    assert min(evaluation.per_object.values()) > 0.75
    np.testing.assert_allclose(
        evaluation.per_class["sofa"], evaluation.per_object["sofa/ellipsoid 3"], atol=1e-6
    )
