"""Stand-ins for repositories that Bazel 4 would download before it builds any C++.

Bazel 4 keeps the C++ and Java rules in itself. `@rules_cc` and `@rules_java` only hand those native rules on under
another name, and coverage is never collected here, so empty targets do.
"""

_DEFS = {
    "rules_cc": {
        "cc/BUILD": """toolchain_type(name = "toolchain_type", visibility = ["//visibility:public"])\n""",
        "cc/defs.bzl": "\n".join([
            "%s = native.%s" % (rule, rule)
            for rule in [
                "cc_binary",
                "cc_import",
                "cc_library",
                "cc_proto_library",
                "cc_test",
                "cc_toolchain",
                "cc_toolchain_suite",
                "objc_library",
            ]
        ]) + "\n",
    },
    "rules_java": {
        "java/BUILD": "",
        "java/defs.bzl": "\n".join([
            "%s = native.%s" % (rule, rule)
            for rule in [
                "java_binary",
                "java_import",
                "java_library",
                "java_proto_library",
                "java_runtime",
                "java_toolchain",
            ]
        ]) + "\n",
    },
    "rules_proto": {
        "proto/BUILD": "",
        "proto/defs.bzl": "proto_lang_toolchain = native.proto_lang_toolchain\nproto_library = native.proto_library\n",
    },
    "remote_coverage_tools": {
        "BUILD": """filegroup(name = "coverage_report_generator", visibility = ["//visibility:public"])
filegroup(name = "lcov_merger", visibility = ["//visibility:public"])
""",
    },
}

def _stand_in_impl(repository_ctx):
    repository_ctx.file("WORKSPACE", "workspace(name = \"%s\")\n" % repository_ctx.attr.stands_for)
    for path, text in _DEFS[repository_ctx.attr.stands_for].items():
        repository_ctx.file(path, text, executable = False)

_stand_in = repository_rule(
    implementation = _stand_in_impl,
    attrs = {"stands_for": attr.string(mandatory = True)},
    doc = "The few files of a well-known repository that a C++ build reads.",
)

def offline_repositories():
    """Defines the stand-ins under Bazel 4, and nothing under a newer Bazel, which needs the true ones."""

    # A released Bazel is "6.5.0"; Debian's Bazel 4.2.3 calls itself "no_version" or nothing.
    version = native.bazel_version
    if version[:1].isdigit() and not version.startswith("4."):
        return
    for name in _DEFS:
        _stand_in(name = name, stands_for = name)
