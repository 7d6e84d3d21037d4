#!/bin/sh
# Starts Redis; the interface is the official image's: arguments that begin with a dash, or a configuration
# file, are the server's, any other command runs as it is, and root becomes user 999 before the server starts.
set -eu

case ${1:-} in
    -* | *.conf) set -- redis-server "$@" ;;
esac

if [ "${1:-}" = redis-server ]; then
    if [ "$(id -u)" = 0 ]; then
        find . \! -user 999 -exec chown 999:999 '{}' +
        exec setpriv --reuid=999 --regid=999 --clear-groups "$0" "$@"
    fi
fi

exec "$@"
