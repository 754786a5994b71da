"""The base class of the package's errors about input."""


class SoftrasError(Exception):
    """Input from outside cannot be used: a file, a folder, a server's answer, a picture.

    The message names the input, what was expected and what was received. The command line prints
    it as one sentence; any other exception is a fault of the package and keeps its traceback.
    """
