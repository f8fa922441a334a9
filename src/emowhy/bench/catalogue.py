"""The tasks there are, and whether they can be trusted: files, ids, and gold answers that score 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from emowhy.bench.metrics.labels import group
from emowhy.bench.scorers import Case, find_scorer
from emowhy.bench.task import Task, find_task, read_split
from emowhy.errors import EmowhyError, MissingError
from emowhy.taxonomy import find_taxonomy

_NAMED = 3
_BROUGHT = ("wheel", "groups", "clues")  # they need what the user may lack: the official files, word groups, a package
_ROUNDING = 1e-6  # of cosines in single precision


def describe(name: str, data: Path | None) -> dict[str, Any]:
    """A task in a line: what it is, what it scores, how many rows, and where its files are or are expected."""
    task, path = find_task(name)
    licence, source = task.terms()
    found: dict[str, Any] = {
        "task": name,
        "title": task.title,
        "split": task.split,
        "language": task.language,
        "condition": task.condition,
        "metrics": list(task.metrics),
        "licence": licence,
        "source": source,
        "rows": None,
    }
    try:
        found["rows"] = len(read_split(task, path, data, task.split).samples)
        found["files"] = "there"
    except MissingError as error:
        found["files"] = f"Expects {_expected(task)}, from {source}" if source else error.message
    except EmowhyError as error:
        found["files"] = error.message
    return found


def _expected(task: Task) -> str:
    loader = task.loader()
    return f"{loader.folder or loader.name}/{loader.splits[task.split][0]}" if loader else str(task.file)


def check(task: Task, path: Path, data: Path | None) -> dict[str, Any]:
    """What is in the files of a task, in lines, and whether all of it is `good`.

    Raises MissingError where the files are not there, InputError where they cannot be read at all.
    """
    rows = read_split(task, path, data, task.split)
    lines = [f"{len(rows.samples):,} rows of {task.split}, {len(rows.rejected):,} rejected"]
    places = [f"line {row.line}" if row.line else f"id {row.id}" for row in rows.rejected[:_NAMED]]
    lines += [f"rejected: {place}: {row.reason}" for place, row in zip(places, rows.rejected, strict=False)]
    if task.reference:
        try:
            lines.append(f"{len(read_split(task, path, data, task.reference).samples):,} rows of {task.reference}")
        except EmowhyError as error:
            lines.append(f"no reference: {error.message}")
    labels = find_taxonomy(task.labels).labels
    golds = [set(s.gold.emotions) for s in rows.samples if s.gold and s.gold.emotions is not None]
    strangers = sorted(set().union(*golds) - set(labels)) if labels and golds else []
    if strangers:
        lines.append(f"gold labels outside {task.labels}: {', '.join(strangers)}")
    loose = [s.id for s in rows.samples if s.gold and any(c.start is None for c in s.gold.causes or ())]
    if loose:
        lines.append(f"{len(loose):,} rows have a gold quote that is not verbatim: {', '.join(loose[:_NAMED])} …")
    faults = _gold_faults(task, rows.samples, labels)
    lines += faults or ["the gold answers score 1 wherever they can"]
    return {"task": task.name, "good": not faults, "lines": lines}


def _gold_faults(task: Task, samples: Any, labels: tuple[str, ...]) -> list[str]:
    """Figures that are not 1 for the gold answers, with the first row to blame."""
    faults = []
    for name in task.metrics:
        scorer = find_scorer(name)
        answers = [scorer.gold_answer(sample) for sample in samples]
        case = Case(samples, answers, labels, task.single, task.language)
        if (why := scorer.applies(case)) is not None:
            faults += [] if name in _BROUGHT else [f"{name} cannot score these rows: {why}"]
            continue
        measure = scorer.measure(case)
        total = measure.total()
        for figure in scorer.perfect:
            if figure in total and total[figure] == total[figure] and abs(total[figure] - 1) > _ROUNDING:
                faults.append(
                    f"the gold answers have {name}.{figure} {total[figure]:.4f}, not 1{_blame(measure, figure, case)}"
                )
    return faults


def _blame(measure: Any, figure: str, case: Case) -> str:
    for row, value in enumerate(measure.rows.get(figure, ())):
        if value < 1 - _ROUNDING:
            words = group(case.golds()[row].emotions or (), "canonical")
            return f" (row {case.samples[row].id}: {value:.3f}; {', '.join(sorted(words))})"
    return ""
