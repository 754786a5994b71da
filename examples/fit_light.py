"""Draws a mesh under a hidden sun, and finds the sun from the pictures.

python examples/fit_light.py chair.obj
"""

import argparse

import numpy as np

from tf_softras import fitting, geometry, layers, shading


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", help="OBJ file to look at")
    parser.add_argument("--size", type=int, default=64, help="side of the pictures, pixels")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    mesh = geometry.load_mesh(args.target).normalized()
    colors = np.full_like(mesh.vertices, 0.7)
    eyes = np.asarray(geometry.eye_from_angles(2.732, 30.0, 60.0 * np.arange(6)))
    random = np.random.default_rng(args.seed)
    direction = random.normal(size=3) * [1.0, 0.5, 1.0] + [0.0, 1.0, 0.0]
    sun = shading.DirectionalLight(direction / np.linalg.norm(direction), (0.8, 0.7, 0.5))
    renderer = layers.Renderer(
        mesh.faces,
        args.size,
        lighting=layers.LambertLighting(ambient=(0.1, 0.12, 0.15), directional=[sun]),
        aggregation="hard",
        supersampling=2,
    )
    each = {"vertices": np.repeat(mesh.vertices[None], len(eyes), axis=0), "eyes": eyes}
    seen = renderer({**each, "colors": np.repeat(colors[None], len(eyes), axis=0)})

    def project(vertices):
        return geometry.perspective(geometry.look_at(vertices, eyes))

    fit = fitting.fit_light(
        mesh.vertices, mesh.faces, colors, project, seen["alpha"], seen["image"], steps=args.steps
    )
    degrees = np.degrees(np.arccos(np.clip(fit.sun.direction @ sun.direction, -1.0, 1.0)))
    print(f"sun: {degrees:.2f} deg off, colour {np.round(fit.sun.color, 2)} for {sun.color}")
    print(f"ambient light: {np.round(fit.ambient, 2)} for (0.1, 0.12, 0.15)")


if __name__ == "__main__":
    main()
