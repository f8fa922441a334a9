"""Laws of the examples that were written for tuning: sound, of every label, and nothing of the demo set."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from emowhy.bench.leaks import near_duplicates
from emowhy.read import Rejected, read
from emowhy.schema import reply_schema
from emowhy.taxonomy import find_taxonomy
from emowhy.types import Sample

ROOT = Path(__file__).parents[2]
GO = find_taxonomy("goemotions")
LONGEST = reply_schema(("explanation",), GO.labels, (0,), 256)["properties"]["explanation"]["maxLength"]


@pytest.fixture(scope="module")
def own() -> list[Sample]:
    return [row for row in read(str(ROOT / "finetune" / "own.jsonl")) if isinstance(row, Sample)]


def test_every_row_can_be_read_and_has_its_own_id(own: list[Sample]) -> None:
    assert not [row for row in read(str(ROOT / "finetune" / "own.jsonl")) if isinstance(row, Rejected)]
    assert len(own) >= 60
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


def test_there_are_dialogues_observed_scenes_and_causes_that_no_words_state(own: list[Sample]) -> None:
    kinds = Counter(str(sample.extra["kind"]) for sample in own)
    assert kinds["earlier-turn"] >= 15
    assert kinds["observed"] >= 15
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
