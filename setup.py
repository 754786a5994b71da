"""Builds the op libraries with Bazel; everything else about the package is in pyproject.toml."""

import importlib.metadata
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.errors import ExecError

ROOT = pathlib.Path(__file__).resolve().parent
# Read by tf_softras/ops/_library.py.
BUILT_FOR = pathlib.PurePath("tf_softras/ops/_built_for.txt")
# Extension -> Bazel's target.
TARGETS = {
    "tf_softras.ops._softras_ops": "//cc:soft_rasterize_ops.so",
    "tf_softras.ops._softras_xla": "//cc:soft_rasterize_xla.so",
}


def tensorflow_folder() -> pathlib.Path:
    """The folder of the TensorFlow that this interpreter would import."""
    spec = importlib.util.find_spec("tensorflow")
    if spec is None or not spec.submodule_search_locations:
        raise ExecError(
            "TensorFlow was not found, and the op library is built against it: install "
            "tf_softras's build requirements (pyproject.toml), or let pip do so by leaving out "
            "--no-build-isolation."
        )
    return pathlib.Path(spec.submodule_search_locations[0])


def tensorflow_minor() -> str:
    """The minor version of that TensorFlow, to which the library binds."""
    folder = str(tensorflow_folder().parent)
    minors = {
        ".".join(distribution.version.split(".")[:2])
        for distribution in importlib.metadata.distributions(path=[folder])
        if distribution.name in ("tensorflow", "tensorflow-cpu", "tensorflow_cpu")
    }
    if len(minors) != 1:
        raise ExecError(
            f"Expected one TensorFlow in {folder}, found {' and '.join(sorted(minors)) or 'none'}: "
            "reinstall tensorflow or tensorflow-cpu, one of the two."
        )
    return minors.pop()


def bazel_environment() -> dict[str, str]:
    """The variables by which cc/bazel/tensorflow.bzl finds TensorFlow."""
    environment = dict(os.environ, PYTHON_BIN_PATH=sys.executable)
    environment.pop("TF_SOFTRAS_TENSORFLOW", None)
    folder = tensorflow_folder()
    # Under pip's build isolation TensorFlow lies in a temporary folder that the interpreter alone
    # does not know. It is another one in every build: naming it makes Bazel look again.
    if pathlib.Path(sys.prefix) not in folder.parents:
        environment["TF_SOFTRAS_TENSORFLOW"] = str(folder)
    return environment


def run(command: list[str], **options) -> str:
    """The standard output of `command`, run in the project's root."""
    try:
        return subprocess.run(
            command, cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE, **options
        ).stdout.strip()
    except subprocess.CalledProcessError as error:
        raise ExecError(f"{command[0]} failed with exit status {error.returncode}") from None


class BazelBuildExt(build_ext):
    """Fills the extensions from Bazel's build of the op libraries."""

    def get_ext_filename(self, fullname):
        # A TensorFlow op library is no Python module: it has no ABI suffix.
        return str(pathlib.Path(*fullname.split("."))) + ".so"

    def run(self):
        super().run()
        folder = ROOT if self.inplace else pathlib.Path(self.build_lib)
        (folder / BUILT_FOR).write_text(tensorflow_minor() + "\n", encoding="utf-8")

    def build_extensions(self):
        bazel = run(["sh", str(ROOT / "tools" / "find_bazel.sh")])
        environment = bazel_environment()
        quiet = ["--ui_event_filters=-info", "--noshow_progress", "--show_result=0"]
        run([bazel, "build", *quiet, *TARGETS.values()], env=environment)
        binaries = run([bazel, "info", "bazel-bin"], env=environment)
        for name, target in TARGETS.items():
            source = pathlib.Path(binaries, *target.removeprefix("//").split(":"))
            replace(source, pathlib.Path(self.get_ext_fullpath(name)))

    def copy_extensions_to_source(self):
        for extension in self.extensions:
            name = self.get_ext_filename(extension.name)
            replace(pathlib.Path(self.build_lib, name), ROOT / name)


def replace(source: pathlib.Path, target: pathlib.Path) -> None:
    """Copies and renames: a process that has the old library open keeps it whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copyfile(source, beside)
    beside.chmod(0o755)
    beside.replace(target)


class PlatformWheel(bdist_wheel):
    """One wheel for all Pythons: the library binds to TensorFlow, not to Python."""

    def get_tag(self):
        return "py3", "none", super().get_tag()[2]


setup(
    ext_modules=[Extension(name, sources=[]) for name in TARGETS],
    cmdclass={"build_ext": BazelBuildExt, "bdist_wheel": PlatformWheel},
)
