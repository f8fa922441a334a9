"""Laws of SemEval-2018 Task 1: all files of a split are one, a bias probe is no sample, no emotion is an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from emowhy.read import Rejected
from emowhy.types import Gold, Sample

Read = Callable[[str, Mapping[str, str | bytes], str], tuple[list[Sample], list[Rejected]]]


MODULE = "emowhy.datasets.semeval2018:Semeval2018"
EMOTIONS = "anger\tanticipation\tdisgust\tfear\tjoy\tlove\toptimism\tpessimism\tsadness\tsurprise\ttrust"
CHECKS = f"ID\tTweet\t{EMOTIONS}\n"
SCORE = "ID\tTweet\tAffect Dimension\tIntensity Score\n"
CLASS = "ID\tTweet\tAffect Dimension\tIntensity Class\n"


def flags(*places: int) -> str:
    """Eleven cells, those at `places` 1."""
    return "\t".join(str(int(place in places)) for place in range(11))


def test_e_c_has_every_marked_emotion_and_none_is_an_answer(outcomes: Read) -> None:
    file = CHECKS + f'1\tThe "last bus" is gone\t{flags(0, 8)}\n2\tIt is four\t{flags()}\n'
    samples, rejected = outcomes(f"{MODULE}Ec", {"2018-E-c-En-dev.txt": file}, "dev")
    assert samples == [
        Sample("1", 'The "last bus" is gone', gold=Gold(("anger", "sadness"))),
        Sample("2", "It is four", gold=Gold(())),
    ]
    assert rejected == []


@pytest.mark.parametrize(
    ("kind", "head", "file", "cell", "answer"),
    [
        ("EiReg", SCORE, "EI-reg-En-fear-train.txt", "0.479", 0.479),
        ("EiOc", CLASS, "EI-oc-En-fear-train.txt", "2: moderate amount of fear can be inferred", 2),
    ],
)
def test_intensity_is_asked_for_one_emotion(
    outcomes: Read, kind: str, head: str, file: str, cell: str, answer: float
) -> None:
    samples, _ = outcomes(MODULE + kind, {file: f"{head}9\tA noise downstairs\tfear\t{cell}\n"}, "train")
    assert samples == [
        Sample(
            "9-fear",
            "A noise downstairs",
            question="How intense is the fear, from 0 (none) to 1 (the most)?",
            gold=Gold(answers={"intensity": answer}),
            extra={"dimension": "fear"},
        )
    ]


@pytest.mark.parametrize(
    ("kind", "head", "file", "cell", "answer"),
    [
        ("VReg", SCORE, "2018-Valence-reg-En-test-gold.txt", "0.031", 0.031),
        ("VOc", CLASS, "2018-Valence-oc-En-test-gold.txt", "-3: very negative mental state can be inferred", -3),
    ],
)
def test_valence_keeps_its_scale(outcomes: Read, kind: str, head: str, file: str, cell: str, answer: float) -> None:
    samples, _ = outcomes(MODULE + kind, {file: f"{head}9\tAll gone\tvalence\t{cell}\n"}, "test")
    gold = Gold(answers={"valence": answer})
    assert samples == [Sample("9", "All gone", gold=gold, extra={"dimension": "valence"})]


def test_every_file_of_a_split_is_read_and_ids_stay_unique(outcomes: Read) -> None:
    files = {
        f"2018-EI-reg-En-{emotion}-dev.txt": f"{SCORE}1\tOh\t{emotion}\t0.5\n2\tNo\t{emotion}\t{score}\n"
        for emotion, score in (("anger", 0.1), ("joy", "much"), ("sadness", 0.3))
    }
    samples, rejected = outcomes(f"{MODULE}EiReg", files, "dev")
    assert [sample.id for sample in samples] == ["1-anger", "2-anger", "1-joy", "1-sadness", "2-sadness"]
    # each file has three lines: the broken one is the third of the second
    assert [(row.line, row.reason) for row in rejected] == [(6, "Intensity Score: expected a number, got 'much'")]


def test_a_file_that_is_there_under_both_its_names_is_read_once(outcomes: Read) -> None:
    file = f"{SCORE}1\tOh\tanger\t0.5\n"
    files = {"EI-reg-En-anger-train.txt": file, "2018-EI-reg-En-anger-train.txt": file}
    assert len(outcomes(f"{MODULE}EiReg", files, "train")[0]) == 1


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2017-En-mystery-7\tHm\tjoy\t0.5", "bias probe, never scored"),
        ("2018-En-Mystery\tHm\tjoy\tNONE", "bias probe, never scored"),
        ("5\tHm\tjoy\tNONE", "Intensity Score: expected a number, got 'NONE'"),
        ("5\tHm\tjoy\t1.2", "Intensity Score: expected 0 to 1, got 1.2"),
        ("5\tHm\tpride\t0.2", "dimension 'pride': expected anger or fear or joy or sadness"),
        ("5\tHm\tjoy", "3 cells where the header has 4"),
        ("5\t \tjoy\t0.5", "blank text and no observation"),
    ],
)
def test_a_probe_or_a_corrupt_row_is_told_and_the_others_are_read(outcomes: Read, row: str, reason: str) -> None:
    file = f"{SCORE}{row}\n6\tAh\tjoy\t0.8\n"
    samples, rejected = outcomes(f"{MODULE}EiReg", {"2018-EI-reg-En-joy-test-gold.txt": file}, "test")
    assert [sample.id for sample in samples] == ["6-joy"]
    assert [(row.line, row.reason) for row in rejected] == [(2, reason)]


def test_a_mark_that_is_neither_is_told(outcomes: Read) -> None:
    file = f"{CHECKS}1\tHm\t{flags(1).replace('1', '2')}\n"
    assert outcomes(f"{MODULE}Ec", {"E-c-En-train.txt": file}, "train")[1][0].reason == (
        "anticipation: expected 0 to 1, got 2"
    )
