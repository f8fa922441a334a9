"""Laws of what a row says: quotes are marked where they stand, and judged by canonical words."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.report import branch, lines, mark, merge, notes, right, telling
from emowhy.types import Cause, Clue, Cut, Emotion, Explanation, Gold, Sample
from report.pages import ANSWER, SAMPLE, row_of


@given(st.text(max_size=30), st.lists(st.tuples(st.integers(-5, 30), st.integers(-5, 30)), max_size=6))
def test_marking_keeps_the_text_and_marks_just_the_code_points_in_spans(
    text: str, spans: list[tuple[int, int]]
) -> None:
    pieces = mark(text, spans)
    assert "".join(piece for piece, _ in pieces) == text
    inside = [any(start <= i < end for start, end in spans) for i in range(len(text))]
    assert [marked for piece, marked in pieces for _ in piece] == inside


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)).map(lambda s: (s[0], s[0] + s[1])), max_size=8))
def test_merged_spans_are_in_order_and_apart(spans: list[tuple[int, int]]) -> None:
    merged = merge(spans)
    assert all(a[1] < b[0] for a, b in pairwise(merged))


@pytest.mark.parametrize("spans", [[(0, 3), (2, 5)], [(0, 5), (1, 2)], [(0, 2), (2, 5)], [(0, 5), (0, 5)]])
def test_quotes_that_overlap_are_one_mark(spans: list[tuple[int, int]]) -> None:
    assert mark("abcdefg", spans) == [("abcde", True), ("fg", False)]


def marked(answer: Explanation, sample: Sample = SAMPLE) -> list[str]:
    return [text for line in lines(row_of(answer, sample)) for text, is_marked in line.pieces or () if is_marked]


def test_offsets_are_code_points() -> None:
    sample = Sample("1", "😀👩‍👩‍👧 <so> glad")
    start = sample.words().index("glad")
    assert marked(replace(ANSWER, causes=(Cause("glad", 0, None, start, start + 4, True),)), sample) == ["glad"]


def test_quotes_from_context_and_observations_are_marked_where_they_stand() -> None:
    causes = (Cause("How", 0, None, 0, 3, True), Cause("lowered", None, "face", 6, 13, True))
    answer = replace(ANSWER, causes=causes)
    assert marked(answer) == ["How", "lowered"]
    assert [line.name for line in lines(row_of(answer, SAMPLE))] == ["B", "A", "face", "voice"]
    assert lines(row_of(answer, SAMPLE))[-1].pieces is None  # looked for, and missing


def test_without_a_verified_quote_the_specialists_words_are_marked_and_said_to_be_theirs() -> None:
    cue = Clue("cause", "occlusion", quote="cancelled", turn=1, start=5, end=14, score=0.4, chosen=True)
    guessed = replace(ANSWER, causes=(Cause("invented words", 1),), clues=(cue,))
    assert marked(guessed) == ["cancelled"]
    assert telling(row_of(guessed, SAMPLE))[1]
    assert "the specialists'" in notes(row_of(guessed, SAMPLE))[0]
    quoted = replace(ANSWER, causes=(Cause("it", 1, None, 15, 17, True),), clues=(cue,))
    assert marked(quoted) == ["it"]
    assert notes(row_of(quoted, SAMPLE)) == []


def test_an_unverified_quote_is_never_marked() -> None:
    assert marked(replace(ANSWER, causes=(Cause("They", 1, None, 0, 4, False),))) == []


@pytest.mark.parametrize("label", ["anger", "Annoyance!", "<script>", '" onclick="x', "", "ünknown"])
def test_a_colour_is_always_one_of_the_known_branches(label: str) -> None:
    assert branch(label) in {"love", "joy", "surprise", "anger", "sadness", "fear", "disgust", "neutral", "other"}


@pytest.mark.parametrize(
    ("said", "gold", "verdict"),
    [
        (("anger",), ("anger",), True),
        (("Angry!", "joy"), ("anger",), True),  # one canonical word
        (("joy", "anger"), ("anger",), False),  # the first label counts
        ((), (), True),
        (("joy",), (), False),
        ((), ("joy",), False),
        (("joy",), None, None),
    ],
)
def test_an_answer_is_right_if_its_first_label_is_gold(
    said: tuple[str, ...], gold: tuple[str, ...] | None, verdict: Any
) -> None:
    answer = replace(ANSWER, emotions=tuple(map(Emotion, said)))
    assert right(row_of(answer, replace(SAMPLE, gold=Gold(gold)))) is verdict


def test_a_row_without_an_answer_is_wrong_even_where_none_was_asked_for() -> None:
    failed = Explanation("d1", status="truncated")
    assert right(row_of(failed, replace(SAMPLE, gold=Gold(())))) is False
    assert right(row_of(failed, SAMPLE)) is None


def test_what_was_copied_cut_or_mended_is_noted() -> None:
    answer = replace(ANSWER, parse="lenient", cut=Cut(2, 30), same_as="d0", attempts=2)
    said = "; ".join(notes(row_of(answer, SAMPLE)))
    for words in ("leniently", "2 turns and 30 characters", "copied from row d0", "2 attempts"):
        assert words in said
