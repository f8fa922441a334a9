"""Laws of the tables that say what specialists are worth, with clues that are known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from emowhy.specialists import Classifier, Specialist, load_specialists
from emowhy.specialists.evaluate import agreement, cause_figures, evaluate, label_figures, value_figures
from emowhy.taxonomy import Taxonomy, find_taxonomy
from emowhy.types import Cause, Clue, Gold, Sample, Turn

OWN = find_taxonomy("anger, joy, neutral")
SAID = {"rage": (0.8, 0.1, 0.1), "fun": (0.2, 0.6, 0.2), "chair": (0.1, 0.2, 0.7), "huh": (0.4, 0.3, 0.3)}


class Table(Classifier):
    """Each text's probabilities are what stands in a table; from .5 on a label is chosen."""

    name = "table"

    def __init__(self, taxonomy: Taxonomy = OWN, table: Mapping[str, tuple[float, ...]] = SAID) -> None:
        super().__init__(taxonomy)
        self.table = table

    def probabilities(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.array([self.table[text] for text in texts], dtype=np.float32).reshape(-1, len(self.taxonomy.labels))

    def candidate_bound(self, coverage: float) -> float | None:
        return 0.3 if coverage == 0.9 else None


class Told(Specialist):
    """Gives the clues that each sample carries along."""

    name, kind = "told", "cause"

    def find_clues(self, samples: Sequence[Sample], clues: Sequence[Sequence[Clue]]) -> list[list[Clue]]:
        return [list(sample.extra.get("clues", ())) for sample in samples]


def emotional(text: str, *labels: str) -> Sample:
    return Sample(text, text, gold=Gold(labels))


def cause(sample: Sample, quote: str, turn: int, score: float = 0.5, source: str = "told") -> Clue:
    start = sample.turns()[turn].text.index(quote)
    return Clue("cause", source, None, None, quote, turn, None, start, start + len(quote), score, True)


def gold_cause(sample: Sample, quote: str, turn: int) -> Cause:
    start = sample.turns()[turn].text.index(quote)
    return Cause(quote, turn, None, start, start + len(quote), True)


ROWS = [emotional("rage", "anger"), emotional("fun", "joy"), emotional("chair", "neutral"), emotional("huh", "joy")]


def test_label_figures_by_hand() -> None:
    found = label_figures(Table(), ROWS)
    # chosen: anger, joy, neutral, none: F1 1, 2/3, 1; likeliest: right, right, right, anger; "huh" has joy third place
    # of equal .3 (stable: second), so within three of three labels, which is no figure
    assert found["n"] == 4
    assert found["macro_f1"] == pytest.approx((1 + 2 / 3 + 1) / 3)
    assert found["top1"] == 3 / 4
    assert "top3" not in found
    # from .3 on: 1 + 1 + 1 + 3 labels, and all gold labels are among them
    assert (found["coverage_90"], found["set_size_90"]) == (1, 6 / 4)
    # confidences .4 .6 .7 .8 against 0 1 1 1, a bin each
    assert found["ece_top"] == pytest.approx((0.4 + 0.4 + 0.3 + 0.2) / 4)
    assert "macro_f1, refitted" not in found  # too few rows to fit anything


def test_only_rows_with_words_and_gold_emotions_count_and_labels_of_no_use_are_counted() -> None:
    more = [
        Sample("a", "huh"),
        Sample("b", "?!", gold=Gold(("joy",))),
        Sample("c", "huh", gold=Gold(causes=())),
        emotional("rage", "anger", "hangry", "zeal"),
        emotional("rage"),  # "none" is an answer: it is a row, and its candidates are misses
    ]
    found = label_figures(Table(), [*ROWS, *more])
    assert (found["n"], found["gold labels of no use"]) == (6, 2)
    assert found["top1"] == pytest.approx(4 / 6)
    assert label_figures(Table(), more[:3]) == {}
    assert label_figures(Table(), []) == {}


def test_refitted_figures_use_other_rows_than_those_they_are_fitted_on() -> None:
    random = np.random.default_rng(0)
    labels = find_taxonomy("anger, joy, neutral").labels
    gold = random.integers(0, 3, 400)
    table = {f"row {i}": tuple(random.dirichlet((1, 1, 1)) * 0.2 + 0.4 * np.eye(3)[k]) for i, k in enumerate(gold)}
    rows = [emotional(f"row {i}", labels[k]) for i, k in enumerate(gold)]
    found = label_figures(Table(OWN, table), rows)
    # gold labels have .4 to .6, others less than .2; the shipped threshold of .5 misses about half of them
    assert found["macro_f1, refitted"] > 0.99 > found["macro_f1"]


def test_value_figures_by_hand() -> None:
    samples = [Sample(str(v), "x", gold=Gold(answers={"valence": v, "dominance": 3.0})) for v in (1.0, 2.0, 3.0)]
    samples.append(Sample("unrated", "x"))
    clues = [[Clue("valence", "v", "valence", v), Clue("valence", "v", "arousal", 2.0)] for v in (2.0, 2.5, 4.5, 1.0)]
    # deviations of gold −1 0 1, of the values −1 −.5 1.5: r = 2.5 / √(2 · 3.5); errors 1, .5, 1.5
    found = value_figures(samples, clues)
    wanted = {"n": 3, "r_valence": 2.5 / math.sqrt(2 * 3.5), "error_valence": 1.0}
    assert found == pytest.approx(wanted)
    assert value_figures(samples, [[]] * 4) == {}


DIALOGUE = Sample("d", "So happy today!", "A", (Turn("I won the race", "A"), Turn("Oh, really?", "B")))


def asked(*causes: Cause) -> Sample:
    return Sample("d", DIALOGUE.text, "A", DIALOGUE.context, gold=Gold(causes=causes))


def test_cause_figures_by_hand() -> None:
    first = asked(gold_cause(DIALOGUE, "won the race", 0), gold_cause(DIALOGUE, "happy", 2))
    told = [cause(DIALOGUE, "the race", 0, 0.6), cause(DIALOGUE, "I", 0, 0.3), cause(DIALOGUE, "really", 1)]
    found = cause_figures([first, asked(), Sample("no gold", "x")], [told, [], told])
    # one of three quotes overlaps by 8/12, none the other gold; the second row says "none", rightly; the third was
    # never annotated
    row = (1 / 3, 1 / 2, 2 / 5, 2 * (8 / 12) / (3 + 2))
    names = ("precision at .5", "recall at .5", "span F at .5", "span F by overlap")
    assert [found[name] for name in names] == pytest.approx([(value + 1) / 2 for value in row])
    # words: "the race", "I", "really" are 4, gold has 4, 2 are shared
    assert found["n"] == 2
    assert found["word_f1"] == pytest.approx(2 * 2 / (4 + 4))
    # RECCON reads the likeliest quote of each turn: "race" of "won race", nothing of "happy"; turn 1 told wrongly,
    # and three turns of the second row rightly empty
    assert (found["positives"], found["negatives"]) == (2, 4)
    assert found["f1_pos"] == pytest.approx((2 / 3 + 0) / 2)
    assert found["f1"] == pytest.approx((2 / 3 + 0 + 0 + 3) / 6)
    assert cause_figures([Sample("no gold", "x")], [told]) == {}


def test_agreement_by_hand() -> None:
    a = [cause(DIALOGUE, "won the", 0, source="a"), cause(DIALOGUE, "happy", 2, source="a")]
    b = [cause(DIALOGUE, "the race", 0, source="b")]
    # words of a: won, the, happy; of b: the, race
    found = agreement([DIALOGUE, DIALOGUE], [[*a, *b], a], "a", "b")  # where b marks nothing, nothing is asked
    wanted = {"n": 1, "precision": 1 / 3, "recall": 1 / 2, "word_f1": 2 / 5}
    assert found == pytest.approx(wanted)
    assert agreement([DIALOGUE], [[*a, *b]], "b", "a")["precision"] == found["recall"]
    assert agreement([DIALOGUE], [a], "a", "b") == {"n": 0, "precision": 0, "recall": 0, "word_f1": 0}


def test_a_specialist_has_a_table_for_all_that_it_tells_and_there_is_gold_for() -> None:
    clues = (cause(DIALOGUE, "race", 0), Clue("valence", "told", "valence", 3.0))
    gold = Gold(("joy",), (gold_cause(DIALOGUE, "race", 0),), answers={"valence": 4.0})
    rows = [Sample("d", "fun", context=DIALOGUE.context, gold=gold, extra={"clues": clues})] * 300
    tables = evaluate([Table(), Told()], rows)
    assert list(tables) == ["table", "told, values", "told, spans"]
    assert [tables[name][key] for name, key in (("table", "n"), ("told, spans", "n"))] == [300, 300]
    assert tables["told, values"]["error_valence"] == 1
    assert tables["told, spans"]["em_pos"] == 1
    assert list(evaluate([Table(), Told()], ROWS)) == ["table"]
    assert evaluate([Table(), Told()], []) == {}


def test_trained_specialists_are_evaluated_like_any(tiny_specialist: Path) -> None:
    names = ("emotion", "cue", "valence", "cause")
    loaded = load_specialists([f"{name}@{tiny_specialist}" for name in names], find_taxonomy("goemotions"))
    gold = Gold(("joy",), (gold_cause(DIALOGUE, "happy", 2),), answers={"valence": 4.0})
    rows = [Sample(str(i), f"So happy {'so ' * i}!", "A", DIALOGUE.context, gold=gold) for i in range(20)]
    tables = evaluate(loaded, rows)
    told = {"emotion": "", "valence": ", values", "cue": ", spans", "cause": ", spans"}
    assert {f"{name}@{tiny_specialist}{what}" for name, what in told.items()} == set(tables)
    assert all(math.isfinite(value) for figures in tables.values() for value in figures.values())
