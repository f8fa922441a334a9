"""Cross-fitted cause spans: what the folds of `cause` said of each training dialogue while it was held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emowhy.errors import MissingError, UsageError, missing_extra
from emowhy.specialists import cause
from emowhy.specialists.training import rows
from emowhy.specialists.training.rows import Array, Say
from emowhy.taxonomy import Taxonomy
from emowhy.tune.cross_fitted import read_training
from emowhy.types import Sample

Spans = Mapping[tuple[str, str | None], list[cause.Found]]
"""(Id, text) of a sample -> the best span of each of its turns, not yet judged."""


class CrossFittedCauses(cause.CauseSpans):
    """`cause` that answers from a table for the dialogues that it learned from, and reads all others itself."""

    def __init__(self, taxonomy: Taxonomy, weights: Path, table: Spans) -> None:
        super().__init__(taxonomy, weights)
        self._table = table

    def spans(self, samples: Sequence[Sample], emotions: Sequence[str]) -> list[list[cause.Found]]:
        stored = [self._table.get((sample.id, sample.text)) for sample in samples]
        pairs = [(s, e) for s, e, found in zip(samples, emotions, stored, strict=True) if found is None]
        read = iter(super().spans([s for s, _ in pairs], [e for _, e in pairs]))
        return [
            next(read) if found is None else cause.judge_turns(found, sample.target, self._turns)
            for sample, found in zip(samples, stored, strict=True)
        ]

    def identity(self) -> Mapping[str, Any]:
        return {**super().identity(), "cross_fitted": len(self._table)}


def read_cause_folds(folder: Path, data: Path | None, say: Say) -> tuple[str, Spans]:
    """The data set whose training split the folds are of, and each sample's out-of-fold spans.

    Each dialogue was read with the emotions that the `emotion` specialist predicts. Raises an `EmowhyError` where folds
    are missing or are those of other rows.
    """
    from tokenizers import Tokenizer

    try:
        from emowhy.specialists.training.causes import fit_favour
        from emowhy.specialists.training.pipeline import weigh_emotions
    except ImportError as error:
        raise missing_extra("cross-fitted cause spans", "tune") from error

    recipe, name, head = read_training(folder, "causes")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(recipe.max_tokens)
    tokenizer.no_padding()
    samples = rows.cause_rows(rows.read_samples(head, data, "train", say)).samples
    weights = weigh_emotions(samples)
    gold = [((s.gold.emotions if s.gold else None) or (cause.UNKNOWN,))[0] for s in samples]
    fold = np.array([rows.fold_of(str(s.extra.get("dialogue", s.id)), recipe.folds, recipe.seed) for s in samples])
    table: dict[tuple[str, str | None], list[cause.Found]] = {}
    for number in range(recipe.folds):
        path = folder / "work" / f"folds-{name}" / f"fold{number}-predicted.npy"
        use, held = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        favour = fit_favour(weights[use], [gold[i] for i in use])
        named = [cause.name_emotion(weights[i], favour) for i in held]
        frames = [
            cause.frame(samples[i], emotion, tokenizer, recipe.max_tokens)
            for i, emotion in zip(held, named, strict=True)
        ]
        for i, framed, part in zip(held, frames, _read_fold(path, frames), strict=True):
            table[samples[i].id, samples[i].text] = cause.read_spans(framed, part)
    return head.data, table


def _read_fold(path: Path, frames: Sequence[cause.Frame]) -> list[Array]:
    """The outputs for each frame, shape (tokens, 4)."""
    if not path.is_file():
        raise MissingError(f"hints_from: no {path.absolute()}", "let emowhy specialists train finish")
    logits, lengths = np.load(path), [len(framed.ids) for framed in frames]
    if len(logits) != sum(lengths):
        what = f"hints_from: {path} was made with other data or another emotion specialist"
        raise UsageError(what, "name the training of these very data, or train again")
    return np.split(logits, np.cumsum(lengths, dtype=int))[: len(frames)]
