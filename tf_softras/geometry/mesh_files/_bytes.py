"""What readers of mesh files have in common: bytes up to a limit, and no further files."""

import pathlib

import trimesh


def read_bytes(path: pathlib.Path, *, max_bytes: int) -> bytes:
    """Returns the content of a file of at most `max_bytes` bytes."""
    if path.exists() and not path.is_file():
        raise ValueError("Expected a file, received a folder or a device.")
    with path.open("rb") as file:
        # One byte more than allowed tells a file that is too large, also one that grows meanwhile.
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ValueError(f"Expected at most {max_bytes} bytes (max_bytes), received more.")
    return data


class ClosedResolver(trimesh.resolvers.Resolver):
    """What trimesh asks for further files: it has none, so no texture is ever opened."""

    def __init__(self):
        pass

    def get(self, key):
        """Raises, whatever file is asked for."""
        raise FileNotFoundError(key)

    def keys(self):
        """Returns no name."""
        return []

    def write(self, name, data):
        """Raises: nothing is written."""
        raise PermissionError(name)

    def namespaced(self, namespace):
        """Returns what is as closed as this."""
        return self
