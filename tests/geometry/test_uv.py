"""Texture coordinates by longitude and latitude."""

import numpy as np
import pytest

from tf_softras import geometry


@pytest.mark.parametrize("level", [0, 2])
def test_corners_lie_where_their_coordinates_say(level):
    mesh = geometry.icosphere(level)
    u, v = np.moveaxis(geometry.spherical_uvs(mesh).astype(np.float64), -1, 0)
    elevation = np.degrees(np.pi * (v - 0.5))
    expected = geometry.eye_from_angles(1.0, elevation, 360 * u)
    np.testing.assert_allclose(expected, mesh.vertices[mesh.faces], atol=1e-6)


def test_no_face_wraps_around_the_whole_texture():
    uvs = geometry.spherical_uvs(geometry.icosphere(3))
    assert np.ptp(uvs[..., 0], axis=1).max() < 0.5
    assert uvs[..., 0].min() > -0.5 and uvs[..., 0].max() < 1.5


def test_a_corner_on_the_axis_takes_the_middle_of_its_face():
    mesh = geometry.Mesh([[0, 1, 0], [1, 0, 0], [0, 0, 1]], [[0, 2, 1]])
    uvs = geometry.spherical_uvs(mesh)
    np.testing.assert_allclose(uvs[0], [[0.125, 1], [0.25, 0.5], [0, 0.5]], atol=1e-6)


def test_vertices_in_place_of_a_mesh_are_named():
    with pytest.raises(TypeError, match=r"mesh: expected .*Mesh; received ndarray \[12, 3\]"):
        geometry.spherical_uvs(geometry.icosphere(0).vertices)
    with pytest.raises(TypeError, match=r"received str$"):
        geometry.spherical_uvs("chair.glb")
