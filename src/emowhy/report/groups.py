"""A run's rows by group and over time: which of their columns say so, and what was predicted there."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from emowhy.report.blocks import Block, Counts
from emowhy.report.cards import plain
from emowhy.report.rows import branch

TIMES = frozenset({"created", "created_at", "date", "datetime", "day", "month", "time", "timestamp", "week", "year"})
GROUPS = frozenset(
    {
        *("category", "channel", "condition", "country", "domain", "genre", "group", "kind", "lang", "language"),
        *("product", "region", "series", "source", "speaker", "split", "team", "topic", "type"),
    }
)
MOST_VALUES = 24

_LEAST_ROWS = 3  # to a value, on average
_MOST_COLUMNS = 4
_MOST_SEEN = 10_000  # distinct values until a column is given up
_LONGEST = 60  # characters of a group's name
_DATE = re.compile(r"\d{4}(?:-\d{2}(?:-\d{2}(?!\d).*)?)?$", re.DOTALL)
_STEPS = {"day": 10, "month": 7, "year": 4}  # characters of an ISO date

RULE = (
    f"Shown for columns whose name says a time or a group (date, month, kind, speaker, topic …) with 2 to "
    f"{MOST_VALUES} different values, three rows to a value or more; dates by day, month or year, whichever comes to "
    "so few first."
)


class Groups:
    """Rows and their branches by the values of the columns that are taken for groups (see `RULE`)."""

    def __init__(self) -> None:
        self._mixes: dict[tuple[str, str], dict[str, Counter[str]]] = {}
        """(column, step) -> value -> branches; the step is "" for what is no date."""
        self._given_up: set[tuple[str, str]] = set()

    def add(self, row: Mapping[str, Any]) -> None:
        """Count a sound row."""
        kind = _kind(row)
        for name, value in _columns(row).items():
            for step in _STEPS if name.casefold() in TIMES else ("",):
                column = (name, step)
                short = _bucket(value, step)
                if column in self._given_up or short is None:
                    continue
                mixes = self._mixes.setdefault(column, defaultdict(Counter))
                mixes[short][kind] += 1
                if len(mixes) > (_MOST_SEEN if step else MOST_VALUES):
                    self._given_up.add(column)
                    del self._mixes[column]

    @cached_property
    def shown(self) -> dict[str, str]:
        """The columns that are shown, each with the step of its dates ("" for none). Ask when all is counted."""
        found: dict[str, str] = {}
        for name, step in self._mixes:  # days come before months, months before years
            mixes = self._mixes[name, step]
            enough = sum(mix.total() for mix in mixes.values()) >= _LEAST_ROWS * len(mixes)
            if name not in found and enough and 2 <= len(mixes) <= MOST_VALUES:
                found[name] = step
        return dict(list(found.items())[:_MOST_COLUMNS])

    def of(self, row: Mapping[str, Any]) -> dict[str, str]:
        """A row's value in each column that is shown."""
        values = _columns(row)
        found = {name: _bucket(values[name], step) for name, step in self.shown.items() if name in values}
        return {name: value for name, value in found.items() if value is not None}

    def blocks(self) -> list[Block]:
        """One block of counts a column, dates in their order, other values by how many rows have them."""
        found: list[Block] = []
        for name, step in self.shown.items():
            mixes = self._mixes[name, step]
            order = sorted(mixes, key=lambda value: (0 if step else -mixes[value].total(), value))
            items = [(value, mixes[value].total(), dict(mixes[value])) for value in order]
            title = f"By {name}" + (f" ({step})" if step and step != name.casefold() else "")
            found.append(Counts(title, items, RULE if not found else ""))
        return found


def _kind(row: Mapping[str, Any]) -> str:
    return branch(row["emotions"][0]["label"]) if row["emotions"] else "other"


def _columns(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row's columns with a telling name, first the input's own, then who speaks."""
    given = {**row["extra"], **({"speaker": who} if (who := row["sample"]["speaker"]) is not None else {})}
    return {name: value for name, value in given.items() if name.casefold() in TIMES | GROUPS and value is not None}


def _bucket(value: Any, step: str) -> str | None:
    """The group that a value stands for: a date cut to its step, None where it is none; else its words."""
    words = plain(value).strip()
    if not step:
        return f"{words[: _LONGEST - 1]}…" if len(words) > _LONGEST else words or None
    return words[: _STEPS[step]] if _DATE.match(words) and len(words) >= _STEPS[step] else None
