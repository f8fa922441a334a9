"""What becomes of the specialists' hints in a training row: as found, missing, made wrong, or the annotators' own."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from emowhy.bench.probe_edits import mislead_cues, mislead_label
from emowhy.bench.probe_spans import find_spans
from emowhy.prompt import Policy, weigh
from emowhy.taxonomy import Taxonomy
from emowhy.tune.draws import choose
from emowhy.tune.gold import Gold, cause_clues, emotion_clues
from emowhy.tune.recipe import RowsRecipe
from emowhy.types import Clue, Sample

State = Literal["as found", "missing", "wrong", "gold"]


@dataclass(frozen=True, slots=True)
class Shown:
    """The policy and the clues that a prompt is made with, and what was done to them."""

    policy: Policy
    state: State
    clues: Sequence[Clue]


def hint(
    sample: Sample,
    clues: Sequence[Clue],
    task: str,
    strategy: str,
    gold: Gold,
    taxonomy: Taxonomy,
    recipe: RowsRecipe,
    draw: random.Random,
) -> Shown:
    """Draw policy and dropout for a row.

    A strategy that takes its labels as given learns from true ones: where the specialists' are not gold, they are
    replaced ("gold"), and a wrong hint means wrong cue words. `exclude` becomes `order` where no reply could name gold.
    """
    if task == "cause_given_emotion":
        return Shown("order", "gold", [*emotion_clues(gold.labels), *_no_emotions(clues)])
    if task == "emotion_given_cause":
        return Shown("order", "gold", cause_clues(gold.causes))
    policy, fate = choose(recipe.hints, draw), draw.random()
    if policy == "none" or fate < recipe.dropout.missing:
        return Shown("none", "missing", clues)
    state: State = "as found"
    if fate < recipe.dropout.missing + recipe.dropout.wrong:
        wrong = _mislead(sample, clues, strategy, gold, taxonomy, draw)
        state, clues = ("wrong", wrong) if wrong is not None else (state, clues)
    hints = weigh(clues, taxonomy, policy)
    if strategy == "given" and not set(hints.felt) <= set(gold.labels):
        return Shown(
            policy, "gold" if state == "as found" else state, [*emotion_clues(gold.labels), *_no_emotions(clues)]
        )
    if policy == "exclude" and hints.labels and not set(gold.labels) <= set(hints.labels):
        policy = "order"
    return Shown(policy, state, clues)


def _mislead(
    sample: Sample, clues: Sequence[Clue], strategy: str, gold: Gold, taxonomy: Taxonomy, draw: random.Random
) -> Sequence[Clue] | None:
    """Clues that point elsewhere, as the benchmark's wrong hints do; None where there is nothing to make wrong."""
    if strategy == "given":
        edit = mislead_cues(sample, clues, find_spans(gold.causes, sample), draw)
    else:
        edit = mislead_label(sample, clues, taxonomy.labels, gold.labels, draw)
    return edit.clues if edit is not None else None


def _no_emotions(clues: Sequence[Clue]) -> list[Clue]:
    return [clue for clue in clues if clue.kind != "emotion"]
