"""Do a row's reasons tell its emotion? The `reader`, which saw no label, names it from them with label words hidden."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from emowhy.specialists.base import Classifier
from emowhy.specialists.calibration import Array, logit
from emowhy.specialists.words import mask_labels
from emowhy.taxonomy import Taxonomy, normalise
from emowhy.tune.asking import Draft
from emowhy.tune.replies import Written

READER = "the reader does not find the emotion"

_AT_ONCE = 256
_BLANK = (
    "The person feels [MASK] because of something that happened.",
    "Something was said, so the person feels [MASK]; the words show it.",
    "What the person feels is [MASK]; it can be read in what was said.",
)
"""Reasons that tell nothing."""


class Verdict(NamedTuple):
    """Whether the reader finds a gold label, and how many labels it holds for likelier than the first of them."""

    found: bool
    behind: int


@dataclass
class Reading:
    """Judges reasons by readers, one for each label set; `unread` counts rows whose labels none of them can name."""

    readers: Mapping[str, Classifier]
    k: int
    unread: int = 0
    unknown: set[str] = field(default_factory=set)

    def read(self, pairs: Sequence[tuple[Draft, Written]]) -> dict[str, Verdict]:
        """How well each row's reasons lead its reader to a gold label, by the rows' ids.

        A label is found if it is among the `k` whose
        log-odds the text raises most above those of sentences that say nothing: a reader of short posts holds most
        explanations for neutral (contextual calibration, Zhao et al. 2021, 2102.09690). "neutral" is found among the
        `k` likeliest as they are. Rows without labels or reasons are not read.
        """
        told: dict[str, list[tuple[Draft, str]]] = defaultdict(list)
        for draft, reply in pairs:
            if reply.reasons and draft.facts.told:
                told[draft.taxonomy.name].append((draft, reply.reasons))
        return {id: found for name, some in told.items() for id, found in self._read(self.readers[name], some)}

    def _read(self, reader: Classifier, told: Sequence[tuple[Draft, str]]) -> Iterator[tuple[str, Verdict]]:
        labels = reader.taxonomy.labels
        blank = reader.probabilities(_BLANK).astype(float)
        known = {label for label, chance in zip(labels, blank.mean(0), strict=True) if chance > 0}
        for at in range(0, len(told), _AT_ONCE):
            part = told[at : at + _AT_ONCE]
            read = reader.probabilities([hidden(text, reader.taxonomy, d.facts.labels) for d, text in part])
            likely, raised = _ranks(-read.astype(float)), _ranks(logit(blank).mean(0) - logit(read.astype(float)))
            for (draft, _), plain, lifted in zip(part, likely, raised, strict=True):
                wanted = [label for label in draft.facts.told if label in known]
                if not wanted:
                    self.unread += 1
                    self.unknown |= set(draft.facts.told)
                    continue
                places = [labels.index(label) for label in wanted]
                neutral = [plain[i] for i in places if normalise(labels[i]) == "neutral"]
                found = min([*lifted[places], *neutral]) < self.k
                yield draft.id, Verdict(bool(found), int(plain[places[0]]))


def _ranks(scores: Array) -> Array:
    """The place of each column in its row's order, from 0 for the lowest score."""
    found: Array = scores.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    return found


def hidden(text: str, taxonomy: Taxonomy, labels: Sequence[str]) -> str:
    """The text without words that name a label of the set or one that the row names, inflected or by a synonym."""
    text = mask_labels(text, taxonomy.labels)
    for label in labels:
        text = mask_labels(text, (label,))
    return text
