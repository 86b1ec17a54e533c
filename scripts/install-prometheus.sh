#!/usr/bin/env bash
# Puts Debian's prometheus and promtool, which the monitoring tests run, into $DSDEPLOY_TEST_CACHE/prometheus
# (~/.cache/dsdeploy-tests/prometheus). Unpacked, not installed: the package would start a server of its own.
set -euo pipefail
place="${DSDEPLOY_TEST_CACHE:-$HOME/.cache/dsdeploy-tests}/prometheus"
[ -x "$place/prometheus" ] && [ -x "$place/promtool" ] && exit 0
mkdir -p "$place"
work=$(mktemp -d "$place/.new-XXXXXX")
trap 'rm -rf "$work"' EXIT
(cd "$work" && apt-get download -qq prometheus 2>/dev/null)
dpkg-deb --extract "$work"/prometheus_*.deb "$work/root"
mv "$work/root/usr/bin/prometheus" "$work/root/usr/bin/promtool" "$place/"
