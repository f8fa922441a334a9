"""Laws of OV-MER's labels: lists in text, one row a clip, and groups that are only text."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.datasets.openset import OpenSet, listed_groups, listed_words, read_open_set
from emowhy.errors import InputError


def packed(value: object, pickled: bool = False) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array(value, dtype=object if pickled else None))
    return file.getvalue()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("['worried', 'sad']", ("worried", "sad")),
        ('["worried", "sad"]', ("worried", "sad")),
        ("[worried, sad]", ("worried", "sad")),
        ("worried，sad、 tired", ("worried", "sad", "tired")),
        ("worried", ("worried",)),
        ("['担忧','难过']", ("担忧", "难过")),
        ("[\"can't cope\", 'sad']", ("can't cope", "sad")),
        ("['sad', 'sad']", ("sad",)),
        ("[]", ()),
        (" , ", ()),
    ],
)
def test_a_list_is_split_at_its_quotes_or_else_at_commas(text: str, words: tuple[str, ...]) -> None:
    assert listed_words(text) == words


@given(st.lists(st.text("abc 忧é-", min_size=1).filter(str.strip).map(str.strip), unique=True))
def test_a_list_that_is_written_as_text_is_read_back(words: list[str]) -> None:
    assert listed_words(str(words)) == tuple(words)
    assert listed_groups(str([words, words])) == ([words, words] if words else [])


def test_groups_are_the_innermost_lists_whatever_is_said_around_them() -> None:
    assert listed_groups("Here: [['glad', 'happy'], [], ['calm']].") == [["glad", "happy"], ["calm"]]
    assert listed_groups("['glad', 'happy']") == [["glad", "happy"]]
    assert listed_groups("none") == []


def test_without_files_there_is_nothing(tmp_path: Path) -> None:
    assert read_open_set(tmp_path) == OpenSet()


def test_labels_are_by_name_and_an_empty_list_is_an_answer(tmp_path: Path) -> None:
    (tmp_path / "check-openset.csv").write_text("name,openset\nc1,\"['sad', 'tired']\"\nc2,[]\nc3,\n")
    assert read_open_set(tmp_path).labels == {"c1": ("sad", "tired"), "c2": ()}


def test_a_row_that_cannot_be_used_is_told_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "openset.csv").write_text("name,openset\nc1,[sad]\nc1,[glad]\nc2,sad,tired\n")
    found = read_open_set(tmp_path)
    assert found.labels == {"c1": ("sad",)}
    assert [(record.line, record.problem) for record in found.problems] == [
        (3, "openset.csv: 'c1' has labels already; the first are kept"),
        (4, "openset.csv: 3 cells where the header has 2"),
    ]


def test_a_label_file_without_its_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "check-openset.csv").write_text("clip,openset\nc1,[sad]\n")
    with pytest.raises(InputError, match="no column 'name'"):
        read_open_set(tmp_path)


@pytest.mark.parametrize("as_zip", [True, False])
def test_groups_are_read_from_a_folder_or_an_archive_and_what_is_no_text_is_told(tmp_path: Path, as_zip: bool) -> None:
    files = {
        "c1.npy": packed("[['sad', 'unhappy'], ['tired']]"),
        "c2.npy": packed([1, 2]),
        "c3.npy": packed(["sad"], pickled=True),
        "c4.npy": b"\x93NUMPY",
    }
    if as_zip:
        with zipfile.ZipFile(tmp_path / "openset-synonym.zip", "w") as archive:
            for name, content in files.items():
                archive.writestr(f"openset-synonym/{name}", content)
    else:
        (tmp_path / "openset-synonym").mkdir()
        for name, content in files.items():
            (tmp_path / "openset-synonym" / name).write_bytes(content)
    found = read_open_set(tmp_path)
    assert found.groups == {"c1": [["sad", "unhappy"], ["tired"]]}
    problems = [record.problem or "" for record in found.problems]
    assert [problem.partition(":")[0] for problem in problems] == [f"openset-synonym/c{n}.npy" for n in (2, 3, 4)]
    assert problems[0].endswith("holds no text")


def test_an_archive_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "openset-synonym.zip").write_bytes(b"torn")
    with pytest.raises(InputError, match="could not be read"):
        read_open_set(tmp_path)
