"""What a look at rows or at an adapter finds: good, worth a note, or a fault that says what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

Grade = Literal["good", "note", "fault"]

_NAMED = 3  # rows in a sentence


class Finding(NamedTuple):
    """One thing that was looked at; `rows` are the ids of the rows that it is about."""

    name: str
    grade: Grade
    what: str
    cure: str = ""
    rows: tuple[str, ...] = ()


def passed(findings: Iterable[Finding]) -> bool:
    """Whether there is no fault."""
    return all(one.grade != "fault" for one in findings)


def rows_named(ids: Sequence[str]) -> str:
    """How many rows, and which: "2 rows (a, b)"."""
    more = ", …" if len(ids) > _NAMED else ""
    return f"{len(ids):,} {'row' if len(ids) == 1 else 'rows'} ({', '.join(ids[:_NAMED])}{more})"
