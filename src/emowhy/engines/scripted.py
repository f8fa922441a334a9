"""Replies from a script: a file of canned ones or, without one, a valid reply made from the chat's sample.

For tests, dry runs and measuring overhead. A line of the file is `{"text": …}` with any other field
of `Reply` (`finish`, `thinking`, `tokens`, `error`); lines with an `"id"` answer the chats about that
sample, one after another (the last repeats), the others answer everyone else in turn, over and over.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from emowhy.engines.base import Engine
from emowhy.errors import InputError, MissingError, UsageError, nearest
from emowhy.models import file_hash
from emowhy.types import Chat, Finish, Reply, Usage


class ScriptedEngine(Engine):
    """`model` is the file of canned replies, or None for made ones."""

    name = "scripted"
    batch_size = 64

    def __init__(self, model: str | None = None, adapter: str | None = None, **options: Any) -> None:
        if adapter not in (None, "none"):
            raise UsageError("the scripted engine has no adapters", "leave --adapter out")
        for option in options:
            raise UsageError(f"the scripted engine has no option {option!r}", "leave --engine-arg out")
        self.file = Path(model) if model else None
        by_id, anyone = read_script(self.file) if self.file else ({}, [])
        self._own = {key: _until_last(replies) for key, replies in by_id.items()}
        self._anyone = itertools.cycle(anyone) if anyone else None

    def generate(self, chats: Sequence[Chat]) -> list[Reply]:
        return [self._answer(chat) for chat in chats]

    def _answer(self, chat: Chat) -> Reply:
        if (own := self._own.get(chat.about.get("id", ""))) is not None:
            return next(own)
        if self._anyone is not None:
            return next(self._anyone)
        if self.file is not None:
            return Reply(finish="error", error=f"{self.file} has no reply for id {chat.about.get('id')!r}")
        return _made(chat)

    def identity(self) -> Mapping[str, Any]:
        if self.file is None:
            return {"engine": self.name, "model": None}
        return {"engine": self.name, "model": str(self.file), "sha256": file_hash(self.file)}


def read_script(file: Path) -> tuple[dict[str, list[Reply]], list[Reply]]:
    """Canned replies: those for one id, and those for anyone."""
    if not file.is_file():
        raise MissingError(f"no file of canned replies at {file.absolute()}", "check --model")
    by_id: dict[str, list[Reply]] = defaultdict(list)
    anyone: list[Reply] = []
    known = ("id", *(name for name in Reply.__dataclass_fields__))
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"{file}, line {number}: {error}", "a line is a JSON object") from error
        for key in row:
            if key not in known:
                raise InputError(f"{file}, line {number}: unknown key {key!r}", nearest(key, known))
        if row.get("finish", "stop") not in get_args(Finish):
            raise InputError(
                f"{file}, line {number}: unknown finish {row['finish']!r}", nearest(row["finish"], get_args(Finish))
            )
        owner = row.pop("id", None)
        row["usage"] = Usage(**row.get("usage", {}))
        if row.get("tokens"):
            row["tokens"] = tuple((piece, float(logprob)) for piece, logprob in row["tokens"])
        (by_id[owner] if owner is not None else anyone).append(Reply(**row))
    return dict(by_id), anyone


def _until_last(replies: list[Reply]) -> Iterator[Reply]:
    return itertools.chain(replies, itertools.repeat(replies[-1]))


def _made(chat: Chat) -> Reply:
    """A reply that fits the schema: the first candidate, the first words as quote, plain sentences."""
    about = chat.about
    label = next(iter(about.get("candidates", ())), "neutral")
    words = str(about.get("words", ""))
    quote = " ".join(words.split()[:4])[:60]
    sentence = f"The words \u201c{quote}\u201d suggest {label}."
    if chat.schema is None:
        text = sentence
    else:
        text = json.dumps(
            _fitting(chat.schema, {"quote": quote, "turn": about.get("place"), "": sentence, "label": label})
        )
    read = sum(len(message.content) for message in chat.messages) // 4
    return Reply(text, usage=Usage(read, len(text) // 4))


def _fitting(schema: Mapping[str, Any], about: Mapping[str, Any], name: str = "") -> Any:
    """A value that fits one of our own reply schemas."""
    if "enum" in schema:
        wanted = about.get(name, about["label"])
        return wanted if wanted in schema["enum"] else schema["enum"][0]
    if schema["type"] == "object":
        return {key: _fitting(part, about, key) for key, part in schema["properties"].items()}
    if schema["type"] == "array":
        return [_fitting(schema["items"], about)] if about["quote"] or schema.get("minItems") else []
    wanted = about["label"] if schema["maxLength"] == 24 else about.get(name) or about[""]
    return str(wanted)[: schema["maxLength"]]
