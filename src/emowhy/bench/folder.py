"""The folder of a benchmark run: what was scored, what every system said of it, and what came out.

    RUN/bench.json                       what was asked
    RUN/results.json results.md report.html
    RUN/TASK/task.yaml samples.jsonl     the task, and the scored rows with their gold
    RUN/TASK/fitted.json                 constant lists, decision rules, thresholds, near-duplicates: fitted elsewhere
    RUN/TASK/scores.jsonl                one line for each row and system
    RUN/TASK/SYSTEM/                     a run directory as `explain` makes it
    RUN/TASK/CONTROL.jsonl               answers without a model, or another system's

All of it is there to be scored again: no model, no network, no data set is needed for that.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from emowhy.bench.answers import Answers, dump_line, explanation_of, join, plain
from emowhy.bench.controls import Fitted
from emowhy.bench.score import Kind, Scorable, System
from emowhy.bench.task import Task
from emowhy.errors import RunError
from emowhy.fields import sample_from
from emowhy.read import content_hash
from emowhy.rows import sample_row, to_row
from emowhy.run import read_rows
from emowhy.types import Explanation, Sample

ASKED = "bench.json"
RESULTS = "results.json"


def write_json(path: Path, value: Any) -> None:
    """A JSON file, the same bytes for the same value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """A JSON file of a run. Raises RunError if it is not there or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"no readable {path.name} in {path.parent}: {error}", "is this a benchmark's folder?") from error


@dataclass(frozen=True)
class TaskFolder:
    """One task of a run."""

    path: Path

    def keep(self, task: Task, samples: Sequence[Sample]) -> None:
        """Write the task and its rows; raises RunError if the folder holds other rows."""
        self.path.mkdir(parents=True, exist_ok=True)
        rows = b"".join(dump_line({"id": s.id, **sample_row(s), "extra": dict(s.extra)}) for s in samples)
        place = self.path / "samples.jsonl"
        if place.is_file() and place.read_bytes() != rows:
            raise RunError(
                f"{self.path} holds other rows of {task.name}: another split, seed, number or version of them",
                "the same options to go on with it, or another folder with -o",
            )
        place.write_bytes(rows)
        told = yaml.safe_dump(json.loads(task.model_dump_json()), sort_keys=False, allow_unicode=True)
        (self.path / "task.yaml").write_text(told, encoding="utf-8")

    def task(self) -> Task:
        return Task.model_validate(yaml.safe_load((self.path / "task.yaml").read_text(encoding="utf-8")))

    def samples(self) -> list[Sample]:
        """The scored rows, gold and all."""
        place = self.path / "samples.jsonl"
        if not place.is_file():
            raise RunError(f"no {place.name} in {self.path}", "is this a benchmark's folder?")
        lines = place.read_bytes().splitlines()
        return [sample_from(json.loads(line), str(number)) for number, line in enumerate(lines)]

    def keep_answers(self, name: str, samples: Sequence[Sample], answers: Iterable[Explanation | None]) -> None:
        """Write the answers of a system without a run directory; rows without one are left out."""
        said = zip(samples, answers, strict=True)
        rows = [dump_line(to_row(answer, s, content_hash(s))) for s, answer in said if answer is not None]
        (self.path / f"{name}.jsonl").write_bytes(b"".join(rows))

    def rows(self, name: str) -> Iterator[dict[str, Any]]:
        """The rows of a system, from its run directory or its file."""
        file = self.path / f"{name}.jsonl"
        if file.is_file():
            return map(json.loads, file.read_bytes().splitlines())
        return read_rows(self.path / name)

    def scores(self, name: str) -> dict[str, dict[str, Any]]:
        """The lines of scores.jsonl of a system, by id; empty before the run was scored."""
        file = self.path / "scores.jsonl"
        text = file.read_bytes() if file.is_file() else b""
        lines: Iterator[dict[str, Any]] = map(json.loads, text.splitlines())
        return {line["id"]: line for line in lines if line["system"] == name}

    def answers(self, name: str, samples: Sequence[Sample]) -> Answers:
        """What a system said of each row."""
        return join(samples, {row["id"]: explanation_of(row) for row in self.rows(name)})


def load(folder: Path, name: str) -> Scorable:
    """A task of a run, ready to be scored again."""
    asked = read_json(folder / ASKED)
    about = asked["tasks"].get(name)
    if about is None:
        raise RunError(f"{folder} has no task {name!r}", f"it has: {', '.join(asked['tasks'])}")
    place = TaskFolder(folder / name)
    samples = place.samples()
    fitted = read_json(place.path / "fitted.json") if (place.path / "fitted.json").is_file() else {}
    kinds: Mapping[str, Kind] = about["systems"]
    systems = [System(key, kind, place.answers(key, samples)) for key, kind in kinds.items()]
    return Scorable(
        place.task(),
        samples,
        systems,
        Fitted.of(fitted["controls"]) if fitted.get("controls") else None,
        frozenset(fitted.get("near_duplicates", ())),
        Path(asked["wheel"]) if asked.get("wheel") else None,
        asked["seed"],
        {"clue_threshold": fitted["clue_threshold"]} if fitted.get("clue_threshold") is not None else {},
    )
