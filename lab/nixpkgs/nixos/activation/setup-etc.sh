#!/bin/bash
# Makes /etc what ETC says: links through /etc/static, or copies where a mode is given. Names that an earlier system had
# and this one has not disappear again; a file of Debian's that stood in the way comes back then.
# usage: setup-etc.sh ETC     (ETC: store path with etc/ and entries)
set -euo pipefail

etc=$1
root=${SETUP_ETC_ROOT:-}   # a test runs this on a folder of its own
state=$root/var/lib/lab-nixos
mkdir -p "$state/etc-before"
touch "$state/etc-entries"

# The one moment at which all links change their target.
ln -s "$etc/etc" "$root/etc/static.new"
mv -Tf "$root/etc/static.new" "$root/etc/static"

ours() { [[ -L $1 && $(readlink "$1") == /etc/static/* ]]; }

# A file of Debian's is kept the first time we need its name.
set_aside() { # TARGET
  local file=$root/etc/$1
  if [[ ! -e $file && ! -L $file ]] || ours "$file" || [[ -n ${known[$1]-} ]]; then return; fi
  mkdir -p "$(dirname "$state/etc-before/$1")"
  [[ -e $state/etc-before/$1 || -L $state/etc-before/$1 ]] || cp -aT "$file" "$state/etc-before/$1"
}

place() { # TARGET MODE USER GROUP
  local target=$1 mode=$2 file=$root/etc/$1
  if [[ $mode == symlink ]] && ours "$file"; then return; fi
  set_aside "$target"
  mkdir -p "$(dirname "$file")"
  if [[ -d $file && ! -L $file ]]; then rm -rf "$file"; fi
  case $mode in
    symlink) ln -sfn "/etc/static/$target" "$file.tmp" ;;
    direct-symlink) ln -sfn "$(readlink "$etc/etc/$target")" "$file.tmp" ;;
    *)
      cp -L "$etc/etc/$target" "$file.tmp"
      chown "${3#+}:${4#+}" "$file.tmp"
      chmod "$mode" "$file.tmp"
      ;;
  esac
  mv -Tf "$file.tmp" "$file"
}

remove() { # TARGET
  local file=$root/etc/$1 before=$state/etc-before/$1
  rm -f "$file"
  if [[ -e $before || -L $before ]]; then mkdir -p "$(dirname "$file")"; mv -T "$before" "$file"; fi
  rmdir --ignore-fail-on-non-empty -p "$(dirname "$file")" 2>/dev/null || true
}

declare -A known=() wanted=()
while IFS=$'\t' read -r target _; do [[ -z $target ]] || known[$target]=1; done <"$state/etc-entries"
while IFS=$'\t' read -r target _; do wanted[$target]=1; done <"$etc/entries"

for target in "${!known[@]}"; do
  [[ -n ${wanted[$target]-} ]] || remove "$target"
done
# Written before the names are placed: after an interruption the next run still knows what may be ours.
sort -u <(cut -f1 "$etc/entries") <(printf '%s\n' "${!known[@]}") | sed '/^$/d' >"$state/etc-entries.new"
mv "$state/etc-entries.new" "$state/etc-entries"
while IFS=$'\t' read -r target mode user group; do place "$target" "$mode" "$user" "$group"; done <"$etc/entries"
cut -f1 "$etc/entries" >"$state/etc-entries.new"
mv "$state/etc-entries.new" "$state/etc-entries"
