"""Laws of what loaders share: no row is lost at a separator or between two files, and a number stays in its bounds."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.datasets.shared import class_of, marked, number_of, one_after_another, rows_split_at

CELL = st.text(alphabet="ab \"'é;", max_size=6)


@given(rows=st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=6), closed=st.booleans())
def test_cells_come_back_as_written_quotation_marks_and_all(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], closed: bool
) -> None:
    path = tmp_path_factory.mktemp("table") / "t.txt"
    written = [["x", "y", "z"], *(row for row in rows if "".join(row).strip())]
    path.write_text("".join("|".join(row) + "|" * closed + "\n" for row in written), encoding="utf-8")
    read = [record.row for record in rows_split_at(path, "|")]
    assert read == [dict(zip("xyz", row, strict=True)) for row in written[1:]]


def test_a_row_of_another_length_is_a_problem_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("\nx|y\n1|2\n1\n\n1|2|3\n1|2|\n")
    records = list(rows_split_at(tmp_path / "t.txt", "|"))
    assert [(record.line, record.problem) for record in records] == [
        (3, None),
        (4, "1 cells where the header has 2"),
        (6, "3 cells where the header has 2"),
        (7, None),
    ]


def test_lines_go_on_where_the_file_before_ended(tmp_path: Path) -> None:
    for name, content in (("a", "x\n1\n2\n"), ("b", "x\n"), ("c", "x\n3\n")):
        (tmp_path / name).write_text(content)
    records = list(one_after_another([tmp_path / name for name in "abc"], lambda path: rows_split_at(path, "|")))
    # a: lines 2 and 3; b holds no row, so nothing is added for it; c: its line 2 is 3 + 2
    assert [(record.line, record.row) for record in records] == [(2, {"x": "1"}), (3, {"x": "2"}), (5, {"x": "3"})]


@given(st.floats(-3, 3).map(lambda number: round(number, 3)))
def test_a_number_is_read_with_or_without_its_meaning(number: float) -> None:
    assert number_of(str(number), "n", -3, 3) == number_of(f" {number}: very much", "n", -3, 3) == number


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("NONE", "n: expected a number, got 'NONE'"),
        ("", "n: expected a number, got ''"),
        (None, "n: expected a number, got 'None'"),
        (True, "n: expected 0 to 3, got True"),
        ("nan", "n: expected 0 to 3, got nan"),
        ("-0.1", "n: expected 0 to 3, got -0.1"),
        ("inf", "n: expected 0 to 3, got inf"),
        ("1.5", "n: expected a whole number, got 1.5"),
    ],
)
def test_what_is_no_class_is_told_with_the_cells_name(value: object, reason: str) -> None:
    with pytest.raises(ValueError, match="n: ") as error:
        class_of(value, "n", 0, 3)
    assert str(error.value) == reason


def test_the_marked_columns_are_those_with_a_one() -> None:
    assert marked({"a": "1", "b": "0", "c": 1}, ("c", "b", "a")) == ["c", "a"]
    with pytest.raises(ValueError, match="b: expected 0 to 1, got 2"):
        marked({"a": "1", "b": "2"}, ("a", "b"))
