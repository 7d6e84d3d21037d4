"""Limits of single API keys: rows that API v2 reads in place of its defaults (FACTS §4)."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.actions.instance import Instance, quoted
from deploy.settings.layout import REDIS_CLI
from deploy.settings.rate_limits import OWN_KEY_NOTE, KeyLimit

_OWN_LIMIT = (100_000, 60, 1)
"""Calls, seconds of the window, seconds of a block: more than an instance answers, so seeding never waits."""

_MARK = "calstack-"
"""Begins the ids of our rows: what the settings no longer name is found again by it, others' rows are not."""

# Where a named key's rows differ from the wanted one, all of them are replaced: of several limits the API
# refuses only when each is used up, so a row beside ours would undo it.
_SQL = """
with wanted (note, "limit", ttl, block) as (values {values}),
     keys as (select k.id, k."hashedKey", coalesce(k.note, '') as note, w."limit", w.ttl, w.block
              from "ApiKey" k left join wanted w using (note)
              where w.note is not null
                 or exists (select from "RateLimit" r where r."apiKeyId" = k.id and r.id like '{mark}%')),
     removed as (delete from "RateLimit" r using keys k
                 where r."apiKeyId" = k.id
                   and (k."limit" is null and r.id like '{mark}%'
                        or k."limit" is not null
                           and (r.name, r."limit", r.ttl, r."blockDuration")
                               is distinct from ('default', k."limit", k.ttl, k.block))
                 returning k.id),
     added as (insert into "RateLimit" (id, name, "apiKeyId", "limit", ttl, "blockDuration", "updatedAt")
               select '{mark}' || gen_random_uuid(), 'default', k.id, k."limit", k.ttl, k.block, now()
               from keys k
               where k."limit" is not null
                 and not exists (select from "RateLimit" r
                                 where r."apiKeyId" = k.id
                                   and (r.name, r."limit", r.ttl, r."blockDuration")
                                       = ('default', k."limit", k.ttl, k.block))
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
    rows = instance.remote.sql(_SQL.format(values=values, mark=_MARK))
    found = [(digest, named == "t", differed == "t", note) for digest, named, differed, note in rows]
    if found:
        copies = " ".join(f"rate_limit:api_key_{digest}" for digest, *_ in found)
        instance.remote.run(f"{REDIS_CLI} del {copies}")
    changed = [
        f"limit of API key {note} {'set' if named else 'back to the default'}"
        for _, named, differed, note in found
        if differed
    ]
    there = {note for _, named, _, note in found if named}
    return LimitsResult(changed, [key.note for key in wanted if key.note not in there])
