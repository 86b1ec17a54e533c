#!/usr/bin/env bash
# Puts dclint, a linter of Compose files (MIT), into $DSDEPLOY_TEST_CACHE/dclint (~/.cache/dsdeploy-tests/dclint). Needs npm.
set -euo pipefail
version=3.1.0
place="${DSDEPLOY_TEST_CACHE:-$HOME/.cache/dsdeploy-tests}/dclint"
[ "$("$place/node_modules/.bin/dclint" --version 2>/dev/null)" = "$version" ] && exit 0
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$place" "dclint@$version"
