"""A functional Keras model, picture to mesh to silhouette, that learns from balls of all sizes.

python examples/functional_model.py
"""

import argparse

import keras
import numpy as np

from tf_softras import geometry, layers, losses, metrics, models


def balls(count):
    """Pictures [count, 64, 64, 4] of balls, eyes [count, 3] and silhouettes [count, 64, 64]."""
    random = np.random.default_rng(0)
    sphere = geometry.icosphere(3)
    vertices = random.uniform(0.15, 0.45, (count, 1, 3)) * sphere.vertices
    azimuths = random.uniform(0.0, 360.0, count)
    eyes = geometry.eye_from_angles(distance=2.732, elevation=30.0, azimuth=azimuths)
    seen = layers.Perspective()(layers.LookAt()([vertices, eyes]))
    silhouettes = layers.SoftRasterize(sphere.faces, 64, sigma=1e-5)(seen).numpy()
    return np.repeat(silhouettes[..., None], 4, axis=-1), eyes.numpy(), silhouettes


def build():
    """The model: (picture, eye) to the silhouette of the reconstruction, seen from that eye."""
    reconstructor = models.MeshReconstructor("small")
    images, eyes = keras.Input((64, 64, 4), name="images"), keras.Input((3,), name="eyes")
    vertices = reconstructor(images)
    vertices = models.MeshRegularization(
        reconstructor.faces, laplacian_weight=0.01, flattening_weight=0.001
    )(vertices)
    seen = layers.Perspective()(layers.LookAt()([vertices, eyes]))
    silhouettes = layers.SoftRasterize(reconstructor.faces, image_size=64, sigma=1e-4)(seen)
    return keras.Model([images, eyes], silhouettes)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=512, help="balls")
    parser.add_argument("--epochs", type=int, default=5)
    args = parser.parse_args()

    images, eyes, silhouettes = balls(args.count)
    model = build()
    model.compile(
        optimizer=keras.optimizers.Adam(3e-4),
        loss=losses.SilhouetteIoULoss(),
        metrics=[metrics.SilhouetteIoU()],
    )
    model.fit([images, eyes], silhouettes, batch_size=16, epochs=args.epochs)


if __name__ == "__main__":
    main()
