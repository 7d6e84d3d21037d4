"""The parts of one running stand-in, passed to whatever answers a request."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from .clock import Clock
from .core import task_queue
from .core.feature_flags import Flags
from .core.webhooks import Sender
from .database import Database, Row
from .mail import Mailer
from .own_address import OwnAddress
from .settings import Settings

# From this version on, deliveries name the version of their shape (FACTS §5).
WEBHOOK_VERSION_SINCE = (6, 0, 12)


@dataclass(frozen=True)
class Instance:
    """Settings, time, rows, and what goes out: webhooks, mail, and the look at its own address."""

    settings: Settings
    clock: Clock
    database: Database
    sender: Sender
    mailer: Mailer
    own_address: OwnAddress
    flags: Flags = field(default_factory=Flags)

    @classmethod
    def of(cls, settings: Settings) -> Instance:
        """An instance with its own pool and senders, not opened yet."""
        tls = ssl.create_default_context()
        if settings.extra_ca_file is not None:
            tls.load_verify_locations(settings.extra_ca_file)
        return cls(
            settings=settings,
            clock=Clock.of(settings),
            database=Database(settings.database_url),
            sender=Sender(tls, with_version_header=settings.version_numbers >= WEBHOOK_VERSION_SINCE),
            mailer=Mailer(settings.mail, tls),
            own_address=OwnAddress(settings.nextauth_url, tls),
        )

    def now(self) -> datetime:
        """The present instant."""
        return self.clock.now()

    def tell(self, webhooks: Sequence[Row], trigger: str, payload: Row) -> None:
        """Send one event to all its subscribers and wait for them, or queue it where that is switched on."""
        if self.settings.webhooks_queued and trigger in task_queue.QUEUED:
            with self.database.transaction() as connection:
                task_queue.add_webhooks(connection, webhooks, trigger, self.now(), payload)
        else:
            self.sender.tell(webhooks, trigger, self.now, payload)

    def close(self) -> None:
        """End what is under way, then the pool."""
        self.sender.close()
        self.mailer.close()
        self.own_address.close()
        self.database.close()
