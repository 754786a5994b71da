"""Networks whose decoder smooths by a constant matrix are exported without a custom op."""

import numpy as np
import tensorflow as tf

from tests.export.networks import SLIM
from tf_softras.export import export_saved_model
from tf_softras.models import MeshReconstructor
from tf_softras.reconstruction import open_reconstructor


def test_preconditioned_symmetric_network_is_exported_and_gives_the_same_meshes(tmp_path):
    config = SLIM.replace(deformation="preconditioned", symmetric=True, template_level=2)
    model = MeshReconstructor(config)
    output = model.decoder.get_layer("vertices")
    random = np.random.default_rng(0)
    output.kernel.assign(random.normal(size=output.kernel.shape))
    export_saved_model(model, tmp_path / "saved")
    images = random.random((2, 64, 64, 4)).astype("float32")
    meshes = open_reconstructor(tmp_path / "saved").reconstruct(images)
    expected = model(images).numpy()
    np.testing.assert_allclose(meshes.vertices, expected, atol=1e-5)
    assert np.abs(expected[0] - expected[1]).max() > 1e-3
    loaded = tf.saved_model.load(str(next((tmp_path / "saved").iterdir())))
    graph = loaded.signatures["serving_default"].graph
    names = {operation.type for operation in graph.get_operations()}
    for function in graph.as_graph_def().library.function:
        names |= {node.op for node in function.node_def}
    assert "MatMul" in names
    assert not {name for name in names if name.startswith("Softras>")}
