"""Laws of the report page as a file: it holds all it needs and no more, and text in it is data."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from emowhy import report
from emowhy.errors import RunError
from emowhy.report import About, Confusion, Counts, Facts, Notes, Reliability, Table, write_html, write_page
from emowhy.report import page as pages
from emowhy.types import Cause, Clue, Cut, Gold, Step, Usage
from report.pages import ANSWER, HOSTILE, SAMPLE, Page, hostile, page_of, row_of, write_run


def blocks(text: str) -> list[report.Block]:
    """One block of each kind with `text` wherever there are words."""
    return [
        Facts(text, [(text, text)], "tiles"),
        Facts(text, [(text, text)], "folded", text),
        Table(text, (text, text), [(text, 0.5)], text, labels=True),
        Confusion((text, "joy"), ((1, 2), (3, 4)), title=text, note=text),
        Reliability([(0.5, 0.4, 3)], 0.1, text, text),
        Counts(text, [(text, 3)], text, labels=True),
        Counts(text, [(text, 3, {"joy": 3})], text),
        Notes([text], text),
    ]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("status", ["ok", "error"])
def test_hostile_text_adds_no_element_and_no_attribute(tmp_path: Path, text: str, status: Any) -> None:
    found = []
    for words in (text, "x"):
        answer, sample = hostile(words)
        row = {
            **row_of(replace(answer, status=status), sample),
            "arm": words,
            "scores": {words: 0.5},
            "groups": {"g": words},
        }
        row["other"] = {**row, "name": words}
        path = write_page(tmp_path / "page.html", words, blocks(words), [row], About(words, words, words))
        found.append(Page(path))
    bad, good = found
    assert bad.tags == good.tags
    assert [pair[:2] for pair in bad.attributes] == [pair[:2] for pair in good.attributes]
    assert bad.scripts[None] == good.scripts[None]
    assert not {"img", "link", "base", "iframe"} & set(bad.tags)
    assert not any(name.startswith("on") or name == "style" for _tag, name, _value in bad.attributes)


def test_every_word_of_a_row_comes_back_from_the_page(tmp_path: Path) -> None:
    text = "</script><!-- & \u2028 \"quoted\" 'words' <b>"
    answer, sample = hostile(text)
    page = page_of(tmp_path, (answer, sample))
    (row,) = page.rows
    assert row["id"] == row["emotions"][0][0] == row["gold"]["explanation"] == row["question"] == text
    assert row["lines"][0][3] == ["", text]  # marked from end to end
    assert row["steps"][0][4] == text
    assert row["extra"] == {text: text, "kind": text}
    assert not re.search("[<>&\u2028\u2029]", page.scripts["row-data"])


def test_only_the_page_s_own_script_and_style_may_run_and_nothing_may_be_loaded(tmp_path: Path) -> None:
    page = page_of(tmp_path, (ANSWER, SAMPLE))
    (policy,) = [
        value
        for tag, name, value in page.attributes
        if tag == "meta" and name == "content" and value and "src" in value
    ]
    hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in (page.scripts[None], page.styles[0])
    ]
    assert policy.split("; ")[:3] == ["default-src 'none'", f"script-src {hashes[0]}", f"style-src {hashes[1]}"]
    assert len(page.styles) == 1
    assert set(page.scripts) == {"row-data", "label-data", "said-data", None}
    assert all(value and value.startswith("#") for _, name, value in page.attributes if name in ("src", "href"))
    assert not re.search(r"url\(|@import|https?:", page.styles[0] + page.scripts[None])


def test_the_script_writes_no_markup() -> None:
    room = files("emowhy.report")
    for name in pages._SCRIPTS:
        source = room.joinpath(name).read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|Function\(|Timeout", source)
        assert "</" not in source  # else the element that holds it could end


def test_control_characters_and_turned_text_become_visible(tmp_path: Path) -> None:
    (row,) = page_of(
        tmp_path, (replace(ANSWER, causes=()), replace(SAMPLE, text="a\x00b\x1b[31mc\x9bd\ud800e\u202ef\tg\n"))
    ).rows
    assert row["lines"][1][3] == ["a␀b␛[31mc\ufffdd\ufffde[U+202E]f\tg\n"]


def test_a_row_carries_all_that_is_known_about_it(tmp_path: Path) -> None:
    answer = replace(
        ANSWER,
        parse="lenient", cut=Cut(2, 30), same_as="d0", answers={"choice": 1}, extra={"n": 3},
        clues=(
            Clue("emotion", "emotion", "fear", score=0.2),
            Clue("cause", "occlusion", quote="told", turn=1, start=0, end=4, score=0.9, chosen=True),
        ),
        steps=(Step("answer", '{"a": "<1>"}', "hm", "stop", Usage(200, 50)),),
    )  # fmt: skip
    gold = Gold(("anger", "joy"), (Cause("cancelled it", 1),), "No one said a word.", {"intensity": 0.7})
    (row,) = page_of(tmp_path, (answer, replace(SAMPLE, gold=gold, choices=("left", "stayed")))).rows
    assert row == {
        "id": "d1",
        "lines": [
            [0, "B", 0, ["How was it? 😀"]], [1, "A", 1, ["They ", "cancelled", " it."]],
            [None, "face", 0, ["brows lowered"]], [None, "voice", 0, None],
        ],
        "choices": ["left", "stayed"], "emotions": [["anger", 0.81], ["sadness", None]],
        "causes": [["cancelled", 1, 1]], "reasoning": "A flight was lost.", "explanation": "They are angry.",
        "source": "engine", "answers": {"choice": "1: stayed"},
        "clues": [
            ["emotion", "fear", None, None, None, 0.2, 0, "emotion"],
            ["cause", None, "told", 1, None, 0.9, 1, "occlusion"],
        ],
        "notes": [
            "the reply was read leniently",
            "cut to fit the model's context: 2 turns and 30 characters left out",
            "copied from row d0, which has the same content",
        ],
        "steps": [["answer", "stop", 200, 50, '{"a": "<1>"}', "hm"]], "tokens": [200, 50], "seconds": 0.5,
        "right": True,
        "gold": {
            "emotions": ["anger", "joy"], "causes": [["cancelled it", 1]], "explanation": "No one said a word.",
            "answers": {"intensity": "0.7"},
        },
        "extra": {"n": "3"},
    }  # fmt: skip


def test_a_gold_of_no_label_is_not_a_missing_gold(tmp_path: Path) -> None:
    rows = page_of(
        tmp_path,
        (ANSWER, replace(SAMPLE, gold=Gold(()))),
        (replace(ANSWER, id="d2", index=1), replace(SAMPLE, gold=Gold(None, None, "why"))),
        (replace(ANSWER, id="d3", index=2), SAMPLE),
    ).rows
    assert [row.get("gold", {}).get("emotions") for row in rows] == [[], None, None]
    assert ["gold" in row for row in rows] == [True, True, False]
    assert [row.get("right") for row in rows] == [False, None, None]


def test_the_other_answer_of_a_comparison_stands_beside(tmp_path: Path) -> None:
    other = {
        "name": "cot",
        "status": "truncated",
        "emotions": [{"label": "joy"}],
        "right": False,
    }
    row = {**row_of(ANSWER, SAMPLE), "right": True, "scores": {"f1": 0.12345}, "other": other}
    (card,) = Page(write_page(tmp_path / "p.html", "two", [], [row], About(arm="direct"))).rows
    assert (card["right"], card["scores"]) == (True, {"f1": 0.1235})
    assert card["other"] == {
        "name": "cot", "status": "truncated", "emotions": [["joy", None]], "right": False,
    }  # fmt: skip


def test_a_field_that_cannot_be_read_is_named_and_the_row_shown(tmp_path: Path) -> None:
    row = {**row_of(ANSWER, SAMPLE), "causes": [{"quote": 3}], "emotions": [{"label": "joy", "score": float("nan")}]}
    row["sample"]["gold"] = {"emotions": "joy"}
    folder = write_run(tmp_path)
    (folder / "explanations.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    page = Page(write_html(folder))
    assert page.rows[0]["notes"] == [
        "could not be read and is left out: causes", "could not be read and is left out: gold.emotions",
    ]  # fmt: skip
    assert page.rows[0]["emotions"] == [["joy", None]]
    assert "With fields that could not be read: 1 row." in page.said()
    assert "d1: causes, gold.emotions" in page.said()


def test_an_empty_run_is_a_page_too(tmp_path: Path) -> None:
    page = page_of(tmp_path)
    assert "There are no rows." in page.said()
    assert page.rows == []


def test_a_folder_without_a_run_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run in"):
        write_html(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_report_that_fails_leaves_the_old_one_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = page_of(tmp_path, (ANSWER, SAMPLE)).text

    def broken(cards: Any) -> Any:
        yield "["
        raise OSError("disk full")

    monkeypatch.setattr(pages, "joined", broken)
    with pytest.raises(OSError, match="disk full"):
        write_html(tmp_path)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["explanations.jsonl", "report.html", "run.json"]


def test_the_same_run_is_the_same_page(tmp_path: Path) -> None:
    pairs = [(replace(ANSWER, id=str(i), index=i), SAMPLE) for i in range(5)]
    assert len({page_of(tmp_path, *pairs).text for _ in itertools.repeat(None, 2)}) == 1
