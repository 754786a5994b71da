#!/bin/bash
# Builds and tests with each pair of a TensorFlow and a Python: a copy of the tree, `make build` in it, then pytest. Prints
# a table, which docs/compatibility.md holds. Takes minutes and 3 GB a pair, which go when it is done.
#   TENSORFLOWS='2.21.0 2.20.0'  PYTHONS='3.10 3.11 3.12 3.13'  MATRIX_TESTS='tests/ops tests/layers'
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly WORK="$(pwd -P)/build/matrix"
readonly TABLE="$WORK/table.md"
# The tests that touch TensorFlow, Keras or Python's own library; MATRIX_TESTS=tests runs all.
readonly TESTS="${MATRIX_TESTS:-tests/geometry tests/ops tests/layers tests/models tests/test_losses.py tests/test_metrics.py tests/export tests/test_import.py tests/test_rendering.py tests/training/test_train.py}"

# Prints a Python of that version which runs: on PATH, or one of pyenv's.
find_python() {
  local candidate
  for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
    if "$candidate" -c '' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

# The tree as git has it, changes included, with the pins of another TensorFlow.
copy_tree() {
  local tensorflow="$1" folder="$2"
  mkdir -p "$folder"
  git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$folder"
  [[ ! -f .bazelrc.user ]] || cp .bazelrc.user "$folder"
  sed -E -i "s/^(tensorflow-cpu|tensorboard|tensorflow-serving-api)==.*/\1==$tensorflow/" "$folder/constraints.txt"
}

versions() {
  "$1" -c 'import keras, numpy, platform
print(platform.python_version(), "|", keras.__version__, "|", numpy.__version__)' 2>/dev/null
}

try() {
  local tensorflow="$1" version="$2" folder="$WORK/tensorflow-$1-python-$2" python result log ignored=()
  local begun=$SECONDS
  if ! python=$(find_python "$version"); then
    echo "| $tensorflow | $version | | | not tried: no such Python here | |"
    return
  fi
  rm -rf "$folder"
  copy_tree "$tensorflow" "$folder"
  # The packages' bounds are those of the TensorFlow that wheels are built for.
  [[ "$tensorflow" == "$(sed -n 's/^TENSORFLOW_MINOR = "\(.*\)"/\1/p' tf_softras/version.py)".* ]] ||
    ignored=(--ignore tests/test_packaging.py)
  log="$WORK/$(basename "$folder").log"
  if ! PYTHON="$python" make --no-print-directory -C "$folder" build >"$log" 2>&1; then
    result="build failed"
  else
    (cd "$folder" && .venv/bin/python -m pytest -q $TESTS "${ignored[@]}") >>"$log" 2>&1
    result=$(tail -n 1 "$log" | sed -E 's/ in [0-9.]+s.*//; s/=//g')
  fi
  echo "| $tensorflow | $(versions "$folder/.venv/bin/python" || echo "$version | |") | $result | $(((SECONDS - begun) / 60)) min |"
  (cd "$folder" && "$(tools/find_bazel.sh)" shutdown >/dev/null 2>&1)
  [[ "$result" != *failed* && "$result" == *passed* ]] && rm -rf "$folder"
}

main() {
  local tensorflow version path
  for path in $TESTS; do
    [[ -e "$path" ]] || { echo "MATRIX_TESTS: expected a file or folder, received '$path'" >&2; exit 2; }
  done
  mkdir -p "$WORK"
  {
    echo '| TensorFlow | Python | Keras | NumPy | tests | took |'
    echo '| --- | --- | --- | --- | --- | --- |'
  } | tee "$TABLE"
  for tensorflow in ${TENSORFLOWS:-2.21.0 2.20.0}; do
    for version in ${PYTHONS:-3.10 3.11 3.12 3.13}; do
      try "$tensorflow" "$version" | tee -a "$TABLE"
    done
  done
  # Every pair has passed, or was not tried.
  [[ -z "$(tail -n +3 "$TABLE" | grep -v 'not tried' | awk '/failed/ || !/passed/')" ]]
}

main
