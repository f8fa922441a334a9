"""Laws of every set of dialogues: a turn between its neighbours, under a name that no other split uses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.datasets.dialogues import Dialogue, DialogueSet, dialogue_name, json_list, turn_records
from emowhy.errors import InputError
from emowhy.formats import Record
from emowhy.read import Rejected
from emowhy.types import Sample


class Tales(DialogueSet):
    """A list of `[name, turns, problem]`."""

    name = "tales"
    splits: ClassVar = {"train": ("train.json",), "test": ("parts/test.json",)}

    def dialogues(self, path: Path) -> Iterator[Dialogue | Record]:
        before = 0
        for name, turns, problem in json_list(path):
            yield Dialogue(name, turn_records(turns, before), problem)
            before += len(turns)

    def gold(self, cells: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"emotions": [cells["emotion"]]}


def read(folder: Path, file: Any, split: str = "train") -> tuple[list[Sample], list[Rejected]]:
    path = folder / Tales.splits[split][0]
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(file))
    rows = list(Tales().read(folder, split))
    return [row for row in rows if isinstance(row, Sample)], [row for row in rows if isinstance(row, Rejected)]


def say(words: Any, emotion: str = "calm", **more: Any) -> dict[str, Any]:
    return {"utterance": words, "speaker": "Mo", "emotion": emotion, **more}


def test_a_sample_is_a_turn_between_the_earlier_and_the_later_ones(tmp_path: Path) -> None:
    samples, rejected = read(
        tmp_path, [["a", [say("One."), say("Two."), say("Three.")], None], ["b", [say("Hi.")], None]]
    )
    assert rejected == []
    assert [sample.id for sample in samples] == ["train-a-0", "train-a-1", "train-a-2", "train-b-0"]
    middle = samples[1]
    assert ([t.text for t in middle.context], middle.text, [t.text for t in middle.after]) == (
        ["One."],
        "Two.",
        ["Three."],
    )
    assert [sample.extra["dialogue"] for sample in samples] == ["train-a"] * 3 + ["train-b"]


def test_the_same_dialogue_has_another_name_in_another_split(tmp_path: Path) -> None:
    file = [["a", [say("One.")], None]]
    assert [sample.id for sample in read(tmp_path, file)[0] + read(tmp_path, file, "test")[0]] == [
        "train-a-0",
        "test-a-0",
    ]


def test_a_turn_that_is_rejected_stays_in_the_context_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    turns = [say("One.", emotion=" "), 7, say("\0"), say(None), say("Five.", speaker=["Mo"])]
    samples, rejected = read(tmp_path, [["a", turns, None]])
    assert [(row.line, row.id, row.reason) for row in rejected] == [
        (1, "train-a-0", "gold.emotions[0]: is blank"),
        (2, None, "expected a turn, got a number"),
        (3, "train-a-2", "text: has a NUL character"),
        (4, "train-a-3", "neither text nor observation"),
    ]
    assert [sample.id for sample in samples] == ["train-a-4"]
    assert [turn.text for turn in samples[0].context] == ["One.", "", "", ""]
    assert samples[0].speaker is None


def test_a_dialogue_that_comes_again_or_has_a_problem_is_told_turn_by_turn(tmp_path: Path) -> None:
    file = [["a", [say("One.")], None], ["b", [say("Two."), say("Three.")], "it is torn"], ["a", [say("Four.")], None]]
    samples, rejected = read(tmp_path, file)
    assert [sample.text for sample in samples] == ["One."]
    assert [(row.line, row.reason) for row in rejected] == [
        (2, "dialogue 'train-b': it is torn"),
        (3, "dialogue 'train-b': it is torn"),
        (4, "dialogue 'train-a': it was already there; the turns of a dialogue must stand together"),
    ]
    assert "Three." in rejected[1].raw


@pytest.mark.parametrize("file", ["", "{}", "[[", "7", "[" * 100_000, "[NaN]"])
def test_a_file_that_holds_no_list_cannot_be_read(tmp_path: Path, file: str) -> None:
    (tmp_path / "x.json").write_text(file)
    with pytest.raises(InputError, match=r"x\.json"):
        json_list(tmp_path / "x.json")


def test_a_dialogue_without_a_usable_name_is_called_by_its_number() -> None:
    values = ["d", 7, None, " ", True, [1]]
    assert [dialogue_name(value, 3) for value in values] == ["d", "7", "3", "3", "3", "3"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
TURNS = st.lists(VALUES | st.fixed_dictionaries({"utterance": VALUES, "emotion": VALUES}), max_size=4)


@given(st.lists(st.tuples(st.sampled_from("ab"), TURNS), max_size=3))
def test_every_turn_is_a_sample_or_a_rejected_row_and_no_id_stands_twice(
    tmp_path_factory: pytest.TempPathFactory, dialogues: list[tuple[str, list[Any]]]
) -> None:
    samples, rejected = read(tmp_path_factory.mktemp("any"), [[name, turns, None] for name, turns in dialogues])
    assert len(samples) + len(rejected) == sum(len(turns) for _, turns in dialogues)
    assert len({sample.id for sample in samples}) == len(samples)
    assert {row.line for row in rejected} <= set(range(1, len(samples) + len(rejected) + 1))
