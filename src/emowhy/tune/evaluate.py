"""What tuning is worth on dev rows: replies really generated, read by the parser, scored as the benchmarks score."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from emowhy.bench.scorers import Case, find_scorer
from emowhy.engines.transformers import TransformersEngine
from emowhy.fields import sample_from
from emowhy.parse import parse, read_answers, read_causes, read_emotions
from emowhy.taxonomy import find_taxonomy
from emowhy.tune.folder import Row
from emowhy.types import Chat, Emotion, Explanation, Gold, Reply, Sample, Sampling

_FIGURES = {
    "graded": ("graded_f",),
    "quotes": ("span_f", "verbatim_rate", "quote_rate"),
    "choice": ("choice_accuracy",),
    "values": ("r_intensity", "r_valence", "r_arousal", "r_dominance"),
}
"""Scorer -> those of its figures that are told."""

OVERLAPS = ("graded_f", "span_f", "choice_accuracy", *_FIGURES["values"])
"""How far replies agree with the completions; a reply that cannot be read scores 0."""

CHOICES = ("overlap", "loss", *OVERLAPS)
"""The figures by which the best checkpoint can be chosen; `overlap` is the mean of those of OVERLAPS that there are."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A dev row to answer: its chat, the sample with the completion as its gold, and the fields of that."""

    chat: Chat
    sample: Sample
    fields: tuple[str, ...]


class LoadedEngine(TransformersEngine):
    """The transformers engine around a model that is in memory already: it generates just as inference will."""

    def __init__(self, model: Any, tokenizer: Any, batch_size: int = 32) -> None:
        self.model, self.tokenizer, self.batch_size = model, tokenizer, batch_size


def spread(rows: Sequence[Row], count: int) -> list[Row]:
    """`count` rows, evenly spread over all; all of them where there are no more."""
    count = min(count, len(rows))
    return [rows[i * len(rows) // count] for i in range(count)]


def ask(row: Row, max_tokens: int) -> Asked | None:
    """A row as a question with its answer; None where it holds no sample, or the parser does not read its completion.

    What is right is what the completion says: the annotators' labels, and the words that a reply is to quote.
    """
    try:
        sample = replace(sample_from(row.sample or {}, row.id), id=row.id)
        fields = tuple(json.loads(row.completion))
    except (ValueError, TypeError):
        return None
    asked = Asked(Chat(row.prompt, Sampling(max_tokens), about={"id": row.id}), sample, fields)
    gold = read(asked, Reply(row.completion))
    if gold is None or gold.parse != "strict":
        return None
    emotions = tuple(emotion.label for emotion in gold.emotions) if "emotions" in fields else None
    causes = gold.causes if "causes" in fields else None
    return replace(asked, sample=replace(sample, gold=Gold(emotions, causes, answers=gold.answers)))


def read(asked: Asked, reply: Reply) -> Explanation | None:
    """A reply as an answer, read as `explain` reads it; None where it cannot be read."""
    parsed = parse(reply, asked.fields, asked.sample)
    if parsed.status != "ok":
        return None
    answer = parsed.answer
    return Explanation(
        asked.sample.id,
        emotions=tuple(Emotion(label) for label in read_emotions(answer, find_taxonomy("open"))),
        causes=tuple(read_causes(answer, asked.sample)),
        answers=read_answers(answer, asked.sample),
        parse=parsed.how,
    )


def answer_all(engine: TransformersEngine, asked: Sequence[Asked]) -> list[Reply]:
    """A reply to each question; several processes share the work."""
    from accelerate import PartialState
    from accelerate.utils import gather_object

    state = PartialState()
    if state.num_processes == 1:
        return engine.generate([one.chat for one in asked])
    # padded to equal shares: sharded weights are gathered in step
    with state.split_between_processes(list(range(len(asked))), apply_padding=True) as mine:
        replies = engine.generate([replace(asked[i].chat) for i in mine])
    found = dict(gather_object(list(zip(mine, replies, strict=True))))
    return [found[i] for i in range(len(asked))]


def figures(asked: Sequence[Asked], replies: Sequence[Reply]) -> dict[str, float]:
    """Figures from 0 to 1 over all questions: how many replies can be read (at all, strictly), and their overlap with
    the completions in labels and in quotes. What no completion has is left out."""
    answers = [read(one, reply) for one, reply in zip(asked, replies, strict=True)]
    found = {
        "parse_rate": sum(a is not None for a in answers) / len(answers),
        "strict_rate": sum(a is not None and a.parse == "strict" for a in answers) / len(answers),
    }
    case = Case([one.sample for one in asked], answers)
    for name, wanted in _FIGURES.items():
        scorer = find_scorer(name)
        if scorer.applies(case) is None:
            total = scorer.measure(case).total()
            found |= {key: total[key] for key in wanted if total.get(key, float("nan")) == total.get(key)}
    return found


def worth(found: Mapping[str, float], by: str) -> float:
    """The figure that checkpoints are chosen by, the higher the better; of equals the one with the lower loss. What is
    asked for and is not there (no dev row has labels, say) gives way to the loss."""
    there = [found[name] for name in (OVERLAPS if by == "overlap" else (by,)) if name in found and name != "loss"]
    return sum(there) / len(there) - 1e-6 * found["loss"] if there else -found["loss"]
