"""The package's version and the one TensorFlow minor version that its op library binds to."""

__version__ = "0.1.0"

# The op library uses TensorFlow's C++ symbols, whose names change with every minor version.
# pyproject.toml has to repeat it: tests/test_packaging.py keeps the two alike.
TENSORFLOW_MINOR = "2.21"
