"""Laws of which rows a page shows: failed ones, then the worst, then a fair draw, in the input's order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from emowhy.report.choose import Choice, Chooser, badness

ROWS = st.lists(
    st.fixed_dictionaries(
        {"status": st.sampled_from(["ok", "ok", "ok", "error"]), "right": st.sampled_from([None, True, False])},
        optional={"scores": st.fixed_dictionaries({"f1": st.sampled_from([0.0, 0.2, 0.9, None, float("nan"), "x"])})},
    ),
    max_size=40,
)


def choose(rows: Sequence[dict[str, Any]], most: int) -> Choice:
    chooser = Chooser(most)
    for row in rows:
        chooser.offer(row)
    return chooser.choice()


@given(ROWS, st.integers(1, 12))
def test_as_many_rows_are_shown_as_there_is_room_for_and_none_twice(rows: list[dict[str, Any]], most: int) -> None:
    choice = choose(rows, most)
    assert len(choice.places) == len(set(choice.places)) == min(most, len(rows))
    assert choice.places == sorted(choice.places)
    assert choice.left_out == len(rows) - len(choice.places)
    assert choice.failed + choice.worst + choice.drawn == len(choice.places)


@given(ROWS, st.integers(1, 12))
def test_a_failed_row_is_left_out_only_where_failed_rows_fill_the_page(rows: list[dict[str, Any]], most: int) -> None:
    choice = choose(rows, most)
    failed = [place for place, row in enumerate(rows) if row["status"] != "ok"]
    assert [place for place in choice.places if rows[place]["status"] != "ok"] == failed[:most]
    assert choice.failed == min(len(failed), most)


@given(ROWS, st.integers(1, 12))
def test_the_worst_are_no_better_than_any_row_that_is_left_out(rows: list[dict[str, Any]], most: int) -> None:
    choice = choose(rows, most)
    if choice.left_out and choice.worst:
        known = sorted(key for row in rows if row["status"] == "ok" and (key := badness(row)) is not None)
        shown = [key for place in choice.places if rows[place]["status"] == "ok" and (key := badness(rows[place]))]
        assert sorted(shown)[: choice.worst] == known[: choice.worst]
        assert choice.worst <= (most - choice.failed) // 2


def test_the_draw_is_fair_and_the_same_every_time() -> None:
    rows = [{"id": str(i)} for i in range(1000)]
    choice = choose(rows, 200)
    assert choice.places == choose(rows, 200).places
    # 200 of 1,000 without replacement: the mean place has standard error 288.7 / sqrt(200) * sqrt(0.8) = 18
    assert abs(sum(choice.places) / 200 - 499.5) < 4 * 18


def test_a_wrong_row_is_worse_than_an_unjudged_one_and_a_low_score_worse_than_a_high_one() -> None:
    wrong, low, high = {"right": False}, {"scores": {"f1": 0.1}}, {"scores": {"f1": 0.9}}
    right = {"right": True, "scores": {"f1": 0.0}}
    keys = [badness(row) for row in (wrong, low, high, right)]
    assert keys == sorted(key for key in keys if key is not None)
    assert badness({"right": True}) is badness({}) is None


def test_rows_are_shown_by_their_index_and_picked_as_they_come() -> None:
    rows = [{"index": index} for index in (2, 0, 1)]
    choice = choose(rows, 5)
    assert choice.places == [1, 2, 0]
    assert list(choice.pick(rows)) == [(2, rows[0]), (0, rows[1]), (1, rows[2])]
