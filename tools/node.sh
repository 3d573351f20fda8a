#!/bin/sh
# Installs what a node with real containers and a build of the Dockerfile need (Debian's packages), where it is
# missing. Needs root. A cluster that $KUBECONFIG_FOR_TESTS names needs nothing here.
set -eu
[ -z "${KUBECONFIG_FOR_TESTS:-}" ] || exit 0
packages="containerd runc containernetworking-plugins iptables iproute2 buildah debootstrap"
if [ "$(id -u)" != 0 ]; then
  echo "make test-node needs root: it makes namespaces, containers and control groups" >&2
  exit 1
fi
command -v containerd >/dev/null && command -v runc >/dev/null && command -v iptables >/dev/null &&
  command -v ip >/dev/null && command -v buildah >/dev/null && command -v debootstrap >/dev/null &&
  [ -x /usr/lib/cni/ptp ] && exit
if ! command -v apt-get >/dev/null; then
  echo "Missing for make test-node: install what Debian calls $packages" >&2
  exit 1
fi
echo "Installing $packages"
apt-get update -qq && apt-get install -y -qq --no-install-recommends $packages >/dev/null
