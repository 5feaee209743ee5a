#!/usr/bin/env bash
# Builds the reference cluster step by step, checks it, and tears it down. Works on the lab and, with a real token, on Hetzner:
# what differs stands in the env file (HCLOUD_TOKEN, HCLOUD_ENDPOINT, NIX_INFRA_IMAGE, NIX_INFRA_OVERLAY_BACKEND).
set -euo pipefail

usage() {
  cat <<TEXT
Usage: $(basename "$0") [--no-teardown] [--env=FILE] [COMMAND]

Without a command: build the cluster, check it, tear it down.

  etcd PREFIX             show the keys below PREFIX, e.g. etcd "/cluster"
  cmd --target=NODES CMD  run a command on nodes, e.g. cmd --target=ingress001 "uptime"
  ssh NODE                open a shell on a node
  teardown                delete the servers

  --no-teardown           leave the cluster up
  --env=FILE              settings (default: WORK_DIR/.env); made from the running lab when it does not exist
  WORK_DIR                environment variable, the project folder (default: ./TEST_INFRA_HA)
TEXT
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
NIX_INFRA=${NIX_INFRA:-$here/../bin/nix-infra}
WORK_DIR=${WORK_DIR:-./TEST_INFRA_HA}
ENV_FILE=
TEARDOWN=yes
TARGET=
command=
words=()
for argument in "$@"; do
  case $argument in
    --no-teardown) TEARDOWN=no ;;
    --env=*) ENV_FILE=${argument#*=} ;;
    --target=*) TARGET=${argument#*=} ;;
    -h | --help) usage; exit 0 ;;
    -*) echo "ERROR: unknown option $argument"; usage; exit 64 ;;
    *) if [ -z "$command" ]; then command=$argument; else words+=("$argument"); fi ;;
  esac
done
ENV_FILE=${ENV_FILE:-$WORK_DIR/.env}
CTRL=${CTRL:-"etcd001 etcd002 etcd003"}
REGISTRY=${REGISTRY:-registry001}
WORKERS=${WORKERS:-"worker001 worker002"}
CLUSTER="$REGISTRY $WORKERS"
INGRESS=${INGRESS:-ingress001}
VERSION=${NIXOS_VERSION:-25.05}

# The predecessor's projects put --env relative to where the script was called; the command gets it absolute.
absolute() { case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac; }
infra() { "$NIX_INFRA" "$@" -d "$WORK_DIR" --env="$(absolute "$ENV_FILE")"; }

teardown() {
  echo "== tear down"
  infra cluster destroy --batch --target="$INGRESS $CLUSTER" --ctrl-nodes="$CTRL"
  infra cluster destroy --batch --target="$CTRL" --ctrl-nodes="$CTRL"
}

case $command in
  '') ;;
  etcd) infra cluster etcd --target="${TARGET:-${CTRL%% *}}" ctl "get --prefix ${words[0]:-/cluster}"; exit ;;
  cmd) infra cluster cmd --target="${TARGET:?--target=NODES is needed}" "${words[*]}"; exit ;;
  ssh) infra cluster ssh --target="${words[0]:?which node}"; exit ;;
  teardown) teardown; exit ;;
  *) echo "ERROR: unknown command $command"; usage; exit 64 ;;
esac

mkdir -p "$WORK_DIR"
if [ ! -e "$ENV_FILE" ]; then
  echo "== no $ENV_FILE: using the lab"
  "$NIX_INFRA" lab up
  "$NIX_INFRA" lab env | sed 's/^export //' > "$ENV_FILE"
fi

echo "== init"
infra init --batch
echo "== provision"
infra cluster provision --batch --nixos-version="$VERSION" --node-names="$CTRL $CLUSTER $INGRESS" \
  --location="${LOCATION:-hel1}" --machine-type="${MACHINE_TYPE:-cpx22}"
echo "== control nodes"
infra cluster init-ctrl --batch --nixos-version="$VERSION" --target="$CTRL" --cluster-uuid="$(cat /proc/sys/kernel/random/uuid)"
echo "== cluster and ingress nodes"
infra cluster init-node --batch --nixos-version="$VERSION" --target="$REGISTRY" --ctrl-nodes="$CTRL" \
  --node-module=node_types/cluster_node.nix --service-group=""
infra cluster init-node --batch --nixos-version="$VERSION" --target="$WORKERS" --ctrl-nodes="$CTRL" \
  --node-module=node_types/cluster_node.nix --service-group="backends services"
infra cluster init-node --batch --nixos-version="$VERSION" --target="$INGRESS" --ctrl-nodes="$CTRL" \
  --node-module=node_types/ingress_node.nix --service-group="frontends"
echo "== apps"
infra cluster deploy-apps --batch --rebuild --target="$CLUSTER $INGRESS"

failed=0
check() { # NAME NODE COMMAND EXPECTED-EXACT-LINE; waits, because registration and rendering take a moment
  local deadline=$((SECONDS + 60)) output=
  while [ "$SECONDS" -lt "$deadline" ]; do
    output=$(infra cluster cmd --target="$2" "$3" 2>&1 | sed "s/^$2: //" || true)
    if grep -qxF -- "$4" <<<"$output"; then echo "$1 on $2 [pass]"; return; fi
    sleep 0.5
  done
  echo "$1 on $2 [fail]: $output"
  failed=1
}
echo "== checks"
for node in $CTRL; do check etcd "$node" "systemctl is-active etcd" active; done
for node in $CTRL $CLUSTER $INGRESS; do
  check nixos "$node" "test -e /etc/NIXOS && echo yes" yes
  check agent "$node" "systemctl is-active nix-infra-agent" active
done
for node in $CLUSTER $INGRESS; do
  check flannel "$node" "systemctl is-active flannel" active
  check confd "$node" "grep -q $node /root/test.txt && echo true" true
done
for node in $WORKERS; do check app "$node" "systemctl is-active hello" active; done
check mesh "$INGRESS" "curl -s http://127.0.0.1:11211/ping" pong

[ "$TEARDOWN" = no ] || teardown
[ "$failed" = 0 ] || { echo "ERROR: some checks failed"; exit 1; }
echo "all checks passed"
