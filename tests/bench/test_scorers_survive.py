"""The list "Every scorer must survive these": each was seen in a published scorer, each has its test here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from emowhy.bench import leaks
from emowhy.bench.answers import join, read_predictions
from emowhy.bench.judge import EmerLegacy
from emowhy.bench.judge_cache import JudgeCache
from emowhy.bench.judge_reply import read_score
from emowhy.bench.metrics.clue_similarity import clue_f1, clue_similarity, fit_threshold
from emowhy.bench.scorers import Case, find_scorer
from emowhy.bench.task import Task
from emowhy.engines import Engine
from emowhy.taxonomy import find_taxonomy
from emowhy.types import Cause, Chat, Emotion, Explanation, Gold, Reply, Sample, Turn

EKMAN = find_taxonomy("ekman")


def labelled(id: str, *gold: str) -> Sample:
    return Sample(id, "It rains again.", gold=Gold(tuple(gold)))


def says(id: str, *labels: str, explanation: str | None = None) -> Explanation:
    return Explanation(id, emotions=tuple(map(Emotion, labels)), explanation=explanation)


def first(metric: str, samples: Sequence[Sample], answers: Sequence[Explanation | None]) -> float:
    """The first figure of a metric."""
    case = Case(samples, answers, EKMAN.labels)
    return next(iter(find_scorer(metric).measure(case).total().values()))


def caused(id: str, turns: int, *causes: int) -> Sample:
    """An emotional turn after `turns` others; its causes are the first word of some turns."""
    said = tuple(Cause("Rain", turn, None, 0, 4, verified=True) for turn in causes)
    return Sample(id, "Rain again.", context=(Turn("Rain now."),) * turns, gold=Gold(("anger",), said))


# Missing answers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["graded", "accuracy", "sets", "closed"])
def test_the_score_of_the_sample_before_is_not_reused_after_a_parse_failure(metric: str) -> None:
    samples = [labelled("a", "joy"), labelled("b", "joy")]
    failed = Explanation("b", status="unparsed", emotions=(Emotion("joy"),))
    answers = join(samples, {"a": says("a", "joy"), "b": failed})
    rows = find_scorer(metric).measure(Case(samples, answers.scored, EKMAN.labels)).rows
    assert [list(values) for values in rows.values()] == [[1, 0]] * len(rows)
    assert answers.statuses == {"ok": 1, "unparsed": 1}


def test_unparsable_samples_stay_in_the_denominator() -> None:
    samples = [labelled(name, "joy") for name in "abcd"]
    answers = [says("a", "joy"), None, None, None]
    assert first("accuracy", samples, answers) == 0.25  # one of four, not one of one
    assert first("graded", samples, answers) == 0.25
    assert first("sets", samples, answers) == 0.25  # precision and recall are 1/4 each
    # joy: 2·1 / (1 said + 4 gold) = .4, over the seven labels .4/7
    assert first("closed", samples, answers) == pytest.approx(0.4 / 7)


def test_an_unparsed_reply_earns_nothing_on_a_negative() -> None:
    samples = [caused("a", 2)]  # three turns, none of them a cause
    empty = says("a", "anger")
    spans = find_scorer("spans").measure(Case(samples, [None])).total()
    assert (spans["f1"], spans["f1_neg"]) == (0, 0)
    assert find_scorer("spans").measure(Case(samples, [empty])).total()["f1"] == 1
    assert (first("quotes", samples, [None]), first("quotes", samples, [empty])) == (0, 1)
    assert first("graded", [labelled("a")], [None]) == 0
    assert first("graded", [labelled("a")], [says("a")]) == 1


def test_a_missing_row_does_not_spare_the_other_class_its_error() -> None:
    # row a: turns 0 and 1 are causes, turn 2 is none; row b, answered rightly: turn 2 of three is one
    samples = [caused("a", 2, 0, 1), caused("b", 2, 2)]
    right = find_scorer("turns").gold_answer(samples[1])
    # right yes 1, right no 2, wrong 3 (missing): F yes 2/(2+3), F no 4/(4+3)
    assert first("turns", samples, [None, right]) == pytest.approx((2 / 5 + 4 / 7) / 2)
    # answered empty: right yes 1, right no 3, wrong 2: F yes 2/(2+2), F no 6/(6+2)
    assert first("turns", samples, [says("a"), right]) == pytest.approx((1 / 2 + 3 / 4) / 2)


def test_a_system_that_answers_a_part_is_scored_over_all_rows(tmp_path: Path) -> None:
    samples = [labelled(name, "joy") for name in "abcd"]
    file = tmp_path / "part.jsonl"
    file.write_text(json.dumps({"id": "d", "emotions": ["joy"]}) + "\n")  # what a resumed run newly wrote
    answers = read_predictions(file, samples, EKMAN, ("emotions",))
    assert first("accuracy", samples, answers.scored) == 0.25
    assert answers.statuses == {"missing": 3, "ok": 1}


# Wrong answers ----------------------------------------------------------------------------------------------------


def test_off_list_output_is_not_turned_into_neutral() -> None:
    samples = [labelled("a", "neutral"), labelled("b", "neutral")]
    answers = [says("a", "meh"), says("b", "zorbly")]
    figures = find_scorer("closed").measure(Case(samples, answers, EKMAN.labels)).total()
    assert (figures["weighted_f1"], figures["jaccard"], figures["off_list"]) == (0, 0, 1)
    assert first("accuracy", samples, answers) == 0


@pytest.mark.parametrize("metric", ["graded", "sets", "closed", "accuracy"])
def test_long_answers_do_not_win_by_recall(metric: str) -> None:
    samples = [labelled("a", "joy"), labelled("b", "fear"), labelled("c", "anger")]
    everything = [says(sample.id, *sorted(EKMAN.labels, reverse=True)) for sample in samples]
    modest = [says("a", "joy"), says("b", "fear"), says("c", "surprise")]
    assert first(metric, samples, everything) < first(metric, samples, modest)


def test_quoting_every_turn_whole_does_not_win_by_recall() -> None:
    sample = caused("a", 2, 0)
    texts = [turn.text for turn in sample.turns().values()]
    greedy = Explanation("a", causes=tuple(Cause(t, n, None, 0, len(t), True) for n, t in enumerate(texts)))
    exact = find_scorer("quotes").gold_answer(sample)
    for metric in ("quotes", "spans", "turns"):
        assert first(metric, [sample], [greedy]) < first(metric, [sample], [exact])


def test_a_made_up_quote_is_no_match_for_a_gold_quote_without_a_place() -> None:
    sample = Sample("a", "It rains.", gold=Gold(causes=(Cause("the rain", 0),)))
    made_up = Explanation("a", causes=(Cause("nonsense", 0),))
    assert first("quotes", [sample], [made_up]) == 0
    assert first("quotes", [sample], [find_scorer("quotes").gold_answer(sample)]) == 1


def test_similarity_counts_above_a_threshold_that_wrong_texts_do_not_pass() -> None:
    generator = np.random.default_rng(0)
    wrong = [generator.uniform(0, 0.6, (3, 3)) for _ in range(50)]  # cosines of clues that do not belong together
    threshold = fit_threshold(wrong)
    assert np.mean([clue_similarity(cosines)[2] for cosines in wrong]) > 0.3  # similarity alone pays for nonsense
    assert np.mean([clue_f1(cosines, threshold)[2] for cosines in wrong]) <= 0.05


def test_clues_are_alike_per_modality_only_where_the_texts_have_such_clues() -> None:
    gold = "His brows are lowered and his lips are pressed. His voice is loud and fast."
    sample = Sample("a", "No.", gold=Gold(explanation=gold))

    def alike(*told: str | None) -> tuple[float, ...]:
        answers = [None if text is None else Explanation("a", explanation=text) for text in told]
        found = find_scorer("clues").measure(Case([sample] * len(told), answers, EKMAN.labels)).total()
        return tuple(found[f"clue_similarity_{modality}"] for modality in ("visual", "audio", "text"))

    assert alike(gold)[:2] == pytest.approx((1, 1))
    assert np.isnan(alike(gold)[2])
    assert alike("His brows are lowered and his lips are pressed.")[:2] == pytest.approx((1, 0))
    assert alike("His voice is loud and fast.")[:2] == pytest.approx((0, 1))
    assert alike(gold, None)[:2] == pytest.approx((0.5, 0.5))
    assert alike(None)[:2] == (0, 0)


# Judges and choices -----------------------------------------------------------------------------------------------


def test_the_first_number_in_a_reply_is_not_taken_as_the_score() -> None:
    assert read_score("Score (1-10): 8")[0] == 8
    assert read_score("On a scale from 1 to 10 I rate it 7.")[0] == 7
    with pytest.raises(ValueError, match="no score"):
        read_score("I judge on a scale of 1-10.")


class Counting(Engine):
    """Always the same reply; remembers the prompts."""

    name = "counting"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def generate(self, chats: Sequence[Chat]) -> list[Reply]:
        self.asked += [str(chat.about["prompt"]) for chat in chats]
        return [Reply(json.dumps({"reason": "So.", "score": 5, "emotions": ["angry"]}))] * len(chats)


def test_gold_words_are_not_extracted_again_for_every_system(tmp_path: Path) -> None:
    sample = Sample("a", "Leave!", gold=Gold(explanation="She is loud and angry."))
    engine = Counting()
    for text in ("He sounds upset.", "She is calm.", "Nobody speaks."):  # three systems
        EmerLegacy(engine, JudgeCache(tmp_path / "judge.jsonl")).judge([sample], [says("a", explanation=text)])
    assert engine.asked.count(EmerLegacy.prompts[1]) == 1 + 3  # gold once, every system's own words


def test_what_was_chosen_on_the_scored_split_is_told() -> None:
    task = Task(name="t", title="T", dataset="goemotions", split="dev", metrics=("graded",))
    chosen = {"name": "emotion", "chosen_on": ["goemotions:dev"]}
    assert "something was chosen on the split 'dev'" in str(leaks.chosen_note(task, [chosen]))
    assert leaks.chosen_note(task.model_copy(update={"split": "test"}), [chosen]) is None
