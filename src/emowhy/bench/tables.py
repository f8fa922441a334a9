"""Results as Markdown: a table a task, percent with 95 % intervals, and what a reader must know beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_NOT_SHARES = ("labels_per_gold", "vote_cross_entropy")
_KINDS = {"asked": "", "variant": "arm", "control": "control"}


def markdown(results: Mapping[str, Any]) -> str:
    """results.md from the content of results.json."""
    parts = ["# Results", ""]
    about = f"emowhy {results['version']}, taxonomy tables {results['taxonomy']}, seed {results['seed']}."
    parts += [f"{about} Percent with 95 % bootstrap intervals; a missing answer counts as wrong.", ""]
    for name, task in results["tasks"].items():
        parts += _task(name, task)
    return "\n".join(parts).rstrip() + "\n"


def _task(name: str, task: Mapping[str, Any]) -> list[str]:
    systems = task["systems"]
    heads = first_figures(task)
    rows = [["system", "", *(figure for _, figure in heads), "answered", "lenient", "tokens"]]
    for system, found in systems.items():
        cells = [number(figures_of(found, key, figure), figure) for key, figure in heads]
        rates = found["rates"]
        answered = f"{100 * rates['ok'] / task['n']:.1f}" if task["n"] else "–"
        rows.append([system, _KINDS[found["kind"]], *cells, answered, str(rates["lenient"]), _tokens(found, task)])
    lines = [f"## {task['title']} (`{name}`)", ""]
    groups = f" in {task['groups']} groups" if task["groups"] != task["n"] else ""
    lines += [f"Split {task['split']}, {task['n']} rows{groups}; input: {task['condition']}; version {task['version']} "
              f"({task['hash']}); licence: {task['licence']}.", ""]  # fmt: skip
    lines += [*table_lines(rows), ""]
    if task["comparisons"]:
        lines += [*table_lines(_compared(task["comparisons"])), ""]
    for judge, found in task.get("judges", {}).items():
        lines += [*table_lines(_judged(judge, found)), ""]
    lines += [f"* {note}" for note in task_notes(task)]
    return [*lines, ""]


def _tokens(system: Mapping[str, Any], task: Mapping[str, Any]) -> str:
    """Tokens written for a row, the price of reasoning; a control writes none."""
    if system["kind"] == "control" or not task["n"]:
        return "–"
    return f"{system['tokens']['completion'] / task['n']:.0f}"


def first_figures(task: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The first figure of every metric that was used."""
    found: dict[str, str] = {}
    for system in task["systems"].values():
        for key, figures in system["figures"].items():
            found.setdefault(key, next(iter(figures)))
    return list(found.items())


def figures_of(system: Mapping[str, Any], key: str, figure: str) -> Mapping[str, Any] | None:
    """One figure of a system, where it has it."""
    found: Mapping[str, Any] | None = system["figures"].get(key, {}).get(figure)
    return found


def is_share(name: str) -> bool:
    """Whether a figure is a share (or a correlation), which is told in percent."""
    return name not in _NOT_SHARES and not name.startswith("error_")


def number(figure: Mapping[str, Any] | None, name: str) -> str:
    """A figure with its interval, in percent where it is a share."""
    if figure is None or figure["value"] is None:
        return "–"
    scale, digits = (100, 1) if is_share(name) else (1, 2)
    value = f"{scale * figure['value']:.{digits}f}"
    if figure.get("low") is None:
        return value
    return f"{value} [{scale * figure['low']:.{digits}f}, {scale * figure['high']:.{digits}f}]"


def _compared(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    table = [["against", "difference", "p (Holm)", "rescued", "harmed", "net gain"]]
    for row in rows:
        difference = {"value": row["difference"], "low": row["low"], "high": row["high"]}
        net = {"value": row.get("net_gain"), "low": row.get("net_low"), "high": row.get("net_high")}
        table.append(
            [
                f"{row['system']} − {row['against']}",
                number(difference, row["figure"]),
                f"{row.get('p_holm', row['p']):.3f}",
                str(row.get("rescued", "–")),
                str(row.get("harmed", "–")),
                number(net, "net") if "net_gain" in row else "–",
            ]
        )
    return table


def _judged(judge: str, found: Mapping[str, Any]) -> list[list[str]]:
    scale = 100 if judge == "atomic" else 1
    names = list(dict.fromkeys(name for one in found["systems"].values() for name in one["figures"]))
    table = [[f"judge {judge}", *names, "failed", "agreement"]]
    for system, one in found["systems"].items():
        cells = [_scaled(one["figures"][name], scale) for name in names]
        agreement = "–" if one["agreement"] is None else f"{100 * one['agreement']:.1f}"
        table.append([system, *cells, str(one["failed"]), agreement])
    return table


def _scaled(figure: Mapping[str, Any], scale: int) -> str:
    if figure["value"] is None:
        return "–"
    value, low, high = (scale * (figure[name] or 0.0) for name in ("value", "low", "high"))
    return f"{value:.1f} [{low:.1f}, {high:.1f}]"


def _without(task: Mapping[str, Any]) -> str:
    """Each system's headline without the near-duplicates; empty where nobody has one."""
    key, figure = next(iter(first_figures(task)), ("", ""))
    found = {name: figures_of(system, key, figure) for name, system in task["systems"].items()}
    told = [
        f"{100 * one['without_near_duplicates']:.1f} ({name})"
        for name, one in found.items()
        if one and one.get("without_near_duplicates") is not None
    ]
    return f"; without them {figure} is {', '.join(told)}" if told else ""


def task_notes(task: Mapping[str, Any]) -> Iterable[str]:
    """What a reader of a task's figures must know."""
    if task["rejected"]:
        yield f"{task['rejected']} rows could not be read and are not scored."
    if task["fitted"]:
        yield f"Controls fitted on: {task['fitted']['on']}."
    if task["candidates"]:
        shares = ", ".join(f"{100 * task['candidates'][f'recall_{k}']:.1f}" for k in (1, 3, 5))
        yield f"A gold label is among the specialists' first 1, 3, 5 in {shares} % of the rows: the ceiling of hints."
    if task["near_duplicates"]:
        yield f"{task['near_duplicates']} rows are near-duplicates of training texts{_without(task)}."
    yield from (f"{name} was not scored: {why}." for name, why in task["skipped"].items())
    yield from task["notes"]
    for system, found in task["systems"].items():
        yield from (f"{system}: {note}." for note in found["notes"])


def table_lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table; the first row is its head."""
    shown = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = ["| " + " | ".join(row) + " |" for row in shown]
    return [lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]
