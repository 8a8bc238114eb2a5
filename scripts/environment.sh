#!/usr/bin/env bash
# Make or refresh .venv for one purpose: server (to run Ostiary), dev (to work on it) or lock (to pin dependencies).
# A stamp remembers what was installed, so that a second run does nothing; a changed requirements file is installed anew.
set -euo pipefail
cd "$(dirname "$0")/.."

purpose=${1:?name a purpose: server, dev or lock}
requirements=requirements/$purpose.txt

fingerprint() {
    cat "requirements/$1.txt" pyproject.toml | cksum
}

is_current() {
    local stamp=.venv/.installed-$1
    [ -x .venv/bin/python ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(fingerprint "$1")" ]
}

# What is needed to work on Ostiary includes what is needed to run it.
if is_current "$purpose" || { [ "$purpose" = server ] && is_current dev; }; then
    exit 0
fi

find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3 python; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            command -v "$candidate"
            return
        fi
    done
    echo 'No Python 3.11 or newer with the modules venv and ensurepip was found; install one, or name it: PYTHON=... make ...' >&2
    exit 1
}

if [ ! -x .venv/bin/python ]; then
    python=$(find_python)
    echo "Making .venv with $("$python" --version)"
    "$python" -m venv .venv
fi

echo "Installing $requirements into .venv"
pip() {
    PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python -m pip --quiet "$@"
}
pip install --no-compile --require-hashes --requirement "$requirements"
if [ "$purpose" != lock ]; then
    pip install --no-deps --no-build-isolation --editable .
fi
# Python keeps what it has compiled, so each program starts slowly once only; where it was told not to, once is now.
if [ -n "${PYTHONDONTWRITEBYTECODE:-}" ]; then
    .venv/bin/python -m compileall -q .venv/lib src || true
fi
fingerprint "$purpose" >".venv/.installed-$purpose"
