"""Laws of the likelihood specialist, with an engine whose probabilities are known and with the embedded model."""

from __future__ import annotations

import itertools
import math
import pickle
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emowhy.engines import Engine, load_engine
from emowhy.engines.base import spell
from emowhy.errors import UsageError
from emowhy.reasoner import Reasoner
from emowhy.specialists import Specialist, find_clues, load_specialists
from emowhy.specialists.likelihood import Likelihood, find_unlikely
from emowhy.taxonomy import find_taxonomy
from emowhy.types import Chat, Clue, Sample, Turn

GO = find_taxonomy("goemotions")
LIKES = {
    "hate": ("anger", 3.0),
    "awful": ("anger", 2.0),
    "mildly": ("anger", 0.3),
    "table": ("anger", -4.0),
    "happy": ("joy", 3.0),
}


class Known(Engine):
    """Log-probability −5 for a token (a word with the white space before it), more for a word of the asked emotion."""

    name = "known"
    control_tokens = ("<|im_end|>", "a_b")

    def __init__(self, context_length: int | None = None) -> None:
        self.context_length = context_length
        self.read: list[str] = []

    def token_logprobs(self, chats: Sequence[Chat], continuations: Sequence[str]) -> list[list[tuple[str, float]]]:
        self.read += continuations
        return [[*self._score(*both)] for both in zip(chats, continuations, strict=True)]

    def _score(self, chat: Chat, text: str) -> Iterator[tuple[str, float]]:
        for token in re.findall(r"\s*\w+|\s*[^\w\s]|\s+$", text):
            emotion, gain = LIKES.get(token.strip().casefold(), ("", 0.0))
            yield token, -5.0 + gain * (emotion != "" and emotion in chat.messages[-1].content)


def emotion(label: str, chosen: bool = True, score: float = 0.5) -> Clue:
    return Clue("emotion", "x", label, score=score, chosen=chosen)


def causes(sample: Sample, *clues: Clue, engine: Engine | None = None) -> list[Clue]:
    return Likelihood(engine or Known()).find_clues([sample], [clues])[0]


def check(clues: Sequence[Clue], sample: Sample) -> None:
    """What holds for the cause clues of any sample."""
    assert len(clues) <= 5
    scores = [clue.score or 0.0 for clue in clues]
    assert scores == sorted(scores, reverse=True)
    for clue in clues:
        assert (clue.kind, clue.source, clue.chosen) == ("cause", "likelihood", True)
        assert 0.5 < (clue.score or 0.0) <= 1
        whole = sample.turns()[clue.turn].text if clue.turn is not None else sample.observations[clue.observation or ""]
        assert clue.quote
        assert (whole or "")[clue.start : clue.end] == clue.quote
    spans = sorted((str(c.turn), str(c.observation), c.start or 0, c.end or 0) for c in clues)
    assert all(a[:2] != b[:2] or a[3] <= b[2] for a, b in itertools.pairwise(spans))


STRANGE = {
    "empty": "",
    "blank": " \n\t",
    "one": "a",
    "emoji": "😭😭👩‍👧❤️",
    "emoji and words": "😭😭 I hate 👩‍👧 this ❤️",
    "control": "I\x00hate\x01\x1b[31mthis\x7f\u2028awful",
    "tokens": "<|im_end|>\n<|im_start|>user\nI hate a_b </s>[INST] awful",
    "surrogate": "hate \ud83d awful \udc00",
    "long": "I hate it. " * 4600,
    "one long word": "a" * 50_000,
    "wide": "😭" * 50_000 + " hate",
    "chinese": "我今天非常生气,因为他们来了。" * 3,
    "arabic": "أنا حزين جدا اليوم",
    "combining": "I h\u0336a\u0336te cafe\u0301s, awful",
}


def strange_samples(text: str) -> list[Sample]:
    return [
        Sample("said", text, context=(Turn("I hate it"),)),
        Sample("seen", None, observations={"face": text or "x", "voice": None, "scene": "awful"}),
    ]


@given(
    st.one_of(
        st.text(max_size=80),
        st.lists(st.sampled_from([*LIKES, "a", "😭", "\n", "’", "-", "\x00", "a_b", "<|im_end|>"]), max_size=25).map(
            " ".join
        ),
    )
)
@settings(deadline=None)
def test_offsets_slice_back_for_any_text(text: str) -> None:
    for sample in strange_samples(text):
        check(causes(sample, emotion("anger"), emotion("joy")), sample)


@pytest.mark.parametrize("text", STRANGE.values(), ids=STRANGE)
def test_no_text_is_too_strange(text: str) -> None:
    for sample in strange_samples(text):
        check(causes(sample, emotion("anger")), sample)


def test_spans_that_the_emotion_makes_likelier_are_told_the_likeliest_first() -> None:
    found = causes(Sample("a", "A table I\x00hate,\nan awful table. I hate it so. Mildly."), emotion("anger"))
    assert [clue.quote for clue in found] == ["hate", "hate", "awful"]
    # by hand: three nats, or two, under anger and none under the others
    assert [clue.score for clue in found] == pytest.approx([1 / (1 + math.exp(-x)) for x in (3, 3, 2)], abs=1e-4)
    assert [clue.start for clue in found] == [10, 34, 19]


def test_a_span_reaches_over_words_that_say_nothing_but_not_over_the_end_of_a_sentence() -> None:
    (joined,) = causes(Sample("a", "so I hate this awful"), emotion("anger"))
    assert joined.quote == "hate this awful"
    assert joined.score == pytest.approx(1 / (1 + math.exp(-5)), abs=1e-4)
    apart = causes(Sample("a", "so I hate this. awful"), emotion("anger"))
    assert [clue.quote for clue in apart] == ["hate", "awful"]


def test_words_of_another_emotion_and_of_none_are_not_told() -> None:
    assert [clue.quote for clue in causes(Sample("a", "I hate being happy"), emotion("anger"))] == ["hate"]
    assert causes(Sample("a", "nothing of that kind"), emotion("anger")) == []


@pytest.mark.parametrize("text", ["<|im_end|> I hate it", "a_b hate a_b", "\n\n  hate \x00\x01 <|im_end|>"])
def test_control_tokens_are_broken_up_and_offsets_are_of_the_raw_text(text: str) -> None:
    engine = Known()
    (found,) = causes(Sample("a", text), emotion("anger"), engine=engine)
    assert (found.quote, found.start) == ("hate", text.index("hate"))
    assert not any(token in read for token in engine.control_tokens for read in engine.read)


def test_observations_are_searched_where_nothing_is_said_and_only_there() -> None:
    silent = Sample("a", None, observations={"face": "an awful look", "voice": None, "scene": "they hate it"})
    found = causes(silent, emotion("anger"))
    assert {(clue.observation, clue.quote, clue.turn) for clue in found} == {
        ("face", "awful", None),
        ("scene", "hate", None),
    }
    spoken = Sample("a", "I hate it", observations={"face": "an awful look"})
    assert [clue.quote for clue in causes(spoken, emotion("anger"))] == ["hate"]


@pytest.mark.parametrize("clues", [[], [emotion("neutral")], [Clue("valence", "x", value=-0.5)]])
def test_a_neutral_finding_or_none_has_no_cause_and_asks_nothing(clues: list[Clue]) -> None:
    engine = Known()
    asked = len(engine.read)
    specialist = Likelihood(engine)
    assert specialist.find_clues([Sample("a", "I hate this")], [clues]) == [[]]
    assert len(engine.read) == asked + 1  # the question whether it can


def test_company_changes_nothing() -> None:
    samples = [Sample(str(i), text) for i, text in enumerate(t for t in STRANGE.values() if len(t) < 100)]
    specialist = Likelihood(Known())
    known = [[emotion("anger")] for _ in samples]
    alone = [specialist.find_clues([s], [k])[0] for s, k in zip(samples, known, strict=True)]
    assert specialist.find_clues(samples, known) == alone
    assert specialist.find_clues([], []) == []


@pytest.mark.parametrize("length", [None, 512, 64, 8])
def test_no_text_is_longer_than_the_model_has_room_for(length: int | None) -> None:
    engine = Known(length)
    for text in STRANGE.values():
        causes(Sample("a", text), emotion("anger"), engine=engine)
    assert max(len(read.encode()) for read in engine.read) <= (length or 1024)


@given(
    st.lists(st.sampled_from(GO.labels), min_size=1, max_size=2, unique=True),
    st.dictionaries(st.sampled_from(GO.labels), st.floats(0, 1), max_size=8),
)
def test_unlikely_emotions_are_of_other_branches_and_the_least_likely_of_them(
    likely: list[str], scores: Mapping[str, float]
) -> None:
    from emowhy.taxonomy import place

    found = find_unlikely(likely, [emotion(label, score=score) for label, score in scores.items()])
    assert len(found) == len(set(found)) == 3
    branches = {spot.primary for label in likely if (spot := place(label))}
    assert not branches & set(found)


# Engines


@pytest.mark.parametrize(
    ("text", "tokens", "pieces"),
    [
        ("Oh no!", ["Oh", " no", "!"], ["Oh", " no", "!"]),
        ("a 😭 b", ["a", " \ufffd", "\ufffd", "\ufffd", " b"], ["a", " ", "", "😭", " b"]),
        (" hello there", ["hello", "there"], [" hello", " there"]),
        ("cafe\u0301 now", ["caf", "é", " now"], ["caf", "e\u0301", " now"]),
        ("x", ["token_id:5"], ["x"]),
        ("", [], []),
    ],
)
def test_tokens_are_spelt_as_pieces_of_the_text(text: str, tokens: list[str], pieces: list[str]) -> None:
    assert [piece for piece, _ in spell(text, [(token, 0.0) for token in tokens])] == pieces


@given(st.text(max_size=40), st.lists(st.text(max_size=5), min_size=1, max_size=12))
def test_pieces_always_make_up_the_text(text: str, tokens: list[str]) -> None:
    pieces = spell(text, [(token, -1.0) for token in tokens])
    assert len(pieces) == len(tokens)
    assert "".join(piece for piece, _ in pieces) == text


class Summing(Engine):
    """An engine that gives sums alone."""

    name = "summing"

    def logprobs(self, chats: Sequence[Chat], continuations: Sequence[str]) -> list[float]:
        return [-1.0 for _ in chats]


@pytest.mark.parametrize("engine", [load_engine("scripted"), Summing()])
def test_an_engine_that_cannot_score_texts_says_so_when_the_specialist_is_loaded(engine: Engine) -> None:
    with pytest.raises(UsageError, match="no log-probabilities") as caught:
        load_specialists(["likelihood"], GO, engine)
    assert "--engine transformers" in caught.value.cure


def test_without_an_engine_the_error_says_what_to_type() -> None:
    with pytest.raises(UsageError, match="no engine") as caught:
        load_specialists(["likelihood"], GO)
    assert "load_engine" in caught.value.cure


def test_no_engine_is_made_for_specialists_that_want_none() -> None:
    def never() -> Engine:
        raise AssertionError("it was made")

    assert [s.name for s in load_specialists(["occlusion"], GO, never)] == ["emotion", "occlusion"]


# The embedded model

PLANTED = {
    "fear": ("All night we talked about the {} and the {}.", ("monster", "killer", "nightmare")),
    "joy": ("In the morning there was a {} and a {}.", ("party", "birthday", "celebration")),
    "sadness": ("That week was about the {} and the {}.", ("funeral", "tears", "coffin")),
    "anger": ("She told them about the {} and the {}.", ("insult", "betrayal", "liar")),
    "disgust": ("On the floor we saw the {} and the {}.", ("vomit", "maggots", "filth")),
}
PLAIN = ("chair", "number", "table")


@pytest.fixture(scope="module")
def reasoner(embedded: Path) -> Iterator[Reasoner]:
    made = Reasoner.load(specialists=["emotion", "likelihood"], max_tokens=24, engine_options={"batch_size": 8})
    yield made
    made.engine.close()


@pytest.fixture(scope="module")
def specialist(reasoner: Reasoner) -> Specialist:
    return reasoner.specialists[-1]


def test_a_word_planted_under_its_emotion_outranks_a_plain_one(specialist: Specialist) -> None:
    samples: list[Sample] = []
    known: list[list[Clue]] = []
    planted: list[tuple[str, str]] = []
    for label, (frame, words) in PLANTED.items():
        for word, plain in zip(words, PLAIN, strict=True):
            pair = (word, plain) if len(samples) % 2 else (plain, word)
            samples.append(Sample(str(len(samples)), frame.format(*pair)))
            known.append([emotion(label)])
            planted.append((word, plain))
    told = [" ".join(c.quote or "" for c in clues) for clues in specialist.find_clues(samples, known)]
    right = sum(word in quotes for quotes, (word, _) in zip(told, planted, strict=True))
    wrong = sum(plain in quotes for quotes, (_, plain) in zip(told, planted, strict=True))
    assert right > len(samples) * 0.7
    assert wrong < right / 2


def test_no_text_is_too_strange_for_the_embedded_model(specialist: Specialist) -> None:
    samples = [sample for text in STRANGE.values() for sample in strange_samples(text)]
    for sample, found in zip(samples, specialist.find_clues(samples, [[emotion("anger")]] * len(samples)), strict=True):
        check(found, sample)


def test_the_whole_flow_has_its_clues_and_its_identity(reasoner: Reasoner) -> None:
    sample = Sample("a", "I was furious: they cancelled the flight and nobody told us.")
    assert [one["name"] for one in reasoner.identity()["specialists"]] == ["emotion", "likelihood"]
    assert reasoner.identity()["specialists"][-1]["version"]
    (clues,) = find_clues(reasoner.specialists, [sample])
    check([clue for clue in clues if clue.kind == "cause"], sample)
    answer = reasoner.explain(sample)
    assert {clue.source for clue in answer.clues} >= {"emotion", "likelihood"}


def test_a_reasoner_with_it_pickles_as_names(reasoner: Reasoner) -> None:
    again = pickle.loads(pickle.dumps(reasoner))
    assert again.identity() == reasoner.identity()
    assert again.specialists[-1].engine is again.engine
    again.engine.close()
