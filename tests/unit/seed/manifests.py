"""Manifests of tests, from the text that a user would write."""

from __future__ import annotations

from pathlib import Path

from deploy.seed.manifest import load_manifest
from deploy.seed.wanted import Manifest

SECRETS = {"crm": "s3cret-of-the-crm"}

FULL = """\
schedules:
  - name: Working hours
    time_zone: Europe/Berlin
    default: true
    availability:
      - days: [monday, tuesday, wednesday, thursday, friday]
        times: [13:30-17:00, 09:00-12:30]
    overrides:
      - date: 2026-12-24
        times: [10:00-12:00]
      - date: 2026-12-25
        times: []
  - name: Mornings
    time_zone: UTC
event_types:
  - slug: intro
    title: Intro
    length_minutes: 15
    locations: [{type: attendee_phone}]
  - slug: consultation
    title: Consultation
    length_minutes: 60
    schedule: Mornings
    description: |
      An hour.
    locations:
      - type: address
        address: Main street 1
    buffer_after_minutes: 15
    booking_limits: null
    color: {light: '#1D4ED8', dark: '#93c5fd'}
webhooks:
  - url: https://crm.example.test/hook
    triggers: [BOOKING_CREATED, BOOKING_CANCELLED]
    secret: !secret crm
  - url: https://crm.example.test/hook
    event_type: consultation
    triggers: [MEETING_ENDED]
    active: false
"""


def manifest(tmp_path: Path, text: str = FULL) -> Manifest:
    """The manifest of this text."""
    file = tmp_path / "seed.yaml"
    file.write_text(text)
    return load_manifest(file, SECRETS.__getitem__)
