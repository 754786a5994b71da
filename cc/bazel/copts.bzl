"""Compiler options and the C++ test rule of the project."""

WARNINGS = [
    "-Wall",
    "-Wextra",
]

# These let the compiler vectorise sqrt, floor and selects. They change no rounding (unlike -ffast-math, which would also
# switch the whole process to flush-to-zero when the library is loaded).
NUMERIC = [
    "-O3",
    "-fno-math-errno",
    "-fno-trapping-math",
] + select({
    # Tuning of the code for AVX-512 and AVX2 (cc/cpu/simd.h); it does not choose the instructions. Generic tuning
    # takes gathers apart, and halves the vectors of AVX-512.
    "@bazel_tools//src/conditions:linux_x86_64": [
        "-mtune=icelake-server",
        "-mprefer-vector-width=512",
    ],
    "//conditions:default": [],
})

def unit_tests(sources, deps, copts = [], data = [], tags = []):
    """Makes a googletest of every file, named after the file.

    Args:
      sources: the files, usually glob(["*_test.cc"]).
      deps: libraries under test.
      copts: options beside the warnings.
      data: files that the tests read.
      tags: of the tests: "tensorflow" for those that link it.
    """
    for source in sources:
        native.cc_test(
            name = source[:-len(".cc")],
            size = "small",
            srcs = [source],
            copts = WARNINGS + copts,
            data = data,
            linkstatic = 1,
            tags = tags,
            deps = deps + ["@googletest//:gtest_main"],
        )

def emulated_cuda_tests(sources, deps):
    """Makes a plain program of every test of CUDA kernels, which runs them over the emulation (docs/cuda.md).

    Args:
      sources: the files, usually glob(["*_test.cc"]).
      deps: the emulated kernels under test, and what they are compared with.
    """
    for source in sources:
        native.cc_test(
            name = source[:-len(".cc")],
            size = "medium",
            # Up to 40 s of a processor, which others may use too.
            timeout = "long",
            srcs = [source],
            copts = WARNINGS + NUMERIC,
            linkstatic = 1,
            tags = ["no_tsan"],
            deps = deps,
        )
