"""The events that Cal.com's webhooks can be sent for (FACTS §5; 6.0.2 to 6.2.0)."""

from __future__ import annotations

DELAYED_TRIGGERS = (
    "AFTER_HOSTS_CAL_VIDEO_NO_SHOW",
    "AFTER_GUESTS_CAL_VIDEO_NO_SHOW",
    "FORM_SUBMITTED_NO_EVENT",
)
"""Sent some time after the event, so they need `time` and `time_unit`."""

TRIGGERS = (
    "BOOKING_CREATED",
    "BOOKING_REQUESTED",
    "BOOKING_RESCHEDULED",
    "BOOKING_CANCELLED",
    "BOOKING_REJECTED",
    "BOOKING_NO_SHOW_UPDATED",
    "BOOKING_PAYMENT_INITIATED",
    "BOOKING_PAID",
    "MEETING_STARTED",
    "MEETING_ENDED",
    "RECORDING_READY",
    "RECORDING_TRANSCRIPTION_GENERATED",
    "FORM_SUBMITTED",
    "OOO_CREATED",
    *DELAYED_TRIGGERS,
)
"""Those of users and event types. Not among them: INSTANT_MEETING, which teams have, and
DELEGATION_CREDENTIAL_ERROR, which organizations have."""

USER_TRIGGERS = ("FORM_SUBMITTED", "FORM_SUBMITTED_NO_EVENT", "OOO_CREATED")
"""Those that concern the user and no event type, so that a webhook of an event type never gets them."""
