"""Laws of `emowhy explain`: what it prints where, what it asks for, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from emowhy.cli import app

ROWS = [{"id": f"r{i}", "text": f"They cancelled flight {i}.", "topic": "travel"} for i in range(12)]
QUICK = ("--engine", "scripted", "--hints", "none")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("EMOWHY_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)  # else nothing is left to be written at the end
    monkeypatch.chdir(tmp_path)
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return tmp_path


def explain(*arguments: str, **how: Any) -> Any:
    return CliRunner().invoke(app, ["explain", *arguments], **how)


def run_rows(run: str = "run") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(run, "explanations.jsonl").read_text().splitlines()]


# A file ---------------------------------------------------------------------------------------------------------


def test_a_run_says_what_became_of_its_rows_on_stderr_alone() -> None:
    done = explain("in.jsonl", "-o", "run", *QUICK)
    assert done.exit_code == 0
    assert done.stdout == ""
    estimate, summary, where = done.stderr.splitlines()
    assert estimate.startswith("estimate: 12 rows, ")
    assert summary.startswith("12 rows: 12 ok; ")
    assert where == "run directory: run   (report: run/report.html)"
    assert {path.name for path in Path("run").iterdir()} == {
        "run.json", "explanations.jsonl", "rejected.jsonl", "report.html", ".lock"
    }  # fmt: skip
    assert [row["extra"] for row in run_rows()] == [{"topic": "travel"}] * 12


def test_quiet_prints_nothing_on_success_and_errors_all_the_same() -> None:
    done = explain("in.jsonl", "-o", "run", *QUICK, "--quiet")
    assert (done.exit_code, done.output) == (0, "")
    assert "emowhy: " in explain("in.jsonl", "-o", "run", *QUICK, "--quiet", "--seed", "1").stderr


def test_json_prints_one_object_on_stdout_and_nothing_else_there() -> None:
    done = explain("in.jsonl", "-o", "run", *QUICK, "--json")
    summary = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert summary["run"] == "run"
    assert summary["counts"] == {"ok": 12}
    assert (summary["failed"], summary["rejected"], summary["kept"], summary["whole"]) == (0, 0, 0, True)
    again = json.loads(explain("in.jsonl", "-o", "run", *QUICK, "--json", "--quiet").stdout)
    assert (again["kept"], again["written"], again["counts"]) == (12, 0, {"ok": 12})


def test_standard_input_is_read_as_a_file_is() -> None:
    done = explain("-", "-o", "run", *QUICK, input=Path("in.jsonl").read_text())
    assert done.exit_code == 0, done.stderr
    assert "estimate: an unknown number of rows, " in done.stderr
    assert explain("in.jsonl", "-o", "other", *QUICK).exit_code == 0
    assert run_rows() == run_rows("other")


def test_standard_input_may_be_csv() -> None:
    done = explain("-", "-o", "run", *QUICK, "--format", "csv", input="id,text\na,It broke.\nb,It works.\n")
    assert done.exit_code == 0, done.stderr
    assert [row["id"] for row in run_rows()] == ["a", "b"]


def test_an_empty_input_makes_an_empty_run() -> None:
    Path("in.jsonl").write_text("")
    done = explain("in.jsonl", "-o", "run", *QUICK)
    assert done.exit_code == 0, done.stderr
    assert "0 rows: none" in done.stderr
    assert run_rows() == []


@pytest.mark.parametrize(("option", "count"), [("--limit", 5), ("--sample", 5), ("--limit", 0), ("--limit", 99)])
def test_only_some_rows_may_be_asked_for(option: str, count: int) -> None:
    assert explain("in.jsonl", "-o", "run", *QUICK, option, str(count)).exit_code == 0
    ids = [row["id"] for row in run_rows()]
    assert len(ids) == min(count, 12)
    assert ids == sorted(ids, key=lambda id: int(id[1:]))


def test_specialists_clues_reach_the_rows_and_none_come_without_hints() -> None:
    assert explain("in.jsonl", "-o", "run", *QUICK, "--limit", "2").exit_code == 0
    assert all(row["clues"] == [] for row in run_rows())
    assert explain("in.jsonl", "-o", "hinted", "--engine", "scripted", "--limit", "2").exit_code == 0
    assert all({clue["kind"] for clue in row["clues"]} >= {"emotion"} for row in run_rows("hinted"))


def test_the_same_command_again_asks_nothing_again() -> None:
    assert explain("in.jsonl", "-o", "run", *QUICK).exit_code == 0
    before = Path("run/explanations.jsonl").read_bytes()
    again = explain("in.jsonl", "-o", "run", *QUICK)
    assert again.exit_code == 0
    assert "12 kept from before" in again.stderr
    assert Path("run/explanations.jsonl").read_bytes() == before


def test_a_plug_in_engine_lies_beside_the_input() -> None:
    Path("parrot_beside.py").write_text(
        "from emowhy.engines.scripted import ScriptedEngine\n"
        "class Parrot(ScriptedEngine):\n    name = 'parrot'\n"
        "    def identity(self): return {'engine': 'parrot', 'model': 'none'}\n"
    )
    done = explain("in.jsonl", "-o", "run", "--engine", "parrot_beside:Parrot", "--hints", "none")
    assert done.exit_code == 0, done.stderr
    assert json.loads(Path("run/run.json").read_text())["asked"]["engine"] == "parrot"


# One text -------------------------------------------------------------------------------------------------------


def test_one_text_is_told_with_its_emotion_its_words_and_why() -> None:
    done = explain("--text", "They cancelled my flight today.", *QUICK, "--labels", "anger,joy")
    assert done.exit_code == 0, done.stderr
    head, marked, why = done.stdout.splitlines()
    assert head.split() == ["anger", "text"]
    assert marked.strip() == "«They cancelled my flight» today."
    assert why.strip() == "The words “They cancelled my flight” suggest anger."
    assert done.stderr == ""


def test_one_text_as_json_is_its_row() -> None:
    done = explain("--text", "They cancelled it.", *QUICK, "--json")
    row = json.loads(done.stdout)
    assert (row["id"], row["status"], row["sample"]) == ("text", "ok", {"text": "They cancelled it."})
    assert not Path("run").exists()


def test_one_text_that_fails_ends_with_1() -> None:
    Path("canned.jsonl").write_text('{"finish": "error", "error": "the line went dead"}\n')
    done = explain("--text", "x y", *QUICK, "--model", "canned.jsonl")
    assert done.exit_code == 1
    assert "error: the line went dead" in done.stdout


# Prompts only ---------------------------------------------------------------------------------------------------


def test_a_dry_run_prints_prompts_and_makes_no_run_directory() -> None:
    done = explain("in.jsonl", "-o", "run", "--dry-run", "2")
    assert done.exit_code == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("####")] == [
        "#### r0, step 'answer' of 1",
        "#### r1, step 'answer' of 1",
    ]
    assert "They cancelled flight 1." in done.stdout
    assert not Path("run").exists()


@pytest.mark.parametrize("some", [("--sample", "3"), ("--limit", "3")])
def test_a_dry_run_of_some_rows_shows_the_first_of_those(some: tuple[str, str]) -> None:
    done = explain("in.jsonl", "--dry-run", "2", *some, *QUICK)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.count("#### r") == 2


def test_a_dry_run_shows_what_cannot_be_read_and_a_text_s_prompt() -> None:
    Path("bad.jsonl").write_text('{"id": "a"}\n')
    assert "#### line 1 rejected: neither text nor observation" in explain("bad.jsonl", "--dry-run", "1").stdout
    done = explain("--text", "A text of my own.", "--dry-run", "1", *QUICK)
    assert "A text of my own." in done.stdout


# Wrong usage ----------------------------------------------------------------------------------------------------

WRONG: list[tuple[list[str], str, str]] = [
    ([], "give INPUT or --text, one of them", "emowhy explain dialogues.jsonl -o run"),
    (["in.jsonl", "--text", "x"], "give INPUT or --text, one of them", "emowhy explain dialogues.jsonl -o run"),
    (["in.jsonl"], "where should the results go?", "emowhy explain in.jsonl -o RUN"),
    (["--text", "x", "-o", "run"], "--text prints to the terminal and makes no run directory", "leave -o out"),
    (["--text", " "], "--text is blank", 'emowhy explain --text "'),
    (["inn.jsonl", "-o", "run"], "there is no file 'inn.jsonl': looked for {here}/inn.jsonl", "did you mean in.jsonl?"),
    (["no/in.jsonl", "-o", "run"], "there is no file 'no/in.jsonl'", "the folder {here}/no does not exist either"),
    (["in.jsonl", "-o", "run", "--model", "no.jsonl"], "no file of canned replies at {here}/no.jsonl", "check --model"),
    (["in.jsonl", "-o", "run", "--column", "text=Utterance"], "the input has no column 'Utterance'", "known: id, text"),
    (["in.jsonl", "-o", "run", "--column", "txt=id"], "rows have no field 'txt'", "did you mean 'text'?"),
    (["in.jsonl", "-o", "run", "--strategy", "cott"], "no strategy 'cott'", "did you mean 'cot'?"),
    (["in.jsonl", "-o", "run", "--labels", "ekmann"], "unknown label set 'ekmann'", "did you mean 'ekman'?"),
    (["in.jsonl", "-o", "run", "--hints", "non"], "unknown hints 'non'", "did you mean 'none'?"),
    (["in.jsonl", "-o", "run", "--scores", "verbose"], "unknown scores 'verbose'", "did you mean 'verbal'?"),
    (["in.jsonl", "-o", "run", "--engine", "skripted"], "no engine 'skripted'", "did you mean 'scripted'?"),
    (["in.jsonl", "-o", "run", "--engine", "nowhere:It"], "engine 'nowhere:It'", "put nowhere.py in this folder"),
    (["in.jsonl", "-o", "run", "--specialist", "emotions"], "no specialist 'emotions'", "did you mean 'emotion'?"),
    (["in.jsonl", "-o", "run", "--prompts", "nowhere"], "no folder of prompts at {here}/nowhere", "check --prompts"),
    (["in.jsonl", "-o", "run", "--adapter", "x"], "the scripted engine has no adapters", "leave --adapter out"),
    (["in.jsonl", "-o", "run", "--engine-arg", "x=1"], "the scripted engine has no option 'x'", "leave --engine-arg"),
    (["in.jsonl", "-o", "run", "--limit", "1", "--sample", "1"], "limit and sample were both given", "keep one"),
    (["in.jsonl", "-o", "run", "--format", "xls"], "there is no format 'xls'", "known: "),
    (["in.jsonl", "-o", "run", "--thinking", "yes"], "unknown thinking 'yes'", "known: "),
    (["in.jsonl", "-o", "run", "--observations", "no.csv"], "there is no file 'no.csv'", "check the name"),
    (["in.jsonl", "-o", "run", "--base-url", "http://x"], "--base-url is for the engine server", "add --engine server"),
    (["in.jsonl", "-o", "run", "--turn-column", "id"], "a turn column needs a dialogue column", "name the column"),
]


@pytest.mark.parametrize(("arguments", "told", "cure"), WRONG, ids=[" ".join(wrong[0]) or "nothing" for wrong in WRONG])
def test_wrong_usage_is_told_in_a_line_with_its_cure_and_ends_with_2(
    here: Path, arguments: list[str], told: str, cure: str
) -> None:
    given = arguments if "--engine" in arguments else [*arguments, "--engine", "scripted"]
    done = explain(*(given if "--hints" in given else [*given, "--hints", "none"]))
    assert done.exit_code == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith(("run directory", "estimate"))]
    assert len(lines) == 2
    assert lines[0].startswith(f"emowhy: {told.format(here=here)}")
    assert lines[1].startswith("  → ")
    assert cure.format(here=here) in lines[1]
    assert done.stdout == ""


def test_a_folder_of_something_else_is_no_run_directory() -> None:
    Path("thesis").mkdir()
    Path("thesis/chapter.txt").write_text("1")
    done = explain("in.jsonl", "-o", "thesis", *QUICK)
    assert done.exit_code == 2
    assert "holds something that is no run: chapter.txt" in done.stderr


def test_a_file_where_the_run_directory_should_be_is_told_plainly() -> None:
    done = explain("in.jsonl", "-o", "in.jsonl", *QUICK)
    assert (done.exit_code, done.stderr) == (1, "emowhy: in.jsonl: File exists\n")


# As a process ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 12])  # less and more than fits into a buffer
def test_a_reader_that_has_enough_ends_the_command_in_peace(rows: int) -> None:
    command = [sys.executable, "-m", "emowhy", "explain", "in.jsonl", "--dry-run", str(rows), *QUICK]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is a device of Linux")
def test_output_that_nobody_can_take_is_told_plainly() -> None:
    command = [sys.executable, "-m", "emowhy", "prompts", "ls"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr.startswith("emowhy: No space left on device\n")


def test_the_command_is_there_and_says_its_version() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert done.exit_code == 0
    assert done.stdout.startswith("emowhy ")
    assert {"explain", "clues", "prompts", "serve", "doctor", "report"} <= set(
        CliRunner().invoke(app, []).output.split()
    )
