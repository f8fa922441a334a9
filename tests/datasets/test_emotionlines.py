"""Laws of EmotionLines: the majority is the label, and every vote is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.datasets.emotionlines import _votes
from emowhy.read import Rejected
from emowhy.types import Gold, Sample

Read = Callable[[str, Mapping[str, str | bytes], str], tuple[list[Sample], list[Rejected]]]
ORDER = ("neutral", "joy", "sadness", "fear", "anger", "surprise", "disgust")


def turn(words: str, emotion: str, votes: str, speaker: str = "Ada") -> dict[str, Any]:
    return {"speaker": speaker, "utterance": words, "emotion": emotion, "annotation": votes}


def read(outcomes: Read, file: Any, split: str = "dev", name: str = "friends_dev.json") -> Any:
    return outcomes("emowhy.datasets.emotionlines:EmotionLines", {name: json.dumps(file)}, split)


def votes(**given: int) -> dict[str, int]:
    return {**dict.fromkeys(ORDER, 0), **given}


def test_the_majority_is_gold_and_the_votes_are_kept_in_the_order_of_their_digits(outcomes: Read) -> None:
    file = [[turn("It fits!", "joy", "1400000"), turn("It bit me.", "non-neutral", "0011210", "Ben")]]
    samples, rejected = read(outcomes, file)
    assert rejected == []
    assert [sample.id for sample in samples] == ["dev-1-0", "dev-1-1"]
    assert samples[0].gold == Gold(("joy",), answers={"votes": votes(neutral=1, joy=4)})
    assert samples[1].gold == Gold(None, answers={"votes": votes(sadness=1, fear=1, anger=2, surprise=1)})
    assert [turn.text for turn in samples[1].context] == ["It fits!"]
    assert (samples[1].speaker, samples[1].extra) == ("Ben", {"dialogue": "dev-1"})


def test_the_messenger_part_is_splits_of_its_own(outcomes: Read) -> None:
    samples, _ = read(outcomes, [[turn("Home!", "joy", "0500000")]], "messenger_train", "emotionpush_train.json")
    assert [sample.id for sample in samples] == ["messenger_train-1-0"]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (turn("Hm.", "bored", "5000000"), '"bored" is no label of emotionlines'),
        (turn("Hm.", "joy", "4000000"), "annotation: expected 7 digits that add up to 5, got '4000000'"),
        (turn("Hm.", "joy", "500000"), "annotation: expected 7 digits that add up to 5, got '500000'"),
        (turn("Hm.", "joy", "٥000000"), "annotation: expected 7 digits that add up to 5, got '\\u0665000000'"),
        (
            turn("Hm.", "joy", "5000000") | {"annotation": 5000000},
            "annotation: expected 7 digits that add up to 5, got '5000000'",
        ),
        ({"utterance": "Hm.", "speaker": "Ada"}, "no 'emotion'"),
        (turn(" ", "joy", "5000000"), "blank text and no observation"),
        ("Hm.", "expected a turn, got a string"),
    ],
)
def test_a_broken_turn_is_told_and_its_neighbours_are_read(outcomes: Read, broken: Any, reason: str) -> None:
    file = [[turn("One.", "joy", "0500000"), broken, turn("Three.", "joy", "0500000")]]
    samples, rejected = read(outcomes, file)
    assert [sample.id for sample in samples] == ["dev-1-0", "dev-1-2"]
    assert [(row.line, row.reason.replace("٥", "\\u0665")) for row in rejected] == [(2, reason)]


def test_what_is_no_dialogue_is_one_rejected_row_and_keeps_its_number(outcomes: Read) -> None:
    samples, rejected = read(
        outcomes, [[turn("One.", "joy", "0500000")], {"a": 1}, [], [turn("Two.", "joy", "0500000")]]
    )
    assert [sample.id for sample in samples] == ["dev-1-0", "dev-4-0"]
    assert [(row.line, row.reason) for row in rejected] == [
        (2, "dialogue 'dev-2': expected a list of turns"),
        (3, "dialogue 'dev-3': expected a list of turns"),
    ]


@given(st.permutations([3, 1, 1, 0, 0, 0, 0]))
def test_no_vote_is_lost(digits: list[int]) -> None:
    assert list(_votes("".join(map(str, digits))).values()) == digits
