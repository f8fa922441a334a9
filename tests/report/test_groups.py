"""Laws of rows by group and over time: a column counts by its name and its few values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from emowhy.report import Counts
from emowhy.report.groups import MOST_VALUES, Groups
from emowhy.report.sound import sound


def groups_of(rows: Iterable[dict[str, Any]]) -> Groups:
    groups = Groups()
    for extra in rows:
        groups.add(sound({"extra": extra, "emotions": [{"label": "joy"}]}))
    return groups


def items(groups: Groups) -> list[tuple[str, int]]:
    (block,) = groups.blocks()
    assert isinstance(block, Counts)
    return [(item[0], item[1]) for item in block.items]


def test_a_telling_column_is_counted_by_value_the_commonest_first() -> None:
    groups = groups_of([{"kind": "sarcasm"}] * 3 + [{"Kind": "plain"}] + [{"kind": "plain"}] * 4 + [{"kind": None}])
    assert items(groups) == [("plain", 4), ("sarcasm", 3)]
    assert groups.of(sound({"extra": {"kind": "plain", "note": "x"}})) == {"kind": "plain"}


def test_a_bar_is_made_of_the_branches_of_what_was_predicted() -> None:
    groups = Groups()
    for label, kind in (("annoyance", "a"), ("anger", "a"), ("joy", "a"), ("fear", "b"), (None, "b"), (None, "b")):
        groups.add(sound({"extra": {"kind": kind}, "emotions": [{"label": label}] if label else []}))
    (block,) = groups.blocks()
    assert isinstance(block, Counts)
    assert block.items == [("a", 3, {"anger": 2, "joy": 1}), ("b", 3, {"fear": 1, "other": 2})]


@pytest.mark.parametrize(
    "rows",
    [
        [{"opinion": "a"}, {"opinion": "b"}] * 5,  # a name that says nothing
        [{"kind": "a"}] * 9,  # one value
        [{"kind": str(i % (MOST_VALUES + 1))} for i in range(200)],  # too many values
        [{"kind": str(i)} for i in range(5)],  # one row each
        [{"date": "yesterday"}, {"date": "today"}] * 5,  # no dates
    ],
)
def test_a_column_that_tells_nothing_is_not_shown(rows: list[dict[str, Any]]) -> None:
    assert groups_of(rows).blocks() == []


@pytest.mark.parametrize(
    ("dates", "step", "first"),
    [
        ([f"2024-05-{day:02}" for day in range(1, 11)], "day", "2024-05-01"),
        ([f"2024-05-{day:02}T10:{day}:00Z" for day in range(11, 21)], "day", "2024-05-11"),
        ([f"2024-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 9)], "month", "2024-01"),
        ([f"{year}-{month:02}" for year in range(2010, 2020) for month in range(1, 13)], "year", "2010"),
        (list(range(2010, 2020)), "year", "2010"),
    ],
)
def test_dates_are_grouped_by_the_finest_step_that_is_few_enough_and_stay_in_order(
    dates: list[Any], step: str, first: str
) -> None:
    groups = groups_of({"date": date} for date in reversed(dates * 3))
    (block,) = groups.blocks()
    assert block.title == f"By date ({step})"
    names = [name for name, _ in items(groups)]
    assert names == sorted(names)
    assert names[0] == first
    assert sum(count for _, count in items(groups)) == 3 * len(dates)


def test_who_speaks_is_a_group_too() -> None:
    groups = Groups()
    for speaker in ("Ana", "Ben") * 3:
        groups.add(sound({"sample": {"text": "x", "speaker": speaker}}))
    assert items(groups) == [("Ana", 3), ("Ben", 3)]
