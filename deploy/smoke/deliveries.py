"""Webhook deliveries as they came, and what a receiver of them promises."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from deploy.errors import CalstackError


@dataclass(frozen=True)
class Delivery:
    """One POST of Cal.com's: the raw body, since the signature is over its bytes."""

    headers: Mapping[str, str]
    body: bytes
    received_at: str
    """UTC, RFC 3339, by the receiver's clock."""

    def header(self, name: str) -> str | None:
        """A header by its name, in whatever spelling it came."""
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), None)

    @property
    def trigger(self) -> str | None:
        """`triggerEvent` of the body; None where there is none."""
        trigger = self._document().get("triggerEvent")
        return trigger if isinstance(trigger, str) else None

    @property
    def payload(self) -> Mapping[str, Any]:
        """`payload` of the body: the booking; empty where there is none."""
        payload = self._document().get("payload")
        return payload if isinstance(payload, dict) else {}

    def _document(self) -> dict[str, Any]:
        try:
            document = json.loads(self.body)
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}


class NoDeliveryError(Exception):
    """A delivery did not arrive in time; `others` are the triggers of those that did."""

    def __init__(self, trigger: str, seconds: float, others: tuple[str, ...]) -> None:
        instead = f"; instead: {', '.join(others)}" if others else ""
        super().__init__(f"no {trigger} within {seconds:g} s{instead}")
        self.trigger = trigger
        self.others = others


class ReceiverGoneError(CalstackError):
    """The receiver ended, or never began to listen."""

    def __init__(self, what: str) -> None:
        super().__init__(
            what, fix="run it again; does `python3 /opt/calcom/onhost.pyz receiver` start on the host?"
        )


class Receiver(Protocol):
    """Listens where the instance can reach it."""

    @property
    def url(self) -> str:
        """Where the instance shall send its webhooks."""

    def wait_for(self, trigger: str, timeout: float) -> Delivery:
        """The next delivery of this trigger, each given once, also when it came before it was asked for.

        Raises `NoDeliveryError` after `timeout` seconds, `ReceiverGoneError` when none can come any more.
        """
