"""nvcc: the toolkit as the repository @cuda, and a rule that compiles .cu.cc files.

GPU code is opt-in, so that the ordinary build stays quick: TF_SOFTRAS_CUDA=1 in the environment, or
`bazel build --config=cuda`. The toolkit is CUDA_HOME's, else the one whose nvcc is on the PATH. Where there is none,
the GPU kernels are left out, and the build says so.
"""

# The objects hold machine code for each of these, and PTX that newer GPUs' drivers compile.
_MACHINES = [
    "75",
    "80",
    "86",
    "89",
    "90",
]

_GENERATED_CODE = ["-gencode=arch=compute_%s,code=sm_%s" % (machine, machine) for machine in _MACHINES] + [
    "-gencode=arch=compute_%s,code=compute_%s" % (_MACHINES[-1], _MACHINES[-1]),
]

_NVCC_OPTIONS = [
    "-x=cu",
    "-O3",
    "-std=c++17",
    # constexpr functions of the standard library (std::numeric_limits) on the device.
    "--expt-relaxed-constexpr",
    "-Xcompiler=-fPIC,-Wall,-Wextra",
    "-Werror=all-warnings",
]

_BUILD_WITH_TOOLKIT = """
package(default_visibility = ["//visibility:public"])

filegroup(name = "nvcc", srcs = ["nvcc.sh"])

# Static: the op library loads where no CUDA and no driver is. It must come before TensorFlow in `deps`, whose framework
# library, where it is built for GPUs, exports these symbols too, and one built for CPUs does not.
cc_library(
    name = "cudart",
    srcs = ["libcudart_static.a"],
    linkopts = ["-ldl", "-lpthread", "-lrt"],
)
"""

_BUILD_WITHOUT = """
package(default_visibility = ["//visibility:public"])

filegroup(name = "nvcc", srcs = [])

cc_library(name = "cudart")
"""

def _library_folder(toolkit):
    for name in ["lib64", "lib", "targets/x86_64-linux/lib"]:
        folder = toolkit
        for part in name.split("/"):
            folder = folder.get_child(part)
        if folder.get_child("libcudart_static.a").exists:
            return folder
    return None

def _find_toolkit(repository_ctx):
    """The folder of the toolkit, or None and why."""
    home = repository_ctx.os.environ.get("CUDA_HOME", "")
    if home:
        toolkit = repository_ctx.path(home)
    else:
        nvcc = repository_ctx.which("nvcc")
        if not nvcc:
            return None, "no nvcc is on the PATH, and CUDA_HOME is not set"

        # nvcc may be a script or a link: it knows where it lives.
        answer = repository_ctx.execute([nvcc, "--dryrun", "-c", "-x=cu", "/dev/null"])
        tops = [
            line.split("=", 1)[1]
            for line in answer.stderr.split("\n")
            if line.startswith("#$ TOP=")
        ]
        if not tops:
            return None, "%s does not say where its toolkit is" % nvcc
        toolkit = repository_ctx.path(tops[0])
    if not toolkit.get_child("bin").get_child("nvcc").exists:
        return None, "%s has no bin/nvcc" % toolkit
    if not _library_folder(toolkit):
        return None, "%s has no libcudart_static.a" % toolkit
    return toolkit, None

def _cuda_toolkit_impl(repository_ctx):
    toolkit = None
    if repository_ctx.os.environ.get("TF_SOFTRAS_CUDA", "0") == "1":
        toolkit, reason = _find_toolkit(repository_ctx)
        if not toolkit:
            # buildifier: disable=print
            print("\n\nTF_SOFTRAS_CUDA=1, but %s.\nThe GPU kernels are LEFT OUT of this build.\n" % reason)
    if toolkit:
        repository_ctx.file("nvcc.sh", "#!/bin/sh\nexec '%s/bin/nvcc' \"$@\"\n" % toolkit, executable = True)
        repository_ctx.symlink(_library_folder(toolkit).get_child("libcudart_static.a"), "libcudart_static.a")
    repository_ctx.file("BUILD", _BUILD_WITH_TOOLKIT if toolkit else _BUILD_WITHOUT, executable = False)
    repository_ctx.file("found.bzl", "CUDA_FOUND = %s\n" % bool(toolkit), executable = False)

cuda_toolkit = repository_rule(
    implementation = _cuda_toolkit_impl,
    environ = ["CUDA_HOME", "PATH", "TF_SOFTRAS_CUDA"],
    local = True,
    doc = "Links the CUDA toolkit, if one is asked for and found; found.bzl says so.",
)

def _cuda_objects_impl(ctx):
    headers = depset(transitive = [dep[CcInfo].compilation_context.headers for dep in ctx.attr.deps])
    objects = []
    for source in ctx.files.srcs:
        output = ctx.actions.declare_file(source.basename[:-len(".cu.cc")] + ".pic.o")
        arguments = ctx.actions.args()
        arguments.add_all(_NVCC_OPTIONS + _GENERATED_CODE)
        arguments.add_all(["-I.", "-c", source, "-o", output])
        ctx.actions.run(
            executable = ctx.executable._nvcc,
            arguments = [arguments],
            inputs = depset([source] + ctx.files.hdrs, transitive = [headers]),
            outputs = [output],
            # nvcc looks for the host's compiler.
            env = {"PATH": "/usr/local/bin:/usr/bin:/bin"},
            mnemonic = "NvccCompile",
            progress_message = "Compiling %s with nvcc" % source.short_path,
        )
        objects.append(output)
    return [DefaultInfo(files = depset(objects))]

cuda_objects = rule(
    implementation = _cuda_objects_impl,
    attrs = {
        "srcs": attr.label_list(allow_files = [".cu.cc"], doc = "What nvcc compiles."),
        "hdrs": attr.label_list(allow_files = [".h"]),
        "deps": attr.label_list(providers = [CcInfo], doc = "Libraries whose headers are included."),
        "_nvcc": attr.label(default = "@cuda//:nvcc", executable = True, cfg = "host", allow_files = True),
    },
    doc = "Position-independent objects of CUDA sources, to be the srcs of a cc_library.",
)
