"""Control arms: what one constant answer scores, and what the specialists score alone, each tuned for the metric.

They are fitted on the task's reference split or, where there is none, on the other half of the scored rows.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from emowhy.bench.metrics.constant import best_constant
from emowhy.bench.metrics.labels import graded, group, jaccard
from emowhy.bench.scorers import Case, Scorer
from emowhy.decide import decide
from emowhy.specialists import Specialist, find_clues
from emowhy.types import Cause, Clue, Emotion, Explanation, Sample

MOST_REFERENCE = 1000
"""Rows of the reference split that decision rules are fitted on (drawn with the run's seed)."""

_TOGETHER = 256
_LABEL_RULES = (*itertools.product((1, 2, 3, 5), (0.1, 0.2, 0.35, 0.5, 0.7, 1.0)), (0, 1.0))
_QUOTE_RULES = tuple(itertools.product((1, 2, 3), (0.0, 0.3, 0.5, 0.7, 0.9)))


@dataclass(frozen=True, slots=True)
class Rule:
    """How clues become an answer: at most `labels` labels whose probability is at least `share` of the highest (with 0,
    those of `emowhy.decide`), and at most `quotes` quotes whose score is `least` or more."""

    labels: int = 1
    share: float = 1.0
    quotes: int = 1
    least: float = 0.0


@dataclass(frozen=True, slots=True)
class Fitted:
    """What the control arms were fitted to: one entry each, or two where each half was fitted on the other.

    `graded` are the constant lists by graded overlap (for the chance-corrected figure), `constants` the constant
    answers to the headline, `rules` the specialists' decision rules; `on` says which rows they were fitted on.
    """

    on: str
    graded: tuple[tuple[str, ...], ...] = ()
    constants: tuple[Mapping[str, Any], ...] = ()
    rules: tuple[Rule, ...] = ()

    def row(self) -> dict[str, Any]:
        return {
            "on": self.on,
            "graded": self.graded,
            "constants": self.constants,
            "rules": list(map(asdict, self.rules)),
        }

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Fitted:
        return cls(
            row["on"],
            tuple(map(tuple, row["graded"])),
            tuple(row["constants"]),
            tuple(Rule(**rule) for rule in row["rules"]),
        )


def half(id: str) -> int:
    """Which half of a cross-fitting a row is in: 0 or 1, by its id alone."""
    return hashlib.blake2b(id.encode("utf-8", "surrogatepass"), digest_size=1).digest()[0] & 1


def own(fitted: Sequence[Any], id: str) -> Any:
    """What holds for a row: the one thing that was fitted, or what was fitted on the other half."""
    return fitted[0] if len(fitted) == 1 else fitted[half(id)]


def fit_parts(samples: Sequence[Sample], reference: Sequence[Sample] | None) -> list[Sequence[Sample]]:
    """The rows to fit on: the reference, or for each half of the scored rows the other half."""
    if reference is not None:
        return [reference]
    return [[s for s in samples if half(s.id) != part] or list(samples) for part in (0, 1)]


# The best constant answer -----------------------------------------------------------------------------------------


def graded_constant(samples: Sequence[Sample]) -> tuple[str, ...]:
    """The constant list with the highest mean graded F."""
    golds = [group(s.gold.emotions, "canonical") for s in samples if s.gold and s.gold.emotions is not None]
    counts = Counter(word for gold in golds for word in gold)
    common = [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:60]]
    return best_constant(golds, common, lambda gold, said: graded(gold, said)[2])


def constant_answer(samples: Sequence[Sample], headline: str, single: bool) -> dict[str, Any]:
    """The constant answer to a headline: labels, whether the whole target is quoted, the likeliest choice."""
    found: dict[str, Any] = {"quote": any(s.gold and s.gold.causes for s in samples)}
    golds = [group(s.gold.emotions, "canonical") for s in samples if s.gold and s.gold.emotions is not None]
    if golds:
        found["emotions"] = list(_constant_labels(golds, headline, single) or ())
    choices = Counter(int(s.gold.answers["choice"]) for s in samples if s.gold and "choice" in s.gold.answers)
    if choices:
        found["choice"] = min(choices, key=lambda choice: (-choices[choice], choice))
    return found


def _constant_labels(golds: Sequence[frozenset[str]], headline: str, single: bool) -> tuple[str, ...]:
    counts = Counter(word for gold in golds for word in gold)
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    if single or headline in ("accuracy", "weighted_f1", "macro_f1"):
        return tuple(ranked[:1])
    score: Callable[[frozenset[str], frozenset[str]], float] = jaccard
    if headline.startswith("graded"):
        score = _graded_f
    return best_constant(golds, ranked[:60], score)


def _graded_f(gold: frozenset[str], said: frozenset[str]) -> float:
    return graded(gold, said)[2]


def say_constant(sample: Sample, constant: Mapping[str, Any]) -> Explanation:
    """The constant answer for one row."""
    causes: tuple[Cause, ...] = ()
    if constant.get("quote") and sample.text:
        causes = (Cause(sample.text, sample.target, None, 0, len(sample.text), verified=True),)
    return Explanation(
        sample.id,
        emotions=tuple(Emotion(label) for label in constant.get("emotions", ())),
        causes=causes,
        answers={"choice": constant["choice"]} if "choice" in constant else {},
    )


# The specialists alone --------------------------------------------------------------------------------------------


def notice(specialists: Sequence[Specialist], samples: Sequence[Sample]) -> list[tuple[Clue, ...]]:
    """The specialists' clues of every sample."""
    starts = range(0, len(samples), _TOGETHER)
    return [found for at in starts for found in find_clues(specialists, samples[at : at + _TOGETHER])]


def say_clues(sample: Sample, clues: Sequence[Clue], rule: Rule) -> Explanation:
    """What the specialists say of one row under a rule."""
    told = sorted((c for c in clues if c.kind == "emotion" and c.label), key=lambda c: -(c.score or 0.0))
    best = told[0].score or 0.0 if told else 0.0
    labels = [c for c in told[: rule.labels] if (c.score or 0.0) >= rule.share * best]
    if not rule.labels:
        decided = decide({c.label or "": c.score or 0.0 for c in told})
        labels = [c for c in told if c.label in decided]
    quotes = sorted((c for c in clues if c.kind == "cause" and c.quote), key=lambda c: -(c.score or 0.0))
    answers: dict[str, Any] = {
        c.label: c.value for c in clues if c.kind == "valence" and c.label and c.value is not None
    }
    dimension = sample.extra.get("dimension")
    if (degree := next((c.score for c in told if c.label == dimension), None)) is not None:
        answers["intensity"] = degree
    return Explanation(
        sample.id,
        emotions=tuple(Emotion(c.label or "", c.score) for c in labels),
        causes=tuple(
            Cause(c.quote or "", c.turn, c.observation, c.start, c.end, verified=c.start is not None)
            for c in quotes[: rule.quotes]
            if (c.score or 0.0) >= rule.least
        ),
        score_source="specialist",
        answers=answers,
        clues=tuple(clues),
    )


def fit_rule(samples: Sequence[Sample], clues: Sequence[Sequence[Clue]], scorers: Sequence[Scorer], case: Case) -> Rule:
    """The rule with the highest headline: labels by the first scorer that judges labels, quotes by the first that
    judges quotes. `case` lends label set and settings; of equal rules the first, which says least."""
    rule = Rule()
    for judges, rules in ((_LABEL_JUDGES, _LABEL_RULES), (_CAUSE_JUDGES, _QUOTE_RULES)):
        scorer = next((s for s in scorers if type(s).__name__ in judges), None)
        if scorer is None:
            continue
        tried = [_with(rule, judges, values) for values in rules]
        reached = []
        for candidate in tried:
            answers = [say_clues(s, found, candidate) for s, found in zip(samples, clues, strict=True)]
            here = replace(case, samples=samples, answers=answers, constants=())
            if scorer.applies(here) is not None:
                break
            reached.append(next(iter(scorer.measure(here).total().values())))
        if len(reached) == len(tried):
            rule = tried[int(np.argmax(np.nan_to_num(reached, nan=-1.0)))]
    return rule


_LABEL_JUDGES = ("Graded", "Accuracy", "Closed", "Sets", "Groups", "Pairs")
_CAUSE_JUDGES = ("Quotes", "CauseSpans", "CausalTurns", "CauseWords", "Pairs")


def _with(rule: Rule, judges: Sequence[str], values: tuple[int, float]) -> Rule:
    if judges is _LABEL_JUDGES:
        return replace(rule, labels=values[0], share=values[1])
    return replace(rule, quotes=values[0], least=values[1])
