"""Laws of tables: a line a row, every word kept, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from emowhy.errors import RunError, UsageError
from emowhy.report import table as tables
from emowhy.report import write_table
from emowhy.types import Cause, Emotion, Explanation, Gold, Sample
from report.pages import ANSWER, HOSTILE, SAMPLE, write_run


def read_back(folder: Path, *pairs: tuple[Explanation, Sample]) -> list[dict[str, str]]:
    path = folder / "t.csv"
    assert write_table(write_run(folder, *pairs), path) == len(pairs)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_csv_row_holds_the_explanation(tmp_path: Path) -> None:
    causes = (*ANSWER.causes, Cause("brows", None, "face", 0, 5, True), Cause("lost", 0))
    answer = replace(ANSWER, causes=causes, extra={"topic": "travel", "n": -3, "tags": ["a", "é"], "no": None})
    sample = replace(SAMPLE, gold=Gold(("anger", "fear")))
    row, bare = read_back(tmp_path, (answer, sample), (replace(ANSWER, id="d2", index=1), SAMPLE))
    assert row == {
        "id": "d1", "index": "0", "status": "ok", "emotions": "anger; sadness", "scores": "0.81; ",
        "causes": "cancelled; brows; lost", "turns": "1; face; 0", "verified": "2", "reasoning": "A flight was lost.",
        "explanation": "They are angry.", "score_source": "engine", "parse": "strict", "error": "",
        "prompt_tokens": "200", "completion_tokens": "50", "seconds": "0.5", "attempts": "1",
        "text": "They cancelled it.", "gold_emotions": "anger; fear", "extra.topic": "travel", "extra.n": "'-3",
        "extra.tags": '["a", "é"]', "extra.no": "",
    }  # fmt: skip
    assert bare["extra.topic"] == bare["gold_emotions"] == ""


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_csv_cell_is_a_formula(tmp_path: Path, start: str) -> None:
    answer = replace(ANSWER, id=start, explanation=start, emotions=(Emotion(start),), extra={"x": start})
    (row,) = read_back(tmp_path, (answer, replace(SAMPLE, text=start)))
    for column in ("id", "explanation", "emotions", "text", "extra.x"):
        assert row[column] == f"'{start}"


@pytest.mark.parametrize("text", [*HOSTILE, 'a,"b"\n\nc', "line\u2028sep"])
def test_csv_cells_keep_their_words(tmp_path: Path, text: str) -> None:
    (row,) = read_back(tmp_path, (ANSWER, replace(SAMPLE, text=text)))
    assert row["text"].lstrip("'") == text.lstrip("'").replace("\ud800", "\ufffd")


def test_parquet_keeps_lists_types_and_missing_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_BATCH", 2)
    rows = [(replace(ANSWER, extra={"topic": "=travel", "n": 1}), replace(SAMPLE, gold=Gold(())))]
    rows += [(replace(ANSWER, id=f"n{i}", index=i), replace(SAMPLE, text="\ud800")) for i in range(1, 5)]
    path = tmp_path / "new" / "t.PARQUET"
    assert write_table(write_run(tmp_path, *rows), path) == 5
    found = pq.read_table(path)
    assert str(found.schema.field("scores").type).startswith("list<")
    assert str(found.schema.field("index").type) == "int64"
    first, *_, last = found.to_pylist()
    assert first["emotions"] == ["anger", "sadness"]
    assert first["scores"] == [0.81, None]
    assert first["causes"] == ["cancelled"]
    assert first["turns"] == ["1"]
    assert first["verified"] == 1
    assert first["extra.topic"] == "=travel"
    assert first["extra.n"] == "1"
    assert first["gold_emotions"] == []
    assert last["id"] == "n4"
    assert last["extra.topic"] is None
    assert last["gold_emotions"] is None
    assert last["text"] == "\ufffd"
    assert pq.ParquetFile(path).num_row_groups == 3


@pytest.mark.parametrize("name", ["t.xlsx", "t", "csv"])
def test_an_unknown_kind_of_table_is_refused_with_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=re.escape(".csv or .parquet")):
        write_table(write_run(tmp_path, (ANSWER, SAMPLE)), tmp_path / name)


def test_an_empty_run_is_a_table_with_its_columns(tmp_path: Path) -> None:
    write_run(tmp_path)
    for name in ("a.csv", "a.parquet"):
        assert write_table(tmp_path, tmp_path / name) == 0
    assert (tmp_path / "a.csv").read_text(encoding="utf-8").startswith("id,index,status,")


def test_a_folder_without_a_run_makes_no_table(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run in"):
        write_table(tmp_path, tmp_path / "x.csv")
    assert not list(tmp_path.iterdir())


def test_a_field_of_another_shape_is_an_empty_cell(tmp_path: Path) -> None:
    write_run(tmp_path)
    row = {"id": "odd", "index": 0, "status": "ok", "content": "0", "attempts": 1, "causes": "none", "usage": None}
    (tmp_path / "explanations.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    assert write_table(tmp_path, tmp_path / "a.parquet") == 1
    (found,) = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert (found["id"], found["causes"], found["prompt_tokens"]) == ("odd", [], 0)
