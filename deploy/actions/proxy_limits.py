"""The proxy's limits in the running HAProxy: made to agree with the settings and with the API's keys."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from deploy import haproxy
from deploy.actions.instance import Instance
from deploy.actions.limits import effective_limits
from deploy.actions.proxy_runtime import ask_proxy
from deploy.errors import CalstackError
from deploy.remote import Remote
from deploy.roles.proxy_limits import map_file
from deploy.seed.key_limits import Allowance
from deploy.settings.layout import PROXY_LIMITS, PROXY_LIMITS_INSIDE

AMOUNTS = "amounts.map"
KEYS = "keys.map"


def load_proxy_limits(instance: Instance) -> list[str]:
    """Make the running proxy hold the settings' amounts, and the limit of each API key that has its own.

    To be called whenever rows of `RateLimit` may have changed. A file is written first, then the map of the
    running HAProxy is replaced in one step, so that neither a reload nor a killed run brings back old limits.
    Returns a line for each map that changed, and raises `CalstackError` where the proxy does not take it.
    """
    wanted = {AMOUNTS: instance.settings.rate_limits.amounts()}
    if instance.settings.has_api:
        wanted[KEYS] = key_limits(instance)
        _write_file(instance.remote, KEYS, wanted[KEYS])
    loaded = loaded_maps(instance.remote, list(wanted))
    changed = []
    for name, entries in wanted.items():
        if loaded[name] != entries:
            _replace(instance, name, entries)
            changed.append(_said(name, loaded[name], entries))
    return changed


def loaded_maps(remote: Remote, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Entries of these maps as the running proxy has them."""
    answers = ask_proxy(remote, [f"show map {PROXY_LIMITS_INSIDE}/{name}" for name in names])
    return {name: haproxy.map_entries(answer) for name, answer in zip(names, answers, strict=True)}


def key_limits(instance: Instance) -> dict[str, str]:
    """LIMIT/WINDOW of each API key that has limits of its own, by its SHA-256."""
    return {digest: _together(limits) for digest, limits in effective_limits(instance).items()}


def _together(limits: Sequence[Allowance]) -> str:
    """What the limits of a key allow at most, since the API refuses only when all are used up."""
    window = math.ceil(max(limit.window_seconds for limit in limits))
    calls = sum(limit.limit * math.ceil(window / limit.window_seconds) for limit in limits)
    return f"{calls}/{window}"


def _write_file(remote: Remote, name: str, entries: Mapping[str, str]) -> None:
    """Give a file that lies there this content, in one step; its owner and mode stay."""
    path = f"{PROXY_LIMITS}/{name}"
    remote.run(
        f"set -e; umask 077; cat >{path}.new; "
        f"if cmp -s {path}.new {path}; then rm {path}.new; exit; fi; "
        f"chown --reference={path} {path}.new; chmod --reference={path} {path}.new; mv -f {path}.new {path}",
        stdin=map_file(entries),
    )


def _replace(instance: Instance, name: str, entries: Mapping[str, str]) -> None:
    file = f"{PROXY_LIMITS_INSIDE}/{name}"
    (prepared,) = ask_proxy(instance.remote, [f"prepare map {file}"])
    version = haproxy.prepared_version(prepared)
    answers = (
        [prepared] if version is None else ask_proxy(instance.remote, haproxy.filling(file, version, entries))
    )
    if version is None or any(answers):
        raise CalstackError(
            f"the proxy does not take its new limits: {' '.join(filter(None, answers))}",
            where=instance.name,
            fix="on the host: cd /opt/calcom && docker compose restart proxy; it reads them from their files",
        )


def _said(name: str, old: Mapping[str, str], new: Mapping[str, str]) -> str:
    if name == KEYS:
        return "the proxy's limits of single API keys set"
    different = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    return f"the proxy's limits of {', '.join(different)} set"
