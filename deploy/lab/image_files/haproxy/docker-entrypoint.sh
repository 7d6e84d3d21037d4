#!/bin/sh
# Starts HAProxy in the foreground as master and worker, so that SIGUSR2 reloads it; the interface is the
# official image's: arguments alone are HAProxy's, and any other command runs as it is.
set -eu

case ${1:-} in
    -*) set -- haproxy "$@" ;;
esac

if [ "${1:-}" = haproxy ]; then
    shift
    set -- haproxy -W -db "$@"
fi

exec "$@"
