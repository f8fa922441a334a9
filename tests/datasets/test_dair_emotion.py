"""Laws of dair-ai/emotion: a line is a text and its label, whatever semicolons the text holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from emowhy.read import Rejected
from emowhy.types import Gold, Sample

Read = Callable[[str, Mapping[str, str | bytes], str], tuple[list[Sample], list[Rejected]]]


DAIR = "emowhy.datasets.dair_emotion:DairEmotion"
LINES = "i feel rather low;sadness\ni feel brave; also tired;joy\n"


@pytest.mark.parametrize("header", ["", "text;label_name\n", "\ufefftext;label_name\n"])
def test_with_or_without_its_header_every_line_is_a_sample(outcomes: Read, header: str) -> None:
    samples, rejected = outcomes(DAIR, {"train.txt": header + LINES}, "train")
    assert [(sample.text, sample.gold) for sample in samples] == [
        ("i feel rather low", Gold(("sadness",))),
        ("i feel brave; also tired", Gold(("joy",))),
    ]
    assert rejected == []


def test_a_text_that_is_the_word_of_the_header_is_a_text_further_down(outcomes: Read) -> None:
    assert outcomes(DAIR, {"train.txt": LINES + "text;love\n"}, "train")[0][-1].text == "text"


@pytest.mark.parametrize(
    ("split", "file"), [("train", "train.txt"), ("validation", "val.txt"), ("validation", "validation.csv")]
)
def test_ids_are_the_split_and_the_line(outcomes: Read, split: str, file: str) -> None:
    samples, _ = outcomes(DAIR, {file: "text;label_name\n" + LINES}, split)
    assert [sample.id for sample in samples] == [f"{split}-2", f"{split}-3"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("no label here", "no semicolon before a label"),
        ("i feel calm;calm", '"calm" is no label of dair_emotion'),
        ("i feel nothing;", '"" is no label of dair_emotion'),
        (" ;joy", "blank text and no observation"),
    ],
)
def test_a_corrupt_line_is_told_with_its_number(outcomes: Read, line: str, reason: str) -> None:
    samples, rejected = outcomes(DAIR, {"test.txt": f"text;label_name\n{line}\n{LINES}"}, "test")
    assert len(samples) == 2
    assert [(row.line, row.reason) for row in rejected] == [(2, reason)]
