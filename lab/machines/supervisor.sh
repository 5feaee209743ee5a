#!/usr/bin/env bash
# Holds one machine: its mounts, network and processes live in this script's namespaces and end with it.
#
# launch ...   joins the supervisors' cgroup (else the end of the caller's session would end the machine), then goes
#              on as `machine` in namespaces of its own. Stays outside as the parent.
# machine      pid 1 of the namespaces. Says "ready" on fd 3, waits for a line on stdin (meanwhile the caller plugs
#              eth0 in), boots the machine, and boots it again when it asks for a reboot.
#
# Arguments: DIR NAME LAYERS SUPERVISOR_CGROUPS MACHINE_CGROUPS     (lists separated by colons)
set -u
mode=$1 dir=$2 name=$3 layers=$4 supervisor_cgroups=$5 machine_cgroups=$6

join() {
  local cgroup
  local IFS=:
  # A subshell per write: what bash could not write it would send again with the next echo. 0 is the writer itself,
  # so the number must be this shell's own.
  for cgroup in $1; do
    (echo "$2" >"$cgroup/cgroup.procs") || true
  done
}

if [ "$mode" = launch ]; then
  join "$supervisor_cgroups" $$
  exec unshare --mount --net --pid --fork --kill-child=KILL --mount-proc --propagation private \
    bash "$0" machine "$dir" "$name" "$layers" "$supervisor_cgroups" "$machine_cgroups"
fi

# nspawn refuses a /run on disk, and leaves no litter in a private one.
mount -t tmpfs -o mode=755 tmpfs /run && mkdir -p /run/lock || exit 1
echo ready >&3
exec 3>&-
read -r _ || exit 1
exec </dev/null

export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_LOCK=0 SYSTEMD_NSPAWN_API_VFS_WRITABLE=network
binds=(--bind="$dir/disk/containers:/var/lib/containers")
for device in /dev/net/tun /dev/fuse; do
  [ -e "$device" ] && binds+=(--bind="$device")
done

stop=0 child=
# nspawn turns SIGTERM into an orderly poweroff of the machine.
trap 'stop=1; [ -n "$child" ] && kill -TERM "$child"' TERM
while :; do
  mount -t overlay overlay -o "lowerdir=$layers,upperdir=$dir/upper,workdir=$dir/work" "$dir/root" || exit 1
  (
    join "$machine_cgroups" "$BASHPID"
    exec systemd-nspawn --quiet --register=no --keep-unit -D "$dir/root" --machine="$name" \
      --uuid="$(cat "$dir/machine-id")" --network-namespace-path=/proc/self/ns/net --console=pipe \
      --resolv-conf=off --timezone=off --link-journal=no \
      --capability=CAP_NET_ADMIN,CAP_NET_RAW,CAP_IPC_LOCK,CAP_BPF,CAP_PERFMON,CAP_SYSLOG \
      --system-call-filter='@keyring bpf' "${binds[@]}" --boot
  ) &
  child=$!
  [ "$stop" = 0 ] || kill -TERM "$child"
  while :; do
    wait "$child"
    code=$?
    kill -0 "$child" 2>/dev/null || break
  done
  umount "$dir/root"
  # 133 is nspawn's word for a reboot from inside, 0 for a poweroff.
  [ "$code" = 133 ] && [ "$stop" = 0 ] || exit 0
done
