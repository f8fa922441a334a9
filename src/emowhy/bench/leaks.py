"""What a system has seen before: rows that it was trained on, rows near to those, rows that something was chosen on."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from emowhy.bench.task import Task
from emowhy.datasets import find_dataset, find_folder
from emowhy.errors import EmowhyError, UsageError
from emowhy.types import Sample

LEAST_SHARED = 0.8
"""The share of three-word runs (Jaccard) from which two texts are near-duplicates."""

_WORD = re.compile(r"\w+")
_RUN = 3  # words


def splits_of(identities: Iterable[Mapping[str, Any]], key: str) -> dict[str, list[str]]:
    """Which "dataset:split" each part of a system names under `key` ("trained_on", "chosen_on"), by the split."""
    found: dict[str, list[str]] = {}
    for identity in identities:
        for split in identity.get(key) or ():
            name = str(identity.get("name") or identity.get("adapter") or identity.get("model"))
            found.setdefault(str(split), []).append(name)
    return found


def refuse_trained(task: Task, identities: Sequence[Mapping[str, Any]], allowed: bool) -> str | None:
    """A note where a part of the system was trained on the very split that is to be scored.

    Raises:
        UsageError: that is so, and it was not allowed.
    """
    names = splits_of(identities, "trained_on").get(f"{task.dataset}:{task.split}")
    if not names:
        return None
    what = f"{task.name}: {', '.join(names)} learned from the split {task.split!r} that is to be scored"
    if not allowed:
        raise UsageError(what, "score another split (TASK:SPLIT), or --allow-leaks to see how much it flatters")
    return f"{what}; allowed, so these figures say nothing about new texts"


def chosen_note(task: Task, identities: Sequence[Mapping[str, Any]]) -> str | None:
    """A note where calibration, thresholds or a checkpoint were chosen on the scored split."""
    names = splits_of(identities, "chosen_on").get(f"{task.dataset}:{task.split}")
    if not names:
        return None
    return f"{', '.join(names)}: something was chosen on the split {task.split!r}, so its figures flatter a little"


def training_texts(identities: Sequence[Mapping[str, Any]], data: Path | None) -> tuple[list[str], list[str]]:
    """The texts of every training split whose files are at hand, and a note on each that is not."""
    texts: list[str] = []
    notes: list[str] = []
    for split in splits_of(identities, "trained_on"):
        name, _, part = split.partition(":")
        try:
            dataset = find_dataset(name)
            rows = dataset.read(find_folder(dataset, data), part)
            texts += [row.words() for row in rows if isinstance(row, Sample)]
        except EmowhyError:
            notes.append(f"near-duplicates of {split} were not looked for: its files are not at hand")
    return texts, notes


def near_duplicates(samples: Sequence[Sample], texts: Iterable[str]) -> frozenset[str]:
    """The ids of samples whose target is, but for case and punctuation, one of `texts`, or shares its runs of words."""
    words = {sample.id: _words(sample.words()) for sample in samples}
    whole: dict[tuple[str, ...], list[str]] = defaultdict(list)
    by_run: dict[tuple[str, ...], list[str]] = defaultdict(list)
    runs: dict[str, set[tuple[str, ...]]] = {}
    for id, said in words.items():
        whole[said].append(id)
        runs[id] = _runs(said)
        for run in runs[id]:
            by_run[run].append(id)
    found: set[str] = set()
    for text in texts:
        said = _words(text)
        if said:
            found.update(whole.get(said, ()))
        other = _runs(said)
        shared = Counter(id for run in other for id in by_run.get(run, ()))
        found.update(id for id, n in shared.items() if n >= LEAST_SHARED * (len(runs[id]) + len(other) - n))
    return frozenset(found)


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.casefold()))


def _runs(words: Sequence[str]) -> set[tuple[str, ...]]:
    return {tuple(words[at : at + _RUN]) for at in range(len(words) - _RUN + 1)}
