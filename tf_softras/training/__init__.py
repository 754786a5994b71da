"""Training and evaluation of mesh reconstruction, and the folders that runs live in."""

from tf_softras.evaluation._evaluate import (
    Evaluation,
    comparison_table,
    evaluate,
)
from tf_softras.evaluation._evaluate_colors import evaluate_colors
from tf_softras.evaluation._measure import Measurements, measure, metrics_table, true_meshes
from tf_softras.reconstruction import TemplateBaseline
from tf_softras.run_folder import RunFolder, RunFolderError
from tf_softras.sheets._color_sheet import color_sheet
from tf_softras.sheets._comparison_sheet import comparison_sheet
from tf_softras.sheets._contact_sheet import contact_sheet
from tf_softras.sheets._training_curve import training_curve
from tf_softras.training._train import train
from tf_softras.training._train_options import TrainOptions
from tf_softras.training.callbacks import NonFiniteLossError
from tf_softras.training.distributed import make_strategy
from tf_softras.training.experiments import run_experiment
from tf_softras.training.sigma_schedule import SigmaSchedule
from tf_softras.training.view_pair_model import ViewPairModel

__all__ = [
    "Evaluation",
    "Measurements",
    "NonFiniteLossError",
    "RunFolder",
    "RunFolderError",
    "SigmaSchedule",
    "TemplateBaseline",
    "TrainOptions",
    "ViewPairModel",
    "color_sheet",
    "comparison_sheet",
    "comparison_table",
    "contact_sheet",
    "evaluate",
    "evaluate_colors",
    "make_strategy",
    "measure",
    "metrics_table",
    "run_experiment",
    "train",
    "training_curve",
    "true_meshes",
]
