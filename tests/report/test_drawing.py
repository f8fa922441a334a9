"""Laws of blocks as they are drawn: figures in words, lengths on their scales."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.report import Confusion, Counts, Interval, Reliability, Table
from emowhy.report.draw import bars, dots, figures, is_wide, large, shades, table_rows, wilson


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (None, "–"), ("a text", "a text"), (1234567, "1,234,567"), (0.7243, "72.4%"), (1.0, "100.0%"),
        (-0.031, "−3.1%"), (float("nan"), "–"), ((0.5, 0.4, 0.6), "50.0%"), (Interval(6.417, 6, 7, 10), "6.42"),
        (Interval(0.5, float("nan"), 1), "–"),
    ],
)  # fmt: skip
def test_a_share_is_per_cent_a_count_has_its_commas_and_nothing_is_a_dash(cell: object, words: str) -> None:
    (figure,) = figures([cell])  # type: ignore[list-item]
    assert figure.words == words


def test_an_interval_says_its_ends_in_the_unit_of_its_figure() -> None:
    share, mark = figures([Interval(0.412, 0.355, 0.471)])[0], figures([Interval(6.4, 6.1, 6.8, 10)])[0]
    assert (share.words, share.span) == ("41.2%", "35.5 to 47.1%")
    assert (mark.words, mark.span) == ("6.40", "6.10 to 6.80")
    assert share.bar == pytest.approx((0, 35.5, 41.2, 47.1))
    assert mark.bar == pytest.approx((0, 61, 64, 68))


def test_a_column_of_differences_is_drawn_around_zero() -> None:
    better, worse = figures([Interval(0.05, 0.0, 0.1), Interval(-0.1, -0.2, 0.0)])
    assert better.bar == pytest.approx((50, 50, 62.5, 75))  # the scale runs from -0.2 to 0.2
    assert worse.bar == pytest.approx((50, 0, 25, 50))
    assert worse.span == "−20.0 to 0.0%"


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5), st.floats(-5, 5)).map(sorted).map(tuple), max_size=6))
def test_a_bar_stays_on_its_scale_and_keeps_its_order(triples: list[tuple[float, float, float]]) -> None:
    for figure in figures([Interval(value, low, high) for low, value, high in triples]):
        assert figure.bar is not None
        _, low, value, high = figure.bar
        assert -1e-9 <= low <= value <= high <= 100 + 1e-9


def test_a_short_row_of_a_table_is_filled_up_and_a_long_one_cut() -> None:
    rows = table_rows(Table("t", ("a", "b"), [("x",), ("y", 1, 2)]))
    assert [[figure.words for figure in row] for row in rows] == [["x", "–"], ["y", "1"]]


def test_counts_are_drawn_against_the_largest_and_mixes_against_their_own_sum() -> None:
    plain = bars(Counts("c", [("joy", 4), ("odd", 1)], labels=True))
    assert [(bar.branch, bar.pieces[0][2]) for bar in plain] == [("joy", 100), ("other", 25)]
    (mixed,) = bars(Counts("c", [("a", 7, {"fear": 1, "joy": 3})]))
    assert mixed.pieces == [("joy", 0.0, 75.0), ("fear", 75.0, 25.0)]
    assert mixed.told == "joy 75%, fear 25%"


def test_a_cell_of_a_confusion_is_as_dark_as_its_share_of_the_row() -> None:
    ((gold, cells), (_, empty)) = shades(Confusion(("joy", "fear"), ((3, 1), (0, 0))))
    assert gold == "joy"
    assert [(cell.dark, cell.same) for cell in cells] == [(8, True), (3, False)]  # .75 and .25, rounded up
    assert [cell.dark for cell in empty] == [0, 0]


def test_the_interval_of_a_share_is_wilson_s() -> None:
    # 8 of 10: (0.8 + 3.841/20 ± 1.96 sqrt(0.8 * 0.2 / 10 + 3.841 / 400)) / 1.3841 = (0.9921 ± 0.3136) / 1.3841
    assert wilson(0.8, 10) == pytest.approx((0.4902, 0.9433), abs=5e-4)


def test_an_empty_bin_has_no_dot() -> None:
    assert [dot.told for dot in dots(Reliability([(0.5, 0.0, 0), (0.9, 0.5, 1234)], 0.4))] == [
        "confidence 90.0%, accuracy 50.0%, rows 1,234"
    ]


def test_what_has_many_columns_takes_the_whole_width() -> None:
    assert not is_wide(Confusion(("a",) * 12, ()))
    assert is_wide(Confusion(("a",) * 13, ()))
    assert not is_wide(Table("t", ("a",) * 6, [("x", 1)]))
    assert is_wide(Table("t", ("a",) * 4, [("x", (0, 0, 0), (0, 0, 0), (0, 0, 0))]))


@pytest.mark.parametrize(("count", "words"), [(9_999_999, "9,999,999"), (12_345_678, "12.3 M")])
def test_a_large_count_is_short(count: int, words: str) -> None:
    assert large(count) == words
