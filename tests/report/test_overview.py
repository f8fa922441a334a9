"""Laws of the summary of a run: every figure is a count of its rows, over all of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from emowhy.report import page as pages
from emowhy.report import write_html
from emowhy.report.overview import spell
from emowhy.types import Cause, Emotion, Explanation, Gold, Status, Usage
from report.pages import ANSWER, SAMPLE, Page, page_of, write_run


def test_the_page_says_what_the_run_was_and_nothing_secret(tmp_path: Path) -> None:
    asked = {
        "model": "m1", "adapter": None, "engine": "server", "strategy": "cot", "labels": "ekman", "hints": "order",
        "seed": 7, "licence": "Apache-2.0", "extra_body": {"key": "secret"}, "coverage": 0.9,
        "base_url": "https://me:secret@host/v1",
        "specialists": [{"name": "emotion", "licence": "CC BY 4.0", "data": ["GoEmotions"]}],
    }  # fmt: skip
    said = page_of(tmp_path, (ANSWER, SAMPLE), asked=asked)
    for words in ("m1", "none", "server", "ekman", "order", "7", "0.9", "Apache-2.0", "https://host/v1"):
        assert words in said.words
    assert "CC BY 4.0; trained on GoEmotions" in said.words
    assert "secret" not in said.text


def test_the_tiles_count_rows_failures_quotes_and_tokens(tmp_path: Path) -> None:
    quoted = replace(ANSWER, causes=(*ANSWER.causes, Cause("we waited", 1)))
    statuses: tuple[Status, ...] = ("error", "error", "truncated")
    failed = [Explanation(f"e{i}", i + 1, status) for i, status in enumerate(statuses)]
    page = page_of(tmp_path, (quoted, SAMPLE), *((bad, replace(SAMPLE, id=bad.id)) for bad in failed))
    tiles = dict(zip(page.words, page.words[1:], strict=False))
    assert tiles["rows"] == "4"
    assert tiles["failed (2 error, 1 truncated)"] == "3"
    assert tiles["of 2 quotes verbatim"] == "50.0%"
    assert (tiles["tokens read"], tiles["tokens written"]) == ("200", "50")
    assert tiles["engine time"] == "0.5 s"


def test_what_is_out_of_the_ordinary_is_counted(tmp_path: Path) -> None:
    copied = [(replace(ANSWER, id=str(i), index=i, same_as="d1"), SAMPLE) for i in range(2)]
    write_run(tmp_path, (replace(ANSWER, parse="lenient"), SAMPLE), *copied, counts={"rejected": 1200})
    said = Page(write_html(tmp_path)).said()
    assert "Not read from the input (rejected.jsonl says why): 1,200 rows." in said
    assert "mended: 1 row." in said
    assert "Copied from a row with the same content: 2 rows." in said
    assert "context" not in said


@pytest.mark.parametrize("manifest", [{"asked": []}, {"counts": "many", "versions": 3, "sessions": "none"}, {}])
def test_an_odd_manifest_is_no_crash(tmp_path: Path, manifest: Any) -> None:
    write_run(tmp_path, (ANSWER, SAMPLE))
    (tmp_path / "run.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert Page(write_html(tmp_path)).rows[0]["id"] == "d1"


def test_a_run_without_gold_says_nothing_of_gold(tmp_path: Path) -> None:
    page = page_of(tmp_path, (ANSWER, SAMPLE))
    assert not {"Against gold", "Confusion", "Reliability"} & set(page.words)
    assert {"Predicted labels", "anger", "sadness"} <= set(page.words)


def test_the_summary_is_of_all_rows_even_of_those_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_ROWS", 3)
    answers = [replace(ANSWER, id=str(i), index=i, usage=Usage(1, 1)) for i in range(5)]
    answers[1] = Explanation("1", 1, "error")
    answers[3] = replace(answers[3], emotions=(Emotion("joy"),))
    page = page_of(tmp_path, *((answer, replace(SAMPLE, id=answer.id, gold=Gold(("anger",)))) for answer in answers))
    shown = [row["id"] for row in page.rows]
    assert len(shown) == 3
    assert {"1", "3"} <= set(shown)  # the failed one, and the only wrong one
    assert "2 of 5 rows are left out here. Shown: 1 failed, 1 worst, 1 drawn at random (seed 0)." in page.said()
    tiles = dict(zip(page.words, page.words[1:], strict=False))
    assert (tiles["rows"], tiles["tokens read"]) == ("5", "4")
    assert tiles["first label is gold (5 rows with gold)"] == "60.0%"  # 3 of 5


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.04, "0.0 s"), (59.94, "59.9 s"), (725, "12 min 5 s"), (10_920, "3 h 2 min")]
)
def test_durations_are_spelt_in_two_units(seconds: float, words: str) -> None:
    assert spell(seconds) == words
