"""Laws of stochastic rounding: a neighbour in bf16, the right one in the mean, the same again with the same seed."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from emowhy.tune.rounding import round_model, round_stochastically

numbers = st.floats(-1e4, 1e4, width=32, allow_subnormal=False)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(st.lists(numbers, min_size=1, max_size=20), st.integers(0, 9))
def test_every_number_becomes_one_of_its_two_neighbours_in_bf16(values: list[float], seed: int) -> None:
    weights = torch.tensor(values)
    rounded = round_stochastically(weights, seeded(seed))
    assert torch.equal(rounded.bfloat16().float(), rounded)
    nearest = weights.bfloat16().float()
    step = weights.abs() * 2.0**-7  # a bf16 has 8 significant bits: its neighbours are at most so far apart
    assert ((rounded - weights).abs() <= step).all()
    exact = nearest == weights
    assert torch.equal(rounded[exact], weights[exact])


def test_a_change_too_small_for_bf16_is_kept_in_the_mean_where_rounding_to_the_nearest_loses_it() -> None:
    weights = torch.full((100_000,), 1.0 + 0.001)  # the next bf16 above 1 is 1 + 2 ** -7 = 1.0078
    assert weights.bfloat16().float().mean() == 1.0
    # 12.8 % become 1.0078; the mean of 100,000 is within 5 standard errors, 5 * 0.0078 * sqrt(.128 * .872 / 1e5)
    assert round_stochastically(weights, seeded()).double().mean().item() == pytest.approx(1.001, abs=5e-5)
    assert round_stochastically(-weights, seeded()).double().mean().item() == pytest.approx(-1.001, abs=5e-5)


def test_the_same_seed_rounds_a_model_to_the_same_bytes_and_leaves_other_types_alone() -> None:
    def made() -> torch.nn.Module:
        torch.manual_seed(1)
        return torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Linear(8, 2).to(torch.float16))

    one, other, third = made(), made(), made()
    round_model(one)
    round_model(other)
    round_model(third, seed=1)
    assert torch.equal(one[0].weight, other[0].weight)  # type: ignore[index]
    assert not torch.equal(one[0].weight, third[0].weight)  # type: ignore[index]
    assert torch.equal(one[1].weight, made()[1].weight)  # type: ignore[index]
