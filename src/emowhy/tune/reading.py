"""Do a row's reasons tell its emotion? The `reader`, which saw no label, names it from them with label words hidden."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

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


@dataclass
class Reading:
    """Judges reasons by readers, one for each label set; `unread` counts rows whose labels none of them can name."""

    readers: Mapping[str, Classifier]
    k: int
    unread: int = 0
    unknown: set[str] = field(default_factory=set)

    def lost(self, pairs: Sequence[tuple[Draft, Written]]) -> set[str]:
        """The ids of rows whose reasons do not lead the reader to a gold label.

        A label is found if it is among the `k` whose
        log-odds the text raises most above those of sentences that say nothing: a reader of short posts holds most
        explanations for neutral (contextual calibration, Zhao et al. 2021, 2102.09690). "neutral" is found among the
        `k` likeliest as they are. Rows without labels or reasons are not read.
        """
        told: dict[str, list[tuple[Draft, str]]] = defaultdict(list)
        for draft, reply in pairs:
            if reply.reasons and draft.facts.told:
                told[draft.taxonomy.name].append((draft, reply.reasons))
        return {id for name, some in told.items() for id in self._lost(self.readers[name], some)}

    def _lost(self, reader: Classifier, told: Sequence[tuple[Draft, str]]) -> set[str]:
        labels = reader.taxonomy.labels
        blank = reader.probabilities(_BLANK).astype(float)
        known = {label for label, chance in zip(labels, blank.mean(0), strict=True) if chance > 0}
        lost: set[str] = set()
        for at in range(0, len(told), _AT_ONCE):
            part = told[at : at + _AT_ONCE]
            read = reader.probabilities([hidden(text, reader.taxonomy, d.facts.labels) for d, text in part])
            for (draft, _), found in zip(part, self._found(read.astype(float), blank, labels), strict=True):
                wanted = set(draft.facts.told)
                if not wanted & known:
                    self.unread += 1
                    self.unknown |= wanted
                elif not wanted & found:
                    lost.add(draft.id)
        return lost

    def _found(self, read: Array, blank: Array, labels: Sequence[str]) -> list[set[str]]:
        """What the reader finds in each text, of probabilities (texts, labels)."""
        likely = np.argsort(-read, axis=1, kind="stable")[:, : self.k]
        raised = np.argsort(logit(blank).mean(0) - logit(read), axis=1, kind="stable")[:, : self.k]
        return [
            {labels[i] for i in lifted} | {labels[i] for i in first if normalise(labels[i]) == "neutral"}
            for lifted, first in zip(raised, likely, strict=True)
        ]


def hidden(text: str, taxonomy: Taxonomy, labels: Sequence[str]) -> str:
    """The text without words that name a label of the set or one that the row names, inflected or by a synonym."""
    text = mask_labels(text, taxonomy.labels)
    for label in labels:
        text = mask_labels(text, (label,))
    return text
