"""Limits of single API keys: rows that API v2 reads in place of its defaults (FACTS §4).

They come from two sources. The operator's stand in the settings (`rate_limits.api.keys`) and hold for every
user's key of that note; `apply_limits` writes them. The seed's stand in the manifest (`api_key_limits`), for
a key of one user; `deploy.actions.seed_key_limits` writes them. A note that both name is refused beforehand.
What is in force, whoever wrote it, `effective_limits` tells.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from deploy.actions.instance import Instance, quoted
from deploy.errors import InputError
from deploy.remote import Remote
from deploy.seed.key_limits import Allowance
from deploy.seed.wanted import Manifest
from deploy.settings.inventory import Inventory
from deploy.settings.layout import REDIS_CLI
from deploy.settings.rate_limits import OWN_KEY_NOTE, KeyLimit

_OWN_LIMIT = (100_000, 60, 1)
"""Calls, seconds of the window, seconds of a block: more than an instance answers, so seeding never waits."""

SETTINGS_MARK = "calstack-"
"""Begins the ids of the settings' rows: what they no longer name is found by it, others' rows are not."""

MANIFEST_MARK = "calstack_seed-"
"""The same of the manifest's rows."""

# Where a named key's rows differ from the wanted one, all of them are replaced: of several limits the API
# refuses only when each is used up, so a row beside ours would undo it. A row that a manifest made gives way
# to an equal one, which is the settings' from now on.
_AS_WANTED = f"""
    (r.name, r."limit", r.ttl, r."blockDuration") = ('default', k."limit", k.ttl, k.block)
    and not starts_with(r.id, '{MANIFEST_MARK}')
"""
_SQL = f"""
with wanted (note, "limit", ttl, block) as (values {{values}}),
     keys as (select k.id, k."hashedKey", coalesce(k.note, '') as note, w."limit", w.ttl, w.block
              from "ApiKey" k left join wanted w using (note)
              where w.note is not null
                 or exists (select from "RateLimit" r
                            where r."apiKeyId" = k.id and starts_with(r.id, '{SETTINGS_MARK}'))),
     removed as (delete from "RateLimit" r using keys k
                 where r."apiKeyId" = k.id
                   and case when k."limit" is null then starts_with(r.id, '{SETTINGS_MARK}')
                            else not ({_AS_WANTED}) end
                 returning k.id),
     added as (insert into "RateLimit" (id, name, "apiKeyId", "limit", ttl, "blockDuration", "updatedAt")
               select '{SETTINGS_MARK}' || gen_random_uuid(), 'default',
                      k.id, k."limit", k.ttl, k.block, now()
               from keys k
               where k."limit" is not null
                 and not exists (select from "RateLimit" r where r."apiKeyId" = k.id and {_AS_WANTED})
               returning "apiKeyId")
select k."hashedKey", k."limit" is not null,
       k.id in (select id from removed union select "apiKeyId" from added),
       k.note
from keys k order by k.note, k.id;
"""


@dataclass(frozen=True)
class LimitsResult:
    """What became of the limits of single keys."""

    changed: list[str]
    """A line for each key whose limit was set or taken away."""
    missing: list[str]
    """Notes that the settings name and no key of the instance carries."""


def apply_limits(instance: Instance) -> LimitsResult:
    """Give each key that the settings name its limit, calstack's own a generous one, and others the default.

    The API's copies in the cache, which it would use for an hour, are dropped, so that all of it holds from
    the next call on; on every run, since a run that was killed in between would leave a copy.
    """
    limit, window, block = _OWN_LIMIT
    own = KeyLimit.model_construct(note=OWN_KEY_NOTE, limit=limit, window_seconds=window, block_seconds=block)
    wanted = [own, *instance.settings.rate_limits.api.keys]
    values = ", ".join(
        f"({quoted(key.note)}, {key.limit}, {key.window_seconds * 1000}, {key.block_seconds * 1000})"
        for key in wanted
    )
    rows = instance.remote.sql(_SQL.format(values=values))
    found = [(digest, named == "t", differed == "t", note) for digest, named, differed, note in rows]
    drop_copies(instance.remote, [digest for digest, *_ in found])
    changed = [
        f"limit of API key {note} {'set' if named else 'back to the default'}"
        for _, named, differed, note in found
        if differed
    ]
    there = {note for _, named, _, note in found if named}
    return LimitsResult(changed, [key.note for key in wanted if key.note not in there])


def effective_limits(instance: Instance) -> dict[str, tuple[Allowance, ...]]:
    """The limits in force of every API key that has some of its own, whoever wrote them.

    By the SHA-256 of the key's text behind its prefix, in small hex letters: as the database has it, and as
    whoever sees the key can compute it. Keys that are not there have the API's default
    (`rate_limits.api.limit`). What calstack wrote is one limit a key; of several, which somebody else may
    have made, the API refuses only when each is used up.
    """
    rows = instance.remote.sql(
        """select k."hashedKey", r."limit", r.ttl, r."blockDuration"
        from "RateLimit" r join "ApiKey" k on k.id = r."apiKeyId" order by 1, 2 desc, r.id;"""
    )
    found: dict[str, tuple[Allowance, ...]] = {}
    for digest, *numbers in rows:
        found[digest] = (*found.get(digest, ()), allowance_of_row(numbers))
    return found


def allowance_of_row(numbers: Sequence[str]) -> Allowance:
    """A row's limit, and its window and block, which are milliseconds there."""
    limit, window, block = map(int, numbers)
    return Allowance(limit, _seconds(window), _seconds(block))


def _seconds(milliseconds: int) -> float:
    return milliseconds / 1000 if milliseconds % 1000 else milliseconds // 1000


def drop_copies(remote: Remote, digests: Collection[str]) -> None:
    """Make the API forget its copies of these keys' limits, which it would use for an hour."""
    if digests:
        copies = " ".join(f"rate_limit:api_key_{digest}" for digest in digests)
        remote.run(f"{REDIS_CLI} del {copies}")


def check_key_limits(manifest: Manifest, inventory: Inventory, hosts: Sequence[str]) -> None:
    """Raises InputError where a host cannot have the manifest's limits, or its settings name such a key."""
    limits = manifest.all_key_limits
    for host in hosts if limits else ():
        settings = inventory.hosts[host]
        if not settings.has_api:
            raise InputError(
                f"{host} has no API v2, so no API key can have a limit there; nothing was sent",
                where=limits[0].where,
                fix="deploy the API (images.api), or take api_key_limits out of the manifest",
            )
        places = {
            key.note: inventory.where(host, ("rate_limits", "api", "keys", position, "note"))
            for position, key in enumerate(settings.rate_limits.api.keys)
        }
        both = [limit for limit in limits if limit.note in places]
        if both:
            listed = [f"{limit.note}: {limit.where} and {places[limit.note]}" for limit in both]
            raise InputError(
                f"the manifest and the settings of {host} (rate_limits.api.keys) both limit these API keys; "
                "nothing was sent:\n  " + "\n  ".join(listed),
                fix="keep one of them",
            )
