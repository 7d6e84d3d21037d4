"""What both channels spell alike in an event type, and what is read alike however it is spelt (FACTS §15)."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from deploy.calcom.models import (
    ActiveBookingsLimit,
    CalVideoSettings,
    DestinationCalendar,
    EventType,
    PeriodLimits,
    Seats,
)
from deploy.calcom.wire import Wire


class AlikeEventType(Wire):
    """The part of an event type that has the same names in both answers."""

    id: int
    title: str
    slug: str
    description: str | None
    hidden: bool
    buffer_before_minutes: int = Field(alias="beforeEventBuffer")
    buffer_after_minutes: int = Field(alias="afterEventBuffer")
    slot_interval_minutes: int | None = Field(alias="slotInterval")
    offset_start_minutes: int = Field(alias="offsetStart")
    minimum_notice_minutes: int = Field(alias="minimumBookingNotice")
    only_first_slot: bool = Field(alias="onlyShowFirstAvailableSlot")
    requires_email_verification: bool = Field(alias="requiresBookerEmailVerification")
    lock_time_zone: bool = Field(alias="lockTimeZoneToggleOnBookingPage")
    disable_guests: bool = Field(alias="disableGuests")
    hide_calendar_notes: bool = Field(alias="hideCalendarNotes")
    hide_calendar_event_details: bool = Field(alias="hideCalendarEventDetails")
    hide_organizer_email: bool = Field(alias="hideOrganizerEmail")

    def direct(self) -> dict[str, Any]:
        """The fields, of a subclass too, that `EventType` has under the same name."""
        return {
            name: getattr(self, name) for name in type(self).model_fields if name in EventType.model_fields
        }


class CalendarAnswer(Wire):
    """`destinationCalendar`."""

    integration: str
    external_id: str = Field(alias="externalId")

    def calendar(self) -> DestinationCalendar:
        """The calendar in calstack's words."""
        return DestinationCalendar(**dict(self))


class CalVideoAnswer(Wire):
    """`calVideoSettings`."""

    disable_recording_for_organizer: bool = Field(alias="disableRecordingForOrganizer")
    disable_recording_for_guests: bool = Field(alias="disableRecordingForGuests")
    redirect_url_on_exit: str | None = Field(alias="redirectUrlOnExit")
    enable_automatic_recording: bool = Field(alias="enableAutomaticRecordingForOrganizer")
    enable_automatic_transcription: bool = Field(alias="enableAutomaticTranscription")
    disable_transcription_for_guests: bool = Field(alias="disableTranscriptionForGuests")
    disable_transcription_for_organizer: bool = Field(alias="disableTranscriptionForOrganizer")

    def settings(self) -> CalVideoSettings:
        """The switches in calstack's words."""
        return CalVideoSettings(**dict(self))


ALIKE_NAMES = {
    **{name: field.alias or name for name, field in AlikeEventType.model_fields.items() if name != "id"},
    "success_redirect_url": "successRedirectUrl",
    "requires_authentication": "bookingRequiresAuthentication",
}
"""Fields by the name that both channels take."""


def limits(answer: Wire | None) -> PeriodLimits | None:
    """Booking or duration limits from an answer with their fields; none at all are null."""
    found = PeriodLimits(**dict(answer)) if answer else None
    return None if found == PeriodLimits() else found


def active_limit(maximum: int | None, offer: bool | None) -> ActiveBookingsLimit | None:
    """The limit of a guest's bookings; without a number there is none."""
    return ActiveBookingsLimit(maximum=maximum, offer_reschedule=bool(offer)) if maximum else None


def seats(per_slot: int | None, show_attendees: bool | None, show_count: bool | None) -> Seats | None:
    """The seats; without a number there are none. The count shows unless it is hidden."""
    if not per_slot:
        return None
    return Seats(
        per_slot=per_slot,
        show_attendees=bool(show_attendees),
        show_available_count=show_count is not False,
    )


def calendar_input(calendar: DestinationCalendar | None) -> dict[str, Any] | None:
    """The calendar as both take it."""
    if calendar is None:
        return None
    return {"integration": calendar.integration, "externalId": calendar.external_id}


def cal_video_input(settings: CalVideoSettings | None) -> dict[str, Any] | None:
    """The switches as both take them; null where one has no value."""
    if settings is None:
        return None
    return {str(field.alias): getattr(settings, name) for name, field in CalVideoAnswer.model_fields.items()}
