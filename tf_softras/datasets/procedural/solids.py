"""Closed solids that procedural objects are put together from.

Coordinates are x (to the side), y (up), z (along the object).
"""

import numpy as np

from tf_softras.geometry import Mesh

# The corners of a box, and its faces as quadrangles, counter-clockwise seen from outside.
_BOX_CORNERS = np.array(
    [[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)], dtype="float64"
)
_BOX_QUADS = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))


class Assembly:
    """Collects solids, each with one colour, and joins them into one mesh.

    The solids may overlap: pictures and solid voxels see their union.

    Example:
        >>> table = Assembly()
        >>> table.box((0, 0.5, 0), (1, 0.05, 0.6), (0.5, 0.3, 0.1))
        >>> table.mesh().faces.shape
        (12, 3)
    """

    def __init__(self):
        self._vertices, self._faces, self._colors = [], [], []
        self._count = 0

    def add(self, vertices, faces, color) -> None:
        """Adds a closed triangle mesh.

        Args:
            vertices: float `[n, 3]`.
            faces: int `[m, 3]`, counter-clockwise seen from outside.
            color: Three numbers in [0, 1], sRGB.
        """
        self._vertices.append(np.asarray(vertices, "float64"))
        self._faces.append(np.asarray(faces) + self._count)
        self._colors.append(np.tile(np.clip(color, 0.0, 1.0), (len(faces), 1)))
        self._count += len(vertices)

    def box(self, center, size, color, *, top=(1.0, 1.0)) -> None:
        """Adds a box; `top` scales the x and z of its upper corners, for tapered ones."""
        corners = _BOX_CORNERS * np.asarray(size, "float64") / 2
        corners[corners[:, 1] > 0] *= [top[0], 1.0, top[1]]
        self.add(corners + center, _triangles(_BOX_QUADS), color)

    def wing(self, root, tip, color, *, thickness: float) -> None:
        """Adds a flat slab between two chords, and its mirror image about x = 0.

        Args:
            root: (x, y, z of the leading edge, z of the trailing edge) of the inner chord.
            tip: The same of the outer chord.
            color: Of both.
            thickness: At the root; at the tip it is half as much.
        """
        for side in (1.0, -1.0):
            corners = []
            for (x, y, leading, trailing), half in ((root, thickness / 2), (tip, thickness / 4)):
                for offset in (-half, half):
                    corners += [[side * x, y + offset, leading], [side * x, y + offset, trailing]]
            self._add_closed(np.array(corners), _triangles(_BOX_QUADS), color)

    def fin(self, root, tip, color, *, thickness: float, x: float = 0.0) -> None:
        """Adds an upright slab in the plane x.

        Args:
            root: (y, z of the leading edge, z of the trailing edge) of the lower chord.
            tip: The same of the upper chord.
            color: Of all.
            thickness: Along x.
            x: Where it stands.
        """
        corners = [
            [x + offset, y, z]
            for y, *edge in (root, tip)
            for offset in (-thickness / 2, thickness / 2)
            for z in edge
        ]
        self._add_closed(np.array(corners), _triangles(_BOX_QUADS), color)

    def loft(self, sections, color, *, power: float = 2.0, sides: int = 16) -> None:
        """Adds a body along z with a superellipse for each section.

        Args:
            sections: (z, x and y of the centre, half width, half height), along z.
            color: Of all.
            power: 2 gives ellipses; larger ones are boxier.
            sides: Corners of each section.
        """
        angles = 2 * np.pi * np.arange(sides) / sides
        unit = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        unit = np.sign(unit) * np.abs(unit) ** (2.0 / power)
        rings = [
            np.column_stack([x + width * unit[:, 0], y + height * unit[:, 1], np.full(sides, z)])
            for z, x, y, width, height in sections
        ]
        self._rings(rings, color)

    def revolve(self, profile, color, *, center=(0.0, 0.0, 0.0), sides: int = 16) -> None:
        """Adds a solid of revolution about the y axis.

        Args:
            profile: (y, radius), upwards.
            color: Of all.
            center: Moves it.
            sides: Corners of each circle.
        """
        angles = -2 * np.pi * np.arange(sides) / sides
        rings = [
            np.column_stack([radius * np.cos(angles), np.full(sides, y), radius * np.sin(angles)])
            + center
            for y, radius in profile
        ]
        self._rings(rings, color)

    def rod(self, begin, end, radius: float, color, *, sides: int = 8) -> None:
        """Adds a round rod from one point to another."""
        begin, end = np.asarray(begin, "float64"), np.asarray(end, "float64")
        along = (end - begin) / np.linalg.norm(end - begin)
        across = np.cross(along, [0.0, 0.0, 1.0] if abs(along[2]) < 0.9 else [1.0, 0.0, 0.0])
        across /= np.linalg.norm(across)
        upright = np.cross(along, across)
        angles = 2 * np.pi * np.arange(sides)[:, None] / sides
        circle = radius * (np.cos(angles) * across + np.sin(angles) * upright)
        self._rings([begin + circle, end + circle], color)

    def _rings(self, rings, color) -> None:
        """Adds the closed surface through rings of equal numbers of points."""
        sides, last = len(rings[0]), len(rings) - 1
        points = np.concatenate([*rings, [rings[0].mean(axis=0), rings[-1].mean(axis=0)]])
        corner = np.arange(sides)
        following = (corner + 1) % sides
        faces = []
        for lower in range(last):
            a, b = lower * sides + corner, lower * sides + following
            faces += [
                np.column_stack([a, b, b + sides]),
                np.column_stack([a, b + sides, a + sides]),
            ]
        first = len(points) - 2
        faces.append(np.column_stack([np.full(sides, first), following, corner]))
        end = last * sides
        faces.append(np.column_stack([np.full(sides, first + 1), end + corner, end + following]))
        self._add_closed(points, np.concatenate(faces), color)

    def _add_closed(self, vertices, faces, color) -> None:
        """Adds a closed mesh whose faces are wound alike, turned so that they look outwards."""
        corners = vertices[faces]
        volume = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum()
        self.add(vertices, faces if volume > 0 else faces[:, ::-1], color)

    def mesh(self) -> Mesh:
        """Returns all solids as one mesh with colours of faces."""
        return Mesh(
            np.concatenate(self._vertices),
            np.concatenate(self._faces),
            face_colors=np.concatenate(self._colors),
        )


def _triangles(quads):
    quads = np.asarray(quads)
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
