#!/bin/sh
# Prints the Bazel to use: $BAZEL, else bazel, else bazelisk. Without one: says how to get it, and fails.
set -eu

for candidate in ${BAZEL:+"$BAZEL"} bazel bazelisk; do
  if path=$(command -v "$candidate"); then
    printf '%s\n' "$path"
    exit 0
  fi
done

cat >&2 <<'END'
Bazel was not found, and the op library is built with it. Three ways to get it:
  1. Debian 12 or later, as root:   apt-get install bazel-bootstrap
  2. any Linux:                     put bazelisk (https://github.com/bazelbuild/bazelisk) on PATH
  3. a Bazel of version 4 to 7:     name it, as in   BAZEL=/path/to/bazel make build
END
exit 1
