"""Reconstructors by where they are: a run, a SavedModel, a model server."""

import os
import pathlib

from tf_softras.reconstruction._any_network import as_reconstructor
from tf_softras.reconstruction._exported import ExportedReconstructor, saved_model_folder
from tf_softras.reconstruction._protocol import Reconstructor, ReconstructorError
from tf_softras.reconstruction._shipped import shipped_network
from tf_softras.run_folder import RunFolder


def open_reconstructor(
    source: str | os.PathLike | None = None, *, checkpoint: str = "best", timeout: float = 60.0
) -> Reconstructor:
    """Returns the reconstructor of a run, of a SavedModel or of a model under TensorFlow Serving.

    Args:
        source: The folder of a run (`softras train`); a SavedModel or a folder of its versions
            (`softras export`), of which the newest is taken; or the URL of a served model,
            grpc://HOST:PORT/MODEL or http://HOST:PORT/v1/models/MODEL. None for the network that
            comes with tf_softras.
        checkpoint: Weights of a run: "best" by validation, or "last". Anything else has one set of
            weights and takes "best" alone.
        timeout: Seconds to wait for a server's answer.

    Raises:
        ReconstructorError: `source` is none of these, `checkpoint` is that of a run and `source` is
            none, or this copy holds no weights.
        RunFolderError: The run has no such checkpoint, or it cannot be read.
        SavedModelError: The SavedModel holds no reconstructor.
        ServingError: The server cannot be reached, or serves something else.
    """
    if source is None:
        _check_without_run("the network that comes with tf_softras", checkpoint)
        return as_reconstructor(shipped_network())
    if "://" in str(source):
        # gRPC and REST clients load only where a server is asked.
        from tf_softras.reconstruction._served import ServedReconstructor

        _check_without_run(f"'{source}'", checkpoint)
        return ServedReconstructor(str(source), timeout=timeout)
    path = pathlib.Path(source)
    if saved_model_folder(path) is not None:
        _check_without_run(f"'{path}'", checkpoint)
        return ExportedReconstructor(path)
    if (path / "config.json").is_file():
        return as_reconstructor(RunFolder.open(path).load_reconstructor(checkpoint))
    raise ReconstructorError(
        f"'{path}': expected the folder of a run (`softras train`), a SavedModel (`softras "
        "export`) or the URL of a served model; received a path that is none of these"
    )


def _check_without_run(received: str, checkpoint: str) -> None:
    if checkpoint != "best":
        raise ReconstructorError(
            f"checkpoint: expected the folder of a run for '{checkpoint}'; received {received}, "
            "which has one set of weights"
        )
