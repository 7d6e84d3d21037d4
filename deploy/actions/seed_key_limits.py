"""The manifest's limits of API keys, as rows in the instance's own database."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from deploy.actions.instance import Instance, quoted, user_id
from deploy.actions.limits import MANIFEST_MARK, SETTINGS_MARK, allowance_of_row, drop_copies
from deploy.actions.proxy_limits import load_proxy_limits
from deploy.seed.key_limits import Allowance, ApiKey
from deploy.settings.rate_limits import OWN_KEY_NOTE


@dataclass(frozen=True)
class DatabaseKeyLimits:
    """A `deploy.seed.key_limits.KeyLimits` on the host of an instance."""

    instance: Instance

    def read(self, user: str) -> tuple[ApiKey, ...]:
        """See `KeyLimits.read`.

        Rows that the settings made are as if they were not there: of a key that the settings no longer name,
        they go with the next deploy.
        """
        others = [OWN_KEY_NOTE, *(key.note for key in self.instance.settings.rate_limits.api.keys)]
        rows = self.instance.remote.sql(
            f"""select k."hashedKey", k.note, starts_with(r.id, '{MANIFEST_MARK}'),
                r."limit", r.ttl, r."blockDuration"
            from "ApiKey" k left join "RateLimit" r
                on r."apiKeyId" = k.id and not starts_with(r.id, '{SETTINGS_MARK}')
            where k."userId" = {self._user(user)}
                and coalesce(k.note, '') not in ({", ".join(map(quoted, others))})
            order by k."createdAt", k.id, r.id;"""
        )
        keys: dict[str, ApiKey] = {}
        for digest, note, made, *numbers in rows:
            key = keys.setdefault(digest, ApiKey(digest, note))
            if numbers[0]:
                held = key.allowances | {allowance_of_row(numbers)}
                keys[digest] = ApiKey(digest, note, held, made=key.made or made == "t")
        return tuple(keys.values())

    def write(self, user: str, note: str, allowance: Allowance) -> None:
        """See `KeyLimits.write`."""
        numbers = (allowance.limit, allowance.window_seconds * 1000, allowance.block_seconds * 1000)
        limit, window, block = map(int, numbers)
        self.instance.remote.sql(
            f"""with keys as ({self._keys(user, note)}),
                removed as (delete from "RateLimit" using keys k where "apiKeyId" = k.id)
            insert into "RateLimit" (id, name, "apiKeyId", "limit", ttl, "blockDuration", "updatedAt")
            select '{MANIFEST_MARK}' || gen_random_uuid(), 'default', k.id, {limit}, {window}, {block}, now()
            from keys k;"""
        )

    def remove(self, user: str, note: str) -> None:
        """See `KeyLimits.remove`."""
        self.instance.remote.sql(
            f"""with keys as ({self._keys(user, note)})
            delete from "RateLimit" r using keys k
            where r."apiKeyId" = k.id and starts_with(r.id, '{MANIFEST_MARK}');"""
        )

    def take_effect(self, digests: Collection[str]) -> None:
        """See `KeyLimits.take_effect`; the proxy learns of them too."""
        drop_copies(self.instance.remote, digests)
        load_proxy_limits(self.instance)

    def _keys(self, user: str, note: str) -> str:
        return f'select id from "ApiKey" where "userId" = {self._user(user)} and note = {quoted(note)}'

    def _user(self, user: str) -> str:
        return user_id(user or self.instance.settings.admin.email)
