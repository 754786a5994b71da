import collections
import fractions
import itertools
import time
import tracemalloc

import numpy as np
import pytest

from tf_softras.geometry import icosphere, voxelize

# Corner i of a box: bit 2 of i is x, bit 1 is y, bit 0 is z. Outward faces.
BOX_FACES = np.array(
    [
        [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
        [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
    ]
)  # fmt: skip


def box(low, high):
    return np.array(list(itertools.product(*zip(low, high, strict=True))), np.float64), BOX_FACES


def join(*meshes):
    offsets = np.cumsum([0] + [len(vertices) for vertices, _ in meshes])
    vertices = np.concatenate([vertices for vertices, _ in meshes])
    faces = [faces + offset for (_, faces), offset in zip(meshes, offsets, strict=False)]
    return vertices, np.concatenate(faces)


def world(grid, resolution=32):
    """World coordinates of grid coordinates: the inverse of the rule."""
    return (np.asarray(grid, np.float64) - resolution / 2) / (resolution - 1)


def grid_box(low, high, resolution=32):
    return box(world(low, resolution), world(high, resolution))


def soup(seed, *, num_faces=6, step=None, spread=0.7):
    """Random triangles; `step` puts their vertices on a lattice that makes contacts and slivers."""
    rng = np.random.default_rng(seed)
    vertices = rng.uniform(-spread, spread, size=(3 * num_faces, 3))
    if step:
        vertices = np.round(vertices / step) * step
    return vertices.astype(np.float32), np.arange(3 * num_faces).reshape(-1, 3)


def triangle_has_a_point_in_cell(triangle, cell):
    """Returns whether a triangle (fractions) meets the half-open cube; exact, in rationals."""
    polygon = triangle
    for axis, (bound, sign) in itertools.product(range(3), ((0, 1), (1, -1))):
        inside = [sign * (p[axis] - cell[axis] - bound) for p in polygon]
        clipped = []
        for i, (point, value) in enumerate(zip(polygon, inside, strict=True)):
            before, value_before = polygon[i - 1], inside[i - 1]
            if (value < 0) != (value_before < 0):
                share = value / (value - value_before)
                clipped.append([p + share * (b - p) for p, b in zip(point, before, strict=True)])
            if value >= 0:
                clipped.append(point)
        polygon = clipped
    # The corners' mean lies below each upper side if one corner does: the closed part is convex.
    return bool(polygon) and all(min(p[i] for p in polygon) < cell[i] + 1 for i in range(3))


def reference(vertices, faces, resolution):
    """The rule, one cell and one triangle at a time, in exact arithmetic."""
    cells = list(itertools.product(range(resolution), repeat=3))
    scale, half = resolution - 1, fractions.Fraction(resolution, 2)
    grid = [[fractions.Fraction(float(x)) * scale + half for x in v] for v in np.float32(vertices)]
    triangles = [[grid[i] for i in face] for face in faces]
    surface = {c for c in cells if any(triangle_has_a_point_in_cell(t, c) for t in triangles)}
    outside = {(-1, -1, -1)}
    queue = collections.deque(outside)
    while queue:
        cell = queue.popleft()
        for axis, step in itertools.product(range(3), (-1, 1)):
            near = tuple(cell[i] + step * (i == axis) for i in range(3))
            if all(-1 <= x <= resolution for x in near) and near not in surface | outside:
                outside.add(near)
                queue.append(near)
    solid = np.zeros((resolution,) * 3, bool)
    for cell in cells:
        solid[cell] = cell not in outside
    return solid


@pytest.mark.parametrize("seed", range(6))
def test_equals_the_exact_reference_on_random_triangles(seed):
    vertices, faces = soup(seed)
    np.testing.assert_array_equal(
        voxelize(vertices, faces, resolution=5), reference(vertices, faces, 5)
    )


@pytest.mark.parametrize("seed", range(8))
def test_equals_the_exact_reference_where_triangles_touch_cells_at_points_and_edges(seed):
    # At resolution 5 grid coordinates are 4 x + 2.5: multiples of 1/8 meet every side of a cell.
    vertices, faces = soup(100 + seed, step=0.125 if seed % 2 else 0.25)
    np.testing.assert_array_equal(
        voxelize(vertices, faces, resolution=5), reference(vertices, faces, 5)
    )


def test_equals_the_exact_reference_on_zero_area_faces():
    vertices, _ = soup(7, step=0.125)
    faces = np.array([[0, 0, 0], [1, 1, 2], [3, 4, 3], [5, 6, 6]])
    on_a_line = np.array([[-0.5, -0.5, -0.4], [0.0, 0.0, 0.0], [0.5, 0.5, 0.4]])
    vertices, faces = join((vertices, faces), (on_a_line, np.array([[0, 1, 2], [2, 0, 1]])))
    np.testing.assert_array_equal(
        voxelize(vertices, faces, resolution=5), reference(vertices, faces, 5)
    )


def test_equals_the_exact_reference_on_a_closed_solid():
    sphere = icosphere(1)
    vertices = sphere.vertices * np.array([0.5, 0.4, 0.45])
    np.testing.assert_array_equal(
        voxelize(vertices, sphere.faces, resolution=6), reference(vertices, sphere.faces, 6)
    )


@pytest.mark.parametrize("seed", range(3))
def test_chunks_change_nothing(seed, monkeypatch):
    vertices, faces = soup(seed, num_faces=40)
    at_once = voxelize(vertices, faces)
    monkeypatch.setattr("tf_softras.geometry.voxels._CHUNK_COLUMNS", 50)
    np.testing.assert_array_equal(voxelize(vertices, faces), at_once)


def test_the_unit_box_fills_the_grid():
    # It reaches from 0.5 to 31.5: half a cell of air, and every cell touched or enclosed.
    assert voxelize(*box([-0.5] * 3, [0.5] * 3)).all()


def test_a_box_fills_the_cells_from_the_floor_of_its_low_to_the_floor_of_its_high_corner():
    solid = voxelize(*grid_box([2.25, 5.5, 10.75], [20.5, 9.25, 11.5]))
    expected = np.zeros((32,) * 3, bool)
    expected[2:21, 5:10, 10:12] = True
    np.testing.assert_array_equal(solid, expected)


def test_a_face_between_two_layers_of_cells_marks_the_upper_one():
    # World 0 is grid coordinate 16, between cells 15 and 16.
    vertices = np.array([[0, -0.4, -0.4], [0, 0.4, -0.4], [0, 0.4, 0.4], [0, -0.4, 0.4]])
    solid = voxelize(vertices, np.array([[0, 1, 2], [0, 2, 3]]))
    np.testing.assert_array_equal(np.unique(np.nonzero(solid)[0]), [16])
    # -0.4 is grid coordinate 3.6, 0.4 is 28.4: cells 3 to 28.
    assert solid.sum() == 26**2


@pytest.mark.parametrize("radius", [0.1, 0.25, 0.4, 0.5])
def test_a_sphere_has_the_volume_of_the_ball_to_within_its_surface_cells(radius):
    sphere = icosphere(4)
    count = voxelize(sphere.vertices * radius, sphere.faces).sum()
    # In cells. Every cell of the solid but the surface cells lies within the ball, and every cell
    # that meets the ball is in the solid. A surface cell reaches at most a diagonal, sqrt(3), from
    # the surface: so the solid lies between the balls of radius r (less what the inscribed
    # polyhedron lacks, below a cell's 1/25) and r + sqrt(3).
    r = radius * 31
    assert 4 / 3 * np.pi * (r - 0.04) ** 3 < count < 4 / 3 * np.pi * (r + 3**0.5) ** 3
    # Sharper: along a normal n a cell reaches (|x| + |y| + |z|) / 2 from its centre, 0.75 in the
    # mean over all n, so the solid is larger than the ball by 0.75 cells times the area, and by a
    # share of 1/r more as the area grows outward. Measured: 0.75 at r = 15.5, 0.89 at r = 3.1.
    excess = (count - 4 / 3 * np.pi * r**3) / (4 * np.pi * r**2)
    assert 0.65 < excess < 1.0


def test_indices_are_x_y_z_and_rise_along_the_world_axes():
    # An L: a long arm along +x, a short one up at its start, towards -z.
    arm = box([-0.45, -0.45, -0.45], [0.45, -0.35, -0.35])
    upright = box([-0.45, -0.45, -0.45], [-0.35, 0.2, -0.35])
    solid = voxelize(*join(arm, upright))
    # -0.45 -> 2.05, -0.35 -> 5.15, 0.2 -> 22.2, 0.45 -> 29.95.
    expected = np.zeros((32,) * 3, bool)
    expected[2:30, 2:6, 2:6] = True
    expected[2:6, 2:23, 2:6] = True
    np.testing.assert_array_equal(solid, expected)


@pytest.mark.parametrize("seed", range(3))
def test_quarter_turns_and_mirrors_of_a_mesh_turn_and_mirror_the_voxels(seed):
    vertices, faces = soup(seed, num_faces=12, spread=0.5)
    solid = voxelize(vertices, faces)
    about_z = vertices[:, [1, 0, 2]] * [-1, 1, 1]  # (x, y) -> (-y, x)
    np.testing.assert_array_equal(voxelize(about_z, faces), np.rot90(solid, 1, axes=(0, 1)))
    mirrored = vertices * [1, 1, -1]
    np.testing.assert_array_equal(voxelize(mirrored, faces), solid[:, :, ::-1])
    np.testing.assert_array_equal(voxelize(vertices[:, [2, 0, 1]], faces), solid.transpose(2, 0, 1))


def test_a_shift_by_whole_cells_shifts_the_voxels():
    # Coordinates that stay exact in float32, at a resolution whose cell, 1/32, does too.
    rng = np.random.default_rng(5)
    vertices = rng.integers(-400, 400, size=(30, 3)) / 1024
    faces = np.arange(30).reshape(-1, 3)
    solid = voxelize(vertices, faces, resolution=33)
    shifted = voxelize(vertices + [1 / 32, -2 / 32, 0], faces, resolution=33)
    np.testing.assert_array_equal(shifted, np.roll(solid, (1, -2), axis=(0, 1)))


def test_the_winding_of_faces_does_not_matter():
    sphere = icosphere(2)
    vertices = sphere.vertices * 0.4
    flipped = sphere.faces.copy()
    flipped[::2] = flipped[::2, ::-1]
    np.testing.assert_array_equal(voxelize(vertices, flipped), voxelize(vertices, sphere.faces))


def test_an_open_box_stays_hollow():
    vertices, faces = grid_box([4.5] * 3, [27.5] * 3)
    lid = [6, 7]  # The two faces at the greatest y.
    solid = voxelize(vertices, np.delete(faces, lid, axis=0))
    assert not solid[5:27, 5:, 5:27].any()
    # The floor and four walls, one cell thick: 24^3 less the inside, open above.
    assert solid.sum() == 24**3 - 22 * 22 * 23


def test_a_crack_narrower_than_a_cell_does_not_leak():
    vertices, faces = grid_box([4.5] * 3, [27.5] * 3)
    lid, walls = faces[6:8], np.delete(faces, [6, 7], axis=0)
    # The lid stands off the walls by 0.4 of a cell all around, its rim in the walls' cells.
    shrunk = vertices.copy()
    shrunk[:, [0, 2]] *= 11.1 / 11.5
    vertices, faces = join((vertices, walls), (shrunk, lid))
    assert voxelize(vertices, faces).sum() == 24**3


def test_a_hole_wider_than_a_cell_leaks():
    vertices, faces = grid_box([4.5] * 3, [27.5] * 3)
    lid, walls = faces[6:8], np.delete(faces, [6, 7], axis=0)
    shrunk = vertices.copy()
    shrunk[:, [0, 2]] *= 9 / 11.5
    solid = voxelize(*join((vertices, walls), (shrunk, lid)))
    assert not solid[16, 16, 16]


def test_a_closed_hollow_inside_a_solid_is_filled():
    outer, inner = grid_box([4.5] * 3, [27.5] * 3), grid_box([10.5] * 3, [20.5] * 3)
    assert voxelize(*join(outer, inner)).sum() == 24**3


def test_what_lies_outside_the_grid_is_cut_off_and_not_wrapped():
    solid = voxelize(*grid_box([28.5, 4.5, 4.5], [40.5, 7.5, 7.5]))
    expected = np.zeros((32,) * 3, bool)
    # The box's end is outside the grid: its walls stay, its inside is open to the outside.
    expected[28:, 4:8, 4:8] = True
    expected[29:, 5:7, 5:7] = False
    np.testing.assert_array_equal(solid, expected)


@pytest.mark.parametrize("offset", [1.0, -1.5, 1e6, 1e30])
def test_a_mesh_outside_the_grid_marks_nothing(offset):
    sphere = icosphere(1)
    assert not voxelize(sphere.vertices * 0.4 + offset, sphere.faces).any()


def test_a_triangle_far_larger_than_the_grid_marks_its_plane():
    vertices = np.array([[-1e6, 0.25, -1e6], [1e6, 0.25, -1e6], [0, 0.25, 2e6]])
    solid = voxelize(vertices, np.array([[0, 1, 2]]))
    # 0.25 is grid coordinate 23.75.
    assert solid[:, 23, :].all()
    assert solid.sum() == 32**2


def test_many_triangles_as_large_as_the_grid_take_little_memory():
    # Measured: 23 MB, and 94 MB where all columns are taken at once.
    vertices, faces = soup(3, num_faces=2000, spread=0.5)
    tracemalloc.start()
    assert voxelize(vertices, faces).any()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6


def test_an_empty_mesh_has_no_voxels():
    solid = voxelize(np.zeros((0, 3)), np.zeros((0, 3), int))
    assert solid.shape == (32, 32, 32)
    assert solid.dtype == bool
    assert not solid.any()


@pytest.mark.parametrize("resolution", [1, 2, 7, 64])
def test_any_resolution_works(resolution):
    solid = voxelize(*box([-0.5] * 3, [0.5] * 3), resolution=resolution)
    assert solid.shape == (resolution,) * 3
    assert solid.all()


@pytest.mark.parametrize("resolution", [0, -3, 257])
def test_a_resolution_out_of_range_is_named(resolution):
    with pytest.raises(ValueError, match=f"resolution.*expected 1 to 256; received {resolution}"):
        voxelize(*box([-0.5] * 3, [0.5] * 3), resolution=resolution)


def test_a_resolution_that_is_no_integer_is_named():
    with pytest.raises(TypeError, match="resolution.*expected an integer; received 32.5"):
        voxelize(*box([-0.5] * 3, [0.5] * 3), resolution=32.5)


def test_an_invalid_mesh_is_named():
    with pytest.raises(ValueError, match="finite"):
        voxelize(np.full((3, 3), np.nan), np.array([[0, 1, 2]]))
    with pytest.raises(ValueError, match="indices"):
        voxelize(np.zeros((3, 3)), np.array([[0, 1, 3]]))


def test_the_input_is_not_changed():
    sphere = icosphere(1)
    vertices, faces = sphere.vertices.copy(), sphere.faces.copy()
    voxelize(vertices, faces)
    np.testing.assert_array_equal(vertices, sphere.vertices)
    np.testing.assert_array_equal(faces, sphere.faces)


def test_a_hundred_meshes_of_1280_faces_take_less_than_five_seconds():
    # Measured: 1.1 s on two cores that others shared. Processor time, so that a neighbour's load
    # does not count.
    sphere = icosphere(3)
    rng = np.random.default_rng(0)
    start = time.process_time()
    for _ in range(100):
        stretch = rng.uniform(0.15, 0.5, size=3) * (1 + 0.2 * rng.normal(size=(642, 1)))
        voxelize(sphere.vertices * stretch, sphere.faces)
    assert time.process_time() - start < 5.0
