"""Makes a textured mesh of pictures from 24 sides: first the shape, then the texture on it.

python examples/fit_textured_mesh.py chair.obj fitted.glb
"""

import argparse

import numpy as np

from tf_softras import fitting, geometry
from tf_softras.rendering import render_views


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", help="mesh file to look at")
    parser.add_argument("output", help="mesh to write, .glb or .obj")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--size", type=int, default=64, help="side of the pictures, pixels")
    args = parser.parse_args()

    eyes = np.asarray(geometry.eye_from_angles(**geometry.n3mr_views()))
    target = geometry.load_mesh(args.target).normalized()
    pictures = render_views(target, eyes, image_size=args.size) / 255.0
    colors, masks = pictures[..., :3], pictures[..., 3]

    def project(vertices):
        return geometry.perspective(geometry.look_at(vertices, eyes))

    sphere = geometry.icosphere(3)
    template = geometry.Mesh(0.4 * sphere.vertices, sphere.faces)
    shape = fitting.fit_mesh(template, project, masks, steps=args.steps)
    uvs = geometry.spherical_uvs(sphere)
    fit = fitting.fit_texture(shape.mesh.vertices, sphere.faces, uvs, project, masks, colors)
    print(f"IoU {shape.silhouette_iou:.3f}, colours {fit.losses[0]:.4f} -> {fit.losses[-1]:.4f}")

    texture = np.rint(255.0 * fit.texture).astype(np.uint8)
    material = geometry.Material(texture=texture, name="fitted")
    mesh = geometry.Mesh(shape.mesh.vertices, sphere.faces, materials=(material,), uvs=uvs)
    geometry.save_mesh(args.output, mesh)


if __name__ == "__main__":
    main()
