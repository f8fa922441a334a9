"""Between our words and the OpenAI protocol's: chats to request bodies, bodies to replies. Nothing is sent here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from emowhy.engines.chat_ids import messages_of
from emowhy.engines.lora import adapter_name
from emowhy.engines.patience import Trouble
from emowhy.errors import MissingError, UsageError
from emowhy.types import Chat, Finish, Reply, Usage

Json = dict[str, Any]

PROBE_SCHEMA: Json = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}


# Requests


def chat_request(chat: Chat, *, bind: bool, logprobs: bool, extra: Mapping[str, Any]) -> Json:
    """The body of a chat completion, but for the model."""
    return {
        "messages": messages_of(chat),
        "max_tokens": chat.sampling.max_tokens,
        "temperature": chat.sampling.temperature,
        "seed": chat.sampling.seed,
        **_abilities(chat.schema if bind else None, logprobs),
        **extra,
        **template_options(chat, extra),
    }


def probe_request(*, bind: bool, logprobs: bool, extra: Mapping[str, Any]) -> Json:
    """The body of the tiny chat that shows what a server can do."""
    hello = [{"role": "user", "content": "Say hello."}]
    asked = _abilities(PROBE_SCHEMA if bind else None, logprobs)
    return {"messages": hello, "max_tokens": 16, "temperature": 0, **extra, **asked}


def template_options(chat: Chat, extra: Mapping[str, Any]) -> Json:
    """What the chat template is told, vLLM's `chat_template_kwargs`."""
    given = extra.get("chat_template_kwargs") or {}
    thinking = {} if chat.sampling.thinking is None else {"enable_thinking": chat.sampling.thinking}
    return {"chat_template_kwargs": {**given, **thinking}} if given or thinking else {}


def _abilities(schema: Mapping[str, Any] | None, logprobs: bool) -> Json:
    """The fields of a request that not every server understands."""
    asked: Json = {"logprobs": True} if logprobs else {}
    if schema is not None:
        bound = {"name": "reply", "strict": True, "schema": dict(schema)}
        asked["response_format"] = {"type": "json_schema", "json_schema": bound}
    return asked


# Replies


def json_object(payload: object) -> Json:
    """The JSON object of a reply, also from a server that calls it text."""
    payload = json.loads(payload) if isinstance(payload, str) else payload
    if not isinstance(payload, dict):
        raise Trouble("again", "the reply is not a JSON object", status=200)
    return payload


def first_choice(payload: Json) -> Json:
    """The first choice of a chat completion."""
    choices = payload.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
        raise Trouble("again", "the reply has no choices", status=200)
    return choice


def token_ids(payload: Json) -> list[int]:
    """The ids that vLLM's /tokenize gives."""
    if not isinstance(payload.get("tokens"), list):
        raise Trouble("final", "the tokenizer gave no tokens", status=501)
    return list(payload["tokens"])


def scored_token(payload: Json) -> tuple[str, float]:
    """The one token that a completion wrote, as far as it can be read alone, and its log-probability."""
    listed = (payload.get("choices") or [{}])[0].get("logprobs") or {}
    tokens, scores = listed.get("tokens"), listed.get("token_logprobs")
    if not isinstance(scores, list) or len(scores) != 1 or not isinstance(scores[0], int | float):
        raise Trouble("final", "no token_logprobs", status=501)
    return str(tokens[0]) if isinstance(tokens, list) and tokens else "", float(scores[0])


def reply_from(payload: Json, seconds: float) -> Reply:
    """The reply that a chat completion is."""
    choice = first_choice(payload)
    message = choice["message"]
    finishes: dict[object, Finish] = {"length": "length", "content_filter": "refusal"}
    text = said(choice)
    thinking = message.get("reasoning_content") or message.get("reasoning")
    usage = payload.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    return Reply(
        text=text,
        thinking=thinking if isinstance(thinking, str) else None,
        finish="refusal" if message.get("refusal") else finishes.get(choice.get("finish_reason"), "stop"),
        usage=Usage(counts.get("prompt_tokens") or 0, counts.get("completion_tokens") or 0),
        tokens=_pieces(text, scored_tokens(choice)),
        seconds=seconds,
    )


def said(choice: Json) -> str:
    content = choice["message"].get("content")
    return content if isinstance(content, str) else ""


def scored_tokens(choice: Json) -> list[tuple[str, float]]:
    """Every token that a choice lists with its log-probability."""
    try:
        return [(str(entry["token"]), float(entry["logprob"])) for entry in choice["logprobs"]["content"]]
    except (KeyError, TypeError, ValueError):
        return []


def _pieces(text: str, tokens: list[tuple[str, float]]) -> tuple[tuple[str, float], ...] | None:
    """The tokens that make up `text`: servers also list those of the thinking before it and the stop token after.

    None when there are none, or when they do not spell the text.
    """
    spelled = "".join(token for token, _ in tokens)
    ends = list(accumulate(len(token) for token, _ in tokens))
    whole = [at for at in (0, *ends) if spelled.startswith(text, at)]
    start = whole[-1] if whole else spelled.rfind(text)
    if start < 0 or not tokens:
        return None
    pieces = zip(tokens, (0, *ends), ends, strict=False)
    return tuple(token for token, begin, end in pieces if end > start and begin < start + len(text))


# Models and addresses


def choose_model(
    listed: object, model: str | None, adapter: str | None, base_url: str
) -> tuple[str | None, str | None, int | None]:
    """Model, adapter and context length, from what /models lists; MissingError where that is not what was asked for."""
    cards = listed if isinstance(listed, list) else []
    served: list[Json] = [card for card in cards if isinstance(card, dict) and isinstance(card.get("id"), str)]
    if not served:
        if model is None and adapter is None:
            raise MissingError(
                f"the server at {base_url} does not list its models",
                "name one with --model; check --base-url (it usually ends with /v1)",
            )
        return model, adapter, None
    names = ", ".join(card["id"] for card in served)
    card = _card(served, model) if model else None
    tuned = _card(served, adapter) or _card(served, _served_name(adapter)) if adapter else None
    if adapter and not tuned:
        raise MissingError(
            f"no adapter {adapter!r} at {base_url}; served there: {names}",
            f"start the server with it: `emowhy serve --model {model or 'MODEL'} --adapter {adapter}`; "
            "or name a served one with --adapter",
        )
    if model and not card:
        raise MissingError(
            f"no model {model!r} at {base_url}; served there: {names}",
            f"name a served one with --model, or start a server with `emowhy serve --model {model}`",
        )
    card = card or _only_model(served, tuned, base_url)
    lengths = [entry.get("max_model_len") for entry in (tuned, card) if entry]
    length = next((length for length in lengths if isinstance(length, int)), None)
    return card["id"], tuned["id"] if tuned else None, length


def _card(served: list[Json], wanted: str) -> Json | None:
    """The served model of that name, or the one made from that folder or Hub id."""
    return next((card for key in ("id", "root") for card in served if card.get(key) == wanted), None)


def _served_name(adapter: str) -> str:
    """Under which name `emowhy serve` serves what lies in a folder here."""
    folder = Path(adapter).expanduser()
    return adapter_name(folder) if (folder / "adapter_config.json").is_file() else adapter


def _only_model(served: list[Json], tuned: Json | None, base_url: str) -> Json:
    """The model when none was named: the adapter's own, or the only one (under whichever of its names)."""
    parent = _card(served, str(tuned.get("parent"))) if tuned else None
    bases = [card for card in served if not card.get("parent")] or served
    if parent or len({card.get("root") or card["id"] for card in bases}) == 1:
        return parent or bases[0]
    names = ", ".join(card["id"] for card in bases)
    raise MissingError(f"the server at {base_url} serves more than one model: {names}", "name one with --model")


def split_url(url: str) -> tuple[str, dict[str, str], str]:
    """The address to send to, its query, and the address as it may be shown: without user, password and query."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise UsageError("--base-url is not an http(s) address", "for example http://localhost:8000/v1")
    path = parts.path.rstrip("/")
    shown = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, "", ""))
    return urlunsplit((parts.scheme, parts.netloc, path, "", "")), dict(parse_qsl(parts.query)), shown
