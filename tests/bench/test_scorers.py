"""Laws that hold for every scorer, whatever it scores: bounds, order, gold, and what must never pay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emowhy.bench.measure import Array
from emowhy.bench.scorers import SCORERS, Case, Scorer, find_scorer, texts
from emowhy.errors import UsageError
from emowhy.taxonomy import similarity
from emowhy.types import Cause, Emotion, Explanation, Gold, Sample, Turn
from lookalikes import wheels

LABELS = ("anger", "disgust", "fear", "joy", "sadness", "surprise", "neutral")
SAID = (*LABELS, "rage", "Joyful", "zorbly", "hope")  # a synonym, an inflection, a word of no branch, one off the list
TURNS = ("The old roof leaks again .", "Who will pay for that ?", "I will not , I am tired !")
WHY = ("Her voice is loud.", "She frowns and looks away.", "The subtitle says that the roof leaks.", "He smiles.")
LOWER_IS_BETTER = ("vote_cross_entropy", "top_ece")
BOUNDS = {  # figures that are no shares
    "labels_per_gold": (0, np.inf),
    "vote_cross_entropy": (0, 27.7),  # −ln 1e-12
    "top_brier_skill": (-np.inf, 1),
    "graded_corrected": (-np.inf, 1),
    **{f"r_{name}": (-1, 1) for name in ("intensity", "valence", "arousal", "dominance")},
    **{f"error_{name}": (0, np.inf) for name in ("intensity", "valence", "arousal", "dominance")},
}


class WordEncoder:
    """Stands in for the sentence encoder: the share of words that two clues have in common."""

    def similarities(self, gold: Sequence[str], predicted: Sequence[str]) -> Array:
        bags = [[set(text.casefold().strip(".").split()) for text in side] for side in (gold, predicted)]
        return np.array([[len(a & b) / len(a | b) for b in bags[1]] for a in bags[0]]).reshape(
            len(gold), len(predicted)
        )


@pytest.fixture(autouse=True)
def word_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "_encoder", WordEncoder)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheels(tmp_path_factory.mktemp("wheels"))


@st.composite
def quotes(draw: st.DrawFn) -> Cause:
    """Whole words of a turn."""
    turn = draw(st.integers(0, 2))
    words = TURNS[turn].split()
    first = draw(st.integers(0, len(words) - 1))
    start = len(" ".join(words[:first])) + (first > 0)
    quote = " ".join(words[first : draw(st.integers(first + 1, len(words)))])
    return Cause(quote, turn, None, start, start + len(quote), verified=True)


def distinct(words: Sequence[str], least: int, most: int) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(words), min_size=least, max_size=most, unique=True).map(tuple)


@st.composite
def golds(draw: st.DrawFn, row: int) -> Gold:
    """Gold of every kind; the first row of each case is an emotion with a cause in its own turn and no other."""
    emotions = distinct(LABELS, 0, 3)
    causes = st.lists(quotes(), max_size=3, unique=True).map(tuple)
    if row == 0:
        emotions, causes = st.just(("anger",)), st.just((Cause("I am tired !", 2, None, 13, 25, verified=True),))
    votes = dict.fromkeys(draw(distinct(LABELS, 0, 2)), 2)
    numbers = dict.fromkeys(("intensity", "valence", "arousal", "dominance"), (row + 1) / 10)
    groups = [["anger", "rage"], ["joy", "Joyful"]]
    return Gold(
        draw(emotions),
        draw(causes),
        draw(st.sampled_from(WHY)),
        {"choice": draw(st.integers(0, 2)), "votes": votes, "groups": groups, **numbers},
    )


@st.composite
def answers(draw: st.DrawFn, id: str) -> Explanation:
    scores = st.one_of(st.none(), st.sampled_from([0.0, 0.25, 0.5, 1.0]))
    labels = draw(st.lists(st.sampled_from(SAID), max_size=4))
    made_up = st.just(Cause("nobody said this", 1))
    numbers = st.sampled_from([0.0, 0.4, 1.5, 3.0])
    told = st.dictionaries(st.sampled_from(["intensity", "valence", "arousal", "dominance"]), numbers)
    return Explanation(
        id,
        emotions=tuple(Emotion(label, draw(scores)) for label in labels),
        causes=tuple(draw(st.lists(st.one_of(quotes(), made_up), max_size=3))),
        explanation=draw(st.one_of(st.none(), st.sampled_from(WHY))),
        answers={**draw(told), **draw(st.dictionaries(st.just("choice"), st.integers(0, 3)))},
    )


@st.composite
def cases(draw: st.DrawFn, wheel: Path | None = None) -> Case:
    """A few rows; some unanswered, some with questions of one item."""
    count = draw(st.integers(2, 5))
    samples = [
        Sample(
            f"r{row}",
            TURNS[2],
            context=tuple(map(Turn, TURNS[:2])),
            gold=draw(golds(row)),
            extra={"item": draw(st.integers(0, 2))},
        )
        for row in range(count)
    ]
    said = [draw(st.one_of(st.none(), answers(sample.id))) for sample in samples]
    constants = [("joy", "anger")] * count
    return Case(samples, said, LABELS, constants=constants, settings={"clue_threshold": 0.5}, wheel=wheel)


def totals(scorer: Scorer, case: Case) -> dict[str, float]:
    return scorer.measure(case).total()


def first(scorer: Scorer, case: Case) -> float:
    """The first figure, turned so that more is better; nan where it is not defined."""
    name, value = next(iter(totals(scorer, case).items()))
    return -value if name in LOWER_IS_BETTER else value


def with_answer(case: Case, row: int, answer: Explanation | None) -> Case:
    return replace(case, answers=[*case.answers[:row], answer, *case.answers[row + 1 :]])


ALL = {name: find_scorer(name) for name in sorted(SCORERS)}
law = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@law
@given(data=st.data())
def test_every_figure_stays_in_its_bounds(wheel: Path, data: st.DataObject) -> None:
    case = data.draw(cases(wheel))
    for name, scorer in ALL.items():
        for figure, value in totals(scorer, case).items():
            low, high = BOUNDS.get(figure, (0, 1))
            assert np.isnan(value) or low - 1e-9 <= value <= high + 1e-9, (name, figure)


@law
@given(data=st.data())
def test_the_order_of_rows_does_not_matter(wheel: Path, data: st.DataObject) -> None:
    case = data.draw(cases(wheel))
    order = data.draw(st.permutations(range(len(case.samples))))
    turned = replace(case, samples=[case.samples[k] for k in order], answers=[case.answers[k] for k in order])
    for name, scorer in ALL.items():
        before, after = (totals(scorer, these) for these in (case, turned))
        for neighbours in (before, after):
            neighbours.pop("clue_floor", None)  # it pairs each text with the next row's
        assert after == pytest.approx(before, abs=1e-9, nan_ok=True), name


@law
@given(data=st.data())
def test_gold_answers_are_perfect_where_the_scorer_says_so(wheel: Path, data: st.DataObject) -> None:
    case = data.draw(cases(wheel))
    for name, scorer in ALL.items():
        found = totals(scorer, replace(case, answers=[scorer.gold_answer(sample) for sample in case.samples]))
        assert set(scorer.perfect) <= {*found, "item_accuracy"}
        for figure in scorer.perfect:
            value = found.get(figure, 1.0)
            assert np.isnan(value) or value == pytest.approx(1), (name, figure)


@law
@given(data=st.data())
def test_a_missing_answer_never_beats_an_empty_one(wheel: Path, data: st.DataObject) -> None:
    case = data.draw(cases(wheel))
    row = data.draw(st.integers(0, len(case.samples) - 1))
    for name, scorer in ALL.items():
        missing = first(scorer, with_answer(case, row, None))
        empty = first(scorer, with_answer(case, row, Explanation(case.samples[row].id)))
        assert not missing > empty + 1e-9, name
        assert np.isnan(missing) == np.isnan(empty), name


@law
@given(data=st.data())
def test_a_label_said_twice_never_helps(wheel: Path, data: st.DataObject) -> None:
    case = data.draw(cases(wheel))
    for row, answer in enumerate(case.answers):
        if answer is not None and answer.emotions:
            again = Emotion(data.draw(st.sampled_from(answer.emotions)).label.upper(), 1.0)
            twice = with_answer(case, row, replace(answer, emotions=(*answer.emotions, again)))
            for name, scorer in ALL.items():
                assert not first(scorer, twice) > first(scorer, case) + 1e-9, name


@law
@given(cases(), st.data())
def test_a_label_unlike_every_gold_label_never_raises_graded_f(case: Case, data: st.DataObject) -> None:
    scorer = ALL["graded"]
    for row, (gold, answer) in enumerate(zip(case.golds(), case.answers, strict=True)):
        strangers = [word for word in SAID if not any(similarity(word, label) for label in gold.emotions or ())]
        if answer is not None and strangers:
            added = Emotion(data.draw(st.sampled_from(strangers)))
            more = with_answer(case, row, replace(answer, emotions=(*answer.emotions, added)))
            assert first(scorer, more) <= first(scorer, case) + 1e-9


@pytest.mark.parametrize("name", ALL)
def test_a_scorer_says_why_it_cannot_score_rows_without_gold(name: str) -> None:
    assert ALL[name].applies(Case([Sample("r0", "Hm.")], [Explanation("r0")], LABELS))


def test_an_unknown_scorer_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="did you mean 'graded'"):
        find_scorer("grades")


def test_equal_scores_share_a_bin_so_that_half_right_at_one_half_is_calibrated() -> None:
    samples = [Sample(f"r{row}", "Hm.", gold=Gold(("joy",))) for row in range(40)]
    labels = ["joy" if row < 20 else "anger" for row in range(40)]
    said = [Explanation(f"r{row}", emotions=(Emotion(label, 0.5),)) for row, label in enumerate(labels)]
    assert first(ALL["calibration"], Case(samples, said, LABELS)) == 0


def test_votes_are_compared_with_labels_in_any_spelling() -> None:
    sample = Sample("r0", "Hm.", gold=Gold(None, answers={"votes": {"joy": 5}}))
    assert first(ALL["votes"], Case([sample], [Explanation("r0", emotions=(Emotion("Joyful!"),))], LABELS)) == 0


def test_a_quote_found_elsewhere_than_said_is_scored_there_but_not_called_verbatim() -> None:
    """One quote stands where the reply says, one in another turn, one nowhere; the first two are gold."""
    right, elsewhere = (
        Cause("roof leaks", 0, None, 8, 18, verified=True),
        Cause("tired", 2, None, 19, 24, verified=True),
    )
    sample = Sample("r0", TURNS[2], context=tuple(map(Turn, TURNS[:2])), gold=Gold(causes=(right, elsewhere)))
    said = Explanation("r0", causes=(right, replace(elsewhere, said=1), Cause("the rain", 0)))
    found = totals(ALL["quotes"], Case([sample], [said], LABELS))
    assert (found["span_p"], found["span_r"]) == (2 / 3, 1.0)
    assert (found["verbatim_rate"], found["moved_rate"]) == (1 / 3, 1 / 3)
