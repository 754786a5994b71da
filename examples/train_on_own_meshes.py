"""Renders a folder of meshes, trains on them, and writes the mesh of a picture.

The folder is laid out as ShapeNet's: FOLDER/SYNSET/MODEL/models/model_normalized.obj.

python examples/train_on_own_meshes.py FOLDER runs/mine
"""

import argparse
import pathlib

import tensorflow_datasets as tfds

from tf_softras import geometry
from tf_softras.config import preset
from tf_softras.datasets.shapenet_views import shapenet_views_dataset_builder
from tf_softras.training import evaluate, train


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("meshes", type=pathlib.Path, help="folder in ShapeNet's layout")
    parser.add_argument("output", type=pathlib.Path, help="folder to write")
    parser.add_argument("--steps", type=int, default=preset("small").steps)
    args = parser.parse_args()

    builder = shapenet_views_dataset_builder.Builder(config="meshes", data_dir=args.output / "data")
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=args.meshes.absolute())
    )
    run = train(
        preset("small").replace(steps=args.steps),
        train_dataset=builder.as_dataset(split="train"),
        validation_dataset=builder.as_dataset(split="val"),
        run_folder=args.output / "run",
    )
    reconstructor = run.load_reconstructor()
    print(evaluate(reconstructor, builder.as_dataset(split="test")).to_markdown())

    example = next(builder.as_dataset(split="test").as_numpy_iterator())
    vertices = reconstructor(example["images"][:1] / 255.0)[0]
    mesh = geometry.Mesh(vertices=vertices, faces=reconstructor.faces)
    geometry.save_mesh(args.output / "mesh.glb", mesh)


if __name__ == "__main__":
    main()
