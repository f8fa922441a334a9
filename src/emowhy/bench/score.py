"""One task scored: every system's figures with intervals, what is gained over the controls, and a line for each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from emowhy.bench.answers import Answers
from emowhy.bench.controls import Fitted, own
from emowhy.bench.measure import Array, Figure, Measure, Resampling
from emowhy.bench.metrics.labels import group
from emowhy.bench.scorers import Case, Scorer, find_scorer
from emowhy.bench.stats import mcnemar, paired_difference
from emowhy.bench.task import Task, group_of
from emowhy.types import Explanation, Sample

Kind = Literal["asked", "variant", "control"]
_RATES = ("ok", "missing", "unparsed", "truncated", "refused", "error")


@dataclass(frozen=True)
class System:
    """Somebody who answered: a model as it was asked, a variant of it (another arm), or a control without a model."""

    name: str
    kind: Kind
    answers: Answers


@dataclass(frozen=True)
class Scorable:
    """All that scoring a task takes; nothing of it needs a model or the network."""

    task: Task
    samples: Sequence[Sample]
    systems: Sequence[System]
    fitted: Fitted | None = None
    near_duplicates: frozenset[str] = frozenset()
    wheel: Path | None = None
    seed: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scored:
    """`result` goes into results.json, `rows` (a line for each row and system) into scores.jsonl."""

    result: dict[str, Any]
    rows: list[dict[str, Any]]


def score(what: Scorable) -> Scored:
    """Score every system of a task with its metrics; the same input gives the same bytes."""
    scorers = [find_scorer(name) for name in what.task.metrics]
    cases = {system.name: case_of(what, system) for system in what.systems}
    first = next(iter(cases.values()))
    why_not = {name: s.applies(first) for name, s in zip(what.task.metrics, scorers, strict=True)}
    used = {name: s for name, s in zip(what.task.metrics, scorers, strict=True) if why_not[name] is None}
    measures = {
        name: {key: s.measure(case) for key, s in used.items() if s.applies(case) is None}
        for name, case in cases.items()
    }
    resampling = Resampling([group_of(sample, what.task.group) for sample in what.samples], what.seed)
    systems = {s.name: _system(s, cases[s.name], measures[s.name], resampling, what) for s in what.systems}
    headline = _headline(measures)
    result = {
        **_about(what),
        "headline": ".".join(headline) if headline else None,
        "skipped": {name: why for name, why in why_not.items() if why is not None},
        "candidates": candidates(what),
        "systems": systems,
        "comparisons": _comparisons(what.systems, measures, used, resampling, headline) if headline else [],
    }
    return Scored(result, _rows(what, measures, used))


def case_of(what: Scorable, system: System) -> Case:
    """What the scorers see of one system."""
    from emowhy.taxonomy import find_taxonomy

    lists = what.fitted.graded if what.fitted else ()
    return Case(
        what.samples,
        system.answers.scored,
        find_taxonomy(what.task.labels).labels,
        what.task.single,
        what.task.language,
        [own(lists, sample.id) for sample in what.samples] if lists else (),
        {"clue_threshold": what.task.clue_threshold, **what.settings},
        what.wheel,
    )


def _about(what: Scorable) -> dict[str, Any]:
    task = what.task
    licence, source = task.terms()
    groups = len({group_of(sample, task.group) for sample in what.samples})
    return {
        "title": task.title,
        "version": task.version,
        "hash": task.hash,
        "split": task.split,
        "condition": task.condition,
        "language": task.language,
        "licence": licence,
        "source": source,
        "n": len(what.samples),
        "groups": groups,
        "near_duplicates": len(what.near_duplicates),
        "fitted": what.fitted.row() if what.fitted else None,
    }


def _system(
    system: System, case: Case, measures: Mapping[str, Measure], resampling: Resampling, what: Scorable
) -> dict[str, Any]:
    answered = case.answered
    fresh = np.array([sample.id not in what.near_duplicates for sample in what.samples])
    figures: dict[str, dict[str, Any]] = {}
    for key, measure in measures.items():
        over_answered = measure.total(answered)
        without = measure.total(fresh) if what.near_duplicates else {}
        for name, figure in resampling.intervals(measure).items():
            found = {"value": figure.value, "low": figure.low, "high": figure.high, "answered": over_answered[name]}
            if without:
                found["without_near_duplicates"] = without[name]
            figures.setdefault(key, {})[name] = found
    answers = [answer for answer in system.answers.rows if answer is not None]
    counts = {name: int(system.answers.statuses.get(name, 0)) for name in _RATES}
    return {
        "kind": system.kind,
        "figures": figures,
        "rates": {**counts, "lenient": sum(a.parse == "lenient" for a in answers)},
        "tokens": {
            "prompt": sum(a.usage.prompt for a in answers),
            "completion": sum(a.usage.completion for a in answers),
        },
        "notes": list(system.answers.notes),
    }


def _headline(measures: Mapping[str, Mapping[str, Measure]]) -> tuple[str, str] | None:
    """The first figure of the first metric that could be used."""
    for key, measure in next(iter(measures.values()), {}).items():
        return key, next(iter(measure.total()))
    return None


def candidates(what: Scorable) -> dict[str, float] | None:
    """The share of rows with a gold label among the specialists' first 1, 3 and 5: the ceiling of what hints can give.

    From the first system that has their clues; None where none has, or no row has gold labels.
    """
    for system in what.systems:
        ranked = [_ranked(answer) for answer in system.answers.rows]
        if not any(ranked):
            continue
        golds = [sample.gold.emotions if sample.gold else None for sample in what.samples]
        known = [(group(gold, "canonical"), names) for gold, names in zip(golds, ranked, strict=True) if gold]
        if not known:
            return None
        return {
            f"recall_{k}": float(np.mean([bool(gold & group(names[:k], "canonical")) for gold, names in known]))
            for k in (1, 3, 5)
        }
    return None


def _ranked(answer: Explanation | None) -> list[str]:
    """The labels that the specialists told with an answer, likeliest first."""
    clues = [clue for clue in (answer.clues if answer else ()) if clue.kind == "emotion" and clue.label]
    return [clue.label or "" for clue in sorted(clues, key=lambda clue: -(clue.score or 0.0))]


# Systems against each other ---------------------------------------------------------------------------------------


def _comparisons(
    systems: Sequence[System],
    measures: Mapping[str, Mapping[str, Measure]],
    used: Mapping[str, Scorer],
    resampling: Resampling,
    headline: tuple[str, str],
) -> list[dict[str, Any]]:
    """The first system against every other: the headline's difference, and rows rescued and harmed."""
    key, name = headline
    first = systems[0]
    found = []
    for other in systems[1:]:
        if key not in measures[other.name]:
            continue
        a, b = measures[other.name][key], measures[first.name][key]
        difference, p = paired_difference(a, b, resampling).get(name, (Figure(None), 1.0))
        row: dict[str, Any] = {
            "system": first.name,
            "against": other.name,
            "figure": name,
            "difference": difference.value,
            "low": difference.low,
            "high": difference.high,
            "p": p,
        }
        judge = next((k for k, s in used.items() if s.right and k in measures[other.name]), None)
        if judge is not None:
            right = used[judge].right or ""
            row |= gains(measures[other.name][judge].rows[right], measures[first.name][judge].rows[right], resampling)
        found.append(row)
    return found


def gains(before: Array, after: Array, resampling: Resampling) -> dict[str, Any]:
    """Rows that are better after than before (rescued), worse (harmed), and (rescued − harmed)/n with its interval."""
    known = np.isfinite(before) & np.isfinite(after)
    change = np.where(known, np.sign(np.nan_to_num(after) - np.nan_to_num(before)), 0.0)
    measure = Measure(
        np.stack([change, known.astype(float)], axis=1), lambda added: {"net": added[..., 0] / added[..., 1]}
    )
    net = resampling.intervals(measure)["net"]
    found = {"rescued": int((change > 0).sum()), "harmed": int((change < 0).sum())}
    found |= {"net_gain": net.value, "net_low": net.low, "net_high": net.high}  # type: ignore[dict-item]
    values = set(np.unique(np.concatenate([before[known], after[known]])))
    if values <= {0.0, 1.0}:
        found["mcnemar_p"] = mcnemar(before, after)[2]  # type: ignore[assignment]
    return found


def _rows(
    what: Scorable, measures: Mapping[str, Mapping[str, Measure]], used: Mapping[str, Scorer]
) -> list[dict[str, Any]]:
    lines = []
    for system in what.systems:
        values = {name: column for measure in measures[system.name].values() for name, column in measure.rows.items()}
        rights = [
            measures[system.name][key].rows[s.right]
            for key, s in used.items()
            if s.right and key in measures[system.name]
        ]
        for row, sample in enumerate(what.samples):
            answer = system.answers.rows[row]
            lines.append(
                {
                    "id": sample.id,
                    "system": system.name,
                    "status": answer.status if answer is not None else "missing",
                    "right": None if not rights else rights[0][row],
                    "scores": {name: column[row] for name, column in values.items()},
                }
            )
    return lines


def merged(tasks: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Results of several tasks with p-values corrected over all their comparisons (Holm 1979)."""
    from emowhy.bench.stats import holm

    flat = [row for result in tasks.values() for row in result["comparisons"]]
    for row, p in zip(flat, holm([row["p"] for row in flat]), strict=True):
        row["p_holm"] = p
    return dict(tasks)
