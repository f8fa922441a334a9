"""Rounding to bf16 that keeps small changes: up or down by chance, so that the mean stays right.

An adapter changes every weight by far less than bf16 can tell apart. Rounded to the nearest, most of these changes
vanish, and with them a good part of what the adapter learned; rounded stochastically they are kept in the mean, which
is what sums over many weights see (Gupta et al. 2015, 1502.02551, section 3).
"""

from __future__ import annotations

from typing import Any

import torch

_DROPPED = 16
"""The bits of a float32 that a bfloat16 lacks: the lowest."""


def round_stochastically(weights: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """float32 weights (any shape) as float32 that bf16 holds exactly: of the two neighbours, one with a probability
    that makes the expectation the weight itself. What bf16 holds already stays."""
    bits = weights.contiguous().view(torch.int32)
    noise = torch.randint(0, 1 << _DROPPED, bits.shape, generator=generator, dtype=torch.int32)
    return ((bits + noise.to(bits.device)) & -(1 << _DROPPED)).view(torch.float32)


def round_model(net: Any, seed: int = 0) -> None:
    """Round the float32 weights of a model in place; the same seed gives the same bytes."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in net.parameters():
            if weights.dtype is torch.float32:
                weights.copy_(round_stochastically(weights, generator))
