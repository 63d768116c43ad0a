#!/bin/sh
# Makes the virtual environment FOLDER (first argument) and installs this project into it.
# Second argument: the extras, such as train,dev. Third: a constraints file.
# uv where it is present, else the newest Python from 3.11 on. uv reads no pip configuration, so a machine
# that has one (a wheel folder or a mirror) is served by pip, in an environment that uv may still create.
set -eu
folder=$1 extras=$2 constraints=$3

newest_python() {
    for name in python3.15 python3.14 python3.13 python3.12 python3.11 python3 python; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            command -v "$name"
            return 0
        fi
    done
    return 1
}

pip_is_configured() {
    [ -n "${PIP_FIND_LINKS:-}${PIP_INDEX_URL:-}${PIP_EXTRA_INDEX_URL:-}${PIP_CONFIG_FILE:-}" ] && return 0
    [ -x "$folder/bin/python" ] && "$folder/bin/python" -m pip config list 2>/dev/null | grep -Eq 'find-links|index-url'
}

uv=$(command -v uv || true)
if [ ! -x "$folder/bin/python" ]; then
    if [ -n "$uv" ]; then
        "$uv" venv --quiet --seed --python '>=3.11' "$folder"
    elif python=$(newest_python); then
        if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
            echo "reelgym: $python cannot make virtual environments: install its venv package (Debian: apt install python3-venv), or uv" >&2
            exit 2
        fi
        "$python" -m venv "$folder"
    else
        echo "reelgym: no Python 3.11 or newer found: install one (https://www.python.org/downloads), or uv (https://docs.astral.sh/uv)" >&2
        exit 2
    fi
fi

echo "reelgym: installing into $folder (the first time downloads PyTorch)"
if [ -n "$uv" ] && ! pip_is_configured; then
    "$uv" pip install --quiet --python "$folder/bin/python" --constraint "$constraints" --editable ".[$extras]"
else
    "$folder/bin/python" -m pip install -qq --no-compile --disable-pip-version-check --constraint "$constraints" --editable ".[$extras]"
fi
