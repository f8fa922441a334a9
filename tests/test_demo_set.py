"""The laws of the demo set: what it covers, and that every quote is verbatim where it says it stands."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from emowhy.taxonomy import find_taxonomy

FOLDER = Path(__file__).parents[1] / "benchmarks" / "demo"
ROWS = [json.loads(line) for line in (FOLDER / "demo.jsonl").read_text(encoding="utf-8").splitlines()]
KEYS = {"id", "text", "speaker", "context", "observations", "gold", "kind"}
KINDS = {"sarcasm", "mixed", "latent", "earlier-turn", "observed", "plain", "neutral"}
LEAST = {"mixed": 4, "sarcasm": 4, "latent": 3, "earlier-turn": 8, "observed": 7, "plain": 3, "neutral": 3}
EKMAN = {
    "anger": {"anger", "annoyance", "disapproval"},
    "disgust": {"disgust"},
    "fear": {"fear", "nervousness"},
    "joy": {"admiration", "amusement", "approval", "caring", "desire", "excitement", "gratitude", "joy", "love"}
    | {"optimism", "pride", "relief"},
    "sadness": {"disappointment", "embarrassment", "grief", "remorse", "sadness"},
    "surprise": {"confusion", "curiosity", "realization", "surprise"},
    "neutral": {"neutral"},
}

each_row = pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])


def groups_of(row: dict[str, Any]) -> set[str]:
    return {group for group, labels in EKMAN.items() for label in row["gold"]["emotions"] if label in labels}


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [row for row in ROWS if row["kind"] == kind]


def test_forty_rows_numbered_in_order() -> None:
    assert [row["id"] for row in ROWS] == [f"demo-{number:02d}" for number in range(1, 41)]


def test_no_text_or_scene_occurs_twice() -> None:
    assert len({json.dumps([row.get("text"), row.get("observations")]) for row in ROWS}) == len(ROWS)


@each_row
def test_a_row_has_only_known_keys_and_something_to_explain(row: Any) -> None:
    assert set(row) <= KEYS
    assert set(row["gold"]) == {"emotions", "causes", "explanation"}
    assert row["kind"] in KINDS
    assert row.get("text") or any(row.get("observations", {}).values())
    assert row.get("text") is None or 4 <= len(row["text"].split()) <= 60
    assert all(set(turn) == {"speaker", "text"} and all(turn.values()) for turn in row.get("context", []))
    assert set(row.get("observations", {})) <= {"face", "voice", "scene"}
    assert all(value is not None for key, value in row.items() if key != "observations")


@each_row
def test_every_quote_is_verbatim_short_and_in_one_place_only(row: Any) -> None:
    turns = [turn["text"] for turn in row.get("context", [])]
    if "text" in row:
        turns.append(row["text"])
    for cause in row["gold"]["causes"]:
        assert set(cause) in ({"quote", "turn"}, {"quote", "observation"})
        where = turns[cause["turn"]] if "turn" in cause else row["observations"][cause["observation"]]
        start = where.find(cause["quote"])
        assert start >= 0
        assert where[start : start + len(cause["quote"])] == cause["quote"]
        assert where.count(cause["quote"]) == 1
        assert cause.get("turn", 0) >= 0
        assert 2 <= len(cause["quote"].split()) <= 10
        assert cause["quote"] == cause["quote"].strip()


@each_row
def test_the_explanation_is_one_or_two_sentences_of_20_to_45_words(row: Any) -> None:
    explanation = row["gold"]["explanation"]
    assert 20 <= len(explanation.split()) <= 45
    assert len(re.findall(r"[.!?](?:\s|$)", explanation)) in (1, 2)


@each_row
def test_labels_are_goemotions_labels_given_once(row: Any) -> None:
    labels = row["gold"]["emotions"]
    assert labels
    assert len(set(labels)) == len(labels)
    assert set(labels) <= set(find_taxonomy("goemotions").labels)


@each_row
def test_two_branches_are_mixed_and_nothing_else_is(row: Any) -> None:
    assert (row["kind"] == "mixed") == (len(groups_of(row)) >= 2)


def test_all_labels_are_covered_and_each_ekman_group_several_times() -> None:
    used = Counter(label for row in ROWS for label in row["gold"]["emotions"])
    assert set(used) == set(find_taxonomy("goemotions").labels)
    assert all(used[group] >= 3 for group in EKMAN)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_there_are_enough_rows_of_each_kind(kind: Any) -> None:
    assert len(of_kind(kind)) >= LEAST[kind]


def test_latent_rows_have_no_cause_and_neutral_ones_no_emotion() -> None:
    assert all(row["gold"]["causes"] == [] for row in of_kind("latent"))
    assert all(row["gold"]["causes"] == [] and row["gold"]["emotions"] == ["neutral"] for row in of_kind("neutral"))
    assert all(row["gold"]["causes"] for row in ROWS if row["kind"] not in ("latent", "neutral"))
    assert all("neutral" not in row["gold"]["emotions"] for row in ROWS if row["kind"] != "neutral")


def test_earlier_turn_rows_have_a_cause_in_the_context() -> None:
    for row in of_kind("earlier-turn"):
        assert any(cause["turn"] < len(row["context"]) for cause in row["gold"]["causes"])


def test_observed_rows_come_with_and_without_words_and_with_a_missing_modality() -> None:
    observed = [row for row in ROWS if "observations" in row]
    assert observed == of_kind("observed")
    assert sum("text" not in row for row in observed) >= 4
    assert sum("text" in row for row in observed) >= 3
    assert any(None in row["observations"].values() for row in observed)


def test_there_are_dialogues_and_single_texts() -> None:
    assert sum("context" in row for row in ROWS) >= 10
    assert sum("context" not in row and "text" in row for row in ROWS) >= 10


def test_the_readme_counts_what_is_there() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    for kind, count in Counter(row["kind"] for row in ROWS).items():
        assert f"{kind} {count}" in readme
