"""Asking a finished run's system again, on edited rows: does it mean what it quotes, does it follow its hints?

RUN/TASK/SYSTEM-probes/ARM/     a run directory for each way of editing the rows; the same command resumes
RUN/TASK/probes.json            what came out, by system and by how the words and the hints were treated
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from emowhy.batch import Watcher, explain_rows
from emowhy.bench.answers import explanation_of, join, plain
from emowhy.bench.folder import ASKED, TaskFolder, read_json, write_json
from emowhy.bench.measure import Resampling, means
from emowhy.bench.probe_kinds import PROBES
from emowhy.bench.probe_plan import Arm, Plan, Said, Setup, make_plan
from emowhy.bench.tables import number, table_lines
from emowhy.bench.task import Task, group_of
from emowhy.errors import RunError, UsageError, nearest
from emowhy.prompt import load_strategy
from emowhy.reasoner import Reasoner
from emowhy.run import MANIFEST, Run, read_manifest, read_rows
from emowhy.specialists import Specialist
from emowhy.types import Clue, Sample

RESULTS = "probes.json"
_SAME = ("strategy", "labels", "hints", "scores", "max_tokens", "temperature", "seed", "thinking", "votes", "coverage")


@dataclass(frozen=True)
class ProbeAsk:
    """What is to be probed: a system of a task of a benchmark's folder (None: the first), and how its rows are edited
    (see `Setup`). `prompts` and `engine_options` are those that the run was made with: it does not keep them."""

    folder: Path
    task: str | None = None
    system: str | None = None
    seed: int = 0
    limit: int | None = None
    draws: int = 3
    mask: bool = False
    frozen: bool = False
    prompts: Path | None = None
    engine_options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.draws < 1:
            raise UsageError(f"draws must be at least 1, not {self.draws}", "--draws 3 is usual")


class Replay(Specialist):
    """Clues that are known beforehand, by the rows' ids. `edit` says in words what was done to them or the rows."""

    name = "replay"
    kind = "emotion"

    def __init__(self, clues: Mapping[str, Sequence[Clue]], edit: str) -> None:
        self._clues, self._edit = clues, edit

    def find_clues(self, samples: Sequence[Sample], clues: Sequence[Sequence[Clue]]) -> list[list[Clue]]:
        return [list(self._clues.get(sample.id, ())) for sample in samples]

    def identity(self) -> Mapping[str, Any]:
        return {"name": self.name, "edit": self._edit}


@dataclass(frozen=True)
class _Target:
    """The system to probe: what it was asked with, the rows, and its answers to them."""

    place: TaskFolder
    system: str
    bench: Mapping[str, Any]
    asked: Mapping[str, Any]
    task: Task
    samples: Sequence[Sample]
    answers: Said


def probe_run(ask: ProbeAsk, watch: Watcher) -> dict[str, Any]:
    """Ask a system again on edited rows and score what it says; the same command goes on where it ended.

    Raises RunError where the system cannot be made again as it was (templates, weights or settings differ), UsageError
    for an unknown task or system, and for a system without a model.
    """
    target = _find_target(ask)
    reasoner = reload_reasoner(target.asked, target.bench, ask.prompts, ask.engine_options)
    try:
        setup = Setup(reasoner.taxonomy.labels, ask.seed, ask.draws, ask.mask, ask.frozen)
        wanted = [probe for probe in PROBES if not probe.misleads or target.asked["hints"] != "none"]
        plans = [make_plan(probe, target.samples, target.answers, setup) for probe in wanted]
        told = {plan.probe.name: _ask(plan, reasoner, target, setup, watch) for plan in plans}
    finally:
        reasoner.engine.close()
    treated = f"words {setup.done}, hints {'frozen' if ask.frozen else 'recomputed'}"
    result = {"seed": ask.seed, "draws": ask.draws, "rows": len(target.samples), "probes": told}
    path = target.place.path / RESULTS
    kept = read_json(path) if path.is_file() else {}
    kept[target.system] = dict(sorted({**kept.get(target.system, {}), treated: plain(result)}.items()))
    write_json(path, dict(sorted(kept.items())))
    return {"task": target.task.name, "system": target.system, "treated": treated, **kept[target.system][treated]}


def _find_target(ask: ProbeAsk) -> _Target:
    bench = read_json(ask.folder / ASKED)
    tasks = bench["tasks"]
    name = _known(ask.task, list(tasks), f"{ask.folder} has no task")
    asked = [system for system, kind in tasks[name]["systems"].items() if kind != "control"]
    system = _known(ask.system, asked, f"{name} has no system that asked a model")
    place = TaskFolder(ask.folder / name)
    if not (place.path / system).is_dir():
        raise UsageError(f"{system} is a file of answers: there is no model to ask again", "probe an own run")
    made = read_manifest(place.path / system).get("asked", {})
    if lacking := sorted({"templates", *_SAME} - made.keys()):
        raise RunError(f"{place.path / system}/{MANIFEST} does not say: {', '.join(lacking)}", "make the run anew")
    samples = place.samples()[: ask.limit]
    return _Target(place, system, bench, made, place.task(), samples, place.answers(system, samples).scored)


def asked_engine(folder: Path) -> str:
    """The engine that a benchmark run was made with, by its name. Raises RunError where there is no such run."""
    return str(read_json(folder / ASKED)["engine"])


def _known(wanted: str | None, names: Sequence[str], lacking: str) -> str:
    if not names or (wanted is not None and wanted not in names):
        what = f"{lacking} {wanted!r}" if wanted is not None else lacking
        raise UsageError(what, nearest(wanted or "", names) if names else "emowhy bench run makes one")
    return wanted or names[0]


def reload_reasoner(
    asked: Mapping[str, Any], bench: Mapping[str, Any], prompts: Path | None, engine_options: Mapping[str, Any]
) -> Reasoner:
    """The reasoner that a system was made with, from its run.json (`asked`) and the benchmark's bench.json.

    Raises RunError where templates, weights or settings are not what they were.
    """
    if load_strategy(asked["strategy"], prompts).hash != asked["templates"]:
        raise RunError(
            f"the templates of {asked['strategy']!r} are not those that the run was made with",
            "name its folder with --prompts, put the old templates back, or make the run anew",
        )
    kept = {"base_url": asked["base_url"]} if "base_url" in asked else {}
    reasoner = Reasoner.load(
        engine=bench["engine"],
        model=asked.get("model"),
        adapter=asked.get("adapter") or "none",
        prompts=prompts,
        specialists=() if asked["hints"] == "none" else bench["specialists"],
        engine_options={**kept, **engine_options},
        **{name: asked[name] for name in _SAME},
    )
    found = json.loads(json.dumps(reasoner.identity()))
    changes = [
        f"{key}: {asked.get(key)!r} → {found.get(key)!r}"
        for key in sorted({*asked, *found})
        if asked.get(key) != found.get(key)
    ]
    if changes:
        reasoner.engine.close()
        raise RunError(
            "what would be asked is not what the run was made with:\n    " + "\n    ".join(changes),
            "the same weights, versions and --engine-arg as then, or make the run anew",
        )
    return reasoner


# One probe ------------------------------------------------------------------------------------------------------


def _ask(plan: Plan, reasoner: Reasoner, target: _Target, setup: Setup, watch: Watcher) -> dict[str, Any]:
    said = [_ask_arm(arm, reasoner, target, watch) for arm in plan.arms]
    values = np.full((len(plan.rows), len(plan.probe.figures)), np.nan)
    for number_of_row, row in enumerate(plan.rows):
        edits = [arm.edits[row.sample.id] for arm in plan.arms]
        values[number_of_row] = plan.probe.value(row, edits, [answers[number_of_row] for answers in said], setup)
    measure = means(plan.probe.figures, values)
    groups = [group_of(row.sample, target.task.group) for row in plan.rows]
    intervals = Resampling(groups, setup.seed).intervals(measure)
    answered = np.array([all(answers[k] is not None for answers in said) for k in range(len(plan.rows))], dtype=bool)
    over_answered = measure.total(answered)
    return {
        "title": plan.probe.title,
        "n": len(plan.rows),
        "left_out": plan.left_out,
        "missing": {arm.name: sum(a is None for a in answers) for arm, answers in zip(plan.arms, said, strict=True)},
        "figures": {
            name: {
                "value": figure.value,
                "low": figure.low,
                "high": figure.high,
                "answered": over_answered[name],
                "n": int(np.isfinite(measure.rows[name]).sum()),
            }
            for name, figure in intervals.items()
        },
    }


def _ask_arm(arm: Arm, reasoner: Reasoner, target: _Target, watch: Watcher) -> Said:
    """The answers to an arm's rows, in their order, from its run directory or from the model."""
    if not arm.edits:
        return ()
    if arm.replays:
        clues = {id: edit.clues for id, edit in arm.edits.items()}
        reasoner = replace(reasoner, specialists=(Replay(clues, arm.edit),))
    folder = target.place.path / f"{target.system}-probes" / arm.name
    samples = [edit.sample for edit in arm.edits.values()]
    watch.note(f"{target.task.name}, {target.system}, {arm.edit}: {len(samples)} rows")
    try:
        with Run(folder, {**reasoner.identity(), "probe": arm.edit}, {"input": str(target.place.path)}) as run:
            explain_rows(reasoner, samples, run, watch, total=len(samples))
    except RunError as error:
        raise RunError(
            error.message, f"if the run itself was made anew, remove {folder.parent} and probe it"
        ) from error
    return join(samples, {row["id"]: explanation_of(row) for row in read_rows(folder)}).scored


# Told -----------------------------------------------------------------------------------------------------------


def told(found: Mapping[str, Any]) -> str:
    """What `probe_run` gave, as Markdown."""
    rows = [["probe", "figure", "%", "answered rows", "n"]]
    notes = []
    for name, probe in found["probes"].items():
        for figure, value in probe["figures"].items():
            alone = number({"value": value["answered"]}, figure)
            rows.append([name, figure, number(value, figure), alone, str(value["n"])])
        notes += [f"{name}: {n} rows left out: {why}." for why, n in probe["left_out"].items()]
        notes += [f"{name}: {n} of {probe['n']} answers missing in {arm}." for arm, n in probe["missing"].items() if n]
    if "wrong_label" not in found["probes"]:
        notes.append("No wrong hints: the system was given none.")
    rule = "A missing answer flips nothing, keeps nothing and follows nothing."
    about = f"{found['rows']} rows; {found['treated']}; control draws: {found['draws']}; seed {found['seed']}. {rule}"
    lines = [f"# Probes of {found['system']} on {found['task']}", "", about, "", *table_lines(rows), ""]
    return "\n".join([*lines, *(f"* {note}" for note in notes)]).rstrip() + "\n"
