"""Every shape in which a webhook comes, on the recorded deliveries."""

from __future__ import annotations

import base64
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from deploy.calcom.deliveries import read_delivery
from deploy.calcom.signatures import HEADER, is_signed

RECORDED = Path(__file__).parents[2] / "contract" / "recordings" / "webhook_deliveries.json"
DELIVERIES: list[dict[str, Any]] = json.loads(RECORDED.read_text(encoding="utf-8"))


def body_of(delivery: dict[str, Any]) -> bytes:
    return base64.b64decode(delivery["body_base64"])


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_each_recorded_delivery_is_genuine_and_read(delivery: dict[str, Any]) -> None:
    body, signature = body_of(delivery), delivery["headers"][HEADER]
    assert is_signed(body, signature, delivery["secret"])
    assert not is_signed(body + b"\n", signature, delivery["secret"]) or delivery["secret"] is None
    assert not is_signed(body, signature, "another secret")
    read = read_delivery(body)
    if delivery["subscriber"] == "/tpl":
        assert (read.trigger, read.payload["kind"]) == (None, "BOOKING_REQUESTED")
    elif read.trigger == "PING":
        assert read.payload["title"] == "Test trigger event"
    else:
        assert read.booking_uid
        assert read.created_at is not None


def test_a_meeting_that_began_has_no_payload_around_it() -> None:
    started = next(
        read for one in DELIVERIES if (read := read_delivery(body_of(one))).trigger == "MEETING_STARTED"
    )
    assert started.booking_uid == "82y54s17gvDnkMoSdNegao"
    assert "triggerEvent" not in started.payload


def test_metadata_of_the_booking() -> None:
    created = read_delivery(body_of(DELIVERIES[0]))
    assert created.metadata["orderId"] == "42"
    assert created.created_at == dt.datetime(2026, 11, 23, 9, 7, 4, 543000, tzinfo=dt.UTC)


@pytest.mark.parametrize("body", [b"false", b"kind=BOOKING", b"", b"[]"])
def test_what_a_template_makes_may_be_no_object(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - JSON's own is one, too
        read_delivery(body)


def test_odd_values_are_no_failure() -> None:
    read = read_delivery(b'{"triggerEvent":"X","createdAt":"soon","payload":{"uid":5,"metadata":null}}')
    assert (read.created_at, read.booking_uid, read.metadata) == (None, None, {})
