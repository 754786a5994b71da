"""Draws docs/images/photographs.png from photographs in Debian's packages and in scikit-image.

    apt-get download opencv-doc tuxpaint-stamps-default
    for package in *.deb; do dpkg-deb -x $package packages; done
    python tools/draw_photographs.py packages

The network that comes with tf_softras reconstructs each. Tux Paint's stamps are photographs that
are cut out; from the others a box cuts the object out (GrabCut), as users do it. docs/gallery.md
names their authors and licences. Three renders follow: objects of the embedded sample (CC0) that
the network was not trained on, on a floor and before a wall photographed for scikit-image (CC0).
"""

import argparse
import io
import pathlib
import tempfile

import numpy as np
import PIL.Image
import PIL.ImageDraw
import scipy.ndimage
import skimage.data

from tf_softras.datasets.shapenet_views.embedded_sample import unpack_sample
from tf_softras.geometry import Material, Mesh, eye_from_angles, load_mesh
from tf_softras.pictures import frame_object, read_picture, write_picture
from tf_softras.reconstruction import mesh_from_picture, open_reconstructor
from tf_softras.rendering import render_views

PICTURE = pathlib.Path(__file__).resolve().parents[1] / "docs/images/photographs.png"
CELL, GAP, LABEL = 128, 6, 16
WHITE = (1.0, 1.0, 1.0)
STAMPS = "usr/share/tuxpaint/stamps"
# Name, file, and the box around the object, or None if the picture is cut out.
PHOTOGRAPHS = (
    ("fighter", f"{STAMPS}/military/vehicles/f22_raptor.png", None),
    ("fire engine", f"{STAMPS}/vehicles/emergency/firetruck.png", None),
    ("Buran", "usr/share/doc/opencv-doc/opencv4/html/space_shuttle.jpg", (8, 24, 318, 206)),
)
# The embedded sample's split `test`.
SAMPLES = {
    "chair (render)": "03001627/988dadbac4c0601d4bea22f1d04f4079",
    "sofa (render)": "04256520/09bd53567c9fdc63fadd45a990a1d57a",
    "table (render)": "04379243/43aa40d84d1b127fa0850b1ca77f0bae",
}
AZIMUTH, ELEVATION = 30.0, 22.0
WALL_COLOR, FLOOR_COLOR = (0.95, 0.82, 0.72), (0.72, 0.76, 0.8)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packages", type=pathlib.Path, help="folder of the unpacked packages")
    parser.add_argument("path", nargs="?", type=pathlib.Path, default=PICTURE)
    arguments = parser.parse_args()
    network = open_reconstructor()
    pictures = [*photographs(arguments.packages), *renders()]
    write_picture(arguments.path, sheet([row_of(network, *picture) for picture in pictures]))


def photographs(packages):
    """Returns (name, uint8 [height, width, 3 or 4], box or None) of each photograph."""
    files = [
        (name, np.asarray(PIL.Image.open(packages / path)), box) for name, path, box in PHOTOGRAPHS
    ]
    return [
        *files,
        ("rocket", skimage.data.rocket(), (285, 60, 360, 400)),
        ("coffee cup", skimage.data.coffee(), (165, 5, 440, 330)),
    ]


def renders():
    """Returns (name, uint8 [height, width, 3], box) of each render."""
    drawn = []
    with tempfile.TemporaryDirectory() as folder:
        unpack_sample(folder)
        for name, path in SAMPLES.items():
            mesh = load_mesh(pathlib.Path(folder, path, "models/model_normalized.obj"))
            drawn.append((name, *scene(mesh.normalized())))
    return drawn


def scene(mesh):
    """Returns a picture of a mesh that stands on a floor before a wall, and a box around it."""
    size = (360, 480)
    eye = np.asarray(eye_from_angles(3.2, ELEVATION, [AZIMUTH]))
    floor = float(mesh.vertices[:, 1].min())
    room = render_views(room_of(floor, eye[0]), eye, image_size=size)[0][..., :3]
    seen = render_views(mesh, eye, image_size=size)[0]
    # The shadow is the mesh flattened on the floor, away from a light above on the left.
    height = mesh.vertices[:, 1:2] - floor
    flat = mesh.vertices - height * np.float32([0.45, 1.0, -0.25]) + np.float32([0, 0.002, 0])
    shadow = render_views(Mesh(flat, mesh.faces), eye, image_size=size)[0][..., 3] / 255.0
    room = room * (1.0 - 0.5 * scipy.ndimage.gaussian_filter(shadow, 5.0))[..., None]
    alpha = seen[..., 3:] / 255.0
    noise = np.random.default_rng(0).normal(scale=4.0, size=(*size, 3))
    picture = np.clip(alpha * seen[..., :3] + (1.0 - alpha) * room + noise, 0, 255)
    rows, columns = np.nonzero(seen[..., 3])
    margin = 12
    box = (columns.min() - margin, rows.min() - margin, columns.max() + margin, rows.max() + margin)
    return picture.astype(np.uint8), tuple(int(side) for side in np.clip(box, 1, 479))


def room_of(floor, eye):
    """Returns a floor, and a wall behind the origin that faces the eye, with textures."""
    away = -eye * [1.0, 0.0, 1.0] / np.hypot(eye[0], eye[2])
    side = np.array([-away[2], 0.0, away[0]])
    down, up = np.array([0.0, floor, 0.0]), np.array([0.0, floor + 4.0, 0.0])
    far, near = 1.6 * away, -3.0 * away
    corners = [
        *(down + end + width * side for end in (near, far) for width in (-4.0, 4.0)),
        *(base + far + width * side for base in (down, up) for width in (-4.0, 4.0)),
    ]
    faces = [[0, 1, 3], [0, 3, 2], [4, 5, 7], [4, 7, 6]]
    grid = np.float32([[0, 0], [4, 0], [0, 4], [4, 4]])
    uvs = grid[np.array(faces) % 4]
    materials = [
        Material(texture=light(texture), color=color)
        for texture, color in (
            (skimage.data.gravel(), FLOOR_COLOR),
            (np.rot90(skimage.data.brick()), WALL_COLOR),
        )
    ]
    return Mesh(corners, faces, materials=materials, face_materials=[0, 0, 1, 1], uvs=uvs)


def light(texture):
    """Returns a grey picture as a brightened texture, uint8 [height, width, 3]."""
    return np.repeat(np.clip(1.8 * texture[..., None], 0, 255).astype(np.uint8), 3, -1)


def row_of(network, name, pixels, box):
    """Returns the cells of a row: (label, picture)."""
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, format="PNG")
    cut_out = read_picture(file.getvalue(), box=box)
    mesh, _ = mesh_from_picture(network, cut_out)
    eyes = np.asarray(eye_from_angles(2.732, 30.0, [AZIMUTH, AZIMUTH + 90.0]))
    shown = render_views(mesh, eyes, image_size=CELL, background=WHITE)
    return [
        (name, shown_with_box(pixels, box)),
        ("cut out", on_white(frame_object(cut_out, image_size=CELL))),
        ("mesh", shown[0][..., :3]),
        ("from its side", shown[1][..., :3]),
    ]


def shown_with_box(pixels, box):
    """Returns a picture at the size of a cell, with its box."""
    if pixels.shape[-1] == 4:
        pixels = on_white(pixels.astype(np.float64))
    scale = min(CELL / pixels.shape[0], 1.5 * CELL / pixels.shape[1])
    size = (round(scale * pixels.shape[1]), round(scale * pixels.shape[0]))
    picture = PIL.Image.fromarray(pixels).resize(size, PIL.Image.Resampling.LANCZOS)
    if box is not None:
        draw = PIL.ImageDraw.Draw(picture)
        draw.rectangle([scale * side for side in box], outline=(255, 255, 255), width=2)
    return np.asarray(picture)


def on_white(picture):
    alpha = picture[..., 3:] / 255.0
    return np.rint(alpha * picture[..., :3] + 255.0 * (1.0 - alpha)).astype(np.uint8)


def sheet(rows):
    """Returns uint8 [height, width, 3]: the rows one below another, columns aligned."""
    widths = [max(cells[i][1].shape[1] for cells in rows) for i in range(len(rows[0]))]
    size = (sum(widths) + GAP * (len(widths) + 1), len(rows) * (CELL + LABEL + GAP) + GAP)
    page = PIL.Image.new("RGB", size, "white")
    draw = PIL.ImageDraw.Draw(page)
    for row, cells in enumerate(rows):
        top, left = GAP + row * (CELL + LABEL + GAP), GAP
        for (label, pixels), width in zip(cells, widths, strict=True):
            draw.text((left, top), label, fill="black")
            page.paste(PIL.Image.fromarray(pixels), (left, top + LABEL))
            left += width + GAP
    return np.asarray(page)


if __name__ == "__main__":
    main()
