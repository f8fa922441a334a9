"""Laws of SemEval-2024 Task 3: the spans of an emotional turn, where they stand, and nothing where nobody was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.datasets import find_dataset
from emowhy.read import Rejected
from emowhy.types import Cause, Gold, Sample, Turn

Read = Callable[[str, Mapping[str, str | bytes], str], tuple[list[Sample], list[Rejected]]]
NAME = "emowhy.datasets.semeval2024:SemEval2024"
FILE = "Subtask_1_train.json"
WORDS = ["The roof leaks .", "Again ? It is the third time .", "Look , a frog _ in the hall !"]
EMOTIONS = ["neutral", "anger", "surprise"]
PAIRS = [
    ["2_anger", "1_The roof leaks ."],
    ["2_anger", "2_the third time"],
    ["3_surprise", "3_a frog _ in the hall !"],
    ["2_anger", "3_a frog"],
    ["3_surprise", "3_two frogs"],
]


def conversation(id: Any = 8, pairs: Any = PAIRS, **more: Any) -> dict[str, Any]:
    turns = [
        {"utterance_ID": number, "text": words, "speaker": "Ada", "emotion": emotion}
        for number, (words, emotion) in enumerate(zip(WORDS, EMOTIONS, strict=True), 1)
    ]
    return {"conversation_ID": id, "conversation": turns, "emotion-cause_pairs": pairs, **more}


def read(outcomes: Read, *conversations: Any) -> tuple[list[Sample], list[Rejected]]:
    return outcomes(NAME, {FILE: json.dumps(conversations)}, "train")


def test_causes_are_the_spans_with_their_turn_from_zero_and_their_offsets(outcomes: Read) -> None:
    samples, rejected = read(outcomes, conversation())
    assert rejected == []
    assert [sample.id for sample in samples] == ["train-8-0", "train-8-1", "train-8-2"]
    assert [sample.gold for sample in samples] == [
        Gold(("neutral",), ()),
        Gold(
            ("anger",),
            (
                Cause("The roof leaks .", 0, None, 0, 16, verified=True),
                Cause("the third time", 1, None, 14, 28, verified=True),
                Cause("a frog", 2, None, 7, 13, verified=True),
            ),
        ),
        Gold(("surprise",), (Cause("a frog _ in the hall !", 2, None, 7, 29, verified=True), Cause("two frogs", 2))),
    ]
    for sample in samples:
        assert list(sample.turns().values()) == [Turn(words, "Ada") for words in WORDS]
        assert sample.extra == {"dialogue": "train-8"}


def test_no_pair_of_a_turn_is_an_answer_and_no_pairs_at_all_are_none(outcomes: Read) -> None:
    asked, _ = read(outcomes, conversation(pairs=[]))
    assert [sample.gold and sample.gold.causes for sample in asked] == [(), (), ()]
    unasked = conversation()
    del unasked["emotion-cause_pairs"]
    for turn in unasked["conversation"]:
        del turn["emotion"]
    samples, rejected = read(outcomes, unasked)
    assert [sample.gold for sample in samples] == [None, None, None]
    assert rejected == []


def broken(place: int, **cells: Any) -> dict[str, Any]:
    found = conversation(pairs=[["3_surprise", "3_a frog"]])
    found["conversation"][place].update(cells)
    return found


@pytest.mark.parametrize(
    ("conversation", "reason"),
    [
        (broken(1, emotion="bored"), '"bored" is no label of semeval2024'),
        (broken(1, utterance_ID=7), "utterance 7 stands where utterance 2 should"),
        (broken(1, utterance_ID="2"), "utterance '2' stands where utterance 2 should"),
        (broken(1, text=" "), "blank text and no observation"),
        (conversation(pairs=[["2_joy", "1_roof"]]), "a pair says 'joy', the turn 'anger'"),
        (conversation(pairs=[["2_anger", "4_roof"]]), "a cause in utterance 4: expected 1 to 3"),
        (conversation(pairs=[["2_anger", "0_roof"]]), "a cause in utterance 0: expected 1 to 3"),
        (conversation(pairs=[["2_anger", "1_ "]]), "gold.causes[0].quote: is blank"),
    ],
)
def test_a_broken_turn_is_told_and_its_neighbours_keep_their_numbers(
    outcomes: Read, conversation: Any, reason: str
) -> None:
    samples, rejected = read(outcomes, conversation)
    assert [(row.line, row.id, row.reason) for row in rejected] == [(2, "train-8-1", reason)]
    assert [(sample.id, sample.target) for sample in samples] == [("train-8-0", 0), ("train-8-2", 2)]


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ([["2_anger", "1"]], """expected pairs like ["3_joy", "1_the span"], got ['2_anger', '1']"""),
        ([["2_anger"]], """expected pairs like ["3_joy", "1_the span"], got ['2_anger']"""),
        (["2_anger"], """expected pairs like ["3_joy", "1_the span"], got 2_anger"""),
        ([["²_anger", "1_x"]], """expected pairs like ["3_joy", "1_the span"], got ['²_anger', '1_x']"""),
        ([["4_anger", "1_x"]], "a pair of utterance 4: expected 1 to 3"),
        ({"2_anger": "1_x"}, "emotion-cause_pairs: expected a list"),
    ],
)
def test_a_pair_that_cannot_be_given_to_a_turn_takes_the_conversation_with_it(
    outcomes: Read, pairs: Any, reason: str
) -> None:
    samples, rejected = read(outcomes, conversation(pairs=pairs), conversation(9))
    assert len(samples) == 3
    assert [(row.line, row.reason) for row in rejected] == [(n, f"dialogue 'train-8': {reason}") for n in (1, 2, 3)]


def test_what_is_no_conversation_or_comes_again_is_told(outcomes: Read) -> None:
    samples, rejected = read(outcomes, conversation(), 7, {"conversation": []}, conversation())
    assert len(samples) == 3
    torn = "expected a conversation with turns"
    assert [(row.line, row.reason) for row in rejected][:2] == [
        (4, f"dialogue 'train-2': {torn}"),
        (5, f"dialogue 'train-3': {torn}"),
    ]
    assert [row.line for row in rejected][2:] == [6, 7, 8]
    assert all("'train-8': it was already there" in row.reason for row in rejected[2:])


VALUES = st.none() | st.integers(-1, 5) | st.text(max_size=3) | st.just("2_anger") | st.just("1_roof")


@given(st.lists(VALUES | st.lists(VALUES, max_size=3), max_size=3) | VALUES, VALUES)
def test_no_value_crashes_or_loses_a_turn_and_verified_spans_slice_back(
    tmp_path_factory: pytest.TempPathFactory, pairs: Any, id: Any
) -> None:
    folder: Path = tmp_path_factory.mktemp("any")
    (folder / FILE).write_text(json.dumps([conversation(id, pairs)]))
    rows = list(find_dataset(NAME).read(folder, "train"))
    assert len(rows) == 3
    for row in rows:
        for cause in (row.gold.causes or ()) if isinstance(row, Sample) and row.gold else ():
            if cause.verified:
                assert isinstance(row, Sample)
                assert row.turns()[cause.turn or 0].text[cause.start : cause.end] == cause.quote
