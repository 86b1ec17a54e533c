#!/usr/bin/env bash
# Puts checkov, which the chart's tests run, into an environment of its own below $DSDEPLOY_TEST_CACHE
# (~/.cache/dsdeploy-tests): its pinned dependencies would hold back ours.
set -euo pipefail
version=3.3.30
place="${DSDEPLOY_TEST_CACHE:-$HOME/.cache/dsdeploy-tests}/checkov"
[ "$("$place/bin/checkov" --version 2>/dev/null)" = "$version" ] && exit 0
python3 -m venv --clear "$place"
"$place/bin/pip" install --quiet --disable-pip-version-check "checkov==$version"
