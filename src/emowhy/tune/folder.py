"""The folder that `emowhy tune rows` fills: rows to learn from, rows to look at, and what is said about them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emowhy.errors import InputError, MissingError
from emowhy.types import Message

TRAIN, DEV, ABOUT = "train.jsonl", "dev.jsonl", "about.json"

_ROLES = ("system", "user", "assistant")
_NAMED = 3  # bad lines in a message


@dataclass(frozen=True, slots=True)
class Row:
    """A prompt as inference sends it, and the reply that is to be learned.

    `data` names the set and split that it comes from; `sample` is what the prompt was made from, in the row format
    of inputs, and None in rows of another making: they can be learned, but not answered.
    """

    id: str
    prompt: tuple[Message, ...]
    completion: str
    strategy: str
    data: str
    sample: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class RowsFolder:
    """`about` is what `about.json` says, `hash` 16 hex digits of SHA-256 over both files; `notes` tell what was odd."""

    train: tuple[Row, ...]
    dev: tuple[Row, ...]
    about: Mapping[str, Any]
    hash: str
    notes: tuple[str, ...] = ()


def read_folder(path: Path) -> RowsFolder:
    """The rows of a folder; a line that is no row is left out, counted and named in `notes`.

    Raises:
        MissingError: one of its files is not there: the folder is none, or its making was interrupted.
        InputError: no row can be read, or `about.json` is damaged.
    """
    for name in (TRAIN, DEV, ABOUT):
        if not (path / name).is_file():
            raise MissingError(f"{path.absolute()} has no {name}", f"emowhy tune rows RECIPE -o {path}")
    try:
        about = json.loads((path / ABOUT).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path / ABOUT} is damaged: {error}", f"emowhy tune rows RECIPE -o {path}") from None
    train, some = _read(path / TRAIN)
    dev, more = _read(path / DEV)
    _check_counts(path, about, {"train": len(train) + len(some), "dev": len(dev) + len(more)})
    if not train:
        why = f": {some[0]}" if some else ""
        raise InputError(f"{path / TRAIN} holds no row to learn from{why}", "see dropped.jsonl and the recipe's rows")
    digest = hashlib.sha256((path / TRAIN).read_bytes() + b"\0" + (path / DEV).read_bytes()).hexdigest()[:16]
    notes = [note for name, bad in ((TRAIN, some), (DEV, more)) if (note := _told(name, bad))]
    return RowsFolder(train, dev, about, digest, tuple(notes))


def _check_counts(path: Path, about: Any, found: Mapping[str, int]) -> None:
    """All files are of one making."""
    said = about.get("rows") if isinstance(about, Mapping) else None
    if isinstance(said, Mapping) and dict(said) != found:
        message = f"{path} holds {found['train']} + {found['dev']} rows, and its about.json says {said}"
        raise InputError(message, f"emowhy tune rows RECIPE -o {path} makes it anew")


def _read(path: Path) -> tuple[tuple[Row, ...], list[str]]:
    rows: list[Row] = []
    bad: list[str] = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            rows.append(row_of(json.loads(line)))
        except (ValueError, RecursionError) as error:
            bad.append(f"line {number}: {error}")
    return tuple(rows), bad


def _told(name: str, bad: Sequence[str]) -> str | None:
    return f"{len(bad)} lines of {name} are no rows and are left out: {'; '.join(bad[:_NAMED])}" if bad else None


def row_of(value: Any) -> Row:
    """A line's JSON as a row. Raises ValueError with the reason why it is none."""
    if not isinstance(value, Mapping):
        raise ValueError("no object")
    sample = value.get("sample")
    if sample is not None and not isinstance(sample, Mapping):
        raise ValueError("sample is no object")
    prompt = _messages(value, "prompt")
    completion = _messages(value, "completion")
    if prompt[-1].role == "assistant" or [message.role for message in completion] != ["assistant"]:
        raise ValueError("a completion is one message of the assistant's, and the prompt ends before it")
    if not completion[0].content.strip():
        raise ValueError("the completion is empty: nothing would be learned")
    texts = {name: _text(value, name) for name in ("id", "strategy", "data")}
    return Row(prompt=prompt, completion=completion[0].content, sample=sample, **texts)


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    if not isinstance(found, str) or not found:
        raise ValueError(f"no {name}")
    return found


def _messages(value: Mapping[str, Any], name: str) -> tuple[Message, ...]:
    found = value.get(name)
    if not isinstance(found, Sequence) or isinstance(found, str) or not found:
        raise ValueError(f"{name} is no list of messages")
    messages = []
    for one in found:
        role, content = (one.get("role"), one.get("content")) if isinstance(one, Mapping) else (None, None)
        if role not in _ROLES or not isinstance(content, str):
            raise ValueError(f"{name} holds what is no message")
        messages.append(Message(role, content))
    return tuple(messages)
