#!/usr/bin/env bash
# Sets up an environment of its own from the lock file, then passes every check. Installs Debian's Docker Engine and what
# else tests need when there is none; tests start what they need themselves and stop what they started.
#
# Two tiers are large, and run where they can: `kubernetes` builds a cluster from source (root and Go; eight minutes, once),
# `vllm` installs vLLM for a processor (6 GB; with CI=true or DSDEPLOY_TEST_VLLM=1).
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

left_out=()
if [ "$(id -u)" -ne 0 ] || ! { command -v go || [ -x /usr/local/go/bin/go ]; } >/dev/null; then
  left_out+=(kubernetes)
fi
if ! command -v npm >/dev/null; then
  left_out+=(node)
fi
if [ "${CI:-}" != true ] && [ "${DSDEPLOY_TEST_VLLM:-}" != 1 ]; then
  left_out+=(vllm)
fi
marks=$(IFS=,; echo "${left_out[*]:-}" | sed 's/,/ and not /; s/^./not &/')
[ -z "$marks" ] || echo "Left out here: ${left_out[*]}"
.venv/bin/python -m pytest -q ${marks:+-m "$marks"} tests
