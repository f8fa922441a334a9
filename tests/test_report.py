"""Laws of reports: everything a run holds is shown once, as what it is, and nothing in it acts."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from emowhy import report
from emowhy.errors import RunError, UsageError
from emowhy.report import branch, mark, merge, write_html, write_table
from emowhy.rows import dump_row, to_row
from emowhy.show import show
from emowhy.types import Cause, Clue, Cut, Emotion, Explanation, Gold, Sample, Step, Turn, Usage

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style></title></pre><base href=//evil>",
    "{{ 7 * 7 }}{% raw %}&lt;b&gt;",
    "javascript:alert(1)//\x00\x1b[31m\ud800",
]
SAMPLE = Sample(
    "d1",
    "They cancelled it.",
    "A",
    (Turn("How was it? 😀", "B"),),
    observations={"face": "brows lowered", "voice": None},
)
ANSWER = Explanation(
    "d1",
    emotions=(Emotion("anger", 0.81), Emotion("sadness")),
    causes=(Cause("cancelled", 1, None, 5, 14, True),),
    reasoning="A flight was lost.",
    explanation="They are angry.",
    score_source="engine",
    parse="strict",
    usage=Usage(200, 50),
    seconds=0.5,
)


def write(folder: Path, *pairs: tuple[Explanation, Sample], asked: Mapping[str, Any] | None = None) -> Path:
    """A run with these rows."""
    folder.mkdir(exist_ok=True)
    (folder / "explanations.jsonl").write_bytes(b"".join(dump_row(to_row(a, s, "0")) for a, s in pairs))
    manifest = {"state": "done", "asked": asked or {}, "versions": {"emowhy": "0.1.0"}, "counts": {"rejected": 0}}
    (folder / "run.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def page(folder: Path, *pairs: tuple[Explanation, Sample], asked: Mapping[str, Any] | None = None) -> str:
    return write_html(write(folder, *pairs, asked=asked)).read_text(encoding="utf-8")


def printed(*pairs: tuple[Explanation, Sample], **console: Any) -> str:
    file = io.StringIO()
    made = Console(**{"file": file, "width": 60, "color_system": None, "legacy_windows": False, **console})
    show([json.loads(dump_row(to_row(a, s, "0"))) for a, s in pairs], made)
    return file.getvalue()


def hostile(text: str) -> tuple[Explanation, Sample]:
    """A row with `text` in every place that holds words."""
    cause = Cause(text, 0, None, 0, len(text), True)
    sample = Sample(
        text, text, text, (Turn(text, text),), (Turn(text, text),), {text: text}, (text,),
        Gold((text,), (cause, Cause(text, observation=text)), text, {text: text}), {text: text},
    )  # fmt: skip
    answer = Explanation(
        text, 0, "ok", (Emotion(text, 0.5),), (cause, Cause(text, None, text)), text, text, "engine", {text: [text]},
        (Clue("emotion", text, text, score=0.5), Clue(text, text, quote=text, observation=text)), "lenient",
        Cut(1, 2), text, text, (Step(text, text, text, text, Usage()),), Usage(), 0.0, 2, {text: text},
    )  # fmt: skip
    return answer, sample


class Elements(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.marks: list[str] = []
        self.marking = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.marking = tag == "mark"

    def handle_endtag(self, tag: str) -> None:
        self.marking = False

    def handle_data(self, data: str) -> None:
        if self.marking:
            self.marks.append(data)


# Marking --------------------------------------------------------------------------------------------------------


@given(st.text(max_size=30), st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=6))
def test_marking_keeps_the_text_and_marks_just_the_code_points_in_spans(
    text: str, spans: list[tuple[int, int]]
) -> None:
    pieces = mark(text, spans)
    assert "".join(piece for piece, _ in pieces) == text
    inside = [any(start <= i < end for start, end in spans) for i in range(len(text))]
    assert [marked for piece, marked in pieces for _ in piece] == inside


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)).map(lambda s: (s[0], s[0] + s[1])), max_size=8))
def test_merged_spans_are_in_order_and_apart(spans: list[tuple[int, int]]) -> None:
    merged = merge(spans)
    assert all(a[1] < b[0] for a, b in pairwise(merged))


@pytest.mark.parametrize("spans", [[(0, 3), (2, 5)], [(0, 5), (1, 2)], [(0, 2), (2, 5)], [(0, 5), (0, 5)]])
def test_quotes_that_overlap_are_one_mark(spans: list[tuple[int, int]]) -> None:
    assert mark("abcdefg", spans) == [("abcde", True), ("fg", False)]


def test_offsets_are_code_points(tmp_path: Path) -> None:
    sample = Sample("1", "😀👩‍👩‍👧 <so> glad")
    start = sample.words().index("glad")
    answer = replace(ANSWER, causes=(Cause("glad", 0, None, start, start + 4, True),))
    assert Elements(page(tmp_path, (answer, sample))).marks == ["glad"]
    assert "«glad»" in printed((answer, sample))


def test_quotes_from_context_and_observations_are_marked_where_they_stand(tmp_path: Path) -> None:
    causes = (Cause("How", 0, None, 0, 3, True), Cause("lowered", None, "face", 6, 13, True))
    answer = replace(ANSWER, causes=causes)
    assert Elements(page(tmp_path, (answer, SAMPLE))).marks == ["How", "lowered"]
    out = printed((answer, SAMPLE))
    assert "0 B: «How» was it?" in out
    assert "face: brows «lowered»" in out
    assert "voice: missing" in out


def test_without_a_verified_quote_the_specialists_words_are_marked_and_said_to_be_theirs() -> None:
    cue = Clue("cause", "occlusion", quote="cancelled", turn=1, start=5, end=14, score=0.4, chosen=True)
    guessed = replace(ANSWER, causes=(Cause("invented words", 1),), clues=(cue,))
    assert "They «cancelled» it." in printed((guessed, SAMPLE))
    assert "the specialists'" in printed((guessed, SAMPLE))
    quoted = replace(ANSWER, causes=(Cause("it", 1, None, 15, 17, True),), clues=(cue,))
    assert "They cancelled «it»." in printed((quoted, SAMPLE))
    assert "the specialists'" not in printed((quoted, SAMPLE))


def test_an_unverified_quote_is_listed_and_never_marked(tmp_path: Path) -> None:
    answer = replace(ANSWER, causes=(Cause("we waited", 1),))
    text = page(tmp_path, (answer, SAMPLE))
    assert not Elements(text).marks
    assert "Not verbatim in the input: <q>we waited</q> <small>turn 1</small>" in text
    assert "<b>0</b> verified" in text
    assert ">1</b> not" in text
    assert "not verbatim in the input: we waited" in printed((answer, SAMPLE))


@pytest.mark.parametrize("label", ["anger", "Annoyance!", "<script>", '" onclick="x', "", "ünknown"])
def test_a_colour_is_always_one_of_the_known_branches(label: str) -> None:
    assert branch(label) in {"love", "joy", "surprise", "anger", "sadness", "fear", "disgust", "neutral", "other"}


# The page -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("status", ["ok", "error"])
def test_hostile_text_adds_no_element_and_no_attribute(tmp_path: Path, text: str, status: Any) -> None:
    answer, sample = hostile(text)
    asked = {"model": text, "specialists": [{"name": text, "licence": text, "data": [text]}]}
    bad = Elements(page(tmp_path / "bad", (replace(answer, status=status), sample), asked=asked))
    calm, plain = hostile("x")
    asked = {"model": "x", "specialists": [{"name": "x", "licence": "x", "data": ["x"]}]}
    good = Elements(page(tmp_path / "good", (replace(calm, status=status), plain), asked=asked))
    assert bad.tags == good.tags
    assert bad.attributes == good.attributes
    assert not {"script", "img", "link", "base", "iframe", "form"} & set(bad.tags)


def test_the_page_may_load_nothing_and_run_nothing(tmp_path: Path) -> None:
    text = page(tmp_path, (ANSWER, SAMPLE))
    assert "default-src 'none'; style-src 'unsafe-inline'" in text
    assert not re.search(r"\b(?:src|href)=\"(?!#)", text)
    assert "url(" not in text
    assert "@import" not in text


def test_control_characters_of_a_text_become_visible(tmp_path: Path) -> None:
    text = page(tmp_path, (replace(ANSWER, causes=()), replace(SAMPLE, text="a\x00b\x1b[31mc\x9bd\ud800e")))
    assert "a␀b␛[31mc\ufffdd\ufffde" in text


def test_the_page_says_what_the_run_was(tmp_path: Path) -> None:
    asked = {
        "model": "m1", "adapter": None, "engine": "server", "strategy": "cot", "labels": "ekman", "hints": "order",
        "seed": 7, "licence": "Apache-2.0", "extra_body": {"key": "secret"},
        "specialists": [{"name": "emotion", "licence": "CC BY 4.0", "data": ["GoEmotions"]}],
    }  # fmt: skip
    text = page(tmp_path, (ANSWER, SAMPLE), asked=asked)
    for words in ("m1", "none", "server", "ekman", "order", "7", "Apache-2.0", "CC BY 4.0; trained on GoEmotions"):
        assert f"<dd>{words}</dd>" in text
    assert "secret" not in text


def test_a_row_shows_all_that_is_known_about_it(tmp_path: Path) -> None:
    answer = replace(
        ANSWER,
        parse="lenient",
        cut=Cut(2, 30),
        same_as="d0",
        answers={"choice": "B"},
        clues=(
            Clue("emotion", "emotion", "fear", score=0.2),
            Clue("cause", "occlusion", quote="told", turn=1, chosen=True),
        ),
        steps=(Step("answer", '{"a": "<1>"}', "hm", "stop", Usage(200, 50)),),
    )
    gold = Gold(("anger", "joy"), (Cause("cancelled it", 1),), "No one said a word.", {"intensity": 0.7})
    text = page(tmp_path, (answer, replace(SAMPLE, gold=gold)))
    for words in (
        "0.81", "probability by the engine", "They are angry.", "A flight was lost.", "0 · B", "read leniently",
        "2 turns and 30 characters", "copied from row d0", "<b>choice</b>: B", "fear 0.20", "<q>told</q>",
        "&#34;&lt;1&gt;&#34;", "hm", "cancelled it", "No one said a word.", "intensity: 0.7",
        '<b class="label anger">anger</b> <small>predicted</small> <b class="label joy">joy</b> ',
    ):  # fmt: skip
        assert words in text, words


def test_failed_rows_are_linked_from_the_top_and_say_why(tmp_path: Path) -> None:
    bad = Explanation("e1", 1, "error", error="no answer within 60 s")
    text = page(tmp_path, (ANSWER, SAMPLE), (bad, replace(SAMPLE, id="e1")))
    assert 'Failed: <a href="#r1">e1</a>.' in text
    assert 'id="r1"' in text
    assert "no answer within 60 s" in text
    assert "<b>1 ok</b>" in text
    assert ">1 error</b>" in text


def test_rows_come_in_the_order_of_the_input_whatever_the_file_has(tmp_path: Path) -> None:
    rows = [(replace(ANSWER, id=f"n{i}", index=i), replace(SAMPLE, id=f"n{i}")) for i in (3, 0, 2, 1)]
    assert re.findall(r">(n\d)</a>", page(tmp_path, *rows)) == ["n0", "n1", "n2", "n3"]


@pytest.mark.parametrize("failing", [0, 1, 4])
def test_rows_beyond_the_most_are_left_out_failed_ones_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    monkeypatch.setattr(report, "MOST_ROWS", 3)
    rows = []
    for i in range(5):
        bad = i >= 5 - failing
        answer = Explanation(f"n{i}", i, "error", error="x") if bad else replace(ANSWER, id=f"n{i}", index=i)
        rows.append((answer, replace(SAMPLE, id=f"n{i}")))
    text = page(tmp_path, *rows)
    expected = {0: ["n0", "n1", "n2"], 1: ["n4", "n0", "n1"], 4: ["n1", "n2", "n3"]}
    assert re.findall(r"<h3><a href=\"#r\d\">(n\d)</a>", text) == expected[failing]
    assert "2 of 5 rows are left out" in text
    assert "<b>5</b> rows" in text  # the counts are of all


def test_ten_thousand_rows_are_a_page_and_one_more_is_left_out(tmp_path: Path) -> None:
    steps = (Step("answer", json.dumps({"reasoning": "r" * 150, "emotions": ["anger"]}), None, "stop", Usage(9, 9)),)
    clues = tuple(Clue("emotion", "emotion", label, score=0.1) for label in ("anger", "joy", "fear", "love") * 2)
    answer = replace(ANSWER, reasoning="r" * 150, explanation="e" * 100, steps=steps, clues=clues)
    rows = [(replace(answer, id=str(i), index=i), SAMPLE) for i in range(10_001)]
    folder = write(tmp_path, *rows)
    began = time.process_time()
    path = write_html(folder)
    assert time.process_time() - began < 15
    assert path.stat().st_size < 20_000_000
    text = path.read_text(encoding="utf-8")
    assert "1 of 10,001 rows is left out" in text
    assert text.count("<article") == 10_000


def test_an_empty_run_is_a_page_and_a_table_too(tmp_path: Path) -> None:
    assert "There are no rows." in page(tmp_path)
    for name in ("a.csv", "a.parquet"):
        assert write_table(tmp_path, tmp_path / name) == 0
    assert (tmp_path / "a.csv").read_text(encoding="utf-8").startswith("id,index,status,")
    assert printed() == ""


def test_a_folder_without_a_run_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run in"):
        write_html(tmp_path)
    with pytest.raises(RunError, match="no run in"):
        write_table(tmp_path, tmp_path / "x.csv")
    assert not list(tmp_path.iterdir())


def test_a_report_that_fails_leaves_the_old_one_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = page(tmp_path, (ANSWER, SAMPLE))

    def broken(ranked: Any) -> Any:
        raise OSError("disk full")

    monkeypatch.setattr(report, "_View", broken)
    with pytest.raises(OSError, match="disk full"):
        write_html(tmp_path)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["explanations.jsonl", "report.html", "run.json"]


# Tables ---------------------------------------------------------------------------------------------------------


def table(folder: Path, *pairs: tuple[Explanation, Sample]) -> list[dict[str, str]]:
    path = folder / "t.csv"
    assert write_table(write(folder, *pairs), path) == len(pairs)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_csv_row_holds_the_explanation(tmp_path: Path) -> None:
    causes = (*ANSWER.causes, Cause("brows", None, "face", 0, 5, True), Cause("lost", 0))
    answer = replace(ANSWER, causes=causes, extra={"topic": "travel", "n": -3, "tags": ["a", "é"], "no": None})
    sample = replace(SAMPLE, gold=Gold(("anger", "fear")))
    row, bare = table(tmp_path, (answer, sample), (replace(ANSWER, id="d2", index=1), SAMPLE))
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
    (row,) = table(tmp_path, (answer, replace(SAMPLE, text=start)))
    for column in ("id", "explanation", "emotions", "text", "extra.x"):
        assert row[column] == f"'{start}"


@pytest.mark.parametrize("text", [*HOSTILE, 'a,"b"\n\nc', "line\u2028sep"])
def test_csv_cells_keep_their_words(tmp_path: Path, text: str) -> None:
    (row,) = table(tmp_path, (ANSWER, replace(SAMPLE, text=text)))
    assert row["text"].lstrip("'") == text.lstrip("'").replace("\ud800", "\ufffd")


def test_parquet_keeps_lists_types_and_missing_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "_BATCH", 2)
    rows = [(replace(ANSWER, extra={"topic": "=travel", "n": 1}), replace(SAMPLE, gold=Gold(())))]
    rows += [(replace(ANSWER, id=f"n{i}", index=i), replace(SAMPLE, text="\ud800")) for i in range(1, 5)]
    path = tmp_path / "new" / "t.PARQUET"
    assert write_table(write(tmp_path, *rows), path) == 5
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
        write_table(write(tmp_path, (ANSWER, SAMPLE)), tmp_path / name)


# The terminal ---------------------------------------------------------------------------------------------------


def test_a_terminal_shows_labels_turns_and_the_why_in_that_order() -> None:
    out = printed((ANSWER, SAMPLE))
    expected = ("anger 0.81, sadness", "0 B: How", "1 A: They «cancelled» it.", "They are angry.")
    places = [out.index(words) for words in expected]
    assert places == sorted(places)


@pytest.mark.parametrize("text", ["[bold red]x[/bold red]", "[/]", ":smile: [link=http://x]y[/link]", "\\[b]"])
def test_markup_of_rich_in_a_text_is_text(text: str) -> None:
    answer, sample = hostile(text)
    assert printed((answer, sample), width=200).count(text) >= 5


@pytest.mark.parametrize(
    "text", ["a\x1b[31mb", "a\x1b]0;title\x07b", "a\x9b31mb", "a\u202eb", "a\rb", "a\x00b\x7f", "\x08\x08a"]
)
def test_nothing_in_a_text_reaches_the_terminal_as_a_command(text: str) -> None:
    answer, sample = hostile(text)
    out = printed((answer, sample))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", out)


def test_colour_marks_where_there_is_colour_and_quotation_marks_where_not() -> None:
    out = printed((ANSWER, SAMPLE), color_system="standard", force_terminal=True, no_color=False)
    assert "\x1b[1;7;31mcancelled\x1b[0m" in out
    assert "«" not in out
    out = printed((ANSWER, SAMPLE), color_system="standard", force_terminal=True, no_color=True)
    assert "«cancelled»" in re.sub(r"\x1b\[[0-9;]*m", "", out)


@pytest.mark.parametrize("width", [20, 33, 80])
def test_lines_keep_to_the_width_and_lose_no_word(width: int) -> None:
    sample = replace(SAMPLE, text="one two three four five six seven eight nine ten 日本語日本語日本語日本語日本語")
    out = printed((replace(ANSWER, causes=()), sample), width=width)
    assert all(len(line.encode("utf-16-le")) // 2 <= width for line in out.splitlines())
    assert "".join(sample.words().split()) in "".join(out.split())


def test_a_failed_row_says_its_status_and_error() -> None:
    bad = Explanation("e1", 1, "error", error="no answer within 60 s")
    assert printed((bad, SAMPLE)).startswith("error: no answer within 60 s  e1\n")
    assert printed((Explanation("u", status="unparsed"), SAMPLE)).startswith("unparsed  u\n")


def test_an_output_that_is_not_unicode_still_gets_the_result() -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    printed((ANSWER, SAMPLE), file=file)
    file.flush()
    assert b"[cancelled]" in raw.getvalue()
    assert b"How was it? ?" in raw.getvalue()


def test_what_was_copied_cut_or_mended_is_noted() -> None:
    assert "leniently" in printed((replace(ANSWER, parse="lenient"), SAMPLE))
    assert "cut to fit" in printed((replace(ANSWER, cut=Cut(1, 0)), SAMPLE))
    assert "copied from row d0" in printed((replace(ANSWER, same_as="d0"), SAMPLE))
