"""Judges: a language model holds an explanation against the gold one. (METRICS.md, "Judges")

    verdicts = find_judge("atomic")(engine, JudgeCache(run / "judge.jsonl")).judge(samples, answers)

A judge gives its reason before its verdict, never learns which text is gold, and may fail: a failed judgment
has no score and says why. With `repeats` (at a temperature above 0) or `swap` (the other order of the two texts)
a row is judged several times: its scores are means, its agreement how like the judgments are.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, ClassVar, Literal

from emowhy.bench.judge_cache import JudgeCache, Question, Reading, ask, prompt_hash
from emowhy.bench.judge_reply import SCORE_SCHEMA, WORDS_SCHEMA, marks_schema, read_marks, read_score, read_words
from emowhy.engines.base import Engine
from emowhy.errors import UsageError, nearest
from emowhy.shown import show
from emowhy.types import Explanation, Gold, Sample, Sampling

NO_ANSWER = "no answer to judge"
"""The `why` of a row that was not sent to the judge: a missing answer, which the harness scores 0."""

CLUES_A_CALL = 16
"""More clues than this are judged in several calls."""

_SIDES = ("gold", "answer")
_ENDS = re.compile(r"(?<=[.!?;])\s+|(?<=[。！？；])|[\r\n]+")
_NO_GOLD = Reading(why="the sample has no gold explanation")
_SCORE_TOKENS, _WORDS_TOKENS, _MARK_TOKENS = 512, 256, 80


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge found about one answer.

    `scores`: emer_legacy "clue" and "label", 1 to 10; atomic "precision", "recall", "f1" and "contradiction",
    0 to 1. Status "failed": one of them at least is missing, and `why` names it (`why` also tells of single
    repeats that failed). `agreement`: 0 to 1, None where there was nothing to compare.
    """

    id: str
    scores: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    status: Literal["ok", "failed"] = "ok"
    why: str | None = None
    replies: tuple[str, ...] = ()
    agreement: float | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    """One answer to be judged: the gold text, the gold words where there is no text, the system's text and labels."""

    id: str
    gold: str
    words: tuple[str, ...] | None
    text: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Measure:
    """Several judgments of the same thing: how their values score, and how like two of them are (0 to 1)."""

    name: str
    readings: Sequence[Reading]
    score: Callable[[Any], Mapping[str, float]]
    likeness: Callable[[Any, Any], float]


class Judge:
    """Compares answers with gold explanations through any engine. A judge of one's own overrides `_judge`."""

    name: ClassVar[str]
    prompts: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        engine: Engine,
        cache: JudgeCache,
        repeats: int = 1,
        temperature: float = 0.0,
        seed: int = 0,
        swap: bool = False,
    ) -> None:
        if repeats < 1:
            raise UsageError(f"repeats must be at least 1, not {repeats}", "repeats=1 judges each row once")
        if repeats > 1 and temperature <= 0:
            raise UsageError("at temperature 0 every repeat is the same", "temperature=0.7, or repeats=1")
        self.engine, self.cache = engine, cache
        self.repeats, self.temperature, self.seed, self.swap = repeats, temperature, seed, swap

    @property
    def prompt_hash(self) -> str:
        """16 hex digits that name the exact wording of this judge's prompts."""
        return prompt_hash(*self.prompts)

    def identity(self) -> dict[str, Any]:
        """What makes its verdicts what they are, for a run's fingerprint."""
        asked = {name: getattr(self, name) for name in ("name", "repeats", "temperature", "seed", "swap")}
        return {**asked, "prompts": self.prompt_hash, "engine": dict(self.engine.identity())}

    def judge(self, samples: Sequence[Sample], answers: Sequence[Explanation | None]) -> list[Verdict]:
        """One verdict a sample, in order. A missing answer (None, or a status other than "ok") is not judged."""
        pairs = list(zip(samples, answers, strict=True))
        judged = iter(self._judge([_row(s, a) for s, a in pairs if a is not None and a.status == "ok"]))
        return [
            next(judged) if a is not None and a.status == "ok" else Verdict(s.id, status="failed", why=NO_ANSWER)
            for s, a in pairs
        ]

    def _judge(self, rows: Sequence[_Row]) -> list[Verdict]:
        raise NotImplementedError

    def _draws(self) -> list[tuple[int, bool]]:
        """Repeat and whether the order is swapped, for every time that a row is judged."""
        return list(itertools.product(range(self.repeats), (False, True) if self.swap else (False,)))

    def _ask(self, groups: Sequence[Sequence[Question | Reading]]) -> list[list[Reading]]:
        """Groups of questions as groups of readings, all asked together; what is a reading already stays."""
        questions = [item for group in groups for item in group if isinstance(item, Question)]
        readings = iter(ask(self.engine, self.cache, questions))
        return [[next(readings) if isinstance(item, Question) else item for item in group] for group in groups]

    def _shown(self, texts: Sequence[str]) -> list[str]:
        return [show(text, self.engine.control_tokens) for text in texts]

    def _compare(self, id: str, prompt: str, one: Any, other: Any) -> list[Question | Reading]:
        """The score of two things every repeat, in the order given and, if so wished, in the other."""
        sampling = Sampling(_SCORE_TOKENS, self.temperature, self.seed)
        return [
            Question(id, prompt, {"first": first, "second": second}, SCORE_SCHEMA, read_score, sampling, repeat)
            for repeat, swapped in self._draws()
            for first, second in [(other, one) if swapped else (one, other)]
        ]


class EmerLegacy(Judge):
    """The two scores of the AffectGPT repository, 1 to 10 each: overlap of the clues and of the emotion words.

    Clues: one call on both texts. Labels: the words are taken from the gold text once (at temperature 0, whatever the
    system and the repeat), from each system's text once, and its labels are added; one call on both lists. Without
    a gold text the annotated words count. An empty side scores 1, two empty lists 10, without a call.
    Agreement: 1 - |a - b|/9, mean over the pairs of judgments.
    """

    name = "emer_legacy"
    prompts = ("emer_legacy_clues", "emer_legacy_extract", "emer_legacy_labels")

    def _judge(self, rows: Sequence[_Row]) -> list[Verdict]:
        first = self._ask([[self._gold_words(row), self._said_words(row), *self._clues(row)] for row in rows])
        labels = self._ask([self._labels(row, *found[:2]) for row, found in zip(rows, first, strict=True)])
        return [
            _verdict(row.id, [_overlap("clue", clues), _overlap("label", label)], (gold, said))
            for row, (gold, said, *clues), label in zip(rows, first, labels, strict=True)
        ]

    def _gold_words(self, row: _Row) -> Question | Reading:
        if row.gold:
            return self._extract(row.id, row.gold)
        return _NO_GOLD if row.words is None else Reading(list(row.words))

    def _said_words(self, row: _Row) -> Question | Reading:
        return self._extract(row.id, row.text) if row.text else Reading([])

    def _extract(self, id: str, text: str) -> Question:
        sampling = Sampling(_WORDS_TOKENS, seed=self.seed)
        return Question(id, self.prompts[1], {"text": self._shown([text])[0]}, WORDS_SCHEMA, read_words, sampling)

    def _clues(self, row: _Row) -> list[Question | Reading]:
        if not row.gold:
            return [_NO_GOLD]
        if not row.text:
            return [Reading(1.0, "the answer has no text")]
        return self._compare(row.id, self.prompts[0], *self._shown([row.gold, row.text]))

    def _labels(self, row: _Row, gold: Reading, said: Reading) -> list[Question | Reading]:
        for whose, reading in (("gold", gold), ("the answer's", said)):
            if reading.why:
                return [Reading(why=f"{whose} words: {reading.why}")]
        words = list(dict.fromkeys(word.casefold() for word in (*row.labels, *said.value)))
        if not words or not gold.value:
            return [Reading(1.0 if words or gold.value else 10.0, "there are no words on one side or both")]
        return self._compare(row.id, self.prompts[2], self._shown(gold.value), self._shown(words))


class Atomic(Judge):
    """Each clue of the gold text held against the answer's text, and each of the answer's against the gold one.

    Recall: supported / all gold clues; precision: supported / all predicted clues; F1 of the two; contradiction:
    predicted clues that the gold text contradicts / all predicted clues. No clues on either side: 1, 1, 1; none in
    gold: 0, 1, 0; none in the answer: 0, 0, 0. Agreement: share of clues with the same mark, mean over pairs.
    """

    name = "atomic"
    prompts = ("atomic",)

    def _judge(self, rows: Sequence[_Row]) -> list[Verdict]:
        asked = [self._draws_of(row) for row in rows]
        judged = self._ask([[item for draw in draws for item in draw] for draws in asked])
        verdicts = []
        for row, draws, readings in zip(rows, asked, judged, strict=True):
            left = iter(readings)
            joined = [_join([next(left) for _ in draw]) for draw in draws]
            verdicts.append(_verdict(row.id, [_Measure("clues", joined, _rates, _same_marks)]))
        return verdicts

    def _draws_of(self, row: _Row) -> list[list[Question | Reading]]:
        """For each time that the row is judged: its gold clues in portions, then the answer's."""
        if not row.gold:
            return [[_NO_GOLD]]
        gold, said = sentences(row.gold), sentences(row.text)
        if not gold or not said:
            return [[Reading({"gold": ["absent"] * len(gold), "answer": ["absent"] * len(said)})]]
        sides = (("gold", gold, row.text), ("answer", said, row.gold))
        return [
            [
                self._marks(row.id, side, start, clues[start : start + CLUES_A_CALL], text, repeat, swapped)
                for side, clues, text in sides
                for start in range(0, len(clues), CLUES_A_CALL)
            ]
            for repeat, swapped in self._draws()
        ]

    def _marks(
        self, id: str, side: str, start: int, clues: Sequence[str], text: str, repeat: int, swapped: bool
    ) -> Question:
        values = {"text": self._shown([text])[0], "clues": self._shown(clues), "swapped": swapped}
        read = functools.partial(read_marks, side=side, start=start, count=len(clues))
        sampling = Sampling(_MARK_TOKENS * (1 + len(clues)), self.temperature, self.seed)
        return Question(id, self.prompts[0], values, marks_schema(len(clues)), read, sampling, repeat)


def sentences(text: str) -> list[str]:
    """The text's clues: its sentences and the parts that semicolons make, without repeats."""
    parts = (part.strip() for part in _ENDS.split(text))
    return list(dict.fromkeys(part for part in parts if any(map(str.isalnum, part))))


def _row(sample: Sample, answer: Explanation) -> _Row:
    gold = sample.gold or Gold()
    text = "\n".join(filter(None, (answer.reasoning, answer.explanation))).strip()
    labels = tuple(emotion.label for emotion in answer.emotions)
    return _Row(sample.id, (gold.explanation or "").strip(), gold.emotions, text, labels)


def _overlap(name: str, readings: Sequence[Reading]) -> _Measure:
    """Scores of 1 to 10 under one name."""
    return _Measure(name, readings, lambda value: {name: value}, lambda a, b: 1 - abs(a - b) / 9)


def _join(parts: Sequence[Reading]) -> Reading:
    """The portions of one judgment as one; it fails with any of them."""
    why = next((part.why for part in parts if part.why), None)
    marks = {side: [mark for part in parts if part.value for mark in part.value.get(side, ())] for side in _SIDES}
    reason = "\n".join(part.reason for part in parts if part.reason)
    return Reading(None if why else marks, reason, why, tuple(reply for part in parts for reply in part.replies))


def _rates(marks: Mapping[str, Sequence[str]]) -> dict[str, float]:
    gold, said = (marks[side] for side in _SIDES)
    recall = gold.count("supported") / len(gold) if gold else 1.0
    precision = said.count("supported") / len(said) if said else float(not gold)
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    contradiction = said.count("contradicted") / len(said) if said else 0.0
    return {"precision": precision, "recall": recall, "f1": f1, "contradiction": contradiction}


def _same_marks(a: Mapping[str, Sequence[str]], b: Mapping[str, Sequence[str]]) -> float:
    return fmean(x == y for side in _SIDES for x, y in zip(a[side], b[side], strict=True))


def _verdict(id: str, measures: Sequence[_Measure], before: Sequence[Reading] = ()) -> Verdict:
    """Means over the judgments that could be read; `before` are readings that the measures were made from."""
    scores: dict[str, float] = {}
    agreements: list[float] = []
    reasons: list[str] = []
    whys: list[str] = []
    for measure in measures:
        good = [reading for reading in measure.readings if reading.why is None]
        if failed := [reading.why for reading in measure.readings if reading.why]:
            whys.append(f"{measure.name}: {len(failed)} of {len(measure.readings)} failed: {failed[0]}")
        if not good:
            continue
        each = [measure.score(reading.value) for reading in good]
        scores.update({name: fmean(one[name] for one in each) for name in each[0]})
        reasons.append(f"{measure.name}: {good[0].reason}")
        pairs = itertools.combinations((reading.value for reading in good), 2)
        agreements += [fmean(itertools.starmap(measure.likeness, pairs))] if len(good) > 1 else []
    readings = [*before, *(reading for measure in measures for reading in measure.readings)]
    replies = tuple(reply for reading in readings for reply in reading.replies)
    agreement = fmean(agreements) if agreements else None
    status: Literal["ok", "failed"] = "ok" if len(reasons) == len(measures) else "failed"
    return Verdict(id, scores, "\n".join(reasons), status, "; ".join(whys) or None, replies, agreement)


JUDGES: Mapping[str, type[Judge]] = {judge.name: judge for judge in (EmerLegacy, Atomic)}


def find_judge(name: str) -> type[Judge]:
    """The judge of this name. Raises UsageError for an unknown one, naming the nearest."""
    if name not in JUDGES:
        raise UsageError(f"no judge {name!r}", nearest(name, JUDGES))
    return JUDGES[name]
