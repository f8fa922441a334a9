"""Laws of sound rows: whatever JSON comes, every field has its shape, and what was lost has a name."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from emowhy.report import lines, notes, right
from emowhy.report.cards import card
from emowhy.report.fit import LIMITS, cut, fit, shorten
from emowhy.report.sound import sound
from report.pages import ANSWER, SAMPLE, row_of

SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=5)
NAMES = st.text(max_size=4)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))
FIELDS = (
    *("id", "status", "emotions", "causes", "clues", "steps", "usage", "cut", "sample", "extra", "scores", "right"),
    *("answers", "other"),
)
INSIDE = ("label", "score", "quote", "turn", "start", "end", "verified", "kind", "text", "context", "gold", "emotions")
ODD = st.dictionaries(st.sampled_from(INSIDE), JSON, max_size=5) | JSON
ROWS = st.dictionaries(st.sampled_from(FIELDS), ODD | st.lists(ODD, max_size=2), max_size=6)


@given(ROWS)
def test_any_json_becomes_a_row_that_can_be_shown(row: dict[str, Any]) -> None:
    found = sound(row)
    lines(found)
    notes(found)
    right(found)
    made = json.loads(card(row, {}))
    assert isinstance(made["id"], str)


def test_a_card_has_a_name_even_where_the_row_has_an_empty_one() -> None:
    assert json.loads(card({"id": ""}, {}))["id"] == "(no id)"


@given(ROWS)
def test_a_sound_row_stays_as_it_is(row: dict[str, Any]) -> None:
    once = sound(row)
    assert repr(sound(once)) == repr(once)  # repr, for nan is not nan


def test_a_row_of_a_run_has_no_fault() -> None:
    row = row_of(ANSWER, SAMPLE)
    found = sound(row)
    assert found["faults"] == []
    assert found.items() >= {name: value for name, value in row.items() if name != "sample"}.items()


def test_what_is_set_aside_is_named_and_the_rest_kept() -> None:
    sample = {"text": "x", "context": [{"speaker": "A"}], "observations": {"face": 3, "voice": None}, "gold": [1]}
    found = sound({"id": 7, "emotions": [{"label": "joy"}], "causes": [{"quote": "x", "turn": []}], "sample": sample})
    assert found["faults"] == ["id", "causes", "sample.context", "sample.gold", "sample.observations"]
    assert found["emotions"] == [{"label": "joy"}]
    assert found["sample"]["observations"] == {"voice": None}


@given(st.text(max_size=300), st.integers(40, 200))
def test_a_shortened_text_is_no_longer_than_asked_and_keeps_both_ends(text: str, most: int) -> None:
    found = shorten(text, most)
    assert len(found) == min(len(text), most)
    assert found[:10] == text[:10]
    assert found[-4:] == text[-4:]


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=4))
def test_a_card_within_the_limits_is_left_alone(made: dict[str, Any]) -> None:
    assert repr(cut(made, LIMITS[0])) == repr(made)


@given(st.lists(st.integers(0, 4000), min_size=1, max_size=20), st.integers(4_000, 20_000))
def test_cards_fit_their_room_and_all_stay(lengths: list[int], budget: int) -> None:
    cards = [card({"id": str(i), "explanation": "é" * n}, {}) for i, n in enumerate(lengths)]
    found = list(fit(cards, budget))
    assert sum(map(len, found)) <= budget
    assert [json.loads(text)["id"] for text in found] == [str(i) for i in range(len(lengths))]
    if sum(map(len, cards)) <= budget // len(cards):
        assert found == cards
