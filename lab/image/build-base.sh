#!/usr/bin/env bash
# Builds the root file system that every lab machine starts from: plain Debian with the daemons installed and asleep.
# What makes it a "NixOS snapshot" comes in the tools layer above it (tools-layer.ts), so that a change there is cheap.
#
# usage: build-base.sh ROOT RELEASE MIRROR DOWNLOADS CORE_PACKAGES PACKAGES     (package lists separated by commas)
# Lines that begin with "step: " are for people; everything else is log.
set -euo pipefail

root=$1 release=$2 mirror=$3 downloads=$4 core=$5 packages=${6//,/ }
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

mkdir -p "$root/etc/dpkg/dpkg.cfg.d" "$root/etc/apt/apt.conf.d" "$downloads"
# The tree is thrown away when the build is interrupted, so dpkg need not sync each file; manuals only cost disk here.
cat >"$root/etc/dpkg/dpkg.cfg.d/lab" <<'CONF'
force-unsafe-io
path-exclude=/usr/share/man/*
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/locale/*
CONF
printf 'Acquire::Languages "none";\n' >"$root/etc/apt/apt.conf.d/lab"
# Behind a proxy or a frozen mirror the guest's apt needs the same settings as the host's.
apt-config dump | grep -E '^Acquire::(https?::Proxy|Check-Valid-Until|Check-Date)' >>"$root/etc/apt/apt.conf.d/lab" || true

echo "step: Debian $release core"
debootstrap --variant=minbase --cache-dir="$downloads" --include="$core" "$release" "$root" "$mirror"

echo "step: daemons and tools"
# No service may start while it is installed: they would start on the host.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
# The mounts live in a namespace of their own and vanish with it, also when this script is killed.
unshare -m --propagation private bash -euc '
  mount -t proc proc "$0/proc"
  mount --rbind /dev "$0/dev"
  chroot "$0" apt-get -q update
  chroot "$0" apt-get -q -y --no-install-recommends install $1
  chroot "$0" apt-get clean
' "$root" "$packages"

echo "step: services off, identity out"
rm -f "$root/usr/sbin/policy-rc.d" "$root"/etc/ssh/ssh_host_* "$root/var/lib/dbus/machine-id" \
  "$root/etc/hostname" "$root/etc/resolv.conf" "$root"/var/lib/systemd/{random-seed,credential.secret}
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/lib/etcd/* "$root"/etc/nginx/sites-enabled/default
: >"$root/etc/machine-id"

# The nodes' own units bring these up; Debian's, already running, would hide that (nix-lab.md, pitfall 6).
for unit in etcd haproxy nginx docker-registry podman.service podman.socket podman-restart podman-auto-update.timer \
  podman-clean-transient nftables apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap \
  dpkg-db-backup.timer logrotate.timer fstrim.timer rsync netavark-dhcp-proxy.socket netavark-dhcp-proxy.service \
  netavark-firewalld-reload.service systemd-pstore.service; do
  systemctl --root="$root" disable "$unit" >/dev/null 2>&1 || true
done
# A container has no devices, consoles or kernel file systems of its own to look after.
for unit in systemd-udevd.service systemd-udev-trigger.service systemd-udevd-kernel.socket systemd-udevd-control.socket \
  console-getty.service getty.target systemd-firstboot.service sys-kernel-debug.mount sys-kernel-tracing.mount \
  sys-kernel-config.mount systemd-modules-load.service; do
  systemctl --root="$root" mask "$unit" >/dev/null
done
systemctl --root="$root" enable ssh.service >/dev/null 2>&1

mkdir -p "$root/var/log/journal" "$root/etc/systemd/journald.conf.d" "$root/etc/ssh/sshd_config.d" "$root/etc/containers"
printf '[Journal]\nStorage=persistent\nSystemMaxUse=64M\n' >"$root/etc/systemd/journald.conf.d/lab.conf"
printf 'UseDNS no\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n' >"$root/etc/ssh/sshd_config.d/lab.conf"
# runc and no pids limit: the host may lack CAP_SYS_RESOURCE and the pids controller (lab-machines.md, section 4).
printf '[containers]\npids_limit = 0\n\n[engine]\nruntime = "runc"\n' >"$root/etc/containers/containers.conf"

echo "step: done"
