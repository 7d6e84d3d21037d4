"""Which webhooks calstack made, so that pruning never takes one that somebody else relies on.

An instance does not say who made a webhook, and other programs make their own: n8n's Cal.com node does when a
workflow is activated (FACTS §11). So calstack notes the ids of those that it makes, and what it is about to
make, since a run that is killed in between must not lose the id. Where the note is kept is up to who passes
it in.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

WebhookKey = tuple[str | None, str]
"""Slug of its event type (None: the user's) and URL, by which a webhook is known within a user."""


@dataclass(frozen=True)
class Intent:
    """A webhook that a run was about to make; `user` is as the manifest names them, empty for the own one."""

    user: str
    event_type: str | None
    url: str


@dataclass(frozen=True)
class Made:
    """What is noted: ids of webhooks that were made, and intents whose outcome is not known yet."""

    ids: frozenset[str] = frozenset()
    intents: frozenset[Intent] = frozenset()

    def settled(
        self, user: str, found: Mapping[WebhookKey, str], read: Collection[str | None] | None = None
    ) -> Made:
        """The same once a user's webhooks were read: what an intent asked for is there, or was never made.

        `read` are the event types (None: the user) whose webhooks were read; without it, all were.
        """
        known = {
            intent
            for intent in self.intents
            if intent.user == user and (read is None or intent.event_type in read)
        }
        ids = {found[key] for intent in known if (key := (intent.event_type, intent.url)) in found}
        return Made(self.ids | ids, self.intents - known)

    def about_to(self, intents: Iterable[Intent]) -> Made:
        """The same with intents."""
        return Made(self.ids, self.intents | frozenset(intents))

    def without(self, ids: Iterable[str]) -> Made:
        """The same after these were removed."""
        return Made(self.ids - frozenset(ids), self.intents)

    def to_text(self) -> str:
        """One line of JSON."""
        intents = sorted(
            ([intent.user, intent.event_type, intent.url] for intent in self.intents), key=json.dumps
        )
        return json.dumps({"calstack_made": sorted(self.ids), "about_to_make": intents})

    @classmethod
    def from_text(cls, text: str | None) -> Made:
        """What `to_text` wrote; anything else is nothing, so that nothing is taken for ours by mistake."""
        try:
            said = json.loads(text or "")
            return cls(
                frozenset(str(made) for made in said["calstack_made"]),
                frozenset(Intent(str(user), slug, str(url)) for user, slug, url in said["about_to_make"]),
            )
        except (ValueError, KeyError, TypeError):
            return cls()


class Ledger(Protocol):
    """Where it is noted; both raise CalstackError where the note cannot be reached."""

    def read(self) -> Made:
        """What is noted."""

    def write(self, made: Made) -> None:
        """Note this in place of what was noted."""
