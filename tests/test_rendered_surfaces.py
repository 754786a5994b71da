"""Pictures of textured, coloured and clear surfaces, against rays that are followed one by one."""

import itertools

import numpy as np
import pytest

from tf_softras.geometry import Material, Mesh, eye_from_angles
from tf_softras.rendering import fitting_distance, render_views

# A square that looks at a camera on +x; seen from there +y is up and -z to the right.
SQUARE = np.float32([[0, -0.5, 0.5], [0, -0.5, -0.5], [0, 0.5, -0.5], [0, 0.5, 0.5]])
FACES = [[0, 1, 2], [0, 2, 3]]
UVS = np.float32([[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]]])
# 100 away and half an angle of view at which the square fills the picture.
FAR = {"eyes": [[100.0, 0, 0]], "viewing_angle": float(np.degrees(np.arctan(0.5 / 100)))}
# Ambient and camera light; none comes from above.
LIGHT = 0.8


def linear(srgb):
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def srgb(light):
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def noise(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_a_texture_lies_as_its_coordinates_say():
    texture = noise((8, 8, 3))
    mesh = Mesh(SQUARE, FACES, materials=[Material(texture=texture)], uvs=UVS)
    (picture,) = render_views(mesh, image_size=8, supersampling=1, **FAR)
    # Each pixel's centre is a texel's: row 0 of the texture is the top, column 0 the left.
    np.testing.assert_allclose(picture[..., :3], LIGHT * texture, atol=1.5)
    assert (picture[..., 3] == 255).all()


@pytest.mark.parametrize("supersampling", [1, 4])
def test_fine_textures_are_averaged_as_light(supersampling):
    # Black and white texels, 8 for each pixel; half of the light is 188 of 255 on a screen.
    texture = np.zeros((64, 64, 3), np.uint8)
    texture[(np.indices((64, 64)).sum(axis=0) % 2).astype(bool)] = 255
    mesh = Mesh(SQUARE, FACES, materials=[Material(texture=texture)], uvs=UVS)
    (picture,) = render_views(mesh, image_size=8, supersampling=supersampling, **FAR)
    np.testing.assert_allclose(picture[..., :3], LIGHT * 255 * srgb(0.5), atol=2)


def test_material_texture_and_vertex_colours_multiply_as_light():
    texture = np.full((2, 2, 3), 128, np.uint8)
    material = Material(color=(0.5, 1, 1), texture=texture)
    colors = [[1, 0.5, 1]] * 4
    mesh = Mesh(SQUARE, FACES, vertex_colors=colors, materials=[material], uvs=UVS)
    (picture,) = render_views(mesh, image_size=4, **FAR)
    texel = linear(np.array(128 / 255))
    expected = srgb(texel * np.array([linear(np.array(0.5)), linear(np.array(0.5)), 1]))
    np.testing.assert_allclose(
        picture[..., :3] / 255, np.full((4, 4, 3), LIGHT * expected), atol=4e-3
    )


def test_colours_of_vertices_are_interpolated_as_they_are_stored():
    colors = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    (picture,) = render_views(Mesh(SQUARE, FACES, vertex_colors=colors), image_size=8, **FAR)
    steps = (np.arange(8) + 0.5) / 8
    np.testing.assert_allclose(picture[..., 0], np.tile(255 * LIGHT * steps, (8, 1)), atol=1.5)
    np.testing.assert_allclose(
        picture[..., 1].T, np.tile(255 * LIGHT * steps[::-1], (8, 1)), atol=1.5
    )


def scene(seed=0, num_faces=12):
    """Triangles across one another, textured, some of them clear."""
    generator = np.random.default_rng(seed)
    corners = generator.uniform(-0.5, 0.5, (num_faces, 3, 3))
    materials = [
        Material(texture=noise((5, 7, 3), 1), opacity=0.6),
        Material(texture=noise((6, 4, 4), 2), wrap="clamp"),
        Material(color=(0.9, 0.4, 0.1)),
        Material(texture=noise((3, 3, 4), 3), alpha_cutoff=0.5),
    ]
    return Mesh(
        corners.reshape(-1, 3),
        np.arange(3 * num_faces).reshape(-1, 3),
        face_colors=generator.uniform(0.2, 1, (num_faces, 4)),
        materials=materials,
        face_materials=np.arange(num_faces) % 4,
        uvs=generator.uniform(-0.02, 0.02, (num_faces, 3, 2)) + [0.4, 0.6],
    )


def bilinear(texture, u, v, wrap):
    height, width, _ = texture.shape
    x, y = u * width - 0.5, (1 - v) * height - 0.5
    total = 0
    for row, column in itertools.product((0, 1), (0, 1)):
        r, c = int(np.floor(y)) + row, int(np.floor(x)) + column
        share = (1 - abs(y - r)) * (1 - abs(x - c))
        if wrap == "repeat":
            r, c = r % height, c % width
        r, c = min(max(r, 0), height - 1), min(max(c, 0), width - 1)
        texel = texture[r, c].astype(np.float64) / 255
        texel = np.append(texel, 1.0)[:4]
        total = total + share * np.append(linear(texel[:3]), texel[3])
    return total


def ray(mesh, origin, direction):
    """All that a ray meets, the nearest first: (depth, light times colour, opacity)."""
    met = []
    for face, (a, b, c) in enumerate(mesh.vertices[mesh.faces].astype(np.float64)):
        try:
            depth, v, w = np.linalg.solve(np.stack([-direction, b - a, c - a], 1), origin - a)
        except np.linalg.LinAlgError:
            continue
        if depth <= 0 or min(v, w, 1 - v - w) < 0:
            continue
        material = mesh.materials[mesh.face_materials[face]]
        tint = linear(np.array(material.color)) * linear(mesh.face_colors[face, :3].astype(float))
        alpha = material.opacity * mesh.face_colors[face, 3]
        if material.texture is not None:
            u = np.array([1 - v - w, v, w]) @ mesh.uvs[face]
            texel = bilinear(material.texture, *u, material.wrap)
            tint, alpha = tint * texel[:3], alpha * texel[3]
        if material.alpha_cutoff is not None:
            alpha = float(alpha >= material.alpha_cutoff)
        normal = np.cross(b - a, c - a)
        normal /= np.linalg.norm(normal)
        to_eye = origin - (a + b + c) / 3
        facing = normal @ to_eye / np.linalg.norm(to_eye)
        light = 0.45 + 0.35 * abs(facing) + 0.2 * max(0, normal[1] * (1 if facing >= 0 else -1))
        met.append((depth, light * srgb(tint), alpha))
    return sorted(met, key=lambda one: one[0])


@pytest.mark.parametrize("seed", [0, 1])
def test_textured_and_clear_faces_are_what_rays_meet_in_any_order(seed):
    mesh, size = scene(seed), 14
    eye = np.asarray(eye_from_angles(2.0, 20.0, [40.0]))[0].astype(np.float64)
    (picture,) = render_views(mesh, [eye], image_size=size, supersampling=1)
    forward = -eye / np.linalg.norm(eye)
    right = np.cross(forward, [0, 1, 0])
    right /= np.linalg.norm(right)
    slope = np.tan(np.radians(15)) / size
    expected = np.zeros((size, size, 4))
    for row, column in np.ndindex(size, size):
        x, y = (2 * column + 1 - size) * slope, (size - 1 - 2 * row) * slope
        through, color = 1.0, np.zeros(3)
        for _, own, alpha in ray(mesh, eye, forward + x * right + y * np.cross(right, forward)):
            color += through * alpha * own
            through *= 1 - alpha
        if through < 1:
            expected[row, column] = [*color / (1 - through), 1 - through]
    assert ((expected[..., 3] > 0.01) & (expected[..., 3] < 0.99)).sum() > 20
    difference = np.abs(picture / 255.0 - expected).max(axis=-1)
    # A pixel or two lie on an edge or on the border of a hole.
    assert (difference > 0.02).sum() <= 3


def test_the_order_of_clear_faces_does_not_matter():
    mesh = scene(3)
    order = np.random.default_rng(0).permutation(len(mesh.faces))
    other = Mesh(
        mesh.vertices,
        mesh.faces[order],
        mesh.face_colors[order],
        materials=mesh.materials,
        face_materials=mesh.face_materials[order],
        uvs=mesh.uvs[order],
    )
    pictures = [render_views(one, [[2.0, 0.5, 0.3]], image_size=32) for one in (mesh, other)]
    np.testing.assert_array_equal(*pictures)


def test_glass_shows_what_is_behind_it_and_states_its_alpha():
    glass = Mesh(SQUARE + [0.2, 0, 0], FACES, materials=[Material(color=(0, 0, 1), opacity=0.25)])
    (picture,) = render_views(glass, image_size=8, **FAR)
    assert (np.abs(picture[2:6, 2:6].astype(int) - [0, 0, 204, 64]) <= 1).all()
    wall = Material(color=(1, 0, 0))
    both = Mesh(
        np.concatenate([SQUARE, glass.vertices]),
        [*FACES, *(np.array(FACES) + 4)],
        materials=[wall, glass.materials[0]],
        face_materials=[0, 0, 1, 1],
    )
    (picture,) = render_views(both, image_size=8, **FAR)
    assert (np.abs(picture[2:6, 2:6].astype(int) - [153, 0, 51, 255]) <= 1).all()
    # From behind, the wall hides the glass.
    (picture,) = render_views(both, [[-100.0, 0, 0]], image_size=8, viewing_angle=0.25)
    assert (np.abs(picture[2:6, 2:6].astype(int) - [204, 0, 0, 255]) <= 1).all()


def test_bands_of_a_picture_of_glass_meet(monkeypatch):
    from tf_softras.rendering import _glass, _surface

    mesh = scene(5)
    whole = render_views(mesh, [[2.0, 0.5, 0.3]], image_size=(20, 24))
    monkeypatch.setattr(_glass, "_AT_ONCE", 96 * 80 // 3)
    monkeypatch.setattr(_surface, "_AT_ONCE", 1000)
    parts = render_views(mesh, [[2.0, 0.5, 0.3]], image_size=(20, 24))
    # The level of a texture begins at the finest that its part of the samples needs.
    assert np.abs(parts.astype(int) - whole).max() <= 1


def test_glass_that_reaches_behind_the_camera_keeps_what_lies_before_it():
    floor = [[-10, -0.3, -10], [10, -0.3, -10], [10, -0.3, 10], [-10, -0.3, 10]]
    pictures = [
        render_views(
            Mesh(floor, FACES, materials=[Material(color=(1, 1, 1), opacity=opacity)]),
            [[1.0, 0.2, 0]],
            image_size=16,
        )[0]
        for opacity in (1.0, 0.5)
    ]
    assert 0.2 < (pictures[0][..., 3] == 255).mean() < 1
    np.testing.assert_allclose(pictures[1][..., 3], pictures[0][..., 3] * 0.5, atol=1)


def cube():
    corners = np.array(list(itertools.product((0, 1), repeat=3)), np.float32) - 0.5
    sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return Mesh(
        corners, [(a, b, c) for a, *rest in sides for b, c in zip(rest, rest[1:], strict=False)]
    )


def touches_the_border(pictures):
    alpha = pictures[..., 3]
    return bool(alpha[:, [0, -1]].any() or alpha[:, :, [0, -1]].any())


def test_a_cube_fits_the_frame_at_the_fitting_distance_and_not_at_n3mrs():
    azimuths = np.arange(24) * 15.0
    distance = fitting_distance(cube(), 30.0, azimuths)
    pictures = render_views(cube(), eye_from_angles(distance, 30.0, azimuths), image_size=64)
    assert not touches_the_border(pictures)
    # 95 % of the 32 pixels from the middle to a side, where it reaches farthest.
    _, *places = np.nonzero(pictures[..., 3] > 127)
    assert 29.5 <= max(np.abs(place - 31.5).max() for place in places) <= 31
    # The data's cameras are N3MR's, which cut corners off.
    pictures = render_views(cube(), eye_from_angles(2.732, 30.0, azimuths), image_size=64)
    assert touches_the_border(pictures)


@pytest.mark.parametrize("elevation", [-90.0, 0.0, 90.0])
def test_a_cube_fits_from_above_and_below_too(elevation):
    distance = fitting_distance(cube(), elevation, 45.0)
    eyes = eye_from_angles([distance], [elevation], [45.0])
    assert not touches_the_border(render_views(cube(), eyes, image_size=64))


def test_nothing_to_fit_is_named():
    with pytest.raises(ValueError, match="mesh: expected at least one face"):
        fitting_distance(Mesh(SQUARE, np.zeros((0, 3), int)), 30.0, 0.0)


@pytest.mark.parametrize(
    ("views", "options", "words"),
    [
        ((np.nan, 0.0), {}, "elevations: expected finite degrees; received nan"),
        ((0.0, [1.0, np.inf]), {}, "azimuths: expected finite degrees; received inf"),
        (([], []), {}, "elevations: expected degrees of at least one view; received none"),
        ((0.0, []), {}, "azimuths: expected degrees of at least one view; received none"),
        (([1.0, 2.0], [1.0, 2.0, 3.0]), {}, r"elevations and azimuths: .*\[2\] and \[3\]"),
        *(
            ((30.0, 0.0), {"viewing_angle": angle}, f"viewing_angle: expected .* received {angle}")
            for angle in (-15.0, 0.0, 90.0, 95.0, np.nan)
        ),
    ],
)
def test_views_without_a_fitting_distance_are_named(views, options, words):
    with pytest.raises(ValueError, match=words):
        fitting_distance(cube(), *views, **options)


def test_an_array_in_place_of_a_mesh_is_named():
    for call in (
        lambda vertices: fitting_distance(vertices, 30.0, 0.0),
        lambda vertices: render_views(vertices, [[2.0, 0.0, 0.0]]),
    ):
        words = r"mesh: expected a tf_softras.geometry.Mesh; received ndarray \[8, 3\]. Make a mesh"
        with pytest.raises(TypeError, match=words):
            call(cube().vertices)
