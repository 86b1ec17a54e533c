#!/usr/bin/env bash
# Builds the Kubernetes that the tests marked `kubernetes` run, from the Go module proxy: etcd, the API server, the
# controllers, the scheduler, a node's kubelet and kube-proxy, and kube-router, which enforces network policies, at the
# versions that go.mod and policies/go.mod pin. Prints their folder;
# what was built once is kept there until go.mod or go.sum changes.
set -euo pipefail
cd "$(dirname "$0")"
export PATH="$PATH:/usr/local/go/bin" CGO_ENABLED=0 GOFLAGS=-trimpath GOTOOLCHAIN=local
pins=$(cat go.mod go.sum policies/go.mod policies/go.sum pause/main.go build.sh | sha256sum | cut -c 1-12)
built="${DSDEPLOY_TEST_CACHE:-$HOME/.cache/dsdeploy-tests}/kube/$(go list -m -f '{{.Version}}' k8s.io/kubernetes)-$pins"
exec 9>"/tmp/dsdeploy-kube-$pins.lock"
flock 9
if [ ! -d "$built" ]; then
    beside="$built.part"
    rm -rf "$beside" && mkdir -p "$beside"
    nice go build -p 2 -ldflags="-s -w -X k8s.io/component-base/version.gitVersion=$(basename "${built%-*}")" -o "$beside/" \
        k8s.io/kubernetes/cmd/kube-{apiserver,controller-manager,scheduler,proxy} k8s.io/kubernetes/cmd/kubelet >&2
    nice go build -p 2 -ldflags='-s -w' -o "$beside/etcd" go.etcd.io/etcd/server/v3 >&2
    nice go build -p 2 -ldflags='-s -w' -o "$beside/pause" ./pause >&2
    nice go -C policies build -p 2 -ldflags='-s -w' -o "$beside/" github.com/cloudnativelabs/kube-router/v2/cmd/kube-router >&2
    mv "$beside" "$built"
fi
echo "$built"
