"""Laws of `emowhy bench`: what it prints where, how it ends, and that every kind of task runs from files to a table."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import lookalikes
from emowhy.bench.task import list_tasks
from emowhy.cli import app

QUICK = ("--data", "data", "--engine", "scripted", "--strategy", "direct", "--hints", "none", "--arms", "none")
SIX = ("goemotions", "reccon_spans", "meld", "emobank", "emobench_eu", "semeval2024")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("EMOWHY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    lookalikes.every_set(Path("data"))
    return tmp_path


def bench(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["bench", *arguments])


def strict(text: str) -> Any:
    """JSON without NaN and the like."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


# run --------------------------------------------------------------------------------------------------------------


def test_every_kind_of_task_runs_from_its_files_to_a_table_with_all_controls() -> None:
    done = bench("run", *SIX, "-o", "run", "--data", "data", "--engine", "scripted", "--json")
    assert done.exit_code == 0, done.output
    tasks = strict(done.stdout)["tasks"]
    assert {name: task["headline"] for name, task in tasks.items()} == {
        "goemotions": "graded.graded_f",
        "reccon_spans": "spans.f1_pos",
        "meld": "accuracy.accuracy",
        "emobank": "values.r_valence",
        "emobench_eu": "choice.choice_accuracy",
        "semeval2024": "pairs.pairs_proportional",
    }
    assert {name: (task["n"], task["groups"]) for name, task in tasks.items()} == {
        "goemotions": (6, 6),
        "reccon_spans": (9, 3),
        "meld": (6, 3),
        "emobank": (2, 2),
        "emobench_eu": (6, 3),
        "semeval2024": (6, 3),
    }
    for name, task in tasks.items():
        assert task["skipped"] == {}, name
        assert all(one["rates"]["ok"] == task["n"] for one in task["systems"].values()), name


def test_controls_are_those_that_a_task_has() -> None:
    done = bench("run", "emobank", "emobench_eu", "-o", "run", "--data", "data", "--engine", "scripted", "--json")
    systems = {name: list(task["systems"]) for name, task in strict(done.stdout)["tasks"].items()}
    assert systems == {
        "emobank": ["tasks_valence-order", "tasks_valence-none", "tasks_valence_direct-order", "specialists"],
        "emobench_eu": ["tasks_choice-order", "tasks_choice-none", "tasks_choice_direct-order", "constant"],
    }


def test_the_first_choice_is_right_where_it_is_and_an_item_needs_both() -> None:
    done = bench("run", "emobench_eu", "-o", "run", *QUICK, "--json")
    figures = strict(done.stdout)["tasks"]["emobench_eu"]["systems"]["tasks_choice-none"]["figures"]["choice"]
    assert (figures["choice_accuracy"]["value"], figures["item_accuracy"]["value"]) == (0.5, 0)


def test_the_table_is_on_stdout_and_where_it_lies_on_stderr() -> None:
    done = bench("run", "meld", "-o", "run", *QUICK)
    assert done.exit_code == 0, done.output
    assert done.stdout == Path("run/results.md").read_text()
    assert "| direct-none |" in done.stdout
    assert done.stderr.splitlines()[-1].startswith("results: run/results.json")
    assert all(Path("run", name).is_file() for name in ("results.json", "report.html", "meld/scores.jsonl"))


def test_quiet_prints_the_table_and_nothing_else() -> None:
    done = bench("run", "meld", "-o", "run", *QUICK, "--quiet")
    assert done.stderr == ""
    assert done.stdout == Path("run/results.md").read_text()


def test_the_same_command_prints_the_same_again() -> None:
    one, two = (bench("run", "meld", "-o", "run", *QUICK) for _ in range(2))
    assert one.stdout == two.stdout


def test_a_grid_is_every_strategy_under_every_policy_of_hints() -> None:
    given = ("--data", "data", "--engine", "scripted", "--arms", "none", "--strategy", "cot,direct")
    done = bench("run", "meld", "-o", "run", *given, "--hints", "none", "--hints", "order", "--json")
    assert list(strict(done.stdout)["tasks"]["meld"]["systems"]) == [
        "cot-none", "cot-order", "direct-none", "direct-order"
    ]  # fmt: skip


def test_more_failures_than_allowed_end_with_3() -> None:
    Path("bad.jsonl").write_text(json.dumps({"text": "I would rather not say."}) + "\n")
    options = ("--model", "bad.jsonl", "--max-failures", "50%")
    assert bench("run", "meld", "-o", "run", *QUICK, *options).exit_code == 3


def test_replies_that_cannot_be_read_count_as_wrong() -> None:
    Path("bad.jsonl").write_text(json.dumps({"text": "I would rather not say."}) + "\n")
    done = bench("run", "reccon_spans", "-o", "run", *QUICK, "--model", "bad.jsonl", "--json")
    system = strict(done.stdout)["tasks"]["reccon_spans"]["systems"]["direct-none"]
    assert system["rates"]["unparsed"] == 9
    assert {key: next(iter(figures.values()))["value"] for key, figures in system["figures"].items()} == dict.fromkeys(
        ("spans", "turns", "quotes", "accuracy", "closed"), 0
    )


# What is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "meld", *QUICK), "where should the results go?"),
        (("run", "meldd", "-o", "run", *QUICK), "did you mean 'meld'"),
        (("run", "meld", "meld:train", "-o", "run", *QUICK), "a task was named twice"),
        (("run", "meld:trial", "-o", "run", *QUICK), "did you mean 'train'"),
        (("run", "isear", "-o", "run", *QUICK), "no file of isear"),
        (("run", "meld", "-o", "run", *QUICK, "--arms", "direkt"), "did you mean 'direct'"),
        (("score", "meld", "--predictions", "none.jsonl"), "where should the results go?"),
        (("score", "meld", "--predictions", "none.jsonl", "-o", "run", "--data", "data"), "no file of predictions"),
        (("score", "data"), "no readable bench.json"),
        (("validate", "isear", "--data", "data"), "get the files from"),
    ],
)
def test_what_cannot_be_done_ends_with_2_and_a_cure(arguments: tuple[str, ...], message: str) -> None:
    done = bench(*arguments)
    assert done.exit_code == 2, done.output
    assert message in " ".join(done.stderr.split())
    assert "→" in done.stderr


def test_a_split_that_a_specialist_learned_from_is_refused_unless_that_is_allowed() -> None:
    lookalikes.goemotions(Path("data"), "train")
    done = bench("run", "goemotions:train", "-o", "run", *QUICK)
    assert done.exit_code == 2
    assert "--allow-leaks" in done.stderr
    done = bench("run", "goemotions:train", "-o", "run", *QUICK, "--allow-leaks")
    assert done.exit_code == 0, done.output
    assert "allowed, so these figures say nothing about new texts" in done.stdout


# score, ls, validate ----------------------------------------------------------------------------------------------


def test_a_run_is_scored_again_without_its_data() -> None:
    first = bench("run", "meld", "-o", "run", *QUICK)
    before = Path("run/results.json").read_bytes()
    Path("data").rename("gone")
    again = bench("score", "run")
    assert again.exit_code == 0, again.output
    assert again.stdout == first.stdout
    assert Path("run/results.json").read_bytes() == before


def test_what_another_system_wrote_is_scored_with_its_oddities_told() -> None:
    lines = [{"id": "test-0-0", "emotions": ["joy"]}, {"id": "test-0-0"}, {"id": "nobody", "emotions": ["joy"]}]
    Path("other.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + "{\n")
    done = bench("score", "meld", "--predictions", "other.jsonl", "-o", "run", "--data", "data", "--arms", "none")
    assert done.exit_code == 0, done.output
    assert "| other |  | 16.7" in done.stdout  # one of six
    for odd in ("5 of 6 rows have no answer", "belong to no row", "cannot be read: line 4", "stand twice"):
        assert odd in done.stdout


def test_an_empty_file_of_predictions_is_refused() -> None:
    Path("other.jsonl").write_text("")
    done = bench("score", "meld", "--predictions", "other.jsonl", "-o", "run", "--data", "data")
    assert done.exit_code == 2
    assert "no prediction can be read" in done.stderr


def test_ls_names_every_task_with_its_rows_or_where_its_files_are_to_be_had() -> None:
    found = {one["task"]: one for one in strict(bench("ls", "--data", "data", "--json").stdout)}
    assert set(found) == set(list_tasks())
    assert (found["meld"]["rows"], found["meld"]["files"]) == (6, "there")
    assert "github.com/declare-lab" in found["emorynlp"]["files"]
    shown = bench("ls", "--data", "data").stdout
    assert all(name in shown for name in found)


def test_validate_ends_with_0_where_all_is_good_and_with_1_where_it_is_not() -> None:
    good = bench("validate", *SIX, "--data", "data")
    assert good.exit_code == 0, good.output
    assert good.stdout.count("the gold answers score 1 wherever they can") == len(SIX)
    mine = Path("data/emobank_labels.yaml")
    mine.write_text(
        "name: wrong\ntitle: T\ndataset: emobank\nmetrics: [accuracy]\n"  # it has ratings, and no labels
    )
    bad = bench("validate", str(mine), "meld", "--data", "data", "--json")
    assert bad.exit_code == 1
    assert [one["good"] for one in strict(bad.stdout)] == [False, True]
