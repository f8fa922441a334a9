"""What a data set is: files that the user brings -> samples with gold."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from emowhy.errors import InputError, MissingError, UsageError, nearest
from emowhy.fields import draft, place_causes
from emowhy.formats import BOM, Record, locate, records
from emowhy.read import Rejected, _rejected
from emowhy.taxonomy import find_taxonomy
from emowhy.types import Sample

DATA_VARIABLE = "EMOWHY_DATA"

More = Callable[[str], Mapping[str, str | None]]
"""Observations of an id that come from elsewhere."""


class DataSet:
    """A public data set: what it is called, what may be done with it, and what its rows mean.

    A whole data set (find it as `my_module:Diary`; its files lie in `DATA/diary/`):

        class Diary(DataSet):
            name = "diary"
            title = "A year of diary entries"
            labels = ("good", "bad")
            licence = "CC BY 4.0"
            commercial = True
            source = "https://example.org/diary"
            splits = {"train": ("train.csv",), "test": ("test.csv", "test_v2.csv")}
            columns = ("entry", "mood")

            def row(self, cells, split):
                return {"text": cells["entry"], "gold": {"emotions": [self.label(cells["mood"])]}}

    CSV, TSV, JSON lines and Parquet files, and a `.json` file that holds a list, are read as they are;
    for any other form override `records`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    labels: ClassVar[str | tuple[str, ...] | None] = None
    """The name of a taxonomy, or the labels themselves; None where the gold has no labels."""
    spellings: ClassVar[Mapping[str, str]] = {}
    """How a label is also spelt in the files -> the label."""
    licence: ClassVar[str]
    commercial: ClassVar[bool] = False
    """Whether the licence of both texts and annotations allows commercial use."""
    source: ClassVar[str]
    """The public address where the user gets the files."""
    splits: ClassVar[Mapping[str, tuple[str, ...]]]
    """Split -> the file names it may have; the first that exists is read."""
    folder: ClassVar[str | None] = None
    """The folder that its files share with others of one release, where that is not its own name."""
    language: ClassVar[str] = "en"
    columns: ClassVar[tuple[str, ...]] = ()
    """What every record must have, seen at the first one; empty: nothing is looked for."""

    def read(self, folder: Path, split: str, more: More = lambda id: {}) -> Iterator[Sample | Rejected]:
        """Every row of a split in the file's order: a `Sample` with gold, or a `Rejected` that says why not.

        `more` gives observations by id that are not in the file; a row that has neither them nor a text is rejected.

        An id that a row lacks, or that was used before, becomes "split-line". A row that cannot be told to
        belong to another split is rejected in each.

        Raises:
            UsageError: there is no such split (at the call).
            MissingError: the folder has no file of it (at the call).
            InputError: the file as a whole cannot be read, or lacks one of `columns` (while reading).
        """
        return self._outcomes(self.find_file(folder, split), split, more)

    def records(self, path: Path) -> Iterator[Record]:
        """Every row as it stands in the file, or the problem that kept it from being read.

        A key "id" is what a rejected row is called.
        """
        return records(locate(path))

    def row(self, cells: Mapping[str, Any], split: str) -> Mapping[str, Any] | None:
        """What one record means, in the row format ("text", "gold", …); None if it belongs to another split.

        Raises ValueError (or KeyError, for a key that is missing) with the reason why a row is rejected.
        """
        raise TypeError(f"{type(self).__name__} overrides no `row`")

    def label_set(self) -> tuple[str, ...]:
        """The labels that its gold may hold; empty where it has none."""
        return find_taxonomy(self.labels).labels if isinstance(self.labels, str) else self.labels or ()

    def label(self, value: Any) -> str:
        """The label that a cell means. Raises ValueError for anything else: no label is ever guessed."""
        word = self.spellings.get(value, value) if isinstance(value, str) else value
        if word not in self.label_set():
            raise ValueError(f"{json.dumps(value, default=str)[:50]} is no label of {self.name}")
        return str(word)

    def find_file(self, folder: Path, split: str) -> Path:
        """The file that holds a split. Raises UsageError or MissingError, as `read` does."""
        if split not in self.splits:
            raise UsageError(f"{self.name} has no split {split!r}", nearest(split, self.splits))
        names = self.splits[split]
        for name in names:
            if (folder / name).is_file():
                return folder / name
        message = f"the {split} split of {self.name} is not there: no {' or '.join(names)} in {folder.absolute()}"
        raise MissingError(message, f"get it from {self.source} (licence: {self.licence})")

    def _outcomes(self, path: Path, split: str, more: More) -> Iterator[Sample | Rejected]:
        seen: set[str] = set()
        unchecked = True
        for record in self.records(path):
            if unchecked and record.row is not None:
                self._check_columns(record.row, path)
                unchecked = False
            try:
                sample = self._sample(record, split, seen, more)
            except ValueError as error:
                yield _refused(record, str(error))
            except KeyError as error:
                yield _refused(record, f"no {error}")
            else:
                if sample is not None:
                    seen.add(sample.id)
                    yield sample

    def _sample(self, record: Record, split: str, seen: set[str], more: More) -> Sample | None:
        if record.row is None:
            raise ValueError(record.problem or "cannot be read")
        row = self.row(record.row, split)
        if row is None:
            return None
        own_id = f"{split}-{record.line}"
        sample = place_causes(draft(row, own_id, more))
        if sample.id in seen:
            sample = replace(sample, id=own_id)
        if sample.id in seen:
            raise ValueError(f"id {sample.id!r} was already used")
        return sample

    def _check_columns(self, row: Mapping[str, Any], path: Path) -> None:
        for column in self.columns:
            if column not in row:
                cure = f"it has: {', '.join(map(str, row))}; get the file from {self.source}"
                raise InputError(f"{path} has no column {column!r}", cure)


def find_folder(dataset: DataSet, data: Path | None) -> Path:
    """The folder with the data set's files: `data/<name>`, the one it shares with its relatives, or `data` itself.

    `data` is what the user named; with None, it is the environment variable EMOWHY_DATA.

    Raises:
        MissingError: none of them has a file of any split, or no folder was named.
    """
    cure = f"get the files from {dataset.source} (licence: {dataset.licence})"
    own = dataset.folder or dataset.name
    if data is None and (named := os.environ.get(DATA_VARIABLE)):
        data = Path(named).expanduser()
    if data is None:
        cure += f", put them into FOLDER/{own}, then --data FOLDER or {DATA_VARIABLE}=FOLDER"
        raise MissingError(f"where is {dataset.name}? No data folder was named", cure)
    # the data set's own folder first: files of another set beside it may have the same names
    for folder in dict.fromkeys((data / own, data / dataset.name, data)):
        if any((folder / name).is_file() for names in dataset.splits.values() for name in names):
            return folder
    files = ", ".join(dict.fromkeys(name for names in dataset.splits.values() for name in names))
    message = f"no file of {dataset.name} ({files}) in {(data / own).absolute()} or {data.absolute()}"
    raise MissingError(message, f"{cure} and put them into {(data / own).absolute()}")


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Every line that is not blank with its number, from 1; without byte order mark and line end.

    Only a line feed ends a line. Bytes that are not UTF-8 become lone surrogates, for which the row is rejected.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            text = (line.removeprefix(BOM) if number == 1 else line).decode(errors="surrogateescape").rstrip("\r\n")
            if text.strip():
                yield number, text


def json_items(path: Path) -> list[tuple[str, Any]]:
    """The keys and values of the one object that a `.json` file holds, in order; a key that stands twice, twice.

    Raises InputError if the file is no JSON object.
    """
    pairs: list[tuple[str, Any]] = []

    def note(found: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal pairs
        pairs = found  # the outermost object is the last to be closed
        return dict(found)

    text = path.read_bytes().removeprefix(BOM).decode(errors="surrogateescape")
    try:
        value = json.loads(text, object_pairs_hook=note)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} could not be read: {error}", "get the file again; it may be cut") from None
    if not isinstance(value, dict):
        raise InputError(f"{path} holds no JSON object", "check that it is the file of that name")
    return pairs


def _refused(record: Record, reason: str) -> Rejected:
    id = (record.row or {}).get("id")
    return _rejected(record, reason, id if isinstance(id, str) and id.isprintable() and id.strip() else None)
