"""Laws of occlusion, with a classifier whose probabilities are known and with the shipped one."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emowhy.specialists import Classifier, find_clues, load_specialists
from emowhy.specialists.occlusion import Occlusion
from emowhy.taxonomy import Taxonomy, find_taxonomy
from emowhy.types import Clue, Sample, Turn

GO = find_taxonomy("goemotions")
SHIPPED = load_specialists(["occlusion"], GO)
WEIGHTS = {
    "hate": ("anger", 0.4),
    "awful": ("anger", 0.3),
    "mildly": ("anger", 0.06),
    "happy": ("joy", 0.5),
    "table": ("neutral", 0.5),
}


class Lexicon(Classifier):
    """A label's probability is the sum of what its words weigh; counts the texts that it reads."""

    name = "lexicon"

    def __init__(self, taxonomy: Taxonomy = GO) -> None:
        super().__init__(taxonomy)
        self.longest = self.read = 0

    def probabilities(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        found = np.zeros((len(texts), len(self.taxonomy.labels)), dtype=np.float32)
        self.read += len(texts)
        self.longest = max([self.longest, *map(len, texts)])
        for row, text in zip(found, texts, strict=True):
            for word in re.findall(r"\w+", text.casefold()):
                label, weight = WEIGHTS.get(word, ("anger", 0.0))
                row[self.taxonomy.labels.index(label)] += weight
        return np.clip(found, 0, 1)


def causes(sample: Sample, clues: Sequence[Clue] | None = None) -> list[Clue]:
    classifier = Lexicon()
    known = classifier.find_clues([sample], [()])[0] if clues is None else clues
    return Occlusion(classifier).find_clues([sample], [known])[0]


def emotion(label: str, chosen: bool = True, score: float = 0.5) -> Clue:
    return Clue("emotion", "x", label, score=score, chosen=chosen)


def place_of(clue: Clue, sample: Sample) -> str:
    if clue.turn is not None:
        return sample.turns()[clue.turn].text
    return sample.observations[clue.observation or ""] or ""


def check(clues: Sequence[Clue], sample: Sample) -> None:
    """What holds for the cause clues of any sample."""
    assert len(clues) <= 5
    scores = [clue.score or 0.0 for clue in clues]
    assert scores == sorted(scores, reverse=True)
    for clue in clues:
        assert (clue.kind, clue.source, clue.chosen) == ("cause", "occlusion", True)
        assert 0 < (clue.score or 0.0) <= 1
        assert clue.quote
        assert place_of(clue, sample)[clue.start : clue.end] == clue.quote
    spans = sorted((str(c.turn), str(c.observation), c.start or 0, c.end or 0) for c in clues)
    assert all(a[:2] != b[:2] or a[3] <= b[2] for a, b in itertools.pairwise(spans))


LONG = {
    "empty": "",
    "one": "a",
    "emoji": "😭😭 I hate 👩‍👧 this ❤️",
    "control": "I\x00hate\x01\x1b[31mthis\x7f\u2028awful",
    "surrogate": "hate \ud83d awful",
    "long": "I hate it. " * 4600,
    "one long word": "a" * 50_000,
    "long words": ("b" * 3000 + " hate ") * 15,
    "chinese": "我今天非常生气,因为他们来了。",
    "arabic": "أنا حزين جدا اليوم",
    "capitals": "I HATE ALL OF THIS AWFUL THING",
    "combining": "I h\u0336a\u0336te cafe\u0301s, awful",
}


@given(
    st.one_of(
        st.text(max_size=80),
        st.lists(st.sampled_from([*WEIGHTS, "a", "😭", "\n", "’", "-", "\x00", "ß"]), max_size=25).map(" ".join),
    )
)
@settings(deadline=None)
def test_offsets_slice_back_for_any_text(text: str) -> None:
    sample = Sample("a", text, context=(Turn("I hate it"),))
    for clues in (None, [emotion("anger"), emotion("joy")]):
        check(causes(sample, clues), sample)


@given(st.lists(st.text(max_size=60), max_size=3))
@settings(max_examples=15, deadline=None)
def test_offsets_slice_back_with_the_shipped_classifier(some: list[str]) -> None:
    samples = [Sample(str(i), text) for i, text in enumerate([*some, "I am so angry that they cancelled it"])]
    for sample, clues in zip(samples, find_clues(SHIPPED, samples), strict=True):
        check([clue for clue in clues if clue.kind == "cause"], sample)


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_no_text_is_too_strange(text: str) -> None:
    for sample in (
        Sample("a", text),
        Sample("b", None, observations={"face": text or "x", "voice": None, "scene": "awful"}),
    ):
        check(causes(sample, [emotion("anger")]), sample)
        check([clue for clue in find_clues(SHIPPED, [sample])[0] if clue.kind == "cause"], sample)


def test_a_long_text_costs_no_more_than_what_a_classifier_reads() -> None:
    classifier = Lexicon()
    Occlusion(classifier).find_clues([Sample("a", "hate " * 10_000)], [[emotion("anger")]])
    assert classifier.read < 130
    assert classifier.longest < 5_000


def test_a_dialogue_of_two_hundred_turns_has_its_causes_in_the_target() -> None:
    sample = Sample("a", "I hate it", context=tuple(Turn("awful") for _ in range(100)), after=(Turn("awful"),) * 99)
    found = causes(sample)
    assert [(clue.turn, clue.quote) for clue in found] == [(100, "hate")]
    check([clue for clue in find_clues(SHIPPED, [sample])[0] if clue.kind == "cause"], sample)


def test_the_words_whose_removal_costs_most_are_told_neighbours_as_one() -> None:
    sample = Sample("a", "I hate awful, mildly, then again a table I hate")
    # by hand: probability .4 + .3 + .06 + .4 is clipped to 1, less "hate" .76, less "awful" .86, less "mildly" 1
    assert [(clue.quote, clue.start, clue.end) for clue in causes(sample, [emotion("anger")])] == [
        ("hate awful", 2, 12),
        ("hate", 43, 47),
    ]
    assert [clue.score for clue in causes(sample, [emotion("anger")])] == pytest.approx([0.24, 0.24])


def test_a_word_that_hardly_matters_is_not_told() -> None:
    assert [clue.quote for clue in causes(Sample("a", "hate it mildly"), [emotion("anger")])] == ["hate"]
    assert causes(Sample("a", "nothing of that kind"), [emotion("anger")]) == []


def test_observations_are_searched_where_nothing_is_said_and_only_there() -> None:
    silent = Sample("a", None, observations={"face": "an awful look", "voice": None, "scene": "they hate it"})
    found = causes(silent, [emotion("anger")])
    assert {(clue.observation, clue.quote, clue.turn) for clue in found} == {
        ("face", "awful", None),
        ("scene", "hate", None),
    }
    check(found, silent)
    spoken = Sample("a", "I hate it", observations={"face": "an awful look"})
    assert [clue.quote for clue in causes(spoken, [emotion("anger")])] == ["hate"]


@pytest.mark.parametrize(
    "clues",
    [
        [],
        [emotion("neutral")],
        [emotion("neutral", chosen=False), emotion("anger", chosen=False, score=0.1)],
        [emotion("no such label")],
        [Clue("valence", "x", value=-0.5)],
    ],
)
def test_a_neutral_or_unknown_finding_has_no_cause(clues: list[Clue]) -> None:
    assert causes(Sample("a", "I hate this awful table"), clues) == []


def test_neutral_is_left_out_beside_another_emotion_and_in_any_spelling() -> None:
    assert [c.quote for c in causes(Sample("a", "a table I hate"), [emotion("neutral"), emotion("anger")])] == ["hate"]
    own = find_taxonomy("Neutral, anger")

    class Own(Lexicon):
        def probabilities(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
            return np.array([[0.9 * ("table" in text), 0.0] for text in texts], dtype=np.float32)

    assert Occlusion(Own(own)).find_clues([Sample("a", "a table")], [[emotion("Neutral")]]) == [[]]


def test_causes_of_both_chosen_emotions_are_told_and_of_the_likeliest_where_none_is_chosen() -> None:
    sample = Sample("a", "I hate being happy")
    both = causes(sample, [emotion("anger"), emotion("joy")])
    assert {clue.quote for clue in both} == {"hate", "happy"}
    alone = causes(sample, [emotion("joy", False, 0.4), emotion("anger", False, 0.3)])
    assert [clue.quote for clue in alone] == ["happy"]


def test_company_changes_nothing() -> None:
    samples = [Sample(str(i), text) for i, text in enumerate(t for t in LONG.values() if len(t) < 100)]
    occlusion = Occlusion(Lexicon())
    known: list[list[Clue]] = [[emotion("anger")] for _ in samples]
    alone = [occlusion.find_clues([s], [k])[0] for s, k in zip(samples, known, strict=True)]
    assert occlusion.find_clues(samples, known) == alone
    assert occlusion.find_clues(samples[::-1], known) == alone[::-1]
    assert occlusion.find_clues([], []) == []
