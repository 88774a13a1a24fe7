#!/usr/bin/env bash
# Brings Skywatt up and takes it down. Makes the Python environment when it is missing; local_stack does the rest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

UV=0.13.9
STAMP=.venv/.skywatt-lock  # what .venv was made as, then the lock file that was installed into it

usage() {
  cat <<'USAGE'
usage: bash run.sh [command]

  up               start everything that does not run yet (the default)
  down [--data]    stop everything; the data stays, unless --data says otherwise
  status [--json]  how every part and stream is
  logs [part]      the last lines of the logs (-f follows them)
  doctor           whether this machine can run it, and how to mend what is missing
  demo             the story in two minutes
  test [unit|long] linters and tests; further arguments go to pytest

What it needs: Python 3.11, 3.12 or 3.13; and Docker Engine 28 or newer with 10 GiB of memory, which it uses where one
answers, or Java 17 or newer, 5 GiB of memory, 3 GB of disk.
Settings: .env (see .env.example). SKYWATT_MODE=local|docker decides how it runs.
USAGE
}

main() {
  case "${1:-up}" in -h | --help | help) usage; exit 0 ;; esac
  export SKYWATT_MODE=${SKYWATT_MODE:-$(mode_in_env_file)}
  case "${SKYWATT_MODE:-auto}" in
    auto | local | docker) ;;
    *) die 2 "SKYWATT_MODE: read '$SKYWATT_MODE', expected local or docker" ;;
  esac
  [ $# -gt 0 ] || set -- up
  if ! is_ready; then
    local python
    case "$1" in down | status | logs) can_run && exec .venv/bin/python -m local_stack "$@" ;; esac
    python=$(find_python) || die 1 "Skywatt needs Python 3.11, 3.12 or 3.13; install one, or put it on PATH"
    case "$1" in
      doctor) uses_docker || exec "$python" -m local_stack.doctor ;;
      down) [ -d .venv ] || { echo "Nothing was running."; exit 0; } ;;
      *) uses_docker || "$python" -m local_stack.doctor || die 1 "mend what is marked PROBLEM, then try again" ;;
    esac
    make_environment "$python" >&2
  fi
  exec .venv/bin/python -m local_stack "$@"
}

# The one line of .env that counts before there is Python.
mode_in_env_file() {
  sed -n "s/^ *\(export  *\)\{0,1\}SKYWATT_MODE *= *[\"']\{0,1\}\([^\"'# ]*\).*/\2/p" "${SKYWATT_ENV_FILE:-.env}" 2>/dev/null |
    tail -n 1
}

is_ready() {
  [ -f "$STAMP" ] || return 1
  if cmp -s requirements.lock "$STAMP" && works_here; then stamp; fi  # of a version that did not say yet what it made
  { made_as && cat requirements.lock; } | cmp -s - "$STAMP"
}

# Whether pip, the last that comes into a new .venv, runs: from this folder and with the Python that it was made for.
works_here() {
  local made
  made=$(made_as) || return 1
  case "$(.venv/bin/pip --version 2>/dev/null)" in
    *" from ${made% [0-9]* *}/"*" (python 3.1"[123]")") ;;
    *) return 1 ;;
  esac
}

stamp() {
  { made_as && cat requirements.lock; } >"$STAMP"
}

# For what tells of a stack or ends it, whatever was pulled since: packages that are older will do, and no network.
can_run() {
  .venv/bin/python -c 'import local_stack.__main__' 2>/dev/null
}

# Where .venv is and its Python's version. Once moved, or with another Python behind it, it does not work any more.
made_as() {
  .venv/bin/python -c 'import sys; print(sys.prefix, *sys.version_info[:2])' 2>/dev/null
}

# Docker brings Java and the servers: what doctor looks for is not needed then.
uses_docker() {
  [ "${SKYWATT_MODE:-auto}" != local ] && docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1
}

find_python() {
  local name
  for name in python3 python3.11 python3.12 python3.13 python; do
    if "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  return 1
}

make_environment() {
  local began=$SECONDS
  echo "Making the Python environment (.venv) from requirements.lock"
  if ! works_here; then
    "$1" -m venv --clear .venv || die 1 "the venv module is missing (Debian: apt-get install python3-venv)"
  fi
  .venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$UV" ||
    die 1 "Python packages cannot be downloaded; is there a network?"
  VIRTUAL_ENV=.venv .venv/bin/uv pip install --require-hashes -r requirements.lock ||
    die 1 "Python packages could not be installed; what is said above tells why"
  stamp
  echo "✓ Python environment, $((SECONDS - began)) s"
}

die() {
  echo "$2" >&2
  exit "$1"
}

main "$@"
