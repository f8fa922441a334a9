"""`fusion`: the candidates' probabilities, corrected by what the language model itself holds of each. No training.

The language model is asked as the strategy `direct` asks it, and each candidate is scored as the first label of its
reply. The two opinions are mixed as a logarithmic opinion pool (Genest and Zidek 1986).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from emowhy.engines.base import Engine
from emowhy.prompt import build_chat, fit_chat, load_strategy, weigh
from emowhy.specialists.base import Specialist
from emowhy.taxonomy import Taxonomy
from emowhy.types import Chat, Clue, Sample, Sampling

WEIGHT = 0.1
"""The language model's share of the opinion, 0 to 1.

For the embedded model with its adapter any share costs overlap on 500 GoEmotions dev rows: .1 costs 0.4 points
[-0.7, 1.5], an even .5 costs 3.8 [1.9, 5.8]. A larger model's opinion may be worth more: a subclass sets its `weight`.
"""

_MOST = 5  # candidates, the likeliest
_HEAD = '{"emotions": ["'
_FLOOR = 1e-4


class Fusion(Specialist):
    """Emotions of another specialist, weighed again by the language model that reasons anyway.

    For the (up to five) likeliest labels l with the probabilities p(l), and q(l) the language model's, normalised over
    these labels, the new probability is in proportion to

        p(l) ** (1 - w) · q(l) ** w

    and all of them together keep the sum that they had. A clue stays chosen or not as it was.
    """

    name = "fusion"
    kind = "emotion"
    needs = ("emotion",)

    def __init__(self, taxonomy: Taxonomy, engine: Engine) -> None:
        self.taxonomy, self.engine = taxonomy, engine
        self.weight = WEIGHT
        self._step = load_strategy("direct").steps[0]

    def find_clues(self, samples: Sequence[Sample], clues: Sequence[Sequence[Clue]]) -> list[list[Clue]]:
        opinions = self.opinions(samples, clues)
        return [self._mix(likeliest(known), opinion) for known, opinion in zip(clues, opinions, strict=True)]

    def opinions(self, samples: Sequence[Sample], clues: Sequence[Sequence[Clue]]) -> list[dict[str, float]]:
        """What the language model holds of each sample's candidates, normalised over them."""
        asked = [(place, clue.label or "") for place, known in enumerate(clues) for clue in likeliest(known)]
        chats = {place: self._chat(samples[place], clues[place]) for place, _ in asked}
        texts = [f"{_HEAD}{json.dumps(label, ensure_ascii=False)[1:]}" for _, label in asked]
        scored = self.engine.token_logprobs([chats[place] for place, _ in asked], texts)
        totals: list[dict[str, float]] = [{} for _ in samples]
        for (place, label), tokens in zip(asked, scored, strict=True):
            totals[place][label] = sum(score for _, score in tokens)
        return [_normalised(total) for total in totals]

    def _chat(self, sample: Sample, clues: Sequence[Clue]) -> Chat:
        hints = weigh(clues, self.taxonomy, "order")
        tokens = self.engine.control_tokens
        chat, _ = fit_chat(
            lambda cut: build_chat(self._step, sample, hints, sampling=Sampling(), control_tokens=tokens, cut=cut),
            sample,
            self.engine,
        )
        return chat

    def _mix(self, known: Sequence[Clue], opinion: Mapping[str, float]) -> list[Clue]:
        mixed = {
            c.label: (c.score or 0.0) ** (1 - self.weight) * max(opinion[c.label or ""], _FLOOR) ** self.weight
            for c in known
        }
        before, after = sum(c.score or 0.0 for c in known), sum(mixed.values())
        found = [
            Clue(
                "emotion",
                self.name,
                c.label,
                score=round(min(1.0, mixed[c.label] * before / after), 4),
                chosen=c.chosen,
            )
            for c in known
            if after > 0
        ]
        return sorted(found, key=lambda clue: -(clue.score or 0.0))

    def identity(self) -> Mapping[str, Any]:
        """The engine has an identity of its own."""
        return {"name": self.name, "weight": self.weight, "templates": load_strategy("direct").hash}


def likeliest(clues: Sequence[Clue]) -> list[Clue]:
    """The candidates that are weighed again; those without a probability are not."""
    told = {c.label: c for c in clues if c.kind == "emotion" and c.label and c.score}
    return sorted(told.values(), key=lambda clue: -(clue.score or 0.0))[:_MOST]


def _normalised(totals: Mapping[str, float]) -> dict[str, float]:
    most = max(totals.values(), default=0.0)
    raised = {label: math.exp(total - most) for label, total in totals.items()}
    return {label: value / sum(raised.values()) for label, value in raised.items()}
