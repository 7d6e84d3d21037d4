"""The state in which the recorder found the instance of the api recordings (the recordings' README)."""

from __future__ import annotations

from datetime import datetime, timedelta

import psycopg

STATE = """
INSERT INTO users (id, uuid, username, name, email, "timeZone", "weekStart", "timeFormat", role, locale,
                   "completedOnboarding", created)
VALUES (1, gen_random_uuid(), 'admin', 'Ada Admin', 'admin@example.test', 'UTC', 'Monday', 12, 'ADMIN', 'en',
        true, now());
INSERT INTO "Schedule" (id, "userId", name, "timeZone")
VALUES (1, 1, 'Working hours', 'UTC'), (3, 1, 'Mornings', 'Europe/Berlin');
INSERT INTO "Availability" ("scheduleId", days, "startTime", "endTime")
VALUES (1, '{1,2,3,4,5,6,0}', '00:00', '23:59'), (3, '{1,2,3,4,5}', '09:00', '17:00');
UPDATE users SET "defaultScheduleId" = 1;
SELECT setval('users_id_seq', 1), setval('"Schedule_id_seq"', 3), setval('"EventType_id_seq"', 8),
       setval('"Booking_id_seq"', 3);
"""

# Of an earlier try of the recorder's: held for an event type that was deleted since, so that the slot is
# missing from the host's and can be reserved for another type (contract/api/slots, steps 0 and 10).
HELD = datetime.fromisoformat("2026-12-07T15:00:00")


def prepare(database_url: str, start: datetime) -> None:
    """Bring a migrated, empty database into that state."""
    with psycopg.connect(database_url) as connection:
        connection.execute(STATE)
        connection.execute(
            'INSERT INTO "SelectedSlots" ("eventTypeId", "userId", "slotUtcStartDate", "slotUtcEndDate", uid,'
            ' "releaseAt") VALUES (8, 1, %s, %s, gen_random_uuid()::text, %s)',
            (HELD, HELD + timedelta(minutes=20), (start + timedelta(minutes=5)).replace(tzinfo=None)),
        )
