#!/bin/bash
# Makes .venv on a machine that may have nothing: finds a Python that fits, and installs what is missing with apt where
# it may (root on Debian or Ubuntu). Elsewhere it says what to install, and fails. PYTHON names a Python to use.
# `bootstrap.sh chromium` installs the browser of the tests of pages where it may; elsewhere it says so, and goes on.
# `bootstrap.sh nginx` does the same for the test of the proxy.
# `bootstrap.sh clang` readies the machine for `make fuzz` too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly VENV="$(pwd -P)/.venv"

say() { printf '== %s\n' "$*"; }

stop() {
  printf '%s\n' "$@" >&2
  exit 1
}

# The bounds of requires-python in pyproject.toml.
python_fits() {
  "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 14))' 2>/dev/null
}

python_version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }

find_python() {
  local candidate
  if [[ -n "${PYTHON:-}" ]]; then
    python_fits "$PYTHON" || stop "PYTHON=$PYTHON does not fit: expected Python 3.10 to 3.13."
    command -v "$PYTHON"
    return
  fi
  for candidate in python3 python3.13 python3.12 python3.11 python3.10; do
    if python_fits "$candidate"; then
      command -v "$candidate"
      return
    fi
  done
}

# Prints the Debian packages that are missing, one a line.
missing_packages() {
  local python="$1"
  if [[ -z "$python" ]]; then
    printf '%s\n' python3 python3-venv
  elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "python$(python_version "$python")-venv"
  fi
  command -v gcc >/dev/null && command -v g++ >/dev/null || echo g++
  [[ -e "${GTEST_ROOT:-/usr}/include/gtest/gtest.h" ]] || echo libgtest-dev
  tools/find_bazel.sh >/dev/null 2>&1 || echo bazel-bootstrap
  [[ "$2" != clang ]] || command -v clang >/dev/null || printf '%s\n' clang libclang-rt-dev
}

install_packages() {
  if [[ "$(id -u)" != 0 ]] || ! command -v apt-get >/dev/null; then
    [[ " $* " != *" bazel-bootstrap "* ]] || tools/find_bazel.sh >/dev/null || true
    stop "Missing on this machine, by their Debian names: $*." \
      "Install them, or run this as root where apt is."
  fi
  say "apt-get install $*"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null
}

# A .venv that was copied from elsewhere, or whose Python went away or is not the one asked for, is made anew.
venv_serves() {
  grep -qsF "$VENV" "$VENV/bin/activate" && python_fits "$VENV/bin/python" &&
    "$VENV/bin/python" -m pip --version >/dev/null 2>&1 &&
    [[ -z "${PYTHON:-}" || "$(python_version "$VENV/bin/python")" == "$(python_version "$1")" ]]
}

# nginx with njs, for tests/serving/test_proxy.py. The service that Debian's package starts is not wanted.
nginx() {
  if [[ -x /usr/sbin/nginx && -e /usr/lib/nginx/modules/ngx_http_js_module.so ]]; then
    return
  fi
  (RUNLEVEL=1 install_packages nginx-light libnginx-mod-http-js) ||
    say "no nginx: the tests of deploy/serving/nginx.conf are skipped"
}

chromium() {
  if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then
    return
  fi
  (install_packages chromium chromium-driver) ||
    say "no Chromium: the tests of pages in a browser are skipped"
}

main() {
  local python packages
  python=$(find_python)
  mapfile -t packages < <(missing_packages "$python" "${1:-}")
  if ((${#packages[@]})); then
    install_packages "${packages[@]}"
    python=$(find_python)
    [[ -n "$python" ]] || stop "No Python fits: expected 3.10 to 3.13. Name one, as in PYTHON=python3.12 make build."
  fi
  if ! venv_serves "$python"; then
    say ".venv with Python $(python_version "$python") ($python)"
    "$python" -m venv --clear "$VENV"
  fi
}

case "${1:-}" in
  chromium) chromium ;;
  nginx) nginx ;;
  *) main "$@" ;;
esac
