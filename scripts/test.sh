#!/usr/bin/env bash
# Sets up an environment of its own from the lock file, then passes every check. Installs Debian's Docker Engine when
# there is none; the tests that need it start it themselves and stop what they started.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/install-test-parts.sh
bash scripts/install-kube-tools.sh
bash scripts/install-checkov.sh
python3 -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check -r requirements-dev.lock
.venv/bin/pip install --quiet --disable-pip-version-check --no-deps -e .
.venv/bin/ruff check .
.venv/bin/ruff format --check --quiet .
.venv/bin/mypy
.venv/bin/lint-imports
.venv/bin/python -m pytest -q tests
