"""The package's version, and the TensorFlow minor version that its wheels are built for."""

__version__ = "0.1.0"

# The op library uses TensorFlow's C++ symbols, whose names change with every minor version: it
# works with the one that it was built for (`ops.library.built_for`), from source also another.
# docs/compatibility.md tells which were tried.
# pyproject.toml has to repeat it: tests/test_packaging.py keeps the two alike.
TENSORFLOW_MINOR = "2.21"
