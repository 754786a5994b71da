"""Times PyTorch3D's soft silhouettes on the CPU beside this package's.

PyTorch3D has to be installed. It keeps the nearest K faces of each pixel, and this package counts
all that reach it. So the table has the difference of the images, too; K has to grow until it is
small.

    python tools/compare_pytorch3d.py [--rows abc] [--faces-per-pixel 30] [--repeats 3]
"""

import argparse
import math
import sys

import numpy as np

try:
    import torch
    from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes
    from pytorch3d.structures import Meshes
except ModuleNotFoundError as error:
    sys.exit(f"torch and pytorch3d: expected both packages; received no {error.name}.")

from benchmark_scenes import ROWS, scene, seconds, silhouettes, use_one_thread


def pytorch3d_calls(row, faces_per_pixel):
    """Returns a call that renders and differentiates a batch, and one that returns the images."""
    vertices, faces, _ = scene(row)
    # PyTorch3D's x points left.
    vertices = torch.tensor(vertices * np.float32([-1, 1, 1]), requires_grad=True)
    faces = torch.tensor(faces.astype(np.int64))[None].expand(row.batch, -1, -1)

    def render():
        pix_to_face, _, _, distances = rasterize_meshes(
            Meshes(verts=vertices, faces=faces),
            image_size=row.side,
            # PyTorch3D's cut-off, as in its tutorials; squared image-plane units.
            blur_radius=math.log(1.0 / 1e-4 - 1.0) * row.sigma,
            faces_per_pixel=faces_per_pixel,
            perspective_correct=False,
        )
        coverage = torch.sigmoid(-distances / row.sigma) * (pix_to_face >= 0)
        return 1.0 - torch.prod(1.0 - coverage, dim=-1)

    def run():
        vertices.grad = None
        render().sum().backward()

    return run, lambda: render().detach().numpy()


def main():
    """Prints a table: ms an image, forward and backward."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="abc")
    parser.add_argument("--faces-per-pixel", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    use_one_thread()
    torch.set_num_threads(1)
    print("| row | this package, ms an image | PyTorch3D, ms | times | images differ by |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name in arguments.rows:
        row = ROWS[name]
        run, image = silhouettes(row)
        their_run, their_image = pytorch3d_calls(row, arguments.faces_per_pixel)
        difference = np.abs(image() - their_image()).max()
        times = [1e3 * seconds(call, arguments.repeats) / row.batch for call in (run, their_run)]
        print(
            f"| {name} | {times[0]:.3f} | {times[1]:.3f} | {times[1] / times[0]:.0f} "
            f"| {difference:.1e} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
