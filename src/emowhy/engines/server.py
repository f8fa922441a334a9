"""The engine `server`: any OpenAI-compatible endpoint (vLLM, llama.cpp, a hosted one), through the `openai` package.

One probe at the start finds out what the server serves and supports. Then a thread with an event loop (`line.py`)
keeps `concurrency` requests in flight while the caller reads replies at its own pace. What can heal (a busy, broken
or absent server) is tried again until `patience` is used up (`patience.py`); what cannot is said at once.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any, ClassVar
from urllib.parse import urlsplit

from openai import AsyncOpenAI, OpenAI, Timeout

from emowhy.engines import wire
from emowhy.engines.base import Engine, Take, spell
from emowhy.engines.chat_ids import messages_of
from emowhy.engines.line import work_through
from emowhy.engines.patience import Outage, Patience, Trouble, diagnose
from emowhy.engines.server_options import ServerOptions, number
from emowhy.engines.wire import Json
from emowhy.errors import EmowhyError, EngineError, MissingError, UsageError
from emowhy.types import Chat, Reply


class ServerEngine(Engine):
    """Chats to an OpenAI-compatible server.

    `options` (`--engine-arg K=V`) are the fields of `ServerOptions` and `extra_body.NAME`. The key is read from the
    environment variable `api_key_env` when a connection is made and kept nowhere else.
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
        self.model = model
        self.adapter = None if adapter == "none" else adapter
        self.api_key_env = api_key_env
        self.concurrency = self.batch_size = int(number("concurrency", concurrency, least=1))
        self._url, self._query, self.base_url = wire.split_url(base_url)
        self._options = ServerOptions.read(options)
        self.can_bind = self._options.bind == "on"
        self.can_logprobs = self._options.logprobs == "on"
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
        return {**known, "extra_body": self._options.extra_body} if self._options.extra_body else known

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
            listed = self._ask("/models", None, self._options.start_patience).get("data")
        except Trouble as trouble:
            if trouble.kind != "final":
                raise
            listed = None
        chosen = wire.choose_model(listed, self.model, self.adapter, self.base_url)
        self.model, self.adapter, self.context_length = chosen

    def _find_abilities(self) -> None:
        """One tiny chat, asking for less each time that the server refuses."""
        asks = {"auto": (True, False), "on": (True,), "off": (False,)}
        refused: Trouble | None = None
        for bind, logprobs in product(asks[self._options.bind], asks[self._options.logprobs]):
            hello = wire.probe_request(bind=bind, logprobs=logprobs, extra=self._options.extra_body)
            try:
                choice = wire.first_choice(
                    self._ask("/chat/completions", self._named(hello), self._options.start_patience)
                )
            except Trouble as trouble:
                if trouble.status not in (400, 422):
                    raise
                refused = trouble
                continue
            # A server may also ignore what it does not know: nobody says hello in JSON unless bound to.
            said = wire.said(choice).strip()
            self.can_bind = bind and (self._options.bind == "on" or not said or said.startswith("{"))
            self.can_logprobs = logprobs and (self._options.logprobs == "on" or bool(wire.scored_tokens(choice)))
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
        """Replies as they finish."""
        self.probe()
        yield from work_through(take, partial(self._answer, Outage()), self._connect, self.concurrency)

    async def _answer(self, outage: Outage, client: AsyncOpenAI, chat: Chat) -> Reply:
        began = time.monotonic()
        request = wire.chat_request(
            chat, bind=self.can_bind, logprobs=self.can_logprobs, extra=self._options.extra_body
        )
        try:
            send = self._send(outage, client, "/chat/completions", self._named(request), wire.first_choice)
            return wire.reply_from(*await send)
        except Trouble as trouble:
            return Reply(finish="error", error=trouble.what, seconds=time.monotonic() - began)

    def _named(self, body: Mapping[str, Any]) -> Json:
        """The request with the model that it is for."""
        return {"model": self.adapter or self.model, **body}

    # Tokens and log-probabilities of given texts (vLLM)

    def count_tokens(self, chat: Chat) -> int:
        self.probe()
        if self._can_tokenize is False:
            return super().count_tokens(chat)
        limit = self._options.start_patience if self._can_tokenize is None else self._options.patience
        try:
            count = self._ask(self._tokenize_url, self._tokenize_request(chat), limit).get("count")
        except Trouble as trouble:
            if trouble.lost:
                raise self._gone(limit) from None
            count = None
        if self._can_tokenize is None:
            self._can_tokenize = isinstance(count, int)
        return count if isinstance(count, int) else super().count_tokens(chat)

    def token_logprobs(self, chats: Sequence[Chat], continuations: Sequence[str]) -> list[list[tuple[str, float]]]:
        """Needs vLLM: the rendered chat and the continuation are tokenized apart, so that no chat template can trim
        or reword the continuation (some do, and thinking models' add empty thoughts) and no token straddles the
        border. Each of its tokens is then written as the only one allowed, and the log-probabilities that they had
        before that are given: asking for those of a prompt instead kills vLLM 0.32 with an adapter on a CPU."""
        self.probe()
        waiting = list(reversed(list(enumerate(zip(chats, continuations, strict=True)))))

        def take(room: int) -> list[tuple[int, tuple[Chat, str]]]:
            return [waiting.pop() for _ in range(min(room, len(waiting)))]

        scores = work_through(take, partial(self._score, Outage()), self._connect, self.concurrency)
        found = {number: scored for (number, _), scored in scores}
        return [found[number] for number in range(len(chats))]

    async def _score(
        self, outage: Outage, client: AsyncOpenAI, item: tuple[int, tuple[Chat, str]]
    ) -> list[tuple[str, float]]:
        chat, continuation = item[1]
        text = self._named({"prompt": continuation, "add_special_tokens": False})
        send = partial(self._send, outage, client)
        try:
            prompt = wire.token_ids((await send(self._tokenize_url, self._tokenize_request(chat)))[0])
            ending = wire.token_ids((await send(self._tokenize_url, text))[0])
            scored: list[tuple[str, float]] = []
            for place, token in enumerate(ending):
                asked = {"prompt": prompt + ending[:place], "max_tokens": 1, "temperature": 0, "logprobs": 1}
                asked |= {"allowed_token_ids": [token], "return_tokens_as_token_ids": False}
                scored.append(wire.scored_token((await send("/completions", self._named(asked)))[0]))
            return spell(continuation, scored)
        except Trouble as trouble:
            if trouble.status in (404, 405, 501):
                raise UsageError(
                    f"the server at {self.base_url} gives no log-probabilities of given texts",
                    "use a vLLM server, or --engine transformers or vllm",
                ) from None
            raise EngineError(f"no log-probabilities from {self.base_url}: {trouble.what}") from None

    @property
    def _tokenize_url(self) -> str:
        return self._url.removesuffix("/v1") + "/tokenize"

    def _tokenize_request(self, chat: Chat) -> Json:
        rendered = {"messages": messages_of(chat), "add_generation_prompt": True}
        return self._named({**rendered, **wire.template_options(chat, self._options.extra_body)})

    # Requests

    def _connect(self) -> AsyncOpenAI:
        return AsyncOpenAI(**self._settings())

    def _settings(self) -> Json:
        return {
            "base_url": self._url,
            "api_key": self._key() or "none",
            "default_query": self._query,
            "max_retries": 0,
            "timeout": Timeout(self._options.timeout, connect=min(self._options.timeout, 10.0)),
        }

    def _key(self) -> str:
        return os.environ.get(self.api_key_env, "").strip()

    def _ask(self, path: str, body: Json | None, limit: float) -> Json:
        """A request outside the stream, tried for `limit` seconds."""
        self._client = self._client or OpenAI(**self._settings())
        patience = Patience(limit, self._options.backoff)
        while True:
            try:
                if body is None:
                    return wire.json_object(self._client.get(path, cast_to=object))
                return wire.json_object(self._client.post(path, cast_to=object, body=body))
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
        outage: Outage,
        client: AsyncOpenAI,
        path: str,
        body: Json,
        check: Callable[[Json], object] = lambda payload: None,
    ) -> tuple[Json, float]:
        """A request of the stream and the seconds that its successful attempt took.

        Tried until `patience` is used up (then `Trouble`), except that an absent server is waited for: when it has
        been gone for all of that time, refuses the key or has no quota left, the engine as a whole has failed
        (`EngineError`).
        """
        patience = Patience(self._options.patience, self._options.backoff)
        while True:
            began = time.monotonic()
            try:
                async with asyncio.timeout(self._options.timeout):
                    payload = wire.json_object(await client.post(path, cast_to=object, body=body))
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
            if trouble.lost and gone >= self._options.patience:
                raise self._gone(gone)
            wait = patience.wait(trouble, self._options.patience - gone if trouble.kind == "unreachable" else None)
            if wait is None:
                raise Trouble("final", patience.story(trouble))
            await asyncio.sleep(wait)

    def _gone(self, seconds: float) -> EngineError:
        return EngineError(
            f"the server at {self.base_url} has not answered for {seconds:.0f} s",
            "start it again and type the same command: finished rows are kept",
        )

    def _diagnose(self, error: Exception) -> Trouble:
        """What an exception of one attempt means; EngineError if it is that the account has no quota left."""
        trouble = diagnose(error, self._options.timeout, self._blot)
        if trouble.kind == "spent":
            raise EngineError(
                f"the account at {self.base_url} has no quota left: {trouble.what}",
                f"add credit to it, or put another account's key in ${self.api_key_env}; then type the same command: "
                "finished rows are kept",
            ) from None
        return trouble

    def _blot(self, text: str) -> str:
        """The text without the key or the URL's password, at most 300 characters of it."""
        secrets = [self._key(), urlsplit(self._url).password or "", *self._query.values()]
        for secret in secrets:
            text = text.replace(secret, "…") if len(secret) > 3 else text
        return text if len(text) <= 300 else text[:299] + "…"
