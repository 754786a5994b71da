"""The TensorFlow of a Python environment, as pip installed it, as the repository @tensorflow.

Which Python: PYTHON_BIN_PATH, else the project's own .venv, else python3. TF_SOFTRAS_TENSORFLOW names TensorFlow's
folder outright; setup.py sets it where TensorFlow is not in the interpreter's own environment (pip's build isolation).
"""

# The answer is one line of JSON at the end: TensorFlow may log before it.
_ASK = """
import json
import tensorflow
print(json.dumps({
    "include": tensorflow.sysconfig.get_include(),
    "lib": tensorflow.sysconfig.get_lib(),
    "version": tensorflow.__version__,
}))
"""

# The header folder is ONE source directory: as a glob of its 18,000 files every incremental compile takes three times
# as long. The defines are those of tf.sysconfig.get_compile_flags(), which tests/test_packaging.py compares.
_BUILD = """
cc_library(
    name = "headers",
    hdrs = ["include"],
    defines = [
        "_GLIBCXX_USE_CXX11_ABI=1",
        "EIGEN_MAX_ALIGN_BYTES=64",
    ],
    includes = ["include"],
    visibility = ["//visibility:public"],
)

cc_library(
    name = "framework",
    srcs = ["{library}"],
    visibility = ["//visibility:public"],
    deps = [":headers"],
)

# XLA: headers of its headers, and the library that holds the compiler.
cc_library(
    name = "compiler",
    srcs = ["{compiler_library}"],
    includes = [
        "include/external/farmhash_archive/src",
        "include/external/highwayhash",
    ],
    visibility = ["//visibility:public"],
    deps = [":framework"],
)
"""

_LIBRARY = "libtensorflow_framework.so.2"
_COMPILER_LIBRARY = "libtensorflow_cc.so.2"

def _choose_python(repository_ctx):
    chosen = repository_ctx.os.environ.get("PYTHON_BIN_PATH", "")
    if chosen:
        return chosen
    own = repository_ctx.path(Label("//:WORKSPACE")).dirname.get_child(".venv").get_child("bin").get_child("python")
    if own.exists:
        return str(own)
    found = repository_ctx.which("python3")
    if not found:
        fail("No Python was found: `make build` sets one up, or name one that has TensorFlow in PYTHON_BIN_PATH.")
    return str(found)

def _ask_python(repository_ctx, python):
    # Quiet, and no search for GPUs.
    answer = repository_ctx.execute(
        [python, "-c", _ASK],
        environment = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
        timeout = 300,
    )
    if answer.return_code != 0:
        last_line = (answer.stderr.strip().split("\n") or [""])[-1]
        fail(("TensorFlow was not found by %s (%s). `make build` sets an environment up, or name a Python that has " +
              "TensorFlow in PYTHON_BIN_PATH.") % (python, last_line))
    return json.decode(answer.stdout.strip().split("\n")[-1])

def _pip_tensorflow_impl(repository_ctx):
    folder = repository_ctx.os.environ.get("TF_SOFTRAS_TENSORFLOW", "")
    if folder:
        include, lib = folder + "/include", folder
    else:
        answer = _ask_python(repository_ctx, _choose_python(repository_ctx))
        include, lib = answer["include"], answer["lib"]

    libraries = [_LIBRARY, _COMPILER_LIBRARY]
    for path in [include + "/tensorflow/core/framework/op_kernel.h"] + [lib + "/" + name for name in libraries]:
        if not repository_ctx.path(path).exists:
            fail("%s was not found, and every TensorFlow for Linux has it: install TensorFlow again." % path)
    repository_ctx.symlink(include, "include")
    for name in libraries:
        repository_ctx.symlink(lib + "/" + name, name)
    build = _BUILD.format(library = _LIBRARY, compiler_library = _COMPILER_LIBRARY)
    repository_ctx.file("BUILD", build, executable = False)

pip_tensorflow = repository_rule(
    implementation = _pip_tensorflow_impl,
    environ = ["PYTHON_BIN_PATH", "TF_SOFTRAS_TENSORFLOW"],
    doc = "Links the headers and the framework library of pip's TensorFlow.",
)
