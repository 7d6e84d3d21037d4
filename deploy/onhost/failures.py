"""What `onhost` reports instead of a traceback."""

from __future__ import annotations


class OnhostError(Exception):
    """Something went wrong that a person can mend; the message says what and what to check."""
