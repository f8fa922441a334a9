"""A task that lm-evaluation-harness runs, as its folder has it: rows, and the figures of a row (see `bench.export`)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from emowhy.bench.answers import gold_answer
from emowhy.bench.scorers import Case, find_scorer
from emowhy.bench.task import Task
from emowhy.engines.base import Engine
from emowhy.errors import InputError
from emowhy.fields import sample_from
from emowhy.prompt import load_strategy
from emowhy.reasoner import Reasoner
from emowhy.taxonomy import find_taxonomy
from emowhy.types import Chat, Explanation, Gold, Reply, Sample

_NO_MEANS = frozenset({"f1_pos"})  # rows differ in how many gold spans they add to it


class Exported(BaseModel):
    """What DIR/emowhy_TASK.json holds: the task, and by metric which of its figures are reported."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: Task
    output_type: Literal["multiple_choice", "generate_until"]
    rows: int
    figures: Mapping[str, tuple[str, ...]]
    templates: str
    emowhy: str

    @classmethod
    def load(cls, path: Path) -> Exported:
        """Raises InputError if the file is not there, or is of another version."""
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, ValidationError) as error:
            raise InputError(f"{path} is no exported task: {error}", "export the task again") from error

    @property
    def name(self) -> str:
        """What the harness calls the task."""
        return f"emowhy_{self.task.name}"

    @property
    def reported(self) -> tuple[str, ...]:
        """Every figure. `answered` is the share of replies that could be read."""
        names = tuple(name for figures in self.figures.values() for name in figures)
        return names if self.output_type == "multiple_choice" else (*names, "answered")


def load_rows(folder: Path, files: Mapping[str, str]) -> dict[str, Any]:
    """The rows of each split as a `datasets.Dataset`; `files` are names in the folder."""
    from datasets import Dataset

    lines = {split: (folder / name).read_bytes().splitlines() for split, name in files.items()}
    return {split: Dataset.from_list([json.loads(line) for line in found]) for split, found in lines.items()}


def score_row(folder: Path, row: Mapping[str, Any], results: Sequence[Any]) -> dict[str, float]:
    """The reported figures of one row, without those that it has no gold for.

    `results` is what the harness has: one text, or for each of the row's choices (log-likelihood, whether a model would
    have written it). A reply that cannot be read scores as a missing one.
    """
    exported = Exported.load(folder / f"emowhy_{row['task']}.json")
    sample = sample_from(json.loads(row["sample"]), row["id"])
    text = results[0]
    if exported.output_type == "multiple_choice":
        text = row["choices"][int(np.argmax([likelihood for likelihood, _ in results]))]
    answer = read_reply(exported.task, sample, text)
    answered = answer.status == "ok"
    case = case_of(exported.task, [sample], [answer if answered else None])
    found = {"answered": float(answered)} if "answered" in exported.reported else {}
    full = replace(case, answers=[Explanation(sample.id, explanation="said")])
    for metric, names in exported.figures.items():
        scorer = find_scorer(metric)
        if scorer.applies(full) is None:  # is there gold? a poor answer counts
            values = scorer.measure(case).rows
            found |= {name: float(values[name][0]) for name in names if np.isfinite(values[name][0])}
    return found


# Replies ------------------------------------------------------------------------------------------------------------


def list_replies(task: Task, sample: Sample) -> tuple[list[dict[str, Any]], int | None]:
    """Every possible reply to a multiple choice, and the place of a right one: choices by number, or one label each."""
    gold = sample.gold or Gold()
    if "choice" in load_strategy(task.direct).steps[0].fields:
        right = gold.answers.get("choice")
        known = isinstance(right, int) and 0 <= right < len(sample.choices)
        return [{"choice": number} for number in range(1, len(sample.choices) + 1)], right if known else None
    labels = find_taxonomy(task.labels).labels
    places = (labels.index(label) for label in gold.emotions or () if label in labels)
    return [{"emotions": [label]} for label in labels], next(places, None)


def gold_reply(sample: Sample, fields: Sequence[str]) -> dict[str, Any]:
    """The written reply that says what annotators say, as far as it has such fields."""
    best = gold_answer(sample) or Explanation(sample.id)
    said: dict[str, Any] = {
        "emotions": [emotion.label for emotion in best.emotions],
        "causes": [{"turn": c.observation if c.turn is None else c.turn, "quote": c.quote} for c in best.causes],
        "explanation": best.explanation,
        **best.answers,
    }
    return {name: said[name] for name in fields if said.get(name) is not None}


def read_reply(task: Task, sample: Sample, text: str) -> Explanation:
    """A reply to the task's `direct` strategy, read as a run reads it."""
    strategy, taxonomy = load_strategy(task.direct), find_taxonomy(task.labels)
    return Reasoner(_Said(text), strategy, taxonomy, hints="none").explain(sample)


class _Said(Engine):
    """An engine that says what a model in the harness has said."""

    name = "said"

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def generate(self, chats: Sequence[Chat]) -> list[Reply]:
        return [Reply(self.text) for _ in chats]


# Figures ------------------------------------------------------------------------------------------------------------


def case_of(task: Task, samples: Sequence[Sample], answers: Sequence[Explanation | None]) -> Case:
    """What the scorers see."""
    labels = find_taxonomy(task.labels).labels
    settings = {"clue_threshold": task.clue_threshold}
    return Case(samples, answers, labels, task.single, task.language, settings=settings)


def find_figures(task: Task, samples: Sequence[Sample], sayable: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """The figures of each metric that are means over rows, and that replies with these fields can earn as gold does."""
    found: dict[str, tuple[str, ...]] = {}
    for metric in task.metrics:
        scorer = find_scorer(metric)
        best = [scorer.gold_answer(sample) for sample in samples]
        said = [answer and _without(answer, sayable) for answer in best]
        cases = [case_of(task, samples, answers) for answers in (said, best)]
        if any(scorer.applies(case) is not None for case in cases):
            continue
        lesser, full = (scorer.measure(case).rows for case in cases)
        names = [n for n in full if n not in _NO_MEANS and np.allclose(lesser[n], full[n], equal_nan=True)]
        found |= {metric: tuple(names)} if names else {}
    return found


def _without(answer: Explanation, sayable: frozenset[str]) -> Explanation:
    return replace(
        answer,
        emotions=answer.emotions if "emotions" in sayable else (),
        causes=answer.causes if "causes" in sayable else (),
        explanation=answer.explanation if "explanation" in sayable else None,
        answers={name: value for name, value in answer.answers.items() if name in sayable},
    )
