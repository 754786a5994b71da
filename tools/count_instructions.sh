#!/bin/bash
# Instructions of the CPU's passes, row by row, counted by valgrind: the same on every run and under any load.
# valgrind knows AVX2 and no AVX-512, so it is the AVX2 clones that are counted.
#   tools/count_instructions.sh [ROW...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command -v valgrind >/dev/null || { echo "valgrind is missing: apt-get install valgrind" >&2; exit 1; }
bazel=$(tools/find_bazel.sh)
"$bazel" build --noshow_progress --ui_event_filters=-info //cc/benchmarks:soft_{rasterize,shade}_benchmark
counts=$(mktemp)
trap 'rm -f "$counts"' EXIT
for row in "${@:-a}"; do
  for passes in soft_rasterize:SoftRasterize soft_shade:SoftShade; do
    benchmark="bazel-bin/cc/benchmarks/${passes%:*}_benchmark --once=$row"
    $benchmark
    for pass in "${passes#*:}Forward" "${passes#*:}Backward"; do
      # The whole name: a lambda in the pass matches a part of it, which would end the count.
      valgrind --tool=callgrind --callgrind-out-file="$counts" --toggle-collect="void tf_softras::$pass<float>(*" \
        $benchmark 2>&1 >/dev/null | sed -n "s/.*Collected : /  $pass, instructions: /p"
    done
  done
done
