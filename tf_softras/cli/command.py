"""Shared by all commands: they load TensorFlow quietly and report wrong input in one sentence."""

import contextlib
import importlib
import logging
import os
import sys
import tempfile

import click

from tf_softras._shared.errors import SoftrasError
from tf_softras._shared.extras import needs

LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_VERBOSE = "tf_softras.verbose"


class WrongInput(click.ClickException):
    """The user's input cannot be used: one sentence on stderr, exit code 2."""

    exit_code = 2

    def __init__(self, error):
        message = str(error)
        if isinstance(error, OSError) and error.strerror:
            message = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        super().__init__(" ".join(message.split()))


class _WithExamples:
    """A command whose help ends with lines to copy."""

    def __init__(self, *args, examples=(), **kwargs):
        super().__init__(*args, **kwargs)
        self.examples = examples

    def format_epilog(self, ctx, formatter):
        """Writes the examples."""
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write(f"{'':{formatter.current_indent}}{example}\n")


class Group(_WithExamples, click.Group):
    """The command `softras`, which holds the others."""


class Command(_WithExamples, click.Command):
    """A command that loads TensorFlow quietly and turns known errors into `WrongInput`."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.params.append(
            click.Option(
                ["--verbose"],
                is_flag=True,
                expose_value=False,
                callback=_keep_verbose,
                help="Show TensorFlow's log.",
            )
        )

    def invoke(self, ctx):
        """Runs the command."""
        try:
            load_tensorflow(verbose=ctx.meta.get(_VERBOSE, False))
            with needs("all", f"softras {self.name}"):
                return super().invoke(ctx)
        # ImportError: another TensorFlow or Keras backend, or a library that was not built.
        except (SoftrasError, ImportError, OSError) as error:
            raise WrongInput(error) from error


def _keep_verbose(ctx, _, value: bool) -> None:
    ctx.meta[_VERBOSE] = value


@contextlib.contextmanager
def wrong_input(*errors: type[Exception]):
    """Turns `errors` into `WrongInput`. Use it for calls that raise them only for bad arguments."""
    try:
        yield
    except errors as error:
        raise WrongInput(error) from error


def load_tensorflow(*, verbose: bool = False) -> None:
    """Imports TensorFlow and keeps its log off the terminal.

    The log is shown with `verbose`, or if the environment sets TF_CPP_MIN_LOG_LEVEL.
    """
    if verbose or LOG_LEVEL in os.environ:
        return
    os.environ[LOG_LEVEL] = "2"
    logging.getLogger("absl").setLevel(logging.ERROR)
    if "tensorflow" not in sys.modules:
        with _stderr_held_back():
            importlib.import_module("tensorflow")


@contextlib.contextmanager
def _stderr_held_back():
    """Redirects stderr's descriptor to a file, and shows the file only if there was an error.

    TensorFlow 2.21 writes about oneDNN before it looks at the level of its log.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as held_back:
        os.dup2(held_back.fileno(), 2)
        try:
            yield
        except BaseException:
            held_back.seek(0)
            os.write(terminal, held_back.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
