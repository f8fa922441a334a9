"""Rows as tokens: the prompt just as inference sends it, then the completion and the end of the assistant's turn.

The rows are tokenised here and not by a trainer: trainers render prompt and completion together, where some chat
templates write other tokens between them than inference sees (an empty block of thinking, say).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from emowhy.engines.chat_ids import chat_ids
from emowhy.errors import UsageError
from emowhy.tune.folder import Row
from emowhy.types import Chat

IGNORED = -100
"""The label of a token that teaches nothing, as torch's cross entropy has it."""

_NAMED = 5  # ids in a message


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids of one row; the first `prompt` of them teach nothing."""

    id: str
    ids: tuple[int, ...]
    prompt: int

    @property
    def taught(self) -> tuple[int, ...]:
        """The completion and its end."""
        return self.ids[self.prompt :]


@dataclass(frozen=True)
class Encoded:
    """Examples and the rows that they are of, in order; and the rows that are too long: id and tokens."""

    examples: tuple[Example, ...]
    rows: tuple[Row, ...]
    too_long: tuple[tuple[str, int], ...] = ()

    def told(self, what: str, most: int) -> str | None:
        """A line on the rows that are left out; None where there are none."""
        if not self.too_long:
            return None
        named = ", ".join(id for id, _ in self.too_long[:_NAMED]) + (", …" if len(self.too_long) > _NAMED else "")
        total = len(self.too_long) + len(self.examples)
        return (
            f"{len(self.too_long)} of {total} {what} rows are longer than {most} tokens and are left out, not cut "
            f"({named}); train.max_tokens: {max(tokens for _, tokens in self.too_long)} would keep them"
        )


def stop_ids(tokenizer: Any, generation: Any) -> frozenset[int]:
    """The token ids that end a reply at inference: the tokenizer's end of sequence, and the generation config's."""
    said = getattr(generation, "eos_token_id", None)
    found = said if isinstance(said, Sequence) else [said]
    return frozenset(i for i in (tokenizer.eos_token_id, *found) if i is not None)


def end_of_turn(tokenizer: Any, stops: Collection[int]) -> tuple[int, ...]:
    """What the chat template writes behind a reply, up to and with the first token that ends generation.

    Raises:
        UsageError: it writes no such token, so that a tuned model would never learn to stop.
    """
    reply = "emowhy"
    talk = [{"role": "user", "content": "?"}, {"role": "assistant", "content": reply}]
    if not tokenizer.chat_template:
        raise UsageError("the base's tokenizer has no chat template: it is a base model", "name its instruct version")
    text = tokenizer.apply_chat_template(talk, tokenize=False)
    tail = tokenizer(text.rpartition(reply)[2], add_special_tokens=False)["input_ids"]
    for place, token in enumerate(tail):
        if token in stops:
            return tuple(tail[: place + 1])
    raise UsageError(
        "the base's chat template ends a reply with no token that ends generation: a tuned model would never stop",
        "add that token to eos_token_id in the base's generation_config.json",
    )


def encode(rows: Sequence[Row], tokenizer: Any, end: Sequence[int], most: int) -> Encoded:
    """Every row as an example; a row of more than `most` tokens is left out and counted, never cut."""
    kept: list[tuple[Example, Row]] = []
    too_long: list[tuple[str, int]] = []
    for row in rows:
        prompt = chat_ids(tokenizer, Chat(row.prompt))
        ids = (*prompt, *completion_ids(row.completion, tokenizer), *end)
        if len(ids) > most:
            too_long.append((row.id, len(ids)))
        else:
            kept.append((Example(row.id, ids, len(prompt)), row))
    return Encoded(tuple(e for e, _ in kept), tuple(row for _, row in kept), tuple(too_long))


def completion_ids(completion: str, tokenizer: Any) -> list[int]:
    """A reply's tokens as a model writes them: without what begins or ends a sequence."""
    return list(tokenizer(completion, add_special_tokens=False)["input_ids"])


def check_taught(labels: Any, rows: Sequence[Row], tokenizer: Any, end: Sequence[int]) -> None:
    """Make sure of a batch as the model gets it: what is taught is the completions, each with the end of its turn.

    `labels` is the tensor of labels, (batch, tokens), IGNORED where nothing is taught.

    Raises:
        UsageError: something else is taught, or less.
    """
    taught = labels[labels != IGNORED].tolist()
    wanted = [token for row in rows for token in (*completion_ids(row.completion, tokenizer), *end)]
    if taught == wanted:
        return
    missing = len(wanted) - len(taught)
    what = f"{abs(missing)} tokens {'fewer' if missing > 0 else 'more'} than" if missing else "other tokens than"
    raise UsageError(
        f"the first batch would teach {what} its completions and their end-of-turn tokens",
        "nothing was trained; check the base's tokenizer and chat template",
    )
