#!/usr/bin/env bash
# Evaluates or builds a node of a flake on this host, against the stand-in nixpkgs. For tests and for people; a machine
# of the lab uses bin/nixos-rebuild.
#
# usage: eval-node.sh build DIR NODE [OUT]      prints the toplevel's path; OUT: a link to it
#        eval-node.sh eval DIR NODE ATTR        prints config.ATTR as JSON   (e.g. systemd.units.\"etcd.service\".text)
#        eval-node.sh expr FILE                 prints the value of an expression as JSON (NIX_PATH has nixpkgs)
set -euo pipefail

nixpkgs=$(cd "$(dirname "${BASH_SOURCE[0]}")/../nixpkgs" && pwd)
# Nix as root without a daemon, a cache or a network (docs/reference/lab-nixos.md); a HOME of its own keeps its caches out of the user's.
export NIX_CONFIG=$'sandbox = false\nbuild-users-group =\nsubstituters =\nexperimental-features = nix-command flakes\nflake-registry =\nwarn-dirty = false'
export NIX_PATH=nixpkgs=$nixpkgs HOME=${EVAL_NODE_HOME:-${TMPDIR:-/tmp}/eval-node-home}
mkdir -p "$HOME"

flake() { # COMMAND NODE ATTRIBUTE [ARG...]
  local command=$1 attribute=$2; shift 2
  nix "$command" "$attribute" --override-input nixpkgs "path:$nixpkgs" --no-write-lock-file "$@"
}

quietly() { # The note about the lock file that is not written says nothing here.
  # A pipe, because nobody waits for a process substitution.
  { "$@" 2>&1 >&3 | { grep -v -e '^warning: not writing modified lock file' -e "^• \(Added\|Updated\) input" -e "^    '\(path\|github\):" -e '^  → ' >&2 || true; }; } 3>&1
}

case ${1-} in
  build)
    out=${4:-$(mktemp -d)/result}
    quietly flake build "path:$(realpath "$2")#nixosConfigurations.$3.config.system.build.toplevel" --out-link "$out"
    readlink -f "$out"
    ;;
  eval) quietly flake eval "path:$(realpath "$2")#nixosConfigurations.$3.config.$4" --json ;;
  expr) nix-instantiate --eval --strict --json "$2" ;;
  *)
    sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 1
    ;;
esac
