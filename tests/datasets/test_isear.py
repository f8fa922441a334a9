"""Laws of ISEAR: a situation in the words of who felt it, one emotion, measures as numbers; a note is no situation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from emowhy.read import Rejected
from emowhy.types import Gold, Sample

Read = Callable[[str, Mapping[str, str | bytes], str], tuple[list[Sample], list[Rejected]]]


ISEAR = "emowhy.datasets.isear:Isear"
HEADER = "ID|SEX|EMOT|INTS|PLEA|TEMPER|Field1|MYKEY|SIT|STATE|\n"
GOOD = (
    HEADER
    + '7|1|1|3|3|-1|joy|71|My aunt á called, and á we "made up".|1|\n'
    + "7|1|2|2||0|fear|72|The lift stopped between two floors.|1|\n"
)


def test_a_situation_has_its_emotion_and_its_measures_as_numbers(outcomes: Read) -> None:
    samples, rejected = outcomes(ISEAR, {"isear.csv": GOOD}, "all")
    assert samples == [
        Sample(
            "71",
            'My aunt\ncalled, and\nwe "made up".',
            gold=Gold(("joy",)),
            extra={"INTS": 3, "PLEA": 3, "TEMPER": -1, "respondent": "7"},
        ),
        Sample(
            "72",
            "The lift stopped between two floors.",
            gold=Gold(("fear",)),
            extra={"INTS": 2, "TEMPER": 0, "respondent": "7"},  # how pleasant it was is left open
        ),
    ]
    assert rejected == []


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("One. á Two.", "One.\nTwo."),
        ("á One.  á  Two. á ", "One.\nTwo."),
        ("We met in Málaga.", "We met in Málaga."),
        ("Panamá is far.", "Panamá is far."),
    ],
)
def test_only_the_sign_by_itself_is_a_line_break(outcomes: Read, written: str, text: str) -> None:
    for encoding in ("utf-8", "latin-1"):  # the file goes round in both
        file = GOOD.replace("The lift stopped between two floors.", written).encode(encoding)
        assert outcomes(ISEAR, {"isear.csv": file}, "all")[0][1].text == text


@pytest.mark.parametrize("note", ["[ No response.]", "[Cannot think of á any.]", "NO RESPONSE.", " none. ", "[]"])
def test_a_note_that_there_is_no_situation_is_rejected_as_such(outcomes: Read, note: str) -> None:
    file = GOOD.replace("The lift stopped between two floors.", note)
    samples, rejected = outcomes(ISEAR, {"isear.csv": file}, "all")
    assert [sample.id for sample in samples] == ["71"]
    assert [row.line for row in rejected] == [3]
    assert rejected[0].reason.startswith("no answer was given: ")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("7|1|9|3|3|0|pride|79|I won.|1|", '"pride" is no label of isear'),
        ("7|1|1|often|3|0|joy|79|I won.|1|", "INTS: expected a number, got 'often'"),
        ("7|1|1|3|3|0|joy|79| |1|", "blank text and no observation"),
        ("7|1|1|3|3|0|joy|79", "8 cells where the header has 10"),
    ],
)
def test_a_corrupt_line_is_told_with_its_number(outcomes: Read, line: str, reason: str) -> None:
    samples, rejected = outcomes(ISEAR, {"isear.csv": GOOD + line + "\n"}, "all")
    assert len(samples) == 2
    assert [(row.line, row.reason) for row in rejected] == [(4, reason)]


def test_a_key_that_was_used_before_becomes_split_and_line(outcomes: Read) -> None:
    samples, _ = outcomes(ISEAR, {"isear.csv": GOOD.replace("|72|", "|71|")}, "all")
    assert [sample.id for sample in samples] == ["71", "all-3"]
