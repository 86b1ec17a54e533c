#!/usr/bin/env bash
# Installs what tests need and Python packages cannot bring: a Docker Engine with containerd and runc, HAProxy, a registry,
# skopeo, a software HSM, BusyBox's shell, a node's network. Debian and Ubuntu. Go, which builds Kubernetes for tests, is not among them.
set -euo pipefail
missing=()
command -v dockerd >/dev/null || missing+=(docker.io)
command -v iptables >/dev/null || missing+=(iptables)
command -v docker-registry >/dev/null || missing+=(docker-registry)
command -v skopeo >/dev/null || missing+=(skopeo)
command -v softhsm2-util >/dev/null || missing+=(softhsm2)
command -v busybox >/dev/null || missing+=(busybox-static)
[ -x /usr/sbin/haproxy ] || missing+=(haproxy)
command -v ip >/dev/null || missing+=(iproute2)
command -v ipset >/dev/null || missing+=(ipset)
[ -x /usr/lib/cni/bridge ] || missing+=(containernetworking-plugins)
[ ${#missing[@]} -eq 0 ] && exit 0
as_root=$([ "$(id -u)" -eq 0 ] || echo sudo)
$as_root apt-get update -qq
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
