"""Every field of an event type, as it may stand in a manifest."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.calcom.models import EventTypeFields
from deploy.errors import InputError
from deploy.seed.apply import apply
from deploy.seed.model import EventTypeDeclared
from deploy.seed.plan import make_plan
from tests.unit.seed.fake_channel import FakeChannel
from tests.unit.seed.manifests import manifest

BEGIN = """\
schedules: [{name: Mornings, time_zone: UTC}]
event_types:
  - slug: all
    title: All
    length_minutes: 30
    locations: [{type: attendee_phone}]
"""
ALL = (
    BEGIN
    + """\
    description: Two lines
    hidden: true
    schedule: Mornings
    buffer_before_minutes: 5
    buffer_after_minutes: 10
    slot_interval_minutes: 20
    offset_start_minutes: 5
    minimum_notice_minutes: 60
    only_first_slot: true
    booking_limits: {day: 2}
    duration_limits: {week: 300}
    booking_window: {type: calendar_days, days: 30, rolling: true}
    requires_confirmation: true
    confirmation_threshold: {count: 3, unit: hours}
    unconfirmed_blocks_slot: true
    requires_email_verification: true
    lock_time_zone: true
    custom_name: '{Event type title} with {Scheduler}'
    success_redirect_url: https://thanks.example.test/
    color: {light: '#112233', dark: '#445566'}
    seats: null
    length_options: [60, 15, 30]
    booking_fields:
      - {slug: email, required: false}
      - {slug: attendeePhoneNumber, required: true, hidden: false}
      - {slug: size, type: select, label: Which size?, required: true, options: [S, M]}
    disable_guests: true
    active_bookings_limit: {maximum: 2, offer_reschedule: true}
    booker_layouts: {default: week, enabled: [month, week]}
    recurrence: {frequency: weekly, occurrences: 4}
    hide_calendar_notes: true
    hide_calendar_event_details: true
    hide_organizer_email: true
    destination_calendar: {integration: google_calendar, external_id: ada@example.test}
    use_destination_calendar_email: true
    cal_video: {enable_automatic_recording: true}
    requires_authentication: true
"""
)


def test_nothing_that_the_channel_can_write_is_missing_from_the_manifest() -> None:
    assert set(EventTypeFields.model_fields) - {"schedule_id"} == set(EventTypeDeclared.model_fields) - {
        "schedule"
    }


def test_all_of_them_are_set_and_then_left_alone(tmp_path: Path) -> None:
    channel = FakeChannel()
    wanted = manifest(tmp_path, ALL)
    assert wanted.event_types[0].fields.model_fields_set == set(EventTypeFields.model_fields) - {
        "schedule_id"
    }
    apply(make_plan(wanted, channel), channel)
    assert make_plan(wanted, channel).is_empty


@pytest.mark.parametrize(
    ("added", "key", "what"),
    [
        ("length_options: [15, 60]", "length_options", "do not hold the length itself, 30"),
        ("confirmation_threshold: {count: 3, unit: hours}", "confirmation_threshold", "nothing is confirmed"),
        ("booker_layouts: {default: week, enabled: [month]}", "booker_layouts", "must be one of the enabled"),
        ("booking_fields: [{slug: size, label: Size}]", "booking_fields[0]", "needs a type"),
        ("booking_fields: [{slug: size, type: text}]", "booking_fields[0]", "needs a label"),
        ("booking_fields: [{slug: notes, type: text}]", "booking_fields[0]", "has no type"),
        ("booking_fields: [{slug: size, type: select, label: Size}]", "booking_fields[0]", "have options"),
        ("booking_fields: [{slug: email, required: false}]", "booking_fields", "without an address"),
        ("booking_fields: [{slug: notes}, {slug: notes}]", "booking_fields", "hold notes twice"),
    ],
)
def test_what_does_not_fit_is_told_where_it_stands(tmp_path: Path, added: str, key: str, what: str) -> None:
    with pytest.raises(InputError) as caught:
        manifest(tmp_path, BEGIN + f"    {added}\n")
    (problem,) = caught.value.problems
    assert (problem.line, problem.key) == (7, f"event_types[0].{key}")
    assert what in problem.what
