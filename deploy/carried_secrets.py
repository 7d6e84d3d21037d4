"""The secrets of a host as its backups carry them, and the way back into an inventory that has lost them.

`{"format": 1, "host": NAME, "own": {NAME: ENTRY}, "shared": {NAME: ENTRY}}`, entries as in `secrets.age`.
Without them a backup is of little use: they open stored credentials, and sign sessions and webhooks.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from deploy.errors import CalstackError, InputError
from deploy.secrets import BOUND_TO_DATA, Content, SecretStore

_AUTHORITY = ("authority_certificate", "authority_private_key")
_LEAF = ("tls_certificate", "tls_private_key")
_REPLACED = "_before_restore"


@dataclass(frozen=True)
class Carried:
    """What a run carries of its host's secrets."""

    host: str
    """The host's name when the run was made."""
    own: Mapping[str, dict[str, str]] = field(repr=False)
    """Entry by name: the host's own."""
    shared: Mapping[str, dict[str, str]] = field(repr=False)
    """The whole inventory's, as far as the host needs them."""

    def only(self, names: Collection[str]) -> Carried:
        """No more than these of its own."""
        return Carried(self.host, {name: entry for name, entry in self.own.items() if name in names}, {})


@dataclass(frozen=True)
class TakenOver:
    """What became of them."""

    added: tuple[str, ...]
    """Names of those that the inventory lacked."""
    kept: tuple[str, ...]
    """Names of those that the inventory has with another value, which stays in force."""
    replaced: tuple[str, ...]
    """Names of those whose old value stays under a name of its own, `NAME_before_restore`."""


def carry(store: SecretStore, host: str, shared: Collection[str], *, authority: bool) -> bytes:
    """What the runs of a host are to carry: all that is its own, and of the inventory's these names.

    `authority`: with the key of the inventory's private authority, so that nobody has to trust a new one.
    """
    content = store.content
    wanted = {*shared, *(_AUTHORITY if authority else ())}
    document = {
        "format": 1,
        "host": host,
        "own": {name: entry for holder, name, entry in content.entries() if holder == host},
        "shared": {name: entry for holder, name, entry in content.entries() if not holder and name in wanted},
    }
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def read(document: bytes) -> Carried:
    """The inverse; raises CalstackError for anything else, and for what a newer calstack wrote."""
    try:
        said: dict[str, Any] = json.loads(document)
        if said["format"] > 1:
            raise CalstackError("the run's secrets were written by a newer calstack", fix="update calstack")
        return Carried(str(said["host"]), dict(said["own"]), dict(said["shared"]))
    except (ValueError, KeyError, TypeError) as error:
        raise CalstackError(f"the run's secrets are not of their form ({type(error).__name__})") from None


def take_over(
    store: SecretStore, host: str, carried: Carried, made: datetime, *, replace: bool = False
) -> TakenOver:
    """Put a run's secrets into the inventory, for this host; no value that is there gets lost.

    `made`: when the run was made. What the data depends on must be the run's: a value that differs is
    replaced where the inventory made it after the run, for nothing as yet, or always with `replace`. Raises
    InputError otherwise, and nothing is changed. In all else the inventory's own values stay.
    """
    added: list[str] = []
    kept: list[str] = []
    replaced: list[str] = []
    with store.changing() as content:
        _refuse_others(content, host, carried, made, replace)
        pairs_there = _pairs_there(content, host)
        for holder, entries in ((None, carried.shared), (host, carried.own)):
            for name, entry in entries.items():
                there = content.entry(name, holder)
                if there is None and name not in pairs_there:
                    content.adopt(name, entry, holder)
                    added.append(name)
                elif there is not None and there["value"] != entry["value"]:
                    if name in BOUND_TO_DATA:
                        content.adopt(f"{name}{_REPLACED}", there, holder)
                        content.adopt(name, entry, holder)
                        replaced.append(name)
                    else:
                        kept.append(name)
    return TakenOver(tuple(added), tuple(kept), tuple(replaced))


def _refuse_others(content: Content, host: str, carried: Carried, made: datetime, replace: bool) -> None:
    in_use = []
    for name, entry in carried.own.items():
        there = content.entry(name, host)
        if there is None or there["value"] == entry["value"] or name not in BOUND_TO_DATA or replace:
            continue
        if there["origin"] != "generated" or datetime.fromisoformat(there["created"]) <= made:
            in_use.append(name)
    if in_use:
        raise InputError(
            f"the inventory has other values than the run for: {', '.join(sorted(in_use))}; with those the "
            "run's data could not be used, and nothing is replaced that may be in use elsewhere",
            where=host,
            fix="if this is the right run, put the inventory's secrets.age aside (keep it) and begin again: "
            "the run's own secrets will make a new one",
        )


def _pairs_there(content: Content, host: str) -> set[str]:
    """The names of certificates and keys of which the inventory has one: its halves come from one source."""
    pairs = ((None, _AUTHORITY), (host, _LEAF))
    return {
        name
        for holder, pair in pairs
        if any(content.entry(half, holder) is not None for half in pair)
        for name in pair
    }
