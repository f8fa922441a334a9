"""Cross-validation of `cause` over dialogues: what a data set with a small development part is judged by."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from accelerate import PartialState

from emowhy.specialists import cause
from emowhy.specialists.training import rows
from emowhy.specialists.training.causes import (
    CausesHead,
    best_point,
    cross_judged,
    figures_at,
    fit_favour,
    fit_turns,
    read_all,
)
from emowhy.specialists.training.loop import Source, keep_array, predict, start_rounding, train
from emowhy.specialists.training.network import Network, build
from emowhy.specialists.training.quantise import prepare
from emowhy.specialists.training.recipe import Recipe
from emowhy.specialists.training.rows import Array, Say

Figures = dict[str, float]


def cross_validate(
    recipe: Recipe,
    name: str,
    head: CausesHead,
    base: Path,
    work: Path,
    note: Callable[[str, float], None],
    say: Say,
) -> dict[str, Figures]:
    """Train on all folds of dialogues but one and read that one, in turn; afterwards `head` keeps the operating point.

    Returns RECCON's figures over all training dialogues at one operating point, with predicted emotions and with gold
    ones. No epoch is chosen: each training runs its schedule to the end. Finished folds are kept in `work`.
    """
    samples = head.train.samples
    fold = np.array([rows.fold_of(str(s.extra.get("dialogue", s.id)), recipe.folds, recipe.seed) for s in samples])
    targets = head.targets()
    frames: dict[str, list[cause.Frame]] = {"predicted emotion": list(head.frames), "gold emotion": list(head.frames)}
    work.mkdir(parents=True, exist_ok=True)
    outputs: dict[str, list[Array]] = {kind: [np.zeros(0, dtype=np.float32)] * len(samples) for kind in frames}
    for number in range(recipe.folds):
        use, held = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        favour = fit_favour(head.weights[use], [head.gold[i] for i in use])
        named = {
            "predicted emotion": [cause.name_emotion(head.weights[i], favour) for i in held],
            "gold emotion": [head.gold[i] for i in held],
        }
        framed = {kind: head.frame_all([samples[i] for i in held], emotions) for kind, emotions in named.items()}
        paths = {kind: work / f"fold{number}-{kind.split()[0]}.npy" for kind in framed}
        if not all(path.is_file() for path in paths.values()):
            say(f"fold {number + 1} of {recipe.folds}")
            folder = work / f"fold{number}"
            source = Source(name, [head.train.ids[i] for i in use], {name: [targets[i] for i in use]})
            network, seconds = _train(recipe, name, head, base, source, folder, recipe.seed + number, say)
            with PartialState().main_process_first():
                if folder.is_dir():
                    for kind, path in paths.items():
                        keep_array(path, np.concatenate(predict(network, [one.ids for one in framed[kind]])[name]))
                    note(f"fold {number}", seconds)
                    shutil.rmtree(folder)
        for kind, path in paths.items():
            ends = np.cumsum([len(one.ids) for one in framed[kind]])[:-1]
            for i, one, logits in zip(held, framed[kind], np.split(np.load(path), ends), strict=True):
                frames[kind][i], outputs[kind][i] = one, logits
    read = {kind: read_all(frames[kind], outputs[kind]) for kind in frames}
    point = best_point(samples, cross_judged(samples, read["predicted emotion"], fold))
    head.validated = fit_turns(samples, read["predicted emotion"]), point
    gold = figures_at(samples, cross_judged(samples, read["gold emotion"], fold), point["bound"])
    return {"predicted emotion": point, "gold emotion": gold}


def _train(
    recipe: Recipe, name: str, head: CausesHead, base: Path, source: Source, work: Path, seed: int, say: Say
) -> tuple[Network, float]:
    """The recipe's stages on some of the rows; of each stage the last weights count."""
    network, seconds = build(base, {name: head.head}, seed), 0.0
    for stage, schedule in (("train", recipe.train), ("finish", recipe.finish)):
        if schedule is None:
            continue
        if stage == "finish":
            start_rounding(network, source.ids[:512], prepare)
        losses = {name: (head.loss, 1.0)}
        progress = train(network, [source], losses, None, schedule, work / stage, seed=seed, say=say)
        seconds += progress.seconds
    return network, seconds
