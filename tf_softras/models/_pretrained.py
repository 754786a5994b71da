"""Reads and writes the weights that come with the package."""

import json
import pathlib
from typing import Any

import numpy as np

from tf_softras._shared.errors import SoftrasError
from tf_softras._shared.files import replaced_whole
from tf_softras.config import ModelConfig

FOLDER = pathlib.Path(__file__).parent / "pretrained"
# Float16 keeps 11 bits of a weight; the 3D IoU of the shipped network is the same to 0.001.
_STORED = "float16"


class PretrainedError(SoftrasError, ValueError):
    """Raised when a file holds no weights of the network that is asked for."""


def pretrained_names() -> tuple[str, ...]:
    """Returns the names of the weights that come with the package, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.npz")))


def save_pretrained(reconstructor, path) -> None:
    """Writes the configuration and the weights of a `MeshReconstructor`, in half precision.

    Args:
        reconstructor: The network.
        path: The file to write, `.npz`.

    Raises:
        PretrainedError: A weight does not fit into half precision.
    """
    config = json.dumps(reconstructor.config.to_dict()).encode()
    arrays: dict[str, Any] = {"config": np.frombuffer(config, np.uint8)}
    for index, weight in enumerate(reconstructor.get_weights()):
        with np.errstate(over="ignore"):
            stored = weight.astype(_STORED)
        if not np.isfinite(stored).all():
            raise PretrainedError(
                f"weight {index}: expected values that {_STORED} holds; received "
                f"{np.abs(weight).max():g}"
            )
        arrays[f"weight_{index:03d}"] = stored
    with replaced_whole(path) as written, written.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read_pretrained(path) -> tuple[ModelConfig, list[np.ndarray]]:
    """Returns the configuration and the weights, float32, that `save_pretrained` wrote.

    Raises:
        PretrainedError: The file is missing, damaged or something else.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            config = ModelConfig.from_dict(json.loads(arrays["config"].tobytes()))
            names = sorted(name for name in arrays.files if name != "config")
            weights = [arrays[name].astype("float32") for name in names]
    # NumPy, zipfile and json each have errors of their own for a damaged file.
    except Exception as error:
        raise PretrainedError(
            f"{path}: expected weights that come with tf_softras; received {error}"
        ) from error
    return config, weights


def set_pretrained(reconstructor, weights: list[np.ndarray], name: str) -> None:
    """Gives a network the weights of a file.

    Raises:
        PretrainedError: Their number or shapes are another network's.
    """
    expected = [tuple(weight.shape) for weight in reconstructor.weights]
    received = [weight.shape for weight in weights]
    if expected != received:
        raise PretrainedError(
            f"weights of {name!r}: expected {len(expected)} arrays of the network's shapes; "
            f"received {len(received)} of other shapes"
        )
    reconstructor.set_weights(weights)
