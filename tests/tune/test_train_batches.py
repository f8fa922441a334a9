"""Laws of batches: every row once an epoch, and a loss that is the completions' own, padded or packed."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from emowhy.errors import UsageError
from emowhy.tune.batches import Packed, Padded, check_packing, completion_loss, plan
from emowhy.tune.tokens import Example

LENGTHS = st.lists(st.integers(1, 300), min_size=1, max_size=400)
EXAMPLES = [Example("a", (3, 9, 4, 7, 8, 2), 3), Example("b", (3, 6, 5, 11, 2), 4), Example("c", (3, 4, 8, 2), 2)]


@given(LENGTHS, st.integers(1, 9), st.floats(0.1, 3), st.integers(0, 99))
def test_every_row_comes_once_an_epoch(lengths: list[int], batch: int, epochs: float, seed: int) -> None:
    order = plan(lengths, batch, epochs, seed)
    count = Counter(order)
    assert len(order) == max(1, round(epochs * len(lengths)))
    assert {count[row] for row in range(len(lengths))} <= {math.floor(epochs), math.ceil(epochs)}
    assert order == plan(lengths, batch, epochs, seed)


@given(st.integers(0, 20))
def test_another_seed_is_another_order(seed: int) -> None:
    lengths = list(range(40))
    assert plan(lengths, 4, 1, seed) != plan(lengths, 4, 1, seed + 1)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=200), st.integers(4, 9))
def test_a_batch_has_rows_of_like_lengths(lengths: list[int], batch: int) -> None:
    """All rows are one pool here, so that no row of one batch lies between the rows of another, the last aside."""
    order = plan(lengths, batch, 1, 0)
    batches = [[lengths[row] for row in order[i : i + batch]] for i in range(0, len(order), batch)]
    full = sorted((min(b), max(b)) for b in batches if len(b) == batch)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(full))


def tiny() -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    return LlamaForCausalLM(LlamaConfig(vocab_size=40, max_position_embeddings=64, **sizes)).eval()


def by_hand(model: Any) -> list[Tensor]:
    """The negative log-probability of each taught token, row after row, each row read alone and whole."""
    found = []
    for e in EXAMPLES:
        logprobs = model(input_ids=torch.tensor([e.ids])).logits[0].log_softmax(-1)
        found += [-logprobs[place - 1, e.ids[place]] for place in range(e.prompt, len(e.ids))]
    return found


@pytest.mark.parametrize("batches", [Padded(0), Packed()], ids=["padded", "packed"])
@torch.no_grad()
def test_the_loss_is_that_of_the_completions_each_row_read_alone(batches: Any) -> None:
    model = tiny()
    wanted = by_hand(model)
    assert len(wanted) == 3 + 1 + 2
    batch = batches(EXAMPLES)
    labels = batch.pop("labels")
    outputs = model(**batch)
    assert outputs.logits.shape[:2] == labels.shape
    assert completion_loss(outputs, labels).item() == pytest.approx(float(sum(wanted)) / 6, abs=1e-5)
    # of a step of several batches: by the tokens of all of them
    assert completion_loss(outputs, labels, 12).item() == pytest.approx(float(sum(wanted)) / 12, abs=1e-5)


@pytest.mark.parametrize("batches", [Padded(0), Packed()], ids=["padded", "packed"])
@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(2, 9), st.integers(1, 9)), min_size=1, max_size=5))
def test_only_completions_are_taught_and_the_first_column_never(batches: Any, sizes: list[tuple[int, int]]) -> None:
    """The trainer counts the taught tokens from the second column on."""
    examples = [Example(str(i), tuple(range(1, p + c + 1)), p) for i, (p, c) in enumerate(sizes)]
    labels = batches(examples)["labels"]
    assert labels[labels != -100].tolist() == [token for e in examples for token in e.taught]
    assert (labels[:, 0] == -100).all()


class Blurred(nn.Module):
    """A model that carries a state from row to row, as recurrent ones do."""

    device = "cpu"

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(40, 8)

    def forward(self, input_ids: Tensor, logits_to_keep: int, **other: Any) -> Any:
        return SimpleNamespace(logits=self.words(input_ids).cumsum(1)[:, -logits_to_keep:])


def test_packing_is_refused_where_rows_would_see_each_other() -> None:
    check_packing(tiny(), EXAMPLES)
    with pytest.raises(UsageError, match="see each other"):
        check_packing(Blurred(), EXAMPLES)
