"""Laws of answers against gold: small cases by hand, and the same figures as the benchmark's metrics."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.bench.metrics.calibration import top_label_ece
from emowhy.bench.metrics.closed import label_f1
from emowhy.report import Confusion, Reliability, Table
from emowhy.report.agreement import Agreement, mean_interval
from emowhy.report.sound import sound

LABELS = ("joy", "anger", "fear")
SETS = st.lists(st.sampled_from(LABELS), max_size=2, unique=True)


def row(said: list[str], gold: list[str] | None, status: str = "ok", score: float | None = None) -> dict[str, Any]:
    emotions = [{"label": label, "score": score} for label in said]
    return sound({"status": status, "emotions": emotions, "sample": {"text": "x", "gold": {"emotions": gold}}})


def counted(*rows: dict[str, Any]) -> Agreement:
    agreement = Agreement()
    for one in rows:
        agreement.add(one)
    return agreement


def block(agreement: Agreement, title: str) -> Any:
    return next(block for block in agreement.blocks() if block.title == title)


def test_figures_by_hand() -> None:
    agreement = counted(
        row(["joy"], ["joy"]),  # right; overlap 1
        row(["Joyful", "fear"], ["joy", "anger"]),  # right; one of three labels: 1/3
        row(["fear"], ["anger"]),  # wrong; 0
        row([], [], "ok"),  # right: none asked for, none given; 1
        row([], ["joy"], "truncated"),  # no answer: wrong; 0
        row(["joy"], None),  # no gold: counts for nothing
    )
    table: Table = block(agreement, "Against gold")
    (_, right, right_answered), (_, overlap, overlap_answered) = table.rows
    assert right.value == pytest.approx(3 / 5)  # type: ignore[union-attr]
    assert right_answered.value == pytest.approx(3 / 4)  # type: ignore[union-attr]
    assert overlap.value == pytest.approx((1 + 1 / 3 + 0 + 1 + 0) / 5)  # type: ignore[union-attr]
    assert overlap_answered.value == pytest.approx((1 + 1 / 3 + 0 + 1) / 4)  # type: ignore[union-attr]
    labels = {cells[0]: cells[1:] for cells in block(agreement, "Labels").rows}
    assert labels["joy"] == (3, 2, pytest.approx(1.0), pytest.approx(2 / 3), pytest.approx(4 / 5))
    assert labels["anger"] == (2, 0, 0.0, 0.0, 0.0)
    assert labels["fear"] == (0, 2, 0.0, 0.0, 0.0)


def test_a_row_stands_once_in_the_confusion_at_gold_where_it_is_right() -> None:
    found: Confusion = block(
        counted(
            row(["anger"], ["joy", "anger"]), row(["fear"], ["joy", "anger"]), row([], ["fear"]),
            row([], ["fear"], "error"), row(["joy"], []),
        ),
        "Confusion",
    )  # fmt: skip
    cells = {
        (gold, said): count
        for gold, counts in zip(found.labels, found.counts, strict=True)
        for said, count in zip(found.predicted, counts, strict=True)
        if count
    }
    assert cells == {
        ("anger", "anger"): 1, ("joy", "fear"): 1, ("fear", "no label"): 1, ("fear", "no answer"): 1,
        ("no label", "joy"): 1,
    }  # fmt: skip
    assert found.labels[-1] == "no label"
    assert found.predicted[-2:] == ["no label", "no answer"]


def test_rare_labels_share_a_row_of_the_confusion_and_no_count_is_lost() -> None:
    rows = [row([f"word{i}"], [f"word{i // 2}"]) for i in range(100)]
    found: Confusion = block(counted(*rows), "Confusion")
    assert len(found.labels) <= 31
    assert "other labels" in found.labels
    assert sum(map(sum, found.counts)) == 100


@given(st.lists(st.tuples(SETS, SETS), min_size=1, max_size=20))
def test_label_scores_are_those_of_the_benchmark(pairs: list[tuple[list[str], list[str]]]) -> None:
    said, gold = (np.array([[label in one[side] for label in LABELS] for one in pairs], float) for side in (0, 1))
    found = {cells[0]: cells[5] for cells in block(counted(*(row(*pair) for pair in pairs)), "Labels").rows}
    for label, f1 in zip(LABELS, label_f1(said, gold), strict=True):
        assert found.get(label, 0.0) == pytest.approx(f1)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_the_bins_of_the_diagram_give_its_calibration_error(pairs: list[tuple[float, bool]]) -> None:
    rows = [row(["joy"], ["joy" if right else "anger"], score=score) for score, right in pairs]
    found: Reliability = block(counted(*rows), "Reliability")
    assert sum(count for *_, count in found.bins) == len(pairs)
    gap = sum(count * abs(sure - right) for sure, right, count in found.bins) / len(pairs)
    assert found.ece == pytest.approx(gap, abs=1e-9)
    sure, right = (np.array(side, float) for side in zip(*pairs, strict=True))
    assert found.ece == pytest.approx(top_label_ece(sure[:, None], right[:, None]), abs=1e-9)


def test_without_gold_there_is_nothing_to_show_and_without_scores_no_diagram() -> None:
    assert counted(row(["joy"], None)).blocks() == []
    assert [found.title for found in counted(row(["joy"], ["joy"])).blocks()] == ["Against gold", "Labels", "Confusion"]


@given(st.dictionaries(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.integers(1, 50), min_size=1), st.integers(0, 20))
def test_a_mean_lies_in_its_interval_and_missing_rows_only_lower_it(values: dict[float, int], missing: int) -> None:
    found, more = mean_interval(values), mean_interval(values, missing)
    assert found is not None
    assert more is not None
    total = sum(values.values())
    assert found.value == pytest.approx(sum(value * n for value, n in values.items()) / total)
    assert found.low <= found.value + 1e-9
    assert found.high >= found.value - 1e-9
    assert more.value == pytest.approx(found.value * total / (total + missing))
    assert mean_interval(values) == found  # seeded


def test_the_interval_of_a_share_is_as_wide_as_the_binomial_says() -> None:
    found = mean_interval(Counter({1.0: 200, 0.0: 200}))
    assert found is not None
    assert found.high - found.low == pytest.approx(2 * 1.96 * 0.025, rel=0.1)  # sqrt(.5 * .5 / 400) = .025
    assert mean_interval({}) is None
