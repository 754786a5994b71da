"""`softras fit`: a textured mesh out of pictures with known cameras."""

import math
import pathlib

import click

from tf_softras.cli.command import Command, WrongInput, wrong_input
from tf_softras.cli.options import PATH, FiniteFloatRange

# Frames of the time-lapse while the mesh forms; as many again show the result turning.
FILM_FRAMES = 40
FILM_SIZE = 200


@click.command(
    cls=Command,
    examples=[
        "softras render chair.glb --transforms pictures",
        "softras fit pictures -o chair.glb",
        "softras fit photos -o vase.glb --masks photos/masks --size 256 --film vase.gif",
    ],
)
@click.argument("folder", type=PATH)
@click.option("-o", "--output", type=PATH, required=True, help="Mesh to write: .glb or .obj.")
@click.option(
    "--size",
    type=click.IntRange(16, 1024),
    default=128,
    show_default=True,
    help="Most pixels along a side of the object in the fit.",
)
@click.option("--time", "time_limit", type=FiniteFloatRange(1.0), help="Seconds of steps, at most.")
@click.option("--steps", type=click.IntRange(3), help="Steps in all.  [default: 330]")
@click.option("--start", default="hull", show_default=True, help="hull, sphere or a mesh file.")
@click.option("--masks", type=PATH, help="Folder of masks, white where the object is.")
@click.option(
    "--box",
    type=int,
    nargs=4,
    metavar="LEFT TOP RIGHT BOTTOM",
    help="Pixels around the object in every picture, which GrabCut then cuts out.",
)
@click.option(
    "--hold-out",
    type=click.IntRange(0),
    default=8,
    show_default=True,
    help="Every how many-th view only measures; 0 for none.",
)
@click.option(
    "--texture-size",
    type=click.IntRange(64, 4096),
    default=1024,
    show_default=True,
    help="Texels along a side.",
)
@click.option("--no-texture", is_flag=True, help="Colours of vertices instead.")
@click.option("--silhouettes-only", is_flag=True, help="Pictures colour the mesh, masks shape it.")
@click.option("--film", type=PATH, help="Time-lapse to write: .gif or .mp4.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the order of views.")
@click.option("--fresh", is_flag=True, help="Do not go on from an earlier fit.")
def fit(folder, output, start, masks, box, hold_out, film, fresh, **options):
    """Fit a textured mesh to a folder of pictures with known cameras.

    FOLDER holds transforms.json (NeRF, Blender), a COLMAP model or cameras.json. Masks are the
    pictures' alpha, --masks or a --box. Beside OUTPUT are written its report (.report.json), a page
    with true and fitted views (.html) and its state (.fit.npz): Ctrl-C keeps the best so far, and
    the same command goes on. Needs: pip install 'tf-softras[fit]'
    """
    from tf_softras.datasets.posed_views import load_posed_views
    from tf_softras.geometry import load_mesh

    _check_output(output, film)
    if start not in ("hull", "sphere"):
        start = load_mesh(pathlib.Path(start))
    views = load_posed_views(folder, masks=masks, box=box, hold_out=hold_out)
    state = None if fresh else _read_state(state_path(output))
    if state is not None:
        click.echo(f"Going on with the fit in {state_path(output)}; --fresh begins anew.")
    if options.pop("no_texture"):
        options["texture_size"] = None
    options["use_pictures"] = not options.pop("silhouettes_only")
    with wrong_input(ValueError):
        fitted, written = fit_and_write(
            views, output, film=film, start=start, state=state, **options
        )
    for path in written:
        click.echo(f"{path}")
    click.echo(fit_summary(fitted))
    if fitted.interrupted:
        click.echo("The fit was not finished: the same command goes on.")


def fit_and_write(
    views,
    output: pathlib.Path,
    *,
    film=None,
    film_frames=FILM_FRAMES,
    film_size=FILM_SIZE,
    **options,
):
    """Fits a mesh and writes it, its report, its page, its state and perhaps a film.

    Args:
        views: `PosedViews`.
        output: The mesh file; the others are named after it.
        film: None, or the time-lapse to write.
        film_frames: How many frames show the mesh form; as many show it turning.
        film_size: The film's pixels along a side.
        **options: Of `fitting.fit_views`.

    Returns:
        The `FittedViews`, and the paths that were written.
    """
    from tf_softras.fitting import fit_views
    from tf_softras.geometry import save_mesh

    steps = _Steps(0 if film is None else film_frames)
    fitted = fit_views(views, on_step=steps, **options)
    steps.close()
    save_mesh(output, fitted.mesh)
    _write_state(state_path(output), fitted.state)
    written = [output, *_write_report(output, fitted, views, steps)]
    if film is not None:
        _write_film(film, steps, fitted, views, frames=film_frames, size=film_size)
        written.append(film)
    return fitted, written


def state_path(output: pathlib.Path) -> pathlib.Path:
    """Returns where the state of a fit is kept, beside its mesh."""
    return output.with_suffix(".fit.npz")


class _Steps:
    """The progress bar, and the frames of a film."""

    def __init__(self, film_frames):
        self.film_frames = film_frames
        self.meshes: list = []
        self.stages: dict = {}
        self._bar = None

    def __call__(self, progress):
        import tqdm

        if self._bar is None:
            self._bar = tqdm.tqdm(total=progress.steps, initial=progress.step - 1, unit="step")
        self._bar.update(progress.step - self._bar.n)
        self._bar.set_description(progress.stage)
        self._bar.set_postfix_str(f"IoU {progress.iou:.3f}, {len(progress.mesh.faces)} faces")
        self.stages[progress.stage] = {"steps": progress.step, "iou": round(progress.iou, 4)}
        # More frames at first, when most changes.
        wanted = self.film_frames * math.sqrt(progress.step / progress.steps)
        if self.film_frames and wanted >= len(self.meshes):
            self.meshes.append(progress.mesh)

    def close(self):
        if self._bar is not None:
            self._bar.close()


def _check_output(output, film):
    if output.suffix.lower() not in (".glb", ".obj"):
        raise WrongInput(f"-o: expected a name that ends in .glb or .obj; received '{output}'")
    if not output.parent.is_dir():
        raise WrongInput(f"-o: expected a folder that exists; received '{output.parent}'")
    if film is not None and film.suffix.lower() not in (".gif", ".mp4"):
        raise WrongInput(f"--film: expected a name that ends in .gif or .mp4; received '{film}'")
    if film is not None and not film.parent.is_dir():
        raise WrongInput(f"--film: expected a folder that exists; received '{film.parent}'")


def _read_state(path):
    """Returns the state of an earlier fit, or None.

    Raises:
        WrongInput: The file is damaged.
    """
    import zipfile

    import numpy as np

    from tf_softras.fitting import FitState
    from tf_softras.geometry import Mesh

    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            mesh = Mesh(arrays["vertices"], arrays["faces"])
            return FitState(
                int(arrays["stage"]),
                mesh.vertices,
                mesh.faces,
                np.asarray(arrays["center"], np.float64).reshape(3),
                float(arrays["scale"]),
                bool(arrays["interrupted"]),
            )
    except (KeyError, ValueError, TypeError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise WrongInput(
            f"'{path}': expected the state of an earlier fit; received a damaged file. Begin anew "
            "with --fresh"
        ) from error


def _write_state(path, state):
    import numpy as np

    from tf_softras._shared.files import replaced_whole

    with replaced_whole(path) as written:
        np.savez_compressed(written, **state._asdict())


def _write_report(output, fitted, views, steps):
    """Writes the report and the page, and returns their paths."""
    from tf_softras._shared.files import replaced_whole, write_json

    report, page = output.with_suffix(".report.json"), output.with_suffix(".html")
    write_json(
        report,
        {
            "views": len(views),
            "held_out": sum(view.held_out for view in views),
            "seconds": round(fitted.seconds, 1),
            "interrupted": fitted.interrupted,
            "vertices": len(fitted.mesh.vertices),
            "faces": len(fitted.mesh.faces),
            "center": [float(value) for value in fitted.state.center],
            "longest_side": fitted.state.scale,
            "iou": _number(fitted.mean("iou", held_out=False)),
            "psnr": _number(fitted.mean("psnr", held_out=False)),
            "held_out_iou": _number(fitted.mean("iou", held_out=True)),
            "held_out_psnr": _number(fitted.mean("psnr", held_out=True)),
            "stages": steps.stages,
            "per_view": fitted.measures,
        },
    )
    with replaced_whole(page) as written:
        written.write_text(_page(output.name, fitted, views), encoding="utf-8")
    return report, page


def _page(name, fitted, views):
    """Returns the page: the mesh turning in its vertices' colours, true and fitted views."""
    from tf_softras.fitting import compared_views, upright
    from tf_softras.viewer import PicturePair, comparison_html

    pairs = []
    for view in compared_views(fitted, views):
        measures = view.measures
        kind = "held out" if measures["held_out"] else "fitted"
        caption = f"{view.name}, {kind}: IoU {measures['iou']:.3f}, {measures['psnr']:.1f} dB"
        pairs.append(PicturePair(caption, view.true, view.fitted, measures["held_out"]))
    mesh = upright(fitted.mesh, fitted.state, views)
    return comparison_html(name, mesh, pairs, summary=fit_summary(fitted))


def _number(value):
    """Returns a number for JSON, which has no NaN: None."""
    return round(value, 4) if math.isfinite(value) else None


def _write_film(path, steps, fitted, views, *, frames, size):
    from tf_softras.fitting import fit_film
    from tf_softras.viewer import write_film

    film = fit_film(steps.meshes, fitted, views, size=size, turn_frames=frames)
    write_film(path, film, frames_per_second=15)


def fit_summary(fitted) -> str:
    """Returns a line: IoU and PSNR of the views, and how long the fit took."""
    line = f"IoU {fitted.mean('iou', held_out=False):.3f}"
    line += f", PSNR {fitted.mean('psnr', held_out=False):.1f} dB of the views that it was made of"
    if math.isfinite(fitted.mean("iou", held_out=True)):
        line += (
            f"; {fitted.mean('iou', held_out=True):.3f} and "
            f"{fitted.mean('psnr', held_out=True):.1f} dB of those held out"
        )
    return f"{line}; {fitted.seconds:.0f} seconds"
