"""The engine `server`: any OpenAI-compatible endpoint (vLLM, llama.cpp, a hosted one), through the `openai` package.

One probe at the start finds out what the server serves and supports. Then a thread with an event loop keeps
`concurrency` requests in flight while the caller reads replies at its own pace. What can heal (a busy, broken or
absent server) is tried again until `patience` is used up; what cannot is said at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import random
import re
import threading
import time
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import accumulate, product
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from emowhy.engines.base import Engine, Take
from emowhy.engines.chat_ids import messages_of
from emowhy.errors import EmowhyError, EngineError, MissingError, UsageError, missing_extra, nearest
from emowhy.types import Chat, Finish, Reply, Usage

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

Json = dict[str, Any]
Item = TypeVar("Item")
Result = TypeVar("Result")

LONGEST_WAIT = 20.0
"""Seconds: where the doubling backoff stops."""
CONNECTIONS_A_CLIENT = 32
"""More requests than this are spread over several HTTP clients: a pool's own work grows with its connections."""
PROBE_SCHEMA: Json = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}
TOO_LONG = re.compile(
    r"context[ _](length|window|size)|max_model_len|maximum (input|prompt|sequence) length|prompt is too long", re.I
)


class Trouble(Exception):
    """One attempt failed: what was wrong, whether trying again can help, and how long the server asked to wait.

    `kind`: "unreachable" (no connection), "again" (may heal), "final" (never will), "denied" (the key).
    """

    def __init__(
        self,
        kind: Literal["unreachable", "again", "final", "denied"],
        what: str,
        *,
        status: int | None = None,
        wait: float | None = None,
        lost: bool = False,
    ) -> None:
        super().__init__(what)
        self.kind = kind
        self.what = what
        self.status = status
        self.wait = wait
        self.lost = lost or kind == "unreachable"
        """Whether the connection failed, so that nothing shows the server to be alive."""


class Patience:
    """The clock of one request: how long to wait before its next attempt, until `limit` seconds are used up."""

    def __init__(self, limit: float, backoff: float) -> None:
        self.limit = limit
        self.backoff = backoff
        self.began = time.monotonic()
        self.failures = 0

    def wait(self, trouble: Trouble, left: float | None = None) -> float | None:
        """Seconds to wait (exponential backoff, full jitter, Retry-After), or None: give up.

        `left`: the seconds left, where another clock counts than this one.
        """
        self.failures += 1
        left = self.limit - (time.monotonic() - self.began) if left is None else left
        jittered = random.uniform(0, min(LONGEST_WAIT, self.backoff * 2 ** min(self.failures - 1, 20)))
        if left <= 0 or (trouble.wait is not None and trouble.wait > left):
            return None
        if trouble.wait is not None:
            jittered = trouble.wait + random.uniform(0, self.backoff)
        return min(jittered, left)

    def story(self, trouble: Trouble) -> str:
        asked = "" if trouble.wait is None else f", asked to wait {trouble.wait:g} s"
        tries = "1 attempt" if self.failures == 1 else f"{self.failures} attempts"
        return f"{trouble.what}{asked} ({tries} over {time.monotonic() - self.began:.1f} s)"


class Outage:
    """Since when the server has been unreachable for every request; `since` None: it is there."""

    since: float | None = None

    def note(self, trouble: Trouble | None) -> float:
        """Take in the outcome of an attempt; seconds that the outage has lasted."""
        now = time.monotonic()
        if trouble is None or trouble.status is not None:
            self.since = None
        elif trouble.lost and self.since is None:
            self.since = now
        return 0.0 if self.since is None else now - self.since


class Line(Generic[Item, Result]):
    """A thread whose event loop works on what is sent, `concurrency` at a time; results come out as they finish."""

    def __init__(
        self,
        connect: Callable[[], AsyncOpenAI],
        concurrency: int,
        work: Callable[[AsyncOpenAI, Outage, Item], Awaitable[Result]],
    ) -> None:
        self._connect = connect
        self._concurrency = concurrency
        self._work = work
        self._clients: dict[int, AsyncOpenAI] = {}
        self._outage = Outage()
        self._results: queue.SimpleQueue[tuple[Item, Result] | BaseException] = queue.SimpleQueue()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="emowhy-server", daemon=True)
        self._thread.start()
        self._ready.wait()

    def send(self, item: Item) -> None:
        with suppress(RuntimeError):  # the loop may have ended on an error, which `receive` raises
            self._loop.call_soon_threadsafe(self._inbox.put_nowait, item)

    def receive(self) -> tuple[Item, Result]:
        """The next finished item with its result; raises what ended the work."""
        result = self._results.get()
        if isinstance(result, BaseException):
            raise result
        return result

    def close(self) -> None:
        """Cancel what is in flight, close every connection, end the thread."""
        with suppress(RuntimeError):  # the loop may have ended already
            self._loop.call_soon_threadsafe(self._main.cancel)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._results.put(error)
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._inbox: asyncio.Queue[Item] = asyncio.Queue()
        self._main = asyncio.ensure_future(asyncio.gather(*(self._worker(i) for i in range(self._concurrency))))
        self._ready.set()
        try:
            await self._main
        finally:
            workers = asyncio.all_tasks() - {asyncio.current_task()}
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            await asyncio.gather(*(client.close() for client in self._clients.values()), return_exceptions=True)

    async def _worker(self, number: int) -> None:
        lane = number // CONNECTIONS_A_CLIENT
        while True:
            item = await self._inbox.get()
            if lane not in self._clients:
                self._clients[lane] = self._connect()
            self._results.put((item, await self._work(self._clients[lane], self._outage, item)))


class ServerEngine(Engine):
    """Chats to an OpenAI-compatible server.

    Options (`--engine-arg K=V`): `timeout` (seconds an attempt, 120), `patience` (seconds that one chat may be tried
    in all, 300), `start_patience` (seconds to wait for the server at the start, 10), `backoff` (seconds, the first
    wait, doubling to 20; 0.5), `bind` and `logprobs` (auto, on, off: whether to ask for schema-bound replies and for
    log-probabilities) and `extra_body.NAME` (a field of every request).

    The key is read from the environment variable `api_key_env` when a connection is made and kept nowhere else.
    """

    name: ClassVar[str] = "server"

    def __init__(
        self,
        model: str | None = None,
        adapter: str | None = None,
        base_url: str = "http://localhost:8000/v1",
        api_key_env: str = "OPENAI_API_KEY",
        concurrency: int = 32,
        **options: Any,
    ) -> None:
        try:
            import openai  # noqa: F401
        except ImportError:
            raise missing_extra("the engine 'server'", "server") from None
        self.model = model
        self.adapter = adapter
        self.api_key_env = api_key_env
        self.concurrency = self.batch_size = int(_number("concurrency", concurrency, least=1))
        self._url, self._query, self.base_url = _split_url(base_url)
        self._timeout = _number("timeout", options.pop("timeout", 120), least=0.001)
        self._patience = _number("patience", options.pop("patience", 300))
        self._start_patience = _number("start_patience", options.pop("start_patience", 10))
        self._backoff = _number("backoff", options.pop("backoff", 0.5))
        self._bind = _switch("bind", options.pop("bind", "auto"))
        self._logprobs = _switch("logprobs", options.pop("logprobs", "auto"))
        self._extra = _extra_body(options)
        self.can_bind = self._bind == "on"
        self.can_logprobs = self._logprobs == "on"
        self.context_length: int | None = None
        self._can_tokenize: bool | None = None
        self._probed = False
        self._client: OpenAI | None = None

    def __getstate__(self) -> Json:
        """Connections stay behind when the engine is pickled."""
        return {**self.__dict__, "_client": None}

    def identity(self) -> Mapping[str, Any]:
        known = {
            "engine": self.name,
            "base_url": self.base_url,
            "model": self.model,
            "adapter": self.adapter,
            "bind": self.can_bind,
            "logprobs": self.can_logprobs,
            "context_length": self.context_length,
        }
        return {**known, "extra_body": self._extra} if self._extra else known

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    # What is there

    def probe(self) -> None:
        """Find out, once, which model is served, how long its context is, and what can be asked of it."""
        if self._probed:
            return
        try:
            self._find_model()
            self._find_abilities()
        except Trouble as trouble:
            raise self._no_start(trouble) from None
        self._probed = True

    def _find_model(self) -> None:
        try:
            listed = self._ask("/models", None, self._start_patience).get("data")
        except Trouble as trouble:
            if trouble.kind != "final":
                raise
            listed = None
        cards = listed if isinstance(listed, list) else []
        served = [card for card in cards if isinstance(card, dict) and isinstance(card.get("id"), str)]
        if not served:
            if self.model is None and self.adapter is None:
                raise MissingError(
                    f"the server at {self.base_url} does not list its models",
                    "name one with --model; check --base-url (it usually ends with /v1)",
                )
            return
        card = _pick(served, self.model) if self.model else None
        tuned = _pick(served, self.adapter) if self.adapter else None
        names = ", ".join(entry["id"] for entry in served)
        if self.adapter and not tuned:
            raise MissingError(
                f"no adapter {self.adapter!r} at {self.base_url}; served there: {names}",
                f"start the server with it: `emowhy serve --model {self.model or 'MODEL'} --adapter {self.adapter}`; "
                "or name a served one with --adapter",
            )
        if self.model and not card:
            raise MissingError(
                f"no model {self.model!r} at {self.base_url}; served there: {names}",
                f"name a served one with --model, or start a server with `emowhy serve --model {self.model}`",
            )
        card = card or self._only_model(served, tuned)
        self.model = card["id"]
        self.adapter = tuned["id"] if tuned else None
        lengths = [entry.get("max_model_len") for entry in (tuned, card) if entry]
        self.context_length = next((length for length in lengths if isinstance(length, int)), None)

    def _only_model(self, served: list[Json], tuned: Json | None) -> Json:
        """The model when none was named: the adapter's own, or the only one (under whichever of its names)."""
        parent = _pick(served, str(tuned.get("parent"))) if tuned else None
        bases = [card for card in served if not card.get("parent")] or served
        if parent or len({card.get("root") or card["id"] for card in bases}) == 1:
            return parent or bases[0]
        raise MissingError(
            f"the server at {self.base_url} serves more than one model: {', '.join(card['id'] for card in bases)}",
            "name one with --model",
        )

    def _find_abilities(self) -> None:
        """One tiny chat, asking for less each time that the server refuses."""
        asks = {"auto": (True, False), "on": (True,), "off": (False,)}
        refused: Trouble | None = None
        for bind, logprobs in product(asks[self._bind], asks[self._logprobs]):
            body: Json = {
                "model": self.adapter or self.model,
                "messages": [{"role": "user", "content": "Say hello."}],
                "max_tokens": 16,
                "temperature": 0,
                **self._extra,
                **_abilities(PROBE_SCHEMA if bind else None, logprobs),
            }
            try:
                choice = _choice(self._ask("/chat/completions", body, self._start_patience))
            except Trouble as trouble:
                if trouble.status not in (400, 422):
                    raise
                refused = trouble
                continue
            # A server may also ignore what it does not know: nobody says hello in JSON unless bound to.
            said = _text(choice["message"]).strip()
            self.can_bind = bind and (self._bind == "on" or not said or said.startswith("{"))
            self.can_logprobs = logprobs and (self._logprobs == "on" or bool(_tokens(choice)))
            return
        assert refused is not None
        raise refused

    def _no_start(self, trouble: Trouble) -> EmowhyError:
        if trouble.kind == "denied":
            return MissingError(*self._denied(trouble))
        if trouble.kind == "final" and trouble.status != 404:
            return EngineError(
                f"the server at {self.base_url} refuses the plainest chat: {trouble.what}",
                "check --model, and --engine-arg bind=, logprobs= and extra_body.…",
            )
        if trouble.kind == "final":
            return MissingError(
                f"no chat completions for the model {self.adapter or self.model!r} at {self.base_url}: {trouble.what}",
                "check --model and --base-url (it usually ends with /v1)",
            )
        return MissingError(
            f"no usable answer from {self.base_url}: {trouble.what}",
            "start a server (`emowhy serve --print` shows how), or check --base-url",
        )

    def _denied(self, trouble: Trouble) -> tuple[str, str]:
        held = "was not accepted" if os.environ.get(self.api_key_env) else "is not set"
        return (
            f"the server at {self.base_url} wants a key, and the one in ${self.api_key_env} {held}: {trouble.what}",
            f"export {self.api_key_env}=… , or name another variable with --api-key-env",
        )

    # Chats

    def stream(self, take: Take) -> Generator[tuple[Chat, Reply]]:
        """Replies as they finish; as many chats again as are in flight are taken ahead, so that a slow reader
        does not leave the server idle."""
        self.probe()
        yield from self._work_through(take, self._answer)

    def _work_through(
        self, take: Callable[[int], list[Item]], work: Callable[[AsyncOpenAI, Outage, Item], Awaitable[Result]]
    ) -> Iterator[tuple[Item, Result]]:
        line = Line(self._connect, self.concurrency, work)
        room = ahead = 2 * self.concurrency
        try:
            while True:
                for item in take(room):
                    line.send(item)
                    room -= 1
                if room == ahead:
                    return
                finished = line.receive()
                room += 1
                yield finished
        finally:
            line.close()

    async def _answer(self, client: AsyncOpenAI, outage: Outage, chat: Chat) -> Reply:
        began = time.monotonic()
        try:
            payload, seconds = await self._send(client, outage, "/chat/completions", self._request(chat), _choice)
        except Trouble as trouble:
            return Reply(finish="error", error=trouble.what, seconds=time.monotonic() - began)
        return _reply(payload, seconds)

    def _request(self, chat: Chat) -> Json:
        sampling = chat.sampling
        body: Json = {
            "model": self.adapter or self.model,
            "messages": messages_of(chat),
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "seed": sampling.seed,
            **_abilities(chat.schema if self.can_bind else None, self.can_logprobs),
            **self._extra,
        }
        return {**body, **self._template_options(chat)}

    def _template_options(self, chat: Chat) -> Json:
        given = self._extra.get("chat_template_kwargs") or {}
        thinking = {} if chat.sampling.thinking is None else {"enable_thinking": chat.sampling.thinking}
        return {"chat_template_kwargs": {**given, **thinking}} if given or thinking else {}

    # Tokens and log-probabilities of given texts (vLLM)

    def count_tokens(self, chat: Chat) -> int:
        self.probe()
        if self._can_tokenize is False:
            return super().count_tokens(chat)
        limit = self._start_patience if self._can_tokenize is None else self._patience
        try:
            count = self._ask(self._tokenize_url, self._tokenize_request(chat), limit).get("count")
        except Trouble as trouble:
            if trouble.lost:
                raise self._gone(limit) from None
            count = None
        if self._can_tokenize is None:
            self._can_tokenize = isinstance(count, int)
        return count if isinstance(count, int) else super().count_tokens(chat)

    def logprobs(self, chats: Sequence[Chat], continuations: Sequence[str]) -> list[float]:
        """Needs vLLM: the rendered chat and the continuation are tokenized apart, sent as token ids, and the
        log-probabilities of the continuation's ids summed. So no chat template can trim or reword the continuation
        (some do, and thinking models' add empty thoughts), and no token straddles the border."""
        self.probe()
        waiting = list(reversed(list(enumerate(zip(chats, continuations, strict=True)))))

        def take(room: int) -> list[tuple[int, tuple[Chat, str]]]:
            return [waiting.pop() for _ in range(min(room, len(waiting)))]

        found = {number: score for (number, _), score in self._work_through(take, self._score)}
        return [found[number] for number in range(len(chats))]

    async def _score(self, client: AsyncOpenAI, outage: Outage, item: tuple[int, tuple[Chat, str]]) -> float:
        chat, continuation = item[1]
        text = {"model": self.adapter or self.model, "prompt": continuation, "add_special_tokens": False}
        try:
            prompt = _ids((await self._send(client, outage, self._tokenize_url, self._tokenize_request(chat)))[0])
            ending = _ids((await self._send(client, outage, self._tokenize_url, text))[0])
            body = {
                "model": self.adapter or self.model,
                "prompt": prompt + ending,
                "max_tokens": 1,
                "temperature": 0,
                "prompt_logprobs": 0,
            }
            payload, _ = await self._send(client, outage, "/completions", body)
        except Trouble as trouble:
            if trouble.status in (404, 405, 501):
                raise self._no_prompt_logprobs() from None
            raise EngineError(f"no log-probabilities from {self.base_url}: {trouble.what}") from None
        entries = (payload.get("choices") or [{}])[0].get("prompt_logprobs")
        if not isinstance(entries, list) or len(entries) != len(prompt + ending):
            raise self._no_prompt_logprobs()
        found = zip(ending, entries[len(prompt) :], strict=True)
        return float(sum(entry[str(token)]["logprob"] for token, entry in found))

    def _no_prompt_logprobs(self) -> UsageError:
        return UsageError(
            f"the server at {self.base_url} gives no log-probabilities of given texts",
            "use a vLLM server, or --engine transformers or vllm",
        )

    @property
    def _tokenize_url(self) -> str:
        return self._url.removesuffix("/v1") + "/tokenize"

    def _tokenize_request(self, chat: Chat) -> Json:
        rendered = {"messages": messages_of(chat), "add_generation_prompt": True}
        return {"model": self.adapter or self.model, **rendered, **self._template_options(chat)}

    # Requests

    def _connect(self) -> AsyncOpenAI:
        from openai import AsyncOpenAI

        return AsyncOpenAI(**self._settings())

    def _settings(self) -> Json:
        from openai import Timeout

        return {
            "base_url": self._url,
            "api_key": self._key() or "none",
            "default_query": self._query,
            "max_retries": 0,
            "timeout": Timeout(self._timeout, connect=min(self._timeout, 10.0)),
        }

    def _key(self) -> str:
        return os.environ.get(self.api_key_env, "").strip()

    def _ask(self, path: str, body: Json | None, limit: float) -> Json:
        """A request outside the stream, tried for `limit` seconds."""
        from openai import OpenAI

        self._client = self._client or OpenAI(**self._settings())
        patience = Patience(limit, self._backoff)
        while True:
            try:
                if body is None:
                    return _object(self._client.get(path, cast_to=object))
                return _object(self._client.post(path, cast_to=object, body=body))
            except Exception as error:
                trouble = self._diagnose(error)
            if trouble.kind in ("final", "denied"):
                raise trouble from None
            wait = patience.wait(trouble)
            if wait is None:
                raise Trouble(trouble.kind, patience.story(trouble), lost=trouble.lost) from None
            time.sleep(wait)

    async def _send(
        self,
        client: AsyncOpenAI,
        outage: Outage,
        path: str,
        body: Json,
        check: Callable[[Json], object] = lambda payload: None,
    ) -> tuple[Json, float]:
        """A request of the stream and the seconds that its successful attempt took.

        Tried until `patience` is used up (then `Trouble`), except that an absent server is waited for: when it has
        been gone for all of that time, or refuses the key, the engine as a whole has failed (`EngineError`).
        """
        patience = Patience(self._patience, self._backoff)
        while True:
            began = time.monotonic()
            try:
                async with asyncio.timeout(self._timeout):
                    payload = _object(await client.post(path, cast_to=object, body=body))
                check(payload)
                outage.note(None)
                return payload, time.monotonic() - began
            except Exception as error:
                trouble = self._diagnose(error)
            gone = outage.note(trouble)
            if trouble.kind == "denied":
                raise EngineError(*self._denied(trouble))
            if trouble.kind == "final":
                raise trouble
            if trouble.lost and gone >= self._patience:
                raise self._gone(gone)
            wait = patience.wait(trouble, self._patience - gone if trouble.kind == "unreachable" else None)
            if wait is None:
                raise Trouble("final", patience.story(trouble))
            await asyncio.sleep(wait)

    def _gone(self, seconds: float) -> EngineError:
        return EngineError(
            f"the server at {self.base_url} has not answered for {seconds:.0f} s",
            "start it again and type the same command: finished rows are kept",
        )

    def _diagnose(self, error: Exception) -> Trouble:
        """What an exception of one attempt means. Secrets that a server repeats are blotted out."""
        from openai import APIConnectionError, APIStatusError, APITimeoutError

        if isinstance(error, Trouble):
            return error
        cause = type(error.__cause__).__name__
        if isinstance(error, APIConnectionError) and cause in ("ConnectError", "ConnectTimeout"):
            return Trouble("unreachable", self._blot(f"no connection: {error.__cause__}"))
        if isinstance(error, (APITimeoutError, TimeoutError)):
            return Trouble("again", f"no answer within {self._timeout:g} s")
        if isinstance(error, APIConnectionError):
            return Trouble("again", self._blot(f"the connection broke: {error.__cause__ or cause}"), lost=True)
        if isinstance(error, APIStatusError):
            return self._diagnose_status(error.status_code, error.body, error.response.headers)
        if isinstance(error, UnicodeEncodeError):
            return Trouble("final", f"the text cannot be sent as UTF-8: {error.reason} at {error.start}")
        if isinstance(error, ValueError):
            return Trouble("again", "the reply is not JSON", status=200)
        raise error

    def _diagnose_status(self, status: int, body: object, headers: Mapping[str, str]) -> Trouble:
        message = self._blot(_error_message(body))
        code = body.get("code") if isinstance(body, dict) else None
        what = f"HTTP {status}: {message}"
        if status in (401, 403):
            return Trouble("denied", what, status=status)
        if status in (408, 409, 425, 429) or status >= 500:
            return Trouble("again", what, status=status, wait=_retry_after(headers))
        if status in (400, 413, 422) and TOO_LONG.search(f"{code} {message}"):
            what = f"context length: {message}"
        return Trouble("final", what, status=status)

    def _blot(self, text: str) -> str:
        """The text without the key or the URL's password, at most 300 characters of it."""
        secrets = [self._key(), urlsplit(self._url).password or "", *self._query.values()]
        for secret in secrets:
            text = text.replace(secret, "…") if len(secret) > 3 else text
        return text if len(text) <= 300 else text[:299] + "…"


def _abilities(schema: Mapping[str, Any] | None, logprobs: bool) -> Json:
    """The fields of a request that not every server understands."""
    asked: Json = {"logprobs": True} if logprobs else {}
    if schema is not None:
        bound = {"name": "reply", "strict": True, "schema": dict(schema)}
        asked["response_format"] = {"type": "json_schema", "json_schema": bound}
    return asked


def _object(payload: object) -> Json:
    """The JSON object of a reply, also from a server that calls it text."""
    payload = json.loads(payload) if isinstance(payload, str) else payload
    if not isinstance(payload, dict):
        raise Trouble("again", "the reply is not a JSON object", status=200)
    return payload


def _choice(payload: Json) -> Json:
    """The first choice of a chat completion."""
    choices = payload.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
        raise Trouble("again", "the reply has no choices", status=200)
    return choice


def _ids(payload: Json) -> list[int]:
    if not isinstance(payload.get("tokens"), list):
        raise Trouble("final", "the tokenizer gave no tokens", status=501)
    return list(payload["tokens"])


def _reply(payload: Json, seconds: float) -> Reply:
    choice = _choice(payload)
    message = choice["message"]
    finishes: dict[object, Finish] = {"length": "length", "content_filter": "refusal"}
    finish = "refusal" if message.get("refusal") else finishes.get(choice.get("finish_reason"), "stop")
    text = _text(message)
    thinking = message.get("reasoning_content") or message.get("reasoning")
    usage = payload.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    return Reply(
        text=text,
        thinking=thinking if isinstance(thinking, str) else None,
        finish=finish,
        usage=Usage(counts.get("prompt_tokens") or 0, counts.get("completion_tokens") or 0),
        tokens=_pieces(text, _tokens(choice)),
        seconds=seconds,
    )


def _text(message: Json) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else ""


def _tokens(choice: Json) -> list[tuple[str, float]]:
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


def _error_message(body: object) -> str:
    if isinstance(body, dict):
        body = body.get("message") or body.get("detail") or body
    return " ".join(str(body if body is not None else "no message").split())


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait: `retry-after-ms`, or `retry-after` as seconds or as a date."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers.get(name, "")) * scale)
        except ValueError:
            continue
    try:
        when = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _pick(served: list[Json], wanted: str) -> Json | None:
    """The served model of that name, or the one made from that folder or Hub id."""
    named = [card for card in served if card["id"] == wanted] or [card for card in served if card.get("root") == wanted]
    return named[0] if named else None


def _split_url(url: str) -> tuple[str, dict[str, str], str]:
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


def _number(option: str, value: object, least: float = 0.0) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = -1.0
    if not least <= number < float("inf"):
        raise UsageError(f"{option}={value!r} is not a number of at least {least:g}", f"--engine-arg {option}=10")
    return number


def _switch(option: str, value: object) -> Literal["auto", "on", "off"]:
    words: dict[str, Literal["auto", "on", "off"]] = {"true": "on", "on": "on", "false": "off", "off": "off"}
    if str(value).lower() == "auto":
        return "auto"
    if str(value).lower() not in words:
        raise UsageError(f"{option}={value!r}", nearest(str(value), ("auto", "on", "off")))
    return words[str(value).lower()]


def _extra_body(options: Mapping[str, Any]) -> Json:
    """The `extra_body.NAME` options as fields of the request; a text that is JSON is read as JSON."""
    known = ("timeout", "patience", "start_patience", "backoff", "bind", "logprobs", "extra_body.NAME")
    extra: Json = {}
    for option, value in options.items():
        if not option.startswith("extra_body.") or option == "extra_body.":
            raise UsageError(f"the engine 'server' has no option {option!r}", nearest(option, known))
        try:
            extra[option.removeprefix("extra_body.")] = json.loads(value) if isinstance(value, str) else value
        except ValueError:
            extra[option.removeprefix("extra_body.")] = value
    return extra
