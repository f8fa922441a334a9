"""What an engine is: chats in, replies out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from emowhy.errors import UsageError
from emowhy.types import Chat, Reply

Take = Callable[[int], list[Chat]]


class Engine:
    """A language model behind one verb. A plug-in overrides `generate`, or `stream` if it batches continuously.

    A whole engine (find it with `--engine my_module:Parrot`):

        class Parrot(Engine):
            name = "parrot"

            def generate(self, chats):
                return [Reply(text=chat.messages[-1].content) for chat in chats]

    A failed chat is a `Reply(finish="error", error="why")`, never an exception; an exception
    (`EngineError`) says that the engine as a whole is gone.
    """

    name: ClassVar[str]
    model: Any = None
    adapter: Any = None
    batch_size: int = 32
    context_length: int | None = None
    """Tokens of prompt and reply together; None: unknown."""
    control_tokens: tuple[str, ...] = ()
    """Strings that the tokenizer turns into control tokens; they are broken up in sample text."""

    def __init__(self, model: str | None = None, adapter: str | None = None, **options: Any) -> None:
        """Engines are made with the user's `--model`, `--adapter` and `--engine-arg`s; this one takes no option."""
        for option in options:
            raise UsageError(f"the engine {self.name!r} has no option {option!r}", "leave --engine-arg out")
        self.model = model
        self.adapter = adapter

    def probe(self) -> None:
        """Find out what the engine can do, before the first row; raises an `EmowhyError` if it cannot work at all."""

    def generate(self, chats: Sequence[Chat]) -> list[Reply]:
        """One reply a chat, in the chats' order."""
        if type(self).stream is Engine.stream:
            raise UsageError(f"the engine {type(self).__name__} overrides neither `generate` nor `stream`")
        waiting = list(reversed(chats))
        replies: dict[int, Reply] = {}

        def take(room: int) -> list[Chat]:
            return [waiting.pop() for _ in range(min(room, len(waiting)))]

        for chat, reply in self.stream(take):
            replies[id(chat)] = reply
        return [replies[id(chat)] for chat in chats]

    def stream(self, take: Take) -> Iterator[tuple[Chat, Reply]]:
        """Replies as they finish, in any order, each with the very chat object that was taken.

        `take(room)` gives up to `room` chats. An empty list means "nothing now": there may be more
        after the next yielded reply, so the stream ends when nothing was taken and nothing is in flight.
        """
        while chats := take(self.batch_size):
            yield from zip(chats, self.generate(chats), strict=True)

    def logprobs(self, chats: Sequence[Chat], continuations: Sequence[str]) -> list[float]:
        """Natural log-probability of continuation i as the reply to chat i (summed over its tokens)."""
        return [sum(score for _, score in pieces) for pieces in self.token_logprobs(chats, continuations)]

    def token_logprobs(self, chats: Sequence[Chat], continuations: Sequence[str]) -> list[list[tuple[str, float]]]:
        """Continuation i as the reply to chat i, token by token: pieces of it with their natural log-probabilities.

        The pieces make up the continuation (see `spell`). Raises UsageError where the engine cannot give any.
        """
        raise UsageError(
            f"the engine {self.name!r} gives no log-probabilities of given texts",
            "use --engine transformers, vllm or server",
        )

    def count_tokens(self, chat: Chat) -> int:
        """Tokens of the rendered chat. Without a tokenizer: a stated over-estimate, one token for two bytes."""
        return sum(len(message.content.encode()) // 2 + 8 for message in chat.messages)

    def identity(self) -> Mapping[str, Any]:
        """What makes replies what they are: engine, model, adapter, revision or hash, licence."""
        return {"engine": self.name, "model": self.model if isinstance(self.model, str) else None}

    def close(self) -> None:
        """Let go of processes, connections and memory."""


def spell(text: str, tokens: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """Tokens (what each decodes to, its log-probability) as pieces of the `text` that they are; the pieces make it up.

    Alone, a token may decode to something else than what it stands for: to U+FFFD for a part of a character (the last
    of that character's tokens then has it whole, the others are empty), without its space, or normalised.
    """
    ends: list[int] = []
    at, unplaced = 0, False
    for token, _ in tokens:
        readable = token.partition("\ufffd")[0]
        found = text.find(readable, at) if readable else -1
        if found > at and unplaced:
            ends[-1] = found
        at = found + len(readable) if found >= 0 else at
        unplaced = found < 0 or readable != token
        ends.append(at)
    if ends:
        ends[-1] = len(text)
    pieces = [text[start:end] for start, end in itertools.pairwise([0, *ends])]
    return [(piece, score) for piece, (_, score) in zip(pieces, tokens, strict=True)]
