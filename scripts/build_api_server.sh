#!/usr/bin/env bash
# build_api_server.sh PROGRAM: kube-apiserver from Debian 12's source package `kubernetes`.
#
# No package index has the program. The source needs about 3 GB in $TMPDIR while it is
# built, and 6 minutes of two cores. Nothing outside of PROGRAM's folder is changed: apt
# reads lists of its own, in which the suite of this machine's Debian mirror is replaced.
set -euo pipefail
case ${1:--h} in
  -*) echo "usage: scripts/build_api_server.sh PROGRAM" >&2; exit 2 ;;
esac
program=$(realpath -m -- "$1")
for tool in go rsync jq dpkg-source; do
  command -v "$tool" >/dev/null || {
    echo "error: $tool is missing: apt-get install golang-go rsync jq dpkg-dev" >&2
    exit 2
  }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/sources.d" "$work/go"
[ -e /etc/apt/sources.list.d/debian.sources ] || {
  echo "error: /etc/apt/sources.list.d/debian.sources is missing: needs Debian 12 or later" >&2
  exit 2
}
awk 'BEGIN { RS = ""; ORS = "\n\n" } !/security/' /etc/apt/sources.list.d/debian.sources |
  sed -e 's/^Types:.*/Types: deb-src/' -e 's/^Suites:.*/Suites: bookworm/' \
    >"$work/sources.d/bookworm.sources"
options=(-o "Dir::Etc::sourcelist=/dev/null" -o "Dir::Etc::sourceparts=$work/sources.d"
  -o "Dir::State::lists=$work/lists" -o "APT::Sandbox::User=root")
cd "$work"
apt-get "${options[@]}" -qq update
apt-get "${options[@]}" -qq source --download-only kubernetes
# apt has checked its hash against the signed lists.
dpkg-source --no-check --extract kubernetes_*.dsc source >/dev/null
mkdir -p "$work/go/src/k8s.io"
ln -s "$work/source" "$work/go/src/k8s.io/kubernetes"
cd "$work/go/src/k8s.io/kubernetes"
export GOPATH=$work/go GO111MODULE=off CGO_ENABLED=0 HOME=$work KUBE_GIT_VERSION=v1.20.2
make WHAT=cmd/kube-apiserver
mkdir -p -- "$(dirname -- "$program")"
mv "$(find _output -type f -name kube-apiserver | head -n 1)" "$program"
