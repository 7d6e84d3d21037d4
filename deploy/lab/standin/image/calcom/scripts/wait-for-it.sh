#!/bin/bash
# Waits up to 15 seconds for HOST:PORT to answer; without an argument it complains and gives up.
host=${1%:*}
port=${1##*:}
if [ -z "$host" ] || [ -z "$port" ] || [ "$host" = "$1" ]; then
    echo "Error: you need to provide a host and port to test." >&2
    exit 1
fi
for _ in $(seq 15); do
    if (exec 3<>"/dev/tcp/$host/$port") 2>/dev/null; then
        echo "$1 is available"
        exit 0
    fi
    sleep 1
done
echo "timeout: $1 not available after 15 seconds" >&2
exit 124
