"""Laws of the shipped tasks (each can be run as its first line says) and of what `validate` finds in files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lookalikes
from emowhy.bench.catalogue import check, describe
from emowhy.bench.scorers import find_scorer
from emowhy.bench.task import find_task, list_tasks
from emowhy.datasets import DATASETS
from emowhy.errors import MissingError
from emowhy.prompt import load_strategy
from emowhy.taxonomy import find_taxonomy

SHIPPED = {name: find_task(name) for name in list_tasks()}
LABEL_METRICS = {"graded", "accuracy", "closed", "sets", "groups", "wheel", "votes", "pairs", "calibration"}
ONE_LABEL = [name for name, (task, _) in SHIPPED.items() if task.single and task.metrics[0] == "accuracy"]

each_task = pytest.mark.parametrize("name", SHIPPED)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("EMOWHY_DATA", raising=False)
    return lookalikes.every_set(tmp_path)


# What is shipped --------------------------------------------------------------------------------------------------


def test_every_data_set_that_can_be_scored_has_a_task() -> None:
    tuning_only = {"emollms_aaid"}
    assert {task.dataset for task, _ in SHIPPED.values()} == {*DATASETS, None} - tuning_only


@each_task
def test_the_first_line_is_the_command_that_runs_it(name: str) -> None:
    task, path = SHIPPED[name]
    first = path.read_text(encoding="utf-8").splitlines()[0]
    if task.dataset is None:  # a shipped file needs no --data
        assert first.startswith(f"# emowhy bench run {name} -o runs/")
    else:
        assert first == f"# emowhy bench run {name} --data DIR -o runs/{name}"


@each_task
def test_a_task_is_called_as_its_file(name: str) -> None:
    assert SHIPPED[name][0].name == name


@each_task
def test_splits_exist_and_nothing_is_fitted_on_what_is_scored(name: str) -> None:
    task, _ = SHIPPED[name]
    loader = task.loader()
    assert loader is None or {task.split, task.reference or task.split} <= set(loader.splits)
    assert task.reference != task.split


@each_task
def test_metrics_and_strategies_exist(name: str) -> None:
    task, _ = SHIPPED[name]
    assert all(find_scorer(metric).title for metric in task.metrics)
    for strategy in filter(None, (task.strategy, task.direct)):
        assert load_strategy(strategy).steps


@each_task
def test_the_label_set_is_its_loaders(name: str) -> None:
    task, _ = SHIPPED[name]
    if (loader := task.loader()) is not None:
        assert set(find_taxonomy(task.labels).labels) == set(loader.label_set())


@each_task
def test_a_task_asks_for_what_it_scores(name: str) -> None:
    task, _ = SHIPPED[name]
    fields = set(load_strategy(task.strategy or "cot").steps[-1].fields)
    needed = {"choice": {"choice"}, "values": {"valence", "intensity"}, "quotes": {"causes"}, "spans": {"causes"}}
    for metric in task.metrics:
        assert fields & needed.get(metric, {"emotions"} if metric in LABEL_METRICS else fields), metric


@each_task
def test_language_licence_and_source_are_those_of_the_data_set(name: str) -> None:
    task, _ = SHIPPED[name]
    loader = task.loader()
    assert all(task.terms())
    assert loader is None or task.language == loader.language


@pytest.mark.parametrize("name", ONE_LABEL)
def test_where_a_row_has_one_label_accuracy_leads(name: str) -> None:
    assert SHIPPED[name][0].metrics[:3] == ("accuracy", "closed", "graded")


def test_conditions_of_one_data_set_are_tasks_of_their_own() -> None:
    conditions = {name: task.condition for name, (task, _) in SHIPPED.items() if task.dataset == "emer_v2"}
    assert conditions == {
        "emer_v2": "subtitle", "emer_v2_observations": "observations", "emer_v2_gold_clues": "gold_clues"
    }  # fmt: skip


# What validate finds ----------------------------------------------------------------------------------------------


LOOKALIKE_ROWS = {  # the scored split's rows of `lookalikes.every_set`
    "goemotions": 6,
    "reccon_spans": 9,
    "reccon_turns": 9,
    "meld": 6,
    "emobank": 2,
    "emobench_eu": 6,
    "semeval2024": 6,
}


@pytest.mark.parametrize(("name", "rows"), LOOKALIKE_ROWS.items())
def test_whole_files_are_good_and_their_gold_answers_score_1(name: str, rows: int, data: Path) -> None:
    outcome = check(*SHIPPED[name], data)
    assert outcome["good"], outcome["lines"]
    assert outcome["lines"][0].startswith(f"{rows} rows of ")
    assert outcome["lines"][-1] == "the gold answers score 1 wherever they can"


def test_the_demo_set_is_good() -> None:
    task, path = SHIPPED["demo"]
    quick = tuple(metric for metric in task.metrics if metric != "clues")  # its encoder takes seconds to load
    outcome = check(task.model_copy(update={"metrics": quick}), path, None)
    assert outcome["good"], outcome["lines"]
    assert outcome["lines"][0] == "40 rows of all, 0 rejected"


def test_rejected_rows_are_counted_and_the_first_named(data: Path) -> None:
    lookalikes.goemotions(data, "test", lookalikes.COMMENTS)
    with (data / "goemotions" / "test.tsv").open("a") as file:
        file.write("no tab\nA text.\t99\tx1\n")
    lines = check(*SHIPPED["goemotions"], data)["lines"]
    assert lines[0] == "6 rows of test, 2 rejected"
    assert lines[1] == "rejected: line 7: 1 cells where there should be 3"
    assert lines[2].startswith("rejected: line 8: label id '99'")


def test_several_gold_spans_in_one_turn_are_no_fault(data: Path) -> None:
    rewrite(data / "reccon" / "dailydialog_test.json", lambda found: found["tr_0"][0][1].update(
        {"expanded emotion cause evidence": [1, 1], "expanded emotion cause span": ["I lost", "keys"]}
    ))  # fmt: skip
    assert check(*SHIPPED["reccon_spans"], data)["good"]


def test_punctuation_at_the_end_of_gold_spans_and_spans_not_in_the_text_are_no_fault(data: Path) -> None:
    def more(found: Any) -> None:
        found[0]["emotion-cause_pairs"] = [["2_anger", "1_leaks 1 times ."], ["2_anger", "2_never said"]]

    rewrite(data / "semeval2024" / "Subtask_1_train.json", more)
    outcome = check(*SHIPPED["semeval2024"], data)
    assert outcome["good"], outcome["lines"]
    assert "1 rows have a gold quote that is not verbatim: train-1-1 …" in outcome["lines"]


def test_a_metric_that_has_nothing_to_score_is_a_fault(data: Path) -> None:
    task, path = SHIPPED["emobank"]
    outcome = check(task.model_copy(update={"metrics": ("accuracy",)}), path, data)
    assert not outcome["good"]
    assert "accuracy cannot score these rows: no row has gold labels" in outcome["lines"]


def test_gold_labels_outside_the_label_set_are_named_and_blamed(data: Path) -> None:
    task, path = SHIPPED["goemotions"]
    outcome = check(task.model_copy(update={"labels": "ekman"}), path, data)
    assert not outcome["good"]
    assert "gold labels outside ekman: confusion, gratitude, love" in outcome["lines"]


def test_files_that_are_not_there_are_named_with_source_and_licence(tmp_path: Path) -> None:
    with pytest.raises(MissingError) as error:
        check(*SHIPPED["meld"], tmp_path)
    assert "test_sent_emo.csv" in error.value.message
    assert "github.com/declare-lab/MELD" in error.value.cure
    assert "GPL-3.0" in error.value.cure


def test_a_task_in_a_line_says_how_many_rows_or_where_to_get_them(data: Path) -> None:
    there, missing = describe("meld", data), describe("isear", data)
    assert (there["rows"], there["files"], there["metrics"]) == (6, "there", ["accuracy", "closed", "graded"])
    assert missing["rows"] is None
    assert missing["files"].startswith("Expects isear/isear.csv, from https://")


def test_files_that_are_there_but_unusable_are_not_called_missing(data: Path) -> None:
    (data / "goemotions" / "test.tsv").write_text("no tab\n")
    found = describe("goemotions", data)
    assert found["rows"] is None
    assert "no row of the split 'test' can be scored (1 rejected" in found["files"]


def rewrite(path: Path, change: Callable[[Any], None]) -> None:
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))
