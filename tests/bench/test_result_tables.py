"""Laws of results.md: percent with intervals, a system a line, and beside it all that a reader must know."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.bench.tables import first_figures, is_share, markdown, number, table_lines, task_notes


def figure(value: float | None, low: float | None = None, high: float | None = None) -> dict[str, float | None]:
    return {"value": value, "low": low, "high": high, "answered": value}


def system(kind: str, ok: int = 9, **figures: dict[str, float | None]) -> dict[str, Any]:
    rates = {"ok": ok, "missing": 10 - ok, "unparsed": 0, "truncated": 0, "refused": 0, "error": 0, "lenient": 2}
    return {
        "kind": kind,
        "figures": {"graded": {"graded_f": figures.get("graded_f", figure(0.5)), "graded_p": figure(0.9)}},
        "rates": rates,
        "tokens": {"prompt": 1000, "completion": 500},
        "notes": ["1 of 10 rows have no answer, which counts as wrong: r3"] if ok < 10 else [],
    }


COMPARISON = {
    "system": "model", "against": "constant", "figure": "graded_f", "difference": 0.125, "low": -0.05, "high": 0.3,
    "p": 0.02, "p_holm": 0.04, "rescued": 4, "harmed": 1, "net_gain": 0.3, "net_low": 0.0, "net_high": 0.6,
}  # fmt: skip
TASK: dict[str, Any] = {
    "title": "A task | of ours",
    "version": 1,
    "hash": "0123456789abcdef",
    "split": "test",
    "condition": "subtitle",
    "licence": "CC0-1.0",
    "n": 10,
    "groups": 4,
    "near_duplicates": 3,
    "fitted": {"on": "train, 99 rows"},
    "candidates": {"recall_1": 0.5, "recall_3": 0.75, "recall_5": 1.0},
    "skipped": {"clues": "the texts are not English (zh)"},
    "systems": {"model": system("asked", graded_f=figure(0.625, 0.5, 0.75)), "constant": system("control", 10)},
    "comparisons": [COMPARISON],
    "rejected": 2,
    "notes": ["a note of the run"],
}


def results(**change: Any) -> dict[str, Any]:
    task = {**copy.deepcopy(TASK), **change}
    return {"version": "0.0", "taxonomy": "1", "seed": 7, "tasks": {"mine": task}}


def row_of(text: str, name: str) -> list[str]:
    """The cells of the line that begins with `name`."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in line.strip("|").split(" | ")]


# Numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "name", "shown"),
    [
        (figure(0.625, 0.5, 0.75), "graded_f", "62.5 [50.0, 75.0]"),
        (figure(0.625), "graded_f", "62.5"),
        (figure(-0.05, -0.1, 0.0), "graded_corrected", "-5.0 [-10.0, 0.0]"),
        (figure(1.234, 1.0, 1.5), "labels_per_gold", "1.23 [1.00, 1.50]"),
        (figure(0.25), "error_valence", "0.25"),
        (figure(None), "graded_f", "–"),
        (None, "graded_f", "–"),
    ],
)
def test_a_share_is_in_percent_and_what_is_none_is_not(found: Mapping[str, Any] | None, name: str, shown: str) -> None:
    assert number(found, name) == shown


@given(st.floats(0, 1), st.sampled_from(["accuracy", "r_valence", "error_valence"]))
def test_a_number_is_read_back_to_the_digit_that_is_shown(value: float, name: str) -> None:
    scale, digit = (100, 0.05) if is_share(name) else (1, 0.005)
    assert float(number(figure(value), name)) == pytest.approx(scale * value, abs=digit + 1e-9)


# Tables -----------------------------------------------------------------------------------------------------------


def test_a_system_has_a_line_with_its_kind_figures_and_rates() -> None:
    text = markdown(results())
    assert row_of(text, "system") == ["system", "", "graded_f", "answered", "lenient", "tokens"]
    assert row_of(text, "model") == ["model", "", "62.5 [50.0, 75.0]", "90.0", "2", "50"]
    assert row_of(text, "constant") == ["constant", "control", "50.0", "100.0", "2", "–"]


def test_a_comparison_has_a_line_with_its_corrected_p() -> None:
    cells = row_of(markdown(results()), "model − constant")
    assert cells[1:] == ["12.5 [-5.0, 30.0]", "0.040", "4", "1", "30.0 [0.0, 60.0]"]


def test_without_rescues_their_cells_are_empty() -> None:
    bare = {key: value for key, value in COMPARISON.items() if not key.startswith(("net", "res", "har"))}
    assert row_of(markdown(results(comparisons=[bare])), "model − constant")[3:] == ["–", "–", "–"]


def test_the_first_figure_of_every_metric_is_shown_whoever_has_it() -> None:
    later = {**system("variant"), "figures": {"rouge": {"rouge_l": figure(0.1)}}}
    task = {"systems": {"model": system("asked"), "later": later}}
    assert first_figures(task) == [("graded", "graded_f"), ("rouge", "rouge_l")]
    text = markdown(results(systems=task["systems"], comparisons=[]))
    assert row_of(text, "later")[2:4] == ["–", "10.0"]


def test_what_was_scored_stands_above() -> None:
    text = markdown(results())
    assert "seed 7. Percent with 95 % bootstrap intervals; a missing answer counts as wrong." in text
    assert "## A task | of ours (`mine`)" in text
    assert "Split test, 10 rows in 4 groups; input: subtitle; version 1 (0123456789abcdef); licence: CC0-1.0." in text
    assert " in 10 groups" not in markdown(results(groups=10))


def test_what_a_reader_must_know_stands_below() -> None:
    notes = list(task_notes(TASK))
    for part in (
        "2 rows could not be read",
        "Controls fitted on: train, 99 rows.",
        "first 1, 3, 5 in 50.0, 75.0, 100.0 %",
        "3 rows are near-duplicates",
        "clues was not scored: the texts are not English (zh).",
        "a note of the run",
        "model: 1 of 10 rows have no answer",
    ):
        assert sum(part in note for note in notes) == 1, part
    assert all(f"* {note}" in markdown(results()) for note in notes)


def test_the_headline_without_near_duplicates_is_told_where_there_is_one() -> None:
    fewer = {**figure(0.625), "without_near_duplicates": 0.5}
    told = {**TASK, "systems": {"model": system("asked", graded_f=fewer), "constant": system("control")}}
    assert "near-duplicates of training texts; without them graded_f is 50.0 (model)." in "".join(task_notes(told))
    nothing_scored = {**TASK, "systems": {"model": {**system("asked"), "figures": {}}}}
    assert "3 rows are near-duplicates of training texts." in list(task_notes(nothing_scored))


def test_nothing_is_noted_where_nothing_was_odd() -> None:
    clean = {
        **TASK, "rejected": 0, "fitted": None, "candidates": None, "near_duplicates": 0, "skipped": {}, "notes": [],
        "systems": {"model": system("asked", 10)},
    }  # fmt: skip
    assert list(task_notes(clean)) == []


@given(st.lists(st.lists(st.text("a|b ", max_size=5), min_size=2, max_size=2), min_size=1, max_size=4))
def test_every_row_of_a_table_has_as_many_cells_as_its_head(rows: list[list[str]]) -> None:
    lines = table_lines(rows)
    assert len(lines) == len(rows) + 1
    assert all(line.replace("\\|", "").count("|") == 3 for line in lines)
