"""Laws of how much a report page holds: any run fits, and what is left out is said."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from emowhy.report import page as pages
from emowhy.report import write_html, write_page
from emowhy.types import Clue, Step, Usage
from report.pages import ANSWER, SAMPLE, Page, hostile, page_of, row_of, write_run


def test_ten_thousand_rows_are_a_page_and_one_more_is_left_out(tmp_path: Path) -> None:
    steps = (Step("answer", json.dumps({"reasoning": "r" * 150, "emotions": ["anger"]}), None, "stop", Usage(9, 9)),)
    clues = tuple(Clue("emotion", "emotion", label, score=0.1) for label in ("anger", "joy", "fear", "love") * 2)
    row = row_of(replace(ANSWER, reasoning="r" * 150, explanation="e" * 100, steps=steps, clues=clues), SAMPLE)
    folder = write_run(tmp_path)
    lines = (json.dumps({**row, "id": str(i), "index": i}) + "\n" for i in range(10_001))
    (folder / "explanations.jsonl").write_text("".join(lines), encoding="utf-8")
    began = time.process_time()
    path = write_html(folder)
    assert time.process_time() - began < 15
    assert path.stat().st_size < 20_000_000
    page = Page(path)
    assert "1 of 10,001 rows is left out here. Shown: 10,000 drawn at random (seed 0)." in page.said()
    assert len(page.rows) == 10_000


@pytest.mark.parametrize("letter", ["a", "日", "<", "\x00"])
def test_rows_too_large_for_the_page_are_cut_and_still_all_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, letter: str
) -> None:
    monkeypatch.setattr(pages, "MOST_BYTES", 30_000)
    answer, sample = hostile(letter * 30_000)
    row = row_of(answer, sample)
    small = row_of(ANSWER, SAMPLE)
    page = Page(
        write_page(tmp_path / "p.html", "huge", [], [{**row, "id": str(i)} if i % 2 else small for i in range(20)])
    )
    assert len(page.scripts["row-data"].encode()) <= 30_000 + 2 * 20
    assert [card["id"] for card in page.rows[1::2]] == [str(i) for i in range(1, 20, 2)]
    assert all(card["short"] for card in page.rows[1::2])
    assert not any("short" in card for card in page.rows[::2])


def test_a_long_reply_is_cut_in_its_middle_and_says_so(tmp_path: Path) -> None:
    raw = "begin" + "x" * 5000 + "end"
    (row,) = page_of(tmp_path, (replace(ANSWER, steps=(Step("answer", raw, None, "length", Usage()),)), SAMPLE)).rows
    shown = row["steps"][0][4]
    assert len(shown) == 2000
    assert (shown[:5], shown[-3:]) == ("begin", "end")
    assert "shortened here" in shown
    assert row["short"] == 1


def test_rows_come_in_the_order_of_the_input_whatever_the_file_has(tmp_path: Path) -> None:
    pairs = [(replace(ANSWER, id=f"n{i}", index=i), replace(SAMPLE, id=f"n{i}")) for i in (3, 0, 2, 1)]
    assert [row["id"] for row in page_of(tmp_path, *pairs).rows] == ["n0", "n1", "n2", "n3"]


def test_a_generator_of_rows_is_as_good_as_a_list(tmp_path: Path) -> None:
    rows = [{"id": str(i)} for i in range(3)]

    def passing() -> Iterator[dict[str, str]]:
        yield from rows

    found = [Page(write_page(tmp_path / "p.html", "t", [], given)).rows for given in (rows, passing())]
    assert found[0] == found[1] == [{"id": "0"}, {"id": "1"}, {"id": "2"}]
