#!/bin/bash
# Tests what is published. The wheel in dist: its files, and the README's quick start in a new environment that has no
# compiler. The source distribution: built from, with Bazel, it gives the same files. Takes minutes; run by `make test-wheel`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly ROOT="$(pwd -P)" WORK="$(pwd -P)/build/test_wheel"
readonly WHEEL=$(ls -t dist/*.whl | head -n 1)

say() { printf '== %s\n' "$*"; }

# Runs in $WORK/empty with the new environment's programs and the system's coreutils, no compiler and no Bazel.
in_clean() {
  (cd "$WORK/empty" && env -i HOME="$WORK/empty" PATH="$WORK/venv/bin:$WORK/bin" TF_CPP_MIN_LOG_LEVEL=3 "$@")
}

install_wheel() {
  say "$WHEEL into a new environment without a compiler"
  rm -rf "$WORK" && mkdir -p "$WORK/empty" "$WORK/bin"
  .venv/bin/python -m venv "$WORK/venv"
  ln -s "$(command -v uname)" "$(command -v ldconfig || command -v true)" "$WORK/bin"
  # pip's own settings (an index, say) come with the machine; nothing else does.
  env PATH="$WORK/venv/bin:$WORK/bin" "$WORK/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --constraint constraints.txt "$ROOT/$WHEEL[tensorflow-cpu,all]"
  "$WORK/venv/bin/python" -m pip check
  ! in_clean sh -c 'command -v gcc g++ cc bazel' 2>/dev/null || { echo 'a compiler is in reach'; return 1; }
}

run_quick_start() {
  say "the README's quick start, and the command"
  cp README.md "$WORK/empty"
  in_clean python -c 'import doctest, sys
result = doctest.testfile("README.md", module_relative=False)
print(result)
sys.exit(result.failed or result.attempted < 10)'
  in_clean python -c 'import importlib, pkgutil, tf_softras
for module in pkgutil.walk_packages(tf_softras.__path__, "tf_softras."):
    if not module.name.endswith("_test") and "._softras_" not in module.name:
        importlib.import_module(module.name)'
  in_clean python -c 'from tf_softras.datasets.shapenet_views.embedded_sample import unpack_sample
unpack_sample("sample")'
  in_clean softras --version
  in_clean softras render sample/03001627/988dadbac4c0601d4bea22f1d04f4079/models/model_normalized.obj -o chair.png
  in_clean softras view sample/03001627/988dadbac4c0601d4bea22f1d04f4079/models/model_normalized.obj -o chair.html
}

build_from_sdist() {
  say "the source distribution, built from"
  rm -rf "$WORK/sdist" && mkdir -p "$WORK/sdist"
  .venv/bin/python -m build --sdist --no-isolation --outdir "$WORK/sdist" . >/dev/null
  tar -xzf "$WORK"/sdist/*.tar.gz -C "$WORK/sdist"
  # The disk cache of Bazel's actions, if there is one, is the developer's.
  [[ ! -f .bazelrc.user ]] || cp .bazelrc.user "$WORK"/sdist/tf_softras-*/
  (cd "$WORK"/sdist/tf_softras-*/ && "$ROOT/.venv/bin/python" -m pip wheel --quiet --disable-pip-version-check \
    --no-build-isolation --no-deps --wheel-dir "$WORK/sdist/dist" .)
  .venv/bin/python tools/check_wheel.py "$WHEEL" "$WORK"/sdist/dist/*.whl
}

.venv/bin/python tools/check_wheel.py "$WHEEL"
install_wheel
run_quick_start
build_from_sdist
rm -rf "$WORK"
