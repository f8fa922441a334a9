"""What annotators say of samples, in the shapes that training and scoring take."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from emowhy.bench.metrics.reccon import Target
from emowhy.types import Sample


def gold_labels(samples: Sequence[Sample], labels: Sequence[str]) -> npt.NDArray[np.float32]:
    """0/1, shape (rows, labels); a gold label outside the label set counts for nothing."""
    place = {label: k for k, label in enumerate(labels)}
    found = np.zeros((len(samples), len(labels)), dtype=np.float32)
    for row, sample in enumerate(samples):
        for label in (sample.gold.emotions if sample.gold else None) or ():
            if label in place:
                found[row, place[label]] = 1
    return found


def gold_target(sample: Sample) -> Target:
    """The sample as RECCON's scores see it: its turn, and the gold quotes in each causing turn."""
    causes = (sample.gold.causes if sample.gold else None) or ()
    turns = dict.fromkeys(cause.turn for cause in causes if cause.turn is not None)
    return Target(sample.target, {turn: [c.quote for c in causes if c.turn == turn] for turn in turns})
