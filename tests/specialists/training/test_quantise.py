"""Laws of rounding while learning: what it may change, what it never does, and that gradients pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from emowhy.specialists.training.loop import predict, start_rounding
from emowhy.specialists.training.network import Head, build
from emowhy.specialists.training.quantise import (
    ACTIVATION_LEVELS,
    WEIGHT_LEVEL,
    Range,
    RoundedLinear,
    prepare,
    ranges,
    round_weight,
    rounded_linears,
    set_mode,
    weight_scales,
)

ENDS = st.floats(-50, 50, width=32)


def made(low: float, high: float, mode: str = "round") -> Range:
    found = Range()
    with torch.no_grad():
        found.low.fill_(low)
        found.high.fill_(high)
    found.mode = mode
    return found


@given(ENDS, ENDS)
@settings(deadline=None)
def test_a_range_keeps_zero_on_its_grid_wherever_its_ends_are(low: float, high: float) -> None:
    found = made(low, high)
    scale, zero = found.grid()
    assert float(scale) > 0
    assert float(zero) == round(float(zero))
    assert 0 <= float(zero) <= ACTIVATION_LEVELS
    assert float(found(torch.zeros(1))) == 0


@given(st.floats(-50, -0.125, width=32), st.floats(0.125, 50, width=32))
@settings(deadline=None)
def test_rounding_moves_a_value_inside_by_half_a_level_at_most_and_one_outside_to_the_end(
    low: float, high: float
) -> None:
    found = made(low, high)
    scale, zero = (float(value) for value in found.grid())
    x = torch.linspace(low, high, 101)
    # the zero point is rounded too, so that an end may lie half a level further out
    assert float((found(x) - x).abs().max()) <= scale * 1.001
    middle = x[(x > low + scale) & (x < high - scale)]
    assert float((found(middle) - middle).abs().max()) <= scale / 2 * 1.001
    ends = found(torch.tensor([low * 9 - 9, high * 9 + 9]))
    assert ends.tolist() == pytest.approx([-zero * scale, (ACTIVATION_LEVELS - zero) * scale])
    levels = torch.unique(found(torch.linspace(low * 2, high * 2, 5000)))
    assert len(levels) <= ACTIVATION_LEVELS + 1


def test_gradients_pass_straight_through_inside_the_range_and_move_its_ends_from_outside() -> None:
    found = made(-1.0, 2.0)
    x = torch.tensor([-0.93, 0.4, 1.77, 5.0, -7.0], requires_grad=True)
    found(x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == pytest.approx([1, 1, 1, 0, 0])
    high = made(-1.0, 2.0)
    high(torch.tensor([5.0])).sum().backward()
    assert high.high.grad is not None
    assert float(high.high.grad) > 0.5
    low = made(-1.0, 2.0)
    low(torch.tensor([-5.0])).sum().backward()
    assert low.low.grad is not None
    assert float(low.low.grad) > 0.5


def test_gradients_reach_weights_through_their_rounding() -> None:
    torch.manual_seed(0)
    layer = RoundedLinear(nn.Linear(6, 3), made(-3, 3))
    layer(torch.randn(4, 6)).square().sum().backward()
    assert layer.linear.weight.grad is not None
    assert bool((layer.linear.weight.grad != 0).all())


@given(st.lists(st.lists(st.floats(-9, 9, width=32), min_size=4, max_size=4), min_size=1, max_size=5))
@settings(deadline=None)
def test_weights_are_whole_steps_of_their_channel_and_use_sixty_three_at_most(rows: list[list[float]]) -> None:
    weight = torch.tensor(rows)
    scales = weight_scales(weight)
    assert scales.shape == (len(rows),)
    steps = (round_weight(weight) / scales[:, None]).numpy()
    assert np.allclose(steps, steps.round(), atol=1e-3)
    assert np.abs(steps.round()).max() <= WEIGHT_LEVEL == 63
    moved = (round_weight(weight) - weight).abs()
    assert bool((moved <= scales[:, None] * 0.501).all())


def test_a_channel_of_zeros_stays_one() -> None:
    assert round_weight(torch.zeros(2, 3)).tolist() == [[0.0] * 3] * 2


def test_a_sum_of_products_cannot_overflow_sixteen_bits() -> None:
    assert 2 * ACTIVATION_LEVELS * WEIGHT_LEVEL < 2**15


@pytest.mark.parametrize("mode", ["off", "observe"])
def test_nothing_is_rounded_before_it_is_time(mode: str) -> None:
    torch.manual_seed(0)
    x = torch.randn(5, 6)
    plain = nn.Linear(6, 3)
    layer = RoundedLinear(plain, made(-0.1, 0.1, mode))
    assert torch.equal(layer(x), plain(x))


def test_what_was_observed_fits_all_but_the_outliers_and_only_widens() -> None:
    found = made(0, 0, "observe")
    x = torch.linspace(-2, 6, 100_001)
    found(torch.cat([x, torch.tensor([-900.0, 900.0])]))
    assert float(found.low.detach()) == pytest.approx(-2, abs=0.01)
    assert float(found.high.detach()) == pytest.approx(6, abs=0.01)
    found(torch.tensor([0.5, 0.7]))
    assert float(found.high.detach()) == pytest.approx(6, abs=0.01)


def test_every_product_of_the_encoder_is_rounded_and_query_key_and_value_share_a_range(tiny_base: Path) -> None:
    network = build(tiny_base, {"emotion": Head(3)}, 0)
    layers = len(network.encoder.encoder.layer)
    prepare(network.encoder)
    names = [name for name, _ in rounded_linears(network)]
    plain = [m for n, m in network.encoder.named_modules() if isinstance(m, nn.Linear) and not n.endswith(".linear")]
    assert len(names) == 6 * layers
    assert plain == []
    assert len(ranges(network)) == 4 * layers
    attention = network.encoder.encoder.layer[0].attention.self
    assert attention.query.range is attention.key.range is attention.value.range


def test_rounding_begins_close_to_what_was_learned_and_ends_when_told(tiny_base: Path) -> None:
    rows = [[101, *range(2000 + 7 * k, 2010 + 7 * k), 102] for k in range(20)]
    network = build(tiny_base, {"emotion": Head(3)}, 0)
    before = predict(network, rows)["emotion"]
    start_rounding(network, rows, prepare)
    after = predict(network, rows)["emotion"]
    assert not np.array_equal(before, after)
    assert np.abs(before - after).max() < 0.1 * np.abs(before).max()
    set_mode(network, "off")
    assert np.array_equal(predict(network, rows)["emotion"], before)
