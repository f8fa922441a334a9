"""Laws of MELD and EmoryNLP: rows that stand together are a dialogue, and bytes of another encoding are repaired."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from emowhy.errors import InputError
from emowhy.read import Rejected
from emowhy.types import Gold, Sample, Turn

Read = Callable[[str, Mapping[str, str | bytes], str], tuple[list[Sample], list[Rejected]]]
MELD = "emowhy.datasets.meld:Meld"
EMORYNLP = "emowhy.datasets.meld:EmoryNlp"
HEAD = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n"
ROWS = (
    '1,"The kettle, it sings!",Ada,joy,positive,0,0\n'
    "2,It does.,Ben,neutral,neutral,0,2\n"
    "3,Who left the gate open?,Cleo,anger,negative,1,0\n"
)
SCENES = (
    "Utterance,Speaker,Emotion,Scene_ID,Utterance_ID,Season,Episode\n"
    "We won.,['Ada Lund'],Joyful,4,1,1,2\n"
    'We did.,"[\'Ben Roe\', ""Cleo O\'Dea""]",Powerful,4,2,1,2\n'
    "Hush.,[],Scared,4,1,1,3\n"
)


def meld(outcomes: Read, rows: str | bytes) -> tuple[list[Sample], list[Rejected]]:
    content = rows if isinstance(rows, bytes) else rows.encode()
    return outcomes(MELD, {"train_sent_emo.csv": HEAD.encode() + content}, "train")


def test_a_sample_is_a_turn_of_the_rows_that_stand_together(outcomes: Read) -> None:
    first, second = Turn("The kettle, it sings!", "Ada"), Turn("It does.", "Ben")
    of_0, of_1 = {"dialogue": "train-0"}, {"dialogue": "train-1"}
    joy = Gold(("joy",), answers={"sentiment": "positive"})
    neutral = Gold(("neutral",), answers={"sentiment": "neutral"})
    anger = Gold(("anger",), answers={"sentiment": "negative"})
    assert meld(outcomes, ROWS) == (
        [
            Sample("train-0-0", first.text, "Ada", after=(second,), gold=joy, extra=of_0),
            Sample("train-0-2", second.text, "Ben", context=(first,), gold=neutral, extra=of_0),
            Sample("train-1-0", "Who left the gate open?", "Cleo", gold=anger, extra=of_1),
        ],
        [],
    )


@pytest.mark.parametrize("apostrophe", [b"\x92", b"\xc2\x92", b"\xe2\x80\x99"])
def test_what_is_left_of_cp1252_becomes_the_character_that_it_was(outcomes: Read, apostrophe: bytes) -> None:
    samples, rejected = meld(outcomes, b"1,It" + apostrophe + b"s late.,Ada,fear,negative,0,0\n")
    assert [sample.text for sample in samples] == ["It’s late."]
    assert rejected == []


def test_an_encoding_is_told_line_by_line(outcomes: Read) -> None:
    rows = "1,Un café.,Ada,joy,positive,0,0\n".encode() + b"2,Un caf\xe9 \x85,Ben,joy,positive,0,1\n"
    assert [sample.text for sample in meld(outcomes, rows)[0]] == ["Un café.", "Un café …"]


def test_a_broken_row_is_told_in_its_place_and_leaves_a_gap_within_its_dialogue(outcomes: Read) -> None:
    lines = ROWS.splitlines()
    rows = "\n".join([lines[0], "torn", lines[1], "torn, too", lines[2], "5,Hm.,Ada,bored,neutral,1,1"])
    samples, rejected = meld(outcomes, rows)
    assert [(row.line, row.id, row.reason) for row in rejected] == [
        (3, None, "1 cells where the header has 7"),
        (5, None, "2 cells where the header has 7"),
        (7, "train-1-1", '"bored" is no label of meld'),
    ]
    assert [sample.id for sample in samples] == ["train-0-0", "train-0-2", "train-1-0"]
    assert [turn.text for turn in samples[1].context] == ["The kettle, it sings!", ""]
    assert samples[2].context == ()
    assert [turn.text for turn in samples[2].after] == ["Hm."]


def test_rows_of_no_dialogue_or_of_one_that_ended_are_told(outcomes: Read) -> None:
    rows = ROWS + "4,Me.,Ada,joy,positive, ,0\n5,Again.,Ada,joy,positive,0,3\n"
    samples, rejected = meld(outcomes, rows)
    assert len(samples) == 3
    assert [(row.line, row.reason) for row in rejected] == [
        (5, "dialogue 'train-': it has no name"),
        (6, "dialogue 'train-0': it was already there; the turns of a dialogue must stand together"),
    ]


def test_a_turns_number_that_stands_twice_does_not_make_an_id_stand_twice(outcomes: Read) -> None:
    samples, rejected = meld(outcomes, "1,One.,Ada,joy,positive,0,0\n2,Two.,Ada,joy,positive,0,0\n")
    assert [sample.id for sample in samples] == ["train-0-0", "train-3"]
    assert rejected == []


def test_a_scene_is_a_dialogue_where_no_column_names_one(outcomes: Read) -> None:
    samples, rejected = outcomes(EMORYNLP, {"emorynlp_dev_final.csv": SCENES}, "dev")
    assert rejected == []
    assert [sample.id for sample in samples] == ["dev-1-2-4-1", "dev-1-2-4-2", "dev-1-3-4-1"]
    assert [len(sample.context) for sample in samples] == [0, 1, 0]
    assert [sample.speaker for sample in samples] == ["Ada Lund", "Ben Roe and Cleo O'Dea", None]
    assert [sample.gold for sample in samples] == [Gold(("joyful",)), Gold(("powerful",)), Gold(("scared",))]


def test_emorynlp_with_dialogue_ids_is_read_by_them(outcomes: Read) -> None:
    rows = "Utterance,Speaker,Emotion,Dialogue_ID,Utterance_ID,Season\nHm.,Ada,Mad,9,0,1\nHa.,Ben,sad,9,1,2\n"
    samples, _ = outcomes(EMORYNLP, {"emorynlp_test_final.csv": rows}, "test")
    assert [(sample.id, sample.speaker) for sample in samples] == [("test-9-0", "Ada"), ("test-9-1", "Ben")]


@pytest.mark.parametrize(
    ("name", "column"), [(MELD, "Dialogue_ID"), (EMORYNLP, "Dialogue_ID or Season"), (MELD, "'Emotion'")]
)
def test_a_file_without_the_columns_is_refused_as_a_whole(outcomes: Read, name: str, column: str) -> None:
    file = (
        "Utterance,Speaker,Dialogue_ID\nHm.,Ada,0\n"
        if "Emotion" in column
        else "Utterance,Speaker,Emotion\nHm.,Ada,joy\n"
    )
    split = "train_sent_emo.csv" if name == MELD else "emorynlp_train_final.csv"
    with pytest.raises(InputError, match=column):
        outcomes(name, {split: file}, "train")
