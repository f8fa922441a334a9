"""Laws of the control arms: fitted on other rows than they answer, for the metric that leads, as one constant answer
or as the specialists' clues."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.bench.controls import (
    Fitted,
    Rule,
    constant_answer,
    fit_parts,
    fit_rule,
    graded_constant,
    half,
    notice,
    own,
    say_clues,
    say_constant,
)
from emowhy.bench.metrics.labels import graded
from emowhy.bench.scorers import Case, find_scorer
from emowhy.specialists import Specialist
from emowhy.taxonomy import find_taxonomy
from emowhy.types import Cause, Clue, Gold, Sample

LABELS = find_taxonomy("ekman").labels
gold_sets = st.lists(st.sets(st.sampled_from(LABELS), max_size=3), min_size=1, max_size=12)


def rows(*golds: Sequence[str], **more: object) -> list[Sample]:
    return [Sample(f"r{row}", "It rains.", gold=Gold(tuple(gold), **more)) for row, gold in enumerate(golds)]  # type: ignore[arg-type]


def emotion(label: str, score: float) -> Clue:
    return Clue("emotion", "test", label, score=score)


def quote(words: str, score: float, start: int = 0) -> Clue:
    return Clue("cause", "test", quote=words, turn=0, start=start, end=start + len(words), score=score)


# Which rows -------------------------------------------------------------------------------------------------------


def test_with_a_reference_all_is_fitted_there() -> None:
    reference = rows(["joy"])
    assert fit_parts(rows(["fear"], ["anger"]), reference) == [reference]


def test_without_one_each_half_is_fitted_on_the_other() -> None:
    samples = rows(*([["joy"]] * 40))
    parts = fit_parts(samples, None)
    assert {half(sample.id) for sample in parts[0]} == {1}
    assert {half(sample.id) for sample in parts[1]} == {0}
    assert len(parts[0]) + len(parts[1]) == len(samples)
    for sample in samples:
        assert sample not in own(parts, sample.id)


def test_a_half_without_rows_is_fitted_on_all_there_are() -> None:
    (sample,) = rows(["joy"])
    assert fit_parts([sample], None) == [[sample]] * 2


def test_the_halves_are_about_even() -> None:
    assert 400 < sum(half(str(id)) for id in range(1000)) < 600


# The constant answer ----------------------------------------------------------------------------------------------


@given(gold_sets)
def test_no_single_label_beats_the_constant_list(golds: list[set[str]]) -> None:
    def mean(said: Sequence[str]) -> float:
        return sum(graded(gold, said)[2] for gold in golds) / len(golds)

    best = mean(graded_constant(rows(*map(sorted, golds))))
    assert best >= max(mean([]), *(mean([label]) for label in LABELS)) - 1e-9


def test_the_constant_of_a_single_label_task_is_the_commonest_label() -> None:
    samples = rows(["joy"], ["joy"], ["fear"], ["anger"])
    assert constant_answer(samples, "accuracy", True)["emotions"] == ["joy"]


def test_the_constant_of_a_multi_label_task_may_name_several() -> None:
    # both labels have F 1 on both rows, one of them alone 2/3
    samples = rows(["joy", "surprise"], ["joy", "surprise"])
    assert set(constant_answer(samples, "graded_f", False)["emotions"]) == {"joy", "surprise"}


def test_the_constant_quotes_the_whole_target_and_takes_the_commonest_choice() -> None:
    cause = (Cause("rains", 0, None, 3, 8, verified=True),)
    samples = rows(["joy"], causes=cause, answers={"choice": 2})
    answer = say_constant(samples[0], constant_answer(samples, "choice", True))
    assert [(c.quote, c.start, c.end, c.verified) for c in answer.causes] == [("It rains.", 0, 9, True)]
    assert answer.answers == {"choice": 2}


def test_of_equally_common_answers_the_first_is_taken() -> None:
    golds = Gold(("anger",), answers={"choice": 1}), Gold(("joy",), answers={"choice": 0})
    samples = [Sample(str(row), "Hm.", gold=gold) for row, gold in enumerate(golds)]
    assert constant_answer(samples, "accuracy", True)["emotions"] == ["anger"]
    assert constant_answer(samples, "choice", True)["choice"] == 0


def test_a_constant_answer_says_nothing_that_was_not_annotated() -> None:
    bare = [Sample("a", "Hm.", gold=Gold(answers={"valence": 3.0}))]
    assert constant_answer(bare, "values", False) == {"quote": False}


def test_the_constant_answer_itself_has_a_chance_corrected_figure_of_0() -> None:
    # the constant {joy} has F 1, 1, 0 on the rows, mean 2/3; a system of mean F has (F − 2/3)/(1 − 2/3):
    # 0 for the constant itself, 1 for gold, (1/3 − 2/3)/(1/3) = −1 for another constant, {fear}
    samples = rows(["joy"], ["joy"], ["fear"])
    constant = graded_constant(samples)
    assert constant == ("joy",)
    constants = [constant] * 3

    def corrected(*labels: str) -> tuple[float, float]:
        said = [say_constant(sample, {"emotions": [label]}) for sample, label in zip(samples, labels, strict=True)]
        found = find_scorer("graded").measure(Case(samples, said, LABELS, constants=constants)).total()
        return found["graded_corrected"], found["graded_constant"]

    assert corrected("joy", "joy", "joy") == pytest.approx((0, 2 / 3))
    assert corrected("joy", "joy", "fear") == pytest.approx((1, 2 / 3))
    assert corrected("fear", "fear", "fear") == pytest.approx((-1, 2 / 3))


# The specialists alone --------------------------------------------------------------------------------------------


CLUES = (emotion("fear", 0.2), emotion("joy", 0.8), emotion("surprise", 0.5), quote("rains", 0.6, 3), quote("It", 0.9))


@pytest.mark.parametrize(
    ("rule", "labels", "quotes"),
    [
        (Rule(1, 0.1, 1, 0.0), ["joy"], ["It"]),
        (Rule(3, 0.5, 3, 0.7), ["joy", "surprise"], ["It"]),  # fear is under half of joy
        (Rule(5, 0.1, 3, 0.0), ["joy", "surprise", "fear"], ["It", "rains"]),
        (Rule(0, 1.0, 1, 0.0), ["joy", "surprise"], ["It"]),  # 1.3/3 is more than .8/2 and 1.5/4
    ],
)
def test_a_rule_takes_the_likeliest_that_are_likely_enough(rule: Rule, labels: list[str], quotes: list[str]) -> None:
    answer = say_clues(Sample("a", "It rains."), CLUES, rule)
    assert [emotion.label for emotion in answer.emotions] == labels
    assert [cause.quote for cause in answer.causes] == quotes
    assert all(cause.verified for cause in answer.causes)


def test_values_and_the_intensity_asked_for_are_told_as_they_are() -> None:
    sample = Sample("a", "It rains.", extra={"dimension": "fear"})
    values = (Clue("valence", "test", "valence", value=2.5), Clue("valence", "test", "arousal", value=3.0))
    answer = say_clues(sample, (*CLUES, *values), Rule())
    assert answer.answers == {"valence": 2.5, "arousal": 3.0, "intensity": 0.2}


def test_without_clues_nothing_is_said() -> None:
    answer = say_clues(Sample("a", "It rains."), (), Rule())
    assert (answer.emotions, answer.causes, answer.answers) == ((), (), {})


def test_the_rule_is_the_one_with_the_highest_headline() -> None:
    samples = rows(["joy", "fear"], ["joy", "fear"])
    clues = [(emotion("joy", 0.5), emotion("fear", 0.2), emotion("anger", 0.1))] * 2
    rule = fit_rule(samples, clues, [find_scorer("graded")], Case(samples, (), LABELS))
    assert {e.label for e in say_clues(samples[0], clues[0], rule).emotions} == {"joy", "fear"}


def test_of_rules_that_do_equally_well_the_one_that_says_least_is_taken() -> None:
    samples = rows(["joy"])
    assert fit_rule(samples, [(emotion("joy", 0.9),)], [find_scorer("accuracy")], Case(samples, (), LABELS)).labels == 1


def test_quotes_are_fitted_by_the_scorer_of_quotes() -> None:
    cause = (Cause("rains", 0, None, 3, 8, verified=True),)
    samples = rows(["joy"], causes=cause)
    clues = [(emotion("joy", 0.9), quote("rains", 0.8, 3), quote("It", 0.2))]
    rule = fit_rule(samples, clues, [find_scorer("quotes")], Case(samples, (), LABELS))
    assert [c.quote for c in say_clues(samples[0], clues[0], rule).causes] == ["rains"]


class Told(Specialist):
    """Says of each sample what stands in its text."""

    name = "told"
    kind = "emotion"

    def __init__(self) -> None:
        self.portions: list[int] = []

    def find_clues(self, samples: Sequence[Sample], clues: Sequence[Sequence[Clue]]) -> list[list[Clue]]:
        self.portions.append(len(samples))
        return [[Clue("emotion", self.name, sample.text, score=0.5)] for sample in samples]


def test_many_rows_are_noticed_in_portions_and_stay_in_order() -> None:
    samples = [Sample(str(row), f"word{row}") for row in range(300)]
    specialist = Told()
    found = notice([specialist], samples)
    assert [clues[0].label for clues in found] == [sample.text for sample in samples]
    assert specialist.portions == [256, 44]


def test_what_was_fitted_is_read_as_it_was_written() -> None:
    constants = ({"quote": True, "emotions": ["joy"]},)
    fitted = Fitted("train, 3 rows", (("joy", "fear"),), constants, (Rule(2, 0.5, 1, 0.3),))
    assert Fitted.of(fitted.row()) == fitted
