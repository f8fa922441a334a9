"""The order of the rows, and batches of them as tensors: only places that teach get logits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from emowhy.errors import UsageError
from emowhy.tune.tokens import IGNORED, Example

_POOL = 50
"""Batches are cut from pools of so many, sorted by length, so that little is padded."""


def plan(lengths: Sequence[int], batch: int, epochs: float, seed: int) -> list[int]:
    """The rows of a whole training in their order, to be cut into batches of `batch`: rows of like lengths together.

    Every row comes once an epoch; of a part of an epoch, a random part. All epochs are one sequence, so that a place
    in it is all that resuming needs: it depends on no generator's state, and every process cuts it alike.
    """
    rng = np.random.default_rng(seed)
    sizes = np.asarray(lengths)
    count = max(1, round(epochs * len(sizes)))
    order = np.concatenate([rng.permutation(len(sizes)) for _ in range(math.ceil(epochs))])[:count]
    found: list[int] = []
    for at in range(0, count, _POOL * batch):
        pool = order[at : at + _POOL * batch]
        pool = pool[np.argsort(sizes[pool], kind="stable")]
        batches = [pool[i : i + batch].tolist() for i in range(0, len(pool), batch)]
        last = [batches.pop()] if len(batches[-1]) < batch else []  # a short one only at the very end
        found += [row for i in rng.permutation(len(batches)) for row in batches[i]]
        found += [row for short in last for row in short]
    return found


class Planned(torch.utils.data.Dataset[Example]):
    """Examples in the order of a plan."""

    def __init__(self, examples: Sequence[Example], order: Sequence[int]) -> None:
        self.examples = examples
        self.order = order

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, place: int) -> Example:
        return self.examples[self.order[place]]


@dataclass(frozen=True)
class Padded:
    """Rows beside each other, padded on the left, so that all completions end at the right edge.

    The model is asked for the logits of that edge only (`logits_to_keep`): a prompt is most of a row, and its logits
    would be most of the memory. `labels` (rows, kept) name the token that follows each kept place; the first column
    teaches nothing, as the trainer counts the taught tokens from the second on.
    """

    pad: int

    def __call__(self, examples: Sequence[Example]) -> dict[str, Any]:
        width = max(len(e.ids) for e in examples)
        kept = max(len(e.taught) for e in examples) + 2
        ids = torch.full((len(examples), width), self.pad)
        mask = torch.zeros_like(ids)
        labels = torch.full((len(examples), kept), IGNORED)
        for row, example in enumerate(examples):
            ids[row, width - len(example.ids) :] = torch.tensor(example.ids)
            mask[row, width - len(example.ids) :] = 1
            labels[row, kept - 1 - len(example.taught) : kept - 1] = torch.tensor(example.taught)
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "position_ids": (mask.cumsum(1) - 1).clamp(min=0),
            "logits_to_keep": kept,
            "use_cache": False,
            "labels": labels,
        }


@dataclass(frozen=True)
class Packed:
    """The same rows behind each other in one sequence (1, tokens): nothing is padded.

    Where a row begins, positions begin again; transformers keeps attention within a row by that, in the models that
    it knows how to (see `check_packing`). `labels` (1, kept) as in `Padded`.
    """

    def __call__(self, examples: Sequence[Example]) -> dict[str, Any]:
        ids = [token for e in examples for token in e.ids]
        positions = [place for e in examples for place in range(len(e.ids))]
        places, labels, start = [0], [IGNORED], 0
        for e in examples:
            places += range(start + e.prompt - 1, start + len(e.ids) - 1)
            labels += e.taught
            start += len(e.ids)
        return {
            "input_ids": torch.tensor([ids]),
            "position_ids": torch.tensor([positions]),
            "logits_to_keep": torch.tensor(places),
            "use_cache": False,  # with a cache transformers takes the positions for those of one row
            "labels": torch.tensor([labels]),
        }


def completion_loss(outputs: Any, labels: Any, num_items_in_batch: Any = None) -> Any:
    """Mean cross entropy of the taught tokens; with `num_items_in_batch`, their sum over that number (a step's batches
    count by their tokens, not one like the other)."""
    logits = outputs.logits.flatten(0, 1).float()
    count = (labels != IGNORED).sum() if num_items_in_batch is None else num_items_in_batch
    return torch.nn.functional.cross_entropy(logits, labels.flatten(), ignore_index=IGNORED, reduction="sum") / count


@torch.no_grad()
def check_packing(model: Any, examples: Sequence[Example]) -> None:
    """Make sure that packed rows do not see each other: other tokens in the first must not change a bit of the second.

    Raises:
        UsageError: they do; the model attends across rows, or carries a state over.
    """
    first, second = examples[0], examples[-1]
    other = Example(first.id, first.ids[-1:] * len(first.ids), first.prompt)
    model.eval()
    found = []
    for before in (first, other):
        batch = Packed()([before, second])
        batch["logits_to_keep"] = len(second.ids)
        inputs = {
            name: v.to(model.device) if torch.is_tensor(v) else v for name, v in batch.items() if name != "labels"
        }
        found.append(model(**inputs).logits)
    if not torch.equal(*found):
        raise UsageError(
            "in this base packed rows see each other, so packing would change what is learned", "packing: false"
        )
