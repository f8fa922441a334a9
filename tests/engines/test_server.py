"""Laws of the engine `server`, each against a real HTTP server that misbehaves."""

from __future__ import annotations

import pickle
import signal
import socket
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from emowhy.engines.lora import adapter_name
from emowhy.engines.server import ServerEngine
from emowhy.errors import EngineError, MissingError, UsageError
from emowhy.types import Chat, Message, Reply, Sampling, Usage
from misbehaving import Answer, Misbehaving, Request, card, likelihood, obliging, says, script, status

SECRET = "sk-very-secret-0123456789"
SCHEMA = {"type": "object", "properties": {"label": {"enum": ["joy"]}}}


@pytest.fixture
def server() -> Iterator[Misbehaving]:
    with Misbehaving() as server:
        yield server


def engine_at(server: Misbehaving, **options: Any) -> ServerEngine:
    """An engine in a hurry."""
    hurry = {"timeout": 5, "patience": 10, "start_patience": 0.2, "backoff": 0.02, "concurrency": 4}
    return ServerEngine(**{"base_url": server.url, **hurry, **options})


def probed(server: Misbehaving, **options: Any) -> ServerEngine:
    """An engine whose probe is over and forgotten."""
    engine = engine_at(server, **options)
    engine.probe()
    server.forget()
    return engine


def chat(text: str = "hi", schema: Any = None, **sampling: Any) -> Chat:
    return Chat((Message("user", text),), Sampling(**sampling), schema)


def ask(engine: ServerEngine, **sampling: Any) -> Reply:
    return engine.generate([chat(**sampling)])[0]


def taking(chats: list[Chat]) -> Any:
    waiting = list(chats)
    return lambda room: [waiting.pop(0) for _ in range(min(room, len(waiting)))]


def engine_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "emowhy-server"]


# Trouble that heals


@pytest.mark.parametrize(
    "wait", [{"retry_after": "0.4"}, {"retry_after_ms": "400"}, {"retry_after": "99", "retry_after_ms": "400"}]
)
def test_a_429_with_retry_after_is_honoured(server: Misbehaving, wait: dict[str, str]) -> None:
    engine = probed(server)
    first = status(429, "slow down", **wait)

    def behave(request: Request) -> Answer:
        return first if request.arrived < server.chats[0].arrived + 0.4 else says("at last")

    server.behave = behave
    assert ask(engine).text == "at last"
    assert len(server.chats) == 2


def test_a_retry_after_that_is_a_date_is_honoured(server: Misbehaving) -> None:
    engine = probed(server)
    date = int(time.time()) + 2
    server.behave = lambda request: (
        says("at last") if time.time() >= date else status(503, retry_after=formatdate(date, usegmt=True))
    )
    assert ask(engine).text == "at last"
    assert len(server.chats) == 2


def test_a_retry_after_beyond_patience_ends_the_chat_at_once(server: Misbehaving) -> None:
    engine = probed(server)
    server.behave = script(status(429, "quota", retry_after="3600"))
    reply = ask(engine)
    assert reply.finish == "error"
    assert "3600" in str(reply.error)
    assert "quota" in str(reply.error)
    assert len(server.chats) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        *[pytest.param(status(code), id=str(code)) for code in (408, 409, 425, 429, 500, 503)],
        pytest.param(Answer(act="drop"), id="dropped connection"),
        pytest.param(Answer(body=says("cut off").body, act="half"), id="half a body"),
        pytest.param(Answer(body=b"<html>busy</html>"), id="not JSON"),
        pytest.param(Answer(body=b"busy", headers={"content-type": "text/plain"}), id="plain text"),
        pytest.param(Answer(body=[1]), id="not an object"),
        pytest.param(Answer(body={"choices": []}), id="empty choices"),
        pytest.param(Answer(body={"object": "chat.completion"}), id="no choices"),
    ],
)
def test_what_can_heal_is_tried_again(server: Misbehaving, trouble: Answer) -> None:
    engine = probed(server)
    server.behave = script(trouble, trouble, says("fine"))
    reply = ask(engine)
    assert (reply.text, reply.finish, reply.error) == ("fine", "stop", None)
    assert len(server.chats) == 3


@pytest.mark.parametrize("slow", [Answer(act="hang"), Answer(body=says("slow").body, act="trickle")])
def test_a_request_past_the_timeout_is_tried_again_and_not_counted_as_seconds(
    server: Misbehaving, slow: Answer
) -> None:
    engine = probed(server, timeout=0.5)
    server.behave = script(slow, says("fine"))
    began = time.monotonic()
    reply = ask(engine)
    assert time.monotonic() - began < 3
    assert reply.text == "fine"
    assert reply.seconds < 0.5


def test_patience_ends_with_an_error_that_counts_the_attempts(server: Misbehaving) -> None:
    engine = probed(server, patience=0.5)
    server.behave = script(status(500, "CUDA out of memory"))
    reply = ask(engine)
    assert reply.finish == "error"
    assert f"HTTP 500: CUDA out of memory ({len(server.chats)} attempts over 0." in str(reply.error)


def test_a_server_that_dies_and_returns_is_waited_for(server: Misbehaving) -> None:
    engine = probed(server, patience=15)
    back = threading.Timer(0.5, server.revive)

    def behave(request: Request) -> Answer:
        if len(server.chats) < 6 or back.finished.is_set():
            return says(f"to {request.text}")
        return Answer(act="hang")  # until the server dies

    def die() -> None:
        assert server.until(lambda: server.in_flight == 4)
        server.die()
        back.start()

    server.behave = behave
    death = threading.Thread(target=die)
    death.start()
    replies = engine.generate([chat(str(number)) for number in range(20)])
    death.join()
    assert [reply.text for reply in replies] == [f"to {number}" for number in range(20)]
    assert len(server.chats) > 20  # those that it died on came again


def test_the_time_that_a_server_is_away_does_not_fail_a_chat(server: Misbehaving) -> None:
    engine = probed(server, patience=2)
    server.behave = script(Answer(act="hang"), says("fine"))
    death, birth = threading.Timer(1.5, server.die), threading.Timer(2.5, server.revive)
    death.start()
    birth.start()
    assert ask(engine).text == "fine"
    birth.join()


def test_a_server_that_is_gone_for_good_ends_the_run_not_each_row(server: Misbehaving) -> None:
    engine = probed(server, patience=1)
    server.die()
    began = time.monotonic()
    with pytest.raises(EngineError, match=r"has not answered for 1 s[\s\S]*finished rows are kept") as raised:
        engine.generate([chat() for _ in range(50)])
    assert server.url in str(raised.value)
    assert 1 <= time.monotonic() - began < 5
    assert engine_threads() == []


def test_rows_finished_before_the_server_went_are_yielded_first(server: Misbehaving) -> None:
    engine = probed(server, patience=0.5, concurrency=1)
    server.behave = script(says("one"), says("two"))
    replies = engine.stream(taking([chat() for _ in range(9)]))
    assert next(replies)[1].text == "one"
    assert server.until(lambda: server.answered == 2)
    server.behave = script(Answer(act="hang"))
    assert next(replies)[1].text == "two"
    assert server.until(lambda: server.in_flight == 1)
    server.die()
    with pytest.raises(EngineError):
        next(replies)


# Trouble that does not


@pytest.mark.parametrize("code", [400, 404, 422])
def test_a_refused_request_is_final_and_its_message_short(server: Misbehaving, code: int) -> None:
    engine = probed(server)
    server.behave = script(status(code, "what is this " + "x" * 1000), says("never"))
    reply = ask(engine)
    assert reply.finish == "error"
    assert str(reply.error).startswith(f"HTTP {code}: what is this")
    assert len(str(reply.error)) < 330
    assert len(server.chats) == 1


def test_one_refused_chat_leaves_the_others_alone(server: Misbehaving) -> None:
    engine = probed(server)
    server.behave = lambda request: status(400) if request.text == "bad" else says("fine")
    assert [r.finish for r in engine.generate([chat(), chat("bad"), chat()])] == ["stop", "error", "stop"]


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 512 tokens. However, your prompt contains 900 input tokens",
        "the request exceeds the available context size, try increasing it",
    ],
)
def test_a_chat_too_long_is_told_apart(server: Misbehaving, message: str) -> None:
    engine = probed(server)
    server.behave = script(status(400, message))
    assert str(ask(engine).error).startswith("context length: ")


def test_a_text_that_is_no_unicode_is_a_final_error_of_its_row(server: Misbehaving) -> None:
    engine = probed(server)
    assert "UTF-8" in str(engine.generate([chat("lone \ud800 surrogate")])[0].error)
    assert server.chats == []


@pytest.mark.parametrize("code", [401, 403])
def test_a_key_refused_in_mid_run_ends_the_run(server: Misbehaving, code: int) -> None:
    engine = probed(server, api_key_env="SOME_KEY")
    server.behave = script(says("fine"), status(code, "expired"))
    with pytest.raises(EngineError, match="SOME_KEY"):
        engine.generate([chat() for _ in range(9)])


@pytest.mark.parametrize("field", ["code", "type"])
@pytest.mark.parametrize("before", [0, 5])  # chats answered before: none (the probe's is refused), or some
def test_a_quota_that_is_used_up_ends_the_run_at_once(server: Misbehaving, field: str, before: int) -> None:
    spent = Answer(429, {"error": {"message": "over quota", field: "insufficient_quota"}}, {"retry-after": "5"})
    server.behave = lambda request: obliging(request) if len(server.chats) <= before else spent
    engine = engine_at(server, api_key_env="SOME_KEY", patience=60, start_patience=60)
    began = time.monotonic()
    with pytest.raises(EngineError, match=r"(?s)no quota left.*over quota.*credit.*\$SOME_KEY.*finished rows are kept"):
        engine.generate([chat() for _ in range(9)])
    assert time.monotonic() - began < 4
    assert engine_threads() == []


def test_a_chat_that_always_breaks_the_connection_fails_alone(server: Misbehaving) -> None:
    engine = probed(server, patience=0.5, concurrency=2)
    server.behave = lambda request: Answer(act="drop") if request.text == "poison" else says("fine")
    waiting = [chat(), chat("poison")]
    finishes: dict[str, str] = {}
    began = time.monotonic()
    for taken, reply in engine.stream(lambda room: [waiting.pop() for _ in waiting[:room]]):
        finishes[taken.messages[0].content] = reply.finish
        if "poison" not in finishes and time.monotonic() - began < 5:
            waiting.append(chat())  # others go on being answered meanwhile
    assert finishes == {"hi": "stop", "poison": "error"}
    assert time.monotonic() - began < 5


# The probe


def test_the_probe_finds_model_context_and_abilities(server: Misbehaving) -> None:
    engine = engine_at(server)
    engine.probe()
    engine.probe()
    assert (engine.model, engine.context_length, engine.can_bind, engine.can_logprobs) == ("m", 512, True, True)
    assert server.paths == ["/v1/models", "/v1/chat/completions"]


@pytest.mark.parametrize("refusal", [400, 422])
@pytest.mark.parametrize("binds", [True, False])
@pytest.mark.parametrize("scores", [True, False])
def test_the_probe_asks_for_less_until_it_is_served(
    server: Misbehaving, binds: bool, scores: bool, refusal: int
) -> None:
    def behave(request: Request) -> Answer:
        if ("logprobs" in request.body and not scores) or ("response_format" in request.body and not binds):
            return status(refusal, "unknown field")
        return obliging(request)

    server.behave = behave
    engine = probed(server)
    assert (engine.can_bind, engine.can_logprobs) == (binds, scores)
    engine.generate([chat(schema=SCHEMA)])
    body = server.chats[0].body
    assert (("response_format" in body), ("logprobs" in body)) == (binds, scores)


def test_what_a_server_silently_ignores_is_not_relied_on(server: Misbehaving) -> None:
    server.behave = script(says("Hello!"))
    engine = probed(server)
    assert (engine.can_bind, engine.can_logprobs) == (False, False)


def test_bind_and_logprobs_can_be_switched_by_hand(server: Misbehaving) -> None:
    server.behave = script(says("Hello!"))
    engine = probed(server, bind="on", logprobs="off")
    assert (engine.can_bind, engine.can_logprobs) == (True, False)


def test_a_missing_model_names_those_served(server: Misbehaving) -> None:
    with pytest.raises(MissingError, match=r"(?s)'qwen'.*served there: m.*emowhy serve --model qwen") as raised:
        engine_at(server, model="qwen").probe()
    assert server.url in str(raised.value)


def test_a_missing_adapter_names_what_is_served_and_how_to_serve_it(server: Misbehaving) -> None:
    server.models = [card("m"), card("sad", parent="m")]
    with pytest.raises(MissingError, match=r"(?s)'glad'.*served there: m, sad.*emowhy serve --model m --adapter glad"):
        engine_at(server, model="m", adapter="glad").probe()


def test_an_adapter_is_what_is_asked_for_and_its_parent_the_model(server: Misbehaving) -> None:
    server.models = [card("a"), card("m", max_model_len=512), card("sad", parent="m", root="/adapters/sad")]
    engine = probed(server, adapter="/adapters/sad")
    ask(engine)
    assert (engine.model, engine.adapter, engine.context_length) == ("m", "sad", 512)
    assert server.chats[0].body["model"] == "sad"


def test_an_adapter_is_found_by_the_folder_that_it_was_served_from(server: Misbehaving, tmp_path: Path) -> None:
    """`emowhy serve` names it after its content, so a folder that was tuned anew is another adapter."""
    for name, content in (("adapter_config.json", "{}"), ("adapter_model.safetensors", "weights")):
        (tmp_path / name).write_text(content)
    server.models = [card("m"), card(adapter_name(tmp_path), parent="m")]
    assert probed(server, adapter=str(tmp_path)).adapter == adapter_name(tmp_path)
    (tmp_path / "adapter_model.safetensors").write_text("other weights")
    with pytest.raises(MissingError):
        engine_at(server, adapter=str(tmp_path)).probe()


def test_the_model_is_the_first_that_is_no_adapter(server: Misbehaving) -> None:
    server.models = [card("sad", parent="m"), card("m"), card("alias", root="m")]
    assert probed(server).model == "m"


def test_more_than_one_model_asks_for_a_name(server: Misbehaving) -> None:
    server.models = [card("a"), card("b")]
    with pytest.raises(MissingError, match=r"(?s)a, b.*--model"):
        engine_at(server).probe()


def test_a_server_without_a_list_of_models_needs_a_name(server: Misbehaving) -> None:
    server.models = None
    with pytest.raises(MissingError, match="--model"):
        engine_at(server).probe()
    assert ask(probed(server, model="mine")).finish == "stop"
    assert server.chats[0].body["model"] == "mine"


def test_a_server_without_chats_is_said_to_be_one(server: Misbehaving) -> None:
    server.behave = script(status(404, "Not Found"))
    with pytest.raises(MissingError, match=r"--base-url .*/v1"):
        engine_at(server).probe()


def test_a_server_that_is_not_there_is_named_with_its_cure(server: Misbehaving) -> None:
    server.die()
    with pytest.raises(MissingError, match=r"(?s)no connection.*emowhy serve.*--base-url") as raised:
        engine_at(server).probe()
    assert server.url in str(raised.value)


def test_a_server_that_comes_up_late_is_waited_for(server: Misbehaving) -> None:
    server.die()
    late = threading.Timer(0.3, server.revive)
    late.start()
    engine_at(server, start_patience=10).probe()
    late.join()
    assert len(server.chats) == 1


@pytest.mark.parametrize("held", [None, "sk-wrong-key-123456"])
def test_a_refused_key_names_its_variable(server: Misbehaving, monkeypatch: Any, held: str | None) -> None:
    server.key = SECRET
    monkeypatch.delenv("SOME_KEY", raising=False)
    if held:
        monkeypatch.setenv("SOME_KEY", held)
    with pytest.raises(MissingError, match="SOME_KEY") as raised:
        engine_at(server, api_key_env="SOME_KEY").probe()
    assert held is None or held not in str(raised.value)


# Replies and requests


def test_a_reply_says_what_the_server_said(server: Misbehaving) -> None:
    engine = probed(server)
    server.behave = script(says('{"a":1}', finish="length", tokens=['{"a"', ":1", "}"]))
    reply = ask(engine)
    assert (reply.text, reply.finish, reply.usage) == ('{"a":1}', "length", Usage(7, 3))
    assert reply.tokens == (('{"a"', -0.5), (":1", -0.5), ("}", -0.5))
    assert 0 < reply.seconds < 5


@pytest.mark.parametrize(
    ("said", "finish"),
    [
        (says(None, refusal="I can't"), "refusal"),
        (says("", finish="content_filter"), "refusal"),
        (says("x", finish="tool_calls"), "stop"),
        (says("I can't help with that"), "stop"),
    ],
)
def test_a_refusal_is_only_what_the_api_calls_one(server: Misbehaving, said: Answer, finish: str) -> None:
    engine = probed(server)
    server.behave = script(said)
    assert ask(engine).finish == finish


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_reasoning_is_thinking_and_its_tokens_are_not_the_texts(server: Misbehaving, name: str) -> None:
    engine = probed(server)
    tokens = ["joy", "?", "</think>", "\n\n", "j", "oy", "<end>"]
    server.behave = script(says("joy", tokens=tokens, **{name: "joy?"}))
    reply = ask(engine)
    assert (reply.text, reply.thinking) == ("joy", "joy?")
    assert reply.tokens == (("j", -0.5), ("oy", -0.5))


def test_a_request_carries_what_the_chat_asks_for(server: Misbehaving) -> None:
    engine = probed(server, **{"extra_body.top_p": "0.9", "extra_body.chat_template_kwargs": '{"tone": "dry"}'})
    engine.generate([chat("hello", SCHEMA, max_tokens=9, temperature=0.5, seed=3, thinking=False)])
    assert server.chats[0].body == {
        "model": "m",
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": 9,
        "temperature": 0.5,
        "seed": 3,
        "logprobs": True,
        "response_format": {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": SCHEMA}},
        "top_p": 0.9,
        "chat_template_kwargs": {"tone": "dry", "enable_thinking": False},
    }


def test_an_unknown_option_names_the_nearest(server: Misbehaving) -> None:
    with pytest.raises(UsageError, match="patience"):
        engine_at(server, patiense=3)
    with pytest.raises(UsageError, match="timeout"):
        engine_at(server, timeout="soon")
    with pytest.raises(UsageError, match="auto"):
        engine_at(server, bind="maybe")
    with pytest.raises(UsageError, match="localhost:8000"):
        engine_at(server, base_url="localhost:8000")


# The stream


@pytest.mark.timeout(20)
@pytest.mark.parametrize("concurrency", [1, 8, 40])
def test_concurrency_is_reached_and_never_exceeded(server: Misbehaving, concurrency: int) -> None:
    engine = probed(server, concurrency=concurrency, timeout=15)
    together = threading.Barrier(concurrency)

    def behave(request: Request) -> Answer:
        together.wait(10)  # passes only when so many are in flight at once
        time.sleep(0.05)  # while one more would be seen
        return says("fine")

    server.behave = behave
    replies = engine.generate([chat() for _ in range(3 * concurrency)])
    assert {reply.text for reply in replies} == {"fine"}
    assert server.most_in_flight == concurrency
    assert len(server.chats) == 3 * concurrency


def test_replies_come_as_they_finish_with_the_very_chat_that_was_taken(server: Misbehaving) -> None:
    engine = probed(server)
    slow_may_end = threading.Event()

    def behave(request: Request) -> Answer:
        if request.text == "slow":
            slow_may_end.wait(10)
        return says(f"to {request.text}")

    server.behave = behave
    chats = [chat("slow"), *[chat("same") for _ in range(9)]]
    seen: list[Chat] = []
    for taken, reply in engine.stream(taking(chats)):
        assert reply.text == f"to {taken.messages[0].content}"
        seen.append(taken)
        if len(seen) == 9:
            slow_may_end.set()
    assert seen[-1] is chats[0]
    assert sorted(map(id, seen)) == sorted(map(id, chats))


def test_the_server_stays_busy_while_the_reader_is_slow(server: Misbehaving) -> None:
    engine = probed(server, concurrency=3)
    replies = engine.stream(taking([chat() for _ in range(12)]))
    next(replies)
    assert server.until(lambda: server.answered == 6)
    assert len(list(replies)) == 11


def test_a_chat_that_is_made_from_a_reply_is_still_taken(server: Misbehaving) -> None:
    engine = probed(server)
    waiting = [chat("first")]
    seen = []
    for taken, _ in engine.stream(lambda room: [waiting.pop()] if waiting else []):
        seen.append(taken.messages[0].content)
        if len(seen) < 3:
            waiting.append(chat(f"after {seen[-1]}"))
    assert seen == ["first", "after first", "after after first"]


def test_an_early_close_leaves_no_thread_and_nothing_in_flight(server: Misbehaving) -> None:
    engine = probed(server)
    server.behave = script(says("first"), Answer(act="hang"))
    replies = engine.stream(taking([chat() for _ in range(20)]))
    assert next(replies)[1].text == "first"
    assert server.until(lambda: server.in_flight == 4)
    replies.close()
    assert engine_threads() == []
    assert server.until(lambda: server.in_flight == 0)


def test_an_interrupt_cancels_what_is_in_flight(server: Misbehaving) -> None:
    engine = probed(server)
    main = threading.main_thread().ident
    assert main is not None

    def behave(request: Request) -> Answer:
        if len(server.chats) == 4:
            signal.pthread_kill(main, signal.SIGINT)
        return Answer(act="hang")

    server.behave = behave
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            engine.generate([chat() for _ in range(4)])
    finally:
        signal.signal(signal.SIGINT, before)
    assert engine_threads() == []
    assert server.until(lambda: server.in_flight == 0)


def test_connections_are_kept_open(server: Misbehaving) -> None:
    engine = probed(server, concurrency=2)
    seen: set[Any] = set()

    def behave(request: Request) -> Answer:
        seen.update(server.connections)
        return says("fine")

    server.behave = behave
    engine.generate([chat() for _ in range(40)])
    assert len(seen) <= 3  # two of the stream, one of the probe


# Tokens and log-probabilities of given texts


def test_tokens_are_counted_by_the_server_that_can(server: Misbehaving) -> None:
    server.vllm = True
    engine = probed(server)
    assert engine.count_tokens(chat("hello")) == len("<user>hello<assistant>")


def test_tokens_are_over_estimated_where_no_server_counts(server: Misbehaving) -> None:
    engine = probed(server)
    assert [engine.count_tokens(chat("hello")) for _ in range(3)] == [10, 10, 10]
    assert server.paths == ["/tokenize"]


def test_log_probabilities_are_summed_over_the_continuation_alone(server: Misbehaving) -> None:
    server.vllm = True
    engine = probed(server, concurrency=2)
    texts = ["joy", " anger ", "", "é", "joy"]
    found = engine.logprobs([chat(text) for text in "abcde"], texts)
    assert found == pytest.approx([sum(likelihood(ord(letter)) for letter in text) for text in texts])


def test_log_probabilities_come_token_by_token(server: Misbehaving) -> None:
    server.vllm = True
    found = probed(server).token_logprobs([chat("a"), chat("b")], ["é joy", ""])
    assert found == [[(letter, likelihood(ord(letter))) for letter in "é joy"], []]


def test_a_server_without_prompt_log_probabilities_says_so(server: Misbehaving) -> None:
    with pytest.raises(UsageError, match="transformers or vllm"):
        probed(server).logprobs([chat()], ["joy"])


# Secrets and baggage


def test_the_key_is_sent_and_never_shown(server: Misbehaving, monkeypatch: Any) -> None:
    monkeypatch.setenv("SOME_KEY", SECRET)
    server.key = SECRET
    host = server.url.removeprefix("http://")
    engine = probed(server, api_key_env="SOME_KEY", base_url=f"http://{host}?tenant=hidden-tenant")
    server.behave = lambda request: status(400, f"I saw {request.headers['authorization']}")
    shown = [repr(engine), repr(engine.identity()), repr(vars(engine)), str(ask(engine).error)]
    server.behave = lambda request: status(401, f"I saw {request.headers['authorization']}")
    with pytest.raises(EngineError) as raised:
        ask(engine)
    shown.append(repr(raised.value) + str(raised.value))
    assert all(SECRET not in text for text in shown)
    assert "I saw" in shown[-1]
    assert "I saw" in shown[-2]
    assert engine.base_url == engine.identity()["base_url"] == server.url


def test_a_password_in_the_address_is_not_shown() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, not listening: refuses
        url = f"http://me:hunter22@127.0.0.1:{nobody.getsockname()[1]}/v1?token=abcdefg"
        engine = ServerEngine(base_url=url, start_patience=0, backoff=0)
        with pytest.raises(MissingError) as raised:
            engine.probe()
    shown = str(raised.value) + repr(engine.identity())
    assert "hunter22" not in shown
    assert "abcdefg" not in shown
    assert "@" not in shown


def test_an_engine_pickles_after_use(server: Misbehaving) -> None:
    engine = probed(server)
    again = pickle.loads(pickle.dumps(engine))
    engine.close()
    assert again.identity() == engine.identity()
    assert ask(again).finish == "stop"


def test_identity_says_what_the_probe_found(server: Misbehaving) -> None:
    assert probed(server).identity() == {
        "engine": "server",
        "base_url": server.url,
        "model": "m",
        "adapter": None,
        "bind": True,
        "logprobs": True,
        "context_length": 512,
    }
