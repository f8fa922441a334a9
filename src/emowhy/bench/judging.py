"""Judges over a finished run: verdicts are kept with it, so that scoring again asks nobody."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emowhy.bench.answers import dump_line
from emowhy.bench.folder import ASKED, load, read_json
from emowhy.bench.judge import NO_ANSWER, Judge, Verdict
from emowhy.bench.measure import Resampling, means
from emowhy.bench.score import Scorable
from emowhy.bench.task import group_of
from emowhy.types import Sample

SCALES: Mapping[str, tuple[str, ...]] = {
    "emer_legacy": ("clue", "label"),
    "atomic": ("f1", "precision", "recall", "contradiction"),
}
"""The figures of each judge; the first leads."""


def judge_run(folder: Path, make: Callable[[Path], Judge], say: Callable[[str], None]) -> None:
    """Judge every system with explanations on every task that has gold ones; verdicts go to TASK/verdicts-NAME.jsonl.

    `make` gives the judge for a cache file: replies that are cached are not asked for again.
    """
    for name in read_json(folder / ASKED)["tasks"]:
        what = load(folder, name)
        if not any(sample.gold and sample.gold.explanation for sample in what.samples):
            say(f"{name}: no gold explanation to judge by")
            continue
        judge = make(folder / name / "judge.jsonl")
        lines: list[bytes] = []
        for system in what.systems:
            answers = system.answers.scored
            if not any(answer is not None and (answer.explanation or answer.reasoning) for answer in answers):
                continue
            say(f"{name}, {system.name}: {judge.name} judges {sum(a is not None for a in answers)} answers")
            verdicts = judge.judge(what.samples, answers)
            lines += [dump_line(_line(system.name, verdict)) for verdict in verdicts]
        about = dump_line({"judge": judge.identity()})
        (folder / name / f"verdicts-{judge.name}.jsonl").write_bytes(about + b"".join(lines))


def _line(system: str, verdict: Verdict) -> dict[str, Any]:
    return {
        "system": system,
        "id": verdict.id,
        "scores": dict(verdict.scores),
        "status": verdict.status,
        "why": verdict.why,
        "reason": verdict.reason,
        "agreement": verdict.agreement,
    }


def judged(folder: Path, what: Scorable) -> dict[str, Any]:
    """What judges found of a task, by judge and system: figures with intervals, how many judgments failed, agreement.

    A missing answer scores 0 (its contradictions, which nobody could count, are left out); a failed judgment is left
    out and counted.
    """
    found: dict[str, Any] = {}
    for path in sorted((folder / what.task.name).glob("verdicts-*.jsonl")):
        name = path.stem.removeprefix("verdicts-")
        first, *lines = map(json.loads, path.read_bytes().splitlines())
        resampling = Resampling([group_of(sample, what.task.group) for sample in what.samples], what.seed)
        systems: dict[str, Any] = {}
        for system in what.systems:
            verdicts = {line["id"]: line for line in lines if line["system"] == system.name}
            if verdicts:
                systems[system.name] = _figures(name, verdicts, what.samples, resampling)
        found[name] = {"judge": first["judge"], "systems": systems}
    return found


def _figures(
    judge: str, verdicts: Mapping[str, Any], samples: Sequence[Sample], resampling: Resampling
) -> dict[str, Any]:
    names = SCALES.get(judge) or tuple(sorted({name for line in verdicts.values() for name in line["scores"]}))
    values = np.full((len(samples), len(names)), np.nan)
    for row, sample in enumerate(samples):
        line = verdicts.get(sample.id)
        if line is None or line["why"] == NO_ANSWER:
            values[row] = [np.nan if name == "contradiction" else 0.0 for name in names]
        else:
            values[row] = [line["scores"].get(name, np.nan) for name in names]
    measure = means(names, values)
    agreed = [line["agreement"] for line in verdicts.values() if line["agreement"] is not None]
    figures = resampling.intervals(measure)
    return {
        "figures": {n: {"value": f.value, "low": f.low, "high": f.high} for n, f in figures.items()},
        "missing": sum(line["why"] == NO_ANSWER for line in verdicts.values()),
        "failed": sum(line["status"] == "failed" and line["why"] != NO_ANSWER for line in verdicts.values()),
        "agreement": float(np.mean(agreed)) if agreed else None,
    }
