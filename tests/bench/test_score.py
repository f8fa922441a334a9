"""Laws of a scored task: every system on the same rows, what is gained and lost between them, and nothing left out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from emowhy.bench.answers import dump_line, join
from emowhy.bench.controls import Fitted
from emowhy.bench.measure import Resampling
from emowhy.bench.score import Kind, Scorable, System, candidates, gains, merged, score
from emowhy.bench.task import Task
from emowhy.types import Clue, Emotion, Explanation, Gold, Sample, Usage

TASK = Task(name="t", title="T", file="t.jsonl", licence="CC0-1.0", labels="ekman", metrics=("accuracy", "graded"))
GOLD = ("joy", "joy", "fear", "anger", "sadness", "surprise")
SAMPLES = [
    Sample(f"r{row}", "Hm.", gold=Gold((label,)), extra={"dialogue": f"d{row // 2}"}) for row, label in enumerate(GOLD)
]


def system(name: str, labels: Sequence[str | None], kind: Kind = "asked", **more: Any) -> System:
    """One label a row; None leaves it unanswered."""
    said = {
        sample.id: Explanation(sample.id, emotions=(Emotion(label),), **more)
        for sample, label in zip(SAMPLES, labels, strict=True)
        if label is not None
    }
    return System(name, kind, join(SAMPLES, said))


MODEL = system("model", ["joy", "joy", "fear", "anger", "joy", None])  # 4 of 6; 4 of 5 answered
OTHER = system("other", ["joy", "fear", "fear", "joy", "sadness", "surprise"], "variant")  # 4 of 6
SCORABLE = Scorable(TASK, SAMPLES, [MODEL, OTHER])


def figure(result: Mapping[str, Any], name: str, which: str = "model") -> dict[str, Any]:
    found: dict[str, Any] = result["systems"][which]["figures"][name.split("_")[0]][name]
    return found


def test_the_headline_is_the_first_figure_of_the_first_metric_that_can_be_used() -> None:
    assert score(SCORABLE).result["headline"] == "accuracy.accuracy"
    task = TASK.model_copy(update={"metrics": ("choice", "graded")})
    result = score(replace(SCORABLE, task=task)).result
    assert result["headline"] == "graded.graded_f"
    assert result["skipped"] == {"choice": "no row has a right choice"}
    assert "choice" not in result["systems"]["model"]["figures"]


def test_figures_are_over_all_rows_and_over_answered_ones_beside() -> None:
    found = figure(score(SCORABLE).result, "accuracy")
    assert (found["value"], found["answered"]) == (pytest.approx(4 / 6), pytest.approx(4 / 5))
    assert found["low"] <= found["value"] <= found["high"]


def test_every_row_that_has_no_answer_is_counted_by_its_reason() -> None:
    failed = Explanation("r0", status="truncated", usage=Usage(10, 256))
    one = System("model", "asked", join(SAMPLES, {"r0": failed, "r1": Explanation("r1", parse="lenient")}))
    found = score(replace(SCORABLE, systems=[one])).result["systems"]["model"]
    assert found["rates"] == {
        "ok": 1, "missing": 4, "unparsed": 0, "truncated": 1, "refused": 0, "error": 0, "lenient": 1
    }  # fmt: skip
    assert found["tokens"] == {"prompt": 10, "completion": 256}
    assert found["notes"] == ["4 of 6 rows have no answer, which counts as wrong: r2, r3, r4, r5"]


def test_rows_of_one_dialogue_are_resampled_together() -> None:
    half_right = system("model", ["joy", "joy", "fear", "anger", "anger", "anger"])  # d0 and d1 right, d2 wrong
    apart = TASK.model_copy(update={"group": "none"})
    together, single = (score(replace(SCORABLE, task=t, systems=[half_right])).result for t in (TASK, apart))
    assert (together["groups"], single["groups"]) == (3, 6)
    # all three drawn the same, 1 in 27: the interval reaches from 0 to 1 by dialogues, but not by rows
    assert (figure(together, "accuracy")["low"], figure(together, "accuracy")["high"]) == (0, 1)
    assert figure(single, "accuracy")["low"] > 0


def test_without_near_duplicates_figures_stand_beside() -> None:
    assert "without_near_duplicates" not in figure(score(SCORABLE).result, "accuracy")
    result = score(replace(SCORABLE, near_duplicates=frozenset(["r0", "r1", "r2"]))).result
    assert result["near_duplicates"] == 3
    found = figure(result, "accuracy")
    assert (found["value"], found["without_near_duplicates"]) == (pytest.approx(4 / 6), pytest.approx(1 / 3))
    every = frozenset(sample.id for sample in SAMPLES)
    none_left = score(replace(SCORABLE, near_duplicates=every)).result
    assert math.isnan(figure(none_left, "accuracy")["without_near_duplicates"])


def test_the_constant_arm_has_a_chance_corrected_figure_of_0_and_gold_of_1() -> None:
    constant, gold = system("constant", ["joy"] * 6, "control"), system("gold", GOLD)
    fitted = Fitted("train, 9 rows", (("joy",),))
    result = score(replace(SCORABLE, systems=[constant, gold], fitted=fitted)).result
    assert figure(result, "graded_constant", "gold")["value"] == pytest.approx(2 / 6)
    corrected = [figure(result, "graded_corrected", which) for which in ("constant", "gold")]
    assert [found["value"] for found in corrected] == pytest.approx([0, 1])
    assert [found["low"] for found in corrected] == pytest.approx([0, 1])  # in every resample
    assert result["fitted"]["on"] == "train, 9 rows"


# Systems against each other ---------------------------------------------------------------------------------------


def test_the_first_system_is_compared_with_every_other_by_hand() -> None:
    (row,) = score(SCORABLE).result["comparisons"]
    # right only in the model: r1, r3; only in the other: r4, r5 (which the model left unanswered)
    assert (row["system"], row["against"], row["figure"]) == ("model", "other", "accuracy")
    assert (row["difference"], row["rescued"], row["harmed"], row["net_gain"]) == (0, 2, 2, 0)
    assert row["mcnemar_p"] == 1
    assert row["low"] <= 0 <= row["high"]


def test_gains_by_hand() -> None:
    resampling = Resampling([str(row) for row in range(5)])
    before, after = np.array([0.2, 0.5, 0.5, 1.0, math.nan]), np.array([0.4, 0.5, 0.1, 1.0, 1.0])
    found = gains(before, after, resampling)
    assert (found["rescued"], found["harmed"]) == (1, 1)
    assert found["net_gain"] == 0  # (1 − 1) of 4 rows that both have
    assert "mcnemar_p" not in found  # shares are neither right nor wrong
    right = gains(np.zeros(5), np.array([1.0, 1, 1, 0, 0]), resampling)
    assert (right["rescued"], right["net_gain"]) == (3, pytest.approx(3 / 5))
    assert right["mcnemar_p"] == pytest.approx(2 / 2**3)


def test_p_values_are_corrected_over_the_comparisons_of_all_tasks() -> None:
    tasks = {name: {"comparisons": [{"p": p} for p in ps]} for name, ps in (("a", (0.01, 0.04)), ("b", (0.02,)))}
    # sorted .01 .02 .04 of three: .03, .04, .04
    found = [row["p_holm"] for task in merged(tasks).values() for row in task["comparisons"]]
    assert found == pytest.approx([0.03, 0.04, 0.04])


def test_candidates_are_ranked_by_score_and_recalled_by_hand() -> None:
    def clues(*labels: str) -> tuple[Clue, ...]:
        return tuple(Clue("emotion", "s", label, score=1 / (k + 1)) for k, label in enumerate(labels))

    told = {
        "r0": clues("joy"),  # first
        "r1": tuple(reversed(clues("fear", "Joyful"))),  # second, in another form and order
        "r2": clues("joy", "anger", "sadness", "surprise", "fear"),  # fifth
    }
    said = {id: Explanation(id, clues=found) for id, found in told.items()}
    what = replace(SCORABLE, systems=[MODEL, System("hints", "asked", join(SAMPLES, said))])
    expected = {"recall_1": 1 / 6, "recall_3": 2 / 6, "recall_5": 3 / 6}
    assert candidates(what) == pytest.approx(expected)
    assert candidates(SCORABLE) is None


# What is written --------------------------------------------------------------------------------------------------


def test_there_is_a_line_for_each_row_and_system() -> None:
    rows = score(SCORABLE).rows
    assert [(row["system"], row["id"]) for row in rows] == [
        (name, sample.id) for name in ("model", "other") for sample in SAMPLES
    ]
    assert rows[0] == {
        "id": "r0", "system": "model", "status": "ok", "right": 1.0,
        "scores": {"accuracy": 1.0, "hit_any": 1.0, "graded_f": 1.0},
    }  # fmt: skip
    assert (rows[5]["status"], rows[5]["right"], rows[5]["scores"]["graded_f"]) == ("missing", 0, 0)


def test_scoring_twice_is_the_same_to_the_byte() -> None:
    one, two = score(SCORABLE), score(SCORABLE)
    assert json.dumps(one.result) == json.dumps(two.result)
    assert [dump_line(row) for row in one.rows] == [dump_line(row) for row in two.rows]


def test_a_system_that_said_nothing_at_all_scores_0() -> None:
    silent = System("silent", "asked", join(SAMPLES, {}))
    result = score(replace(SCORABLE, systems=[silent, OTHER])).result
    assert figure(result, "accuracy", "silent")["value"] == 0
    assert result["comparisons"][0]["harmed"] == 4


def test_rows_without_gold_of_a_kind_count_for_nothing_in_its_figures() -> None:
    bare = [*SAMPLES[:2], *(replace(sample, gold=None) for sample in SAMPLES[2:])]
    wrong_elsewhere = system("model", ["joy", "fear", "joy", "joy", "joy", "joy"])
    result = score(Scorable(TASK, bare, [wrong_elsewhere])).result
    assert figure(result, "accuracy")["value"] == 0.5
    assert figure(result, "graded_f")["value"] == 0.5
