"""A real vLLM in this process, on the CPU, with a LoRA adapter made a moment ago."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import cast

import pytest

from emowhy.engines.transformers import TransformersEngine
from emowhy.engines.vllm import VllmEngine
from emowhy.errors import UsageError
from emowhy.prompt import load_strategy
from emowhy.reasoner import Reasoner
from emowhy.taxonomy import find_taxonomy
from emowhy.types import Chat, Reply, Sampling
from engines.local import chats, check_token_logprobs, label_logprobs, samples

pytestmark = pytest.mark.vllm


@pytest.fixture(scope="module")
def engine(adapter: Path) -> Iterator[VllmEngine]:
    made = VllmEngine(adapter=str(adapter), max_model_len=2048, max_num_seqs=8, enforce_eager=True)
    yield made
    made.close()


def test_bound_replies_are_whole_json_with_the_schemas_fields(engine: VllmEngine) -> None:
    for chat, reply in zip(chats(), engine.generate(chats()), strict=True):
        assert reply.finish == "stop", reply
        assert list(json.loads(reply.text)) == list((chat.schema or {})["properties"])
        assert "\n" not in reply.text


def test_pieces_spell_the_reply_and_usage_counts_them(engine: VllmEngine) -> None:
    for reply in engine.generate(chats()):
        assert reply.tokens is not None
        assert "".join(piece for piece, _ in reply.tokens).startswith(reply.text)
        assert reply.usage.completion >= len(reply.tokens) - 1
        assert reply.usage.prompt > 0


def test_replies_stream_out_while_others_are_still_being_written(engine: VllmEngine) -> None:
    short = dataclasses.replace(chats(max_tokens=8)[0], schema=None)
    many = {"type": "array", "minItems": 20, "maxItems": 20, "items": {"enum": ["joy", "anger"]}}
    long = dataclasses.replace(chats(max_tokens=400)[1], schema=many)  # bound to be long
    follow_up = dataclasses.replace(chats(max_tokens=8)[2], schema=None)
    waiting, order = [long, short], []

    def take(room: int) -> list[Chat]:
        taken, waiting[:] = waiting[:room], waiting[room:]
        return taken

    for chat, _ in engine.stream(take):
        order.append(chat)
        if chat is short:
            waiting.append(follow_up)  # what a reply leads to joins the batch that is running
    assert [id(chat) for chat in order] == [id(short), id(follow_up), id(long)]


def test_an_abandoned_stream_leaves_nothing_behind(engine: VllmEngine) -> None:
    waiting = chats(max_tokens=200)
    stream = engine.stream(lambda room: [waiting.pop() for _ in range(min(room, len(waiting)))])
    with contextlib.closing(cast(Generator[tuple[Chat, Reply]], stream)):
        assert next(stream)[1].finish in ("stop", "length")
    assert not engine._engine.has_unfinished_requests()


def test_a_chat_that_is_too_long_is_an_error_reply_and_the_others_go_on(engine: VllmEngine) -> None:
    good = chats(max_tokens=8)[0]
    message = dataclasses.replace(good.messages[1], content="word " * 5000)
    long = dataclasses.replace(good, messages=(good.messages[0], message))
    replies = engine.generate([long, good])
    assert replies[0].finish == "error"
    assert replies[0].error
    assert replies[1].finish in ("stop", "length")


def test_the_adapter_reaches_vllm_as_peft_applies_it(engine: VllmEngine, adapter: Path) -> None:
    ours = label_logprobs(engine)
    plain, tuned = TransformersEngine(adapter="none"), TransformersEngine(adapter=str(adapter))
    without, peft = label_logprobs(plain), label_logprobs(tuned)
    effect = max(abs(a - b) for a, b in zip(peft, without, strict=True))
    difference = max(abs(a - b) for a, b in zip(ours, peft, strict=True))
    assert effect > 1.0
    assert difference < effect / 4  # both round to bf16, in different orders
    plain.close()
    tuned.close()


def test_given_texts_are_scored_token_by_token(engine: VllmEngine) -> None:
    check_token_logprobs(engine)


def test_texts_that_begin_alike_are_scored_as_each_alone(engine: VllmEngine) -> None:
    first, second = chats()[:2]
    asked = [first, first, second, first, first]
    texts = ["They cancelled it.", "They cancelled", "They cancelled it.", "They", "They cancelled it."]
    together = engine.token_logprobs(asked, texts)
    for chat, text, pieces in zip(asked, texts, together, strict=True):
        alone = engine.token_logprobs([chat], [text])[0]
        assert [piece for piece, _ in pieces] == [piece for piece, _ in alone]
        assert [score for _, score in pieces] == pytest.approx([score for _, score in alone], rel=0.05, abs=0.1)
    assert together[0] != together[2]  # another chat


def test_texts_scored_in_the_middle_of_a_stream_leave_it_whole(engine: VllmEngine) -> None:
    waiting = [dataclasses.replace(chat, schema=None) for chat in chats(max_tokens=8)]
    asked = list(waiting)

    def take(room: int) -> list[Chat]:
        if len(waiting) < len(asked):
            assert len(engine.token_logprobs(asked[:1], ["They cancelled my flight."])[0]) > 3
        return [waiting.pop() for _ in range(min(room, 2, len(waiting)))]

    replies = list(engine.stream(take))
    assert sorted(id(chat) for chat, _ in replies) == sorted(map(id, asked))
    assert all(reply.finish in ("stop", "length") for _, reply in replies)


def test_the_whole_flow_runs_on_it(engine: VllmEngine) -> None:
    reasoner = Reasoner(
        engine, load_strategy("three_hop"), find_taxonomy("ekman"), hints="none", sampling=Sampling(max_tokens=64)
    )
    answers = reasoner.explain(samples())
    assert [len(answer.steps) >= 4 for answer in answers] == [True] * len(answers)
    assert sum(answer.status == "ok" for answer in answers) >= len(answers) - 1
    assert all(answer.score_source == "engine" for answer in answers if answer.status == "ok")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"use_dora": True}, "DoRA"),
        ({"bias": "all"}, "bias"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"r": 600}, "600"),
    ],
)
def test_an_adapter_that_vllm_cannot_serve_is_refused_before_it_starts(
    change: dict[str, object], named: str, adapter: Path, tmp_path: Path
) -> None:
    config = json.loads((adapter / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(UsageError, match=named):
        VllmEngine(adapter=str(tmp_path))
