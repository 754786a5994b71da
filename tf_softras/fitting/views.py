"""Fits a textured mesh to pictures with known cameras."""

import dataclasses
import time
from typing import Any, NamedTuple

import numpy as np

from tf_softras.fitting._remeshing import remesh
from tf_softras.fitting._views.atlas import painted, textured
from tf_softras.fitting._views.crops import Crops, crop_views
from tf_softras.fitting._views.hull import FitError, object_frame, visual_hull
from tf_softras.fitting._views.surface import SurfaceGradient, fit_surface
from tf_softras.fitting._views.view_measures import measured_views
from tf_softras.geometry import Mesh, icosphere

STARTS = ("hull", "sphere")
# Views a step.
_BATCH = 8
# The most faces; more would make steps slow.
_MOST_FACES = 40_000
# A mesh with fewer faces is remeshed finer, down to this share of a stage's edge length.
_FEWEST_FACES, _FINEST_EDGE = 6_000, 0.65
# The most pixels along a side of the pictures that textures are made from.
_TEXTURE_PICTURES = 1024
_SPHERE_RADIUS = 0.35
_NO_LIGHT = np.r_[1.0, np.zeros(9)]


@dataclasses.dataclass(frozen=True)
class _Stage:
    """One stage of the fit.

    Attributes:
        name: Its name, for progress bars.
        steps: The number of steps, unless the caller gives a total.
        edge: The edge length it remeshes to, in pixels; None keeps the triangles.
        step_size: Size of the first step, in smooth coordinates of an object of size 1.
        smoothness: Lambda of the preconditioner.
        sigma: First and last, in squared pixels.
        area: Weight of the surface's area.
        supersampling: Samples along a side of a pixel.
        colored: Whether pictures are compared, too.
    """

    name: str
    steps: int
    edge: float | None
    step_size: float
    smoothness: float
    sigma: tuple[float, float]
    area: float = 0.0
    supersampling: int = 1
    colored: bool = False


_SPHERE_STAGES = (
    _Stage("sphere", 120, None, 0.2, 19.0, (2.8, 0.28)),
    _Stage("coarse", 100, 2.7, 0.05, 8.0, (0.56, 0.056), area=0.003),
)
_STAGES = (
    _Stage("shape", 80, 1.9, 0.03, 15.0, (0.56, 0.056), area=0.01),
    # The last sigma is so sharp that its blur does not thin parts thinner than a pixel.
    # It begins no softer than "shape" ends: a softer silhouette is wider, the surface would move
    # inwards, and later only its outline would come back.
    _Stage("detail", 200, 1.5, 0.015, 4.0, (0.03, 0.002), area=0.003, supersampling=2),
)
_COLOR_STAGE = _Stage(
    "pictures", 50, None, 0.005, 4.0, (0.002, 0.002), area=0.001, supersampling=2, colored=True
)


class Progress(NamedTuple):
    """The progress of a fit, for progress bars and films.

    Attributes:
        stage: The stage's name.
        step: The number of steps done, over all stages.
        steps: The number of all steps.
        iou: The mean IoU of the step's views.
        mesh: The present `Mesh`, world space.
    """

    stage: str
    step: int
    steps: int
    iou: float
    mesh: Mesh


class FitState(NamedTuple):
    """The state from which a fit can go on.

    Attributes:
        stage: int, the stage that comes next or was interrupted.
        vertices: float32 `[num_vertices, 3]`, the object's frame.
        faces: int32 `[num_faces, 3]`.
        center: float64 `[3]`, the origin of the object's frame, world space.
        scale: float, the object's longest side, world units.
        interrupted: Whether the stage has begun.
    """

    stage: int
    vertices: np.ndarray
    faces: np.ndarray
    center: np.ndarray
    scale: float
    interrupted: bool


class FittedViews(NamedTuple):
    """The result of `fit_views`.

    Attributes:
        mesh: The `Mesh`, world space, with a texture or with colours of its vertices.
        measures: A list of dicts, one a view: "name", "held_out", "iou" and "psnr" (dB).
        state: A `FitState` to go on from.
        seconds: float, the duration of the fit.
        interrupted: Whether Ctrl-C or the time limit ended it.
    """

    mesh: Mesh
    measures: list
    state: FitState
    seconds: float
    interrupted: bool

    def mean(self, name: str, *, held_out: bool) -> float:
        """Returns the mean of "iou" or "psnr" over views; NaN if there is none."""
        values = [view[name] for view in self.measures if view["held_out"] == held_out]
        return float(np.mean(values)) if values else float("nan")


def fit_views(
    views,
    *,
    size=128,
    start: Any = "hull",
    steps=None,
    time_limit=None,
    texture_size=1024,
    use_pictures=True,
    seed=0,
    on_step=None,
    state=None,
) -> FittedViews:
    """Fits a textured mesh to pictures with known cameras.

    Cameras and masks give the object's place and size. The mesh begins as the visual hull, a sphere
    or a given mesh. Preconditioned steps (Nicolet et al. 2021) move it on 1 - IoU, and remeshing
    makes its triangles finer between stages; in the last stage pictures move it, too. A small
    weight on its area flattens hollows that no silhouette shows. In the end every texel gets the
    colours that the pictures show.

    Held-out views only measure the fit. Ctrl-C ends the fit and returns the result so far.

    Args:
        views: `datasets.posed_views.PosedViews`.
        size: The most pixels along a side of the square around the object.
        start: "hull", "sphere", or a `Mesh` in world space.
        steps: None, or the number of steps in all.
        time_limit: None, or seconds after which the steps end; the texture is fitted after them.
        texture_size: Texels along a side, or None for colours of vertices.
        use_pictures: Whether pictures move the surface, beside masks.
        seed: Seed of the order of views.
        on_step: None, or a function of a `Progress`, called after each step.
        state: None, or the `FitState` of an earlier fit to go on from.

    Returns:
        A `FittedViews`.

    Raises:
        FitError: Masks and cameras do not show one object.
        PosedViewsError: A view has no mask, or one of another size.
        ValueError: An argument is not as above.
        ImportError: The extra `fit` is not installed.
    """
    fit = _Fit(
        views,
        size=size,
        start=start,
        steps=steps,
        time_limit=time_limit,
        use_pictures=use_pictures,
        seed=seed,
        on_step=on_step,
        state=state,
    )
    fit.run()
    return fit.finished(texture_size)


class _Fit:
    """One fit: the state that its stages share."""

    def __init__(
        self, views, *, size, start, steps, time_limit, use_pictures, seed, on_step, state
    ):
        self.begin = time.monotonic()
        self.views, self.seed, self.on_step = views, seed, on_step
        self.time_limit = time_limit
        count = sum(not view.held_out for view in views)
        if count < 2:
            raise FitError(
                "views: expected at least 2 that are not held out, from several sides; received "
                f"{count}. One view does not tell how deep an object is"
            )
        training = views.training()
        if time_limit is not None and not time_limit > 0:
            raise ValueError(
                f"time_limit: expected None or a positive number of seconds; received {time_limit}"
            )
        if not isinstance(start, Mesh) and start not in STARTS:
            raise ValueError(f"start: expected one of {STARTS} or a Mesh; received {start!r}")
        crops = crop_views(training, size=size)
        if state is None:
            self.center, self.scale = object_frame(crops)
        else:
            self.center, self.scale = state.center, state.scale
        self.crops: Crops = crops.moved(self.center, self.scale)
        self._check_cameras()
        stages = (*(_SPHERE_STAGES if start == "sphere" else ()), *_STAGES)
        self.stages = (*stages, _COLOR_STAGE) if use_pictures else stages
        if steps is not None:
            share = steps / sum(stage.steps for stage in self.stages)
            self.stages = tuple(
                dataclasses.replace(stage, steps=max(1, round(share * stage.steps)))
                for stage in self.stages
            )
        self.stage, self.resumed = 0, False
        self.interrupted = False
        if state is None:
            self.mesh = self._first_mesh(start)
        else:
            # A finished fit runs its last stage again.
            self.stage = min(state.stage, len(self.stages) - 1)
            self.mesh = Mesh(state.vertices, state.faces)
            self.resumed = state.interrupted or state.stage >= len(self.stages)

    @property
    def pixel(self):
        """Returns the size of a pixel at the object's centre, in the object's frame."""
        depth = np.linalg.norm(self.crops.eyes, axis=1)
        return float(np.mean(depth / self.crops.intrinsics[:, 0, 0]))

    def run(self):
        """Runs the stages that are left, until Ctrl-C or the time limit."""
        try:
            while self.stage < len(self.stages):
                self._run_stage(self.stages[self.stage])
                if self.interrupted:
                    return
                self.stage, self.resumed = self.stage + 1, False
        except KeyboardInterrupt:
            self.interrupted = True

    def finished(self, texture_size) -> FittedViews:
        """Returns the mesh with its colours, and its measures."""
        mesh = self.mesh
        pictures = crop_views(self.views.training(), size=_TEXTURE_PICTURES)
        pictures = pictures.moved(self.center, self.scale)
        if texture_size is None:
            mesh = painted(mesh, pictures)
        else:
            mesh = textured(mesh, pictures, texture_size=texture_size, seed=self.seed)
        every = crop_views(self.views, size=self.crops.size).moved(self.center, self.scale)
        held_out = [view.held_out for view in self.views]
        measures = measured_views(mesh, every, held_out)
        state = FitState(
            self.stage,
            self.mesh.vertices,
            self.mesh.faces,
            np.asarray(self.center),
            float(self.scale),
            self.interrupted,
        )
        seconds = time.monotonic() - self.begin
        return FittedViews(self._in_world(mesh), measures, state, seconds, self.interrupted)

    def _run_stage(self, stage):
        if stage.edge is not None and not self.resumed:
            self.mesh = self._remeshed(stage.edge)
        image_plane = (2.0 / self.crops.size) ** 2
        gradient = SurfaceGradient(
            self.crops,
            colored=stage.colored,
            supersampling=stage.supersampling,
            area_weight=stage.area,
        )
        mesh = painted(self.mesh, self.crops) if stage.colored else self.mesh
        grey = np.full((len(mesh.vertices), 3), 0.5)
        colors = grey if mesh.vertex_colors is None else mesh.vertex_colors
        before = sum(earlier.steps for earlier in self.stages[: self.stage])
        total = sum(each.steps for each in self.stages)

        def after_step(step, vertices, iou):
            # After Ctrl-C the mesh is that of the last whole step.
            self.mesh = Mesh(vertices, self.mesh.faces)
            if self.on_step is not None:
                world = self._in_world(self.mesh)
                self.on_step(Progress(stage.name, before + step + 1, total, iou, world))
            late = self.time_limit is not None
            self.interrupted = late and time.monotonic() - self.begin > self.time_limit
            return self.interrupted

        self.mesh, _, _ = fit_surface(
            self.mesh,
            colors,
            _NO_LIGHT,
            gradient,
            steps=stage.steps,
            step_size=stage.step_size,
            smoothness=stage.smoothness,
            sigma=tuple(sigma * image_plane for sigma in stage.sigma),
            batch=_BATCH,
            seed=self.seed + self.stage,
            after_step=after_step,
        )

    def _first_mesh(self, start) -> Mesh:
        if isinstance(start, Mesh):
            return Mesh((start.vertices - self.center) / self.scale, start.faces)
        if start == "sphere":
            ball = icosphere(3)
            return Mesh(_SPHERE_RADIUS * ball.vertices, ball.faces)
        return visual_hull(self.crops, dilation=0.5)

    def _remeshed(self, pixels) -> Mesh:
        edge = pixels * self.pixel
        corners = self.mesh.vertices[self.mesh.faces].astype(np.float64)
        sides = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        area = 0.5 * np.linalg.norm(np.cross(*sides), axis=1).sum()
        # An even triangle has an area of 0.43 edge^2.
        fewest, most = (np.sqrt(area / (0.43 * count)) for count in (_FEWEST_FACES, _MOST_FACES))
        # An object with little surface, such as a glider, is thin, and finer triangles cost little.
        return remesh(self.mesh, max(most, min(edge, max(fewest, _FINEST_EDGE * edge))))

    def _in_world(self, mesh: Mesh) -> Mesh:
        return dataclasses.replace(mesh, vertices=mesh.vertices * self.scale + self.center)

    def _check_cameras(self):
        """Raises FitError if a camera stands inside the object's box."""
        inside = (np.abs(self.crops.eyes) < 0.5).all(axis=1)
        if inside.any():
            name = self.crops.names[int(np.argmax(inside))]
            raise FitError(
                f"view '{name}': expected a camera outside of the object; received one inside of "
                "the box that the masks of all views span"
            )
