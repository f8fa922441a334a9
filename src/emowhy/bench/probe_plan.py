"""What a probe is: rows of a run that are asked again, edited in several ways, and what the answers are worth."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from emowhy.bench.metrics.spans import Span
from emowhy.bench.probe_edits import Edit
from emowhy.bench.probe_spans import find_spans, merge
from emowhy.read import content_hash
from emowhy.taxonomy import normalise
from emowhy.types import Explanation, Gold, Sample

Said = Sequence[Explanation | None]
"""Said in the order of what was asked, None where one is missing."""


@dataclass(frozen=True, slots=True)
class Setup:
    """How rows are edited: `draws` control edits of each, words masked instead of deleted, hints `frozen` instead of
    found again in the edited text. `labels` is the label set that the system was asked with (empty: open)."""

    labels: tuple[str, ...] = ()
    seed: int = 0
    draws: int = 3
    mask: bool = False
    frozen: bool = False

    @property
    def done(self) -> str:
        """What happens to words."""
        return "masked" if self.mask else "deleted"


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it was answered: its first label, and its verbatim quotes as disjoint spans."""

    sample: Sample
    answer: Explanation
    label: str
    quotes: tuple[Span, ...]

    @property
    def gold(self) -> Gold:
        return self.sample.gold or Gold()

    def draw(self, setup: Setup, number: int = 0) -> random.Random:
        """Chance that is the same for rows with the same content, whose answers are copies of each other."""
        return random.Random(f"{setup.seed} {number} {content_hash(self.sample)}")


@dataclass(frozen=True, slots=True)
class Arm:
    """Rows edited in one way: a run of its own. `edits` by the rows' ids; with `replays` their clues are the hints."""

    name: str
    edit: str
    replays: bool
    edits: Mapping[str, Edit]


@dataclass(frozen=True)
class Probe:
    """A question about how a system comes to its answers.

    `arms` names its runs and says in words what each edits; `edit` gives a row's edit for each arm, or says why the row
    is left out; `value` gives the row's figures (NaN: none) from the answers to its edits. `misleads` says that the
    hints are what is edited.
    """

    name: str
    title: str
    figures: tuple[str, ...]
    arms: Callable[[Setup], Sequence[tuple[str, str]]]
    edit: Callable[[Row, Setup], Sequence[Edit] | str]
    value: Callable[[Row, Sequence[Edit], Said, Setup], Sequence[float]]
    misleads: bool = False


@dataclass(frozen=True)
class Plan:
    """A probe of a run: the rows that it asks again, its arms, and how many rows are left out for what reason."""

    probe: Probe
    rows: tuple[Row, ...]
    arms: tuple[Arm, ...]
    left_out: Mapping[str, int]


def make_plan(probe: Probe, samples: Sequence[Sample], answers: Said, setup: Setup) -> Plan:
    """The edits of every row that the probe can ask again. `answers` are the system's own, None where missing."""
    names = probe.arms(setup)
    replays = probe.misleads or setup.frozen
    rows: list[Row] = []
    edits: list[dict[str, Edit]] = [{} for _ in names]
    firsts: list[dict[str, Edit]] = [{} for _ in names]
    left_out: Counter[str] = Counter()
    for sample, answer in zip(samples, answers, strict=True):
        row = _row(sample, answer, setup)
        made = row if isinstance(row, str) else probe.edit(row, setup)
        if isinstance(row, str) or isinstance(made, str):
            left_out[str(made)] += 1
        elif replays and not _shareable(made, firsts):
            left_out["the edited text is another row's, with other hints"] += 1
        else:
            rows.append(row)
            for own, edit in zip(edits, made, strict=True):
                own[sample.id] = edit
    arms = (Arm(name, edit, replays, own) for (name, edit), own in zip(names, edits, strict=True))
    return Plan(probe, tuple(rows), tuple(arms), dict(sorted(left_out.items())))


def _row(sample: Sample, answer: Explanation | None, setup: Setup) -> Row | str:
    if answer is None:
        return "no answer to begin with"
    label = first_label(answer, setup)
    if label is None:
        return "no label to begin with"
    return Row(sample, answer, label, merge(find_spans(answer.causes, sample)))


def _shareable(made: Sequence[Edit], firsts: Sequence[dict[str, Edit]]) -> bool:
    """Whether rows with the same content may share an answer: a run asks each content once, so hints must agree too."""
    contents = [content_hash(edit.sample) for edit in made]
    for content, edit, first in zip(contents, made, firsts, strict=True):
        if first.get(content, edit).clues != edit.clues:
            return False
    for content, edit, first in zip(contents, made, firsts, strict=True):
        first.setdefault(content, edit)
    return True


def first_label(answer: Explanation, setup: Setup) -> str | None:
    """The label that an answer names first, in the label set's spelling."""
    return next((normalise(emotion.label, setup.labels or None) for emotion in answer.emotions), None)
