#!/bin/bash
# Instructions a pair of the CPU kernels, row by row, counted by valgrind: the same on every run and under any load.
# valgrind knows AVX2 and no AVX-512, so it is the AVX2 clones that are counted.
#   tools/count_instructions.sh [ROW...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command -v valgrind >/dev/null || { echo "valgrind is missing: apt-get install valgrind" >&2; exit 1; }
bazel=$(tools/find_bazel.sh)
"$bazel" build --noshow_progress --ui_event_filters=-info //cc/benchmarks:soft_rasterize_benchmark
counts=$(mktemp)
trap 'rm -f "$counts"' EXIT
for row in "${@:-a}"; do
  bazel-bin/cc/benchmarks/soft_rasterize_benchmark --once="$row"
  for pass in SoftRasterizeForward SoftRasterizeBackward; do
    valgrind --tool=callgrind --callgrind-out-file="$counts" --toggle-collect="*$pass*" \
      bazel-bin/cc/benchmarks/soft_rasterize_benchmark --once="$row" 2>&1 >/dev/null |
      sed -n "s/.*Collected : /  $pass, instructions: /p"
  done
done
