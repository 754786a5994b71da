"""A mesh out of a picture, by a server: `softras export RUN OUT` made its model.

python examples/serving_client.py http://127.0.0.1:8501/v1/models/chair chair.png chair.glb
"""

import base64
import pathlib
import sys

import requests


def main():
    url, picture, mesh = sys.argv[1:4]
    # A picture without an alpha channel needs a mask: white where the object is.
    files = {"image_bytes": pathlib.Path(picture).read_bytes(), "mask_bytes": b""}
    if len(sys.argv) > 4:
        files["mask_bytes"] = pathlib.Path(sys.argv[4]).read_bytes()
    inputs = {name: [{"b64": base64.b64encode(file).decode()}] for name, file in files.items()}
    body: dict = {"signature_name": "glb", "inputs": inputs}
    answer = requests.post(f"{url}:predict", json=body, timeout=30).json()
    if "error" in answer:
        sys.exit(answer["error"])
    pathlib.Path(mesh).write_bytes(base64.b64decode(answer["outputs"][0]["b64"]))


if __name__ == "__main__":
    main()
