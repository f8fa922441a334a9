"""The texts that no training row may be near: those of every benchmark and development split at hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emowhy.bench.task import Task, find_task, list_tasks, read_split
from emowhy.datasets import find_folder
from emowhy.errors import EmowhyError
from emowhy.types import Sample

TRAIN_SPLIT = "train"


@dataclass(frozen=True)
class Scored:
    """The rows of every split that a benchmark scores or could score, by its name ("goemotions:dev"), and the names of
    those whose files are not at hand."""

    rows: Mapping[str, Sequence[Sample]]
    missing: tuple[str, ...] = ()

    def texts(self) -> list[str]:
        """What all of them say."""
        return [sample.words() for samples in self.rows.values() for sample in samples]

    def unseen(self) -> str | None:
        """What to tell of the missing ones; a data set of which nothing is at hand by its name alone."""
        if not self.missing:
            return None
        partly = {_set_of(name) for name in self.rows}
        told = sorted({name if _set_of(name) in partly else _set_of(name) for name in self.missing})
        return f"not looked for in {len(self.missing)} splits whose files are not at hand: {', '.join(told)}"


def scored_splits(data: Path | None, without: Iterable[str] = ()) -> Scored:
    """Of a task's data set all splits but train, and whichever the task names; less those named in `without`."""
    left_out, missing = set(without), dict[str, None]()
    found: dict[str, list[Sample]] = {}
    for task, path, split in _splits():
        name = f"{task.dataset or task.name}:{split}"
        if name in found or name in left_out or name in missing:
            continue
        try:
            found[name] = list(_samples(task, path, split, data))
        except EmowhyError:
            missing[name] = None
    return Scored(found, tuple(missing))


def _set_of(name: str) -> str:
    return name.rpartition(":")[0]


def _splits() -> Iterator[tuple[Task, Path, str]]:
    for name in list_tasks():
        task, path = find_task(name)
        loader = task.loader()
        others = [split for split in loader.splits if split != TRAIN_SPLIT] if loader else []
        for split in dict.fromkeys([task.split, *others]):
            yield task, path, split


def _samples(task: Task, path: Path, split: str, data: Path | None) -> Iterable[Sample]:
    loader = task.loader()
    if loader is None:
        return read_split(task, path, data, split).samples
    return [row for row in loader.read(find_folder(loader, data), split) if isinstance(row, Sample)]
