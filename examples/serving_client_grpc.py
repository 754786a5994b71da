"""Meshes out of a batch of pictures, by a server over gRPC, without TensorFlow Serving's package.

python examples/serving_client_grpc.py grpc://127.0.0.1:8500/chair chair.png table.png
"""

import pathlib
import sys

import numpy as np

from tf_softras.geometry import Mesh, save_mesh
from tf_softras.serving import PredictError, connect


def main():
    url, *pictures = sys.argv[1:]
    files = [pathlib.Path(picture).read_bytes() for picture in pictures]
    inputs = {
        "image_bytes": np.array(files, object),
        "mask_bytes": np.array([b""] * len(files), object),
    }
    with connect(url) as client:
        try:
            meshes = client.predict(inputs, "encoded")
        except PredictError as error:
            sys.exit(str(error))
    for picture, vertices, faces in zip(pictures, meshes["vertices"], meshes["faces"], strict=True):
        save_mesh(pathlib.Path(picture).with_suffix(".obj"), Mesh(vertices, faces))


if __name__ == "__main__":
    main()
