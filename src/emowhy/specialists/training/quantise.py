"""Quantisation-aware training: the network learns with the rounding that its int8 export will do.

Activations that enter a matrix product are rounded to 8 bits on a fixed, learned range (LSQ, Esser et al. 2020,
1902.08153: the range is a parameter, rounding passes gradients straight through); weights to 7 bits with one scale
an output channel. Fixed ranges make a text's scores independent of the texts that share its batch, which dynamic
quantisation does not; 7 bits cannot overflow the 16-bit sums of processors without VNNI instructions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

WEIGHT_LEVEL = 63
ACTIVATION_LEVELS = 255
_OUTLIERS = 1e-4
"""Share of a batch's values left out on each side while ranges are first observed."""


class Range(nn.Module):
    """The range on which an activation is rounded to 0..255; first observed, then learned."""

    def __init__(self) -> None:
        super().__init__()
        self.low = nn.Parameter(torch.tensor(0.0))
        self.high = nn.Parameter(torch.tensor(0.0))
        self.mode = "off"

    def forward(self, x: Tensor) -> Tensor:
        if self.mode == "off":
            return x
        if self.mode == "observe":
            self._observe(x)
            return x
        scale, zero = self.grid()
        rounded = _round(x.float() / scale) + zero
        return (rounded.clamp(0, ACTIVATION_LEVELS) - zero) * scale

    def grid(self) -> tuple[Tensor, Tensor]:
        """Scale and zero point; zero itself is always on the grid."""
        low, high = self.low.clamp(max=0.0), self.high.clamp(min=0.0)
        scale = ((high - low) / ACTIVATION_LEVELS).clamp(min=1e-6)
        return scale, _round(-low / scale)

    @torch.no_grad()
    def _observe(self, x: Tensor) -> None:
        flat = x.detach().float().flatten()
        count = max(1, int(len(flat) * _OUTLIERS))
        low, high = flat.kthvalue(count).values, flat.kthvalue(len(flat) + 1 - count).values
        self.low.copy_(torch.minimum(self.low, low))
        self.high.copy_(torch.maximum(self.high, high))


class RoundedLinear(nn.Module):
    """A linear layer whose input and weights are rounded while its range says so."""

    def __init__(self, linear: nn.Linear, range_: Range) -> None:
        super().__init__()
        self.linear, self.range = linear, range_

    def forward(self, x: Tensor) -> Tensor:
        x = self.range(x)
        if self.range.mode != "round":
            found: Tensor = self.linear(x)
            return found
        return nn.functional.linear(x, round_weight(self.linear.weight), self.linear.bias)


def weight_scales(weight: Tensor) -> Tensor:
    """One scale an output channel, shape (out,)."""
    return (weight.detach().abs().amax(1) / WEIGHT_LEVEL).clamp(min=1e-8)


def round_weight(weight: Tensor) -> Tensor:
    scales = weight_scales(weight)
    zeros = torch.zeros_like(scales, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight.float(), scales, zeros, 0, -WEIGHT_LEVEL, WEIGHT_LEVEL)


def _round(x: Tensor) -> Tensor:
    """Rounds, and lets gradients through as if it had not."""
    return x + (x.round() - x).detach()


def prepare(encoder: Any) -> None:
    """Put a range before every matrix product with weights of a BERT encoder; query, key and value share one."""
    for layer in encoder.encoder.layer:
        attention, shared = layer.attention.self, Range()
        for name in ("query", "key", "value"):
            setattr(attention, name, RoundedLinear(getattr(attention, name), shared))
        for place in (layer.attention.output, layer.intermediate, layer.output):
            place.dense = RoundedLinear(place.dense, Range())


def ranges(network: nn.Module) -> list[Range]:
    return [module for module in network.modules() if isinstance(module, Range)]


def set_mode(network: nn.Module, mode: str) -> None:
    """`off` (full precision), `observe` (ranges widen to what is seen) or `round`."""
    for found in ranges(network):
        found.mode = mode


def rounded_linears(network: nn.Module) -> Iterator[tuple[str, RoundedLinear]]:
    for name, module in network.named_modules():
        if isinstance(module, RoundedLinear):
            yield name, module
