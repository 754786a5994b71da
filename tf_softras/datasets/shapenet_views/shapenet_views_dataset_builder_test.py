"""Runs the tests that tfds has for data sets, for both configs."""

import pytest
import tensorflow_datasets as tfds

from tf_softras.datasets.shapenet_views import shapenet_views_dataset_builder

pytest.importorskip("dill", reason="tfds.testing imports it, and tfds does not ask for it")


class ShapenetViewsMeshesTest(tfds.testing.DatasetBuilderTestCase):
    """The folder dummy_data, two of whose six meshes cannot be used."""

    DATASET_CLASS = shapenet_views_dataset_builder.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["meshes"]
    SPLITS = {"train": 2, "val": 1, "test": 1}


class ShapenetViewsSampleTest(tfds.testing.DatasetBuilderTestCase):
    """The meshes that come with the package."""

    DATASET_CLASS = shapenet_views_dataset_builder.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["sample"]
    SPLITS = {"train": 23, "val": 5, "test": 6}


if __name__ == "__main__":
    tfds.testing.test_main()
