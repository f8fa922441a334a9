"""Laws of how `cause` judges turns together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.specialists.cause import Found, judge_turns, turn_features
from emowhy.types import Cause, Gold, Sample, Turn

SCORE_ALONE = [0.0, 1.0, *[0.0] * 9]
chances = st.lists(st.floats(0.001, 0.999), min_size=1, max_size=9)


def spans(scores: list[float]) -> list[Found]:
    """The target's first, then the turns before it, as a frame has them."""
    return [Found(len(scores) - 1 - back, score, 0, 2) for back, score in enumerate(scores)]


@given(chances)
def test_with_weight_on_the_score_alone_nothing_changes(scores: list[float]) -> None:
    judged = judge_turns(spans(scores), len(scores) - 1, SCORE_ALONE)
    assert [span.score for span in judged] == pytest.approx(scores)
    assert [(s.turn, s.start, s.end) for s in judged] == [(s.turn, s.start, s.end) for s in spans(scores)]


@given(chances)
def test_a_turns_features_do_not_depend_on_the_order_in_which_turns_are_told(scores: list[float]) -> None:
    told, target = spans(scores), len(scores) - 1
    assert np.allclose(turn_features(told, target)[::-1], turn_features(told[::-1], target))


def test_features_by_hand() -> None:
    found = turn_features([Found(5, 0.5, 0, 1), Found(4, 0.8, 0, 1), Found(0, 0.2, 0, 1)], 5)
    log_odds = np.log(0.8 / 0.2)
    assert np.allclose(found[0], [0, 1, 0, 0, 0, 0, -log_odds, 0, 0.8, 0])
    assert np.allclose(found[1], [log_odds, 0, 1, 0, 0, 0, 0, 0, 0, 0.5])
    assert np.allclose(found[2], [-log_odds, 0, 0, 0, 0, 1, -2 * log_odds, 0, 0, 0])


def test_no_turn_has_no_judgement() -> None:
    assert judge_turns([], 3, SCORE_ALONE) == []


def test_what_is_fitted_learns_which_distance_counts() -> None:
    pytest.importorskip("torch", reason="needs the extra local")
    from emowhy.specialists.training.causes import fit_turns

    samples, read = [], []
    for number in range(40):
        causes = (Cause("ab", 1, None, 0, 2, verified=True),)
        samples.append(Sample(str(number), "ab", "A", (Turn("ab"), Turn("ab")), gold=Gold(("joy",), causes)))
        read.append(spans([0.5, 0.5, 0.5]))
    judged = judge_turns(read[0], 2, fit_turns(samples, read))
    assert judged[1].score > 0.8 > 0.2 > max(judged[0].score, judged[2].score)
