"""A task: which rows are scored, what a system may see of them, and by which metrics. One YAML file each."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from emowhy.bench.metrics.clue_text import cut, without_conclusion
from emowhy.datasets import DataSet, find_dataset, find_folder
from emowhy.errors import InputError, MissingError, UsageError, nearest
from emowhy.read import Observations, Rejected, read
from emowhy.types import Sample
from emowhy.yaml_model import read_model

Condition = Literal["text", "subtitle", "observations", "gold_clues"]


class Task(BaseModel):
    """A benchmark task.

    Its rows are a `dataset` that a loader reads, or a `file` in the row format (looked for beside the task, then in
    the data folder; `fields` maps our fields to its columns). `where` keeps the rows whose column has one of some
    values. `split` is scored; on `reference` (None: by two-fold cross-fitting on the scored rows) the constant lists
    and decision rules of the control arms are fitted.
    `labels` is a label set, a list "a,b,c" or "open"; `single` says that a row has one right label. `condition` is
    what a system is given: results under different conditions never share a table. The first figure of the first of
    `metrics` is the headline. `group` is the column by which rows are resampled together. `strategy` is what the
    model is asked where that is not its emotion, `direct` the same without reasoning; `question` goes to every row.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_\-]*$")]
    title: str
    version: int = 1
    dataset: str | None = None
    file: str | None = None
    fields: Mapping[str, str] = {}
    where: Mapping[str, tuple[str, ...]] = {}
    split: str = "test"
    reference: str | None = None
    labels: str = "open"
    single: bool = False
    condition: Condition = "text"
    metrics: Annotated[tuple[str, ...], Field(min_length=1)]
    group: str = "dialogue"
    strategy: str | None = None
    direct: str = "direct"
    question: str | None = None
    language: str = "en"
    licence: str | None = None
    source: str | None = None
    clue_threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    """The cosine above which two clues count as one (`emowhy bench validate` fits it on the reference split)."""

    @model_validator(mode="after")
    def _check(self) -> Task:
        if (self.dataset is None) == (self.file is None):
            raise ValueError("a task has a dataset or a file, one of them")
        if self.file is not None and not self.licence:
            raise ValueError("a file's licence must be stated")
        return self

    @property
    def hash(self) -> str:
        """16 hex digits of everything that the task says."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    def loader(self) -> DataSet | None:
        """Its data set, or None where it has a file."""
        return find_dataset(self.dataset) if self.dataset else None

    def terms(self) -> tuple[str, str]:
        """Licence and source: its own words, or its data set's."""
        loader = self.loader()
        return (
            self.licence or (loader.licence if loader else ""),
            self.source or (loader.source if loader else ""),
        )


@dataclass(frozen=True, slots=True)
class Rows:
    """What was read of a split: samples with gold, and how many rows could not be read, with the reasons of some."""

    samples: tuple[Sample, ...]
    rejected: tuple[Rejected, ...] = ()


def tasks_folder() -> Path:
    """Where the shipped tasks are: in the installed package, or at the top of a checkout."""
    inside = Path(str(files("emowhy") / "benchmarks" / "tasks"))
    return inside if inside.is_dir() else Path(__file__).resolve().parents[3] / "benchmarks" / "tasks"


def list_tasks() -> dict[str, Path]:
    """The shipped tasks by name."""
    return {path.stem: path for path in sorted(tasks_folder().glob("*.yaml"))}


def find_task(spec: str) -> tuple[Task, Path]:
    """The task called `spec` and its file: a shipped name or a YAML file, with `:SPLIT` to score another split of it.

    Raises UsageError for an unknown name, a file that is no task, or a key or value that no task has.
    """
    name, _, split = spec.partition(":")
    known = list_tasks()
    path = known.get(name) or Path(name)
    if not path.is_file():
        raise UsageError(f"no task {name!r}", nearest(name, known) + "; or a YAML file of your own")
    task = read_model(path, Task, "task", "benchmarks/tasks/ holds tasks")
    if split and split != task.split:
        reference = task.reference if task.reference != split else None
        task = task.model_copy(update={"split": split, "reference": reference})
    if (loader := task.loader()) is not None:
        for part in filter(None, (task.split, task.reference)):
            if part not in loader.splits:
                raise UsageError(f"{task.name}: {loader.name} has no split {part!r}", nearest(part, loader.splits))
    return task, path


def read_split(
    task: Task,
    path: Path,
    data: Path | None,
    split: str,
    observations: Path | None = None,
    on_note: Callable[[str], None] = lambda note: None,
) -> Rows:
    """Every row of a split with gold.

    Raises MissingError if its files are not there (named, with source and licence), InputError if not one row can be
    read.
    """
    loader = task.loader()
    if loader is None:
        outcomes = list(
            read(_own_file(task, path, data), columns=dict(task.fields), observations=observations, on_note=on_note)
        )
    else:
        joined = Observations.load(observations, on_note)
        outcomes = list(loader.read(find_folder(loader, data), split, joined.of))
        joined.note_unmatched()
    wanted = [row for row in outcomes if isinstance(row, Rejected) or _wanted(task, row)]
    given = [row if isinstance(row, Rejected) else _under(task.condition, row) for row in wanted]
    samples = [row for row in given if isinstance(row, Sample)]
    rejected = tuple(row for row in given if isinstance(row, Rejected))
    if not samples:
        why = f"; the first: {rejected[0].reason}" if rejected else ""
        raise InputError(
            f"{task.name}: no row of the split {split!r} can be scored ({len(rejected)} rejected{why})",
            f"emowhy bench validate {task.name}",
        )
    if task.question is not None:
        samples = [sample if sample.question else replace(sample, question=task.question) for sample in samples]
    if task.condition == "observations" and not any(any(sample.observations.values()) for sample in samples):
        on_note(f"{task.name}: no row has observations (name their file with --observations): only words were given")
    return Rows(tuple(samples), rejected)


def _wanted(task: Task, sample: Sample) -> bool:
    """Whether a row is one that the task scores."""
    return all(str(sample.extra.get(column)) in values for column, values in task.where.items())


def _under(condition: Condition, sample: Sample) -> Sample | Rejected:
    """What a system is given of a sample; the gold explanation enters only as clues, where the condition says so."""
    if condition == "subtitle":
        sample = replace(sample, observations={})
    elif condition == "gold_clues":
        told = sample.gold.explanation if sample.gold else None
        clues: dict[str, list[str]] = {}
        for clue in cut(without_conclusion(told or "")):
            clues.setdefault(clue.modality or "scene", []).append(clue.text)
        sample = replace(sample, observations={name: " ".join(texts) for name, texts in clues.items()})
    if sample.text is None and not any(sample.observations.values()):
        return Rejected(0, f"nothing to be seen under the condition {condition}", sample.id)
    return sample


def _own_file(task: Task, path: Path, data: Path | None) -> Path:
    assert task.file is not None
    places = [path.parent / task.file, *([data / task.name / task.file, data / task.file] if data else [])]
    for place in places:
        if place.is_file():
            return place
    licence, source = task.terms()
    cure = f"get it from {source} (licence: {licence})" if source else "put it beside the task, or use --data FOLDER"
    raise MissingError(f"{task.name}: no {task.file} in {' or '.join(str(p.parent) for p in places)}", cure)


def draw(samples: Sequence[Sample], count: int | None, seed: int) -> tuple[Sample, ...]:
    """`count` samples drawn with a seed, in their order."""
    if count is None or count >= len(samples):
        return tuple(samples)
    chosen = set(random.Random(seed).sample(range(len(samples)), count))
    return tuple(sample for place, sample in enumerate(samples) if place in chosen)


def group_of(sample: Sample, column: str) -> str:
    """What a row is resampled with: its value in the column, or itself."""
    value: Any = sample.extra.get(column)
    return f"{column}:{value}" if value is not None else f"id:{sample.id}"
