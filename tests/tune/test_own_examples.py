"""Laws of the examples that were written for tuning: sound, of every label, and nothing of the demo set."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from emowhy.bench.leaks import near_duplicates
from emowhy.read import Rejected, read
from emowhy.schema import reply_schema
from emowhy.taxonomy import find_taxonomy
from emowhy.tune.verbaliser import fits_text
from emowhy.types import Sample

ROOT = Path(__file__).parents[2]
GO = find_taxonomy("goemotions")
LONGEST = reply_schema(("explanation",), GO.labels, (0,), 256)["properties"]["explanation"]["maxLength"]


@pytest.fixture(scope="module")
def own() -> list[Sample]:
    return [row for row in read(str(ROOT / "finetune" / "own.jsonl")) if isinstance(row, Sample)]


def test_every_row_can_be_read_and_has_its_own_id(own: list[Sample]) -> None:
    assert not [row for row in read(str(ROOT / "finetune" / "own.jsonl")) if isinstance(row, Rejected)]
    assert len(own) >= 1900
    assert max(Counter(sample.id for sample in own).values()) == 1


def test_gold_is_whole(own: list[Sample]) -> None:
    for sample in own:
        assert sample.gold is not None
        assert sample.gold.emotions
        assert set(sample.gold.emotions) <= set(GO.labels)
        assert sample.gold.causes is not None
        assert all(cause.verified for cause in sample.gold.causes), sample.id
        assert 40 <= len(sample.gold.explanation or "") <= LONGEST, sample.id


def test_every_label_has_an_example(own: list[Sample]) -> None:
    assert {label for sample in own if sample.gold for label in sample.gold.emotions or ()} == set(GO.labels)


def test_explanations_are_the_sentence_that_given_is_bound_to_and_hide_the_label(own: list[Sample]) -> None:
    bound = 0
    for sample in own:
        gold = sample.gold
        assert gold
        assert gold.emotions
        said = gold.explanation or ""
        if not said.startswith("The person feels"):  # the first few were written as free sentences
            continue
        bound += 1
        felt = " and ".join("nothing in particular" if label == "neutral" else label for label in gold.emotions)
        opening = f"The person feels {felt} because"
        shape = reply_schema(("explanation",), GO.labels, (0,), 256, opening)["properties"]["explanation"]
        assert fits_text(said, shape), sample.id
        words = re.findall(r"\w{4,}", said.removeprefix(opening).lower())
        assert not [word for word in words for label in gold.emotions if word[:5] == label[:5] != "neutr"], sample.id
    assert bound >= 1900


def test_there_are_dialogues_observed_scenes_and_causes_that_no_words_state(own: list[Sample]) -> None:
    kinds = Counter(str(sample.extra["kind"]) for sample in own)
    assert kinds["earlier-turn"] >= 15
    assert kinds["observed"] >= 300
    assert kinds["dialogue"] >= 500
    in_turns = Counter(c.turn for s in own if s.gold and len(s.context) > 1 for c in s.gold.causes or ())
    assert all(in_turns[turn] >= 100 for turn in range(4))  # no turn can be guessed
    for sample in own:
        causes = sample.gold.causes if sample.gold else None
        if sample.extra["kind"] == "earlier-turn" and causes:
            assert all(cause.turn is not None and cause.turn < sample.target for cause in causes)
        if sample.extra["kind"] in ("latent", "neutral"):
            assert causes == ()


def test_nothing_is_near_the_demo_set(own: list[Sample]) -> None:
    demo = [row for row in read(str(ROOT / "benchmarks" / "demo" / "demo.jsonl")) if isinstance(row, Sample)]
    assert near_duplicates(own, [sample.words() for sample in demo]) == frozenset()
    shown = {turn.text for sample in demo for turn in sample.context}
    assert not shown & {turn.text for sample in own for turn in sample.context}
