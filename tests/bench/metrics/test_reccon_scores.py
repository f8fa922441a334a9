"""Laws of RECCON's scores, with worked examples by hand."""

from __future__ import annotations

import os
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.bench.metrics.reccon import Target, entailment_scores, exact_match, normalise_answer, span_scores, token_f1

words = st.lists(st.sampled_from(["I", "won", "the", "a", "it", "It!", "today", ".", "An"]), max_size=6).map(" ".join)

TARGETS = [
    Target(2, {0: ["I won the race"], 2: ["so happy", "today"]}),
    Target(1, {1: ["lost it"], 4: ["a later turn"]}),
]
ANSWERS = [{0: "won a race!", 1: "what?", 2: "So happy today"}, {}]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("The  Race!", "race"),
        ("A man, an apple; THE end.", "man apple end"),
        ("theory of a banana", "theory of banana"),
        ("it's the-end", "its theend"),  # punctuation goes first, as in SQuAD's script
        (" .. the ", ""),
        ("", ""),
    ],
)
def test_answers_are_normalised_as_in_squad(text: str, plain: str) -> None:
    assert normalise_answer(text) == plain


@given(st.one_of(words, st.text(max_size=40)))
def test_normalising_leaves_single_spaces_no_punctuation_and_no_capitals(text: str) -> None:
    plain = normalise_answer(text)
    assert plain == " ".join(plain.split())
    assert not set(plain) & set(string.punctuation)
    assert not set(plain.split()) & {"a", "an", "the"}


def test_token_f1_by_hand() -> None:
    # "won race" against "i won race": 2 shared of 2 and 3
    assert token_f1("won a race!", "I won the race") == pytest.approx(2 * 2 / (2 + 3))
    # as bags: "no no" shares one "no" with "no", and both with "no no no"
    assert token_f1("no no", "no") == pytest.approx(2 / 3)
    assert token_f1("no no", "no no no") == pytest.approx(4 / 5)


@given(words, words)
def test_f1_is_symmetric_between_0_and_1_and_no_less_than_the_exact_match(a: str, b: str) -> None:
    assert token_f1(a, b) == token_f1(b, a)
    assert exact_match(a, b) <= token_f1(a, b) <= 1
    assert token_f1(a, a) == exact_match(a, a) == 1


def test_an_empty_answer_agrees_with_an_empty_one_only() -> None:
    assert token_f1("", "") == exact_match("", "") == 1
    assert token_f1("", "won") == token_f1("won", "") == exact_match("", "won") == 0


def test_span_scores_by_hand() -> None:
    # positives: "won a race!" for "I won the race" 4/5; "So happy today" for "so happy" 4/5 and for "today" 2/4; the
    # empty answer for "lost it" 0. Negatives: turn 1 of the first target, answered; turn 0 of the second, left empty.
    found = span_scores(TARGETS, ANSWERS)
    assert (found["positives"], found["negatives"]) == (4, 2)
    assert found["em_pos"] == 0
    assert found["f1_pos"] == pytest.approx((4 / 5 + 4 / 5 + 2 / 4 + 0) / 4)
    assert found["f1"] == pytest.approx((4 / 5 + 4 / 5 + 2 / 4 + 0 + 0 + 1) / 6)
    # answered empty: one of the two negatives and one positive: P 1/2, R 1/2
    assert found["f1_neg"] == pytest.approx(1 / 2)


def test_entailment_scores_by_hand() -> None:
    # pairs: (0, 0) and (0, 2) right, (0, 1) told wrongly, (1, 0) rightly empty, (1, 1) missed
    found = entailment_scores(TARGETS, ANSWERS)
    assert found["turn_f1_pos"] == pytest.approx(2 * 2 / (2 * 2 + 2))
    assert found["turn_f1_neg"] == pytest.approx(2 * 1 / (2 * 1 + 2))
    assert found["turn_macro"] == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_a_cause_after_its_target_counts_for_nothing_gold_or_predicted() -> None:
    plain = [Target(1, {1: ["lost it"]})]
    later = [Target(1, {1: ["lost it"], 4: ["a later turn"]})]
    for answer in ({1: "lost it"}, {1: "lost it", 4: "a later turn", 9: "more"}):
        assert span_scores(later, [answer]) == span_scores(plain, [{1: "lost it"}])
        assert entailment_scores(later, [answer]) == entailment_scores(plain, [{1: "lost it"}])


@st.composite
def targets(draw: st.DrawFn) -> list[Target]:
    found = []
    for _ in range(draw(st.integers(0, 4))):
        turn = draw(st.integers(0, 4))
        some = st.lists(st.sampled_from(["I won", "it today", "happy"]), max_size=2)
        found.append(Target(turn, {k: draw(some) for k in range(turn + 1)}))
    return found


@given(targets())
def test_saying_the_gold_is_perfect_and_saying_nothing_earns_only_the_negatives(some: list[Target]) -> None:
    single = [Target(t.turn, {k: spans[:1] for k, spans in t.gold.items()}) for t in some]
    perfect = span_scores(single, [{k: spans[0] for k, spans in t.gold.items() if spans} for t in single])
    assert perfect["em_pos"] == perfect["f1_pos"] == float(perfect["positives"] > 0)
    assert perfect["f1_neg"] == float(perfect["negatives"] > 0)
    silent = span_scores(some, [{} for _ in some])
    assert silent["em_pos"] == silent["f1_pos"] == 0
    every = silent["positives"] + silent["negatives"]
    assert silent["f1"] == pytest.approx(silent["negatives"] / every if every else 0)
    assert silent["negatives"] == sum(not t.gold.get(k) for t in some for k in range(t.turn + 1))


@given(targets())
def test_answering_a_negative_never_raises_a_figure(some: list[Target]) -> None:
    gold = [{k: spans[0] for k, spans in t.gold.items() if spans} for t in some]
    chatty = [{k: said.get(k, "blah") for k in range(t.turn + 1)} for t, said in zip(some, gold, strict=True)]
    quiet, loud = span_scores(some, gold), span_scores(some, chatty)
    assert all(loud[name] <= quiet[name] + 1e-9 for name in quiet)
    quiet, loud = entailment_scores(some, gold), entailment_scores(some, chatty)
    assert all(loud[name] <= quiet[name] + 1e-9 for name in quiet)


@pytest.mark.skipif(not os.environ.get("EMOWHY_DATA"), reason="needs RECCON's files: EMOWHY_DATA=FOLDER")
def test_the_train_file_has_the_published_counts() -> None:
    from emowhy.datasets import find_dataset, find_folder
    from emowhy.types import Sample

    dataset = find_dataset("reccon")
    asked = []
    for row in dataset.read(find_folder(dataset, None), "train"):
        if isinstance(row, Sample) and row.gold and row.gold.causes is not None:
            spans: dict[int, list[str]] = {}
            for cause in row.gold.causes:
                spans.setdefault(cause.turn or 0, []).append(cause.quote)
            asked.append(Target(row.target, spans))
    found = span_scores(asked, [{} for _ in asked])
    assert (found["positives"], found["negatives"]) == (7269, 20_646)
