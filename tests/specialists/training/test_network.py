"""Laws of the network: heads of their shapes, company that changes nothing, seeds, and an encoder kept for others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from emowhy.specialists.training.loop import predict, start_rounding
from emowhy.specialists.training.network import Head, Network, build, keep_encoder, pad
from emowhy.specialists.training.quantise import prepare, set_mode

HEADS = {"emotion": Head(5), "cue": Head(1, "token")}
ROWS = [[101, 2023, 102], [101, 2023, 2003, 6659, 999, 1012, 102], [101, 102], [101, 6659, 102]]


def test_every_head_has_its_outputs_for_a_text_or_for_each_token(tiny_base: Path) -> None:
    found = build(tiny_base, HEADS, 0)(*pad(ROWS))
    assert found["emotion"].shape == (4, 5)
    assert found["cue"].shape == (4, 7, 1)


def test_rows_are_padded_to_the_longest_and_padding_is_masked() -> None:
    tokens, mask = pad(ROWS)
    assert tokens.shape == mask.shape == (4, 7)
    assert mask.sum(1).tolist() == [len(row) for row in ROWS]
    assert [row[:n].tolist() for row, n in zip(tokens, mask.sum(1), strict=True)] == ROWS


@pytest.mark.parametrize("rounded", [False, True])
def test_company_changes_nothing_but_the_last_bits(tiny_base: Path, rounded: bool) -> None:
    network = build(tiny_base, HEADS, 0)
    if rounded:
        start_rounding(network, ROWS, prepare)
    together = predict(network, ROWS)
    for i, row in enumerate(ROWS):
        alone = predict(network, [row])
        # one rounding level (about .02 of an activation) may flip with a last bit
        bound = 2e-2 if rounded else 1e-5
        np.testing.assert_allclose(alone["emotion"][0], together["emotion"][i], rtol=0, atol=bound)
        np.testing.assert_allclose(alone["cue"][0], together["cue"][i], rtol=0, atol=bound)
        assert len(together["cue"][i]) == len(row)


def test_a_seed_decides_the_heads_and_the_base_the_encoder(tiny_base: Path) -> None:
    one, same, other = (build(tiny_base, HEADS, seed) for seed in (1, 1, 2))
    for a, b in zip(one.state_dict().values(), same.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(one.state_dict()["heads.emotion.weight"], other.state_dict()["heads.emotion.weight"])
    for a, b in zip(one.encoder.state_dict().values(), other.encoder.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def hidden(network: Network) -> torch.Tensor:
    tokens, mask = pad(ROWS[1:2])
    with torch.inference_mode():
        found: torch.Tensor = network.eval().encoder(input_ids=tokens, attention_mask=mask)[0]
    return found


@pytest.mark.parametrize("rounded", [False, True])
def test_an_encoder_that_is_kept_is_the_base_of_another_network_bit_for_bit(
    tiny_base: Path, tmp_path: Path, rounded: bool
) -> None:
    network = build(tiny_base, HEADS, 0)
    with torch.no_grad():  # not what `tiny_base` holds
        for weight in network.encoder.parameters():
            weight.mul_(1.1)
    if rounded:
        start_rounding(network, ROWS, prepare)
    keep_encoder(network, tmp_path / "encoder")
    set_mode(network, "off")
    assert torch.equal(hidden(build(tmp_path / "encoder", {"other": Head(2)}, 5)), hidden(network))
    assert not torch.equal(hidden(build(tiny_base, HEADS, 0)), hidden(network))
