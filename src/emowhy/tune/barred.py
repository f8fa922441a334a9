"""The texts that no training row may be near: those of every benchmark and development split at hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from emowhy.bench.task import Task, find_task, list_tasks, read_split
from emowhy.datasets import find_folder
from emowhy.errors import EmowhyError
from emowhy.types import Sample

TRAIN_SPLIT = "train"


def benchmark_texts(own: Iterable[str], data: Path | None) -> tuple[list[str], list[str]]:
    """Texts, and the names of the splits they are of ("goemotions:dev"), less the recipe's `own`."""
    found = scored_splits(data, own)
    return [sample.words() for samples in found.values() for sample in samples], list(found)


def scored_splits(data: Path | None, without: Iterable[str] = ()) -> dict[str, list[Sample]]:
    """The rows of every split that a benchmark scores or could score, by its name ("goemotions:dev").

    Of a task's data set these are all splits but train, and whichever the task names. What is not at hand is left out.
    """
    left_out = set(without)
    found: dict[str, list[Sample]] = {}
    for task, path, split in _splits():
        name = f"{task.dataset or task.name}:{split}"
        if name in found or name in left_out:
            continue
        try:
            found[name] = list(_samples(task, path, split, data))
        except EmowhyError:
            left_out.add(name)
    return found


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
