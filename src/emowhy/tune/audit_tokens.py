"""Rows as the base's tokens: how long they are, what of them is taught, and whether each learns to stop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emowhy.engines.base import spell
from emowhy.engines.chat_ids import control_tokens
from emowhy.errors import MissingError, UsageError, missing_extra
from emowhy.models import Model
from emowhy.shown import show
from emowhy.tune.audit_rows import AuditRow
from emowhy.tune.finding import Finding, rows_named

_ANY = 1 << 30  # a bound on lengths that bounds nothing
_AT_ONCE = 64
_QUANTILES = (("least", 0.0), ("median", 0.5), ("p90", 0.9), ("p99", 0.99), ("most", 1.0))


@dataclass(frozen=True)
class Shown:
    """A row in words: what stands before its completion, and the pieces that are taught."""

    id: str
    prompt: str
    taught: tuple[str, ...]


class Tokens:
    """The base's tokenizer, applied to rows just as the training applies it."""

    def __init__(self, base: Model) -> None:
        try:
            from transformers import AutoTokenizer, GenerationConfig
        except ImportError as error:
            raise missing_extra("counting the base's tokens", "tune") from error
        from emowhy.tune.tokens import end_of_turn, stop_ids

        try:
            self.tokenizer = AutoTokenizer.from_pretrained(base.path)
        except OSError as error:
            raise MissingError(f"base {base.name!r}: {str(error).splitlines()[0]}", "name it with --model") from error
        try:
            generation = GenerationConfig.from_pretrained(base.path)
        except OSError:  # none of its own: the tokenizer's end is all there is
            generation = None
        self.stops = stop_ids(self.tokenizer, generation)
        self.problem: UsageError | None = None
        self.end: tuple[int, ...] = ()
        try:
            self.end = end_of_turn(self.tokenizer, self.stops)
        except UsageError as error:
            self.problem = error

    def encode(self, rows: Sequence[AuditRow]) -> list[Any]:
        """One example a row (`emowhy.tune.tokens.Example`), of whatever length."""
        from emowhy.tune.tokens import encode

        return list(encode([row.row for row in rows], self.tokenizer, self.end, _ANY).examples)

    def show(self, example: Any) -> Shown:
        """A row's prompt in words, and its taught tokens one by one."""
        text = self.tokenizer.decode(list(example.taught))
        pieces = [(self.tokenizer.decode([token]), 0.0) for token in example.taught]
        taught = tuple(piece for piece, _ in spell(text, pieces))
        return Shown(example.id, self.tokenizer.decode(list(example.ids[: example.prompt])), taught)


def lengths(examples: Sequence[Any]) -> dict[str, dict[str, int]]:
    """Tokens of prompt, completion (with its end) and whole row: least, median, 90 and 99 %, most."""
    counted: Mapping[str, list[int]] = {
        "prompt": [example.prompt for example in examples],
        "completion": [len(example.taught) for example in examples],
        "row": [len(example.ids) for example in examples],
    }
    return {
        name: {word: int(np.quantile(values, at, method="higher")) for word, at in _QUANTILES}
        for name, values in counted.items()
        if values
    }


def token_findings(tokens: Tokens, rows: Sequence[AuditRow], examples: Sequence[Any], most: int) -> Iterator[Finding]:
    """What is wrong with rows as tokens; `most` is the recipe's `train.max_tokens`."""
    if tokens.problem is not None:
        yield Finding("end of turn", "fault", tokens.problem.message, tokens.problem.cure)
        return
    yield _too_long(examples, most)
    ends = len(tokens.end)
    bare = [example.id for example in examples if len(example.taught) == ends]
    if bare:
        cure = "they teach nothing: take them out, or make the rows again"
        yield Finding(
            "supervised", "fault", f"no token of the completion of {rows_named(bare)} is taught", cure, tuple(bare)
        )
    yield _ends(tokens, examples)
    yield _controls(tokens, rows)


def _too_long(examples: Sequence[Any], most: int) -> Finding:
    ids = [example.id for example in examples if len(example.ids) > most]
    if not ids:
        return Finding("length", "good", f"every row fits into {most} tokens")
    longest = max(len(example.ids) for example in examples)
    cure = f"train.max_tokens: {longest} in the recipe keeps them all"
    return Finding("length", "fault", f"{rows_named(ids)} have more than {most} tokens", cure, tuple(ids))


def _ends(tokens: Tokens, examples: Sequence[Any]) -> Finding:
    """The labels that the trainer's own batches have must end with the end of the turn, and have no end before it."""
    from emowhy.tune.batches import Padded
    from emowhy.tune.tokens import IGNORED

    wrong: list[str] = []
    padded = Padded(next(iter(sorted(tokens.stops))))
    for at in range(0, len(examples), _AT_ONCE):
        some = examples[at : at + _AT_ONCE]
        for example, labels in zip(some, padded(some)["labels"], strict=True):
            taught = labels[labels != IGNORED].tolist()
            inside = taught[: len(taught) - len(tokens.end)]
            if tuple(taught[len(inside) :]) != tokens.end or set(inside) & tokens.stops:
                wrong.append(example.id)
    end = tokens.tokenizer.decode(list(tokens.end))
    if not wrong:
        return Finding("end of turn", "good", f"every row teaches {end!r}, once and at its end")
    cure = "a completion holds the end-of-turn token itself: break it up, or take the rows out"
    return Finding("end of turn", "fault", f"{rows_named(wrong)} teach an end before the end", cure, tuple(wrong))


def _controls(tokens: Tokens, rows: Sequence[AuditRow]) -> Finding:
    """Whether a text holds what the tokenizer takes for a control token; inference breaks these up."""
    known = control_tokens(tokens.tokenizer)
    wrong = []
    for row in rows:
        texts = " ".join(message.content for message in row.row.prompt)
        if any(token in texts and show(token, known) != token for token in known):
            wrong.append(row.id)
    if not wrong:
        return Finding("control", "good", "no control token of the base stands in a prompt's words")
    cure = "inference breaks them up, so these prompts are not those of inference: make the rows again"
    return Finding("control", "fault", f"{rows_named(wrong)} hold control tokens in their words", cure, tuple(wrong))
