"""The channel over API v2, with a key; documented by Cal.com, and versioned for each resource.

What was recorded on 6.0.2 is the contract, held by `tests/contract/test_api_client.py`. Its ways:

| resource      | its way                                      | here                                 |
| ------------- | -------------------------------------------- | ------------------------------------ |
| all           | unknown fields are dropped without a word    | models know no other fields          |
| event types   | slug taken: 400, with or without a reason    | the list tells, whatever the text    |
|               | a confirmation policy is written whole       | read, merged, written                |
|               | hiding guests resets the other questions     | they go along                        |
|               | a slug is normalised                         | the answer's slug holds              |
|               | empty lists of locations, lengths: refused   | left out; `NotOffered` on a change   |
| schedules     | name, zone and default must be said          | the user's zone, no default          |
|               | no hours at all become Cal.com's own         | written once more                    |
| webhooks      | broken URLs are taken                        | whoever declares them checks them    |
|               | lists come in pages of 250                   | read page after page                 |
| bookings      | slot taken: 400, told by its text            | `SlotTaken`                          |
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any
from urllib.parse import quote

import httpx

from deploy.calcom.abilities import cannot_write
from deploy.calcom.errors import AlreadyExists, InvalidInput, NoAnswer, NotOffered
from deploy.calcom.http import RetryPolicy
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
from deploy.calcom.pacing import Pacer
from deploy.calcom.rest import ANY, BOOKINGS, EVENT_TYPES, SCHEDULES, Rest
from deploy.calcom.wire.api import bookings, event_types, schedules, users, webhooks

_WEBHOOKS_A_PAGE = 250
_BOOKINGS_A_PAGE = 100
"""The most that one answer holds (FACTS §5)."""


class ApiChannel:
    """A `Channel` over `http`, whose base URL is the API's (`https://NAME/api`, or its own host), with `key`.

    `pacer` is shared by all channels and threads that use the same key; without one the channel has its own.
    """

    name = "api"

    def __init__(
        self,
        http: httpx.Client,
        key: str,
        *,
        policy: RetryPolicy | None = None,
        pacer: Pacer | None = None,
    ) -> None:
        self._rest = Rest(http, key, policy, pacer or Pacer())

    # --- the user

    def me(self) -> User:
        """See `Channel.me`; a refused key is an `UnlicensedApi`, `KeyExpired` or `KeyNotAccepted`."""
        return self._rest.get("/v2/me", ANY, users.MeAnswer).user()

    def update_profile(self, fields: ProfileFields) -> None:
        """See `Channel.update_profile`; `NotOffered` for what API v2 cannot write, before it is called."""
        self._refuse_what_is_not_offered(fields)
        self._rest.write("PATCH", "/v2/me", ANY, users.MeAnswer, users.profile_input(fields), idempotent=True)

    def refresh_key(self, *, days_valid: int | None = None, never_expires: bool = False) -> str:
        """Replace the channel's key by a new one, returned and used from now on; the old one is gone.

        Without arguments the new one lives for 30 days (FACTS §4). Where the answer is lost, so is the key:
        then a new one must be made by other means.
        """
        if days_valid is not None and never_expires:
            raise ValueError("a key has days, or never expires")
        body: dict[str, Any] = {}
        if never_expires:
            body["apiKeyNeverExpires"] = True
        elif days_valid is not None:
            body["apiKeyDaysValid"] = days_valid
        new = self._rest.write(
            "POST", "/v2/api-keys/refresh", ANY, users.KeyAnswer, body, idempotent=False
        ).key
        self._rest = Rest(self._rest.http, new, self._rest.policy, self._rest.pacer)
        return new

    def _refuse_what_is_not_offered(self, fields: EventTypeFields | ProfileFields | WebhookFields) -> None:
        missing = cannot_write(self.name, fields)
        if missing:
            raise NotOffered(
                f"API v2 has no way to set {', '.join(missing)}", fix="use the web channel (`channel: web`)"
            )

    # --- schedules

    def list_schedules(self, names: Collection[str] | None = None) -> tuple[Schedule, ...]:
        """See `Channel.list_schedules`: one request."""
        listed = self._rest.get("/v2/schedules", SCHEDULES, list[schedules.ScheduleAnswer])
        return tuple(
            answer.schedule()
            for answer in sorted(listed, key=lambda answer: answer.id)
            if names is None or answer.name in names
        )

    def create_schedule(self, fields: ScheduleFields) -> Schedule:
        """See `Channel.create_schedule`."""
        if not fields.name:
            raise ValueError("a schedule needs a name")
        body = {"isDefault": False, **schedules.schedule_input(fields)}
        if not body.get("timeZone"):
            body["timeZone"] = self.me().time_zone
        made = self._rest.write(
            "POST", "/v2/schedules", SCHEDULES, schedules.ScheduleAnswer, body, idempotent=False
        ).schedule()
        if fields.availability == {} and made.availability:
            # No hours count as hours that were not said.
            return self.update_schedule(made.id, ScheduleFields(availability={}))
        return made

    def update_schedule(self, schedule_id: int, fields: ScheduleFields) -> Schedule:
        """See `Channel.update_schedule`."""
        return self._rest.write(
            "PATCH",
            f"/v2/schedules/{schedule_id}",
            SCHEDULES,
            schedules.ScheduleAnswer,
            schedules.schedule_input(fields),
            idempotent=True,
        ).schedule()

    def delete_schedule(self, schedule_id: int) -> None:
        """See `Channel.delete_schedule`."""
        self._rest.write("DELETE", f"/v2/schedules/{schedule_id}", SCHEDULES, object, idempotent=False)

    # --- event types

    def list_event_types(self, slugs: Collection[str] | None = None) -> tuple[EventType, ...]:
        """See `Channel.list_event_types`: one request, whatever `slugs` are."""
        listed = self._rest.get("/v2/event-types", EVENT_TYPES, list[event_types.EventTypeAnswer])
        return tuple(
            answer.event_type()
            for answer in sorted(listed, key=lambda answer: answer.id)
            if slugs is None or answer.slug in slugs
        )

    def event_type_ids(self, slugs: Collection[str] | None = None) -> tuple[int, ...]:
        """See `Channel.event_type_ids`."""
        return tuple(event_type.id for event_type in self.list_event_types(slugs))

    def get_event_type(self, event_type_id: int) -> EventType:
        """See `Channel.get_event_type`."""
        return self._rest.get(
            f"/v2/event-types/{event_type_id}", EVENT_TYPES, event_types.EventTypeAnswer
        ).event_type()

    def create_event_type(self, fields: EventTypeFields) -> EventType:
        """See `Channel.create_event_type`.

        The server makes a bare one first; where its second half fails, the bare one stays (FACTS §5), and
        updating it with the same fields completes it.
        """
        missing = {"title", "slug", "length_minutes", "locations"} - fields.model_fields_set
        if missing:
            raise ValueError(f"an event type needs {', '.join(sorted(missing))}")
        try:
            return self._rest.write(
                "POST",
                "/v2/event-types",
                EVENT_TYPES,
                event_types.EventTypeAnswer,
                event_types.event_type_input(fields),
                idempotent=False,
            ).event_type()
        except InvalidInput as error:
            taken = not error.field_errors and (
                "with this slug" in error.message or bool(self.list_event_types({fields.slug or ""}))
            )
            if not taken:
                raise
            raise AlreadyExists(
                f"an event type {fields.slug!r} is there already",
                status=error.status,
                code=error.code,
                message=error.message,
                request_id=error.request_id,
                where=error.where,
            ) from error

    def update_event_type(self, event_type_id: int, fields: EventTypeFields) -> EventType:
        """See `Channel.update_event_type`; one read more where only part of what is written whole is set."""
        self._refuse_what_is_not_offered(fields)
        if event_types.builds_on_current(fields):
            fields = event_types.completed(fields, self.get_event_type(event_type_id))
        return self._rest.write(
            "PATCH",
            f"/v2/event-types/{event_type_id}",
            EVENT_TYPES,
            event_types.EventTypeAnswer,
            event_types.event_type_input(fields),
            idempotent=True,
        ).event_type()

    def delete_event_type(self, event_type_id: int) -> None:
        """See `Channel.delete_event_type`."""
        self._rest.write("DELETE", f"/v2/event-types/{event_type_id}", EVENT_TYPES, object, idempotent=False)

    # --- webhooks

    def list_webhooks(self, event_type_id: int | None = None) -> tuple[Webhook, ...]:
        """See `Channel.list_webhooks`; delays are not told, so `time` is always None."""
        found: list[Webhook] = []
        while True:
            # The first page is the default, so it needs no parameters.
            params = {"take": str(_WEBHOOKS_A_PAGE), "skip": str(len(found))} if found else {}
            page = self._rest.get(_webhooks(event_type_id), EVENT_TYPES, list[webhooks.WebhookAnswer], params)
            found.extend(answer.webhook() for answer in page)
            if len(page) < _WEBHOOKS_A_PAGE:
                return tuple(found)

    def create_webhook(self, fields: WebhookFields, event_type_id: int | None = None) -> Webhook:
        """See `Channel.create_webhook`."""
        if not fields.url or not fields.triggers:
            raise ValueError("a webhook needs a URL and triggers")
        self._refuse_what_is_not_offered(fields)
        body = {"active": True, **webhooks.webhook_input(fields)}
        # None is what a webhook without one has; the validation wants a text where there is one.
        body = {name: value for name, value in body.items() if value is not None}
        return self._rest.write(
            "POST", _webhooks(event_type_id), EVENT_TYPES, webhooks.WebhookAnswer, body, idempotent=False
        ).webhook()

    def update_webhook(self, webhook: Webhook, fields: WebhookFields) -> Webhook:
        """See `Channel.update_webhook`."""
        self._refuse_what_is_not_offered(fields)
        return self._rest.write(
            "PATCH",
            f"{_webhooks(webhook.event_type_id)}/{webhook.id}",
            EVENT_TYPES,
            webhooks.WebhookAnswer,
            webhooks.webhook_input(fields),
            idempotent=True,
        ).webhook()

    def delete_webhook(self, webhook: Webhook) -> None:
        """See `Channel.delete_webhook`."""
        self._rest.write(
            "DELETE",
            f"{_webhooks(webhook.event_type_id)}/{webhook.id}",
            EVENT_TYPES,
            object,
            idempotent=False,
        )

    # --- bookings, as their host

    def list_bookings(
        self,
        statuses: Sequence[str],
        *,
        attendee_email: str | None = None,
        after: dt.datetime | None = None,
    ) -> tuple[Booking, ...]:
        """See `Channel.list_bookings`; reads page after page until all are there."""
        params = {"take": str(_BOOKINGS_A_PAGE)}
        if statuses:
            params["status"] = ",".join(statuses)
        if attendee_email is not None:
            params["attendeeEmail"] = attendee_email
        if after is not None:
            params["afterStart"] = bookings.moment(after)
        found: list[Booking] = []
        while True:
            asked = {**params, "skip": str(len(found))} if found else params
            page, more = self._rest.page("/v2/bookings", BOOKINGS, list[bookings.BookingAnswer], asked)
            found.extend(answer.booking() for answer in page)
            if not page or not more:
                return tuple(found)

    def get_booking(self, uid: str) -> Booking:
        """See `HostChannel.get_booking`."""
        return self._rest.get(
            f"/v2/bookings/{quote(uid, safe='')}", BOOKINGS, bookings.BookingAnswer
        ).booking()

    def confirm(self, booking: Booking) -> Booking:
        """See `HostChannel.confirm`."""
        return self._decide(booking, "confirm", {}, "accepted")

    def decline(self, booking: Booking, reason: str = "") -> Booking:
        """See `HostChannel.decline`."""
        return self._decide(booking, "decline", {"reason": reason} if reason else {}, "rejected")

    def mark_absent(
        self, uid: str, *, host: bool | None = None, attendees: Sequence[tuple[str, bool]] = ()
    ) -> Booking:
        """Note after a meeting's start who did not come: the host, and attendees as (e-mail, absent)."""
        body: dict[str, Any] = {}
        if host is not None:
            body["host"] = host
        if attendees:
            body["attendees"] = [{"email": email, "absent": absent} for email, absent in attendees]
        return self._rest.write(
            "POST",
            f"/v2/bookings/{quote(uid, safe='')}/mark-absent",
            BOOKINGS,
            bookings.BookingAnswer,
            body,
            idempotent=True,
        ).booking()

    def _decide(self, booking: Booking, verb: str, body: dict[str, Any], outcome: str) -> Booking:
        try:
            return self._rest.write(
                "POST",
                f"/v2/bookings/{quote(booking.uid, safe='')}/{verb}",
                BOOKINGS,
                bookings.BookingAnswer,
                body,
                idempotent=False,
            ).booking()
        except NoAnswer as error:
            # Deciding twice is refused; so look whether it is decided.
            held = self.get_booking(booking.uid) if error.maybe_done else booking
            if held.status != outcome:
                raise
            return held


def _webhooks(event_type_id: int | None) -> str:
    return "/v2/webhooks" if event_type_id is None else f"/v2/event-types/{event_type_id}/webhooks"
