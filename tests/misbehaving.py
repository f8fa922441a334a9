"""A real HTTP server on 127.0.0.1 that speaks the OpenAI and vLLM protocol, and misbehaves on demand.

    with Misbehaving() as server:
        server.behave = script(status(500), says("fine"))   # the first chat fails, every later one is answered
        …                                                   # talk to server.url
        assert len(server.chats) == 2

Every wait in it is bounded.
"""

from __future__ import annotations

import json
import math
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

LONGEST = 20.0
"""Seconds after which anything here stops waiting."""


@dataclass(frozen=True)
class Request:
    """What arrived: path, body, headers (names in lower case) and when (monotonic seconds)."""

    path: str
    body: Any
    headers: Mapping[str, str]
    arrived: float

    @property
    def text(self) -> str:
        """The last message of a chat."""
        return str(self.body["messages"][-1]["content"])


@dataclass(frozen=True)
class Answer:
    """What to do with a request: answer it, hang until the client leaves, drop the line, send half the body, or a
    byte of it now and then."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    act: Literal["answer", "hang", "drop", "half", "trickle"] = "answer"

    def encoded(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Behaviour = Callable[[Request], Answer]


def says(text: str | None, *, finish: str = "stop", tokens: Sequence[str] = (), **message: Any) -> Answer:
    """A chat completion; every one of `tokens` has the log-probability -0.5."""
    listed = [{"token": token, "logprob": -0.5, "bytes": list(token.encode()), "top_logprobs": []} for token in tokens]
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text, **message},
        "finish_reason": finish,
        "logprobs": {"content": listed} if tokens else None,
    }
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    return Answer(body={"id": "chat-1", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage})


def status(code: int, message: str = "no", **headers: str) -> Answer:
    """An error as OpenAI and vLLM word it; header names are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(code, {"error": {"message": message, "type": "error", "code": code}}, named)


def script(*answers: Answer) -> Behaviour:
    """The answers in turn; the last one again and again."""
    waiting = list(answers)
    lock = threading.Lock()

    def behave(request: Request) -> Answer:
        with lock:
            return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    return behave


def obliging(request: Request) -> Answer:
    """Does what a capable server does: binds to a schema, gives log-probabilities, and echoes otherwise."""
    text = '{"ok":true}' if "response_format" in request.body else f"you said {request.text}"
    return says(text, tokens=list(text) if request.body.get("logprobs") else ())


def card(name: str, **more: Any) -> dict[str, Any]:
    """An entry of /v1/models."""
    return {"id": name, "object": "model", "root": name, "parent": None, **more}


def tokens_of(text: str) -> list[int]:
    """The tokenizer of this server: one token a character."""
    return [ord(character) for character in text]


def likelihood(token: int) -> float:
    """The log-probability that this server gives a token, wherever it stands."""
    return -math.log(2 + token % 7)


def rendered(body: Mapping[str, Any]) -> str:
    """The chat template of this server."""
    said = "".join(f"<{message['role']}>{message['content']}" for message in body["messages"])
    return said + ("<assistant>" if body.get("add_generation_prompt", True) else "")


class Misbehaving:
    """The server. `behave` answers chats; `models` None: it does not list them; `vllm`: as vLLM does.

    It records `chats` (the requests), `answered` and `in_flight` (now) with `most_in_flight`, and every path seen.
    """

    def __init__(
        self,
        behave: Behaviour = obliging,
        models: Sequence[Mapping[str, Any]] | None = (card("m", max_model_len=512),),
        *,
        vllm: bool = False,
        key: str | None = None,
    ) -> None:
        self.behave = behave
        self.models = models
        self.vllm = vllm
        self.key = key
        self.change = threading.Condition()
        self.connections: set[socket.socket] = set()
        self._http: ThreadingHTTPServer | None = None
        self.port = 0
        self.forget()
        self.revive()

    def __enter__(self) -> Misbehaving:
        return self

    def __exit__(self, *_: object) -> None:
        self.die()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def forget(self) -> None:
        """Start counting anew."""
        with self.change:
            self.chats: list[Request] = []
            self.paths: list[str] = []
            self.answered = self.in_flight = self.most_in_flight = 0

    def revive(self) -> None:
        """Listen (again), on the same port as before."""
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                server.connections.add(self.connection)

            def finish(self) -> None:
                server.connections.discard(self.connection)
                with suppress(OSError):
                    super().finish()

            def handle(self) -> None:
                try:
                    super().handle()
                except OSError:
                    self.close_connection = True

            def do_GET(self) -> None:
                server._serve(self)

            def do_POST(self) -> None:
                server._serve(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Http(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 256

        self._http = Http(("127.0.0.1", self.port), Handler)
        self.port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def die(self) -> None:
        """Stop listening and cut every connection, as a killed process does."""
        if self._http is None:
            return
        self._http.shutdown()
        self._http.server_close()
        self._http = None
        for connection in list(self.connections):
            cut(connection)

    def until(self, true: Callable[[], bool]) -> bool:
        """Wait until the records make `true` true; False if they never do."""
        with self.change:
            return self.change.wait_for(true, LONGEST)

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        arrived = time.monotonic()
        raw = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        request = Request(handler.path.partition("?")[0], json.loads(raw or b"null"), headers, arrived)
        is_chat = request.path == "/v1/chat/completions"
        with self.change:
            self.paths.append(request.path)
            if is_chat:
                self.chats.append(request)
                self.in_flight += 1
                self.most_in_flight = max(self.most_in_flight, self.in_flight)
            self.change.notify_all()
        answer = self._answer(request)
        # Counted before the last byte leaves: the client may ask again before this thread goes on.
        if is_chat and answer.act != "hang":
            self._count()
        try:
            self._act(handler, answer)
        finally:
            if is_chat and answer.act == "hang":
                self._count()

    def _count(self) -> None:
        with self.change:
            self.in_flight -= 1
            self.answered += 1
            self.change.notify_all()

    def _answer(self, request: Request) -> Answer:
        if self.key is not None and request.headers.get("authorization") != f"Bearer {self.key}":
            return status(401, f"Incorrect API key provided: {request.headers.get('authorization')}")
        if request.path == "/v1/chat/completions":
            return self.behave(request)
        if request.path == "/v1/models" and self.models is not None:
            return Answer(body={"object": "list", "data": list(self.models)})
        if request.path == "/tokenize" and self.vllm:
            text = request.body["prompt"] if "prompt" in request.body else rendered(request.body)
            return Answer(body={"count": len(text), "max_model_len": 512, "tokens": tokens_of(text)})
        if request.path == "/v1/completions" and self.vllm:
            return self._complete(request.body)
        return status(404, "Not Found")

    def _complete(self, body: Mapping[str, Any]) -> Answer:
        """vLLM's /v1/completions over token ids: one token, the only one allowed, with its log-probability."""
        assert body["prompt"]
        assert body["max_tokens"] == 1
        (token,) = body["allowed_token_ids"]
        scores = {"tokens": [chr(token)], "token_logprobs": [likelihood(token)]}
        choice = {"index": 0, "text": chr(token), "finish_reason": "length", "logprobs": scores}
        return Answer(body={"object": "text_completion", "choices": [choice]})

    def _act(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        if answer.act == "hang":
            select.select([handler.connection], [], [], LONGEST)  # readable once the client has left
        if answer.act in ("hang", "drop"):
            handler.close_connection = True
            cut(handler.connection)
            return
        body = answer.encoded()
        handler.send_response(answer.status)
        handler.send_header("content-length", str(len(body)))
        for name, value in {"content-type": "application/json", **answer.headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        if answer.act == "trickle":
            for number in range(len(body)):
                handler.wfile.write(body[number : number + 1])
                time.sleep(0.1)
            return
        handler.wfile.write(body[: len(body) // 2] if answer.act == "half" else body)
        if answer.act == "half":
            handler.close_connection = True
            cut(handler.connection)


def cut(connection: socket.socket) -> None:
    """Close a connection from whichever thread."""
    with suppress(OSError):  # it may be gone already
        connection.shutdown(socket.SHUT_RDWR)
