"""Laws of EmoLLMs: an instruction tells its task, its text and its scale; one that does not is rejected by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from emowhy.read import Rejected
from emowhy.types import Gold, Sample

Read = Callable[[str, Mapping[str, str | bytes], str], tuple[list[Sample], list[Rejected]]]


AEB = "emowhy.datasets.emollms:EmollmsAeb"
AAID = "emowhy.datasets.emollms:EmollmsAaid"
ELEVEN = "(anger, anticipation, disgust, fear, joy, love, optimism, pessimism, sadness, surprise, trust)"
SEVEN = "3: very glad. 2: glad. 1: rather glad. 0: neither. -1: rather low. -2: low. -3: very low"


def lines(*rows: tuple[str, Any]) -> str:
    return "".join(json.dumps({"instruction": told, "input": "", "output": output}) + "\n" for told, output in rows)


@pytest.mark.parametrize(
    ("instruction", "output", "task", "gold"),
    [
        (
            f"Task: Say which of {ELEVEN} the tweet shows. Tweet: Off we go! This tweet contains emotions: ",
            "anticipation, joy.",
            "E-c",
            Gold(("anticipation", "joy")),
        ),
        (
            f"Task: Say which of {ELEVEN} it shows.\nText: Off we go!\nThis text contains emotions:",
            "neutral or no emotion.",
            "E-c",
            Gold(()),
        ),
        (
            "Task: Say 'neutral' or which of (anger, joy). Text: Off we go! This tweet contains emotions: ",
            "neutral",
            "GoEmotions",
            Gold(("neutral",)),
        ),
        (
            "Task: Rate the valence from 0 (very low) to 1 (very glad). Tweet: Off we go! Intensity Score: ",
            "0.867",
            "V-reg",
            Gold(answers={"valence": 0.867}),
        ),
        (
            "Task: Rate the sentiment from -4 (very low) to 4 (very glad). Text: Off we go! Intensity Score: ",
            -2.45,
            "Vader",
            Gold(answers={"valence": -2.45}),
        ),
        (
            f"Task: Sort it into seven classes. {SEVEN} Tweet: Off we go! Intensity Class: ",
            "-2: low",
            "V-oc",
            Gold(answers={"valence": -2}),
        ),
        (
            "Task: Sort it into three. 1: good. 0: neither. -1: bad. Text: Off we go! Intensity Class: ",
            "-1",
            "TDT",
            Gold(answers={"valence": -1}),
        ),
        (
            "Task: Rate the valence from 1 (low) to 5 (glad). Text: Off we go! Intensity Score: ",
            "3.11",
            "EmoBank",
            Gold(answers={"valence": 3.11}),
        ),
        (
            "Task: Rate the dominance from 1 (led) to 5 (leading). Text: Off we go! Intensity Score: ",
            "2.9",
            "EmoBank",
            Gold(answers={"dominance": 2.9}),
        ),
        (
            "Task: Rate the sentiment from 0 to 1. Text: Off we go! Sentiment score: ",
            "0.625",
            "SST",
            Gold(answers={"valence": 0.625}),
        ),
        (
            "Task: Sort it. 0: very bad, 4: very good. Text: Off we go! Sentiment Class: ",
            "4: very good",
            "SST5",
            Gold(answers={"valence": 4}),
        ),
    ],
)
def test_a_task_is_told_from_its_instruction_and_keeps_its_scale(
    outcomes: Read, instruction: str, output: Any, task: str, gold: Gold
) -> None:
    samples, rejected = outcomes(AEB, {"AEB.json": lines((instruction, output))}, "test")
    assert samples == [Sample("AEB-1", "Off we go!", gold=gold, extra={"task": task})]
    assert rejected == []


@pytest.mark.parametrize(
    ("opening", "output", "task", "value"),
    [("Intensity Score", "0.64", "EI-reg", 0.64), ("Intensity Class", "3: high amount", "EI-oc", 3)],
)
@pytest.mark.parametrize("named", [" Emotion E: sadness. ", "\nEmotion: sadness\n"])
def test_an_emotions_intensity_is_asked_for_by_name(
    outcomes: Read, opening: str, output: str, task: str, value: float, named: str
) -> None:
    instruction = f"Task: Rate emotion E from 0 (least E). Tweet: It still hurts.{named}{opening}: "
    assert outcomes(AEB, {"AEB.json": lines((instruction, output))}, "test")[0] == [
        Sample(
            "AEB-1",
            "It still hurts.",
            question="How intense is the sadness, from 0 (none) to 1 (the most)?",
            gold=Gold(answers={"intensity": value}),
            extra={"task": task, "dimension": "sadness"},
        )
    ]


SCORE = "Task: Rate the valence from 0 to 1. Tweet: Off we go! Intensity Score: "


@pytest.mark.parametrize(
    ("instruction", "output", "reason"),
    [
        ("Translate: Off we go!", "x", "unknown task: 'Translate: Off we go!'"),
        (
            "Task: Rate its length. Tweet: Off we go! Intensity Score: ",
            "0.5",
            "unknown task: 'Task: Rate its length. Tweet: Off we go! Intensity Score:'",
        ),
        (SCORE, "fairly", "valence: expected a number, got 'fairly'"),
        (SCORE, "3.1", "valence: expected 0 to 1, got 3.1"),
        (SCORE.replace("Off we go!", " "), "0.5", "blank text and no observation"),
        (f"Task: {ELEVEN} Tweet: Hm. This tweet contains emotions: ", "calm", '"calm" is no label of emollms_aeb'),
        (f"Task: Sort. {SEVEN} Tweet: Hm. Intensity Class: ", "1.5", "valence: expected a whole number, got 1.5"),
    ],
)
def test_an_unknown_task_or_a_broken_output_is_told(outcomes: Read, instruction: str, output: str, reason: str) -> None:
    samples, rejected = outcomes(AEB, {"AEB.json": lines((instruction, output), (SCORE, "0.5"))}, "test")
    assert [sample.id for sample in samples] == ["AEB-2"]
    assert [(row.line, row.id, row.reason) for row in rejected] == [(1, "AEB-1", reason)]


def test_the_parts_are_read_one_after_another_with_ids_of_their_own(outcomes: Read) -> None:
    files = {"emobank_test.json": lines((SCORE, "0.1"), ("?", "")), "SemEval_merged.json": lines((SCORE, "0.2"))}
    samples, rejected = outcomes(AEB, files, "test")
    assert [sample.id for sample in samples] == ["SemEval_merged-1", "emobank_test-1"]
    assert [(row.line, row.id) for row in rejected] == [(3, "emobank_test-2")]  # its second, behind one other line


def test_the_whole_file_goes_before_its_parts(outcomes: Read) -> None:
    files = {"AEB.json": lines((SCORE, "0.1")), "TDT.json": lines((SCORE, "0.2"))}
    assert [sample.id for sample in outcomes(AEB, files, "test")[0]] == ["AEB-1"]


def talk(id: Any, *values: Any) -> str:
    speakers = ("human", "assistant", "human")
    said = [{"from": speaker, "value": value} for speaker, value in zip(speakers, values, strict=False)]
    return json.dumps({"id": id, "conversations": said}) + "\n"


def test_tuning_data_are_a_question_and_its_answer(outcomes: Read) -> None:
    file = talk("a7", f"Human: \n{SCORE}\n\nAssistant:\n", "0.25") + talk(None, SCORE, 0.75)
    samples, rejected = outcomes(AAID, {"train.json": file}, "train")
    assert [(sample.id, sample.text, sample.gold) for sample in samples] == [
        ("a7", "Off we go!", Gold(answers={"valence": 0.25})),
        ("train-2", "Off we go!", Gold(answers={"valence": 0.75})),
    ]
    assert rejected == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (talk("x", SCORE), "conversations: expected a question and its answer"),
        (talk("x", SCORE, "0.5", "Why?"), "conversations: expected a question and its answer"),
        (talk("x", None, "0.5"), "conversations[0].value: expected a string, got null"),
        ('{"id": "x", "conversations": "0.5"}\n', "conversations: expected a question and its answer"),
        ('{"id": "x", "conversations": [{"value": "?"}, {"from": "gpt"}]}\n', "no 'value'"),
    ],
)
def test_a_broken_conversation_is_told(outcomes: Read, line: str, reason: str) -> None:
    samples, rejected = outcomes(AAID, {"dev.json": line + talk("y", SCORE, "1")}, "dev")
    assert [sample.id for sample in samples] == ["y"]
    assert [(row.line, row.id, row.reason) for row in rejected] == [(1, "x", reason)]
