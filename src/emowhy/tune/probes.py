"""Probe chats with replies to read, and how far two models are apart on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emowhy.engines.base import Engine
from emowhy.engines.scripted import ScriptedEngine
from emowhy.prompt import build_chat, load_strategy, weigh
from emowhy.taxonomy import find_taxonomy
from emowhy.types import Chat, Clue, Sample, Sampling, Turn

Scores = list[list[tuple[str, float]]]
"""Continuations token by token: pieces with their natural log-probabilities."""

FALLBACK = ("given", "direct")
"""The strategies that are probed where an adapter does not say what it was tuned on."""

_CHOICES = ("It came as a relief.", "It felt unfair.")
_SAMPLES = (
    Sample("flight", text="They moved my shift again and nobody asked me.", choices=_CHOICES),
    Sample("letter", text="The letter came today. I got the place!", speaker="Mira", choices=_CHOICES),
    Sample(
        "dog",
        text="He has not eaten since Monday.",
        speaker="B",
        context=(Turn("How is the dog?", "A"),),
        choices=_CHOICES,
    ),
)
_CLUES = (
    Clue("emotion", "probe", "annoyance", score=0.62, chosen=True),
    Clue("emotion", "probe", "joy", score=0.2),
    Clue("emotion", "probe", "sadness", score=0.12),
)


_LEAST = 4
"""Probes, where there are fewer strategies; every token of theirs is a request of its own to vLLM."""

_REPLY = 120
"""Characters of a reply that are scored, about 35 tokens."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A chat and the beginning of a reply to it, whose tokens are scored."""

    chat: Chat
    reply: str


@dataclass(frozen=True, slots=True)
class Distance:
    """How far two readings of the same replies are apart: absolute differences of natural log-probabilities a token."""

    mean: float
    most: float
    tokens: int

    def __str__(self) -> str:
        return f"{self.mean:.4f} nats a token (at most {self.most:.3f}; {self.tokens} tokens)"


def make_probes(
    strategies: Sequence[str], control_tokens: Sequence[str] = (), prompts: Path | None = None
) -> list[Probe]:
    """Made-up samples under the last step of each strategy, with how a reply begins that its schema allows."""
    hints = weigh(_CLUES, find_taxonomy("goemotions"), "order")
    chats = []
    for place in range(min(max(_LEAST, len(strategies)), len(strategies) * len(_SAMPLES))):
        turn, which = divmod(place, len(strategies))
        *hops, last = load_strategy(strategies[which], prompts).steps
        said = {hop.name: "They had hoped to be asked, and were not." for hop in hops}
        sample = _SAMPLES[(which + turn) % len(_SAMPLES)]
        chats.append(build_chat(last, sample, hints, sampling=Sampling(), steps=said, control_tokens=control_tokens))
    replies = ScriptedEngine().generate(chats)
    return [Probe(chat, reply.text[:_REPLY]) for chat, reply in zip(chats, replies, strict=True)]


def read_probes(engine: Engine, probes: Sequence[Probe]) -> Scores:
    """Every probe's reply, token by token, as the engine scores it."""
    return engine.token_logprobs([probe.chat for probe in probes], [probe.reply for probe in probes])


def distance(one: Scores, other: Scores) -> Distance:
    """How far two readings are apart.

    Raises:
        ValueError: they do not consist of the same tokens: the models have different tokenizers.
    """
    gaps: list[float] = []
    for first, second in zip(one, other, strict=True):
        if [piece for piece, _ in first] != [piece for piece, _ in second]:
            raise ValueError("the two models cut the same reply into other tokens")
        gaps += [abs(a - b) for (_, a), (_, b) in zip(first, second, strict=True)]
    return Distance(sum(gaps) / len(gaps), max(gaps), len(gaps)) if gaps else Distance(0.0, 0.0, 0)


def without_adapter(engine: Any) -> Any:
    """A context in which a transformers engine's PEFT model answers as its base does."""
    return engine.model.disable_adapter()
