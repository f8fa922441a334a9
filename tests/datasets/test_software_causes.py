"""Laws of the sets of developers' comments: spans keep their place, marked columns are the emotions."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping

import pytest

from emowhy.errors import InputError
from emowhy.read import Rejected
from emowhy.types import Cause, Gold, Sample

Read = Callable[[str, Mapping[str, str | bytes], str], tuple[list[Sample], list[Rejected]]]
CAUSES = "emowhy.datasets.software_causes:SoftwareCauses"
EMOTIONS = "emowhy.datasets.software_causes:SoftwareEmotions"
HEADER = ("id", "modified_comment", "Cause Span")
FLAGS = ("Anger", "Love", "Fear", "Joy", "Sadness", "Surprise")
TEXT = "Oops, the cache is stale. Will this break; who knows | or cares?"


def table(*rows: tuple[str, ...]) -> str:
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue()


def causes(outcomes: Read, cell: str, text: str = TEXT) -> tuple[Cause, ...] | None:
    samples, rejected = outcomes(CAUSES, {"manual_causes.csv": table(HEADER, ("1", text, cell))}, "all")
    assert rejected == []
    assert samples[0].gold is not None
    return samples[0].gold.causes


@pytest.mark.parametrize(
    ("cell", "spans"),
    [
        ("the cache is stale", [("the cache is stale", 6)]),
        (" The Cache is stale ", [("the cache is stale", 6)]),  # in the comment's own case
        (".Will this break", [("Will this break", 26)]),  # a stop keeps a spreadsheet from reading a formula
        ("break; who knows | or", [("break; who knows | or", 36)]),  # stands there as it is
        ("Oops;the cache", [("Oops", 0), ("the cache", 6)]),
        ("who knows|Oops", [("who knows", 43), ("Oops", 0)]),
        ("Oops\nwill this break\n", [("Oops", 0), ("Will this break", 26)]),
    ],
)
def test_a_span_has_its_place_and_several_are_split(outcomes: Read, cell: str, spans: list[tuple[str, int]]) -> None:
    found = causes(outcomes, cell)
    assert found == tuple(Cause(quote, 0, None, at, at + len(quote), verified=True) for quote, at in spans)
    assert all(TEXT[cause.start : cause.end] == cause.quote for cause in found or ())


def test_a_span_that_is_not_in_the_comment_is_kept_without_a_place(outcomes: Read) -> None:
    assert causes(outcomes, "the cash is stale") == (Cause("the cash is stale", 0),)


@pytest.mark.parametrize("cell", ["", " ", "."])
def test_no_words_are_an_answer(outcomes: Read, cell: str) -> None:
    assert causes(outcomes, cell, "Fine.") == (() if cell != "." else (Cause(".", 0, None, 4, 5, verified=True),))


def test_the_file_with_columns_of_emotions_has_both(outcomes: Read) -> None:
    rows = table((*HEADER, *FLAGS), ("1", TEXT, "Oops", "0", "0", "1", "0", "0", "1"), ("2", TEXT, "Oops", *"000020"))
    samples, rejected = outcomes(CAUSES, {"cause_manual.csv": rows}, "all")
    gold = Gold(("fear", "surprise"), causes=(Cause("Oops", 0, None, 0, 4, verified=True),))
    assert samples == [Sample("1", TEXT, gold=gold)]
    assert [(row.line, row.id, row.reason) for row in rejected] == [(3, "2", "Sadness: expected 0 to 1, got 2")]


def test_marked_columns_are_the_emotions_and_none_is_an_answer(outcomes: Read) -> None:
    header = ("repo", "id", "modified_comment", *FLAGS)
    rows = table(header, ("r", "5", "Nice, thanks!", *"010100"), ("r", "6", "See line 4.", *"000000"))
    samples, rejected = outcomes(EMOTIONS, {"ann-train.csv": rows}, "train")
    assert samples == [
        Sample("5", "Nice, thanks!", gold=Gold(("love", "joy"))),
        Sample("6", "See line 4.", gold=Gold(())),
    ]
    assert rejected == []


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("7", "Hm.", "0", "x", "0", "0", "0", "0"), "Love: expected a number, got 'x'"),
        (("7", "Hm.", "0", "", "0", "0", "0", "0"), "Love: expected a number, got ''"),
        (("7", " ", *"000000"), "blank text and no observation"),
        (("7", "Hm.", "0"), "3 cells where the header has 8"),
    ],
)
def test_a_corrupt_row_is_told(outcomes: Read, row: tuple[str, ...], reason: str) -> None:
    file = table(("id", "modified_comment", *FLAGS), row, ("8", "Fine.", *"000100"))
    samples, rejected = outcomes(EMOTIONS, {"ann-test.csv": file}, "test")
    assert [sample.id for sample in samples] == ["8"]
    assert [(row.line, row.reason) for row in rejected] == [(2, reason)]


def test_an_id_that_stands_twice_becomes_split_and_line(outcomes: Read) -> None:
    file = table(HEADER, ("1", TEXT, "Oops"), ("1", TEXT, "Oops"))
    assert [sample.id for sample in outcomes(CAUSES, {"manual_causes.csv": file}, "all")[0]] == ["1", "all-3"]


def test_a_file_without_its_columns_is_refused_as_a_whole(outcomes: Read) -> None:
    with pytest.raises(InputError, match="no column 'Cause Span'"):
        outcomes(CAUSES, {"manual_causes.csv": table(("id", "modified_comment"), ("1", TEXT))}, "all")
