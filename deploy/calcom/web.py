"""The channel over the web app's own procedures, with a session; needs neither API v2 nor a licence.

The procedures are internal to Cal.com. What was recorded on 6.0.2 is the contract, held by
`tests/contract/test_web_client.py`. Where versions or procedures have their ways, this is the table of them:

| procedure                      | its way                                    | here                      |
| ------------------------------ | ------------------------------------------ | ------------------------- |
| all, and the session           | 6.0.2 finds the user by e-mail, later      | a session carries both    |
|                                | versions by id                             |                           |
| availability/schedule.update   | 200 without effect where no name is given  | the name always goes      |
|                                | replaces all hours and overrides           | read, merged, written     |
| availability/schedule.get      | an unknown id is a 500 `Unauthorized`      | `NotFound`                |
| eventTypesHeavy/create         | slug taken: 400, without a reason in 6.0.2 | the list tells, whatever  |
|                                |                                            | the text                  |
|                                | the slug is normalised                     | the answer's slug holds   |
| eventTypesHeavy/update         | answers with the state before              | read back                 |
|                                | no location means Cal Video                | creating needs locations  |
| webhook/create                 | URL taken: 500 `Failed to create webhook`  | the list tells            |
| bookings/confirm               | an unknown id is a 500 of the database     | `NotFound`                |
| webhook/edit, webhook/delete   | those of an event type want its id         | it goes along             |
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

import httpx

from deploy.calcom.errors import AlreadyExists, InvalidInput, NoAnswer, NotFound, Refused, ServerFailed
from deploy.calcom.http import RetryPolicy
from deploy.calcom.models import (
    Booking,
    EventType,
    EventTypeFields,
    OutOfOffice,
    OutOfOfficeFields,
    ProfileFields,
    Schedule,
    ScheduleFields,
    User,
    Webhook,
    WebhookFields,
)
from deploy.calcom.trpc import Trpc, iso_milliseconds
from deploy.calcom.wire import Deleted, bookings, event_types, schedules, users, webhooks

_DAYS_AWAY_A_PAGE = 10
_BOOKINGS_A_PAGE = 100
"""The most that `bookings/get` gives at once (FACTS §16)."""


class WebChannel:
    """A `Channel` over `http` with `session`, the Cookie header of `deploy.calcom.session`."""

    name = "web"

    def __init__(self, http: httpx.Client, session: str, *, policy: RetryPolicy | None = None) -> None:
        self._trpc = Trpc(http, session, policy)

    # --- the user

    def me(self) -> User:
        """See `Channel.me`; raises `NotSignedIn` where the session is not, or no longer, good."""
        return self._trpc.query("me/get", None, users.UserAnswer).user()

    def update_profile(self, fields: ProfileFields) -> None:
        """See `Channel.update_profile`."""
        data = users.profile_input(fields)
        if data:
            self._trpc.mutate("me/updateProfile", data, dict[str, Any], idempotent=True)
        if fields.default_schedule_id is not None:
            self.update_schedule(fields.default_schedule_id, ScheduleFields(is_default=True))

    def list_out_of_office(self) -> tuple[OutOfOffice, ...]:
        """The user's days away, past and future."""
        found: list[OutOfOffice] = []
        cursor: int | None = None
        while True:
            data = {"limit": _DAYS_AWAY_A_PAGE, **({} if cursor is None else {"cursor": cursor})}
            page = self._trpc.query("ooo/outOfOfficeEntriesList", data, users.OutOfOfficeList)
            found.extend(row.out_of_office() for row in page.rows)
            cursor = page.next_cursor
            if cursor is None or not page.rows:
                return tuple(found)

    def set_out_of_office(self, fields: OutOfOfficeFields, entry: OutOfOffice | None = None) -> None:
        """Be away on these days, or move an entry to them; the slots of those days are not free then."""
        self._trpc.mutate(
            "ooo/outOfOfficeCreateOrUpdate",
            users.out_of_office_input(fields, entry.id if entry else None),
            Any,
            idempotent=entry is not None,
        )

    # --- schedules

    def list_schedules(self, names: Collection[str] | None = None) -> tuple[Schedule, ...]:
        """See `Channel.list_schedules`: one request, and one for each schedule that is wanted."""
        listed = self._trpc.query("availability/list", None, schedules.ScheduleList).schedules
        return tuple(
            self._schedule(entry.id)
            for entry in sorted(listed, key=lambda entry: entry.id)
            if names is None or entry.name in names
        )

    def create_schedule(self, fields: ScheduleFields) -> Schedule:
        """See `Channel.create_schedule`; made with Cal.com's own hours first, then set to what is wanted."""
        if not fields.name:
            raise ValueError("a schedule needs a name")
        created = self._trpc.mutate(
            "availability/schedule.create", {"name": fields.name}, schedules.ScheduleCreated, idempotent=False
        )
        return self.update_schedule(created.schedule.id, fields)

    def update_schedule(self, schedule_id: int, fields: ScheduleFields) -> Schedule:
        """See `Channel.update_schedule`."""
        current = self._schedule(schedule_id)
        self._trpc.mutate(
            "availability/schedule.update",
            schedules.schedule_input(current, fields),
            schedules.ScheduleUpdated,
            idempotent=True,
        )
        return self._schedule(schedule_id)

    def delete_schedule(self, schedule_id: int) -> None:
        """See `Channel.delete_schedule`."""
        try:
            self._trpc.mutate(
                "availability/schedule.delete", {"scheduleId": schedule_id}, Any, idempotent=False
            )
        except InvalidInput as error:
            if error.field_errors:
                raise
            raise InvalidInput(
                "Cal.com does not remove the default schedule",
                status=error.status,
                code=error.code,
                message=error.message,
                where=error.where,
                fix="make another schedule the default first",
            ) from error

    def _schedule(self, schedule_id: int) -> Schedule:
        procedure = "availability/schedule.get"
        try:
            return self._trpc.query(
                procedure, {"scheduleId": schedule_id}, schedules.ScheduleAnswer
            ).schedule()
        except ServerFailed as error:
            if error.message.lower() not in ("unauthorized", "schedule not found"):
                raise
            raise NotFound(
                f"there is no schedule {schedule_id} of this user",
                status=error.status,
                code=error.code,
                message=error.message,
                where=procedure,
            ) from error

    # --- event types

    def list_event_types(self, slugs: Collection[str] | None = None) -> tuple[EventType, ...]:
        """See `Channel.list_event_types`: one request, and one for each event type that is wanted."""
        return tuple(self.get_event_type(event_type_id) for event_type_id in self.event_type_ids(slugs))

    def event_type_ids(self, slugs: Collection[str] | None = None) -> tuple[int, ...]:
        """See `Channel.event_type_ids`."""
        listed = self._listed_event_types()
        return tuple(sorted(entry.id for entry in listed if slugs is None or entry.slug in slugs))

    def get_event_type(self, event_type_id: int) -> EventType:
        """See `Channel.get_event_type`."""
        got = self._trpc.query("eventTypes/get", {"id": event_type_id}, event_types.EventTypeGot)
        return got.event_type.event_type()

    def create_event_type(self, fields: EventTypeFields) -> EventType:
        """See `Channel.create_event_type`: made bare first, then given all the rest.

        Where the second half fails, the bare one stays; updating it with the same fields completes it.
        """
        missing = {"title", "slug", "length_minutes", "locations"} - fields.model_fields_set
        if missing:
            raise ValueError(f"an event type needs {', '.join(sorted(missing))}")
        first = EventTypeFields(
            **{
                name: getattr(fields, name)
                for name in event_types.CREATE_NAMES
                if name in fields.model_fields_set
            }
        )
        try:
            created = self._trpc.mutate(
                "eventTypesHeavy/create",
                event_types.event_type_input(first),
                event_types.EventTypeCreated,
                idempotent=False,
            ).event_type
        except InvalidInput as error:
            taken = not error.field_errors and any(
                entry.slug == fields.slug for entry in self._listed_event_types()
            )
            if not taken:
                raise
            raise _exists(f"an event type {fields.slug!r} is there already", error) from error
        return self._written(created.id, event_types.event_type_input(fields))

    def update_event_type(self, event_type_id: int, fields: EventTypeFields) -> EventType:
        """See `Channel.update_event_type`; one read more where metadata or questions are replaced whole."""
        current: dict[str, Any] | None = None
        if event_types.builds_on_current(fields):
            got = self._trpc.query("eventTypes/get", {"id": event_type_id}, event_types.EventTypeRaw)
            current = got.event_type
        return self._written(event_type_id, event_types.event_type_input(fields, current))

    def _written(self, event_type_id: int, data: dict[str, Any]) -> EventType:
        self._trpc.mutate(
            "eventTypesHeavy/update",
            {"id": event_type_id, **data},
            event_types.EventTypeBefore,
            idempotent=True,
        )
        return self.get_event_type(event_type_id)

    def delete_event_type(self, event_type_id: int) -> None:
        """See `Channel.delete_event_type`."""
        self._trpc.mutate("eventTypes/delete", {"id": event_type_id}, Deleted, idempotent=False)

    def _listed_event_types(self) -> list[event_types.EventTypeListed]:
        return self._trpc.query("eventTypes/list", None, list[event_types.EventTypeListed])

    # --- webhooks

    def list_webhooks(self, event_type_id: int | None = None) -> tuple[Webhook, ...]:
        """See `Channel.list_webhooks`; what teams or the platform own is left out."""
        listed = self._trpc.query("webhook/list", _scope(event_type_id), list[webhooks.WebhookAnswer])
        return tuple(
            answer.webhook()
            for answer in listed
            if answer.event_type_id == event_type_id and answer.team_id is None and not answer.platform
        )

    def create_webhook(self, fields: WebhookFields, event_type_id: int | None = None) -> Webhook:
        """See `Channel.create_webhook`."""
        if not fields.url or not fields.triggers:
            raise ValueError("a webhook needs a URL and triggers")
        data = {**webhooks.webhook_input(fields, None), **_scope(event_type_id)}
        try:
            return self._trpc.mutate(
                "webhook/create", data, webhooks.WebhookAnswer, idempotent=False
            ).webhook()
        except ServerFailed as error:
            if not any(webhook.url == fields.url for webhook in self.list_webhooks(event_type_id)):
                raise
            raise _exists("a webhook with this URL is there already", error) from error

    def update_webhook(self, webhook: Webhook, fields: WebhookFields) -> Webhook:
        """See `Channel.update_webhook`."""
        data = {
            "id": webhook.id,
            **webhooks.webhook_input(fields, webhook),
            **_scope(webhook.event_type_id),
        }
        return self._trpc.mutate("webhook/edit", data, webhooks.WebhookAnswer, idempotent=True).webhook()

    def delete_webhook(self, webhook: Webhook) -> None:
        """See `Channel.delete_webhook`."""
        self._trpc.mutate(
            "webhook/delete",
            {"id": webhook.id, **_scope(webhook.event_type_id)},
            Deleted,
            idempotent=False,
        )

    # --- bookings

    def list_bookings(
        self,
        statuses: Sequence[str],
        *,
        attendee_email: str | None = None,
        after: dt.datetime | None = None,
    ) -> tuple[Booking, ...]:
        """See `Channel.list_bookings`; reads page after page until all are there."""
        filters: dict[str, Any] = {"statuses": list(statuses)}
        if attendee_email is not None:
            filters["attendeeEmail"] = attendee_email
        if after is not None:
            filters["afterStartDate"] = iso_milliseconds(after)
        found: list[Booking] = []
        while True:
            page = self._trpc.query(
                "bookings/get",
                {"filters": filters, "limit": _BOOKINGS_A_PAGE, "offset": len(found)},
                bookings.BookingList,
            )
            found.extend(answer.booking() for answer in page.bookings)
            if not page.bookings or len(found) >= page.total:
                return tuple(found)

    def get_booking(self, uid: str) -> Booking:
        """See `HostChannel.get_booking`; attendees and metadata are not told."""
        procedure = "bookings/find"
        found = self._trpc.query(procedure, {"bookingUid": uid}, bookings.BookingFound).booking
        if found is None:
            raise NotFound(f"there is no booking {uid}", status=200, where=procedure)
        return found.booking()

    def confirm(self, booking: Booking) -> Booking:
        """See `HostChannel.confirm`."""
        return self._decide(booking, confirmed=True, reason="")

    def decline(self, booking: Booking, reason: str = "") -> Booking:
        """See `HostChannel.decline`."""
        return self._decide(booking, confirmed=False, reason=reason)

    def request_reschedule(self, uid: str, reason: str) -> None:
        """Ask a guest for another time; the booking is cancelled by that (FACTS §16)."""
        self._trpc.mutate(
            "bookings/requestReschedule",
            {"bookingUid": uid, "rescheduleReason": reason},
            Any,
            idempotent=False,
        )

    def _decide(self, booking: Booking, *, confirmed: bool, reason: str) -> Booking:
        procedure = "bookings/confirm"
        data = {"bookingId": booking.id, "confirmed": confirmed, "reason": reason}
        try:
            decided = self._trpc.mutate(procedure, data, bookings.Decided, idempotent=False)
        except NoAnswer as error:
            # Deciding twice is refused; so look whether it is decided.
            held = self.get_booking(booking.uid) if error.maybe_done else booking
            if held.status != ("accepted" if confirmed else "rejected"):
                raise
            return held
        except ServerFailed as error:
            if "No record was found" not in error.message:
                raise
            raise NotFound(
                f"there is no booking {booking.id}",
                status=error.status,
                code=error.code,
                message=error.message,
                request_id=error.request_id,
                where=procedure,
            ) from error
        return Booking.model_validate({**dict(booking), "status": decided.status.lower()})


def _scope(event_type_id: int | None) -> dict[str, int]:
    return {} if event_type_id is None else {"eventTypeId": event_type_id}


def _exists(what: str, error: Refused) -> AlreadyExists:
    return AlreadyExists(what, status=error.status, code=error.code, message=error.message, where=error.where)
