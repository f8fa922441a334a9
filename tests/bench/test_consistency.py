"""Laws of consistency: another model reads the explanation alone, and label words tell it nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.bench.consistency import FIGURES, consistency, find_reader, gave_hints, hide_labels
from emowhy.bench.scorers import Case
from emowhy.bench.scorers.consistency import Consistency
from emowhy.bench.task import find_task, read_split
from emowhy.specialists.base import Classifier
from emowhy.taxonomy import Taxonomy, find_taxonomy
from emowhy.types import Clue, Emotion, Explanation, Gold, Sample

EKMAN = find_taxonomy("ekman")
GOEMOTIONS = find_taxonomy("goemotions")
LABELS = ("joy", "fear", "anger")
WORDS = {"sun": "joy", "dark": "fear", "slam": "anger"}


class Told(Classifier):
    """Names the label of the one word that it knows in a text; the first label where there is none."""

    name = "reader"

    def __init__(self, taxonomy: Taxonomy) -> None:
        super().__init__(taxonomy)
        self.seen: list[str] = []

    def probabilities(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.seen += texts
        found = [
            next((label for word, label in WORDS.items() if word in text), self.taxonomy.labels[0]) for text in texts
        ]
        return np.array([[float(label == one) for label in self.taxonomy.labels] for one in found], dtype=np.float32)


def sample(*gold: str) -> Sample:
    return Sample("a", text="Well.", gold=Gold(gold))


def answer(label: str, explanation: str | None) -> Explanation:
    return Explanation("a", emotions=(Emotion(label),), explanation=explanation)


def total(samples: Sequence[Sample], answers: Sequence[Explanation | None]) -> dict[str, float]:
    return consistency(samples, answers, Told(Taxonomy("x", LABELS))).total()


def test_the_three_figures_are_shares_of_rows_worked_out_by_hand() -> None:
    rows = [  # gold, named, read: eea epc fcr
        (sample("joy"), answer("joy", "The sun is out.")),  # joy joy joy: 1 1 1
        (sample("joy"), answer("fear", "The sun is out.")),  # joy fear joy: 1 0 0
        (sample("joy"), answer("fear", "It is dark.")),  # joy fear fear: 0 1 0
        (sample("joy", "anger"), answer("joy", "Doors slam.")),  # joy or anger, joy, anger: 1 0 1
        (sample("joy"), None),  # missing: 0 0 0
    ]
    found = total(*zip(*rows, strict=True))
    assert found == {"eea": 3 / 5, "epc": 2 / 5, "fcr": 2 / 5}
    assert tuple(found) == FIGURES


@pytest.mark.parametrize("given_answer", [None, answer("joy", None), answer("joy", " …"), Explanation("a")])
def test_a_row_without_an_explanation_counts_0_and_is_not_left_out(given_answer: Explanation | None) -> None:
    good = sample("joy"), answer("joy", "The sun is out.")
    assert total([good[0], sample("joy")], [good[1], given_answer]) == dict.fromkeys(FIGURES, 1 / 2)


def test_rows_without_gold_labels_count_for_the_agreement_with_the_prediction_only() -> None:
    unlabelled = Sample("b", text="Well.")
    answers = [answer("joy", "The sun is out."), answer("fear", "The sun is out."), answer("joy", "The sun is out.")]
    assert total([sample("joy"), unlabelled, sample()], answers) == {"eea": 1.0, "epc": 2 / 3, "fcr": 1.0}


@given(st.lists(st.tuples(*[st.sampled_from(LABELS)] * 2, st.sampled_from(list(WORDS))), min_size=1))
def test_both_right_never_exceeds_either_being_right(rows: list[tuple[str, str, str]]) -> None:
    found = total([sample(gold) for gold, _, _ in rows], [answer(label, f"A {word}.") for _, label, word in rows])
    accuracy = sum(gold == label for gold, label, _ in rows) / len(rows)
    assert found["fcr"] <= min(found["eea"], accuracy)


def test_words_of_an_open_task_are_brought_to_the_reader_s_labels() -> None:
    assert total([sample("happy")], [answer("Joyful", "The sun is out.")]) == dict.fromkeys(FIGURES, 1.0)


def test_the_reader_sees_neither_a_label_nor_a_synonym_nor_what_the_answer_names() -> None:
    reader = Told(EKMAN)
    told = answer("smug", "She is happy, not ANGRY; smug, as the sun is out.")
    consistency([sample("joy")], [told], reader)
    assert reader.seen == ["She is [MASK], not [MASK]; [MASK], as the sun is out."]


@given(st.sampled_from(GOEMOTIONS.labels), st.sampled_from(GOEMOTIONS.labels))
def test_an_explanation_reads_the_same_whichever_label_it_names(one: str, other: str) -> None:
    texts = {hide_labels(f"The words show {label} because the exam is near.", GOEMOTIONS) for label in (one, other)}
    assert len(texts) == 1


def test_the_reader_learns_more_from_a_row_s_own_explanation_than_from_the_next_row_s() -> None:
    task, path = find_task("demo")
    samples = read_split(task, path, None, task.split).samples
    golds = [s.gold or Gold() for s in samples]
    own = [answer((gold.emotions or ("",))[0], gold.explanation) for gold in golds]
    shifted = zip(own, own[1:] + own[:1], strict=True)
    others = [replace(one, explanation=following.explanation) for one, following in shifted]
    reader = find_reader(GOEMOTIONS.labels)
    own_total, others_total = (consistency(samples, answers, reader).total() for answers in (own, others))
    for figure in FIGURES:
        assert own_total[figure] > others_total[figure]


def test_the_reader_reads_the_same_whichever_label_an_explanation_ends_with() -> None:
    reader = find_reader(GOEMOTIONS.labels)
    why = "Something is coming up the dark stairs and she cannot get away. This is"
    found = [reader.probabilities([hide_labels(f"{why} {label}.", GOEMOTIONS)])[0] for label in GOEMOTIONS.labels]
    assert all((one == found[0]).all() for one in found)


def test_the_reader_s_label_set_is_the_task_s() -> None:
    assert find_reader(EKMAN.labels).taxonomy == EKMAN
    assert find_reader(()).taxonomy == GOEMOTIONS
    assert find_reader(("joy", "rage")).taxonomy.labels == ("joy", "rage")


def hinted(source: str) -> Explanation:
    return replace(answer("joy", "The sun is out."), clues=(Clue("emotion", source, "joy", score=0.5),))


@pytest.mark.parametrize(
    ("answers", "labels", "language", "why"),
    [
        ([answer("joy", None)], (), "en", "no answer has an explanation"),
        ([None], (), "en", "no answer has an explanation"),
        ([answer("joy", "So.")], (), "zh", "English"),
        ([answer("kwyjibo", "So.")], ("kwyjibo", "zzyzx"), "en", "none of the task's labels"),
        ([hinted("reader")], (), "en", "gave hints"),
        ([hinted("reader@weights")], (), "en", "gave hints"),
    ],
)
def test_the_scorer_says_why_it_does_not_apply(
    answers: list[Explanation | None], labels: tuple[str, ...], language: str, why: str
) -> None:
    assert why in (Consistency().applies(Case([sample("joy")], answers, labels, language=language)) or "")


def test_the_scorer_applies_to_explanations_under_another_s_hints_and_gives_the_figures_in_order() -> None:
    case = Case([sample("joy")], [hinted("emotion")], EKMAN.labels)
    assert not gave_hints(find_reader(()), case.answers)
    assert Consistency().applies(case) is None
    assert tuple(Consistency().measure(case).total()) == ("eea", "epc", "fcr")
