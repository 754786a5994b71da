#!/bin/bash
# Fuzzes the CPU kernels for the seconds given (cc/fuzzing), then tries what was found on the kernels as they are shipped:
# GCC's, one clone an instruction set. New scenes go to build/fuzz/corpus; one that fails is written to build/fuzz and named.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly SECONDS_TO_RUN="${1:-600}"
readonly BAZEL="$(tools/find_bazel.sh)"
readonly QUIET=(--noshow_progress --ui_event_filters=-info --show_result=0)
readonly CORPUS=build/fuzz/corpus

# One file a line of seeds.txt, named after what it holds.
expand_seeds() {
  local hex
  mkdir -p "$CORPUS"
  while read -r hex; do
    printf "$(sed 's/../\\x&/g' <<<"$hex")" >"$CORPUS/$(sha1sum <<<"$hex" | cut -c1-16)"
  done < <(grep -E '^[0-9a-f]+$' cc/fuzzing/seeds.txt)
}

# Every scene of the corpus, as seeds.txt has them.
collapse_corpus() {
  local file
  for file in "$CORPUS"/*; do
    od -An -v -tx1 "$file" | tr -d ' \n'
    echo
  done
}

main() {
  command -v clang++ >/dev/null || {
    echo 'Clang was not found, and libFuzzer comes with it. Debian, Ubuntu: apt-get install clang' >&2
    exit 1
  }
  expand_seeds
  "$BAZEL" build --config=fuzz "${QUIET[@]}" //cc/fuzzing:rasterize_fuzzer
  local fuzzer
  fuzzer="$("$BAZEL" info --config=fuzz bazel-bin 2>/dev/null)/cc/fuzzing/rasterize_fuzzer"
  "$fuzzer" -max_len=600 -max_total_time="$SECONDS_TO_RUN" -print_final_stats=1 -artifact_prefix=build/fuzz/ "$CORPUS"
  collapse_corpus >build/fuzz/corpus.txt
  "$BAZEL" test "${QUIET[@]}" --nocache_test_results --test_env=TF_SOFTRAS_FUZZ_CORPUS="$PWD/build/fuzz/corpus.txt" \
    //cc/fuzzing:checks_test
}

main
