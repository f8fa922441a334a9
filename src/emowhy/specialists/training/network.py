"""The network of every trained specialist: one encoder, and a linear head for each thing that it tells."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

Level = Literal["text", "token"]


@dataclass(frozen=True, slots=True)
class Head:
    """`size` outputs for the whole text (read from the mean over its tokens), or for each of its tokens."""

    size: int
    level: Level = "text"


class Network(nn.Module):
    """Token ids in, a tensor of logits for every head out."""

    def __init__(self, encoder: Any, heads: Mapping[str, Head], dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder: Any = encoder
        self.kinds = dict(heads)
        width: int = encoder.config.hidden_size
        self.heads = nn.ModuleDict({name: nn.Linear(width, head.size) for name, head in heads.items()})
        self.dropout = nn.Dropout(dropout)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        """Shapes: (rows, tokens) twice; logits (rows, size) for a text head, (rows, tokens, size) for a token head."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask)[0]
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        pooled = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
        read = {"text": self.dropout(pooled), "token": self.dropout(hidden)}
        return {name: head(read[self.kinds[name].level]) for name, head in self.heads.items()}


def build(base: Path, heads: Mapping[str, Head], seed: int) -> Network:
    """A network with fresh heads on the encoder in the folder `base` (an earlier training leaves one in `encoder/`)."""
    from transformers import AutoModel
    from transformers.utils import logging

    torch.manual_seed(seed)
    logging.disable_progress_bar()
    encoder = AutoModel.from_pretrained(base, attn_implementation="sdpa")
    encoder.pooler = None
    return Network(encoder, heads)


PROVENANCE = "provenance.json"
"""Beside a kept encoder: the data it has seen, and whether that allows commercial use."""


def keep_encoder(network: Network, folder: Path, provenance: Mapping[str, Any] | None = None) -> None:
    """Save the encoder as a plain checkpoint, without the ranges of rounding: a base for other trainings."""
    from transformers import AutoModel

    plain = AutoModel.from_config(network.encoder.config)
    weights = {name.replace(".linear.", "."): value.cpu() for name, value in network.encoder.state_dict().items()}
    kept = {name: value for name, value in weights.items() if ".range." not in name}
    unread = {name: torch.zeros_like(value) for name, value in plain.pooler.state_dict(prefix="pooler.").items()}
    plain.load_state_dict(kept | unread)
    plain.save_pretrained(folder)
    (folder / PROVENANCE).write_text(json.dumps(provenance or {}, indent=1) + "\n", encoding="utf-8")


def pad(ids: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask, both (rows, longest)."""
    width = max(map(len, ids))
    tokens = torch.zeros(len(ids), width, dtype=torch.long)
    mask = torch.zeros(len(ids), width, dtype=torch.long)
    for row, some in enumerate(ids):
        tokens[row, : len(some)] = torch.tensor(some)
        mask[row, : len(some)] = 1
    return tokens, mask
