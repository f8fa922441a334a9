"""Laws of edits: what is taken out, what is left, what stands elsewhere, and which hints are made wrong."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.bench.metrics.spans import Span, overlap
from emowhy.bench.probe_edits import MASK, delete_spans, find_cues, keep_spans, mislead_cues, mislead_label
from emowhy.bench.probe_spans import count_words, find_elsewhere, find_spans, find_texts, merge
from emowhy.taxonomy import find_taxonomy, similarity
from emowhy.types import Cause, Clue, Gold, Sample, Turn

GOEMOTIONS = find_taxonomy("goemotions").labels


def words_of(count: int) -> list[str]:
    return [f"w{n}" for n in range(count)]


def span(text: str, first: int, last: int, place: int = 0) -> Span:
    """The words `first` to `last` (not included) of a text whose words are parted by single spaces."""
    words = text.split(" ")
    start = len(" ".join(words[:first])) + (first > 0)
    return Span(place, start, start + len(" ".join(words[first:last])))


@st.composite
def quoted_texts(draw: st.DrawFn) -> tuple[Sample, tuple[Span, ...]]:
    """A text of up to nine words, and one to three disjoint quotes of whole words in it."""
    count = draw(st.integers(1, 9))
    text = " ".join(words_of(count))
    edges = sorted(draw(st.lists(st.integers(0, count), min_size=2, max_size=6, unique=True)))
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    return Sample("a", text=text), tuple(span(text, first, last) for first, last in pairs)


def quotes_in(sample: Sample, spans: Sequence[Span]) -> list[str]:
    texts = find_texts(sample)
    return [texts[s.place][s.start : s.end] for s in spans]  # type: ignore[index]


def has_room(count: int, sizes: Sequence[int], free: Sequence[int]) -> bool:
    """By trying every choice of starts."""
    for starts in itertools.product(range(count), repeat=len(sizes)):
        taken = [n for start, size in zip(starts, sizes, strict=True) for n in range(start, start + size)]
        if len(set(taken)) == len(taken) and set(taken) <= set(free):
            return True
    return False


@given(quoted_texts(), st.integers(0, 5))
def test_control_spans_have_the_same_length_and_overlap_neither_a_quote_nor_each_other(
    made: tuple[Sample, tuple[Span, ...]], seed: int
) -> None:
    sample, quotes = made
    controls = find_elsewhere(sample, quotes, random.Random(seed))
    for one, other in zip(quotes, controls or (), strict=controls is not None):
        assert (one.place, count_words(sample, one)) == (other.place, count_words(sample, other))
    assert all(overlap(a, b) == 0 for a, b in itertools.combinations((*quotes, *(controls or ())), 2))


@given(quoted_texts(), st.integers(0, 5))
def test_controls_are_found_wherever_there_is_room_whatever_the_seed(
    made: tuple[Sample, tuple[Span, ...]], seed: int
) -> None:
    sample, quotes = made
    words = (sample.text or "").split(" ")
    quoted = {word for quote in quotes_in(sample, quotes) for word in quote.split(" ")}
    free = [n for n, word in enumerate(words) if word not in quoted]
    sizes = [count_words(sample, quote) for quote in quotes]
    assert (find_elsewhere(sample, quotes, random.Random(seed)) is not None) == has_room(len(words), sizes, free)


def test_a_quote_over_half_its_turn_leaves_no_room() -> None:
    text = "one two three four five"
    assert find_elsewhere(Sample("a", text=text), [span(text, 0, 3)], random.Random(0)) is None
    assert find_elsewhere(Sample("a", text=text), [span(text, 0, 2)], random.Random(0)) is not None


def test_controls_keep_clear_of_what_is_to_be_avoided() -> None:
    text = "a b c d e"
    sample = Sample("a", text=text)
    for seed in range(20):  # of b, c, d and e only e is free
        assert find_elsewhere(sample, [span(text, 0, 1)], random.Random(seed), [span(text, 1, 4)]) == (
            span(text, 4, 5),
        )


def test_each_sign_of_a_script_without_spaces_is_a_word() -> None:
    sample = Sample("a", text="我今天很难过")
    quote = Span(0, 4, 6)
    assert count_words(sample, quote) == 2
    control = find_elsewhere(sample, [quote], random.Random(0))
    assert control is not None
    assert control[0].end - control[0].start == 2
    assert delete_spans(sample, [Span(0, 1, 3)]).sample.text == "我很难过"


@given(quoted_texts())
def test_deleting_and_keeping_part_the_words_between_them_in_their_order(
    made: tuple[Sample, tuple[Span, ...]],
) -> None:
    sample, quotes = made
    quoted = [word for quote in quotes_in(sample, quotes) for word in quote.split(" ")]
    others = [word for word in (sample.text or "").split(" ") if word not in quoted]
    assert delete_spans(sample, quotes).sample.text == (" ".join(others) or MASK)
    assert keep_spans(sample, quotes).sample.text == " ".join(quoted)


@given(quoted_texts())
def test_masking_puts_one_mask_for_each_span_and_changes_nothing_else(made: tuple[Sample, tuple[Span, ...]]) -> None:
    sample, quotes = made
    masked = delete_spans(sample, quotes, mask=True).sample.text or ""
    assert masked.count(MASK) == len(quotes)
    for quote in quotes_in(sample, quotes):
        masked = masked.replace(MASK, quote, 1)
    assert masked == sample.text


@given(quoted_texts(), st.booleans(), st.booleans())
def test_clues_of_an_edit_are_verbatim_in_it_and_never_name_deleted_words(
    made: tuple[Sample, tuple[Span, ...]], mask: bool, keep: bool
) -> None:
    sample, quotes = made
    text = sample.text or ""
    clues = [
        Clue("cause", "cue", quote=text[s.start : s.end], turn=0, start=s.start, end=s.end)
        for first, last in itertools.combinations(range(len(text.split(" ")) + 1), 2)
        for s in [span(text, first, last)]
    ]
    edit = (keep_spans if keep else delete_spans)(sample, quotes, mask, clues)
    gone = set(text.split(" ")) - set((edit.sample.text or "").split(" "))
    for clue in edit.clues:
        assert (edit.sample.text or "")[clue.start : clue.end] == clue.quote
        assert not gone & set((clue.quote or "").split(" "))
    whole = {clue.quote for clue in clues if len((clue.quote or "").split(" ")) == 1 and clue.quote not in gone}
    assert whole <= {clue.quote for clue in edit.clues}  # what is left of the text keeps its clues


def test_an_edit_reaches_every_turn_and_observation_and_drops_the_gold() -> None:
    sample = Sample(
        "a",
        text="Oh no, that hurts!",
        context=(Turn("It broke. Sorry about that.", "B"), Turn("What?", "A")),
        after=(Turn("I will pay.", "B"),),
        observations={"face": "wide eyes", "voice": None},
        gold=Gold(("sadness",)),
    )
    spans = [Span(0, 0, 8), Span(2, 7, 17), Span(3, 0, 11), Span("face", 5, 9)]
    gone = delete_spans(sample, spans).sample
    assert [turn.text for turn in gone.turns().values()] == [". Sorry about that.", "What?", "Oh no, !", MASK]
    assert gone.observations == {"face": "wide", "voice": None}
    left = keep_spans(sample, spans).sample
    assert [turn.text for turn in left.turns().values()] == ["It broke", MASK, "that hurts", "I will pay."]
    assert left.observations == {"face": "eyes", "voice": None}
    assert [turn.speaker for turn in left.context] == ["B", "A"]
    assert gone.gold is None
    assert left.gold is None


def test_only_verbatim_quotes_with_words_have_a_place_and_overlapping_ones_are_one() -> None:
    sample = Sample("a", text="I lost my keys again ...")
    causes = [
        Cause("lost my", 0, None, 2, 9, verified=True),
        Cause("my keys", 0, None, 7, 14, verified=True),
        Cause("...", 0, None, 21, 24, verified=True),
        Cause("lost the keys", 0),
    ]
    assert merge(find_spans(causes, sample)) == (Span(0, 2, 14),)


# Wrong hints ----------------------------------------------------------------------------------------------------


def emotions(**scores: float) -> list[Clue]:
    return [Clue("emotion", "emotion", label, score=score) for label, score in scores.items()]


@given(st.permutations(GOEMOTIONS), st.lists(st.sampled_from(GOEMOTIONS), max_size=3), st.integers(0, 99))
def test_a_wrong_label_is_near_neither_the_likeliest_nor_a_right_one_and_has_its_score(
    order: list[str], right: list[str], seed: int
) -> None:
    clues = [Clue("emotion", "emotion", label, score=1 / (rank + 1)) for rank, label in enumerate(order[:8])]
    edit = mislead_label(Sample("a", text="So."), clues, GOEMOTIONS, right, random.Random(seed))
    assert edit is not None
    assert edit.label is not None
    assert edit.clues[0].label == edit.label
    assert edit.clues[0].score == 1.0
    assert all(similarity(edit.label, near) == 0 for near in (order[0], *right, "neutral"))
    assert [clue for clue in clues[1:] if clue.label != edit.label] == list(edit.clues[1:])


def test_a_label_that_two_specialists_name_is_replaced_in_both() -> None:
    clues = [*emotions(joy=0.9, fear=0.1), Clue("emotion", "other", "joy", score=0.8), Clue("valence", "v", value=2)]
    edit = mislead_label(Sample("a", text="So."), clues, ("joy", "fear", "anger"), ["joy"], random.Random(1))
    assert edit is not None
    assert [clue.label for clue in edit.clues].count(edit.label) == 2
    assert "joy" not in [clue.label for clue in edit.clues]


@pytest.mark.parametrize(
    ("clues", "labels"), [([], GOEMOTIONS), (emotions(joy=0.5), ("joy", "neutral")), (emotions(awe=0.5), ("joy",))]
)
def test_without_a_hint_or_another_branch_no_label_is_made_wrong(clues: list[Clue], labels: tuple[str, ...]) -> None:
    assert mislead_label(Sample("a", text="So."), clues, labels, ["joy"], random.Random(0)) is None


def test_wrong_telling_words_are_as_many_others_that_avoid_the_gold() -> None:
    text = "the cat ate my best fish today"
    sample = Sample("a", text=text)
    clues = [
        *emotions(anger=0.7),
        Clue("cause", "cue", quote="best fish", turn=0, start=15, end=24, chosen=True),
        Clue("cause", "cue", quote="cat", turn=0, start=4, end=7),  # not chosen, so not shown
    ]
    gold = [span(text, 1, 3)]  # "cat ate": only "the", "my" and "today" are free, and no two side by side
    assert mislead_cues(sample, clues, gold, random.Random(0)) is None
    for seed in range(10):
        edit = mislead_cues(sample, clues, [span(text, 1, 2)], random.Random(seed))
        assert edit is not None
        (cue,) = find_cues(edit.clues)
        assert cue.quote == text[cue.start : cue.end] == "ate my"
        assert edit.spans == (span(text, 2, 4),)
        assert [clue for clue in edit.clues if clue != cue] == [clues[0], clues[2]]
