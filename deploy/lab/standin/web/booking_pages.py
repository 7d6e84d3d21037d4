"""The pages on which guests book: profile, calendar, form, confirmation; and the same inside a frame.

The calendar is links and the form is a form, so a booking needs no script. Where scripts run, a small one
sends the booking to `POST /api/book/event` as the real page does, and shows the text of a refusal.
"""

from __future__ import annotations

import calendar
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ..core import availability, booking_fields, bookings, event_types, people, schedules, slots
from ..core.refusals import DATABASE_ERROR, RefusalError
from ..core.slots import Interval
from ..database import Row
from ..instance import Instance
from .answers import form_fields
from .guest import Guest
from .markup import escaped, not_found, page, redirect
from .procedures.slots import iso
from .validation import InvalidError, is_time_zone, sentence

# How many months ahead the page looks for the first one with free days.
MONTHS_AHEAD = 6

BOOKER = """
const form = document.querySelector("form[data-event]");
if (form) {
  const told = form.querySelector("[role=alert]"), event = JSON.parse(form.dataset.event);
  form.addEventListener("submit", async (submitted) => {
    submitted.preventDefault();
    const responses = {guests: []};
    for (const [name, value] of new FormData(form))
      if (value && !(name in event) && name !== "timeZone") responses[name] = value;
    if (event.location)
      responses.location = {value: event.location, optionValue: responses.location || ""};
    const language = navigator.language.split("-")[0] || "en";
    const answer = await fetch("/api/book/event", {method: "POST",
      headers: {"content-type": "application/json"},
      body: JSON.stringify({...event.booking, language, responses})});
    const content = await answer.json().catch(() => ({}));
    if (!answer.ok) {
      told.textContent = content.message || answer.statusText || "Something went wrong.";
      return;
    }
    if (event.embed !== null) window.parent.postMessage({originator: "CAL", type: "bookingSuccessful",
      fullType: `CAL:${event.embed}:bookingSuccessful`, namespace: event.embed,
      data: {uid: content.uid}}, "*");
    location.href = `/booking/${content.uid}` + (event.embed === null ? "" : "?embed=" + event.embed);
  });
}
"""

FRAME = """
const namespace = new URLSearchParams(location.search).get("embed") || "";
for (const type of ["__iframeReady", "linkReady"]) window.parent.postMessage(
  {originator: "CAL", type, fullType: `CAL:${namespace}:${type}`, namespace, data: {}}, "*");
"""


@dataclass(frozen=True)
class Visit:
    """One look at a booking page."""

    user: Row
    event_type: Row
    zone: str
    base: str
    month: date
    day: date | None
    slot: datetime | None
    reschedule_uid: str | None
    embed: str | None

    def link(self, **choice: str | None) -> str:
        """The address of the same page with another choice."""
        query = {
            "month": f"{self.month:%Y-%m}",
            "timeZone": self.zone,
            "rescheduleUid": self.reschedule_uid,
            "embed": self.embed,
            **choice,
        }
        return (
            self.base + "?" + urlencode({name: value for name, value in query.items() if value is not None})
        )


class BookingPages:
    """The guests' pages of one instance."""

    def __init__(self, instance: Instance, guest: Guest) -> None:
        self._instance = instance
        self._guest = guest
        self._app = instance.settings.app_name

    def profile(self, request: Request, _body: bytes) -> Response:
        """`/username`: who this is and what can be booked; hidden types are not listed."""
        with self._instance.database.transaction() as connection:
            user = people.by_username(connection, request.path_params["username"])
            if user is None:
                return not_found(self._app)
            shown = event_types.listed(connection, user["id"], with_hidden=False)
        name = people.display_name(user)
        entries = "".join(
            f'<li><a data-testid="event-type-link"'
            f' href="/{escaped(user["username"])}/{escaped(each["slug"])}">'
            f'{escaped(each["title"])}</a> <span class="note">{each["length"]} min</span></li>'
            for each in shown
        )
        body = f"<h1>{escaped(name)}</h1><p>{escaped(user['bio'] or '')}</p><ul>{entries}</ul>"
        return page(f"{name} | {self._app}", body)

    def booker(self, request: Request, body: bytes) -> Response:
        """`/username/slug`: the calendar, or the form once a slot is chosen."""
        return self._book(request, body, embedded=False)

    def embedded(self, request: Request, body: bytes) -> Response:
        """`/username/slug/embed`: the same for a frame, without a title."""
        return self._book(request, body, embedded=True)

    def _book(self, request: Request, body: bytes, embedded: bool) -> Response:
        username, slug = request.path_params["username"], request.path_params["slug"]
        with self._instance.database.transaction() as connection:
            found = event_types.by_slug(connection, username, slug)
            if found is None:
                return not_found(self._app)
            hours = schedules.working_hours(connection, found[0], found[1]["scheduleId"])
        visit = self._visit(request, found, hours.time_zone, embedded)
        if request.method == "POST":
            return self._submitted(request, visit, body)
        if visit.slot is not None:
            return self._answer(visit, self._form(visit, ""))
        return self._answer(visit, self._calendar(visit, open_month="month" not in request.query_params))

    def _visit(self, request: Request, found: tuple[Row, Row], own_zone: str, embedded: bool) -> Visit:
        asked = request.query_params
        zone = asked.get("timeZone", "")
        zone = zone if is_time_zone(zone) else own_zone
        today = self._instance.now().astimezone(ZoneInfo(zone)).date()
        return Visit(
            user=found[0],
            event_type=found[1],
            zone=zone,
            base=request.url.path,
            month=parsed_day(asked.get("month", "") + "-01", today).replace(day=1),
            day=parsed_day(asked["date"], today) if "date" in asked else None,
            slot=parsed_instant(asked.get("slot")),
            reschedule_uid=asked.get("rescheduleUid"),
            embed=(asked.get("embed") or "") if embedded else None,
        )

    def _answer(self, visit: Visit, body: str) -> Response:
        kind, name = visit.event_type, people.display_name(visit.user)
        heading = (
            f'<p class="note">{escaped(name)}</p><h1 data-testid="event-title">{escaped(kind["title"])}</h1>'
            f'<p class="note">{kind["length"]} min · {escaped(visit.zone)}</p>'
            f"<p>{escaped(kind['description'] or '')}</p>"
        )
        embedded = visit.embed is not None
        title = None if embedded else f" {kind['title']} | {name} | {self._app}"
        return page(title, heading + body, script=BOOKER + (FRAME if embedded else ""))

    def _free_days(self, visit: Visit, month: date) -> dict[str, list[datetime]]:
        zone = ZoneInfo(visit.zone)
        following = (month + timedelta(days=32)).replace(day=1)
        window = Interval(
            *(datetime.combine(day, time(), zone).astimezone(UTC) for day in (month, following))
        )
        with self._instance.database.transaction() as connection:
            starts = availability.free_starts(
                connection,
                visit.event_type,
                visit.user,
                window,
                self._instance.now(),
                visit.zone,
                reschedule_uid=visit.reschedule_uid,
            )
            away = availability.holidays(connection, visit.user["id"], window)
        free = [start for start in starts if not any(each.start <= start < each.end for each in away)]
        return slots.by_day(free, visit.zone)

    def _calendar(self, visit: Visit, open_month: bool) -> str:
        month, days = visit.month, self._free_days(visit, visit.month)
        for _ in range(MONTHS_AHEAD if open_month else 0):
            if days:
                break
            month = (month + timedelta(days=32)).replace(day=1)
            days = self._free_days(visit, month)
        before, after = (
            (month - timedelta(days=1)).replace(day=1),
            (month + timedelta(days=32)).replace(day=1),
        )
        cells = "".join(
            self._day_cell(visit, month, day, days)
            for week in calendar.monthcalendar(month.year, month.month)
            for day in week
        )
        chosen = days.get(visit.day.isoformat(), []) if visit.day else []
        times = "".join(
            f'<a data-testid="time" href="{escaped(visit.link(month=f"{month:%Y-%m}", slot=iso(start)))}">'
            f"{start.astimezone(ZoneInfo(visit.zone)):%H:%M}</a>"
            for start in chosen
        )
        return (
            f'<p><a href="{escaped(visit.link(month=f"{before:%Y-%m}"))}" data-testid="decrementMonth">←</a>'
            f' <strong data-testid="selected-month-label">{month:%B %Y}</strong>'
            f' <a href="{escaped(visit.link(month=f"{after:%Y-%m}"))}" data-testid="incrementMonth">→</a></p>'
            f'<div class="days">{cells}</div><div class="times">{times}</div>'
            + ("" if days else '<p class="note">No availability in this month.</p>')
        )

    def _day_cell(self, visit: Visit, month: date, day: int, days: dict[str, list[datetime]]) -> str:
        if not day:
            return "<span></span>"
        chosen = month.replace(day=day).isoformat()
        if chosen not in days:
            return f'<span data-testid="day" data-disabled="true">{day}</span>'
        address = escaped(visit.link(month=f"{month:%Y-%m}", date=chosen))
        return f'<a data-testid="day" data-disabled="false" href="{address}">{day}</a>'

    def _form(self, visit: Visit, problem: str) -> str:
        start = visit.slot or self._instance.now()
        end = start + timedelta(minutes=visit.event_type["length"])
        offered = visit.event_type["locations"] or []
        event = {
            "booking": {
                "eventTypeId": visit.event_type["id"],
                "eventTypeSlug": visit.event_type["slug"],
                "user": visit.user["username"],
                "start": iso(start),
                "end": iso(end),
                "timeZone": visit.zone,
                "metadata": {},
                "hasHashedBookingLink": False,
                **({"rescheduleUid": visit.reschedule_uid} if visit.reschedule_uid else {}),
            },
            "location": offered[0]["type"] if offered else None,
            "embed": visit.embed,
        }
        fields = "".join(
            field_html(field)
            for field in booking_fields.fields_of(visit.event_type)
            if booking_fields.is_asked(field, bool(visit.reschedule_uid))
        )
        when = start.astimezone(ZoneInfo(visit.zone))
        return f"""
<p><strong>{when:%A, %d %B %Y, %H:%M}</strong></p>
<form method="post" data-event="{escaped(json.dumps(event))}" data-testid="booking-form">
<p class="wrong" role="alert">{escaped(problem)}</p>{fields}
<p><a href="{escaped(visit.link())}" data-testid="back">Back</a>
<button type="submit" data-testid="confirm-book-button">Confirm</button></p></form>"""

    def _submitted(self, request: Request, visit: Visit, body: bytes) -> Response:
        if visit.slot is None:
            return redirect(visit.link(), None)
        fields = {name: value for name, value in form_fields(request, body).items() if value}
        offered = visit.event_type["locations"] or []
        responses: Row = {name: value for name, value in fields.items() if name not in ("location", "guests")}
        responses["guests"] = [each.strip() for each in fields.get("guests", "").split(",") if each.strip()]
        if offered:
            responses["location"] = {"value": offered[0]["type"], "optionValue": fields.get("location", "")}
        content = {
            "eventTypeId": visit.event_type["id"],
            "start": iso(visit.slot),
            "timeZone": visit.zone,
            "language": "en",
            "metadata": {},
            "responses": responses,
            **({"rescheduleUid": visit.reschedule_uid} if visit.reschedule_uid else {}),
        }
        try:
            made = self._guest.booked(content)
        except InvalidError as error:
            return self._answer(visit, self._form(visit, sentence(error.problems)))
        except RefusalError as refusal:
            told = DATABASE_ERROR if refusal.message == refusal.code else refusal.message
            return self._answer(visit, self._form(visit, told))
        return RedirectResponse(f"/booking/{made.booked.booking['uid']}", 303)

    def booking(self, request: Request, _body: bytes) -> Response:
        """`/booking/UID`: what was booked, and the ways to move or cancel it."""
        with self._instance.database.transaction() as connection:
            booking = bookings.by_uid(connection, request.path_params["uid"])
            attendees = bookings.attendees_of(connection, booking["id"]) if booking else []
        if booking is None:
            return not_found(self._app)
        pending = booking["status"] == "pending"
        title = "Your booking has been submitted" if pending else "Your booking has been confirmed"
        cancelled = booking["status"] in ("cancelled", "rejected")
        heading = (
            "This event is cancelled"
            if cancelled
            else ("Booking submitted" if pending else "This meeting is scheduled")
        )
        guests = ", ".join(escaped(each["email"]) for each in attendees)
        change = (
            ""
            if cancelled
            else f'<p><a href="/reschedule/{escaped(booking["uid"])}"'
            ' data-testid="reschedule-link">Reschedule</a></p>'
            f"""<form data-testid="cancel-form"><p class="wrong" role="alert"></p>
<label>Reason<input name="cancellationReason"></label>
<button type="submit" data-testid="cancel">Cancel this event</button></form>"""
        )
        hook = "cancelled-headline" if cancelled else "success-headline"
        body = f"""<div data-testid="success-page"><h1 data-testid="{hook}">{heading}</h1>
<p data-testid="booking-title">{escaped(booking["title"])}</p>
<p>{booking["startTime"]:%A, %d %B %Y, %H:%M} – {booking["endTime"]:%H:%M} UTC</p>
<p>{escaped(booking["location"] or "")}</p><p class="note">{guests}</p></div>{change}"""
        return page(f"{title} | {self._app}", body, script=canceller(booking["uid"]))

    def reschedule(self, request: Request, _body: bytes) -> Response:
        """`/reschedule/UID`: on to the booking page of the same type."""
        with self._instance.database.transaction() as connection:
            booking = bookings.by_uid(connection, request.path_params["uid"])
            event_type = event_types.by_id(connection, booking["eventTypeId"]) if booking else None
            host = people.by_id(connection, booking["userId"]) if booking else None
        if booking is None or event_type is None or host is None:
            return not_found(self._app)
        return redirect(f"/{host['username']}/{event_type['slug']}?rescheduleUid={booking['uid']}", None)


def canceller(uid: str) -> str:
    """The script that cancels: fetch a token, then send it back with the reason."""
    return f"""
const form = document.querySelector('[data-testid="cancel-form"]');
if (form) form.addEventListener("submit", async (event) => {{
  event.preventDefault();
  const {{csrfToken}} = await (await fetch("/api/csrf")).json();
  const cancellationReason = form.cancellationReason.value;
  const answer = await fetch("/api/cancel", {{method: "POST", headers: {{"content-type": "application/json"}},
    body: JSON.stringify({{uid: {json.dumps(uid)}, csrfToken, cancellationReason}})}});
  if (answer.ok) {{ location.reload(); return; }}
  const content = await answer.json().catch(() => ({{}}));
  form.querySelector("[role=alert]").textContent = content.message || "Something went wrong.";
}});
"""


def field_html(field: booking_fields.Field) -> str:
    """One question of the form; where the place is fixed there is nothing to ask."""
    name, kind = field["name"], field["type"]
    if name == "location":
        return ""
    labels = {"your_name": "Your name", "email_address": "Email address"}
    label = booking_fields.label_of(field)
    label = labels.get(label, label.replace("_", " ").capitalize())
    needed = " required" if field.get("required") else ""
    if kind == "textarea":
        return f'<label>{escaped(label)}<textarea name="{escaped(name)}"{needed}></textarea></label>'
    if kind == "multiemail":
        return ""
    of_kind = {"email": "email", "phone": "tel", "number": "number"}.get(kind, "text")
    return f'<label>{escaped(label)}<input name="{escaped(name)}" type="{of_kind}"{needed}></label>'


def parsed_day(text: str, otherwise: date) -> date:
    """A day such as `2026-12-07`, or the other one."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return otherwise


def parsed_instant(text: str | None) -> datetime | None:
    """An instant from the address bar, or None."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else None
