"""Finds how a coloured box is turned, from one picture, and counts how often a random start does.

python examples/fit_pose.py --pictures 5 --starts 20
"""

import argparse

import numpy as np

from tf_softras import fitting, geometry, layers


def colored_box():
    """Vertices, faces and colours of a box; a corner's colour says which one it is."""
    sphere = geometry.icosphere(2)
    cube = sphere.vertices / np.abs(sphere.vertices).max(axis=1, keepdims=True)
    return 0.35 * cube * np.array([1.0, 0.8, 0.6], np.float32), sphere.faces, 0.5 + 0.5 * cube


def project(vertices):
    return geometry.perspective(geometry.look_at(vertices, [0.0, 0.0, 3.0]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=5, help="each of a random rotation")
    parser.add_argument("--starts", type=int, default=20, help="random starts for each picture")
    parser.add_argument("--candidates", type=int, default=64, help="rotations tried for a start")
    parser.add_argument("--size", type=int, default=32, help="side of the pictures, pixels")
    parser.add_argument("--steps", type=int, default=150)
    args = parser.parse_args()

    vertices, faces, colors = colored_box()
    camera = layers.LookAt(eye=(0.0, 0.0, 3.0))
    renderer = layers.Renderer(
        faces, args.size, camera=camera, lighting=None, aggregation="hard", supersampling=4
    )
    random, degrees_off, is_lowest = np.random.default_rng(0), [], []
    for number in range(args.pictures):
        quaternion = random.normal(size=4)
        truth = np.asarray(geometry.rotation_from_quaternion(quaternion), np.float32)
        seen = renderer({"vertices": (vertices @ truth.T)[None], "colors": colors[None]})
        problem = vertices, faces, colors, project, seen["alpha"][0], seen["image"][0]
        options = {"candidates": args.candidates, "steps": args.steps, "seed": number}
        fit = fitting.fit_pose(*problem, starts=args.starts, **options)
        # A pose that a picture of so few pixels cannot tell from the truth counts as found.
        lowest = fitting.fit_pose(*problem, starts=quaternion[None], steps=args.steps).losses[-1]
        is_lowest.append(fit.losses[-1] < 1.05 * lowest)
        cosines = (np.einsum("sij,ij->s", fit.rotations, truth) - 1.0) / 2.0
        degrees = np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0)))
        degrees_off.append(degrees)
        print(f"picture {number}: the start of the lowest loss is {degrees[fit.best]:.1f} deg off")
    errors = np.concatenate(degrees_off)
    share = 100.0 * np.mean(errors < 5.0)
    print(f"{len(errors)} starts: {share:.0f} % within 5 deg, median {np.median(errors):.1f} deg")
    print(f"{100 * np.mean(is_lowest):.0f} % end at the loss of a start from the true pose")


if __name__ == "__main__":
    main()
