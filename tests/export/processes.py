"""Requests to a SavedModel in a process of its own."""

import os
import pathlib
import pickle
import subprocess
import sys
import tempfile

SCRIPT = pathlib.Path(__file__).with_name("as_a_server.py")


def run_as_a_server(saved_model, requests, *libraries):
    """Returns the findings of tests/export/as_a_server.py, whose process must end by itself."""
    with tempfile.TemporaryDirectory() as folder:
        files = [pathlib.Path(folder) / name for name in ("requests", "answers")]
        files[0].write_bytes(pickle.dumps(requests))
        command = [sys.executable, "-I", SCRIPT, saved_model, *files, *libraries]
        result = subprocess.run(
            list(map(str, command)),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=500,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        assert result.returncode == 0, result.stderr[-3000:]
        return pickle.loads(files[1].read_bytes())
