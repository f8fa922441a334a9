"""The head of `cause`: rows, loss and judgement of cause spans in dialogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from emowhy.bench.metrics.reccon import entailment_scores, span_scores
from emowhy.specialists import cause
from emowhy.specialists.calibration import fit_shift, logit, sigmoid
from emowhy.specialists.gold import gold_target
from emowhy.specialists.training import rows
from emowhy.specialists.training.heads import Figures, LearnedHead, Part
from emowhy.specialists.training.network import Head
from emowhy.specialists.training.recipe import HeadRecipe
from emowhy.specialists.training.rows import Array, Say
from emowhy.types import Sample

_LEAST_F1 = 0.775
_BOUNDS = tuple(round(0.25 + 0.025 * k, 3) for k in range(21))


class CausesHead(LearnedHead):
    """Cause spans in dialogue. Each target is read with its gold emotion, a predicted one, or none, in turns."""

    main = "choose"

    def __init__(
        self,
        name: str,
        recipe: HeadRecipe,
        data: Path | None,
        tokenizer: Any,
        say: Say,
        weigh: Callable[[Sequence[Sample]], Array],
        max_tokens: int,
    ) -> None:
        self._tokenizer, self._max_tokens = tokenizer, max_tokens
        super().__init__(name, recipe, data, tokenizer, say)
        self.head = Head(4, "token")
        gold = [(s.gold.emotions if s.gold else None) or (cause.UNKNOWN,) for s in self.train.samples]
        self.gold = [labels[0] for labels in gold]
        self.weights = weigh(self.train.samples)
        self.favour = fit_favour(self.weights, self.gold)
        self.validated: tuple[list[cause.Frame], list[Array], Figures] | None = None
        drawn = np.random.default_rng(0).random(len(gold))
        predicted = [cause.name_emotion(row, self.favour) for row in self.weights]
        shown = [
            g if d < 0.45 else p if d < 0.9 else cause.UNKNOWN
            for g, p, d in zip(self.gold, predicted, drawn, strict=True)
        ]
        self.frames = self.frame_all(self.train.samples, shown)
        self.train.ids = [framed.ids for framed in self.frames]
        named = [cause.name_emotion(row, self.favour) for row in weigh(self.dev.samples)]
        self.dev_frames = self.frame_all(self.dev.samples, named)
        self.dev.ids = [framed.ids for framed in self.dev_frames]
        self._weight = torch.tensor([1.5, 4.0, 4.0, 1.5])
        self._share = torch.tensor([1.0, 1.0, 1.0, 0.5])

    def part(self, samples: list[Sample], tokenizer: Any) -> Part:
        return Part(rows.cause_rows(samples).samples, [], [])

    def frame_all(self, samples: Sequence[Sample], emotions: Sequence[str]) -> list[cause.Frame]:
        return [cause.frame(s, e, self._tokenizer, self._max_tokens) for s, e in zip(samples, emotions, strict=True)]

    def targets(self) -> list[Array]:
        return [rows.cause_targets(s, f) for s, f in zip(self.train.samples, self.frames, strict=True)]

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        wanted, known = torch.nan_to_num(targets), ~torch.isnan(targets)
        each = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, wanted, pos_weight=self._weight.to(logits.device), reduction="none"
        )
        mean = (each * known).sum((0, 1)) / known.sum((0, 1)).clamp(min=1)
        found: Tensor = (mean * self._share.to(logits.device)).sum()
        return found

    def figures(self, outputs: list[Array]) -> Figures:
        return best_point(self.dev.samples, self.dev_frames, outputs)

    def settings(self, outputs: list[Array]) -> dict[str, Any]:
        """The operating point of the cross-validation if there was one, else of the dev rows."""
        samples, frames, point = self.dev.samples, self.dev_frames, self.figures(outputs)
        if self.validated:
            samples, (frames, outputs, point) = self.train.samples, self.validated
        settings = cause_settings(samples, frames, outputs, point["bound"])
        return {**settings, "favour": [round(value, 4) for value in self.favour]}


def fit_favour(weights: Array, gold: Sequence[str]) -> list[float]:
    """Factors on the emotions' weights (rows, emotions) that name the gold emotion most often, one after the other."""
    wanted = np.array([cause.EMOTIONS.index(label) if label in cause.EMOTIONS else -1 for label in gold])
    favour = np.ones(len(cause.EMOTIONS))
    for _ in range(4):
        for k in range(1, len(favour)):

            def right(value: float, k: int = k) -> float:
                tried = favour.copy()
                tried[k] = value
                return float(((weights * tried).argmax(1) == wanted).mean())

            favour[k] = max(np.geomspace(0.05, 3, 30), key=right)
    return [float(value) for value in favour]


def cause_figures(
    samples: Sequence[Sample], frames: Sequence[cause.Frame], outputs: Sequence[Array], bound: float
) -> Figures:
    """RECCON's scores where turns count as causes from `bound` on."""
    return _figures_at(samples, _read_all(frames, outputs), bound)


def best_point(samples: Sequence[Sample], frames: Sequence[cause.Frame], outputs: Sequence[Array]) -> Figures:
    """The operating point (`bound`) with the best f1_pos among those whose f1 is at least .775, and its figures.

    f1, which the many empty answers rule, falls where more spans are told; where it never gets that high, the point
    with the best f1 is taken.
    """
    read = _read_all(frames, outputs)
    points = [{**_figures_at(samples, read, bound), "bound": bound} for bound in _BOUNDS]
    for point in points:
        point["choose"] = point["f1_pos"] if point["f1"] >= _LEAST_F1 else point["f1"] - 1
    return max(points, key=lambda point: point["choose"])


def cause_settings(
    samples: Sequence[Sample], frames: Sequence[cause.Frame], outputs: Sequence[Array], bound: float
) -> dict[str, Any]:
    """Platt scaling of the turns' scores, and the operating point on the calibrated scale."""
    scores: list[float] = []
    gold: list[float] = []
    for target, spans in zip(map(gold_target, samples), _read_all(frames, outputs), strict=True):
        scores += [span.score for span in spans]
        gold += [float(bool(target.gold.get(span.turn))) for span in spans]
    scale, shift = fit_shift(logit(np.array(scores)), np.array(gold))
    threshold = float(sigmoid(scale * logit(np.array(bound)) + shift))
    return {
        "kind": "causes",
        "threshold": round(threshold, 5),
        "scale": round(scale, 5),
        "shift": round(shift, 5),
    }


def _read_all(frames: Sequence[cause.Frame], outputs: Sequence[Array]) -> list[list[cause.Found]]:
    return [cause.read_spans(framed, logits) for framed, logits in zip(frames, outputs, strict=True)]


def _figures_at(samples: Sequence[Sample], read: Sequence[Sequence[cause.Found]], bound: float) -> Figures:
    answers: list[Mapping[int, str]] = []
    for sample, spans in zip(samples, read, strict=True):
        turns = sample.turns()
        answers.append({s.turn: turns[s.turn].text[s.start : s.end] for s in spans if s.score >= bound})
    targets = [gold_target(sample) for sample in samples]
    return span_scores(targets, answers) | entailment_scores(targets, answers)
