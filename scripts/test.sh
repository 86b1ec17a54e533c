#!/usr/bin/env bash
# Sets up an environment of its own from the lock file, then passes every check.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/install-test-parts.sh
python3 -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check -r requirements.lock
.venv/bin/pip install --quiet --disable-pip-version-check --no-deps -e .
.venv/bin/ruff check .
.venv/bin/mypy
.venv/bin/lint-imports
.venv/bin/pytest -q tests
