"""What is used where nothing is named: which strategy, adapter and specialists. Each follows from what was measured."""

from __future__ import annotations

from pathlib import Path

from emowhy.models import EMBEDDED, find_adapter, origin
from emowhy.prompt import Strategy
from emowhy.schema import RATINGS
from emowhy.specialists import DEFAULTS
from emowhy.tune.templates import tuned_templates

LOCAL = ("transformers", "vllm")
"""The engines that load weights themselves: the embedded model's, and its adapter, where no others are named."""


def default_strategy(engine: str, model: str | None) -> str:
    """`given` for the embedded model (merged with an adapter, too), which is too small to decide; else `two_stage`."""
    if engine not in LOCAL:
        return "two_stage"
    embedded = model in (None, EMBEDDED) or origin(Path(str(model)).expanduser()).get("base") == EMBEDDED
    return "given" if embedded else "two_stage"


def default_adapter(engine: str, model: str | None, strategy: Strategy) -> str | None:
    """The base alone ("none") for a task's question that the embedded model's adapter was not tuned on: that chooses
    worse than the base (benchmarks/results/adapter.md). Else None, which leaves it to the engine."""
    shipped = find_adapter(None, model or EMBEDDED) if engine in LOCAL and strategy.answers else None
    return "none" if shipped and strategy.name not in tuned_templates(origin(shipped)) else None


def default_specialists(strategy: Strategy) -> tuple[str, ...]:
    """Those that give hints: where a reply has ratings, one that rates is among them."""
    return (*DEFAULTS, "valence") if set(strategy.steps[-1].fields) & set(RATINGS) else DEFAULTS
