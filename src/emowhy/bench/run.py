"""A benchmark run: rows, control arms, every system's answers, then the scores."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from emowhy.batch import Allowed, Watcher, explain_rows
from emowhy.bench import leaks
from emowhy.bench.answers import Answers, join, read_predictions
from emowhy.bench.controls import (
    MOST_REFERENCE,
    Fitted,
    Rule,
    constant_answer,
    fit_parts,
    fit_rule,
    graded_constant,
    notice,
    own,
    say_clues,
    say_constant,
)
from emowhy.bench.folder import ASKED, TaskFolder, write_json
from emowhy.bench.score import Kind
from emowhy.bench.scorers import Case, find_scorer
from emowhy.bench.task import Rows, Task, draw, read_split
from emowhy.defaults import LOCAL, default_adapter, default_strategy
from emowhy.engines.base import Engine
from emowhy.errors import EmowhyError, MissingError, UsageError, nearest
from emowhy.models import EMBEDDED, find_adapter
from emowhy.prompt import load_strategy
from emowhy.reasoner import Reasoner
from emowhy.run import Run
from emowhy.specialists import DEFAULTS, Specialist, asks_engine, load_specialists
from emowhy.taxonomy import find_taxonomy
from emowhy.types import Clue, Sample

ARMS = ("constant", "specialists", "no_hints", "direct", "base")
"""The control arms: the best constant answer, the specialists alone, the model without hints, without reasoning, and
without its adapter."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way of asking a model: a cell of the grid, or an arm beside it."""

    model: str | None
    strategy: str
    hints: str
    kind: Kind = "asked"
    adapter: str | None = None

    def name(self, several_models: bool, several_adapters: bool = False) -> str:
        """What tables and folders call it; "base" says that a model has no adapter beside one that has."""
        parts = [Path(self.model or "default").name] if several_models else []
        if several_adapters:
            parts.append("base" if self.adapter == "none" else Path(self.adapter or "default").name)
        return "@".join([*parts, f"{self.strategy.replace('/', '_')}-{self.hints}"])


@dataclass(frozen=True)
class Ask:
    """What a benchmark run is asked for. `options` go to `Reasoner.load`, `engine_options` to the engine."""

    out: Path
    data: Path | None = None
    engine: str = "transformers"
    models: Sequence[str | None] = (None,)
    strategies: Sequence[str | None] = (None,)
    hints: Sequence[str] = ("order",)
    adapters: Sequence[str | None] = (None,)
    specialists: Sequence[str] | None = None
    arms: Sequence[str] = ARMS
    sample: int | None = None
    limit: int | None = None
    seed: int = 0
    observations: Path | None = None
    wheel: Path | None = None
    allow_leaks: bool = False
    retry: bool = False
    allowed: Allowed | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    engine_options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for arm in self.arms:
            if arm not in ARMS:
                raise UsageError(f"unknown arm {arm!r}", nearest(arm, ARMS))
        for what, given in (("models", self.models), ("adapters", self.adapters)):
            names = [Path(one or "default").name for one in dict.fromkeys(given)]
            if twice := next((name for name in names if names.count(name) > 1), None):
                cure = "a run of its own for each; then emowhy bench compare"
                raise UsageError(f"two {what} are called {twice!r}", cure)

    def ways(self, task: Task) -> list[Way]:
        """The grid, then the arms that it lacks; the first is what everything is compared with."""
        found: dict[tuple[str | None, str | None, str, str], Way] = {}

        def add(way: Way) -> None:
            found.setdefault((way.model, way.adapter, way.strategy, way.hints), way)

        prompts = Path(given) if (given := self.options.get("prompts")) else None
        for model, adapter in itertools.product(self.models, self.adapters):
            for strategy, hints in itertools.product(self.strategies, self.hints):
                asked = task.strategy or strategy or default_strategy(self.engine, model)
                named = adapter or default_adapter(self.engine, model, load_strategy(asked, prompts))
                add(Way(model, asked, hints, adapter=named))
        for way in list(found.values()):
            if "no_hints" in self.arms:
                add(replace(way, hints="none", kind="variant"))
            if "direct" in self.arms:
                add(replace(way, strategy=task.direct, kind="variant"))
            if "base" in self.arms and self._has_adapter(way):
                add(replace(way, adapter="none", kind="variant"))
        return list(found.values())

    def name(self, way: Way) -> str:
        """What tables and folders call it."""
        beside = way.adapter not in self.adapters  # the arm "base"
        return way.name(len(self.models) > 1, len(self.adapters) > 1 or beside)

    def _has_adapter(self, way: Way) -> bool:
        if self.engine not in LOCAL:
            return way.adapter not in (None, "none")
        return find_adapter(way.adapter, way.model or EMBEDDED) is not None


Say = Callable[[str], None]


def run_tasks(ask: Ask, tasks: Sequence[tuple[Task, Path]], watch: Watcher) -> None:
    """Generate what is missing for every task; the same command goes on where it ended.

    Every task is checked (files, leaks) before a model is loaded. Raises what reading, leaks and runs raise.
    """
    prepared = [_prepare(ask, task, path, watch.note) for task, path in tasks]
    _write_asked(ask, prepared)
    engine: Engine | None = None
    loaded = dict.fromkeys((way.model, way.adapter) for one in prepared for way in one.ways)
    for model, adapter in loaded:
        try:
            for one in prepared:
                for way in one.ways:
                    if (way.model, way.adapter) == (model, adapter):
                        engine = engine or _load_engine(ask, model, adapter)
                        _explain(ask, one, way, engine, watch)
        finally:
            if engine is not None:
                engine.close()
            engine = None


@dataclass(frozen=True)
class Prepared:
    """A task whose rows are written down and whose control arms have answered."""

    task: Task
    folder: TaskFolder
    samples: tuple[Sample, ...]
    ways: Sequence[Way]
    controls: Sequence[str]
    notes: Sequence[str]
    rejected: int


def _prepare(ask: Ask, task: Task, path: Path, say: Say) -> Prepared:
    notes: list[str] = []
    rows = read_split(task, path, ask.data, task.split, ask.observations, notes.append)
    if rows.rejected:
        first = rows.rejected[0]
        where = f"line {first.line}" if first.line else f"id {first.id}"
        notes.append(f"{len(rows.rejected)} rows cannot be read; the first, {where}: {first.reason}")
    samples = rows.samples[: ask.limit] if ask.limit is not None else rows.samples
    samples = draw(samples, ask.sample, ask.seed)
    reference = _reference(ask, task, path, notes)
    specialists = _specialists(ask, task)
    identities = [specialist.identity() for specialist in specialists]
    for note in (leaks.refuse_trained(task, identities, ask.allow_leaks), leaks.chosen_note(task, identities)):
        notes += [note] if note else []
    folder = TaskFolder(ask.out / task.name)
    folder.keep(task, samples)
    texts, unread = leaks.training_texts(identities, ask.data)
    notes += unread
    near = leaks.near_duplicates(samples, texts)
    fitted, answers = _controls(ask, task, samples, reference, specialists)
    for name, said in answers.items():
        folder.keep_answers(name, samples, said.rows)
    threshold = task.clue_threshold
    if threshold is None and "clues" in task.metrics:
        threshold = _clue_threshold(samples, reference, notes)
    write_json(
        folder.path / "fitted.json",
        {"controls": fitted.row(), "near_duplicates": sorted(near), "clue_threshold": threshold},
    )
    for note in notes:
        say(f"{task.name}: {note}" if not note.startswith(task.name) else note)
    return Prepared(task, folder, samples, ask.ways(task), list(answers), notes, len(rows.rejected))


def _reference(ask: Ask, task: Task, path: Path, notes: list[str]) -> Rows | None:
    if task.reference is None:
        return None
    try:
        found = read_split(task, path, ask.data, task.reference, ask.observations)
    except MissingError as error:
        notes.append(f"{error.message}; the control arms are fitted by halves of the scored rows instead")
        return None
    rows = sorted(random.Random(ask.seed).sample(range(len(found.samples)), min(MOST_REFERENCE, len(found.samples))))
    return Rows(tuple(found.samples[row] for row in rows))


def _clue_threshold(samples: Sequence[Sample], reference: Rows | None, notes: list[str]) -> float | None:
    from emowhy.bench.scorers.texts import fitted_threshold

    try:
        return fitted_threshold(reference.samples if reference else samples)
    except EmowhyError as error:
        notes.append(f"no clue threshold was fitted: {error.message}")
        return None


def _specialists(ask: Ask, task: Task) -> list[Specialist]:
    """Those that were named, or those that a task of this kind can use; they are those of the arm `specialists`."""
    names = ask.specialists
    if names is None:
        names = ("emotion", "valence") if "values" in task.metrics else DEFAULTS
    return load_specialists([n for n in names if not asks_engine(n)], find_taxonomy(_labels(ask, task)))


def _labels(ask: Ask, task: Task) -> str:
    return str(ask.options.get("labels") or task.labels)


def _controls(
    ask: Ask, task: Task, samples: Sequence[Sample], reference: Rows | None, specialists: Sequence[Specialist]
) -> tuple[Fitted, dict[str, Answers]]:
    """The control arms' answers, and what they were fitted to."""
    scorers = [find_scorer(name) for name in task.metrics]
    labels = find_taxonomy(task.labels).labels
    case = Case(samples, (), labels, task.single, task.language, wheel=ask.wheel)
    parts = fit_parts(samples, reference.samples if reference else None)
    on = f"{task.reference}, {len(parts[0])} rows" if reference else "the other half of the scored rows"
    gold_labels = any(s.gold and s.gold.emotions is not None for s in samples)
    graded = tuple(graded_constant(part) for part in parts) if gold_labels and "graded" in task.metrics else ()
    headline = task.metrics[0]
    constants = tuple(constant_answer(part, _figure(headline), task.single) for part in parts)
    answers: dict[str, Answers] = {}
    if "constant" in ask.arms and any(c.get("emotions") or c.get("quote") or "choice" in c for c in constants):
        answers["constant"] = join(samples, {s.id: say_constant(s, own(constants, s.id)) for s in samples})
    rules: tuple[Rule, ...] = ()
    # a specialist is surer of rows that it learned from: no rule for new rows can be fitted on those
    seen = leaks.splits_of([one.identity() for one in specialists], "trained_on")
    if reference is not None and f"{task.dataset}:{task.reference}" in seen:
        parts, reference = fit_parts(samples, None), None
        on += "; the specialists' rules, since they learned from those: the other half of the scored rows"
    if "specialists" in ask.arms and specialists and "choice" not in task.metrics:
        clues = dict(zip((s.id for s in samples), notice(specialists, samples), strict=True))
        rules = tuple(
            fit_rule(
                part, [clues[s.id] for s in part] if reference is None else notice(specialists, part), scorers, case
            )
            for part in parts
        )
        answers["specialists"] = _say_all(samples, clues, rules)
    return Fitted(on, graded, constants, rules), answers


def _figure(metric: str) -> str:
    return {"graded": "graded_f", "closed": "jaccard"}.get(metric, metric)


def _say_all(samples: Sequence[Sample], clues: Mapping[str, Sequence[Clue]], rules: Sequence[Any]) -> Answers:
    return join(samples, {s.id: say_clues(s, clues[s.id], own(rules, s.id)) for s in samples})


def _load_engine(ask: Ask, model: str | None, adapter: str | None) -> Engine:
    from emowhy.engines import load_engine

    engine = load_engine(ask.engine, model=model, adapter=adapter, **ask.engine_options)
    engine.probe()
    return engine


def _explain(ask: Ask, one: Prepared, way: Way, engine: Engine, watch: Watcher) -> None:
    """One way of asking, into its run directory."""
    options = {**ask.options, "labels": _labels(ask, one.task)}
    reasoner = Reasoner.load(
        engine=engine,
        strategy=way.strategy,
        hints=way.hints,
        specialists=None if way.hints == "none" else ask.specialists,
        seed=ask.seed,
        **options,
    )
    leaks.refuse_trained(one.task, [engine.identity()], ask.allow_leaks)
    name = ask.name(way)
    watch.note(f"{one.task.name}, {name}: {len(one.samples)} rows")
    with Run(one.folder.path / name, reasoner.identity(), {"input": f"{one.task.name}:{one.task.split}"}) as run:
        rows: Iterator[Sample] = iter(one.samples)
        explain_rows(reasoner, rows, run, watch, total=len(one.samples), retry=ask.retry, allowed=ask.allowed)


def _write_asked(ask: Ask, prepared: Sequence[Prepared], others: Mapping[str, Kind] | None = None) -> None:
    tasks = {
        one.task.name: {
            "systems": {
                **(others or {}),
                **{ask.name(way): way.kind for way in one.ways},
                **dict.fromkeys(one.controls, "control"),
            },
            "notes": list(one.notes),
            "rejected": one.rejected,
        }
        for one in prepared
    }
    asked = {
        "seed": ask.seed,
        "sample": ask.sample,
        "limit": ask.limit,
        "engine": ask.engine,
        "models": list(ask.models),
        "adapters": list(ask.adapters),
        "arms": list(ask.arms),
        "specialists": list(ask.specialists) if ask.specialists is not None else None,
        "wheel": str(ask.wheel) if ask.wheel else None,
        "tasks": tasks,
    }
    write_json(ask.out / ASKED, asked)


def score_predictions(ask: Ask, task: Task, path: Path, predictions: Path, say: Say) -> None:
    """A run's folder from what another system wrote, with the controls that need no model beside it."""
    arms = tuple(arm for arm in ask.arms if arm in ("constant", "specialists"))
    ask = replace(ask, arms=arms)
    one = _prepare(ask, task, path, say)
    taxonomy = find_taxonomy(task.labels)
    fields = load_strategy(task.strategy or "cot").steps[-1].fields
    answers = read_predictions(predictions, one.samples, taxonomy, fields)
    for note in answers.notes:
        say(note)
    name = predictions.stem if predictions.stem not in ("constant", "specialists") else f"{predictions.stem}-file"
    one.folder.keep_answers(name, one.samples, answers.rows)
    again = one.folder.answers(name, one.samples).notes  # what the folder itself will say when it is scored
    kept = replace(one, ways=(), notes=[*one.notes, *(note for note in answers.notes if note not in again)])
    _write_asked(ask, [kept], {name: "asked"})
