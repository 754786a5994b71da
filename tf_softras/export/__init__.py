"""The trained network for others to run: SavedModels, in a server or in Python."""

from tf_softras.export.saved_model import export_saved_model
from tf_softras.export.versions import free_version
from tf_softras.reconstruction import (
    ExportedReconstructor,
    SavedModelError,
    saved_model_folder,
)

__all__ = [
    "ExportedReconstructor",
    "SavedModelError",
    "export_saved_model",
    "free_version",
    "saved_model_folder",
]
