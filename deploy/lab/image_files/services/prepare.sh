#!/bin/sh
# Before the packages of the services' root ($1): what they must find when they are installed.
set -eu
root=$1

# The official image's user id: taken before any package asks for one.
printf 'postgres:x:999:999:PostgreSQL:/var/lib/postgresql:/bin/bash\n' >>"$root/etc/passwd"
printf 'postgres:x:999:\n' >>"$root/etc/group"

install -d "$root/etc/postgresql-common"
printf 'create_main_cluster = false\n' >"$root/etc/postgresql-common/createcluster.conf"
