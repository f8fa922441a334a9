"""A real vLLM server, started by `emowhy serve` on the CPU with an adapter, used through the engine `server`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from emowhy.engines.chat_ids import chat_ids
from emowhy.engines.server import ServerEngine
from emowhy.engines.transformers import TransformersEngine
from emowhy.engines.vllm import adapter_name
from emowhy.errors import MissingError
from engines.local import chats, label_logprobs, samples
from engines.serving import Served, serve

pytestmark = pytest.mark.vllm


@pytest.fixture(scope="module")
def served(adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(adapter, tmp_path_factory.mktemp("served") / "log") as server:
        yield server


def test_the_probe_finds_the_base_model_what_it_can_do_and_its_context(served: Served) -> None:
    engine = ServerEngine(base_url=served.url)
    engine.probe()
    assert engine.identity()["model"] == "smollm2-135m"
    assert engine.can_bind
    assert engine.can_logprobs
    assert engine.context_length == 2048
    engine.close()


def test_an_adapter_that_is_not_served_is_named_with_those_that_are(served: Served, adapter: Path) -> None:
    with pytest.raises(MissingError) as caught:
        ServerEngine(base_url=served.url, adapter="other").probe()
    assert "other" in str(caught.value)
    assert adapter_name(adapter) in str(caught.value)


def test_replies_are_bound_and_the_same_kind_as_every_engines(served: Served) -> None:
    engine = ServerEngine(base_url=served.url, concurrency=4)
    for chat, reply in zip(chats(), engine.generate(chats()), strict=True):
        assert reply.finish == "stop", reply
        assert list(json.loads(reply.text)) == list((chat.schema or {})["properties"])
        assert reply.tokens is not None
        assert "".join(piece for piece, _ in reply.tokens) == reply.text
        assert reply.usage.prompt > 0
        assert reply.usage.completion > 0
    engine.close()


def test_tokens_are_counted_as_the_model_counts_them(served: Served, embedded: Path) -> None:
    from transformers import AutoTokenizer

    engine = ServerEngine(base_url=served.url)
    tokenizer = AutoTokenizer.from_pretrained(embedded)
    assert [engine.count_tokens(chat) for chat in chats()] == [len(chat_ids(tokenizer, chat)) for chat in chats()]
    engine.close()


def test_the_adapter_reaches_the_server_as_peft_applies_it(served: Served, adapter: Path) -> None:
    engine = ServerEngine(base_url=served.url, adapter=adapter_name(adapter))
    ours = label_logprobs(engine)
    base = label_logprobs(ServerEngine(base_url=served.url))
    engine.close()
    tuned = TransformersEngine(adapter=str(adapter))
    peft = label_logprobs(tuned)
    tuned.close()
    effect = max(abs(a - b) for a, b in zip(ours, base, strict=True))
    assert effect > 1.0
    assert max(abs(a - b) for a, b in zip(ours, peft, strict=True)) < effect / 4  # both round to bf16


def test_a_file_is_explained_through_the_server_and_resumed(served: Served, adapter: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    with rows.open("w") as file:
        for sample in samples():
            context = [{"speaker": turn.speaker, "text": turn.text} for turn in sample.context]
            file.write(json.dumps({"id": sample.id, "text": sample.text, "context": context}) + "\n")
    command = [sys.executable, "-m", "emowhy", "explain", str(rows), "-o", str(tmp_path / "run"), "--engine", "server"]
    command += ["--base-url", served.url, "--adapter", adapter_name(adapter), "--strategy", "direct", "--json"]
    command += ["--labels", "ekman", "--max-tokens", "96"]
    first = subprocess.run([*command, "--limit", "3"], capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    summary = json.loads(again.stdout)
    assert summary["kept"] == 3
    answers = [json.loads(line) for line in (tmp_path / "run" / "explanations.jsonl").read_text().splitlines()]
    assert [answer["id"] for answer in answers] == [sample.id for sample in samples()]
    assert all(answer["score_source"] == "engine" for answer in answers if answer["status"] == "ok")
    assert sum(answer["status"] == "ok" for answer in answers) >= len(answers) - 1
