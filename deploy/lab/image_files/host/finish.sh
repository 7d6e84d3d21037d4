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
rm -f "$root/etc/machine-id" "$root/etc/hostname"
touch "$root/etc/machine-id"

# A container has no consoles; systemd would try each again and again.
chroot "$root" systemctl --quiet mask getty@.service console-getty.service

install -d -m 700 "$root/root/.ssh"
