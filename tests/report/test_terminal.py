"""Laws of a run on a terminal: all of it is words, in order, within the width."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from emowhy.show import show
from emowhy.types import Cause, Explanation, Sample
from report.pages import ANSWER, SAMPLE, hostile, row_of


def printed(*pairs: tuple[Explanation, Sample], **console: Any) -> str:
    file = io.StringIO()
    made = Console(**{"file": file, "width": 60, "color_system": None, "legacy_windows": False, **console})
    show([row_of(answer, sample) for answer, sample in pairs], made)
    return file.getvalue()


def test_quotes_are_marked_in_their_turn_or_observation_and_a_missing_one_is_said_to_be() -> None:
    causes = (Cause("How", 0, None, 0, 3, True), Cause("lowered", None, "face", 6, 13, True), Cause("we waited", 1))
    out = printed((replace(ANSWER, causes=causes), SAMPLE))
    assert "0 B: «How» was it?" in out
    assert "face: brows «lowered»" in out
    assert "voice: missing" in out
    assert "not verbatim in the input: we waited" in out


def test_a_quote_that_stands_elsewhere_than_the_reply_says_is_marked_where_it_stands_and_told() -> None:
    out = printed((replace(ANSWER, causes=(Cause("How", 0, None, 0, 3, True, said=1),)), SAMPLE))
    assert "0 B: «How» was it?" in out
    assert "1 quote stands elsewhere than the reply says" in " ".join(out.split())


def test_no_rows_print_nothing() -> None:
    assert printed() == ""


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
