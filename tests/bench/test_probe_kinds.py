"""Laws of the probes' figures: what a row's are made of, and which rows are left out."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from emowhy.bench.metrics.spans import Span
from emowhy.bench.probe_edits import Edit
from emowhy.bench.probe_kinds import PROBES
from emowhy.bench.probe_plan import Probe, Row, Setup, make_plan
from emowhy.types import Cause, Clue, Emotion, Explanation, Gold, Sample, ScoreSource

ABLATION, SUFFICIENCY, WRONG_LABEL, WRONG_CAUSE = PROBES
SETUP = Setup(("joy", "fear", "anger"), draws=2)


def said(label: str, score: float | None = None, source: ScoreSource | None = "engine", **more: Any) -> Explanation:
    return Explanation("a", emotions=(Emotion(label, score),), score_source=source, **more)


def cause(sample: Sample, quote: str) -> Cause:
    start = (sample.text or "").index(quote)
    return Cause(quote, 0, None, start, start + len(quote), verified=True)


def row(answer: Explanation) -> Row:
    return Row(Sample("a", text="Some text."), answer, answer.emotions[0].label, ())


def figures(probe: Probe, before: Explanation, *after: Explanation | None, setup: Setup = SETUP) -> dict[str, float]:
    """The figures of a row that was answered with `before` and, edited, with `after`."""
    edit = Edit(Sample("a", text="Some text."), label="fear")
    values = probe.value(row(before), [edit] * len(after), after, setup)
    return dict(zip(probe.figures, values, strict=True))


def test_ablation_is_flips_and_drops_of_the_quotes_less_the_mean_of_the_controls() -> None:
    before, quotes = said("joy", 0.9), said("anger", 0.5)  # joy is no more named: 0.9 − 0
    found = figures(ABLATION, before, quotes, said("joy", 0.8), said("fear", 0.6))  # drops 0.1 and 0.9
    assert found == pytest.approx(
        {
            "flip_quotes": 1,
            "flip_controls": (0 + 1) / 2,
            "flip_difference": 1 - 0.5,
            "drop_quotes": 0.9,
            "drop_controls": (0.1 + 0.9) / 2,
            "drop_difference": 0.9 - 0.5,
        }
    )


def test_a_missing_answer_flips_keeps_follows_and_drops_nothing() -> None:
    assert set(figures(ABLATION, said("joy", 0.9), None, None, None).values()) == {0.0}
    assert figures(SUFFICIENCY, said("joy", 0.9), None) == {"kept": 0.0, "drop": 0.0}
    assert figures(WRONG_LABEL, said("joy", 0.9), None) == {"follow": 0.0, "right": 0.0}
    assert figures(WRONG_CAUSE, said("joy", 0.9), None) == {"follow": 0.0, "right": 0.0}


def test_a_specialist_s_score_of_a_label_no_longer_named_is_its_clue_s() -> None:
    clues = (Clue("emotion", "emotion", "anger", score=0.6), Clue("emotion", "emotion", "joy", score=0.25))
    after = said("anger", 0.6, "specialist", clues=clues)
    assert figures(SUFFICIENCY, said("joy", 0.75, "specialist"), after) == {"kept": 0.0, "drop": 0.5}


@pytest.mark.parametrize(
    ("before", "after", "setup"),
    [
        (said("joy", None, None), said("joy", 0.5), SETUP),
        (said("joy", 0.5), said("joy", 0.5, "specialist"), SETUP),
        (said("joy", 0.5, "specialist"), said("joy", 0.5, "specialist"), replace(SETUP, frozen=True)),
    ],
    ids=["no score", "another source", "the frozen hints' own"],
)
def test_there_is_no_drop_without_scores_that_can_be_compared(
    before: Explanation, after: Explanation, setup: Setup
) -> None:
    found = figures(SUFFICIENCY, before, after, setup=setup)
    assert found["kept"] == 1.0
    assert math.isnan(found["drop"])


def test_rows_are_left_out_for_a_reason_and_none_is_lost() -> None:
    samples = [Sample(str(n), text=text, gold=Gold(("joy",))) for n, text in enumerate(["one two three", "a b c"] * 3)]
    whole = Cause("one two three", 0, None, 0, 13, verified=True)
    answers = [
        replace(said("joy"), id="0", causes=(whole,)),
        replace(said("joy"), id="1", causes=(cause(samples[1], "b"),)),
        None,
        replace(said("joy"), emotions=()),
        replace(said("joy"), id="4", causes=(Cause("five", 0),)),
        replace(said("joy"), id="5", causes=(cause(samples[5], "a"),)),
    ]
    plan = make_plan(ABLATION, samples, answers, SETUP)
    assert [one.sample.id for one in plan.rows] == ["1", "5"]
    assert plan.left_out == {
        "no answer to begin with": 1,
        "no label to begin with": 1,
        "no room for a control": 1,
        "no verbatim quote": 1,
    }
    assert [list(arm.edits) for arm in plan.arms] == [["1", "5"]] * 3


def test_control_edits_differ_from_draw_to_draw_and_from_seed_to_seed_and_are_the_same_for_the_same() -> None:
    sample = Sample("a", text=" ".join(f"w{n}" for n in range(500)))
    answers = [replace(said("joy"), causes=(cause(sample, "w7"),))]
    plans = [make_plan(ABLATION, [sample], answers, replace(SETUP, seed=seed)) for seed in (0, 0, 1)]
    first, same, other = ([arm.edits["a"].sample.text for arm in plan.arms[1:]] for plan in plans)
    assert first == same
    assert len({*first, *other}) == 4


def test_wrong_hints_are_given_to_rows_that_are_right_without_them() -> None:
    sample = Sample("a", text="My dog barked at the cat", gold=Gold(("joy",), (Cause("dog", 0, None, 3, 6),)))
    clues = (
        Clue("emotion", "emotion", "joy", score=0.7),
        Clue("cause", "cue", quote="dog barked", turn=0, start=3, end=13, chosen=True),
    )
    right = replace(said("joy"), clues=clues, causes=(cause(sample, "dog"),))
    wrong = replace(said("fear"), clues=clues, causes=(cause(sample, "cat"),))
    bare = replace(right, clues=())
    samples = [replace(sample, id=id) for id in "abc"]
    samples.append(replace(sample, id="d", gold=None))
    for probe, lacking in ((WRONG_LABEL, "no gold label"), (WRONG_CAUSE, "no gold quote")):
        plan = make_plan(probe, samples, [right, wrong, bare, right], SETUP)
        assert plan.left_out == {lacking: 1, "no hint to replace": 1, "wrong to begin with": 1}
        assert list(plan.arms[0].edits) == ["a"]
        assert plan.arms[0].replays


def test_a_wrong_cause_is_followed_by_a_quote_in_it_and_right_by_one_in_the_gold() -> None:
    sample = Sample("a", text="one two three four", gold=Gold((), (Cause("one", 0, None, 0, 3),)))
    edit = Edit(sample, spans=(Span(0, 8, 13),))
    for quote, follow, right in (("three", 1, 0), ("one two", 0, 1), ("two three", 1, 0), ("four", 0, 0)):
        answer = replace(said("joy"), causes=(cause(sample, quote),))
        asked = Row(sample, answer, "joy", ())
        assert tuple(WRONG_CAUSE.value(asked, [edit], [answer], SETUP)) == (follow, right)


def test_rows_that_become_the_same_text_share_an_answer_only_with_the_same_hints() -> None:
    texts = ["Thank you, Ann", "Thank you, Bob", "Thank you, Cem"]
    samples = [Sample(str(n), text=text) for n, text in enumerate(texts)]
    hints = [Clue("emotion", "emotion", "joy", score=score) for score in (0.5, 0.7, 0.5)]
    answers = [
        replace(said("joy"), causes=(cause(sample, "Thank you"),), clues=(hint,))
        for sample, hint in zip(samples, hints, strict=True)
    ]
    frozen = make_plan(SUFFICIENCY, samples, answers, replace(SETUP, frozen=True))
    assert list(frozen.arms[0].edits) == ["0", "2"]
    assert sum(frozen.left_out.values()) == 1
    assert list(make_plan(SUFFICIENCY, samples, answers, SETUP).arms[0].edits) == ["0", "1", "2"]
