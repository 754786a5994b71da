#!/bin/bash
# Runs buildifier on the build files, with the options given: the one on PATH, else npm's, kept in .venv. Where there is
# neither it says so, and succeeds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly VERSION=8.2.1
# Bazel 4 has the C++ rules built in, without a network; cfg = "host" is what it was tested with.
readonly BUILT_IN=-native-cc-info,-attr-cfg,-native-cc-library,-native-cc-test,-native-cc-binary,-unnamed-macro
readonly NPM="$(pwd -P)/.venv/npm"

buildifier=$(command -v buildifier || true)
if [[ -z "$buildifier" ]] && command -v npm >/dev/null; then
  buildifier="$NPM/node_modules/.bin/buildifier"
  [[ -x "$buildifier" ]] ||
    npm install --silent --no-save --no-audit --no-fund --prefix "$NPM" "@bazel/buildifier@$VERSION" >/dev/null ||
    buildifier=""
fi
if [[ -z "$buildifier" ]]; then
  echo '== buildifier: not checked (npm install -g @bazel/buildifier)'
  exit 0
fi
mapfile -t files < <(find WORKSPACE BUILD cc -name BUILD -o -name WORKSPACE -o -name '*.bzl')
exec "$buildifier" -lint=warn "-warnings=$BUILT_IN" "$@" "${files[@]}"
