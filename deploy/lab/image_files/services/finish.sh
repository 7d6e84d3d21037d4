#!/bin/sh
# Last step of the services' root ($1): the official images' users and folders, and nothing that no service reads.
set -eu
root=$1

# HAProxy's package makes its user itself, with any free id; the official image's is 99.
chroot "$root" groupmod -g 99 haproxy
chroot "$root" usermod -u 99 -g 99 haproxy
install -d -o 99 -g 99 "$root/var/lib/haproxy"
install -d "$root/usr/local/etc/haproxy"

chown -R 999:999 "$root/var/lib/postgresql"
install -d -m 1777 -o 999 -g 999 "$root/var/lib/postgresql/data"
install -d -m 3777 -o 999 -g 999 "$root/run/postgresql"
install -d "$root/docker-entrypoint-initdb.d"
sed -i "s/^#*listen_addresses.*/listen_addresses = '*'/" "$root/usr/share/postgresql/17/postgresql.conf.sample"

# The official image's language, which decides how a new database sorts.
chroot "$root" localedef -i en_US -c -f UTF-8 en_US.UTF-8

# JIT compilation would cost 130 MB of LLVM and serves no small database: PostgreSQL runs without it.
rm -rf "$root"/usr/lib/*/libLLVM* "$root"/usr/lib/*/libz3* "$root"/usr/lib/llvm-19 \
    "$root"/usr/lib/postgresql/17/lib/bitcode "$root"/usr/lib/postgresql/17/lib/llvmjit*
rm -rf "$root"/usr/share/doc "$root"/usr/share/man "$root"/usr/share/locale "$root"/usr/share/i18n \
    "$root"/usr/share/postgresql/17/man "$root"/usr/lib/*/gconv
