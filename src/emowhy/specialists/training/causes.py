"""The head of `cause`: rows, loss and judgement of cause spans in dialogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize
from torch import Tensor

from emowhy.bench.metrics.reccon import entailment_scores, span_scores
from emowhy.specialists import cause
from emowhy.specialists.calibration import sigmoid
from emowhy.specialists.gold import gold_target
from emowhy.specialists.training import rows
from emowhy.specialists.training.heads import Figures, LearnedHead, Part
from emowhy.specialists.training.network import Head
from emowhy.specialists.training.recipe import HeadRecipe
from emowhy.specialists.training.rows import Array, Say
from emowhy.types import Sample

_LEAST_F1 = 0.77
_BOUNDS = tuple(round(0.15 + 0.01 * k, 2) for k in range(61))


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
        self.validated: tuple[list[float], Figures] | None = None
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
        return best_point(self.dev.samples, read_all(self.dev_frames, outputs))

    def settings(self, outputs: list[Array]) -> dict[str, Any]:
        """The judgement of turns and the operating point: the cross-validation's, else those of the dev rows."""
        if self.validated:
            turns, point = self.validated
        else:
            read = read_all(self.dev_frames, outputs)
            turns = fit_turns(self.dev.samples, read)
            point = best_point(self.dev.samples, judge_all(self.dev.samples, read, turns))
        return {
            "kind": "causes",
            "threshold": point["bound"],
            "turns": [round(weight, 5) for weight in turns],
            "favour": [round(value, 4) for value in self.favour],
        }


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


Read = Sequence[Sequence[cause.Found]]


def read_all(frames: Sequence[cause.Frame], outputs: Sequence[Array]) -> list[list[cause.Found]]:
    """The best span of every turn of every target."""
    return [cause.read_spans(framed, logits) for framed, logits in zip(frames, outputs, strict=True)]


def judge_all(samples: Sequence[Sample], read: Read, turns: Sequence[float]) -> list[list[cause.Found]]:
    """Spans with the judged probability of their turn."""
    return [cause.judge_turns(found, sample.target, turns) for sample, found in zip(samples, read, strict=True)]


def fit_turns(samples: Sequence[Sample], read: Read) -> list[float]:
    """Intercept and weights of `cause.judge_turns`: a logistic regression with a ridge of 1 on standardised columns."""
    told = [(sample, found) for sample, found in zip(samples, read, strict=True) if found]
    x = np.concatenate([cause.turn_features(found, sample.target) for sample, found in told])
    targets = [gold_target(sample) for sample, _ in told]
    y = np.array([bool(t.gold.get(span.turn)) for t, (_, found) in zip(targets, told, strict=True) for span in found])
    middle, spread = x.mean(0), x.std(0) + 1e-9
    z = np.concatenate([np.ones((len(x), 1)), (x - middle) / spread], axis=1)

    def loss(w: Array) -> tuple[float, Array]:
        odds = z @ w
        cost = np.logaddexp(0, odds).sum() - odds[y].sum() + (w[1:] ** 2).sum()
        return float(cost), z.T @ (sigmoid(odds) - y) + 2 * np.concatenate([[0.0], w[1:]])

    fitted = minimize(loss, np.zeros(z.shape[1]), jac=True).x
    weights = fitted[1:] / spread
    return [float(fitted[0] - weights @ middle), *map(float, weights)]


def cross_judged(samples: Sequence[Sample], read: Read, fold: npt.NDArray[np.int64]) -> list[list[cause.Found]]:
    """Spans with the judged probability of their turn, each fold judged by what was fitted on the others."""
    found: list[list[cause.Found]] = [[] for _ in samples]
    for number in np.unique(fold):
        use, held = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        turns = fit_turns([samples[i] for i in use], [read[i] for i in use])
        for i, judged in zip(held, judge_all([samples[i] for i in held], [read[i] for i in held], turns), strict=True):
            found[i] = judged
    return found


def best_point(samples: Sequence[Sample], read: Read) -> Figures:
    """The operating point (`bound`) with the best f1_pos among those whose f1 is at least .77, and its figures.

    f1, which the many empty answers rule, falls where more spans are told; where it never gets that high, the point
    with the best f1 is taken.
    """
    points = [{**figures_at(samples, read, bound), "bound": bound} for bound in _BOUNDS]
    for point in points:
        point["choose"] = point["f1_pos"] if point["f1"] >= _LEAST_F1 else point["f1"] - 1
    return max(points, key=lambda point: point["choose"])


def figures_at(samples: Sequence[Sample], read: Read, bound: float) -> Figures:
    """RECCON's scores where turns count as causes from `bound` on."""
    answers: list[Mapping[int, str]] = []
    for sample, spans in zip(samples, read, strict=True):
        turns = sample.turns()
        answers.append({s.turn: turns[s.turn].text[s.start : s.end] for s in spans if s.score >= bound})
    targets = [gold_target(sample) for sample in samples]
    return span_scores(targets, answers) | entailment_scores(targets, answers)
