"""Laws of every data set: what it states, where its files are looked for, and that a plug-in is one too."""

from __future__ import annotations

import inspect
import textwrap
from pathlib import Path

import pytest

from emowhy.datasets import DATASETS, DataSet, find_dataset, find_folder
from emowhy.errors import InputError, MissingError, UsageError
from emowhy.read import Rejected
from emowhy.taxonomy import find_taxonomy
from emowhy.types import Sample


@pytest.mark.parametrize("name", DATASETS)
def test_every_data_set_states_what_it_is_and_what_may_be_done_with_it(name: str) -> None:
    dataset = find_dataset(name)
    assert dataset.name == name
    assert dataset.title
    assert dataset.licence
    assert dataset.source.startswith("https://")
    assert dataset.splits
    assert all(files and isinstance(files, tuple) for files in dataset.splits.values())
    assert dataset.language == ("zh" if name.endswith("_zh") else "en")
    assert "NC" not in dataset.licence or not dataset.commercial
    assert set(dataset.spellings.values()) <= set(dataset.label_set())


def test_only_these_allow_commercial_use() -> None:
    assert [name for name in DATASETS if find_dataset(name).commercial] == [
        "emobank",
        "emobench_ea",
        "emobench_eu",
        "goemotions",
    ]


def test_labels_are_those_of_the_taxonomy_or_the_data_sets_own() -> None:
    assert find_dataset("goemotions").label_set() == find_taxonomy("goemotions").labels
    assert len(find_dataset("reccon").label_set()) == 7
    assert find_dataset("emobank").label_set() == ()


def test_an_unknown_name_or_split_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'goemotions'"):
        find_dataset("goemotion")
    with pytest.raises(UsageError, match="no split 'vali'") as error:
        find_dataset("reccon").read(tmp_path, "vali")  # at the call, before any row is asked for
    assert "did you mean 'valid'" in error.value.cure


def test_what_is_no_data_set_is_refused() -> None:
    with pytest.raises(UsageError, match="is no data set"):
        find_dataset("emowhy.types:Sample")


@pytest.mark.parametrize("name", DATASETS)
def test_a_missing_file_names_the_file_its_source_its_licence_and_the_folder(name: str, tmp_path: Path) -> None:
    dataset = find_dataset(name)
    for split, files in dataset.splits.items():
        with pytest.raises(MissingError) as error:
            dataset.read(tmp_path, split)
        for part in (*files, dataset.source, dataset.licence, str(tmp_path)):
            assert part in str(error.value)


# The folder


def test_the_folder_is_data_or_the_one_in_it_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMOWHY_DATA", raising=False)
    dataset = find_dataset("goemotions")
    own = tmp_path / "goemotions"
    own.mkdir()
    (own / "dev.tsv").touch()
    assert find_folder(dataset, tmp_path) == own
    assert find_folder(dataset, own) == own
    (tmp_path / "train.tsv").touch()  # perhaps another set's file: the named folder goes first
    assert find_folder(dataset, tmp_path) == own
    monkeypatch.setenv("EMOWHY_DATA", str(tmp_path))
    assert find_folder(dataset, None) == own


def test_the_option_goes_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOWHY_DATA", str(tmp_path / "elsewhere"))
    (tmp_path / "emobank.csv").touch()
    assert find_folder(find_dataset("emobank"), tmp_path) == tmp_path
    with pytest.raises(MissingError, match="elsewhere"):
        find_folder(find_dataset("emobank"), None)


@pytest.mark.parametrize("value", [None, ""])
def test_no_folder_named_says_how_to_name_one(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMOWHY_DATA", raising=False)
    if value is not None:
        monkeypatch.setenv("EMOWHY_DATA", value)
    with pytest.raises(MissingError) as error:
        find_folder(find_dataset("reccon"), None)
    for part in ("--data", "EMOWHY_DATA", "FOLDER/reccon", find_dataset("reccon").source, "CC BY-NC-SA"):
        assert part in error.value.cure


def test_an_empty_folder_is_told_with_the_files_and_both_places(tmp_path: Path) -> None:
    with pytest.raises(MissingError) as error:
        find_folder(find_dataset("reccon"), tmp_path)
    for part in ("dailydialog_test.json", str(tmp_path / "reccon"), "https://github.com"):
        assert part in str(error.value)


# A plug-in


EXAMPLE = textwrap.dedent(inspect.getdoc(DataSet) or "").partition("class Diary")[2].partition("\n\nCSV, TSV")[0]
DIARY = "from emowhy.datasets import DataSet\n\n" + textwrap.dedent("    class Diary" + EXAMPLE)


@pytest.fixture
def diary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataSet:
    """The data set of the base class's docstring."""
    (tmp_path / "my_diary_set.py").write_text(DIARY)
    monkeypatch.syspath_prepend(tmp_path)
    return find_dataset("my_diary_set:Diary")


def test_the_example_of_the_docstring_works(diary: DataSet, tmp_path: Path) -> None:
    own = tmp_path / "diary"
    own.mkdir()
    (own / "train.csv").write_text('entry,mood\n"Rain, again.",bad\nSun!,good\nFog.,meh\n,good\nSnow.,bad,really\n')
    rows = list(diary.read(find_folder(diary, tmp_path), "train"))
    assert [row.gold.emotions for row in rows if isinstance(row, Sample) and row.gold] == [("bad",), ("good",)]
    assert [row.id for row in rows if isinstance(row, Sample)] == ["train-2", "train-3"]
    assert [(row.line, row.reason) for row in rows if isinstance(row, Rejected)] == [
        (4, '"meh" is no label of diary'),
        (5, "blank text and no observation"),
        (6, "3 cells where the header has 2"),
    ]


def test_the_first_file_that_exists_is_read(diary: DataSet, tmp_path: Path) -> None:
    (tmp_path / "test_v2.csv").write_text("entry,mood\nnew,good\n")
    assert [row.text for row in diary.read(tmp_path, "test") if isinstance(row, Sample)] == ["new"]
    (tmp_path / "test.csv").write_text("entry,mood\nold,good\n")
    assert [row.text for row in diary.read(tmp_path, "test") if isinstance(row, Sample)] == ["old"]


def test_a_file_without_the_columns_is_refused_as_a_whole(diary: DataSet, tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("entry,temper\nRain.,bad\nSun.,good\n")
    with pytest.raises(InputError, match="no column 'mood'"):
        list(diary.read(tmp_path, "train"))


def test_a_data_set_without_rows_of_its_own_says_what_it_lacks(tmp_path: Path) -> None:
    class Bare(DataSet):
        name = "bare"
        splits = {"all": ("all.csv",)}  # noqa: RUF012

    (tmp_path / "all.csv").write_text("text\nRain.\n")
    with pytest.raises(TypeError, match="overrides no `row`"):
        list(Bare().read(tmp_path, "all"))
