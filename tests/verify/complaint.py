"""What a failed check says: what is wrong, why it matters, what to do; written for somebody woken by it."""

from __future__ import annotations


def complaint(what: str, *, why: str, fix: str) -> str:
    """The three parts on a line each, the last one led by an arrow as in every message of calstack."""
    return f"{what}\n{why}\n-> {fix}"


def listed(findings: list[str], *, at_most: int = 8) -> str:
    """The findings on one line; of many the first ones, and how many more there are."""
    shown = "; ".join(findings[:at_most])
    more = len(findings) - at_most
    return f"{shown}; and {more} more" if more > 0 else shown
