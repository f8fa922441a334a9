"""Laws of telling words from a token head, and of what every specialist makes of any text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emowhy.errors import MissingError
from emowhy.specialists import Specialist, find_clues, load_specialists
from emowhy.specialists.cue import Cue, word_places, word_scores
from emowhy.specialists.onnx import SHIPPED, OnnxModel, load_onnx
from emowhy.specialists.training.rows import cue_targets
from emowhy.specialists.words import find_parts
from emowhy.taxonomy import find_taxonomy
from emowhy.types import Clue, Sample, Turn

GO = find_taxonomy("goemotions")
ANGER = Clue("emotion", "x", "anger", score=0.9, chosen=True)
HARD = {
    "empty": "",
    "blank": " \n\t ",
    "one": "a",
    "emoji": "😭😭 👩‍👧 ❤️🤦🏽‍♂️",
    "emoji and words": "😭 I hate 👩‍👧 this ❤️",
    "control": "I\x00hate\x01\x1b[31mthis\x7f\u2028awful\u202e",
    "surrogate": "hate \ud83d awful \udc4d",
    "long": "I hate it. " * 4600,
    "one long word": "a" * 50_000,
    "marks first": "! " * 1200 + "hate",
    "blanks first": " " * 5000 + "I hate it",
    "chinese": "我今天非常生气,因为他们来了。",
    "arabic": "أنا حزين جدا اليوم",
    "capitals": "I HATE ALL OF THIS AWFUL THING",
    "special": "[CLS] [SEP] [MASK] [PAD] </s> self : other :",
    "combining": "I h\u0336a\u0336te cafe\u0301s, İ awful ﬁ",
}
PIECES = ["hate", "happy", "unbelievably", "don’t", "self-pity", "a", "😭", "\n", "-", "\x00", "e\u0301"]
texts = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=90).map(" ".join))


@pytest.fixture(scope="module")
def model(tiny_specialist: Path) -> OnnxModel:
    return load_onnx(tiny_specialist)


@pytest.fixture(scope="module")
def every(tiny_specialist: Path) -> list[Specialist]:
    trained = [f"{name}@{tiny_specialist}" for name in ("emotion", "cue", "valence", "cause", "reader")]
    return load_specialists([*trained, "occlusion", "lexicon"], GO)


def check(clues: Sequence[Clue], sample: Sample) -> None:
    """What holds for anyone's clues."""
    for clue in clues:
        assert clue.score is None or 0 <= clue.score <= 1
        assert clue.label is not None or clue.value is not None or clue.quote
        if clue.quote is not None:
            place = sample.observations[clue.observation] if clue.observation else sample.turns()[clue.turn or 0].text
            assert (place or "")[clue.start : clue.end] == clue.quote


@pytest.mark.parametrize("text", HARD.values(), ids=HARD)
def test_every_specialist_takes_every_text(every: list[Specialist], text: str) -> None:
    samples = [
        Sample("said", text),
        Sample("answer", text, "B", (Turn(text, "A"), Turn("I hate it", "B"), Turn("", "A")), (Turn(text),)),
        Sample("seen", None, observations={"face": text or "x", "voice": None, "scene": "an awful look"}),
        Sample("both", text, observations={"face": "they cry"}),
        Sample("silent", None, context=(Turn(text),), observations={"face": None}),
    ]
    for sample, clues in zip(samples, find_clues(every, samples), strict=True):
        check(clues, sample)
        if not any(map(str.isalnum, sample.words())):
            assert [clue for clue in clues if clue.source != "lexicon"] == []


@given(st.lists(texts, min_size=1, max_size=3))
@settings(max_examples=25, deadline=None)
def test_offsets_slice_back_for_every_specialist_in_any_company(every: list[Specialist], some: list[str]) -> None:
    samples = [Sample(str(i), text, context=(Turn("I hate it"),)) for i, text in enumerate([*some, "I am so angry"])]
    together = find_clues(every, samples)
    for sample, clues in zip(samples, together, strict=True):
        check(clues, sample)
        (alone,) = find_clues(every, [sample])
        ours, others = (sorted(row, key=lambda c: (c.source, c.label or "", c.start or 0)) for row in (clues, alone))
        assert [(c.label, c.turn, c.start, c.end) for c in ours] == [(c.label, c.turn, c.start, c.end) for c in others]
        assert [c.score or 0 for c in ours] == pytest.approx([c.score or 0 for c in others], abs=2e-4)
    assert find_clues(every, []) == []


@given(texts)
@settings(max_examples=60, deadline=None)
def test_a_word_scores_what_its_highest_token_scores(model: OnnxModel, text: str) -> None:
    parts = find_parts(Sample("a", text))
    offsets = model.read([text]).offsets[0]
    scores = np.random.default_rng(len(text)).random(len(offsets)).astype(np.float32)
    found = word_scores(parts, offsets, scores)
    wanted = [
        max([float(s) for s, (a, b) in zip(scores, offsets, strict=True) if a < end and b > start], default=0.0)
        for start, end in parts[0].words
    ]
    assert found == wanted


def test_words_of_several_observations_stand_where_the_joined_text_has_them() -> None:
    sample = Sample("a", None, observations={"face": "an awful look", "voice": None, "scene": "😭 they hate it"})
    parts = find_parts(sample)
    joined = sample.words()
    places = [joined[start:end] for start, end in word_places(parts)]
    assert places == ["an", "awful", "look", "they", "hate", "it"]
    assert places == [part.text[start:end] for part in parts for start, end in part.words]


@given(texts, st.sets(st.integers(0, 30)))
@settings(max_examples=60, deadline=None)
def test_targets_mark_the_tokens_of_telling_words_and_no_others(model: OnnxModel, text: str, told: set[int]) -> None:
    sample = Sample("a", text)
    (part,) = find_parts(sample)
    offsets = model.read([text]).offsets[0]
    cues = [word for k, word in enumerate(part.words) if k in told]
    found = cue_targets(sample, cues, offsets)
    assert found.shape == (len(offsets), 1)
    for value, (start, end) in zip(found[:, 0], offsets, strict=True):
        touched = [word for word in part.words if start < word[1] and end > word[0]]
        assert np.isnan(value) == (not touched)
        assert not touched or value in {float(word in cues) for word in touched}


def test_a_cue_of_several_words_marks_each_of_them(model: OnnxModel) -> None:
    sample = Sample("a", "I hate awful, things")
    found = cue_targets(sample, [(2, 12)], model.read(["I hate awful, things"]).offsets[0])[:, 0]
    # [CLS] i hate awful , things [SEP]
    assert np.array_equal(found, [np.nan, 0, 1, 1, np.nan, 0, np.nan], equal_nan=True)


def test_words_are_told_where_the_head_marks_them_and_the_likeliest_always(tiny_specialist: Path) -> None:
    text = "They cancelled it without a word, and nobody told us anything about it!"
    cue, sample = Cue(tiny_specialist), Sample("a", text)
    model = load_onnx(tiny_specialist)
    reading = model.read([text])
    odds = reading.outputs["cue"][0][:, 0]
    scores = word_scores(find_parts(sample), reading.offsets[0], (1 / (1 + np.exp(-odds))).astype(np.float32))
    (clues,) = cue.find_clues([sample], [[ANGER]])
    words = find_parts(sample)[0].words
    told = [k for k, (a, b) in enumerate(words) if any((c.start or 0) <= a and b <= (c.end or 0) for c in clues)]
    assert told == [k for k, score in enumerate(scores) if score >= 0.5]
    assert len(clues) <= 5
    assert clues[0].score == pytest.approx(max(scores), abs=1e-4)
    assert {(c.kind, c.source, c.turn, c.chosen) for c in clues} == {("cause", "cue", 0, True)}
    cue._least = 2.0  # more than any word has: one is told all the same
    (clues,) = cue.find_clues([sample], [[ANGER]])
    assert [c.score for c in clues] == pytest.approx([max(scores)], abs=1e-4)


def test_words_beyond_what_is_read_are_never_told(tiny_specialist: Path) -> None:
    assert Cue(tiny_specialist).find_clues([Sample("a", "! " * 200 + "hate")], [[ANGER]]) == [[]]


@pytest.mark.parametrize("clues", [[], [Clue("emotion", "x", "neutral", score=0.9, chosen=True)]])
def test_a_neutral_text_has_no_telling_words(tiny_specialist: Path, clues: list[Clue]) -> None:
    assert Cue(tiny_specialist).find_clues([Sample("a", "I hate it")], [clues]) == [[]]


def test_cue_reads_nothing_again_that_emotion_has_read(tiny_specialist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    specialists = load_specialists([f"{name}@{tiny_specialist}" for name in ("emotion", "cue", "valence")], GO)
    passes: list[int] = []
    run = OnnxModel.run

    def counted(self: OnnxModel, ids: Sequence[Sequence[int]]) -> object:
        passes.append(len(ids))
        return run(self, ids)

    monkeypatch.setattr(OnnxModel, "run", counted)
    samples = [Sample("a", "I hate it, 2nd"), Sample("b", "..."), Sample("c", None, observations={"face": "sad one"})]
    find_clues(specialists, samples)
    assert passes == [2]


def test_a_folder_without_the_head_is_named_with_a_cure(tiny_specialist: Path, tmp_path: Path) -> None:
    for file in tiny_specialist.iterdir():
        raw = file.read_bytes()
        (tmp_path / file.name).write_bytes(raw.replace(b'"cue"', b'"clue"') if file.name == "config.json" else raw)
    with pytest.raises(MissingError, match="no head 'cue'") as caught:
        Cue(tmp_path)
    assert str(tmp_path) in caught.value.message
    assert "emowhy" in caught.value.cure


def test_the_shipped_specialist_has_the_heads_that_are_read_from_it() -> None:
    assert {"emotion", "cue", "valence"} <= load_onnx(SHIPPED / "emotion").config["heads"].keys()
