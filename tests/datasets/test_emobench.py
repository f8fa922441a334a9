"""Laws of EmoBench: an item of understanding is two samples, and the right answer is a number of its choices."""

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
from emowhy.types import Gold, Sample

Read = Callable[[str, Mapping[str, str | bytes], str], tuple[list[Sample], list[Rejected]]]
EU = "emowhy.datasets.emobench:EmoBenchEu"
EA = "emowhy.datasets.emobench:EmoBenchEa"
FEELINGS = ["Pride", "Relief & Shame", "Boredom"]
REASONS = ["The vase was cheap", "Nobody had seen who broke it"]


def understanding(number: Any = "5", **more: Any) -> dict[str, Any]:
    return {
        "qid": number,
        "language": "en",
        "coarse_category": "complex_emotions",
        "scenario": "Ines broke the vase, and the cat was blamed.",
        "subject": "Ines",
        "emotion_choices": FEELINGS,
        "emotion_label": "Relief & Shame",
        "cause_choices": REASONS,
        "cause_label": "Nobody had seen who broke it",
        **more,
    }


def application(number: Any = "5", **more: Any) -> dict[str, Any]:
    return {
        "qid": number,
        "language": "en",
        "category": "Personal-Others",
        "question type": "Response",
        "scenario": "A colleague tells Tom that she lost her ring.",
        "subject": "Tom",
        "choices": ["Laugh", "Ask where she had it last", "Leave"],
        "label": "Ask where she had it last",
        **more,
    }


def read(outcomes: Read, name: str, file: str, *items: Any) -> tuple[list[Sample], list[Rejected]]:
    return outcomes(name, {file: "".join(json.dumps(item) + "\n" for item in items)}, "dev")


def test_understanding_is_what_is_felt_and_why_joined_by_the_item(outcomes: Read) -> None:
    about = {"item": "5", "coarse_category": "complex_emotions"}
    text = "Ines broke the vase, and the cat was blamed."
    assert read(outcomes, EU, "EU.en.dev.jsonl", understanding()) == (
        [
            Sample(
                "5-emotion",
                text,
                question="Which emotion or emotions would Ines ultimately feel?",
                choices=tuple(FEELINGS),
                gold=Gold(answers={"choice": 1}),
                extra=about,
            ),
            Sample(
                "5-cause",
                text,
                question="Why would Ines ultimately feel as they do?",
                choices=tuple(REASONS),
                gold=Gold(answers={"choice": 1}),
                extra=about,
            ),
        ],
        [],
    )


def test_application_is_one_question_of_its_kind(outcomes: Read) -> None:
    samples, rejected = read(outcomes, EA, "EA.en.dev.jsonl", application())
    assert samples == [
        Sample(
            "5",
            "A colleague tells Tom that she lost her ring.",
            question="Which would be the most effective response for Tom?",
            choices=("Laugh", "Ask where she had it last", "Leave"),
            gold=Gold(answers={"choice": 1}),
            extra={"item": "5", "category": "Personal-Others", "question type": "Response"},
        )
    ]
    assert rejected == []


def test_who_tells_the_scenario_is_the_narrator(outcomes: Read) -> None:
    samples, _ = read(outcomes, EA, "EA.en.dev.jsonl", application(subject="I", **{"question type": "Action"}))
    assert samples[0].question == "Which would be the most effective action for the narrator?"


@pytest.mark.parametrize("file", ["EU.en.test.jsonl", "EU.en.jsonl", "EU.jsonl"])
def test_other_languages_are_left_out_of_the_whole_file(outcomes: Read, file: str) -> None:
    lines = [understanding("1", language="zh"), understanding("1"), understanding("2", language="zh")]
    samples, rejected = outcomes(EU, {file: "".join(json.dumps(line) + "\n" for line in lines)}, "test")
    assert [sample.id for sample in samples] == ["1-emotion", "1-cause"]
    assert rejected == []


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (application("9", label="Shrug"), "the right answer stands 0 times among the choices"),
        (
            application("9", choices=["Leave", "Leave"], label="Leave"),
            "the right answer stands 2 times among the choices",
        ),
        (application("9", choices="Leave"), "choices: expected a list, got a string"),
        (application("9", subject=" "), "subject: expected a name"),
        (application("9", scenario=""), "blank text and no observation"),
        (application("9", choices=["", "Go"], label="Go"), "choices[0]: is blank"),
    ],
)
def test_a_broken_item_is_told_and_the_others_are_read(outcomes: Read, item: Any, reason: str) -> None:
    samples, rejected = read(outcomes, EA, "EA.en.dev.jsonl", application("8"), item)
    assert [sample.id for sample in samples] == ["8"]
    assert [(row.line, row.reason) for row in rejected] == [(2, reason)]


def test_one_broken_half_of_an_item_leaves_the_other(outcomes: Read) -> None:
    samples, rejected = read(outcomes, EU, "EU.en.dev.jsonl", understanding(cause_label="Luck"))
    assert [sample.id for sample in samples] == ["5-emotion"]
    assert [(row.line, row.id) for row in rejected] == [(1, "5-cause")]


def test_a_file_without_its_columns_is_refused_as_a_whole(outcomes: Read) -> None:
    with pytest.raises(InputError, match="no column 'emotion_choices'"):
        read(outcomes, EU, "EU.en.dev.jsonl", application())


@given(st.lists(st.text(alphabet="abc", min_size=1, max_size=3), min_size=2, max_size=6, unique=True), st.data())
def test_the_choice_is_the_number_of_the_right_answer(
    tmp_path_factory: pytest.TempPathFactory, choices: list[str], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("items")
    number = data.draw(st.integers(0, len(choices) - 1))
    (folder / "EA.en.dev.jsonl").write_text(json.dumps(application(choices=choices, label=choices[number])))
    (sample,) = find_dataset(EA).read(folder, "dev")
    assert isinstance(sample, Sample)
    assert sample.gold == Gold(answers={"choice": number})
    assert sample.choices[number] == choices[number]
