#!/bin/sh
# Last step of the lab host's root ($1): a server just installed, whose keys and identity are still to be made.
set -eu
root=$1

# Keys that an image carries would be the same on every host: each makes its own at its first boot.
rm -f "$root"/etc/ssh/ssh_host_*
cat >"$root/etc/systemd/system/ssh-host-keys.service" <<'UNIT'
[Unit]
Description=SSH keys of this host
Before=ssh.service

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A

[Install]
WantedBy=multi-user.target
UNIT
chroot "$root" systemctl --quiet enable ssh-host-keys.service

# The engine outside switches IPv6 off and makes /proc/sys read-only; a server has both, and its own engine needs
# them. Only the part that belongs to the container's own network is opened, nothing of the machine.
cat >"$root/etc/systemd/system/network-settings.service" <<'UNIT'
[Unit]
Description=IPv6, and network settings that can be changed
DefaultDependencies=no
Before=sysinit.target
ConditionPathExists=/proc/sys/net/ipv6

[Service]
Type=oneshot
ExecStart=/usr/bin/mount --bind /proc/sys/net /proc/sys/net
ExecStart=/usr/bin/mount -o remount,bind,rw /proc/sys/net
ExecStart=/sbin/sysctl -q -w net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0

[Install]
WantedBy=sysinit.target
UNIT
chroot "$root" systemctl --quiet enable network-settings.service
rm -f "$root/etc/machine-id" "$root/etc/hostname"
touch "$root/etc/machine-id"

# A container has no consoles; systemd would try each again and again.
chroot "$root" systemctl --quiet mask getty@.service console-getty.service

install -d -m 700 "$root/root/.ssh"
