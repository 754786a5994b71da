"""A plot of a run's history."""

from matplotlib.figure import Figure

from tf_softras._shared.files import replaced_whole
from tf_softras.run_folder import RunFolder, RunFolderError

_PANELS = {
    "loss": {"loss": "training", "val_loss": "validation"},
    "IoU": {
        "silhouette_iou": "silhouettes, training",
        "val_silhouette_iou": "silhouettes, validation",
        "val_voxel_iou": "voxels, validation",
    },
}


def training_curve(run_folder: RunFolder, path) -> None:
    """Writes a PNG of a run's loss and IoU against its steps, whole or not at all.

    Raises:
        RunFolderError: The run has no whole epoch yet.
    """
    rows = run_folder.history()
    if not rows:
        raise RunFolderError(f"'{run_folder.path}': expected a whole epoch to plot; received none")
    # Not pyplot: it would choose a backend for the whole process and keep the figure.
    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, (label, curves) in zip(figure.subplots(1, 2), _PANELS.items(), strict=True):
        for key, name in curves.items():
            points = [(row["step"], row[key]) for row in rows if row.get(key) is not None]
            if points:
                axes.plot(*zip(*points, strict=True), marker=".", label=name)
        axes.set(xlabel="step", ylabel=label)
        axes.grid(alpha=0.3)
        axes.legend()
    with replaced_whole(path) as written:
        figure.savefig(written, format="png", dpi=100)
