"""Two runs on the same rows: every figure's difference, label by label, and the rows that changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from emowhy.bench.folder import ASKED, TaskFolder, load, read_json, write_json
from emowhy.bench.measure import Measure, Resampling
from emowhy.bench.metrics.closed import label_table
from emowhy.bench.score import Scorable, System, case_of, gains
from emowhy.bench.scorers import Scorer, find_scorer
from emowhy.bench.scorers.labels import label_counts
from emowhy.bench.stats import holm, paired_difference
from emowhy.bench.tables import number, table_lines
from emowhy.errors import RunError, UsageError, nearest
from emowhy.report import About, Block, Cell, Notes, Table, write_page
from emowhy.report.sound import sound
from emowhy.rows import sample_row
from emowhy.types import Explanation

_NAMED = 5


def compare_runs(
    a: Path, b: Path, system_a: str | None = None, system_b: str | None = None, out: Path | None = None
) -> dict[str, Any]:
    """b − a on every task that both runs have; with `out`, compare.json and report.html too.

    Raises RunError where a task's rows are not the same ones (those missing are named) or were scored under another
    condition, UsageError where the runs share no task or have no such system.
    """
    tasks_a, tasks_b = read_json(a / ASKED)["tasks"], read_json(b / ASKED)["tasks"]
    shared = [name for name in tasks_a if name in tasks_b]
    if not shared:
        raise UsageError("the runs share no task", f"{a}: {', '.join(tasks_a)}; {b}: {', '.join(tasks_b)}")
    found: dict[str, Any] = {"a": str(a), "b": str(b), "tasks": {}}
    pages: list[_Pair] = []
    for name in shared:
        pair = _Pair(name, a, b, _system(tasks_a[name], system_a, a), _system(tasks_b[name], system_b, b))
        pages.append(pair)
        found["tasks"][name] = pair.result()
    headlines = [next(iter(task["figures"].values())) for task in found["tasks"].values() if task["figures"]]
    for figure, p in zip(headlines, holm([figure["p"] for figure in headlines]), strict=True):
        figure["p_holm"] = p
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_json(out / "compare.json", found)
        _page(out / "report.html", found, pages)
    return found


def _system(about: Mapping[str, Any], wanted: str | None, folder: Path) -> str:
    systems = list(about["systems"])
    if wanted is not None and wanted not in systems:
        raise UsageError(f"{folder} has no system {wanted!r}", nearest(wanted, systems))
    return wanted or systems[0]


class _Pair:
    """One task in two runs: the same rows, two systems."""

    def __init__(self, task: str, a: Path, b: Path, system_a: str, system_b: str) -> None:
        self.task, self.folders = task, (a / task, b / task)
        self.names = (system_a, system_b)
        self.shown = _distinct(a, b, system_a, system_b)
        first, second = load(a, task), load(b, task)
        _check_same(task, first, second)
        order = {sample.id: place for place, sample in enumerate(second.samples)}
        self.what = replace(first, systems=())
        mine = next(s for s in first.systems if s.name == system_a)
        theirs = next(s for s in second.systems if s.name == system_b)
        rows = tuple(theirs.answers.rows[order[sample.id]] for sample in first.samples)
        self.systems = (mine, System(theirs.name, theirs.kind, replace(theirs.answers, rows=rows)))

    def result(self) -> dict[str, Any]:
        """Every figure of both, their difference, and what changed."""
        cases = [case_of(self.what, system) for system in self.systems]
        resampling = Resampling([_group(self.what, place) for place in range(len(self.what.samples))], self.what.seed)
        figures: dict[str, Any] = {}
        found: dict[str, Any] = {
            "n": len(self.what.samples),
            "condition": self.what.task.condition,
            "systems": list(self.shown),
            "figures": figures,
        }
        for key in self.what.task.metrics:
            scorer = find_scorer(key)
            if any(scorer.applies(case) is not None for case in cases):
                continue
            before, after = (scorer.measure(case) for case in cases)
            figures |= _differences(key, before, after, resampling)
            if scorer.right and "rescued" not in found:
                found |= _changes(scorer, before, after, resampling)
        if cases[0].labels and any(gold.emotions for gold in cases[0].golds()):
            tables = [label_table(label_counts(case)).f1 for case in cases]
            support = label_counts(cases[0]).gold
            found["labels"] = [
                {"label": label, "gold": int(n), "a": float(x), "b": float(y)}
                for label, n, x, y in zip(cases[0].labels, support, *tables, strict=True)
            ]
        found["changed"] = [sample.id for sample, *_ in self.changed()]
        return found

    def changed(self) -> Iterator[tuple[Any, Explanation | None, Explanation | None]]:
        """The samples that were answered differently, with both answers."""
        for sample, one, other in zip(self.what.samples, *(s.answers.rows for s in self.systems), strict=True):
            if _told(one) != _told(other):
                yield sample, one, other


def _distinct(a: Path, b: Path, system_a: str, system_b: str) -> tuple[str, str]:
    """What two systems are called, told apart by their run where they have the same name."""
    if system_a != system_b:
        return system_a, system_b
    return f"{a.name}/{system_a}", f"{b.name}/{system_b}"


def _check_same(task: str, a: Scorable, b: Scorable) -> None:
    if a.task.condition != b.task.condition:
        raise RunError(
            f"{task}: one run was given {a.task.condition}, the other {b.task.condition}", "compare like with like"
        )
    ids_a, ids_b = ({sample.id for sample in what.samples} for what in (a, b))
    if ids_a != ids_b:
        only = sorted(ids_a ^ ids_b)
        named = ", ".join(only[:_NAMED]) + (" …" if len(only) > _NAMED else "")
        raise RunError(
            f"{task}: {len(only)} rows are in one run only: {named}",
            "run both with the same --sample, --seed and split",
        )
    gold_b = {sample.id: sample.gold for sample in b.samples}
    other = [sample.id for sample in a.samples if sample.gold != gold_b[sample.id]]
    if other:
        raise RunError(f"{task}: {len(other)} rows have another gold: {', '.join(other[:_NAMED])}", "use one version")


def _group(what: Scorable, place: int) -> str:
    from emowhy.bench.task import group_of

    return group_of(what.samples[place], what.task.group)


def _told(answer: Explanation | None) -> Any:
    """What makes two answers different: status, labels, quotes, other answers. Wording alone does not."""
    if answer is None or answer.status != "ok":
        return None if answer is None else answer.status
    quotes = [(cause.turn, cause.observation, cause.quote) for cause in answer.causes]
    return [emotion.label for emotion in answer.emotions], quotes, dict(answer.answers)


def _differences(key: str, before: Measure, after: Measure, resampling: Resampling) -> dict[str, Any]:
    totals = before.total(), after.total()
    return {
        f"{key}.{name}": {
            "a": totals[0][name],
            "b": totals[1][name],
            "difference": difference.value,
            "low": difference.low,
            "high": difference.high,
            "p": p,
        }
        for name, (difference, p) in paired_difference(before, after, resampling).items()
    }


def _changes(scorer: Scorer, before: Measure, after: Measure, resampling: Resampling) -> dict[str, Any]:
    right = scorer.right or ""
    return gains(before.rows[right], after.rows[right], resampling)


# Told -----------------------------------------------------------------------------------------------------------


def told(found: Mapping[str, Any]) -> str:
    """A comparison as Markdown."""
    lines: list[str] = ["# Comparison", ""]
    for name, task in found["tasks"].items():
        a, b = task["systems"]
        lines += [f"## {name}: {b} against {a}", "", f"{task['n']} rows; input: {task['condition']}.", ""]
        rows = [["figure", a, b, "difference", "p"]]
        for figure, values in task["figures"].items():
            short = figure.partition(".")[2]
            one, other = (number({"value": values[side]}, short) for side in ("a", "b"))
            difference = {"value": values["difference"], "low": values["low"], "high": values["high"]}
            rows.append([figure, one, other, number(difference, short), f"{values['p']:.3f}"])
        lines += [*table_lines(rows), ""]
        if "rescued" in task:
            net = {"value": task["net_gain"], "low": task["net_low"], "high": task["net_high"]}
            exact = f"; McNemar p {task['mcnemar_p']:.3f}" if "mcnemar_p" in task else ""
            lines.append(
                f"{task['rescued']} rows are better in {b}, {task['harmed']} worse: net {number(net, 'net')}{exact}."
            )
        lines += [f"{len(task['changed'])} rows were answered differently.", ""]
    return "\n".join(lines).rstrip() + "\n"


def _page(path: Path, found: Mapping[str, Any], pairs: Sequence[_Pair]) -> None:
    sections: list[Block] = []
    for name, task in found["tasks"].items():
        a, b = task["systems"]
        table = [
            [figure, _share(v["a"]), _share(v["b"]), _change(v), f"{v['p']:.3f}"]
            for figure, v in task["figures"].items()
        ]
        sections.append(
            Table(f"{name}: {b} against {a}", ["Figure", a, b, "Difference", "p"], table, f"{task['n']:,} rows")
        )
        if labels := [row for row in task.get("labels", ()) if row["gold"] or row["a"] or row["b"]]:
            rows = [[row["label"], row["gold"], row["a"], row["b"]] for row in labels]
            sections.append(Table(f"F1 by label ({name})", ["Label", "Gold", a, b], rows, labels=True))
        if "rescued" in task:
            said = f"{task['rescued']} rows are better in {b}, {task['harmed']} worse."
            sections.append(
                Notes([said, f"{len(task['changed'])} rows were answered differently; they are below."], name)
            )
    changed = [row for pair in pairs for row in _changed_rows(pair)]
    arm = pairs[0].shown[1] if len(pairs) == 1 else "second run"
    write_page(path, "Comparison", sections, changed, About("Rows that were answered differently.", arm, "both runs"))


def _share(value: float | None) -> Cell:
    return None if value is None or not np.isfinite(value) else float(value)


def _change(values: Mapping[str, Any]) -> Cell:
    if values["difference"] is None:
        return None
    return values["difference"], values["low"], values["high"]


def _changed_rows(pair: _Pair) -> Iterator[dict[str, Any]]:
    """The second run's rows that differ, each with the first run's beside it."""
    rows = [{row["id"]: row for row in TaskFolder(f).rows(n)} for f, n in zip(pair.folders, pair.names, strict=True)]
    for sample, *_ in pair.changed():
        one, other = (
            sound(found.get(sample.id) or {"id": sample.id, "status": "missing", "sample": sample_row(sample)})
            for found in rows
        )
        yield {**other, "arm": pair.shown[1], "other": {**one, "name": pair.shown[0]}, "groups": {"task": pair.task}}
