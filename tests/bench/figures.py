"""What a bench has measured, and whether it is as it shall be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured value."""

    name: str
    value: float
    unit: str
    goal: str | None = None
    """What it shall be, in words; None where it is there to be compared with."""
    met: bool | None = None


def all_met(figures: Iterable[Figure]) -> bool:
    """Whether no goal is missed."""
    return all(figure.met is not False for figure in figures)


def show(name: str, figures: Sequence[Figure]) -> None:
    """Print a part of a bench: a line a figure."""
    print(name)
    for figure in figures:
        verdict = "" if figure.met is None else "met" if figure.met else "MISSED"
        print(f"  {figure.name:48}{figure.value:10.2f} {figure.unit:10}{figure.goal or '':28}{verdict}")
