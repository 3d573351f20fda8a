#!/bin/sh
# Builds a real Kubernetes from its Go modules into a folder outside the tree, and prints that folder.
# Usage: build.sh [api|node]
#   api   etcd, kube-apiserver, kube-controller-manager, kube-scheduler (some three minutes on two cores, once)
#   node  the same with kubelet, kube-proxy and the programs of the tests' own images
set -eu
cd "$(dirname "$0")"
level=${1:-api}
version=$(sed -n 's#^\tk8s.io/kubernetes \(v[0-9.]*\).*#\1#p' go.mod)
etcd=$(sed -n 's#^\tgo.etcd.io/etcd/server/v3 \(v[0-9.]*\).*#\1#p' go.mod)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/zerogate/kubernetes-$version-etcd-$etcd
mkdir -p "$folder"

go=$(../../tools/go.sh)

build() {
  [ -x "$folder/$1" ] && return
  echo "Building $1 $version (once)" >&2
  v=k8s.io/component-base/version
  CGO_ENABLED=0 "$go" build -trimpath \
    -ldflags "-s -w -X $v.gitVersion=$version -X $v.gitMajor=1 -X $v.gitMinor=$(echo "$version" | cut -d. -f2)" \
    -o "$folder/.$1" "$2" && mv "$folder/.$1" "$folder/$1"
}

# One at a time: two that build at once would only take each other's time.
exec 9>"$folder/.lock"
flock 9
build etcd go.etcd.io/etcd/server/v3
for part in kube-apiserver kube-controller-manager kube-scheduler; do build $part k8s.io/kubernetes/cmd/$part; done
if [ "$level" = node ]; then
  for part in kubelet kube-proxy; do build $part k8s.io/kubernetes/cmd/$part; done
  CGO_ENABLED=0 "$go" build -trimpath -ldflags "-s -w" -o "$folder" ./images/...
fi
echo "$folder"
