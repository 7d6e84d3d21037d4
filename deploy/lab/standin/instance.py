"""The parts of one running stand-in, passed to whatever answers a request."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from datetime import datetime

from .clock import Clock
from .core.feature_flags import Flags
from .core.webhooks import Sender
from .database import Database
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

    def close(self) -> None:
        """End what is under way, then the pool."""
        self.sender.close()
        self.mailer.close()
        self.own_address.close()
        self.database.close()
