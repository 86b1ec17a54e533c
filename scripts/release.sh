#!/usr/bin/env bash
# Builds dist/: wheel, source, chart package, documentation and SHA256SUMS, of what is committed and nothing beside it. The
# same commit gives the same bytes, with the same versions of the build's own packages: those of requirements-dev.lock.
# Nothing is published.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-dist}
python=${PYTHON:-.venv/bin/python}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
umask 022
rm -rf "$out" && mkdir -p "$out" build
out=$(realpath "$out")
python=$(command -v "$python")
case $python in /*) ;; *) python=$PWD/$python ;; esac
"$python" -c 'import build.__main__, hatchling, material, mkdocs_static_i18n' 2>/dev/null || {
  echo "What builds is not here: $python -m pip install -r requirements-dev.lock" >&2
  exit 1
}
source=$(mktemp -d)
trap 'rm -rf "$source"' EXIT
git archive HEAD | tar -xf - -C "$source"
log=$PWD/build/site.log
cd "$source"

packed() { # folder, name inside, archive
  tar --sort=name --owner=0 --group=0 --numeric-owner --mode='u=rwX,go=rX' --mtime="@$SOURCE_DATE_EPOCH" \
    --transform "s,^\.,$2," -C "$1" -cf - . | gzip -n >"$3"
}

"$python" -m build --no-isolation --outdir "$out" . >/dev/null
version=$("$python" -c 'import dsdeploy; print(dsdeploy.__version__)')
chart=$(sed -n 's/^version: *//p' helm/dsdeploy/Chart.yaml)
packed helm/dsdeploy dsdeploy "$out/dsdeploy-chart-$chart.tgz"
"$python" -m mkdocs build --strict --site-dir "$source/build/site" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
packed build/site "dsdeploy-docs-$version" "$out/dsdeploy-docs-$version.tar.gz"
(cd "$out" && sha256sum -- *.whl *.tar.gz *.tgz >SHA256SUMS)
cat "$out/SHA256SUMS"
