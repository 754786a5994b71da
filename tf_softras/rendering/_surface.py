"""The colour of a mesh's surface at samples of pictures.

A sample is a ray from the camera, with direction d. It meets the plane of a face with camera-space
corners A, B and C at barycentric weights proportional to d.(B x C), d.(C x A) and d.(A x B). This
is exact in perspective, also for faces that reach behind the camera. A texture coordinate is then a
ratio of two functions that are linear in d. So is its change from sample to sample, which chooses
the level of a mip-mapped texture.
"""

import numpy as np

from tf_softras.geometry import Mesh
from tf_softras.geometry.surfaces import corner_colors, decoded, encoded, filled_texture
from tf_softras.shading.mipmaps import level_of_detail, mip_levels
from tf_softras.shading.texture import sample_texture

# Samples that are looked at together: about 100 MB.
_AT_ONCE = 1 << 18
_DECODED_BYTES = decoded(np.arange(256, dtype=np.float32) / 255.0)


class Surface:
    """A mesh's colours, prepared once for all views.

    Attributes:
        flat_colors: float32 `[num_faces, 3]`, sRGB: the colours of faces with a single colour.
        is_varied: bool `[num_faces]`: colour or opacity changes over the face.
        is_clear: bool `[num_faces]`: something may be seen through the face.
    """

    def __init__(self, mesh: Mesh):
        self._mesh = mesh
        self._corners = corner_colors(mesh)
        self._levels: dict[int, list[np.ndarray]] = {}
        self._texture_of = np.full(len(mesh.faces), -1)
        opaque = np.ones(len(mesh.faces), bool)
        if mesh.face_materials is not None:
            for index, material in enumerate(mesh.materials):
                chosen = mesh.face_materials == index
                if material.texture is not None:
                    self._texture_of[chosen] = index
                if not material.is_opaque:
                    opaque[chosen] = False
        colors = self._corners
        changes = (colors != colors[:, :1]).any(axis=(1, 2))
        self.flat_colors = np.ascontiguousarray(colors[:, 0, :3])
        self.is_varied = changes | (self._texture_of >= 0)
        self.is_clear = ~opaque | (colors[..., 3] < 1.0).any(axis=1)

    def colors(self, corners, face, directions, *, spacing: float) -> np.ndarray:
        """Returns float32 `[num_samples, 4]`: sRGB and opacity where rays meet their faces.

        Args:
            corners: a function of a slice of the samples that returns the camera-space corners of
                their faces, float64 `[n, 3, 3]`.
            face: int `[num_samples]`.
            directions: float64 `[num_samples, 2]`: x and y of the rays, at z = 1.
            spacing: the step of x or y from a sample to the next.
        """
        result = np.empty((len(face), 4), np.float32)
        for begin in range(0, len(face), _AT_ONCE):
            part = slice(begin, begin + _AT_ONCE)
            result[part] = self._colors(corners(part), face[part], directions[part], spacing)
        return result

    def _colors(self, corners, face, directions, spacing) -> np.ndarray:
        planes = ray_planes(corners)
        weights = plane_values(planes, directions)
        total = weights.sum(axis=1, keepdims=True)
        weights = weights / np.where(total == 0.0, 1.0, total)
        # Rounding may put a sample at an edge outside of its face.
        inside = np.clip(weights, 0.0, 1.0)
        colors = np.einsum("nk,nkc->nc", inside, self._corners[face])
        textures = self._texture_of[face]
        for index in np.unique(textures[textures >= 0]).tolist():
            at = np.flatnonzero(textures == index)
            uvs = self._mesh.uvs[face[at]].astype(np.float64)  # type: ignore[index]
            uv = np.einsum("nk,nkc->nc", weights[at], uvs)
            # d(u)/dx = (dN/dx - u dD/dx) / D for u = N / D.
            slopes = planes[at, :, :2]
            change = np.einsum("nkx,nkc->ncx", slopes, uvs)
            change -= uv[:, :, None] * slopes.sum(axis=1)[:, None, :]
            change *= spacing / np.where(total[at] == 0.0, 1.0, total[at])[..., None]
            texels = self._sampled(index, uv, change)
            colors[at, :3] = encoded(decoded(colors[at, :3]) * texels[:, :3])
            colors[at, 3] *= texels[:, 3]
        self._apply_cutoffs(colors, face)
        return colors.astype(np.float32)

    def _apply_cutoffs(self, colors, face):
        mesh = self._mesh
        if mesh.face_materials is None:
            return
        cutoffs = np.array(
            [-1.0 if m.alpha_cutoff is None else m.alpha_cutoff for m in mesh.materials] + [-1.0]
        )
        cutoff = cutoffs[mesh.face_materials[face]]
        masked = cutoff >= 0.0
        colors[masked, 3] = colors[masked, 3] >= cutoff[masked]

    def _sampled(self, index: int, uv: np.ndarray, change: np.ndarray) -> np.ndarray:
        """Returns linear colours and opacity of a texture: float `[n, 4]`."""
        levels = self._mip_levels(index)
        height, width = levels[0].shape[:2]
        finite = np.isfinite(uv).all(axis=1) & np.isfinite(change).all(axis=(1, 2))
        uv, change = np.where(finite[:, None], uv, 0.0), np.where(finite[:, None, None], change, 0)
        detail = np.asarray(level_of_detail(np.float32(change), height=height, width=width))
        # Levels finer than all samples are left out.
        first = min(int(detail.min()), len(levels) - 1)
        wrap = self._mesh.materials[index].wrap
        # Coordinates many repeats away have no digits left in float32.
        uv = uv - np.floor(uv) if wrap == "repeat" else uv
        texels = sample_texture(
            levels[first], np.float32(uv)[None], np.float32(change)[None], wrap=wrap
        )
        return np.asarray(texels)[0]

    def _mip_levels(self, index: int) -> list[np.ndarray]:
        """Returns a texture and its halves, linear colours and opacity, float32."""
        if index not in self._levels:
            texture = filled_texture(self._mesh.materials[index].texture)  # type: ignore[arg-type]
            linear = np.ones((*texture.shape[:2], 4), np.float32)
            linear[..., :3] = _DECODED_BYTES[texture[..., :3]]
            if texture.shape[-1] == 4:
                linear[..., 3] = texture[..., 3] / np.float32(255.0)
            self._levels[index] = [np.asarray(level) for level in mip_levels(linear)]
        return self._levels[index]


def ray_planes(corners: np.ndarray) -> np.ndarray:
    """Returns the rows B x C, C x A and A x B of faces: float64 `[n, 3, 3]`, alike in size.

    Args:
        corners: float64 `[n, 3, 3]`, camera space.
    """
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    return np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=1)


def plane_values(planes: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Returns the weights of the corners, not normalised: float64 `[n, 3]`."""
    x, y = directions[:, 0, None], directions[:, 1, None]
    return planes[:, :, 0] * x + planes[:, :, 1] * y + planes[:, :, 2]
