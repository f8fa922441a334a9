"""Logits processors: log-probabilities as written, replies bound to a grammar, a seed for every row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import xgrammar
from transformers import LogitsProcessor


class TokenLogprobs(LogitsProcessor):  # type: ignore[misc]
    """Notes each written token's log-probability under the model itself (before any mask or temperature)."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._last: torch.Tensor | None = None
        self._columns: list[torch.Tensor] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self._note(input_ids)
        self._last = scores.float().log_softmax(-1)
        return scores

    def _note(self, ids: torch.Tensor) -> None:
        if self._last is not None and ids.shape[1] > self.width + len(self._columns):
            written = ids[:, self.width + len(self._columns)]
            self._columns.append(self._last.gather(1, written[:, None])[:, 0])

    def rows(self, out: torch.Tensor) -> list[list[float]]:
        """Log-probabilities (natural) of the written tokens, a list a row."""
        self._note(out)
        return torch.stack(self._columns, 1).tolist() if self._columns else [[] for _ in out]


class BoundReplies(LogitsProcessor):  # type: ignore[misc]
    """Masks every token that would leave a row's grammar; rows without one are free.

    With `after` (the token that ends thinking) a row is bound only once it has written that token.
    """

    def __init__(self, grammars: Sequence[Any], width: int, after: int | None = None) -> None:
        self.width = width
        self.after = after
        self.matchers = [None if g is None else xgrammar.GrammarMatcher(g) for g in grammars]
        self.bound = [after is None] * len(grammars)
        size = next(g for g in grammars if g is not None).tokenizer_info.vocab_size
        self.mask = xgrammar.allocate_token_bitmask(len(grammars), size)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        active: list[int] = []
        for row, matcher in enumerate(self.matchers):
            if matcher is None or matcher.is_terminated():
                continue
            if input_ids.shape[1] > self.width:
                written = int(input_ids[row, -1])
                if self.bound[row]:
                    matcher.accept_token(written)
                else:
                    self.bound[row] = written == self.after
            if self.bound[row] and not matcher.is_terminated():
                matcher.fill_next_token_bitmask(self.mask, row)
                active.append(row)
        if active:
            xgrammar.apply_token_bitmask_inplace(scores, self.mask.to(scores.device), indices=active)
        return scores


class SeededSampling(LogitsProcessor):  # type: ignore[misc]
    """Draws each row's token with that row's own generator (the Gumbel trick: greedy search then takes the draw).

    A row's words so depend on its seed, not on which rows share its batch.
    """

    def __init__(self, temperature: float, seeds: Sequence[int], width: int) -> None:
        self.temperature = temperature
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        size = scores.shape[1]
        noise = torch.stack(
            [torch.rand(size, generator=g).clamp_min(1e-20).log().neg().log().neg() for g in self.generators]
        )
        return scores.float() / self.temperature + noise.to(scores.device)
