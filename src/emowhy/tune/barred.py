"""The texts that no training row may be near: those of every benchmark and development split at hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from emowhy.bench.task import Task, find_task, list_tasks, read_split
from emowhy.datasets import find_folder
from emowhy.errors import EmowhyError
from emowhy.types import Sample


def benchmark_texts(own: Iterable[str], data: Path | None) -> tuple[list[str], list[str]]:
    """Texts, and the names of the splits they are of ("goemotions:dev"), less the recipe's `own`; what is not at hand
    is left out.

    A data set's splits other than train count, and whatever split a task scores.
    """
    seen = set(own)
    texts: list[str] = []
    names: list[str] = []
    for task, path, split in _splits():
        name = f"{task.dataset or task.name}:{split}"
        if name in seen:
            continue
        seen.add(name)
        try:
            texts += [sample.words() for sample in _samples(task, path, split, data)]
        except EmowhyError:
            continue
        names.append(name)
    return texts, names


def _splits() -> Iterator[tuple[Task, Path, str]]:
    for name in list_tasks():
        task, path = find_task(name)
        loader = task.loader()
        others = [split for split in loader.splits if split != "train"] if loader else []
        for split in dict.fromkeys([task.split, *others]):
            yield task, path, split


def _samples(task: Task, path: Path, split: str, data: Path | None) -> Iterable[Sample]:
    loader = task.loader()
    if loader is None:
        return read_split(task, path, data, split).samples
    return [row for row in loader.read(find_folder(loader, data), split) if isinstance(row, Sample)]
