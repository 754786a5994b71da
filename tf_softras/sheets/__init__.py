"""Sheets of pictures: reconstructions beside the truth, and the curve of a training."""

from tf_softras.sheets._color_sheet import color_sheet
from tf_softras.sheets._comparison_sheet import comparison_sheet
from tf_softras.sheets._contact_sheet import contact_sheet
from tf_softras.sheets._training_curve import training_curve

__all__ = ["color_sheet", "comparison_sheet", "contact_sheet", "training_curve"]
