"""The report of a benchmark: every table with its intervals, then the rows of the systems that were asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from emowhy.bench.folder import TaskFolder, read_json
from emowhy.bench.tables import figures_of, first_figures, is_share, task_notes
from emowhy.report import About, Block, Cell, Facts, Interval, Notes, Table, write_page
from emowhy.report.agreement import Agreement
from emowhy.report.rows import right
from emowhy.report.sound import sound
from emowhy.rows import sample_row

_FIGURES = 5  # in one table: more are wider than the page
_CONFUSED = 1  # tasks whose label table and confusion are shown; more would bury the results


def write_report(folder: Path, results: Mapping[str, Any]) -> Path:
    """Write `report.html` of a run that has been scored."""
    sections: list[Block] = []
    for name, task in results["tasks"].items():
        sections += [*task_blocks(name, task), *_probes(folder / name)]
    if len(results["tasks"]) <= _CONFUSED:
        agreement = Agreement()
        for row in _rows(folder, results["tasks"]):
            agreement.add(row)
        sections += agreement.blocks()[1:]  # the first repeats the table above
    asked = {key: value for key, value in results["asked"].items() if value not in (None, [])}
    about = f"emowhy {results['version']}, taxonomy tables {results['taxonomy']}"
    sections.append(Facts("Asked for", [(key, _plain(value)) for key, value in asked.items()], "folded", about))
    rows = list(_rows(folder, results["tasks"]))
    lead = "Missing answers count as wrong. Bars are 95% bootstrap intervals, paired over the same resamples."
    return write_page(
        folder / "report.html",
        f"Benchmark {folder.absolute().name}",
        sections,
        rows,
        About(lead, everything="each system's own folder"),
    )


def task_blocks(name: str, task: Mapping[str, Any]) -> list[Block]:
    """A task's results as blocks: all systems, their comparisons, and what must be known."""
    heads = first_figures(task)
    groups = f" in {task['groups']:,} groups" if task["groups"] != task["n"] else ""
    note = f"{task['split']}, {task['n']:,} rows{groups}; input: {task['condition']}; licence: {task['licence']}"
    blocks: list[Block] = []
    for at in range(0, len(heads), _FIGURES):
        title = f"{task['title']} ({name})" + (", continued" if at else "")
        blocks.append(_systems(title, task, heads[at : at + _FIGURES], "" if at else note))
    if task["comparisons"]:
        blocks.append(_comparisons(name, task["comparisons"]))
    for judge, verdicts in task.get("judges", {}).items():
        blocks.append(_judged(name, judge, verdicts))
    notes = list(task_notes(task))
    return [*blocks, *([Notes(notes, f"About {name}")] if notes else [])]


def _systems(title: str, task: Mapping[str, Any], heads: Sequence[tuple[str, str]], note: str) -> Table:
    rows = [
        [
            system if found["kind"] == "asked" else f"{system} ({_KINDS[found['kind']]})",
            *(interval(figures_of(found, key, figure), figure) for key, figure in heads),
            found["rates"]["ok"] / task["n"] if task["n"] else None,
        ]
        for system, found in task["systems"].items()
    ]
    return Table(title, ["System", *(figure for _, figure in heads), "Answered"], rows, note)


_KINDS = {"variant": "arm", "control": "control"}


def _comparisons(name: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    table: list[list[Cell]] = []
    for row in rows:
        net = {"value": row.get("net_gain"), "low": row.get("net_low"), "high": row.get("net_high")}
        table.append(
            [
                row["against"],
                interval({"value": row["difference"], **row}, row["figure"]),
                f"{row['p_holm']:.3f}",
                row.get("rescued"),
                row.get("harmed"),
                interval(net, "net_gain"),
            ]
        )
    columns = ("Against", f"Difference in {rows[0]['figure']}", "p (Holm)", "Rescued", "Harmed", "Net gain")
    note = "Net gain: rescued less harmed rows, as a share of all. p is corrected over all comparisons of this page."
    return Table(f"{rows[0]['system']} against the others ({name})", columns, table, note)


def _judged(name: str, judge: str, found: Mapping[str, Any]) -> Table:
    """Verdicts with their intervals. A legacy score is a number from 1 to 10, the others are shares."""
    names = list(dict.fromkeys(figure for one in found["systems"].values() for figure in one["figures"]))
    rows: list[list[Cell]] = []
    for system, one in found["systems"].items():
        cells: list[Cell] = []
        for figure in names:
            value, low, high = (one["figures"][figure][key] for key in ("value", "low", "high"))
            most = 10.0 if judge == "emer_legacy" else 1.0
            cells.append(None if value is None else Interval(value, low, high, most))
        rows.append([system, *cells, one["failed"], one["agreement"]])
    model = found["judge"]["engine"].get("model")
    note = (
        f"Judge: {model}, prompts {found['judge']['prompts']}. Failed judgments are left out, missing answers score 0."
    )
    return Table(f"Judge {judge} ({name})", ["System", *names, "Failed", "Agreement"], rows, note)


def _probes(place: Path) -> list[Block]:
    """What `emowhy bench probe` has found of a task's systems."""
    if not (place / "probes.json").is_file():
        return []
    blocks: list[Block] = []
    for system, ways in read_json(place / "probes.json").items():
        for way, found in ways.items():
            rows: list[list[Cell]] = [
                [f"{name}: {figure}", interval(value, figure), value["n"]]
                for name, probe in found["probes"].items()
                for figure, value in probe["figures"].items()
            ]
            blocks.append(Table(f"Probes of {system} ({place.name})", ["Probe", "Figure", "Rows"], rows, way))
    return blocks


def interval(figure: Mapping[str, Any] | None, name: str) -> Cell:
    """A figure as a cell: a share with its bar, a number in words."""
    if figure is None or figure["value"] is None:
        return None
    if figure.get("low") is None:
        return float(figure["value"]) if is_share(name) else f"{figure['value']:.2f}"
    if is_share(name):
        return Interval(figure["value"], figure["low"], figure["high"])
    return f"{figure['value']:.2f} [{figure['low']:.2f}, {figure['high']:.2f}]"


def _rows(folder: Path, tasks: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of each task's first system, those without an answer too."""
    for name, task in tasks.items():
        system = next(iter(task["systems"]))
        place = TaskFolder(folder / name)
        said = {row["id"]: row for row in place.rows(system)}
        values = place.scores(system)
        for sample in place.samples():
            row = sound(said.get(sample.id) or {"id": sample.id, "status": "missing", "sample": sample_row(sample)})
            score = values.get(sample.id, {})
            judged = score.get("right")
            row |= {"scores": {k: v for k, v in score.get("scores", {}).items() if v is not None}, "arm": system}
            row["right"] = bool(judged) if judged in (0, 1) else right(row)
            yield {**row, "groups": {"task": name}} if len(tasks) > 1 else row


def _plain(value: Any) -> str:
    return (
        ", ".join("default" if item is None else str(item) for item in value) if isinstance(value, list) else str(value)
    )
