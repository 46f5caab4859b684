#!/bin/sh
# Create the virtual environment from requirements.lock, once for each state of the lock.
set -eu
venv=$1
python=${PYTHON:-python3}

"$python" -c 'import sys; v = sys.version_info[:2]; sys.exit(None if v == (3, 11) else
  "set-up: expected Python 3.11; got %d.%d. Name another with: make PYTHON=python3.11" % v)'

wanted=$(cat requirements.lock pyproject.toml | "$python" -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())')
if [ -f "$venv/.lock-hash" ] && [ "$(cat "$venv/.lock-hash")" = "$wanted" ]; then
    exit 0
fi
echo "set-up: installing the locked packages into $venv (about a minute, 2 GB)"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-compile --no-deps --require-hashes -r requirements.lock
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
# Compiled here and in parallel: without bytecode TensorFlow takes twice as long to import.
"$venv/bin/python" -m compileall -q -j 0 "$venv/lib" >/dev/null 2>&1 || true
echo "$wanted" > "$venv/.lock-hash"
