"""Laws of `emowhy report`: a run as a page, a table, or words on the terminal."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from emowhy.cli import app
from report.pages import Page


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a run of three rows."""
    for name in [name for name in os.environ if name.startswith("EMOWHY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    rows = [{"id": f"r{i}", "text": f"They cancelled flight {i}.", "topic": "travel"} for i in range(3)]
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = CliRunner().invoke(app, ["explain", "in.jsonl", "-o", "run", "--engine", "scripted", "--hints", "none"])
    assert made.exit_code == 0, made.stderr
    Path("run/report.html").unlink()
    return tmp_path


def report(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["report", *arguments])


def test_a_run_alone_gives_its_page_and_says_where() -> None:
    done = report("run")
    assert (done.exit_code, done.stdout) == (0, "run/report.html\n")
    rows = Page(Path("run/report.html")).rows
    assert ["".join(row["lines"][0][3]) for row in rows] == [f"They cancelled flight {i}." for i in range(3)]
    assert all(row["extra"] == {"topic": "travel"} for row in rows)


def test_a_csv_has_a_line_a_row() -> None:
    done = report("run", "--csv", "t.csv")
    assert (done.exit_code, done.stdout) == (0, "t.csv: 3 rows\n")
    with Path("t.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["r0", "r1", "r2"]
    assert {row["extra.topic"] for row in rows} == {"travel"}
    assert not Path("run/report.html").exists()


def test_a_parquet_holds_the_same_rows() -> None:
    done = report("run", "--parquet", "t.parquet", "--csv", "t.csv")
    assert done.stdout.splitlines() == ["t.csv: 3 rows", "t.parquet: 3 rows"]
    assert pyarrow.parquet.read_table("t.parquet").column("id").to_pylist() == ["r0", "r1", "r2"]


@pytest.mark.parametrize("rows", [0, 2, 9])
def test_the_first_rows_are_shown_to_be_read(rows: int) -> None:
    done = report("run", "--show", str(rows))
    assert done.exit_code == 0
    assert done.stdout.count("«They cancelled flight") == min(rows, 3)
    assert not Path("run/report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "told", "cure"),
    [
        (
            ["nowhere"],
            "no run in {here}/nowhere (looked for explanations.jsonl)",
            "emowhy explain INPUT -o RUN makes one",
        ),
        (["."], "no run in {here}", "emowhy explain INPUT -o RUN makes one"),
        (["run", "--csv", "t.xlsx"], "t.xlsx does not end in .csv", "--csv t.csv"),
        (["run", "--parquet", "t"], "t does not end in .parquet", "--parquet t.parquet"),
    ],
)
def test_what_cannot_be_reported_is_told_with_its_cure(here: Path, arguments: list[str], told: str, cure: str) -> None:
    done = report(*arguments)
    assert done.exit_code == 2
    first, second = done.stderr.splitlines()
    assert first.startswith(f"emowhy: {told.format(here=here)}")
    assert second == f"  → {cure}"


def test_a_table_s_folder_is_made_and_where_that_cannot_be_it_is_told_plainly() -> None:
    assert report("run", "--csv", "new/t.csv").exit_code == 0
    assert Path("new/t.csv").exists()
    done = report("run", "--csv", "in.jsonl/t.csv")
    assert done.exit_code == 1
    assert done.stderr.startswith("emowhy: in.jsonl")
    assert len(done.stderr.splitlines()) == 1
