"""Laws of tasks: what a file must say, which rows it gives, and what a system may see of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import lookalikes
from emowhy.bench.task import Task, draw, find_task, group_of, list_tasks, read_split
from emowhy.errors import InputError, MissingError, UsageError
from emowhy.types import Sample

PARAGRAPH = "In the video she frowns. In the audio her voice is loud. Overall she feels angry."
ROWS = [
    {"id": "a", "text": "Go away.", "kind": "short", "gold": {"emotions": ["anger"], "explanation": PARAGRAPH}},
    {"id": "b", "text": "So it goes.", "kind": "long", "observations": {"face": "a smile"}, "gold": {"emotions": []}},
    {"id": "c", "observations": {"voice": "a sigh"}, "kind": "long", "gold": {"emotions": ["sadness"]}},
]
MINIMAL = {"name": "mine", "title": "T", "file": "rows.jsonl", "metrics": ["graded"], "licence": "CC0-1.0"}


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMOWHY_DATA", raising=False)


def write(folder: Path, rows: Any = ROWS, **more: Any) -> Path:
    """A task file with its rows beside it; None takes a key away."""
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = {key: value for key, value in {**MINIMAL, **more}.items() if value is not None}
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(told))
    return path


def read(path: Path, split: str = "test") -> tuple[list[Sample], list[str], list[str]]:
    """Samples, reasons of the rejected rows, notes."""
    notes: list[str] = []
    rows = read_split(find_task(str(path))[0], path, None, split, None, notes.append)
    return list(rows.samples), [row.reason for row in rows.rejected], notes


# What a file must say ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": ["graded"]}, "did you mean 'metrics'"),
        ({"licence": None}, "licence must be stated"),
        ({"dataset": "meld"}, "a dataset or a file"),
        ({"file": None}, "a dataset or a file"),
        ({"metrics": []}, "metrics"),
        ({"name": "No Blanks"}, "name"),
        ({"condition": "video"}, "condition"),
        ({"clue_threshold": 2}, "clue_threshold"),
    ],
)
def test_a_task_that_says_too_much_or_too_little_is_refused(change: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        find_task(str(write(tmp_path, **change)))


def test_a_file_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("name: [")
    with pytest.raises(UsageError, match="cannot be read"):
        find_task(str(tmp_path / "broken.yaml"))


def test_an_unknown_task_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="did you mean 'goemotions'"):
        find_task("goemotion")


def test_a_split_may_be_named_after_the_task_and_is_never_its_own_reference() -> None:
    expected = {"meld": ("test", "train"), "meld:dev": ("dev", "train"), "meld:train": ("train", None)}
    tasks = {spec: find_task(spec)[0] for spec in expected}
    assert {spec: (task.split, task.reference) for spec, task in tasks.items()} == expected


def test_an_unknown_split_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match="did you mean 'train'"):
        find_task("meld:trian")


def test_the_hash_is_of_everything_that_a_task_says() -> None:
    task, _ = find_task("meld")
    assert task.hash == find_task("meld")[0].hash
    changed = [
        task.model_copy(update=change) for change in ({"version": 2}, {"split": "dev"}, {"where": {"a": ("b",)}})
    ]
    assert len({task.hash, *(other.hash for other in changed)}) == 4


def test_shipped_tasks_are_found_wherever_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "demo" in list_tasks()


# Which rows it gives ----------------------------------------------------------------------------------------------


def test_a_file_stands_beside_its_task_or_in_the_data_folder(tmp_path: Path) -> None:
    path = write(tmp_path)
    assert [sample.id for sample in read(path)[0]] == ["a", "b", "c"]
    (tmp_path / "data" / "mine").mkdir(parents=True)
    (tmp_path / "rows.jsonl").rename(tmp_path / "data" / "mine" / "rows.jsonl")
    task, _ = find_task(str(path))
    assert len(read_split(task, path, tmp_path / "data", "test").samples) == 3
    with pytest.raises(MissingError, match=r"mine: no rows\.jsonl in"):
        read_split(task, path, None, "test")


def test_columns_are_named_by_fields(tmp_path: Path) -> None:
    path = write(tmp_path, [{"id": "a", "said": "Go away."}], fields={"text": "said"})
    assert read(path)[0][0].text == "Go away."


def test_rows_are_kept_by_what_stands_in_a_column(tmp_path: Path) -> None:
    assert [sample.id for sample in read(write(tmp_path, where={"kind": ["long"]}))[0]] == ["b", "c"]
    with pytest.raises(InputError, match="no row of the split 'test' can be scored"):
        read(write(tmp_path, where={"kind": ["none of them"]}))


def test_rows_that_cannot_be_read_are_counted_and_named(tmp_path: Path) -> None:
    path = write(tmp_path, [*ROWS, {"id": "d"}, {"id": "a", "text": "Twice."}])
    samples, reasons, _ = read(path)
    assert len(samples) == 3
    assert len(reasons) == 2


def test_a_question_of_the_task_is_put_to_rows_without_their_own(tmp_path: Path) -> None:
    own = [{**ROWS[0], "question": "Mine?"}, ROWS[1]]
    samples, _, _ = read(write(tmp_path, own, question="Why?"))
    assert [sample.question for sample in samples] == ["Mine?", "Why?"]


def test_a_data_set_is_read_from_its_folder(tmp_path: Path) -> None:
    lookalikes.meld(tmp_path)
    task, path = find_task("meld")
    assert [sample.text for sample in read_split(task, path, tmp_path, "test").samples][:2] == [
        "The cat is back!", "It ate my lunch."
    ]  # fmt: skip


# What a system may see --------------------------------------------------------------------------------------------


def test_under_subtitle_nothing_is_seen_but_words(tmp_path: Path) -> None:
    samples, reasons, _ = read(write(tmp_path, condition="subtitle"))
    assert [(sample.id, dict(sample.observations)) for sample in samples] == [("a", {}), ("b", {})]
    assert reasons == ["nothing to be seen under the condition subtitle"]


def test_under_observations_they_are_seen_and_their_absence_is_told(tmp_path: Path) -> None:
    samples, _, notes = read(write(tmp_path, condition="observations"))
    assert [dict(sample.observations) for sample in samples] == [{}, {"face": "a smile"}, {"voice": "a sigh"}]
    assert notes == []
    _, _, notes = read(write(tmp_path, ROWS[:1], condition="observations"))
    assert notes == ["mine: no row has observations (name their file with --observations): only words were given"]


def test_gold_clues_are_those_of_the_gold_text_without_its_conclusion(tmp_path: Path) -> None:
    samples, _, _ = read(write(tmp_path, condition="gold_clues"))
    seen = " ".join(filter(None, samples[0].observations.values()))
    assert "frowns" in seen
    assert "loud" in seen
    assert "angry" not in seen


@pytest.mark.parametrize("condition", ["text", "subtitle", "observations"])
def test_a_gold_explanation_enters_no_other_input(condition: str, tmp_path: Path) -> None:
    samples, _, _ = read(write(tmp_path, condition=condition))
    for sample in samples:
        seen = json.dumps([sample.text, dict(sample.observations), sample.question, dict(sample.extra)])
        assert "frowns" not in seen


# Drawing and grouping ---------------------------------------------------------------------------------------------


@given(st.integers(0, 30), st.integers(0, 20), st.integers(0, 5))
def test_a_draw_has_the_count_keeps_the_order_and_is_the_seeds(count: int, rows: int, seed: int) -> None:
    samples = [Sample(str(row), "Hm.") for row in range(rows)]
    drawn = draw(samples, count, seed)
    assert len(drawn) == min(count, rows)
    assert [int(sample.id) for sample in drawn] == sorted(int(sample.id) for sample in drawn)
    assert drawn == draw(samples, count, seed)


def test_without_a_count_every_row_is_drawn() -> None:
    samples = [Sample(str(row), "Hm.") for row in range(9)]
    assert draw(samples, None, 0) == tuple(samples)
    assert draw(samples, 4, 0) != draw(samples, 4, 1)


def test_a_row_is_resampled_with_its_group_or_by_itself() -> None:
    grouped = Sample("a", "Hm.", extra={"dialogue": 3})
    assert group_of(grouped, "dialogue") == group_of(Sample("b", "Hm.", extra={"dialogue": 3}), "dialogue")
    assert group_of(grouped, "item") != group_of(Sample("b", "Hm.", extra={"dialogue": 3}), "item")


def test_a_group_is_not_mistaken_for_a_row_of_the_same_name() -> None:
    assert group_of(Sample("3", "Hm."), "dialogue") != group_of(Sample("a", "Hm.", extra={"dialogue": "3"}), "dialogue")


def test_every_key_of_a_task_is_told_in_its_description() -> None:
    own_docstrings = {"name", "title", "version", "licence", "source", "language", "clue_threshold"}
    told = Task.__doc__ or ""
    assert all(f"`{key}`" in told for key in set(Task.model_fields) - own_docstrings)
