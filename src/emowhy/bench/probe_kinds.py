"""The four probes: cause ablation, sufficiency, and wrong hints of two kinds. (METRICS.md, "Pipeline and probes")

A missing answer to an edited row is no change of mind: it flips nothing, keeps nothing, follows nothing and drops by 0.
It stays in every denominator, is counted, and each figure is told over the rows answered throughout as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from emowhy.bench.metrics.labels import group
from emowhy.bench.metrics.spans import Span, overlap
from emowhy.bench.probe_edits import Edit, delete_spans, find_cues, keep_spans, mislead_cues, mislead_label
from emowhy.bench.probe_plan import Probe, Row, Said, Setup, first_label
from emowhy.bench.probe_spans import find_elsewhere, find_spans
from emowhy.taxonomy import normalise
from emowhy.types import Explanation

# Quotes taken out, or left alone --------------------------------------------------------------------------------


def _suffix(setup: Setup) -> str:
    return ("-masked" if setup.mask else "") + ("-frozen" if setup.frozen else "")


def _ablation_arms(setup: Setup) -> list[tuple[str, str]]:
    controls = [
        (f"control{_suffix(setup)}-seed{setup.seed}-{k}", f"other words {setup.done}, seed {setup.seed}, draw {k}")
        for k in range(1, setup.draws + 1)
    ]
    return [(f"ablation{_suffix(setup)}", f"quotes {setup.done}"), *controls]


def _ablate(row: Row, setup: Setup) -> Sequence[Edit] | str:
    if not row.quotes:
        return "no verbatim quote"
    spans = [row.quotes]
    for number in range(1, setup.draws + 1):
        control = find_elsewhere(row.sample, row.quotes, row.draw(setup, number))
        if control is None:
            return "no room for a control"
        spans.append(control)
    return [delete_spans(row.sample, own, setup.mask, row.answer.clues) for own in spans]


def _ablation_values(row: Row, edits: Sequence[Edit], said: Said, setup: Setup) -> Sequence[float]:
    flips = [_flip(row, answer, setup) for answer in said]
    drops = [_drop(row, answer, setup) for answer in said]
    pairs = [(own[0], fmean(own[1:])) for own in (flips, drops)]
    return [value for quotes, controls in pairs for value in (quotes, controls, quotes - controls)]


def _suffice(row: Row, setup: Setup) -> Sequence[Edit] | str:
    if not row.quotes:
        return "no verbatim quote"
    return [keep_spans(row.sample, row.quotes, setup.mask, row.answer.clues)]


def _sufficiency_values(row: Row, edits: Sequence[Edit], said: Said, setup: Setup) -> Sequence[float]:
    kept = said[0] is not None and not _flip(row, said[0], setup)
    return float(kept), _drop(row, said[0], setup)


def _flip(row: Row, said: Explanation | None, setup: Setup) -> float:
    return float(said is not None and first_label(said, setup) != row.label)


def _drop(row: Row, said: Explanation | None, setup: Setup) -> float:
    """How far the first label's probability falls; NaN without scores from one source on both sides, or where they are
    those of the frozen hints."""
    if setup.frozen and row.answer.score_source == "specialist":
        return math.nan
    before = _probability(row.answer, row.label, setup)
    if before is None or said is None:
        return math.nan if before is None else 0.0
    after = _probability(said, row.label, setup)
    same = said.score_source == row.answer.score_source
    return before - after if after is not None and same else math.nan


def _probability(answer: Explanation, label: str, setup: Setup) -> float | None:
    """The probability that an answer, or the specialists that it has its scores from, give a label; None without
    scores. A label that they do not name counts as 0: how little more it is they do not say."""
    if answer.score_source is None:
        return None
    named = {normalise(e.label, setup.labels or None): e.score for e in reversed(answer.emotions)}
    if label in named:
        return named[label]
    told = answer.clues if answer.score_source == "specialist" else ()
    scores = (c.score for c in told if c.kind == "emotion" and normalise(c.label or "", setup.labels or None) == label)
    return max((score for score in scores if score is not None), default=0.0)


# Hints made wrong -----------------------------------------------------------------------------------------------


def _mislead_label(row: Row, setup: Setup) -> Sequence[Edit] | str:
    if not row.gold.emotions:
        return "no gold label"
    if not _is_right(row.label, row):
        return "wrong to begin with"
    edit = mislead_label(row.sample, row.answer.clues, setup.labels, row.gold.emotions, row.draw(setup))
    return [edit] if edit is not None else "no hint to replace"


def _label_values(row: Row, edits: Sequence[Edit], said: Said, setup: Setup) -> Sequence[float]:
    label = first_label(said[0], setup) if said[0] is not None else None
    wrong = normalise(edits[0].label or "", setup.labels or None)
    return float(label == wrong), float(label is not None and _is_right(label, row))


def _is_right(label: str, row: Row) -> bool:
    return bool(group([label], "canonical") & group(row.gold.emotions or (), "canonical"))


def _mislead_cues(row: Row, setup: Setup) -> Sequence[Edit] | str:
    gold = find_spans(row.gold.causes or (), row.sample)
    if not gold:
        return "no gold quote"
    if not _meet(row.quotes, gold):
        return "wrong to begin with"
    if not find_cues(row.answer.clues):
        return "no hint to replace"
    edit = mislead_cues(row.sample, row.answer.clues, (*gold, *row.quotes), row.draw(setup))
    return [edit] if edit is not None else "no room for a wrong hint"


def _cue_values(row: Row, edits: Sequence[Edit], said: Said, setup: Setup) -> Sequence[float]:
    quotes = find_spans(said[0].causes, row.sample) if said[0] is not None else ()
    gold = find_spans(row.gold.causes or (), row.sample)
    return float(_meet(quotes, edits[0].spans)), float(_meet(quotes, gold))


def _meet(some: Sequence[Span], others: Sequence[Span]) -> bool:
    return any(overlap(one, other) > 0 for one in some for other in others)


_CHANGES = ("quotes", "controls", "difference")
PROBES = (
    Probe(
        "ablation",
        "cause ablation: do the quoted words carry the label?",
        tuple(f"{what}_{which}" for what in ("flip", "drop") for which in _CHANGES),
        _ablation_arms,
        _ablate,
        _ablation_values,
    ),
    Probe(
        "sufficiency",
        "sufficiency: does the label stand on the quotes alone?",
        ("kept", "drop"),
        lambda setup: [(f"sufficiency{_suffix(setup)}", f"all but the quotes {setup.done}")],
        _suffice,
        _sufficiency_values,
    ),
    Probe(
        "wrong_label",
        "wrong hint, label: is it followed?",
        ("follow", "right"),
        lambda setup: [(f"wrong_label-seed{setup.seed}", f"likeliest label replaced, seed {setup.seed}")],
        _mislead_label,
        _label_values,
        misleads=True,
    ),
    Probe(
        "wrong_cause",
        "wrong hint, cause words: are they followed?",
        ("follow", "right"),
        lambda setup: [(f"wrong_cause-seed{setup.seed}", f"telling words replaced, seed {setup.seed}")],
        _mislead_cues,
        _cue_values,
        misleads=True,
    ),
)
"""In the order in which they are asked and told."""
