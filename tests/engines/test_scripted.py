"""Laws of the scripted engine: canned replies in their order, made replies that always fit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emowhy.engines import load_engine
from emowhy.engines.scripted import ScriptedEngine, read_script
from emowhy.errors import InputError, MissingError, UsageError
from emowhy.parse import parse, read_causes, read_emotions
from emowhy.prompt import POLICIES, Policy, build_chat, load_strategy, weigh
from emowhy.taxonomy import find_taxonomy
from emowhy.types import Chat, Clue, Message, Reply, Sample, Sampling, Turn
from test_schema import faults

STRATEGIES = ("direct", "cot", "two_stage", "three_hop", "observe", "given")
TAXONOMIES = [find_taxonomy(spec) for spec in ("goemotions", "ekman", "open", "a,b", 'hangry, quite "odd", neutral')]

words = st.text(max_size=80)
samples = st.builds(
    Sample,
    st.text(max_size=5),
    words,
    context=st.lists(st.builds(Turn, words), max_size=3).map(tuple),
    observations=st.dictionaries(st.text(min_size=1, max_size=8), st.none() | words.filter(bool), max_size=3),
) | st.builds(
    Sample,
    st.text(max_size=5),
    st.none(),
    observations=st.dictionaries(st.text(min_size=1, max_size=8), words.filter(bool), min_size=1, max_size=3),
)


def write(tmp_path: Path, *rows: Mapping[str, Any] | str) -> Path:
    path = tmp_path / "replies.jsonl"
    path.write_text(
        "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8"
    )
    return path


def chat(id: str) -> Chat:
    return Chat((Message("user", "?"),), about={"id": id})


def said(engine: ScriptedEngine, ids: Sequence[str]) -> str:
    return "".join(reply.text for reply in engine.generate([chat(id) for id in ids]))


@given(
    samples,
    st.sampled_from(STRATEGIES),
    st.sampled_from(POLICIES),
    st.sampled_from(TAXONOMIES),
    st.sampled_from([1, 77, 256, 900]),
    st.booleans(),
)
@settings(max_examples=200)
def test_a_made_reply_fits_its_schema_and_parses_strictly(
    sample: Sample, strategy: str, policy: Policy, taxonomy: Any, budget: int, noticed: bool
) -> None:
    clues = [Clue("emotion", "x", label, score=0.6, chosen=True) for label in taxonomy.labels[:2] if noticed]
    engine = ScriptedEngine()
    steps: dict[str, str] = {}
    for step in load_strategy(strategy).steps:
        made = build_chat(step, sample, weigh(clues, taxonomy, policy), sampling=Sampling(budget), steps=steps)
        (reply,) = engine.generate([made])
        assert reply.finish == "stop"
        assert reply.text
        steps[step.name] = reply.text
        if made.schema is None:
            continue
        fields = tuple(made.schema["properties"])
        parsed = parse(reply, fields, sample)
        assert (parsed.status, parsed.how) == ("ok", "strict")
        assert faults(parsed.answer, made.schema) == []
        if "emotions" in fields:
            (label,) = read_emotions(parsed.answer, taxonomy)
            assert taxonomy.is_open or label in taxonomy.labels
        read_causes(parsed.answer, sample)


@given(
    st.text(st.characters(categories=["L", "P", "Zs"]), min_size=1, max_size=80).filter(lambda text: bool(text.strip()))
)
def test_a_made_quote_is_verbatim(text: str) -> None:
    sample = Sample("a", text, context=(Turn("Before."),))
    made = build_chat(load_strategy("direct").steps[0], sample, weigh((), TAXONOMIES[0], "order"), sampling=Sampling())
    answer = parse(ScriptedEngine().generate([made])[0], ("emotions", "causes"), sample).answer
    assert [(cause.turn, cause.verified) for cause in read_causes(answer, sample)] == [(1, True)]


def test_replies_for_an_id_come_in_their_order_and_the_last_repeats(tmp_path: Path) -> None:
    file = write(tmp_path, {"id": "a", "text": "1"}, {"text": "x"}, {"id": "a", "text": "2"}, {"id": "b", "text": "9"})
    assert said(ScriptedEngine(str(file)), ["a", "b", "a", "a", "b", "a"]) == "192292"


def test_replies_for_anyone_go_round(tmp_path: Path) -> None:
    file = write(tmp_path, {"text": "x"}, "", {"text": "y"}, {"id": "a", "text": "1"}, {"text": "z"})
    assert said(ScriptedEngine(str(file)), ["q", "r", "a", "q", "q"]) == "xy1zx"


def test_an_id_that_the_file_does_not_know_is_an_error_reply_that_names_it(tmp_path: Path) -> None:
    (reply,) = ScriptedEngine(str(write(tmp_path, {"id": "a", "text": "1"}))).generate([chat("b")])
    assert reply.finish == "error"
    assert "'b'" in (reply.error or "")


def test_every_field_of_a_reply_can_be_canned(tmp_path: Path) -> None:
    row = {
        "text": "t",
        "thinking": "h",
        "finish": "length",
        "usage": {"prompt": 3},
        "tokens": [["t", -1]],
        "error": "e",
    }
    ((reply,), others) = read_script(write(tmp_path, row))[1], read_script(write(tmp_path, row))[0]
    assert (reply.text, reply.thinking, reply.finish, reply.tokens, reply.error) == (
        "t",
        "h",
        "length",
        (("t", -1.0),),
        "e",
    )
    assert (reply.usage.prompt, reply.usage.completion) == (3, 0)
    assert others == {}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        pytest.param("[1]", "object"),
        pytest.param("5", "object"),
        pytest.param('{"text": "x", "finish": 3}', "finish"),
        pytest.param('{"text": "x", "usage": {"promt": 1}}', "'promt'"),
        pytest.param('{"text": "x", "usage": 3}', "usage"),
        pytest.param('{"text": "x", "tokens": [["x"]]}', "tokens"),
        ("{not json", "line 2"),
        ('{"txt": "x"}', "'text'"),
        ('{"text": "x", "finish": "stopped"}', "'stop'"),
        ("", ""),
    ],
)
def test_a_bad_line_is_an_input_error_that_names_line_and_key(tmp_path: Path, line: str, told: str) -> None:
    file = write(tmp_path, {"text": "x"}, line, {"text": "y"})
    if not told:  # a blank line is none
        assert len(read_script(file)[1]) == 2
        return
    with pytest.raises(InputError) as caught:
        ScriptedEngine(str(file))
    assert "line 2" in str(caught.value)
    assert told in str(caught.value)


def test_a_missing_file_an_adapter_and_an_unknown_option_are_refused_with_a_cure(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="--model"):
        ScriptedEngine(str(tmp_path / "none.jsonl"))
    with pytest.raises(UsageError, match="--adapter"):
        load_engine("scripted", adapter="mine")
    with pytest.raises(UsageError, match="'speed'"):
        load_engine("scripted", speed=3)


def test_given_texts_have_no_log_probabilities_here_and_the_error_says_where_they_have() -> None:
    for ask in (ScriptedEngine().token_logprobs, ScriptedEngine().logprobs):
        with pytest.raises(UsageError, match="--engine transformers, vllm or server"):
            ask([chat("a")], ["joy"])


def test_generate_gives_a_reply_a_chat_in_their_order() -> None:
    chats = [Chat((Message("user", "?"),), about={"words": f"word{i}"}) for i in range(200)]
    replies: list[Reply] = load_engine("scripted").generate(chats)
    assert len(replies) == 200
    assert all(f"word{i}\u201d" in reply.text for i, reply in enumerate(replies))
