"""Questions put to a judge's engine: rendered from templates, asked once, their replies kept in a file and read."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

import jinja2

from emowhy.engines.base import Engine
from emowhy.parse import split_thinking
from emowhy.prompt import prompts_folder
from emowhy.reasoner import row_seed
from emowhy.types import Chat, Finish, Message, Reply, Sampling

_KEPT = ("text", "thinking", "finish")


class JudgeCache:
    """Every reply that a judge got, a JSON line each: {key, prompt, id, repeat, text, thinking, finish}.

    A line is written as soon as its reply is there; a tail that a killed process left torn is cut off, and a
    line that is no reply counts as `damaged` and is asked for again. Engine errors are not kept. One process
    writes at a time; systems that share one cache share what was extracted from the gold texts.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged = 0
        self._replies: dict[str, Reply] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            self._load()

    def __len__(self) -> int:
        return len(self._replies)

    def get(self, key: str) -> Reply | None:
        """The reply that was kept under this key."""
        return self._replies.get(key)

    def put(self, key: str, reply: Reply, **about: Any) -> None:
        """Keep a reply; `about` says beside it what was asked."""
        self._replies[key] = reply
        row = {"key": key, **about, **{name: getattr(reply, name) for name in _KEPT}}
        with self.path.open("ab") as file:
            file.write(json.dumps(row).encode() + b"\n")  # ASCII: a reply may hold lone surrogates

    def _load(self) -> None:
        lines = self.path.read_bytes()
        whole = lines.rfind(b"\n") + 1
        if whole != len(lines):
            os.truncate(self.path, whole)
        for line in lines[:whole].splitlines():
            try:
                row = json.loads(line)
                reply = Reply(**{name: row[name] for name in _KEPT})
                if not isinstance(reply.text, str) or reply.finish not in get_args(Finish):
                    raise ValueError("no reply")
                self._replies[row["key"]] = reply
            except (ValueError, TypeError, KeyError, RecursionError):
                self.damaged += 1


def cache_key(identity: Mapping[str, Any], prompt: str, chat: Chat, repeat: int) -> str:
    """Names one call: the engine, the prompt's hash, what was sent, how it is sampled and bound, which repeat."""
    messages = [asdict(message) for message in chat.messages]
    asked = [dict(identity), prompt, messages, asdict(chat.sampling), chat.schema, repeat]
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a question brought: a value with its reason, or `why` there is none; and the raw replies."""

    value: Any = None
    reason: str = ""
    why: str | None = None
    replies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """One call of a judge about the sample `id`: a template under `prompts/judge/` with its values.

    `read` makes a value and a reason of the reply's text, or raises ValueError saying what was wrong with it.
    """

    id: str
    prompt: str
    values: Mapping[str, Any]
    schema: Mapping[str, Any]
    read: Callable[[str], tuple[Any, str]]
    sampling: Sampling
    repeat: int = 0

    def chat(self, again: str | None = None) -> Chat:
        """The call, or the second one after a reply that could not be used: with twice the room and another seed.

        The seed comes from what is asked, so that the same question has the same reply in every row.
        """
        messages = render(self.prompt, **self.values, again=again)
        attempt = 1 if again is None else 2
        seed = row_seed(self.sampling.seed, f"{messages[1].content}\0{self.repeat}", attempt)
        sampling = replace(self.sampling, max_tokens=attempt * self.sampling.max_tokens, seed=seed)
        return Chat(
            messages, sampling, self.schema, {"id": self.id, "prompt": self.prompt, "words": messages[1].content}
        )


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(prompts_folder() / "judge"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )


def render(prompt: str, **values: Any) -> tuple[Message, Message]:
    """A judge's prompt as messages: the template's blocks `system` and `user`."""
    template = _environment().get_template(f"{prompt}/1-answer.jinja")
    system, user = ("".join(template.blocks[name](template.new_context(values))) for name in ("system", "user"))
    return Message("system", system.strip()), Message("user", user.strip())


@functools.cache
def prompt_hash(*prompts: str) -> str:
    """16 hex digits that name the exact wording of these prompts."""
    folder = prompts_folder() / "judge"
    digest = hashlib.sha256()
    for name in ("_again.jinja", *(f"{prompt}/1-answer.jinja" for prompt in prompts)):
        digest.update(name.encode() + b"\0" + (folder / name).read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def ask(engine: Engine, cache: JudgeCache, questions: Sequence[Question]) -> list[Reading]:
    """The questions' readings, in their order.

    A reply that cannot be used is asked for once more, in other words; what fails then has a `why`. An engine's
    error fails its own question only; EngineError (the engine is gone) is the caller's, replies so far are kept.
    """
    replies = _replies(engine, cache, questions, [question.chat() for question in questions])
    readings = [_read(question, reply) for question, reply in zip(questions, replies, strict=True)]
    failed = [i for i, reading in enumerate(readings) if reading.why and replies[i].finish != "error"]
    asked = [questions[i] for i in failed]
    chats = [question.chat(readings[i].why) for i, question in zip(failed, asked, strict=True)]
    for i, reply in zip(failed, _replies(engine, cache, asked, chats), strict=True):
        second = _read(questions[i], reply)
        readings[i] = replace(second, replies=readings[i].replies + second.replies)
    return readings


def _replies(engine: Engine, cache: JudgeCache, questions: Sequence[Question], chats: Sequence[Chat]) -> list[Reply]:
    """One reply a chat: a kept one, or a new one, which is kept as it comes; the same chat is generated once."""
    identity = engine.identity()
    keys = [
        cache_key(identity, prompt_hash(question.prompt), chat, question.repeat)
        for question, chat in zip(questions, chats, strict=True)
    ]
    found = {key: reply for key in keys if (reply := cache.get(key)) is not None}
    pending = {key: (q, c) for key, q, c in zip(keys, questions, chats, strict=True) if key not in found}
    found.update({key: reply for key, (_, chat) in pending.items() if (reply := _too_long(engine, chat))})
    owners = {id(chat): (key, question) for key, (question, chat) in pending.items() if key not in found}
    waiting = [chat for _, chat in reversed(pending.values()) if id(chat) in owners]

    def take(room: int) -> list[Chat]:
        return [waiting.pop() for _ in range(min(room, len(waiting)))]

    for chat, reply in engine.stream(take) if waiting else ():
        key, question = owners[id(chat)]
        found[key] = reply
        if reply.finish != "error":
            cache.put(key, reply, prompt=question.prompt, id=question.id, repeat=question.repeat)
    lost = Reply(finish="error", error="the engine gave no reply")
    return [found.get(key, lost) for key in keys]


def _too_long(engine: Engine, chat: Chat) -> Reply | None:
    """The error of a chat that cannot fit the engine's context; nothing is cut, as that would change the verdict."""
    if engine.context_length is None:
        return None
    tokens = engine.count_tokens(chat) + chat.sampling.max_tokens
    if tokens <= engine.context_length:
        return None
    return Reply(finish="error", error=f"{tokens} tokens do not fit a context of {engine.context_length}")


def _read(question: Question, reply: Reply) -> Reading:
    if reply.finish == "error":
        return Reading(why=f"engine error: {reply.error}")
    try:
        if reply.finish == "refusal":
            raise ValueError("it was a refusal")
        text, _ = split_thinking(reply)
        if reply.finish == "length" and not _is_json(text):
            raise ValueError("it was too long")
        value, reason = question.read(text)
    except ValueError as error:
        return Reading(why=str(error), replies=(reply.text,))
    return Reading(value, reason, replies=(reply.text,))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
