"""Laws of RECCON: a sample a turn, causes with exact offsets, and nothing annotated where nobody was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.datasets import find_dataset
from emowhy.errors import InputError
from emowhy.read import Rejected
from emowhy.types import Cause, Gold, Sample, Turn

Read = Callable[[str, Mapping[str, str | bytes], str], tuple[list[Sample], list[Rejected]]]
FILE = "dailydialog_train.json"
EVIDENCE = "expanded emotion cause evidence"
SPAN = "expanded emotion cause span"


def turn(
    number: int, utterance: str, emotion: str = "neutral", *causes: tuple[Any, str], **more: Any
) -> dict[str, Any]:
    """A turn as the file has it; `causes` are pairs of evidence and span."""
    found = {"turn": number, "speaker": "AB"[(number - 1) % 2], "utterance": utterance, "emotion": emotion, **more}
    if causes:
        found |= {EVIDENCE: [evidence for evidence, _ in causes], SPAN: [span for _, span in causes]}
    return found


PARCEL = [
    turn(1, "The parcel is here . The parcel !", "happiness", (1, "The parcel")),
    turn(2, "Which parcel ?"),
    turn(3, "The one with your skates 😀 . Look !", "excited", (1, "is here"), (3, "your skates 😀"), ("b", "b")),
    turn(4, "They are broken .", "sad", (4, "broken"), (3, "not in there"), explanation="The skates broke."),
]


def read(outcomes: Read, dialogue: Any, name: str = "d1") -> tuple[list[Sample], list[Rejected]]:
    return outcomes("reccon", {FILE: json.dumps({name: [dialogue]})}, "train")


def test_a_sample_is_a_turn_between_the_earlier_and_the_later_ones(outcomes: Read) -> None:
    samples, rejected = read(outcomes, PARCEL)
    assert rejected == []
    assert [sample.id for sample in samples] == ["d1-0", "d1-1", "d1-2", "d1-3"]
    whole = [Turn(t["utterance"], t["speaker"]) for t in PARCEL]
    for place, sample in enumerate(samples):
        assert sample.target == place
        assert list(sample.turns().values()) == whole
        assert sample.speaker == "AB"[place % 2]
        assert sample.extra == {"dialogue": "d1"}


def test_spans_have_exact_offsets_in_their_turn_the_first_where_there_are_several(outcomes: Read) -> None:
    first, _, third, fourth = (sample.gold or Gold() for sample in read(outcomes, PARCEL)[0])
    assert first.causes == (Cause("The parcel", 0, None, 0, 10, verified=True),)
    assert third.causes == (
        Cause("is here", 0, None, 11, 18, verified=True),
        Cause("your skates 😀", 2, None, 13, 26, verified=True),
    )
    assert fourth.causes == (
        Cause("broken", 3, None, 9, 15, verified=True),
        Cause("not in there", 2),
    )


def test_evidence_is_kept_from_zero_and_latent_causes_are_marked(outcomes: Read) -> None:
    answers = [(sample.gold or Gold()).answers for sample in read(outcomes, PARCEL)[0]]
    assert answers == [{"evidence": [0]}, {}, {"evidence": [0, 2, None], "latent": True}, {"evidence": [3, 2]}]


def test_nobody_asked_is_not_the_same_as_no_words(outcomes: Read) -> None:
    samples, _ = read(
        outcomes, [turn(1, "Hello ."), turn(2, "I knew it .", "surprise", ("b", "b")), turn(3, "No !", "fear")]
    )
    assert [(s.gold or Gold()).causes for s in samples] == [None, (), None]


def test_a_label_has_one_spelling_and_annotators_words_are_the_explanation(outcomes: Read) -> None:
    variants = ["happy", "happines", "excited", "angry", "sad", "surprised", "disgust"]
    samples, _ = read(outcomes, [turn(n, "Hm .", emotion) for n, emotion in enumerate(variants, 1)])
    labels = ["happiness", "happiness", "happiness", "anger", "sadness", "surprise", "disgust"]
    assert [s.gold and s.gold.emotions for s in samples] == [(label,) for label in labels]
    assert [s.gold and s.gold.explanation for s in read(outcomes, PARCEL)[0]] == [None] * 3 + ["The skates broke."]


def test_a_cause_may_stand_after_the_target(outcomes: Read) -> None:
    samples, _ = read(outcomes, [turn(1, "Oh !", "fear", (2, "dog")), turn(2, "A dog .")])
    assert samples[0].gold is not None
    assert samples[0].gold.causes == (Cause("dog", 1, None, 2, 5, verified=True),)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("hello", "expected a turn, got a string"),
        ({"turn": 2, "emotion": "neutral"}, "no 'utterance'"),
        (turn(2, " "), "blank text and no observation"),
        (turn(2, "Hm .", "bored"), '"bored" is no label of reccon'),
        (turn(2, "Hm .") | {"emotion": ["fear"]}, '["fear"] is no label of reccon'),
        (turn(3, "Hm ."), "turn 3 stands where turn 2 should"),
        (turn(2, "Hm .", "fear", (4, "Hm")), "cause evidence 4: expected a turn from 1 to 3"),
        (turn(2, "Hm .", "fear", (0, "Hm")), "cause evidence 0: expected a turn from 1 to 3"),
        (turn(2, "Hm .", "fear", ("1", "Hm")), "cause evidence '1': expected a turn from 1 to 3"),
        (turn(2, "Hm .", "fear", (True, "Hm")), "cause evidence True: expected a turn from 1 to 3"),
        (turn(2, "Hm .", "fear") | {EVIDENCE: [1]}, "cause evidence and cause spans do not pair up"),
        (turn(2, "Hm .", "fear") | {EVIDENCE: [1], SPAN: []}, "cause evidence and cause spans do not pair up"),
    ],
)
def test_a_broken_turn_is_told_and_the_others_keep_their_numbers(outcomes: Read, broken: Any, reason: str) -> None:
    samples, rejected = read(outcomes, [turn(1, "Oh !"), broken, turn(3, "A dog !", "fear", (3, "dog"))])
    assert [(row.line, row.id, row.reason) for row in rejected] == [(2, "d1-1", reason)]
    assert json.loads(f'"{rejected[0].raw}"') == json.dumps(broken)[: len(json.loads(f'"{rejected[0].raw}"'))]
    assert [sample.id for sample in samples] == ["d1-0", "d1-2"]
    assert samples[1].target == 2
    assert samples[1].gold is not None
    assert samples[1].gold.causes == (Cause("dog", 2, None, 2, 5, verified=True),)


def test_a_broken_dialogue_or_one_that_stands_twice_is_told(outcomes: Read) -> None:
    good = json.dumps([[turn(1, "Hello .")]])
    file = f'{{"a": {good}, "b": 7, "c": [[], []], "a": {good}, "d": {good}}}'
    samples, rejected = outcomes("reccon", {FILE: file}, "train")
    assert [sample.id for sample in samples] == ["a-0", "d-0"]
    assert [(row.line, row.reason) for row in rejected] == [
        (2, "dialogue 'b': expected a list that holds one list of turns"),
        (3, "dialogue 'c': expected a list that holds one list of turns"),
        (4, "dialogue 'a': its id was already used"),
    ]


@pytest.mark.parametrize("file", ["", "[]", '{"a": [[', "7", "[" * 100_000])
def test_a_file_that_is_no_such_object_cannot_be_read(outcomes: Read, file: str) -> None:
    with pytest.raises(InputError, match=FILE):
        outcomes("reccon", {FILE: file}, "train")


def test_a_byte_order_mark_and_line_ends_change_nothing(outcomes: Read) -> None:
    file = b"\xef\xbb\xbf" + json.dumps({"d1": [PARCEL]}, indent=1).replace("\n", "\r\n").encode() + b"\r\n\r\n"
    assert outcomes("reccon", {FILE: file}, "train") == read(outcomes, PARCEL)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 4) | st.text(max_size=4) | st.just("b"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


@given(st.sampled_from(sorted(PARCEL[3])), JSON)
def test_no_value_crashes_or_loses_a_turn(tmp_path_factory: pytest.TempPathFactory, key: str, value: Any) -> None:
    folder = tmp_path_factory.mktemp("any")
    dialogue = [*PARCEL[:2], PARCEL[2] | {key: value}, PARCEL[3]]
    (folder / FILE).write_text(json.dumps({"d": [dialogue]}))
    rows = list(find_dataset("reccon").read(folder, "train"))
    assert len(rows) == 4
    for row in rows:
        for cause in row.gold.causes or () if isinstance(row, Sample) and row.gold else ():
            if cause.verified:
                assert isinstance(row, Sample)
                assert row.turns()[cause.turn or 0].text[cause.start : cause.end] == cause.quote
