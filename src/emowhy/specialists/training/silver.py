"""Silver labels for `cue`: the words that `occlusion` finds with the network as it stands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emowhy.specialists.emotion import EmotionSpecialist
from emowhy.specialists.occlusion import Occlusion
from emowhy.specialists.training import rows
from emowhy.specialists.training.heads import CuesHead
from emowhy.specialists.training.rows import Say
from emowhy.taxonomy import find_taxonomy
from emowhy.types import Sample

Places = list[tuple[int, int]]

_TOGETHER = 256
_TOLD_EVERY = 10 * _TOGETHER


def occlude(samples: Sequence[Sample], weights: Path, say: Say) -> list[Places]:
    """The telling words of every sample, as places in its text, for the exported network in the folder `weights`."""
    classifier = EmotionSpecialist(find_taxonomy("goemotions"), weights)
    occlusion = Occlusion(classifier)
    found: list[Places] = []
    for at in range(0, len(samples), _TOGETHER):
        batch = samples[at : at + _TOGETHER]
        told = occlusion.find_clues(batch, classifier.find_clues(batch, [() for _ in batch]))
        found += [[(clue.start or 0, clue.end or 0) for clue in clues] for clues in told]
        if at % _TOLD_EVERY == 0:
            say(f"silver words: {at} of {len(samples)} texts")
    return found


def give(head: CuesHead, labelled: int, places: Sequence[Places]) -> None:
    """Make places targets: those of the first `labelled` training rows (the others teach nothing), then of dev's."""
    samples = [*head.train.samples[:labelled], *head.dev.samples]
    offsets = [*head.train.offsets[:labelled], *head.dev.offsets]
    targets = [rows.cue_targets(s, told, o) for s, told, o in zip(samples, places, offsets, strict=True)]
    rest = [np.full((len(ids), 1), np.nan, dtype=np.float32) for ids in head.train.ids[labelled:]]
    head.silver = [*targets[:labelled], *rest]
    head.dev_silver = targets[labelled:]
