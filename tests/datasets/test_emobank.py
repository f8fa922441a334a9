"""Laws of EmoBank: three ratings a sentence, and one file for every split."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from emowhy.errors import InputError, MissingError
from emowhy.read import Rejected
from emowhy.types import Gold, Sample

Read = Callable[[str, Mapping[str, str | bytes], str], tuple[list[Sample], list[Rejected]]]
HEAD = "id,split,V,A,D,text\n"
ROWS = HEAD + 's1,train,1.5,4.2,2.0,"Stop, or I shout!"\ns2,dev,3,3,3,We have moved.\ns3,test,5,1,4.4,"""Peace"""\n'


def gold(valence: float, arousal: float, dominance: float) -> Gold:
    return Gold(answers={"valence": valence, "arousal": arousal, "dominance": dominance})


@pytest.mark.parametrize("file", ["emobank.csv", "emobank_train_dev.csv"])
def test_a_split_is_its_rows_of_the_one_file(outcomes: Read, file: str) -> None:
    assert outcomes("emobank", {file: ROWS}, "train") == (
        [Sample("s1", "Stop, or I shout!", gold=gold(1.5, 4.2, 2))],
        [],
    )
    assert outcomes("emobank", {file: ROWS}, "dev") == ([Sample("s2", "We have moved.", gold=gold(3, 3, 3))], [])


def test_the_test_split_is_in_the_whole_file_only(outcomes: Read) -> None:
    with pytest.raises(MissingError, match=r"no emobank\.csv"):
        outcomes("emobank", {"emobank_train_dev.csv": ROWS}, "test")
    assert outcomes("emobank", {"emobank.csv": ROWS}, "test")[0] == [Sample("s3", '"Peace"', gold=gold(5, 1, 4.4))]


def test_a_byte_order_mark_line_ends_and_blank_lines_change_nothing(outcomes: Read) -> None:
    file = b"\xef\xbb\xbf" + ROWS.replace("\n", "\r\n").encode() + b"\r\n\r\n"
    samples, rejected = outcomes("emobank", {"emobank.csv": file}, "train")
    assert [sample.id for sample in samples] == ["s1"]
    assert rejected == []


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("x,train,0.9,3,3,Hm.", "V: expected 1 to 5, got 0.9"),
        ("x,train,3,5.1,3,Hm.", "A: expected 1 to 5, got 5.1"),
        ("x,train,3,3,nan,Hm.", "D: expected 1 to 5, got nan"),
        ("x,train,3,,3,Hm.", "A: expected a number, got ''"),
        ("x,train,3,3,three,Hm.", "D: expected a number, got 'three'"),
        ("x,trian,3,3,3,Hm.", "split 'trian': expected one of train, dev, test"),
        ("x,train,3,3,3, ", "blank text and no observation"),
        ("x,train,3,3", "4 cells where the header has 6"),
    ],
)
def test_a_corrupt_row_is_told_with_its_line_and_the_others_are_read(outcomes: Read, row: str, reason: str) -> None:
    file = ROWS.replace("s2,", f"{row}\ns2,")
    samples, rejected = outcomes("emobank", {"emobank.csv": file}, "train")
    assert [sample.id for sample in samples] == ["s1"]
    assert [(row.line, row.reason) for row in rejected] == [(3, reason)]


def test_a_file_with_other_columns_is_refused_as_a_whole(outcomes: Read) -> None:
    with pytest.raises(InputError, match="no column 'D'"):
        outcomes("emobank", {"emobank.csv": "id,split,V,A,text\ns,train,3,3,Hm.\n"}, "train")
