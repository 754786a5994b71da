"""Fits a sphere to pictures of a mesh from 24 sides: its shape, and a colour for each vertex.

python examples/fit_colored_mesh.py chair.obj fitted.glb
"""

import argparse

import numpy as np

from tf_softras import fitting, geometry
from tf_softras.rendering import render_views


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", help="OBJ file to look at")
    parser.add_argument("output", help="mesh to write, .obj or .glb")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--size", type=int, default=64, help="side of the pictures, pixels")
    args = parser.parse_args()

    eyes = np.asarray(geometry.eye_from_angles(**geometry.n3mr_views()))
    target = geometry.load_mesh(args.target).normalized()
    pictures = render_views(target, eyes, image_size=args.size) / 255.0

    def project(vertices):
        return geometry.perspective(geometry.look_at(vertices, eyes))

    sphere = geometry.icosphere(3)
    template = geometry.Mesh(0.4 * sphere.vertices, sphere.faces)
    fit = fitting.fit_mesh(template, project, pictures[..., 3], pictures[..., :3], steps=args.steps)
    print(f"loss {fit.losses[0]:.3f} -> {fit.losses[-1]:.3f}, IoU {fit.silhouette_iou:.3f}")
    # Mesh files keep a colour for each face.
    mesh = fit.mesh
    colored = geometry.Mesh(mesh.vertices, mesh.faces, vertex_colors=fit.vertex_colors)
    geometry.save_mesh(args.output, colored)


if __name__ == "__main__":
    main()
