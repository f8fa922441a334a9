"""Gold clues against predicted ones by the cosines of their sentence embeddings.

A similarity table has a row for each gold clue and a column for each predicted one. Scores are (precision, recall, F)
of one row of the run, 0 to 1: no clues on either side 1, 1, 1; no gold ones 0, 1, 0; no predicted ones 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from emowhy.bench.metrics.clue_text import MODALITIES, ClueText, Modality
from emowhy.errors import InputError, missing_extra
from emowhy.models import find_encoder

Array = npt.NDArray[np.floating]
Scores = tuple[float, float, float]

_MOST_TOKENS = 256  # what the encoder was trained to read
_WIDTH = 384


class Encoder:
    """MiniLM sentence embeddings (Reimers and Gurevych 2019): the mean over the tokens, of length 1.

    The weights are loaded with the first text, and each text is read once, by itself: what it is read with would show
    in the last digits. `folder` holds other weights of that form; without it they are looked for (`find_encoder`).

    Raises, at the first text:
        MissingError: torch and transformers, or the weights, are not installed.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._known: dict[str, npt.NDArray[np.float32]] = {}
        self._loaded: tuple[Any, Any] | None = None

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Embeddings of shape (texts, 384); what is beyond 256 tokens of a text is not read."""
        for text in texts:
            if text not in self._known:
                self._known[text] = self._read(text)
        return np.stack([self._known[text] for text in texts]) if texts else np.empty((0, _WIDTH), np.float32)

    def similarities(self, gold: Sequence[str], predicted: Sequence[str]) -> Array:
        """Cosines, -1 to 1, shape (gold, predicted)."""
        a, b = self.encode(gold).astype(np.float64), self.encode(predicted).astype(np.float64)
        found: Array = np.clip(np.einsum("gw,pw->gp", a, b), -1, 1)
        return found

    def _read(self, text: str) -> npt.NDArray[np.float32]:
        tokenizer, model = self._loaded = self._loaded or _load(self._folder)
        import torch

        batch = tokenizer(text, truncation=True, max_length=_MOST_TOKENS, return_tensors="pt")
        with torch.inference_mode():
            mean = model(**batch).last_hidden_state[0].mean(0)
        found: npt.NDArray[np.float32] = (mean / mean.norm().clamp(min=1e-12)).numpy()
        return found


def clue_similarity(similarities: Array) -> Scores:
    """R = mean over gold clues of the best cosine with a predicted one, P the reverse, and their F.

    In the manner of EmoCue-360 (2602.05496). A cosine below 0 counts 0.
    """
    if not similarities.size:
        return _without_clues(*similarities.shape)
    near = np.maximum(similarities, 0)
    precision, recall = float(near.max(0).mean()), float(near.max(1).mean())
    return precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def by_modality(similarities: Array, gold: Sequence[ClueText], predicted: Sequence[ClueText]) -> dict[Modality, Array]:
    """The part of the table for each modality that a clue of either side has."""
    parts: dict[Modality, Array] = {}
    for modality in MODALITIES:
        rows = [k for k, clue in enumerate(gold) if clue.modality == modality]
        columns = [k for k, clue in enumerate(predicted) if clue.modality == modality]
        if rows or columns:
            parts[modality] = similarities[np.ix_(rows, columns)]
    return parts


def match_clues(similarities: Array, threshold: float) -> list[tuple[int, int]]:
    """The one-to-one matching (gold, predicted) with most pairs above the threshold, and of those the most similar."""
    above = similarities > threshold
    # one pair more weighs more than all similarities together: a sum of cosines could prefer fewer pairs
    weight = np.where(above, 2.0 * (min(similarities.shape) + 1) + similarities, 0)
    rows, columns = linear_sum_assignment(weight, maximize=True)
    return [(int(g), int(p)) for g, p in zip(rows, columns, strict=True) if above[g, p]]


def clue_f1(similarities: Array, threshold: float) -> Scores:
    """P, R, F of the clues that `match_clues` finds: a matched clue counts 1, whatever its similarity."""
    gold, predicted = similarities.shape
    if not similarities.size:
        return _without_clues(gold, predicted)
    pairs = len(match_clues(similarities, threshold))
    return pairs / predicted, pairs / gold, 2 * pairs / (gold + predicted)


def floor(wrong_pairs: Iterable[Array], threshold: float) -> float:
    """The mean F of `clue_f1` over tables of texts that do not belong together: what a wrong answer earns.

    Tables without a row or column say nothing of the threshold and are left out; without any other it is 0.
    """
    scores = [clue_f1(table, threshold)[2] for table in wrong_pairs if table.size]
    return sum(scores) / len(scores) if scores else 0.0


def fit_threshold(wrong_pairs: Sequence[Array], most: float = 0.05) -> float:
    """The smallest threshold of at least 0 at which the `floor` is at most `most`.

    `wrong_pairs` are tables of each gold text with the predicted or gold text of another sample of the reference data.

    Raises:
        InputError: no table has a cell.
    """
    tables = [table for table in wrong_pairs if table.size]
    if not tables:
        raise InputError("no clues to fit a threshold on", "give reference rows with at least two descriptions")
    # the floor only falls as the threshold rises, and it changes at cells of the tables only
    steps = np.unique(np.concatenate([np.zeros(1), *(np.maximum(table, 0).ravel() for table in tables)]))
    low, high = 0, len(steps) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if floor(tables, float(steps[middle])) <= most else (middle + 1, high)
    return float(steps[low])


def _without_clues(gold: int, predicted: int) -> Scores:
    if gold:
        return 0.0, 0.0, 0.0
    return (0.0, 1.0, 0.0) if predicted else (1.0, 1.0, 1.0)


def _load(folder: Path | None) -> tuple[Any, Any]:
    """The tokenizer and the encoder."""
    try:
        import torch
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging
    except ImportError as error:
        raise missing_extra("clue similarity", "local") from error
    path = folder or find_encoder()
    logging.disable_progress_bar()
    model = AutoModel.from_pretrained(path, dtype=torch.float32, attn_implementation="sdpa")
    return AutoTokenizer.from_pretrained(path), model.eval()
