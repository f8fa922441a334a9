"""Laws of cause spans: how a dialogue is framed, how spans are read from logits, and what is told."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emowhy.specialists import load_specialists
from emowhy.specialists.cause import (
    EMOTIONS,
    FIRST,
    INSIDE,
    LAST,
    TURN,
    UNKNOWN,
    CauseSpans,
    Frame,
    emotion_weights,
    frame,
    name_emotion,
    read_spans,
)
from emowhy.specialists.cause import Turn as FramedTurn
from emowhy.specialists.onnx import OnnxModel, load_onnx
from emowhy.specialists.training.rows import cause_targets
from emowhy.taxonomy import find_taxonomy
from emowhy.types import Cause, Clue, Gold, Sample, Turn

GO = find_taxonomy("goemotions")
PIECES = ["I", "won", "the", "race", "unbelievably", "don’t", "😭", "\n", "-", "\x00", "ß", "e\u0301", "\ud83d", "."]
texts = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join))
turns = st.builds(Turn, texts, st.sampled_from(["A", "B", None]))
samples = st.builds(
    Sample,
    st.just("a"),
    st.none() | texts,
    st.sampled_from(["A", "B", None]),
    st.lists(turns, max_size=6).map(tuple),
    st.lists(turns, max_size=2).map(tuple),
)
RACE = Sample("a", "So happy today!", "A", (Turn("I won the race", "A"), Turn("Oh, really?", "B")))


@pytest.fixture(scope="module")
def model(tiny_specialist: Path) -> OnnxModel:
    return load_onnx(tiny_specialist)


def check(framed: Frame, sample: Sample, model: OnnxModel, room: int) -> None:
    """What holds for every frame."""
    tokenizer = model.tokenizer
    assert len(framed.ids) <= room
    assert framed.ids[0] == tokenizer.token_to_id("[CLS]")
    assert framed.ids[-1] == tokenizer.token_to_id("[SEP]")
    numbers = [turn.number for turn in framed.turns]
    assert numbers == list(range(sample.target, sample.target - len(numbers), -1))  # the target, then the nearest
    for turn in framed.turns:
        whole = sample.turns()[turn.number].text if turn.number in sample.turns() else ""
        clean = whole.encode("utf-8", "replace").decode()
        fresh = tokenizer.encode(clean[: room * 20], add_special_tokens=False)
        count = len(turn.offsets)
        own = fresh.offsets[:count]  # of word pieces; a turn keeps the place of the whole word
        assert all(a <= c < d <= b for (a, b), (c, d) in zip(turn.offsets, own, strict=True))
        assert framed.ids[turn.first : turn.first + count] == fresh.ids[:count]
        assert all(0 <= a < b <= len(whole) for a, b in turn.offsets)
        assert framed.ids[turn.first + count] == tokenizer.token_to_id("[SEP]")


@given(samples, st.sampled_from([*EMOTIONS, UNKNOWN]), st.integers(32, 64))
@settings(max_examples=80, deadline=None)
def test_a_frame_holds_the_target_first_fits_and_its_offsets_slice_back(
    model: OnnxModel, sample: Sample, emotion: str, room: int
) -> None:
    framed = frame(sample, emotion, model.tokenizer, room)
    check(framed, sample, model, room)
    assert framed.turns


def test_a_frame_by_hand(model: OnnxModel) -> None:
    framed = frame(RACE, "happiness", model.tokenizer, 64)
    tokens = [model.tokenizer.id_to_token(i) for i in framed.ids]
    said = "[CLS] happiness [SEP] self : so happy today ! [SEP] other : oh , really ? [SEP] self : i won the race [SEP]"
    assert tokens == said.split()
    assert [(turn.number, tokens[turn.speaker], tokens[turn.first]) for turn in framed.turns] == [
        (2, "self", "so"),
        (1, "other", "oh"),
        (0, "self", "i"),
    ]
    assert framed.turns[2].offsets == ((0, 1), (2, 5), (6, 9), (10, 14))


@pytest.mark.parametrize("text", [None, "", "😭", "a", "I cannot believe it. " * 2500, "x" * 50_000])
def test_two_hundred_turns_keep_the_target_and_the_nearest(model: OnnxModel, text: str | None) -> None:
    sample = Sample("a", text, "A", tuple(Turn(f"turn number {i}", "AB"[i % 2]) for i in range(200)))
    framed = frame(sample, UNKNOWN, model.tokenizer, 128)
    check(framed, sample, model, 128)
    assert 2 <= len(framed.turns) < 30  # a long target leaves a quarter to the context


def test_a_target_without_context_stands_alone_and_one_that_is_not_said_has_no_words(model: OnnxModel) -> None:
    assert [turn.number for turn in frame(Sample("a", "I won"), "anger", model.tokenizer, 64).turns] == [0]
    seen = Sample("a", None, context=(Turn("I won"),), observations={"face": "a smile"})
    framed = frame(seen, "anger", model.tokenizer, 64)
    assert [(turn.number, len(turn.offsets)) for turn in framed.turns] == [(1, 0), (0, 2)]


def test_even_a_long_name_of_an_emotion_leaves_a_frame_that_fits(model: OnnxModel) -> None:
    framed = frame(RACE, "so very sad " * 7, model.tokenizer, 32)
    check(framed, RACE, model, 32)


@given(st.integers(0, 2**31), st.integers(1, 9))
@settings(deadline=None)
def test_spans_are_those_of_a_search_through_all(seed: int, size: int) -> None:
    random = np.random.default_rng(seed)
    logits = random.normal(0, 3, (size + 5, 4)).astype(np.float32)
    offsets = tuple((3 * k, 3 * k + 2) for k in range(size))
    framed = Frame([0] * len(logits), (FramedTurn(7, 1, 3, offsets), FramedTurn(6, size + 3, size + 4, ())))
    (found,) = read_spans(framed, logits)  # a turn without words has no span
    part = logits[3 : 3 + size].astype(float)

    chances = 1 / (1 + np.exp(-part[:, INSIDE]))

    def worth(a: int, b: int) -> float:
        f1 = 2 * chances[a : b + 1].sum() / (b + 1 - a + chances.sum())  # what the span's token F1 should be
        return float(part[a, FIRST] + part[b, LAST] + 2 * np.log(f1))

    best = max(((a, b) for a in range(size) for b in range(a, size)), key=lambda ab: worth(*ab))
    a, b = found.start // 3, found.end // 3
    assert worth(a, b) == pytest.approx(worth(*best))
    assert (found.turn, found.start, found.end) == (7, 3 * a, 3 * b + 2)
    odds = (float(logits[1, TURN]) + part[:, INSIDE].max()) / 2
    assert found.score == pytest.approx(1 / (1 + np.exp(-odds)))


@given(samples, st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_what_targets_mark_is_read_back(model: OnnxModel, sample: Sample, seed: int) -> None:
    framed = frame(sample, UNKNOWN, model.tokenizer, 64)
    random = np.random.default_rng(seed)
    wanted: dict[int, tuple[int, int]] = {}
    for turn in framed.turns:
        if turn.offsets and random.random() < 0.5:
            a, b = sorted(random.integers(0, len(turn.offsets), 2).tolist())
            wanted[turn.number] = turn.offsets[a][0], turn.offsets[b][1]
    causes = tuple(Cause("x", turn, None, a, b, True) for turn, (a, b) in wanted.items())
    unverified = (Cause("not there", framed.turns[0].number),)
    gold = Gold(causes=(*causes, *unverified))
    found = cause_targets(Sample("a", sample.text, context=sample.context, gold=gold), framed)
    known = ~np.isnan(found)
    assert known[:, TURN].sum() == len(framed.turns)
    assert {t.number for t in framed.turns if found[t.speaker, TURN] == 1} == set(wanted)
    words = [t for turn in framed.turns for t in range(turn.first, turn.first + len(turn.offsets))]
    for column in (INSIDE, FIRST, LAST):
        assert np.flatnonzero(known[:, column]).tolist() == sorted(words)
    read = {span.turn: (span.start, span.end) for span in read_spans(framed, np.nan_to_num(found) * 18 - 9)}
    assert {turn: read[turn] for turn in wanted} == wanted


def test_targets_by_hand(model: OnnxModel) -> None:
    gold = Gold(causes=(Cause("won the", 0, None, 2, 9, True), Cause("later", 3, None, 0, 5, True)))
    sample = Sample("a", RACE.text, "A", RACE.context, gold=gold)
    framed = frame(sample, "happiness", model.tokenizer, 64)
    found = cause_targets(sample, framed)
    last = framed.turns[2]
    tokens = slice(last.first, last.first + 4)  # i won the race
    assert found[tokens, INSIDE].tolist() == [0, 1, 1, 0]
    assert found[tokens, FIRST].tolist() == [0, 1, 0, 0]
    assert found[tokens, LAST].tolist() == [0, 0, 1, 0]
    assert [found[turn.speaker, TURN] for turn in framed.turns] == [0, 0, 1]
    assert np.isnan(found[:3]).all()


def test_emotions_are_weighed_by_the_labels_that_mean_them() -> None:
    clues = [
        Clue("emotion", "x", "joy", score=0.3),
        Clue("emotion", "x", "excitement", score=0.4),
        Clue("emotion", "x", "anger", score=0.6),
        Clue("emotion", "x", "no such label", score=1.0),
        Clue("cause", "x", "fear", score=1.0),
    ]
    weights = dict(zip(EMOTIONS, emotion_weights(clues, GO), strict=True))
    assert weights == pytest.approx({**dict.fromkeys(EMOTIONS, 0.0), "happiness": 0.7, "anger": 0.6})
    assert name_emotion(list(weights.values()), [1.0] * 6) == "happiness"
    assert name_emotion(list(weights.values()), [0.5, 1, 1, 1, 1, 1]) == "anger"
    assert name_emotion([0.0] * 6, [1.0] * 6) == UNKNOWN


@given(st.lists(samples, min_size=1, max_size=3))
@settings(max_examples=30, deadline=None)
def test_clues_are_verbatim_one_a_turn_likeliest_first_none_after_the_target(
    tiny_specialist: Path, some: list[Sample]
) -> None:
    specialist = CauseSpans(GO, tiny_specialist)
    for sample, clues in zip(some, specialist.find_clues(some, [()] * len(some)), strict=True):
        assert len({clue.turn for clue in clues}) == len(clues) <= 5
        assert all(a.score >= b.score for a, b in itertools.pairwise(clues) if a.score and b.score)
        for clue in clues:
            assert (clue.kind, clue.source, clue.chosen) == ("cause", "cause", True)
            assert 0.3 - 1e-4 <= (clue.score or 0) <= 1  # the tiny specialist's threshold
            assert (clue.turn or 0) <= sample.target
            assert clue.quote
            assert sample.turns()[clue.turn or 0].text[clue.start : clue.end] == clue.quote


def test_neither_order_nor_company_changes_spans(tiny_specialist: Path) -> None:
    (_, specialist) = load_specialists([f"emotion@{tiny_specialist}", f"cause@{tiny_specialist}"], GO)
    assert isinstance(specialist, CauseSpans)
    some = [RACE, Sample("b", "I lost it"), Sample("c", "no " * 90, "B", RACE.context)] * 12
    labels = ["happiness", "anger", UNKNOWN] * 12
    together = specialist.spans(some, labels)
    for sample, label, spans in zip(some[:3], labels, together, strict=False):
        (alone,) = specialist.spans([sample], [label])
        assert [(s.turn, s.start, s.end) for s in alone] == [(s.turn, s.start, s.end) for s in spans]
        assert [s.score for s in alone] == pytest.approx([s.score for s in spans], abs=1e-4)
    assert specialist.spans([], []) == []
