#!/bin/sh
# Made by calstack from templates/opt/calcom/firewall.sh.j2; what is changed here is lost at the next deploy.
# Puts calstack's rules in place where they are missing; run as often as you like.
# With the argument `check` it changes nothing and fails where a rule is missing.
set -eu
check_only=${1:-}

ensure() { # COMMAND CHAIN RULE...: insert the rule at the chain's head unless it is there
    command=$1 chain=$2
    shift 2
    "$command" -w 10 -C "$chain" "$@" 2>/dev/null && return
    [ -z "$check_only" ] || exit 1
    "$command" -w 10 -I "$chain" "$@"
}

protect() { # COMMAND: iptables or ip6tables
    # A compose network that is "internal" has no way out, but its gateway is this host: without this rule the
    # database could reach every service that listens here.
    ensure "$1" INPUT -i br-cal-data -j DROP
    # Only what came to a published address goes on to the containers. Engines before 28 also let neighbours
    # of this host through that send straight to a container's own address, the inner entrance included.
    "$1" -w 10 -N DOCKER-USER 2>/dev/null || true
    for bridge in br-cal-edge br-cal-front; do
        ensure "$1" DOCKER-USER -o "$bridge" ! -i "$bridge" \
            -m conntrack --ctstate NEW -m conntrack ! --ctstate DNAT -j DROP
    done
}

# The engine makes this host a router of IPv6, and a router takes no addresses and routes from others' adverts,
# unless it is told to go on with that.
keep_adverts() {
    for accept in /proc/sys/net/ipv6/conf/*/accept_ra; do
        # In containers they may be read-only.
        [ -w "$accept" ] && [ "$(cat "$accept")" = 1 ] || continue
        [ -z "$check_only" ] || exit 1
        echo 2 >"$accept"
    done
}

protect iptables
if [ -e /proc/net/if_inet6 ]; then
    protect ip6tables
    # Engines before 27 lead no IPv6 through DOCKER-USER by themselves.
    ensure ip6tables FORWARD -j DOCKER-USER
    keep_adverts
fi
