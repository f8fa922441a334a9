"""Replies from a script: a file of canned ones or, without one, a valid reply made from the chat's sample.

For tests, dry runs and measuring overhead. A line of the file is `{"text": …}` with any other field
of `Reply` (`finish`, `thinking`, `tokens`, `error`); lines with an `"id"` answer the chats about that
sample, one after another (the last repeats), the others answer everyone else in turn, over and over.
"""

from __future__ import annotations

import itertools
import json
import re
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
    with file.open(encoding="utf-8-sig", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    owner, reply = _read_reply(json.loads(line))
                except (TypeError, ValueError) as error:
                    raise InputError(f"{file}, line {number}: {error}", "see emowhy.engines.scripted") from error
                (anyone if owner is None else by_id[owner]).append(reply)
    return dict(by_id), anyone


def _read_reply(row: Any) -> tuple[str | None, Reply]:
    """The sample's id (None: for anyone) and the reply. TypeError or ValueError says what is wrong."""
    if not isinstance(row, dict):
        raise TypeError("a line is a JSON object")
    known = ("id", *Reply.__dataclass_fields__)
    for key in row:
        if key not in known:
            raise ValueError(f"unknown key {key!r}; {nearest(key, known)}")
    for key in ("id", "text", "finish", "thinking", "error"):
        if not isinstance(row.get(key, ""), str | None):
            raise TypeError(f"{key} must be a text, not {row[key]!r}")
    if row.get("finish", "stop") not in get_args(Finish):
        raise ValueError(f"unknown finish {row['finish']!r}; {nearest(row['finish'], get_args(Finish))}")
    owner, usage, tokens = row.pop("id", None), row.pop("usage", {}), row.pop("tokens", None)
    if not isinstance(usage, dict) or not all(isinstance(count, int) for count in usage.values()):
        raise TypeError("usage must be {prompt, completion}, both whole numbers")
    for key in usage:
        if key not in Usage.__dataclass_fields__:
            raise ValueError(f"usage has an unknown key {key!r}; {nearest(key, Usage.__dataclass_fields__)}")
    try:
        pairs = None if tokens is None else tuple((str(piece), float(logprob)) for piece, logprob in tokens)
    except (TypeError, ValueError):
        raise TypeError("tokens must be a list of [text, log-probability]") from None
    return owner, Reply(**row, usage=Usage(**usage), tokens=pairs)


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
    """A value that fits one of our own reply schemas; `name` is the field that it is for."""
    if "enum" in schema:
        wanted = about.get(name, about["label"])
        return wanted if wanted in schema["enum"] else schema["enum"][0]
    if schema["type"] == "object":
        return {key: _fitting(part, about, key) for key, part in schema["properties"].items()}
    if schema["type"] == "array":
        item = "label" if name == "emotions" else name
        if told := schema.get("prefixItems"):
            return [_fitting(one, about, item) for one in told]
        wanted = schema["maxItems"] and (about["quote"] or schema["minItems"])
        return [_fitting(schema["items"], about, item)] if wanted else []
    if "pattern" in schema:  # one sentence with a given opening
        opening = re.sub(r"\\(.)", r"\1", schema["pattern"].split("( ")[0].removeprefix("^"))
        return f"{opening} of the words said."
    wanted = about["label"] if name == "emotion" else about.get(name) or about[""]
    return str(wanted)[: schema["maxLength"]]
