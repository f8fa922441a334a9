"""Soft labels: what networks that never saw a row make of it, mixed into what the row's own labels ask for."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState

from emowhy.specialists.training import rows
from emowhy.specialists.training.heads import LabelsHead
from emowhy.specialists.training.loop import Source, keep_array, predict, train
from emowhy.specialists.training.network import Network, build
from emowhy.specialists.training.recipe import Schedule, Teacher
from emowhy.specialists.training.rows import Array, Say


def teach(
    teacher: Teacher,
    schedule: Schedule,
    name: str,
    head: LabelsHead,
    base: Path,
    work: Path,
    note: Callable[[str, float], None],
    say: Say,
) -> None:
    """Give a labels head soft labels, each row's from a network that saw neither it nor a row with the same text.

    `work` keeps the networks' logits of each fold; finished folds are not trained again.
    """
    fold = np.array([rows.fold_of(rows.text_key(s.words()), teacher.folds, teacher.seed) for s in head.train.samples])
    soft = np.zeros_like(head.gold)
    whole = schedule.model_copy(update={"epochs": teacher.epochs, "patience": teacher.epochs})
    for number in range(teacher.folds):
        path, held = work / f"fold{number}.npy", np.flatnonzero(fold == number)
        if not path.is_file():
            say(f"teacher for {name}: fold {number + 1} of {teacher.folds}")
            use, seed = np.flatnonzero(fold != number), teacher.seed * 100 + number
            source = Source(name, [head.train.ids[i] for i in use], {name: head.gold[use]})
            network, seconds = _train(name, head, base, source, whole, work / f"fold{number}", seed, say)
            with PartialState().main_process_first():
                if not path.is_file():
                    note(f"teacher {name} {number}", seconds)
                    keep_array(path, predict(network, [head.train.ids[i] for i in held])[name])
                    shutil.rmtree(work / f"fold{number}")
        logits: Array = np.load(path)
        soft[held] = torch.from_numpy(logits).softmax(1).numpy() if head.recipe.exclusive else head.untilt(logits)
    head.teach(soft, teacher.share)


def _train(
    name: str, head: LabelsHead, base: Path, source: Source, schedule: Schedule, work: Path, seed: int, say: Say
) -> tuple[Network, float]:
    network = build(base, {name: head.head}, seed)

    def evaluate(candidate: Network) -> dict[str, float]:
        return {"choose": head.figures(predict(candidate, head.dev.ids)[name])[head.main]}

    progress = train(network, [source], {name: (head.loss, 1.0)}, evaluate, schedule, work, seed=seed, say=say)
    return network, progress.seconds
