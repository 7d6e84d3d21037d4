"""The interface through which seeding, smoke test and actions see an instance, whatever lies below it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Protocol

from deploy.calcom.models import (
    Booking,
    EventType,
    EventTypeFields,
    ProfileFields,
    Schedule,
    ScheduleFields,
    User,
    Webhook,
    WebhookFields,
)


class Channel(Protocol):
    """One user's view of an instance.

    Every method raises `deploy.calcom.errors.CalcomError`: `NotFound` for an id that is not the user's,
    `InvalidInput` for values that Cal.com refuses, `AlreadyExists` where slug or URL are taken,
    `UnexpectedShape` where the answer is not of a recorded shape. Writing methods send only the fields that
    were set on the model they get, leave all others as they are, and return what the instance then holds.
    """

    @property
    def name(self) -> str:
        """The channel's name in `channel:` and reports, `web` or `api`."""

    def me(self) -> User:
        """The user whose channel it is."""

    def update_profile(self, fields: ProfileFields) -> None:
        """Change the user's own settings."""

    def list_schedules(self, names: Collection[str] | None = None) -> tuple[Schedule, ...]:
        """The user's schedules in full, by id; with `names` only those, which may save requests.

        Cal.com allows two schedules of one name, so a name can come twice.
        """

    def create_schedule(self, fields: ScheduleFields) -> Schedule:
        """Make a schedule; `fields.name` must be set."""

    def update_schedule(self, schedule_id: int, fields: ScheduleFields) -> Schedule:
        """Change a schedule; `is_default=True` takes the default from another one."""

    def delete_schedule(self, schedule_id: int) -> None:
        """Remove a schedule; Cal.com refuses to remove the default one."""

    def list_event_types(self, slugs: Collection[str] | None = None) -> tuple[EventType, ...]:
        """The user's own event types in full, hidden ones too, by id; with `slugs` only those."""

    def event_type_ids(self, slugs: Collection[str] | None = None) -> tuple[int, ...]:
        """The ids of the same, in one request; for reading many of them at once."""

    def get_event_type(self, event_type_id: int) -> EventType:
        """One event type."""

    def create_event_type(self, fields: EventTypeFields) -> EventType:
        """Make an event type; `title`, `slug`, `length_minutes` and `locations` must be set.

        Without a location Cal.com takes Cal Video even where it has no keys for it (FACTS §16).
        """

    def update_event_type(self, event_type_id: int, fields: EventTypeFields) -> EventType:
        """Change an event type."""

    def delete_event_type(self, event_type_id: int) -> None:
        """Remove an event type, and its webhooks with it."""

    def list_webhooks(self, event_type_id: int | None = None) -> tuple[Webhook, ...]:
        """The user's webhooks, or those of one event type."""

    def create_webhook(self, fields: WebhookFields, event_type_id: int | None = None) -> Webhook:
        """Make a webhook; `url` and `triggers` must be set."""

    def update_webhook(self, webhook: Webhook, fields: WebhookFields) -> Webhook:
        """Change a webhook that was read before."""

    def delete_webhook(self, webhook: Webhook) -> None:
        """Remove a webhook."""

    def list_bookings(
        self,
        statuses: Sequence[str],
        *,
        attendee_email: str | None = None,
        after: dt.datetime | None = None,
    ) -> tuple[Booking, ...]:
        """The user's bookings of these kinds: `upcoming`, `unconfirmed`, `past`, `cancelled`, `recurring`."""


class HostChannel(Channel, Protocol):
    """A channel whose user also looks after bookings; both channels are one."""

    def get_booking(self, uid: str) -> Booking:
        """One booking; raises `NotFound`."""

    def confirm(self, booking: Booking) -> Booking:
        """Accept a booking that waits for it; raises `InvalidInput` where it does not, or no longer."""

    def decline(self, booking: Booking, reason: str = "") -> Booking:
        """Refuse a booking that waits for a confirmation."""
