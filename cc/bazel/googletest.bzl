"""The system's googletest (Debian and Ubuntu: libgtest-dev) as the repository @googletest."""

_LIBRARY_FOLDERS = [
    "lib",
    "lib64",
    "lib/x86_64-linux-gnu",
    "lib/aarch64-linux-gnu",
]

_BUILD = """
cc_library(
    name = "gtest_main",
    srcs = ["lib/libgtest_main.a", "lib/libgtest.a"],
    hdrs = glob(["include/gtest/**/*.h"]),
    includes = ["include"],
    linkopts = ["-pthread"],
    linkstatic = 1,
    visibility = ["//visibility:public"],
)
"""

def _system_googletest_impl(repository_ctx):
    prefix = repository_ctx.os.environ.get("GTEST_ROOT", "") or "/usr"
    headers = repository_ctx.path(prefix + "/include/gtest")
    libraries = [
        folder
        for folder in [repository_ctx.path(prefix + "/" + name) for name in _LIBRARY_FOLDERS]
        if folder.get_child("libgtest.a").exists and folder.get_child("libgtest_main.a").exists
    ]
    if not headers.exists or not libraries:
        fail(("googletest was not found in %s: expected include/gtest and lib/libgtest.a, libgtest_main.a. " +
              "Install it (Debian, Ubuntu: apt-get install libgtest-dev), or name its prefix in GTEST_ROOT.") % prefix)

    # Links to googletest's own folder alone: the whole of /usr/include in front of the compiler's search path breaks
    # the standard library's #include_next.
    repository_ctx.symlink(headers, "include/gtest")
    for name in ["libgtest.a", "libgtest_main.a"]:
        repository_ctx.symlink(libraries[0].get_child(name), "lib/" + name)
    repository_ctx.file("BUILD", _BUILD, executable = False)

system_googletest = repository_rule(
    implementation = _system_googletest_impl,
    environ = ["GTEST_ROOT"],
    local = True,
    doc = "Links the system's googletest, or the one under GTEST_ROOT.",
)
