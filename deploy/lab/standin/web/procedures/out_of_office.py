"""`ooo`: the host's holidays (FACTS §16)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ...core import out_of_office
from ..superjson import UNDEFINED
from ..trpc import Call, Router, mutation, query
from ..validation import anything, boolean, date, nullish, number, optional, shape, text


def save(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """Write an entry from the first day's start to the last day's end, in the host's own offset."""
    start = given["dateRange"]["startDate"] + timedelta(minutes=given.get("startDateOffset") or 0)
    end = given["dateRange"]["endDate"] + timedelta(minutes=given.get("endDateOffset") or 0)
    out_of_office.save(
        call.connection,
        call.host["id"],
        start.replace(hour=0, minute=0, second=0, microsecond=0),
        end.replace(hour=23, minute=59, second=59, microsecond=999000),
        given.get("reasonId"),
        given.get("notes"),
        given.get("uuid"),
        call.instance.now(),
    )
    return {}


def listed(call: Call, _given: Any) -> dict[str, Any]:
    """The host's entries."""
    user_id = call.host["id"]
    return {
        "rows": [
            {
                "id": entry["id"],
                "uuid": entry["uuid"],
                "start": entry["start"],
                "end": entry["end"],
                "toUserId": entry["toUserId"],
                "toUser": None,
                "reason": {
                    "id": entry["reasonId"],
                    "emoji": entry["emoji"],
                    "reason": entry["reason"],
                    "userId": entry["reasonUserId"],
                }
                if entry["reasonId"]
                else None,
                "notes": entry["notes"],
                "showNotePublicly": entry["showNotePublicly"],
                "canEditAndDelete": True,
            }
            for entry in out_of_office.listed(call.connection, user_id)
        ],
        "nextCursor": UNDEFINED,
        "meta": {"totalRowCount": out_of_office.count(call.connection, user_id)},
    }


def delete(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """Delete an entry."""
    out_of_office.delete(call.connection, call.host["id"], given["outOfOfficeUid"])
    return {}


ROUTER: Router = {
    "outOfOfficeCreateOrUpdate": mutation(
        save,
        shape(
            {
                "dateRange": shape({"startDate": date, "endDate": date}),
                "startDateOffset": optional(number()),
                "endDateOffset": optional(number()),
                "toTeamUserId": nullish(number()),
                "reasonId": nullish(number()),
                "notes": nullish(text()),
                "uuid": nullish(text()),
                "showNotePublicly": optional(boolean),
            }
        ),
    ),
    "outOfOfficeEntriesList": query(listed, anything),
    "outOfOfficeEntryDelete": mutation(
        delete, shape({"outOfOfficeUid": text(), "userId": nullish(number())})
    ),
}
