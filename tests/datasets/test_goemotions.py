"""Laws of GoEmotions: every line becomes a sample with its labels, or is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.datasets import find_dataset
from emowhy.read import Rejected
from emowhy.types import Gold, Sample

Read = Callable[[str, Mapping[str, str | bytes], str], tuple[list[Sample], list[Rejected]]]
GOOD = "What a lovely garden!\t0,17\tc1\nThe bus leaves at nine.\t27\tc2\n"


def test_labels_are_named_and_the_id_is_the_comments(outcomes: Read) -> None:
    samples, rejected = outcomes("goemotions", {"train.tsv": GOOD}, "train")
    assert samples == [
        Sample("c1", "What a lovely garden!", gold=Gold(("admiration", "joy"))),
        Sample("c2", "The bus leaves at nine.", gold=Gold(("neutral",))),
    ]
    assert rejected == []


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\n\r\n\n  \n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_line_ends_and_blank_lines_change_nothing(outcomes: Read, mark: bytes, end: str) -> None:
    file = mark + GOOD.replace("\n", end).encode()
    assert outcomes("goemotions", {"dev.tsv": file}, "dev") == outcomes("goemotions", {"train.tsv": GOOD}, "train")
    assert outcomes("goemotions", {"dev.tsv": file.rstrip()}, "dev")[0][1].id == "c2"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Hm.\t28\tc", "label id '28': expected 0 to 27"),
        ("Hm.\t-1\tc", "label id '-1': expected 0 to 27"),
        ("Hm.\t3,\tc", "label id '': expected 0 to 27"),
        ("Hm.\tjoy\tc", "label id 'joy': expected 0 to 27"),
        ("Hm.\t٣\tc", "label id '٣': expected 0 to 27"),
        ("Hm.", "1 cells where there should be 3"),
        ("Hm.\t3\tc\tmore", "4 cells where there should be 3"),
        ("  \t3\tc", "blank text and no observation"),
        ("H\0m.\t3\tc", "text: has a NUL character"),
    ],
)
def test_a_corrupt_line_is_told_with_its_number_and_the_others_are_read(outcomes: Read, line: str, reason: str) -> None:
    samples, rejected = outcomes("goemotions", {"train.tsv": f"\n{line}\n{GOOD}"}, "train")
    assert [sample.id for sample in samples] == ["c1", "c2"]
    assert [(row.line, row.reason) for row in rejected] == [(2, reason)]


def test_bytes_that_are_not_utf_8_reject_their_line_only(outcomes: Read) -> None:
    samples, rejected = outcomes("goemotions", {"train.tsv": b"caf\xe9\t3\tc0\n" + GOOD.encode()}, "train")
    assert len(samples) == 2
    assert (rejected[0].line, rejected[0].id) == (1, "c0")
    assert "UTF-8" in rejected[0].reason


def test_an_id_that_is_missing_or_was_used_becomes_split_and_line(outcomes: Read) -> None:
    file = "one\t3\tc1\ntwo\t3\ntwo more\t3\t \nthree\t3\tc1\n"
    samples, rejected = outcomes("goemotions", {"test.tsv": file}, "test")
    assert [sample.id for sample in samples] == ["c1", "test-2", "test-3", "test-4"]
    assert rejected == []
    taken = outcomes("goemotions", {"test.tsv": "one\t3\ttest-2\ntwo\t3\n"}, "test")
    assert [(row.line, row.reason) for row in taken[1]] == [(2, "id 'test-2' was already used")]


def test_quotation_marks_and_odd_separators_are_characters_of_the_comment(outcomes: Read) -> None:
    texts = ['"Quoted" and not closed: "', '"', "line\u2028separator", "a\rb", "next\x85line", " spaces "]
    file = "".join(f"{text}\t3\tc{place}\n" for place, text in enumerate(texts))
    samples, rejected = outcomes("goemotions", {"train.tsv": file}, "train")
    assert [sample.text for sample in samples] == texts
    assert rejected == []


def test_a_label_that_stands_twice_is_one(outcomes: Read) -> None:
    samples, _ = outcomes("goemotions", {"train.tsv": "No!\t2,26,2\tc\n"}, "train")
    assert samples[0].gold == Gold(("anger", "surprise"))


@given(st.lists(st.one_of(st.binary(max_size=30), st.text(alphabet='\t,0129"\0a\r \u2028', max_size=12)), max_size=8))
def test_no_line_is_lost_or_crashes(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes | str]) -> None:
    folder = tmp_path_factory.mktemp("any")
    file = b"\n".join(line.encode() if isinstance(line, str) else line for line in lines)
    (folder / "train.tsv").write_bytes(file)
    rows = list(find_dataset("goemotions").read(folder, "train"))
    lines_of_file = file.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    filled = [part for part in lines_of_file if part.decode(errors="surrogateescape").strip()]
    assert len(rows) == len(filled)
