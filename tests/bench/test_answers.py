"""Laws of answers: a row has one or none, whatever another system wrote, and everything odd is counted and named."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emowhy.bench.answers import Answers, dump_line, explanation_of, gold_answer, join, read_predictions
from emowhy.errors import InputError
from emowhy.read import content_hash
from emowhy.rows import to_row
from emowhy.taxonomy import find_taxonomy
from emowhy.types import Cause, Clue, Emotion, Explanation, Gold, Sample, Turn, Usage

EKMAN = find_taxonomy("ekman")
FIELDS = ("reasoning", "emotions", "causes", "explanation")
SAMPLES = [
    Sample("a", "It rains again.", context=(Turn("Look outside."),), gold=Gold(("sadness",))),
    Sample("b", "Finally!", gold=Gold(("joy",))),
    Sample("7", "Who is there?", gold=Gold(("fear",))),
]


def read(folder: Path, *lines: Any) -> Answers:
    """Predictions from lines: objects, or text as it stands."""
    file = folder / "other.jsonl"
    file.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return read_predictions(file, SAMPLES, EKMAN, FIELDS)


def labels(answer: Explanation | None) -> list[str] | None:
    return None if answer is None else [emotion.label for emotion in answer.emotions]


# What is read -----------------------------------------------------------------------------------------------------


def test_answers_come_in_the_order_of_the_samples(tmp_path: Path) -> None:
    found = read(tmp_path, {"id": 7, "emotions": ["fear"]}, {"id": "b", "emotions": "joy"}, {"id": "a", "emotions": []})
    assert [labels(answer) for answer in found.rows] == [[], ["joy"], ["fear"]]
    assert (found.statuses, found.notes) == ({"ok": 3}, ())


def test_labels_may_have_scores_and_quotes_places(tmp_path: Path) -> None:
    told = {"emotions": [{"label": "sadness", "score": 0.7}, "fear"], "causes": ["rains", {"quote": "Look", "turn": 0}]}
    (answer, *_) = read(tmp_path, {"id": "a", **told}).rows
    assert answer is not None
    assert answer.emotions == (Emotion("sadness", 0.7), Emotion("fear"))
    assert [(c.quote, c.turn, c.start, c.end, c.verified) for c in answer.causes] == [
        ("rains", 1, 3, 8, True), ("Look", 0, 0, 4, True)
    ]  # fmt: skip


def test_a_quote_that_nobody_said_is_not_verified(tmp_path: Path) -> None:
    (answer, *_) = read(tmp_path, {"id": "a", "causes": ["it never rained"]}).rows
    assert answer is not None
    assert [(cause.quote, cause.verified) for cause in answer.causes] == [("it never rained", False)]


def test_a_quote_that_was_found_elsewhere_than_said_stays_one(tmp_path: Path) -> None:
    (raw, *_) = read(tmp_path, {"id": "a", "causes": [{"quote": "rains", "turn": 0}]}).rows
    assert raw is not None
    assert raw.causes == (Cause("rains", 1, None, 3, 8, verified=True, said=0),)
    kept = to_row(raw, SAMPLES[0], content_hash(SAMPLES[0]))["causes"]
    (again, *_) = read(tmp_path, {"id": "a", "causes": kept}).rows
    assert again is not None
    assert again.causes == raw.causes


def test_a_raw_reply_is_read_as_ours_are(tmp_path: Path) -> None:
    reply = 'Here: {"reasoning": "Rain.", "emotions": ["Sad"], "causes": [], "explanation": "It rains."} Done.'
    found = read(tmp_path, {"id": "a", "raw": reply}, {"id": "b", "raw": "I do not know."})
    answer = found.rows[0]
    assert answer is not None
    assert (labels(answer), answer.explanation, answer.parse) == (["sadness"], "It rains.", "lenient")
    assert found.statuses == {"missing": 1, "ok": 1, "unparsed": 1}
    assert found.scored[1:] == (None, None)


@pytest.mark.parametrize("status", ["unparsed", "truncated", "refused", "error"])
def test_an_answer_that_is_not_ok_is_not_scored_whatever_stands_in_it(status: str, tmp_path: Path) -> None:
    found = read(tmp_path, {"id": "a", "emotions": ["sadness"], "status": status})
    assert labels(found.rows[0]) == ["sadness"]
    assert found.scored == (None, None, None)
    assert found.statuses == {"missing": 2, status: 1}


def test_other_answers_stand_beside_or_under_their_own_key(tmp_path: Path) -> None:
    found = read(tmp_path, {"id": "a", "choice": 2}, {"id": "b", "answers": {"valence": 3.5}})
    assert [dict(answer.answers) for answer in found.rows if answer] == [{"choice": 2}, {"valence": 3.5}]


# What is odd ------------------------------------------------------------------------------------------------------


def test_missing_predictions_are_counted_and_named(tmp_path: Path) -> None:
    found = read(tmp_path, {"id": "b", "emotions": ["joy"]})
    assert found.notes == ("2 of 3 rows have no answer, which counts as wrong: a, 7",)


def test_predictions_of_unknown_ids_are_counted_named_and_left_out(tmp_path: Path) -> None:
    found = read(tmp_path, *({"id": sample.id} for sample in SAMPLES), {"id": "x"}, {"id": "y"})
    assert found.notes == ("2 answers belong to no row and are left out: x, y",)
    assert len(found.rows) == 3


def test_of_an_id_that_stands_twice_the_first_counts_and_it_is_told(tmp_path: Path) -> None:
    found = read(tmp_path, {"id": "a", "emotions": ["joy"]}, {"id": "a", "emotions": ["fear"]}, {"id": "a"})
    assert labels(found.rows[0]) == ["joy"]
    assert found.notes[0] == "1 ids stand twice in other.jsonl, the first counts: a"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{broken", "line 2: "),
        ("[1, 2]", "line 2: "),
        ('{"emotions": ["joy"]}', "line 2: no id"),
        ('{"id": true}', "line 2: no id"),
        ('{"id": "a", "emotions": {"joy": 1}}', "emotions: expected a list"),
        ('{"id": "a", "emotions": [3]}', "emotions: expected words"),
        ('{"id": "a", "emotions": [{"label": "joy", "score": "high"}]}', "a score: expected a number"),
        ('{"id": "a", "emotions": [{"label": "joy", "score": 87}]}', "a score: expected 0 to 1, got 87"),
        ('{"id": "a", "causes": [""]}', "causes: expected quotes"),
        ('{"id": "a", "explanation": ["x"]}', "explanation: expected a string"),
        ('{"id": "a", "answers": [1]}', "answers: expected an object"),
        ('{"id": "a", "status": "fine"}', "unknown status 'fine'"),
    ],
)
def test_a_line_that_is_no_prediction_is_named_and_its_row_unanswered(line: str, why: str, tmp_path: Path) -> None:
    found = read(tmp_path, {"id": "b", "emotions": ["joy"]}, line)
    assert found.rows[0] is None
    assert found.notes[0].startswith("1 lines of other.jsonl cannot be read: line 2: ")
    assert why in found.notes[0]


def test_of_many_ids_some_are_named_and_the_others_counted() -> None:
    samples = [Sample(str(row), "Hm.") for row in range(9)]
    assert join(samples, {}).notes == ("9 of 9 rows have no answer, which counts as wrong: 0, 1, 2, 3, 4 and 4 more",)


@pytest.mark.parametrize("content", ["", "\n\n", "{broken\n", "[]\n"])
def test_a_file_without_one_prediction_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "other.jsonl").write_text(content)
    with pytest.raises(InputError, match="no prediction can be read"):
        read_predictions(tmp_path / "other.jsonl", SAMPLES, EKMAN, FIELDS)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file of predictions"):
        read_predictions(tmp_path / "other.jsonl", SAMPLES, EKMAN, FIELDS)


cells = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(allow_nan=False), st.text(max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["label", "quote"]), inner)),
    max_leaves=4,
)
keys = st.sampled_from(["id", "emotions", "causes", "explanation", "answers", "status", "raw", "choice"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(row=st.dictionaries(keys, cells))
def test_any_line_is_an_answer_or_is_counted(row: dict[str, Any], tmp_path: Path) -> None:
    found = read(tmp_path, {"id": "b"}, row)
    assert sum(found.statuses.values()) == len(SAMPLES)
    answered = sum(answer is not None for answer in found.rows)
    odd = [note for note in found.notes if "belong to no row" in note or "cannot be read" in note or "twice" in note]
    assert answered == 2 or odd


# Our own rows -----------------------------------------------------------------------------------------------------


def test_a_row_of_a_run_is_the_explanation_that_it_was_written_from() -> None:
    answer = Explanation(
        "a",
        index=3,
        emotions=(Emotion("joy", 0.25),),
        causes=(
            Cause("rains", 1, None, 3, 8, verified=True, said=0),
            Cause("a smile", observation="face", start=0, end=7),
        ),
        reasoning="R.",
        explanation="E.",
        score_source="specialist",
        answers={"choice": 1},
        clues=(Clue("emotion", "emotion", "joy", score=0.25, chosen=True),),
        parse="lenient",
        same_as="z",
        usage=Usage(5, 2),
        attempts=2,
        extra={"x": 1},
    )
    assert explanation_of(to_row(answer, SAMPLES[0], content_hash(SAMPLES[0]))) == answer


def test_gold_as_an_answer_has_all_that_an_answer_can_have() -> None:
    cause = Cause("rains", 1, None, 3, 8, verified=True)
    gold = Gold(("sadness",), (cause,), "Rain.", {"choice": 2, "votes": {"sadness": 5}})
    answer = gold_answer(replace(SAMPLES[0], gold=gold))
    assert answer is not None
    assert (labels(answer), answer.causes, answer.explanation) == (["sadness"], (cause,), "Rain.")
    assert answer.answers == {"choice": 2}  # votes are no answer
    assert gold_answer(replace(SAMPLES[0], gold=None)) is None
    assert gold_answer(replace(SAMPLES[0], gold=Gold())) is None


def test_a_line_is_the_same_bytes_for_the_same_values() -> None:
    assert dump_line({"a": 1 / 3, "b": math.nan, "c": (1, 2)}) == b'{"a":0.333333333,"b":null,"c":[1,2]}\n'
    assert dump_line({"a": "\ud800é"}) == '{"a":"\\ud800é"}\n'.encode()
    assert json.loads(dump_line({"a": "\ud800"})) == {"a": "\ud800"}
