#!/usr/bin/env bash
# Builds the Kubernetes that the tests marked `kubernetes` run, from the Go module proxy: etcd, the API server, the
# controllers, the scheduler, a node's kubelet, kube-proxy and containerd (Debian's mounts no images as volumes and hands
# on no claimed devices), a driver of such devices, kube-router, which enforces network policies, and the LeaderWorkerSet
# controller, at the versions that the go.mod files pin; and takes from their modules the resource definitions of what a
# chart may ask of a cluster besides. Prints their folder; what was built once is kept there until a pin changes.
set -euo pipefail
cd "$(dirname "$0")"
export PATH="$PATH:/usr/local/go/bin" CGO_ENABLED=0 GOFLAGS=-trimpath GOTOOLCHAIN=local
pins=$(cat {.,policies,groups,runtime}/go.{mod,sum} {pause,claims}/main.go build.sh | sha256sum | cut -c 1-12)
built="${DSDEPLOY_TEST_CACHE:-$HOME/.cache/dsdeploy-tests}/kube/$(go list -m -f '{{.Version}}' k8s.io/kubernetes)-$pins"
exec 9>"/tmp/dsdeploy-kube-$pins.lock"
flock 9
if [ ! -d "$built" ]; then
    beside="$built.part"
    rm -rf "$beside" && mkdir -p "$beside"
    nice go build -p 2 -ldflags="-s -w -X k8s.io/component-base/version.gitVersion=$(basename "${built%-*}")" -o "$beside/" \
        k8s.io/kubernetes/cmd/kube-{apiserver,controller-manager,scheduler,proxy} k8s.io/kubernetes/cmd/kubelet >&2
    nice go build -p 2 -ldflags='-s -w' -o "$beside/etcd" go.etcd.io/etcd/server/v3 >&2
    nice go build -p 2 -ldflags='-s -w' -o "$beside/" ./pause ./claims >&2
    nice go -C runtime build -p 2 -ldflags='-s -w' -o "$beside/" \
        github.com/containerd/containerd/v2/cmd/{containerd,containerd-shim-runc-v2,ctr} >&2
    nice go -C policies build -p 2 -ldflags='-s -w' -o "$beside/" github.com/cloudnativelabs/kube-router/v2/cmd/kube-router >&2
    nice go -C groups build -p 2 -ldflags='-s -w' -o "$beside/lws-controller" sigs.k8s.io/lws/cmd >&2
    mkdir "$beside/crds"
    groups=$(go -C groups list -m -f '{{.Dir}}' sigs.k8s.io/lws)
    install -m 644 "$groups"/config/crd/bases/leaderworkerset.x-k8s.io_*.yaml "$groups/config/webhook/manifests.yaml" "$beside/crds/"
    definition() { # module@version, its sum, the file
        told=$(cd / && go mod download -json "$1")
        grep -q "\"Sum\": \"$2\"" <<<"$told" || { echo "$1 is not what was pinned" >&2; exit 1; }
        install -m 644 "$(sed -n 's/.*"Dir": "\(.*\)".*/\1/p' <<<"$told")/$3" "$beside/crds/"
    }
    definition github.com/kedacore/keda/v2@v2.21.0 h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps= \
        config/crd/bases/keda.sh_scaledobjects.yaml
    definition sigs.k8s.io/gateway-api@v1.6.3 h1:lKpJa5bGlraC/QeACvCpsHLdmO6y0iKfzVl6gzaFEYc= \
        config/crd/standard/gateway.networking.k8s.io_httproutes.yaml
    definition github.com/cert-manager/cert-manager@v1.19.1 h1:Txh8L/nLWTDcb7ZnXuXbTe15BxQnLbLirXmbNk0fGgY= \
        deploy/crds/cert-manager.io_certificates.yaml
    mv "$beside" "$built"
fi
echo "$built"
