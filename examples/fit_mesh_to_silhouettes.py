"""Fits a sphere to the silhouettes of a mesh from 24 sides, by gradients alone.

python examples/fit_mesh_to_silhouettes.py chair.obj fitted.obj --film fit.gif
"""

import argparse

import keras
import tensorflow as tf

from tf_softras import geometry, losses, ops, rendering, viewer


def silhouettes(vertices, faces, eyes):
    seen = geometry.perspective(geometry.look_at(vertices, eyes))
    return ops.soft_rasterize(seen, faces, image_size=64, sigma=3e-5)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", help="OBJ file to look at")
    parser.add_argument("output", help="mesh to write, .obj or .glb")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--film", help="time-lapse to write, .gif or .mp4")
    args = parser.parse_args()

    target = geometry.load_mesh(args.target).normalized()
    eyes = geometry.eye_from_angles(**geometry.n3mr_views())
    truth = silhouettes(target.vertices, target.faces, eyes)
    sphere = geometry.icosphere(3)
    vertices = tf.Variable(0.3 * sphere.vertices)
    laplacian, flattening = losses.LaplacianLoss(sphere.faces), losses.FlatteningLoss(sphere.faces)
    optimizer = keras.optimizers.Adam(0.01)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            seen = silhouettes(vertices, sphere.faces, eyes)
            iou_loss = tf.reduce_mean(losses.silhouette_iou_loss(truth, seen))
            smooth = 0.01 * laplacian(None, vertices[None]) + 1e-4 * flattening(
                None, vertices[None]
            )
            loss = iou_loss + smooth
        optimizer.apply([tape.gradient(loss, vertices)], [vertices])
        return 1.0 - iou_loss

    states = []
    for number in range(args.steps):
        iou = step()
        if number % 10 == 0 or number == args.steps - 1:
            states.append(geometry.Mesh(vertices.numpy(), sphere.faces))
            print(f"step {number}: silhouette IoU {iou:.3f}")
    geometry.save_mesh(args.output, states[-1])
    if args.film:
        views = [rendering.render_views(mesh, eyes[2:3], background=[1] * 3) for mesh in states]
        viewer.write_film(args.film, [view[0, ..., :3] for view in views])


if __name__ == "__main__":
    main()
