from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from emowhy import EmowhyError, Reasoner
from emowhy.engines import load_engine
from emowhy.engines.chat_ids import chat_ids
from emowhy.engines.transformers import TransformersEngine
from emowhy.shown import show
from emowhy.types import Sample
from engines.local import TEXTS, chats, check_token_logprobs, label_logprobs, samples


@pytest.fixture(scope="module")
def engine(embedded: Path) -> Iterator[TransformersEngine]:
    made = TransformersEngine(adapter="none", batch_size=4)
    yield made
    made.close()


def test_bound_replies_are_whole_json_with_the_schemas_fields_and_labels(engine: TransformersEngine) -> None:
    for chat, reply in zip(chats(), engine.generate(chats()), strict=True):
        assert reply.finish == "stop"
        answer = json.loads(reply.text)
        assert list(answer) == list((chat.schema or {})["properties"])
        assert set(answer["emotions"]) <= {"anger", "disgust", "fear", "joy", "sadness", "surprise", "neutral"}


def test_an_engine_that_does_not_bind_leaves_the_reply_to_the_model_and_says_so(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = dataclasses.replace(chats(max_tokens=8)[0], schema={"enum": ["zyx"]})
    assert json.loads(engine.generate([odd])[0].text) == "zyx"
    assert "bind" not in engine.identity()
    monkeypatch.setattr(engine, "binds", False)
    assert "zyx" not in engine.generate([odd])[0].text
    assert engine.identity()["bind"] is False


def test_bind_is_a_switch(embedded: Path) -> None:
    with pytest.raises(EmowhyError, match="bind='offf'"):
        TransformersEngine(bind="offf")


def test_every_chat_gets_its_own_reply_whatever_the_batches(engine: TransformersEngine) -> None:
    asked = [dataclasses.replace(chat) for chat in chats(max_tokens=16) * 2]
    waiting = list(asked)
    seen = []
    for chat, reply in engine.stream(lambda room: [waiting.pop() for _ in range(min(room, 5, len(waiting)))]):
        seen.append(id(chat))
        assert reply.usage.prompt == len(chat_ids(engine.tokenizer, chat))
    assert sorted(seen) == sorted(map(id, asked))


def test_token_pieces_spell_the_reply_and_carry_log_probabilities(engine: TransformersEngine) -> None:
    for reply in engine.generate(chats()):
        assert reply.tokens is not None
        assert "".join(piece for piece, _ in reply.tokens) == reply.text
        assert all(logprob <= 0 and math.isfinite(logprob) for _, logprob in reply.tokens)


def test_the_log_probability_of_what_was_written_is_that_of_scoring_it(engine: TransformersEngine) -> None:
    chat = dataclasses.replace(chats(max_tokens=12)[0], schema=None)
    (reply,) = engine.generate([chat])
    assert reply.tokens is not None
    written = sum(logprob for _, logprob in reply.tokens)
    (scored,) = engine.logprobs([chat], [reply.text])
    assert scored == pytest.approx(written, abs=0.05 * len(reply.tokens) + 0.05)  # bf16


def test_given_texts_are_scored_token_by_token(engine: TransformersEngine) -> None:
    check_token_logprobs(engine)


def test_scores_do_not_depend_on_the_batches(engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [*TEXTS, "ok", "a rather longer text " * 8]
    asked = [chats()[i % 2] for i in range(len(texts))]
    together = engine.logprobs(asked, texts)
    alone = [engine.logprobs([chat], [text])[0] for chat, text in zip(asked, texts, strict=True)]
    assert together == pytest.approx(alone, rel=0.05)  # bf16
    monkeypatch.setattr("emowhy.engines.transformers._MOST_LOGITS", 1)
    assert engine.logprobs(asked, texts) == pytest.approx(alone, abs=1e-3)


def test_an_unbound_reply_stops_at_its_budget_and_says_so(engine: TransformersEngine) -> None:
    (reply,) = engine.generate([dataclasses.replace(chats(max_tokens=8)[0], schema=None)])
    assert reply.finish == "length"
    assert reply.usage.completion == 8


def test_a_draw_depends_on_the_rows_seed_and_not_on_its_batch(engine: TransformersEngine) -> None:
    warm = [dataclasses.replace(chat, schema=None) for chat in chats(max_tokens=12, temperature=1.0)]
    alone = engine.generate(warm[:1])[0]
    again = engine.generate(warm[:1])[0]
    other_seed = dataclasses.replace(warm[0], sampling=dataclasses.replace(warm[0].sampling, seed=99))
    assert alone.text == again.text
    assert engine.generate([other_seed])[0].text != alone.text


def test_control_tokens_in_a_sample_reach_the_model_as_ordinary_text(engine: TransformersEngine) -> None:
    special = {engine.tokenizer.convert_tokens_to_ids(token) for token in engine.control_tokens}
    text = " ".join(engine.control_tokens)
    assert special & set(engine.tokenizer(text)["input_ids"])
    assert not special & set(engine.tokenizer(show(text, engine.control_tokens))["input_ids"])


def test_an_adapter_moves_log_probabilities(engine: TransformersEngine, adapter: Path) -> None:
    base = label_logprobs(engine)
    tuned = TransformersEngine(adapter=str(adapter))
    moved = label_logprobs(tuned)
    tuned.close()
    assert max(abs(a - b) for a, b in zip(base, moved, strict=True)) > 1.0
    assert tuned.identity()["adapter_sha256"]


def test_the_whole_flow_explains_texts_with_the_embedded_model() -> None:
    reasoner = Reasoner.load(engine_options={"batch_size": 8})
    answers = reasoner.explain(samples())
    assert [answer.id for answer in answers] == [sample.id for sample in samples()]
    for sample, answer in zip(samples(), answers, strict=True):
        assert answer.status in ("ok", "truncated")
        turns = sample.turns()
        for cause in answer.causes:
            if cause.verified:
                assert cause.turn is not None
                assert turns[cause.turn].text[cause.start : cause.end] == cause.quote
    assert sum(answer.status == "ok" for answer in answers) >= len(TEXTS)
    reasoner.engine.close()


def test_under_quote_the_model_itself_writes_the_marked_words() -> None:
    words = 'The "quick" café was closed, and/or on fire: I was terrified and furious!'
    answer = Reasoner.load(hints="quote", max_tokens=96).explain(Sample("a", words))
    assert answer.causes
    said = json.loads(answer.steps[-1].raw)["causes"]
    assert sorted({cause["quote"] for cause in said}) == sorted({cause.quote for cause in answer.causes})


def test_label_scores_are_the_models_own_probabilities() -> None:
    reasoner = Reasoner.load(strategy="direct", hints="none", labels="ekman")
    answer = reasoner.explain("They cancelled my flight and nobody told us.")
    assert answer.score_source == "engine"
    assert all(emotion.score is not None and 0 < emotion.score <= 1 for emotion in answer.emotions)
    reasoner.engine.close()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"model": "no/such/model"}, "no/such/model"),
        ({"model": "./missing-folder"}, "missing-folder"),
        ({"adapter": "missing-adapter"}, "missing-adapter"),
        ({"bacth_size": 3}, "batch_size"),
    ],
)
def test_what_is_missing_is_named_with_a_cure(options: dict[str, str], named: str) -> None:
    with pytest.raises(EmowhyError) as caught:
        load_engine("transformers", **options)
    assert named in str(caught.value)
    assert caught.value.cure
