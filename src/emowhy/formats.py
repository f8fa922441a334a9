"""Files, standard input and Hub data sets -> records: a record is one row, or why it could not be read.

Everything streams: a line, a record or a Parquet batch at a time. Only a `.json` file that holds one list
is read whole. Which values a row may hold says `values.py`; what its fields mean, `fields.py`.
"""

from __future__ import annotations

import csv
import difflib
import gzip
import json
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from emowhy.errors import InputError, UsageError, missing_extra, nearest
from emowhy.values import kind_of, parse_json

LONGEST_LINE = 16 * 2**20  # bytes; a longer one is a rejected row, and is never held whole
SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
BOM = b"\xef\xbb\xbf"
HUB_ID = re.compile(r"(?:hub:)?(?P<name>[\w.-]+(?:/[\w.-]+)?)(?::(?P<config>[\w.+-]+))?(?:@(?P<split>[\w.-]+))?")


class Record(NamedTuple):
    """One row as it stands in the input, or the `problem` that kept it from being read.

    `line` is where it begins (in formats without lines: its number, from 1). `number` names a row that has
    no id: the line in JSONL, the row's number, from 1, elsewhere. `raw` holds the bytes, where there are any.
    """

    line: int
    number: int
    row: Mapping[str, Any] | None = None
    problem: str | None = None
    raw: bytes | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Where rows come from. `kind` is how they are written; `path` is None for standard input and the Hub."""

    name: str
    kind: str
    path: Path | None = None

    @property
    def rereadable(self) -> bool:
        """Whether it can be read twice, which a pipe cannot."""
        return self.path is not None and self.path.is_file()

    @property
    def flat(self) -> bool:
        """Whether its columns may hold JSON as text, as spreadsheets do."""
        return self.kind not in ("jsonl", "json")

    def open(self) -> AbstractContextManager[BinaryIO]:
        if self.path is None:
            return nullcontext(cast(BinaryIO, sys.stdin.buffer))
        return cast(BinaryIO, gzip.open(self.path) if self.path.suffix.lower() == ".gz" else self.path.open("rb"))


def locate(source: str | Path, format: str | None = None) -> Source:
    """Which source a name means: "-", a file, or a Hub data set (`owner/name`, `hub:name[:config][@split]`).

    `format` ("jsonl", "csv", "tsv", "parquet") overrides the file's suffix; standard input and files
    without a suffix are JSONL unless told otherwise.
    """
    if format is not None and format not in SUFFIXES.values():
        raise UsageError(f"there is no format {format!r}", nearest(format, set(SUFFIXES.values())))
    if source == "-":
        return Source("standard input", format or "jsonl")
    path = Path(source)
    kind = format or _kind_by_suffix(path)
    if isinstance(source, str) and _means_hub(source, path, kind):
        return Source(source, "hub")
    if path.is_dir():
        inside = sorted(entry.name for entry in islice(path.iterdir(), 1000) if _kind_by_suffix(entry))
        cure = f"name a file in it: {', '.join(inside[:5]) or 'it has none that can be read'}"
        raise InputError(f"{path.absolute()} is a folder", cure)
    if not path.exists():
        raise _missing(str(source), path)
    if not os.access(path, os.R_OK):
        raise InputError(f"{path.absolute()} may not be read by this user", f"chmod +r {path}")
    if kind is None and path.suffix:
        cure = f"give it one of these endings: {', '.join(SUFFIXES)}"
        raise InputError(f"{path.name} does not say by its name how it is written", cure)
    return Source(str(path), kind or "jsonl", path)


def records(source: Source) -> Iterator[Record]:
    """Every row of the source in order; a row that cannot be read is a record with a problem."""
    try:
        yield from _READERS[source.kind](source)
    except (OSError, EOFError, zlib.error, ValueError, RuntimeError) as error:
        cure = "check the file or the connection"
        raise InputError(f"{source.name} could not be read to its end: {error}", cure) from error


def count_rows(source: str | Path, format: str | None = None) -> int | None:
    """How many rows (bad ones included) the source holds, without looking into them; None for a pipe or the Hub."""
    place = locate(source, format)
    if not place.rereadable:
        return None
    if place.kind == "parquet":
        return int(_parquet(place).metadata.num_rows)
    if place.kind == "jsonl" or (place.kind == "json" and not _holds_list(place)):
        with place.open() as file:
            return sum(1 for _, line in _Lines(file) if line.strip())
    return sum(1 for _ in records(place))


# ---------------------------------------------------------------- finding


def _kind_by_suffix(path: Path) -> str | None:
    packed = path.suffix.lower() == ".gz"
    kind = SUFFIXES.get((path.with_suffix("") if packed else path).suffix.lower())
    return None if packed and kind == "parquet" else kind


def _means_hub(source: str, path: Path, kind: str | None) -> bool:
    if source.startswith("hub:"):
        if HUB_ID.fullmatch(source) is None:
            cure = "write hub:owner/name, hub:name:config or hub:name@split"
            raise UsageError(f"{source!r} is no Hub data set", cure)
        return True
    looks_like_file = kind is not None or path.exists() or path.parent.is_dir()
    return "/" in source and HUB_ID.fullmatch(source) is not None and not looks_like_file


def _missing(source: str, path: Path) -> InputError:
    folder = path.absolute().parent
    if not folder.is_dir():
        cure = f"the folder {folder} does not exist either"
    else:
        names = [entry.name for entry in islice(folder.iterdir(), 10_000)]
        close = difflib.get_close_matches(path.name, names, n=3, cutoff=0.5)
        cure = f"did you mean {' or '.join(close)}?" if close else "check the name"
    if HUB_ID.fullmatch(source):
        cure += f" (a Hub data set is written hub:{source})"
    return InputError(f"there is no file {source!r}: looked for {path.absolute()}", cure)


# ---------------------------------------------------------------- JSON


class _Lines(Iterator[tuple[int, bytes]]):
    """Lines with their numbers, from 1; of too long a line only the beginning is kept, longer than allowed."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.number = 0
        self.last = b""

    def __next__(self) -> tuple[int, bytes]:
        line = self.file.readline(LONGEST_LINE + 1)
        if not line:
            raise StopIteration
        rest = line
        while len(rest) > LONGEST_LINE and not rest.endswith(b"\n"):
            rest = self.file.readline(LONGEST_LINE + 1)
        self.number += 1
        self.last = line.removeprefix(BOM) if self.number == 1 and len(line) <= LONGEST_LINE else line
        return self.number, self.last


def _read_jsonl(source: Source) -> Iterator[Record]:
    with source.open() as file:
        for number, line in _Lines(file):
            if not line.strip():
                continue
            row, problem = None, None
            try:
                if len(line) > LONGEST_LINE:
                    raise ValueError(f"line too long (more than {LONGEST_LINE} bytes)")
                row = _object(parse_json(line.decode()))
            except UnicodeDecodeError as error:
                problem = f"not UTF-8 at byte {error.start + 1}"
            except ValueError as error:
                problem = str(error)
            yield Record(number, number, row, problem, line)


def _read_json(source: Source) -> Iterator[Record]:
    """A `.json` file: one list, read whole, or else lines."""
    if not _holds_list(source):
        yield from _read_jsonl(source)
        return
    with source.open() as file:
        text = file.read().removeprefix(BOM).decode(errors="surrogateescape")
    try:
        rows = parse_json(text)
    except ValueError as error:
        cure = "mend it, or write one object a line"
        raise InputError(f"{source.name} begins as a list but cannot be read: {error}", cure) from None
    for number, value in enumerate(rows, 1):
        yield _record(number, number, value)


def _holds_list(source: Source) -> bool:
    if not source.rereadable:
        return False
    with source.open() as file:
        start = file.read(4096).removeprefix(BOM)
        while start and not start.strip():
            start = file.read(4096)
        return start.strip().startswith(b"[")


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"expected an object, got {kind_of(value)}")
    return value


def _record(line: int, number: int, value: Any) -> Record:
    try:
        return Record(line, number, _object(value))
    except ValueError as error:
        return Record(line, number, problem=str(error), raw=json.dumps(value).encode())


# ---------------------------------------------------------------- tables


def _read_csv(source: Source) -> Iterator[Record]:
    """CSV with a header; quoting is checked strictly, as a lenient reader would join rows without a word.

    Bytes that are not UTF-8 become lone surrogates, for which the row is rejected later.
    """
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_LINE))
    with source.open() as file:
        lines = _Lines(file)
        cells = csv.reader(map(_csv_line, lines), delimiter="\t" if source.kind == "tsv" else ",", strict=True)
        try:
            header = _checked_header(next(filter(None, cells), []), source)
        except (csv.Error, ValueError) as error:
            cure = "save the file as UTF-8 with a header line"
            raise InputError(f"the header of {source.name} cannot be read: {error}", cure) from None
        number = 0
        while True:
            line, row, problem = lines.number + 1, None, None
            try:
                values = next(cells)
                if not values:  # a blank line
                    continue
                if len(values) == len(header):
                    row = dict(zip(header, values, strict=True))
                else:
                    problem = f"{len(values)} cells where the header has {len(header)}"
            except StopIteration:
                return
            except (csv.Error, ValueError) as error:
                problem = str(error) + (f" (lines {line} to {lines.number})" if lines.number > line else "")
            number += 1
            yield Record(line, number, row, problem, lines.last if problem else None)


def _csv_line(numbered: tuple[int, bytes]) -> str:
    if len(numbered[1]) > LONGEST_LINE:
        raise ValueError(f"line too long (more than {LONGEST_LINE} bytes)")
    return numbered[1].decode(errors="surrogateescape")


def _checked_header(names: list[str], source: Source) -> list[str]:
    if any("\0" in name or not _is_unicode(name) for name in names):
        raise ValueError("it is not UTF-8")
    header = [name.strip() or f"column {place}" for place, name in enumerate(names, 1)]
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise InputError(f"{source.name} has more than one column {twice[0]!r}", "rename one of them")
    return header


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _parquet(source: Source) -> Any:
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(source.path)
    except pyarrow.ArrowException as error:
        raise InputError(f"{source.name} is not a Parquet file: {error}", "check how it was written") from error


def _read_parquet(source: Source) -> Iterator[Record]:
    table = _parquet(source)
    _checked_header(list(table.schema_arrow.names), source)
    number = 0
    for batch in table.iter_batches(batch_size=1024):
        for row, problem in _batch_rows(batch):
            number += 1
            yield Record(number, number, row, problem)


def _batch_rows(batch: Any) -> Iterator[tuple[Mapping[str, Any] | None, str | None]]:
    try:
        yield from ((row, None) for row in batch.to_pylist())
    except UnicodeDecodeError:  # somewhere in the batch: find out where, row by row
        for place in range(batch.num_rows):
            try:
                yield batch.slice(place, 1).to_pylist()[0], None
            except UnicodeDecodeError:
                yield None, "not UTF-8"


# ---------------------------------------------------------------- the Hub


def _read_hub(source: Source) -> Iterator[Record]:
    """A Hub data set, streamed; class numbers become their names. No code of the data set is run."""
    found = HUB_ID.fullmatch(source.name)
    assert found is not None
    datasets = _module("datasets", "reading a Hub data set")
    try:
        splits = datasets.load_dataset(found["name"], found["config"], streaming=True)
    except (OSError, ValueError, RuntimeError) as error:  # the library's own errors are kinds of these
        reason, cure = str(error).partition("\n")[0], "check its name, its configuration and the connection"
        raise InputError(f"the Hub data set {source.name} could not be opened: {reason}", cure) from error
    split = found["split"] or (next(iter(splits)) if len(splits) == 1 else None)
    if split not in splits:
        cure = f"choose one: hub:{source.name.removeprefix('hub:').partition('@')[0]}@{next(iter(splits))}"
        raise UsageError(f"{source.name} has these splits: {', '.join(splits)}", cure)
    names = {column: _class_names(feature) for column, feature in (splits[split].features or {}).items()}
    for number, row in enumerate(splits[split], 1):
        yield Record(number, number, {column: (names.get(column) or _as_is)(value) for column, value in row.items()})


def _class_names(feature: Any) -> Callable[[Any], Any] | None:
    """How class numbers (or a list of them) are named, where a column holds any."""
    several = not hasattr(feature, "int2str")
    to_name = getattr(feature.feature if hasattr(feature, "feature") else feature, "int2str", None)
    if to_name is None:
        return None

    def name(number: int | None) -> str | None:
        return None if number is None or number < 0 else str(to_name(number))  # -1: not annotated

    return (lambda numbers: numbers and [name(number) for number in numbers]) if several else name


def _as_is(value: Any) -> Any:
    return value


def _module(name: str, what: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise missing_extra(what, "hub") from error


_READERS: Mapping[str, Callable[[Source], Iterator[Record]]] = {
    "jsonl": _read_jsonl,
    "json": _read_json,
    "csv": _read_csv,
    "tsv": _read_csv,
    "parquet": _read_parquet,
    "hub": _read_hub,
}
