from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from deploy.calcom.booking import BookingRequest
from deploy.calcom.errors import (
    CalcomError,
    KeyExpired,
    KeyNotAccepted,
    LostAnswer,
    NoAnswer,
    NotSignedIn,
    ServerFailed,
    SlotTaken,
    TooManyRequests,
    UnexpectedShape,
    UnlicensedApi,
)
from deploy.calcom.models import Booking, EventTypeFields, Page, Schedule, User
from deploy.errors import CalstackError
from deploy.smoke.faults import EXPLANATIONS
from deploy.smoke.inside import Probe
from deploy.smoke.journey import Means, run_smoke_test
from deploy.smoke.mails import Mail
from deploy.smoke.report import SmokeReport
from deploy.smoke.stage import GUEST_EMAIL
from tests.unit.calcom.bare import bare_webhook
from tests.unit.smoke.instance import NOW, FakeClock, FakeInside, FakeInstance, FakeReceiver, event_type_of

ALL_STEPS = [
    "open the sign-in page",
    "see that the app reaches itself",
    "clear what earlier runs left",
    "put up a hidden event type",
    "open its page",
    "look for free slots",
    "book",
    "receive BOOKING_CREATED",
    "read the booking back",
    "see it in the host's calendars",
    "see its mails",
    "reschedule",
    "receive BOOKING_RESCHEDULED",
    "cancel",
    "receive BOOKING_CANCELLED",
    "see that nothing active is left",
    "clear away",
]


@pytest.fixture
def receiver() -> FakeReceiver:
    return FakeReceiver()


@pytest.fixture
def instance(receiver: FakeReceiver) -> FakeInstance:
    instance = FakeInstance(receiver)
    instance.schedules[1] = Schedule(
        id=1, name="Working hours", time_zone="UTC", is_default=True, availability={}, overrides=()
    )
    instance.event_types[2] = event_type_of(2, EventTypeFields(title="calstack smoke test", slug="intro"))
    return instance


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def inside() -> FakeInside:
    return FakeInside()


@pytest.fixture
def means(instance: FakeInstance, inside: FakeInside) -> Means:
    return Means(
        inside=inside,
        mailbox=lambda: instance.mails,
        remove_cancelled_bookings=instance.remove_cancelled,
        alone=True,
    )


@pytest.fixture
def run(
    instance: FakeInstance, receiver: FakeReceiver, means: Means, clock: FakeClock
) -> Callable[[], SmokeReport]:
    def run_it() -> SmokeReport:
        return run_smoke_test(instance, instance, receiver, means, clock=clock)

    return run_it


Run = Callable[[], SmokeReport]


def assert_nothing_left(instance: FakeInstance) -> None:
    assert list(instance.event_types) == [2]
    assert list(instance.schedules) == [1]
    assert instance.webhooks == {}
    assert [one for one in instance.bookings.values() if one.status != "cancelled"] == []


def test_a_good_instance_passes_and_nothing_is_left(instance: FakeInstance, run: Run) -> None:
    report = run()
    assert report.passed
    assert [step.name for step in report.steps] == ALL_STEPS
    assert {step.outcome for step in report.steps} == {"ok"}
    assert report.fault is None
    assert report.left_behind == ()
    assert (report.cancelled_bookings_removed, report.cancelled_bookings_left) == (2, 0)
    assert_nothing_left(instance)
    assert instance.bookings == {}


def test_its_event_type_is_hidden_and_its_own(instance: FakeInstance, run: Run) -> None:
    made: list[EventTypeFields] = []
    instance.before["create_event_type"] = made.append
    instance.before["book"] = lambda request: booked.append(request)
    booked: list[Any] = []
    report = run()
    (fields,) = made
    assert fields.hidden
    assert fields.slug == report.event_type
    assert report.event_type.startswith("calstack-smoke-")
    assert fields.schedule_id not in (None, 1)
    assert booked[0].event.slug == report.event_type
    assert booked[0].email == GUEST_EMAIL


def test_on_a_foreign_instance_cancelled_bookings_are_counted(
    instance: FakeInstance, receiver: FakeReceiver, clock: FakeClock
) -> None:
    report = run_smoke_test(instance, instance, receiver, clock=clock)
    assert report.passed
    assert report.cancelled_bookings_left == 2
    assert any("2 cancelled booking(s) stay" in line for line in report.lines())


def test_every_line_is_reported_as_soon_as_it_is_known(
    instance: FakeInstance, receiver: FakeReceiver, clock: FakeClock
) -> None:
    lines: list[str] = []
    seen_while_booking: list[int] = []
    instance.before["book"] = lambda _: seen_while_booking.append(len(lines))
    report = run_smoke_test(instance, instance, receiver, clock=clock, progress=lines.append)
    assert seen_while_booking == [6]
    assert lines == [step.line for step in report.steps]


def test_the_json_document(run: Run) -> None:
    document = json.loads(run().to_json())
    assert document["verdict"] == "passed"
    assert document["started"] == "2026-11-24T07:00:00Z"
    assert document["fault"] is None
    assert document["cancelled_bookings"] == {"removed": 2, "left": 0}
    assert list(document["steps"][0]) == ["name", "outcome", "seconds", "limit_seconds", "detail"]
    assert list(document) == [
        "verdict",
        "started",
        "seconds",
        "event_type",
        "steps",
        "fault",
        "left_behind",
        "cancelled_bookings",
    ]


# --- the ways to fail


def raising(error: BaseException) -> Callable[..., None]:
    def hook(*_: Any) -> None:
        raise error

    return hook


def no_answer(*, maybe_done: bool, cause: Exception | None = None) -> NoAnswer:
    error = NoAnswer("https://cal.example.com cannot be reached", maybe_done=maybe_done)
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("method", "error", "step", "fault"),
    [
        (
            "page",
            no_answer(maybe_done=False, cause=ConnectionRefusedError()),
            "open the sign-in page",
            "connection-refused",
        ),
        ("page", no_answer(maybe_done=False, cause=TimeoutError()), "open the sign-in page", "unreachable"),
        ("page", no_answer(maybe_done=True, cause=TimeoutError()), "open the sign-in page", "no-answer"),
        ("page", no_answer(maybe_done=True), "open the sign-in page", "connection-broke"),
        ("slots", TooManyRequests("slow down", retry_after=3), "look for free slots", "too-many-requests"),
        ("book", SlotTaken("not free", status=409), "book", "slot-taken"),
        ("book", LostAnswer("its answer was lost (it did not answer in time)"), "book", "booking-slow"),
        ("book", LostAnswer("its answer was lost (connection broke)"), "book", "booking-unclear"),
        ("book", UnexpectedShape("x", expected="y", came="status 503 with text/html"), "book", "app-down"),
        ("book", UnexpectedShape("x", expected="y", came="a list"), "book", "other-version"),
        ("book", ServerFailed("oh", status=500, where="POST /api/book/event"), "book", "app-failed"),
        ("cancel", CalcomError("no"), "cancel", "refused"),
        ("me", NotSignedIn("who?", status=401), "put up a hidden event type", "session-refused"),
        ("create_webhook", ServerFailed("oh", status=500), "put up a hidden event type", "app-failed"),
    ],
)
def test_what_goes_wrong_is_explained_and_cleared_away(
    instance: FakeInstance, run: Run, method: str, error: Exception, step: str, fault: str
) -> None:
    instance.before[method] = lambda *_: raising_once(instance, method, error)
    report = run()
    assert not report.passed
    assert report.fault is not None
    assert (report.fault.step, report.fault.name) == (step, fault)
    assert report.steps[-1].name == "clear away"
    assert report.steps[-1].outcome == "ok"
    assert any(line.startswith("  fix:          ") for line in report.lines())
    assert json.loads(report.to_json())["fault"]["name"] == fault
    assert_nothing_left(instance)


def raising_once(instance: FakeInstance, method: str, error: Exception) -> None:
    """Fails in the journey, works again for clearing away; a slot is refused as often as it is asked for."""
    if not isinstance(error, SlotTaken):
        del instance.before[method]
    raise error


def test_a_guest_whose_slot_is_just_taken_chooses_another(instance: FakeInstance, run: Run) -> None:
    instance.before["book"] = lambda _: raising_once_and_for_all(instance)
    report = run()
    assert report.passed
    assert "after 1 slot(s) that were taken" in step_of(report, "book").detail


def raising_once_and_for_all(instance: FakeInstance) -> None:
    del instance.before["book"]
    raise SlotTaken("not free", status=409)


def step_of(report: SmokeReport, name: str) -> Any:
    return next(step for step in report.steps if step.name == name)


@pytest.mark.parametrize(
    ("status", "fault"),
    [(404, "event-page-missing"), (503, "app-down"), (403, "refused-by-proxy"), (500, "app-failed")],
)
def test_a_booking_page_that_is_not_there(
    instance: FakeInstance, run: Run, monkeypatch: pytest.MonkeyPatch, status: int, fault: str
) -> None:
    monkeypatch.setattr(instance, "page", lambda _: Page(status=status, title=None))
    report = run()
    assert report.fault is not None
    assert report.fault.name == fault
    assert_nothing_left(instance)


@pytest.mark.parametrize(("a_day", "days"), [(0, 14), (5, 1)])
def test_too_few_slots(instance: FakeInstance, run: Run, a_day: int, days: int) -> None:
    instance.slots_a_day, instance.days_with_slots = a_day, days
    report = run()
    assert report.fault is not None
    assert report.fault.name == "no-slots"
    assert "out of office" in report.fault.cause


@pytest.mark.parametrize(
    ("sign", "fault"),
    [
        (lambda body, secret: None, "webhook-unsigned"),  # noqa: ARG005
        (lambda body, secret: "no-secret-provided", "webhook-unsigned"),  # noqa: ARG005
        (lambda body, secret: "0" * 64, "webhook-wrong-signature"),  # noqa: ARG005
    ],
)
def test_a_signature_that_is_wrong(
    instance: FakeInstance, run: Run, sign: Callable[[bytes, str], str | None], fault: str
) -> None:
    instance.sign = sign
    report = run()
    assert report.fault is not None
    assert (report.fault.step, report.fault.name) == ("receive BOOKING_CREATED", fault)
    assert_nothing_left(instance)


def test_a_webhook_without_the_metadata(instance: FakeInstance, run: Run) -> None:
    instance.metadata_in_webhooks = False
    report = run()
    assert report.fault is not None
    assert report.fault.name == "webhook-without-metadata"


def test_a_webhook_that_does_not_come(instance: FakeInstance, receiver: FakeReceiver, run: Run) -> None:
    instance.before["booked"] = receiver.arrived.clear
    report = run()
    assert report.fault is not None
    assert report.fault.name == "webhook-absent"
    assert report.fault.what == "no BOOKING_CREATED within 90 s"
    assert_nothing_left(instance)


def test_a_webhook_of_another_kind(instance: FakeInstance, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver = instance._deliver

    def renamed(trigger: str, booking: Booking, metadata: dict[str, str] | None) -> None:
        deliver(trigger if trigger == "BOOKING_CREATED" else "BOOKING_CREATED", booking, metadata)

    monkeypatch.setattr(instance, "_deliver", renamed)
    report = run()
    assert report.fault is not None
    assert (report.fault.step, report.fault.name) == ("receive BOOKING_RESCHEDULED", "webhook-other")
    assert "instead: BOOKING_CREATED" in report.fault.what


def test_a_webhook_about_another_booking(
    instance: FakeInstance, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver = instance._deliver

    def confused(trigger: str, booking: Booking, metadata: dict[str, str] | None) -> None:
        deliver(trigger, booking.model_copy(update={"uid": "another"}), metadata)

    monkeypatch.setattr(instance, "_deliver", confused)
    report = run()
    assert report.fault is not None
    assert (report.fault.name, report.fault.what) == ("webhook-wrong-booking", "it is about booking another")


@pytest.mark.parametrize(
    ("seconds", "queued", "late"), [(25, False, True), (25, True, False), (9, False, False)]
)
def test_a_late_webhook_is_named_unless_they_are_queued_on_purpose(
    instance: FakeInstance,
    receiver: FakeReceiver,
    clock: FakeClock,
    means: Means,
    seconds: float,
    queued: bool,
    late: bool,
) -> None:
    def let_time_pass() -> None:
        clock.passed += seconds if clock.passed == 0 else 0

    # Delivered within the booking request, as Cal.com does it, so that the guest waits for it.
    instance.before["booked"] = let_time_pass
    report = run_smoke_test(instance, instance, receiver, replace(means, queued_webhooks=queued), clock=clock)
    assert (report.fault.name if report.fault else None) == ("webhook-late" if late else None)
    assert_nothing_left(instance)


def test_a_webhook_for_which_there_is_no_way_is_named_at_once(
    instance: FakeInstance, receiver: FakeReceiver, inside: FakeInside, run: Run
) -> None:
    instance.before["booked"] = receiver.arrived.clear
    inside.way = Probe(reached=False, said="Connection refused")
    report = run()
    assert report.fault is not None
    assert (report.fault.step, report.fault.name) == ("receive BOOKING_CREATED", "webhook-unreachable")
    assert "Connection refused" in report.fault.what
    assert_nothing_left(instance)


@pytest.mark.parametrize(
    ("probe", "fault"),
    [
        (Probe(reached=False, said="timed out"), "hairpin-broken"),
        (Probe(reached=False, certificate_refused=True, said="self-signed"), "hairpin-not-trusted"),
    ],
)
def test_an_app_that_does_not_reach_itself(
    instance: FakeInstance, inside: FakeInside, run: Run, probe: Probe, fault: str
) -> None:
    inside.name = probe
    report = run()
    assert report.fault is not None
    assert (report.fault.step, report.fault.name) == ("see that the app reaches itself", fault)
    assert probe.said in report.fault.what
    assert "create_event_type" not in instance.calls


@pytest.mark.parametrize(
    ("seconds", "said"), [(60, "60 s ahead of ours"), (-3600, "3600 s behind ours"), (10, None), (-10, None)]
)
def test_clocks_that_differ(
    instance: FakeInstance, receiver: FakeReceiver, clock: FakeClock, seconds: int, said: str | None
) -> None:
    means = Means(ahead=lambda: dt.timedelta(seconds=seconds))
    report = run_smoke_test(instance, instance, receiver, means, clock=clock)
    assert (report.fault.name if report.fault else None) == ("clock-skew" if said else None)
    assert said is None or (report.fault is not None and said in report.fault.what)


@pytest.mark.parametrize("zone", ["Pacific/Apia", "Pacific/Pago_Pago"])
def test_slots_that_far_guests_do_not_see(instance: FakeInstance, run: Run, zone: str) -> None:
    instance.slots_in = lambda asked, start: asked != zone or start.hour > 9
    report = run()
    assert report.fault is not None
    assert (report.fault.step, report.fault.name) == ("look for free slots", "slots-differ")
    assert zone in report.fault.what


def test_who_books_in_between_makes_no_difference_of_zones(instance: FakeInstance, run: Run) -> None:
    def take_one() -> None:
        if instance.calls.count("slots") == 2:
            instance.bookings["new"] = booking(
                "new", 2, "jane@acme.test", {}, NOW.replace(hour=9) + dt.timedelta(days=5)
            )

    instance.before["slots"] = take_one
    assert run().passed


def test_who_books_for_a_moment_in_between_makes_none_either(instance: FakeInstance, run: Run) -> None:
    theirs = booking("new", 2, "jane@acme.test", {}, NOW.replace(hour=9) + dt.timedelta(days=5))

    def held_for_one_look() -> None:
        instance.bookings.pop("new", None)
        if instance.calls.count("slots") == 2:
            instance.bookings["new"] = theirs

    instance.before["slots"] = held_for_one_look
    assert run().passed


def test_a_slot_that_somebody_else_took_meanwhile_is_not_ours_to_see_free(
    instance: FakeInstance, run: Run
) -> None:
    def take_it(uid: str) -> None:
        instance.bookings["theirs"] = instance.bookings[uid].model_copy(
            update={"uid": "theirs", "event_type_id": 2, "attendee_emails": ("jane@acme.test",)}
        )

    instance.before["cancel"] = take_it
    assert run().passed


REFUSED = [
    "SEND_BOOKING_CONFIRMATION_ERROR ada@example.test Error: connect ECONNREFUSED 192.0.2.25:25",
    "sendEmail Error: Invalid login: 535 5.7.8 authentication failed",
    "mail to ada@example.test was not sent: [Errno 111] Connection refused",
    "Skipped Sending Email due to active Kill Switch",
]


@pytest.mark.parametrize("complaint", REFUSED)
@pytest.mark.parametrize("with_mailbox", [True, False])
def test_mail_that_is_refused(
    instance: FakeInstance,
    receiver: FakeReceiver,
    inside: FakeInside,
    means: Means,
    clock: FakeClock,
    complaint: str,
    with_mailbox: bool,
) -> None:
    inside.lines = ["GET /api/version 200", complaint]
    instance.before["booked"] = instance.mails.clear
    means = means if with_mailbox else replace(means, mailbox=None)
    report = run_smoke_test(instance, instance, receiver, means, clock=clock)
    assert report.fault is not None
    assert report.fault.name == "mail-refused"
    assert complaint in report.fault.what
    assert "smtp" in report.fault.fix
    assert_nothing_left(instance)


def test_the_made_up_guest_s_mail_may_be_refused(
    instance: FakeInstance, receiver: FakeReceiver, inside: FakeInside, means: Means, clock: FakeClock
) -> None:
    inside.lines = [f"SEND_BOOKING_CONFIRMATION_ERROR {GUEST_EMAIL} Error: 550 no such domain"]
    report = run_smoke_test(instance, instance, receiver, replace(means, mailbox=None), clock=clock)
    assert report.passed


def test_mail_that_gets_lost_without_a_word(instance: FakeInstance, run: Run) -> None:
    instance.before["booked"] = lambda: instance.mails.__delitem__(-1)
    report = run()
    assert report.fault is not None
    assert (report.fault.step, report.fault.name) == ("see its mails", "mail-absent")
    assert report.fault.what == f"no mail of the booking for {GUEST_EMAIL}"


def test_mails_of_another_booking_are_not_taken_for_its_own(instance: FakeInstance, run: Run) -> None:
    def exchange() -> None:
        instance.mails[:] = [Mail(mail.recipients, b"Subject: x\n\nuid-other") for mail in instance.mails]

    instance.before["booked"] = exchange
    report = run()
    assert report.fault is not None
    assert report.fault.name == "mail-absent"


def test_without_a_mail_server_it_is_said_that_nobody_is_told(
    instance: FakeInstance, receiver: FakeReceiver, inside: FakeInside, means: Means, clock: FakeClock
) -> None:
    inside.sends_mail = False
    report = run_smoke_test(instance, instance, receiver, replace(means, mailbox=None), clock=clock)
    assert report.passed
    assert step_of(report, "see that mails went out").outcome == "skipped"


@pytest.mark.parametrize(
    ("connected", "written", "fault"),
    [
        (("google_calendar",), (), "calendar-not-written"),
        (("google_calendar", "office365_calendar"), ("office365_calendar",), None),
        ((), (), None),
    ],
)
def test_a_booking_that_is_in_no_calendar(
    instance: FakeInstance,
    inside: FakeInside,
    run: Run,
    connected: tuple[str, ...],
    written: tuple[str, ...],
    fault: str | None,
) -> None:
    inside.connected, inside.written = connected, written
    report = run()
    assert (report.fault.name if report.fault else None) == fault
    assert_nothing_left(instance)


def test_what_a_foreign_instance_does_not_allow_is_skipped_and_said(
    instance: FakeInstance, clock: FakeClock
) -> None:
    report = run_smoke_test(instance, instance, None, clock=clock)
    assert report.passed
    assert [step.name for step in report.steps if step.outcome == "skipped"] == [
        "see that the app reaches itself",
        "receive BOOKING_CREATED",
        "see it in the host's calendars",
        "see its mails",
        "receive BOOKING_RESCHEDULED",
        "receive BOOKING_CANCELLED",
    ]
    assert all(step.detail for step in report.steps if step.outcome == "skipped")
    assert "create_webhook" not in instance.calls
    assert_nothing_left(instance)


class ApiPath:
    """Guests' way over API v2, on the same instance; it has no pages."""

    def __init__(self, instance: FakeInstance) -> None:
        self.calls: list[str] = []
        self.slots, self.book, self.cancel, self.find = (
            instance.slots,
            instance.book,
            instance.cancel,
            instance.find,
        )
        self._instance = instance

    def reschedule(self, uid: str, request: BookingRequest) -> Booking:
        self.calls.append("reschedule")
        return self._instance.reschedule(uid, request)


def test_where_there_is_an_api_it_is_walked_too(
    instance: FakeInstance, receiver: FakeReceiver, means: Means, clock: FakeClock
) -> None:
    api = ApiPath(instance)
    report = run_smoke_test(instance, instance, receiver, replace(means, api=api), clock=clock)
    assert report.passed
    over_api = [step.name for step in report.steps if step.name.endswith(" over API v2")]
    assert over_api == [f"{name} over API v2" for name in ALL_STEPS[5:-1]]
    assert api.calls == ["reschedule"]
    assert report.cancelled_bookings_removed == 4
    assert_nothing_left(instance)


def test_what_fails_over_the_api_alone_is_named_so(
    instance: FakeInstance, receiver: FakeReceiver, means: Means, clock: FakeClock
) -> None:
    api = ApiPath(instance)

    def no_mail(request: BookingRequest) -> Booking:
        booked = instance.book(request)
        instance.mails.clear()
        return booked

    api.book = no_mail
    report = run_smoke_test(instance, instance, receiver, replace(means, api=api), clock=clock)
    assert report.fault is not None
    assert (report.fault.step, report.fault.name) == ("see its mails over API v2", "mail-absent")
    assert_nothing_left(instance)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (UnlicensedApi("no", status=401), "key-needs-licence"),
        (KeyExpired("no", status=401), "key-expired"),
        (KeyNotAccepted("no", status=401, message="Invalid Access Token."), "key-wrong-prefix"),
        (KeyNotAccepted("no", status=401, message="Your api key is not valid"), "key-unknown"),
    ],
)
def test_a_key_that_is_refused(instance: FakeInstance, run: Run, error: Exception, fault: str) -> None:
    instance.before["list_event_types"] = raising(error)
    report = run()
    assert report.fault is not None
    assert report.fault.name == fault
    assert "create_schedule" not in instance.calls


def test_a_build_that_wants_a_licence_is_named_and_the_rest_goes_on_without_a_key(
    instance: FakeInstance, receiver: FakeReceiver, means: Means, clock: FakeClock
) -> None:
    with_api = replace(
        means, api=ApiPath(instance), key_owner=refused_key(UnlicensedApi("no licence", status=401))
    )
    report = run_smoke_test(instance, instance, receiver, with_api, clock=clock)
    assert report.passed
    told = step_of(report, "see that API v2 takes the key")
    assert (told.outcome, "licence" in told.detail) == ("skipped", True)
    assert step_of(report, "book over API v2").outcome == "ok"


def refused_key(error: Exception) -> Callable[[], User]:
    def ask() -> User:
        raise error

    return ask


def test_a_key_of_ours_that_is_refused_is_a_fault(
    instance: FakeInstance, receiver: FakeReceiver, means: Means, clock: FakeClock
) -> None:
    with_api = replace(means, key_owner=refused_key(KeyExpired("expired", status=401)))
    report = run_smoke_test(instance, instance, receiver, with_api, clock=clock)
    assert report.fault is not None
    assert (report.fault.step, report.fault.name) == ("see that API v2 takes the key", "key-expired")
    assert "deploy" in report.fault.fix
    assert_nothing_left(instance)


@pytest.mark.parametrize("moment", ["booked", "find", "cancel", "list_bookings", "delete_webhook"])
def test_two_at_once_do_not_disturb_each_other(
    instance: FakeInstance, receiver: FakeReceiver, clock: FakeClock, moment: str
) -> None:
    """The second runs as a whole while the first is in the midst of its journey."""
    other = FakeReceiver(port=40001)
    instance.further_receivers.append(other)
    second: list[SmokeReport] = []

    def run_the_other(*_: Any) -> None:
        del instance.before[moment]
        second.append(run_smoke_test(instance, instance, other, clock=clock))

    def arm() -> None:
        del instance.before["event_type_created"]
        instance.before[moment] = run_the_other

    instance.before["event_type_created"] = arm
    first = run_smoke_test(instance, instance, receiver, clock=clock)
    assert [report.fault for report in (first, *second)] == [None, None]
    assert_nothing_left(instance)


def test_only_what_is_a_smoke_test_s_is_read_in_full(instance: FakeInstance, run: Run) -> None:
    for number in range(1000, 2000):
        instance.event_types[number] = event_type_of(number, EventTypeFields(title="x", slug=f"t-{number}"))
    read: list[str] = []
    instance.reads = read
    assert run().passed
    assert all(slug.startswith("calstack-smoke-") for slug in read)


def test_the_receiver_dies(instance: FakeInstance, receiver: FakeReceiver, run: Run) -> None:
    instance.before["reschedule"] = lambda _: setattr(receiver, "gone", True)
    report = run()
    assert report.fault is not None
    assert (report.fault.step, report.fault.name) == ("receive BOOKING_RESCHEDULED", "receiver-gone")
    assert_nothing_left(instance)
    # Nobody listens any more, and the app waits for whom it tells of a cancellation.
    assert instance.calls.index("delete_webhook") < instance.calls.index("cancel")


def test_a_step_that_takes_too_long(instance: FakeInstance, clock: FakeClock, run: Run) -> None:
    instance.before["book"] = lambda _: setattr(clock, "passed", clock.passed + 31)
    report = run()
    assert report.fault is not None
    assert (report.fault.step, report.fault.name) == ("book", "too-slow")
    assert_nothing_left(instance)


def test_a_booking_that_waits_for_confirmation(instance: FakeInstance, run: Run) -> None:
    instance.new_booking_status = "pending"
    report = run()
    assert report.fault is not None
    assert report.fault.name == "booking-refused"
    assert_nothing_left(instance)


def test_a_cancelled_booking_that_still_counts(
    instance: FakeInstance, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instance, "_set_status", lambda *_: None)
    report = run()
    assert report.fault is not None
    assert report.fault.name == "still-active"


def test_a_second_booking_that_nobody_asked_for(instance: FakeInstance, run: Run) -> None:
    def duplicate(uid: str) -> None:
        del instance.before["cancel"]
        made = instance.bookings[uid]
        later = made.start + dt.timedelta(days=1)
        instance.bookings["twin"] = made.model_copy(update={"uid": "twin", "start": later})

    instance.before["cancel"] = duplicate
    report = run()
    assert report.fault is not None
    assert (report.fault.name, report.fault.what) == ("still-active", "still active: twin")
    assert_nothing_left(instance)


def test_a_user_without_a_schedule_keeps_none(instance: FakeInstance, run: Run) -> None:
    instance.user = instance.user.model_copy(update={"default_schedule_id": None})
    instance.schedules.clear()
    report = run()
    assert report.fault is not None
    assert report.fault.name == "no-schedule"
    assert instance.schedules == {}


def test_a_user_without_a_name(instance: FakeInstance, run: Run) -> None:
    instance.user = instance.user.model_copy(update={"username": None})
    report = run()
    assert report.fault is not None
    assert report.fault.name == "no-username"


# --- clearing away


@pytest.mark.parametrize("method", ["create_event_type", "page", "book", "find", "reschedule", "cancel"])
def test_ctrl_c_clears_away_first(instance: FakeInstance, run: Run, method: str) -> None:
    instance.before[method] = lambda *_: interrupted(instance, method)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert_nothing_left(instance)


@pytest.mark.parametrize("moment", ["schedule_created", "event_type_created", "booked"])
def test_ctrl_c_between_the_work_and_its_answer(instance: FakeInstance, run: Run, moment: str) -> None:
    instance.before[moment] = lambda: interrupted(instance, moment)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert_nothing_left(instance)


def interrupted(instance: FakeInstance, method: str) -> None:
    del instance.before[method]
    raise KeyboardInterrupt


def test_a_bug_clears_away_and_is_not_hidden(instance: FakeInstance, run: Run) -> None:
    instance.before["find"] = raising(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        run()
    assert_nothing_left(instance)


def test_what_cannot_be_removed_is_named_and_the_rest_goes(instance: FakeInstance, run: Run) -> None:
    instance.before["delete_event_type"] = raising(CalcomError("no"))
    report = run()
    assert not report.passed
    assert report.left_behind == (f"event type {report.event_type} (no)",)
    assert report.fault is not None
    assert report.fault.name == "left-behind"
    assert list(instance.schedules) == [1]
    assert instance.webhooks == {}


def test_rows_that_cannot_be_removed_are_said(
    instance: FakeInstance, receiver: FakeReceiver, clock: FakeClock
) -> None:
    def broken(_: list[str]) -> int:
        raise CalstackError("psql failed")

    report = run_smoke_test(
        instance, instance, receiver, Means(remove_cancelled_bookings=broken), clock=clock
    )
    assert report.left_behind == ("cancelled bookings (psql failed)",)
    assert report.cancelled_bookings_left == 2


def test_a_fault_is_not_overwritten_by_one_of_clearing_away(instance: FakeInstance, run: Run) -> None:
    instance.before["book"] = raising(CalcomError("first"))
    instance.before["delete_schedule"] = raising(CalcomError("second"))
    report = run()
    assert report.fault is not None
    assert report.fault.what == "first"
    assert len(report.left_behind) == 1


def test_nothing_is_looked_for_where_nothing_was_put_up(instance: FakeInstance, run: Run) -> None:
    instance.before["list_event_types"] = raising(no_answer(maybe_done=False))
    report = run()
    assert [step.name for step in report.steps] == [*ALL_STEPS[:3], "clear away"]
    assert report.left_behind == ()
    assert instance.calls == ["page", "list_event_types"]


def test_a_later_run_clears_what_a_killed_one_left(instance: FakeInstance, run: Run) -> None:
    class KilledError(BaseException):
        pass

    clearing = ("delete_webhook", "list_bookings", "delete_event_type", "delete_schedule", "remove_cancelled")
    instance.before["find"] = raising(KilledError())
    for method in clearing:
        instance.before[method] = raising(KilledError())
    instance.before["list_bookings"] = lambda: None
    with pytest.raises(KilledError):
        run()
    assert len(instance.event_types) == 2
    assert len(instance.webhooks) == 1
    assert [one.status for one in instance.bookings.values()] == ["accepted"]

    instance.before.clear()
    report = run()
    assert report.passed
    assert step_of(report, "clear what earlier runs left").detail == (
        "1 event type(s), 1 schedule(s), 1 active booking(s)"
    )
    assert_nothing_left(instance)
    assert instance.bookings == {}


def test_bookings_of_customers_are_never_touched(instance: FakeInstance, run: Run) -> None:
    start = NOW + dt.timedelta(days=3)
    theirs = {
        "on-their-type": booking("on-their-type", 2, GUEST_EMAIL, {}, start),
        "type-gone": booking("type-gone", None, GUEST_EMAIL, None, start),
        "other-guest": booking("other-guest", 2, "jane@acme.test", {}, start),
        "cancelled": booking("cancelled", 2, GUEST_EMAIL, {}, start).model_copy(
            update={"status": "cancelled"}
        ),
    }
    instance.bookings.update(theirs)
    instance.event_types[3] = event_type_of(3, EventTypeFields(title="x", slug="my-calstack-smoke-1"))
    instance.webhooks["w"] = bare_webhook("w", "https://x.test", 2, triggers=("BOOKING_CREATED",), secret="s")
    assert run().passed
    assert instance.bookings == theirs
    assert list(instance.event_types) == [2, 3]
    assert list(instance.webhooks) == ["w"]


def test_a_marked_booking_on_a_type_that_is_gone_is_cleared(instance: FakeInstance, run: Run) -> None:
    start = NOW + dt.timedelta(days=3)
    instance.bookings["ours"] = booking("ours", None, GUEST_EMAIL, {"calstack-smoke": "1"}, start)
    assert run().passed
    assert instance.bookings == {}


def test_a_default_schedule_of_ours_cannot_be_removed_and_stops_nothing(
    instance: FakeInstance, run: Run
) -> None:
    instance.schedules[9] = instance.schedules[1].model_copy(update={"id": 9, "name": "calstack smoke 1"})
    assert run().passed
    assert 9 in instance.schedules


def booking(
    uid: str, event_type_id: int | None, email: str, metadata: dict[str, str] | None, start: dt.datetime
) -> Booking:
    return Booking(
        id=1,
        uid=uid,
        status="accepted",
        start=start,
        end=start + dt.timedelta(minutes=30),
        event_type_id=event_type_id,
        attendee_emails=(email,),
        metadata=metadata,
    )


def test_every_explanation_says_something() -> None:
    for name, explanation in EXPLANATIONS.items():
        assert explanation.cause, name
        assert explanation.fix, name


def test_the_secret_is_in_no_report(instance: FakeInstance, run: Run) -> None:
    secrets: list[str] = []
    instance.before["create_webhook"] = lambda fields: secrets.append(fields.secret)
    instance.sign = lambda body, secret: "0" * 64  # noqa: ARG005
    report = run()
    assert len(secrets[0]) == 32
    assert secrets[0] not in report.to_json() + "\n".join(report.lines())
