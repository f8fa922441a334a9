"""What several loaders share: tables without quoting, several files read as one, and cells that hold numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from emowhy.datasets.base import text_lines
from emowhy.formats import Record


def rows_split_at(path: Path, separator: str) -> Iterator[Record]:
    """The rows of a table with a header, split at every separator: a quotation mark is a character like any other.

    An empty cell behind the last column (a line that ends in the separator) is no cell.
    """
    header: list[str] | None = None
    for number, line in text_lines(path):
        cells = line.split(separator)
        if header is None:
            header = [cell.strip() for cell in cells]
            while header and not header[-1]:
                header.pop()
            continue
        if len(cells) == len(header) + 1 and not cells[-1].strip():
            cells.pop()
        raw = line.encode(errors="surrogateescape")
        if len(cells) == len(header):
            yield Record(number, number, dict(zip(header, cells, strict=True)), raw=raw)
        else:
            yield Record(number, number, problem=f"{len(cells)} cells where the header has {len(header)}", raw=raw)


def one_after_another(paths: Iterable[Path], read: Callable[[Path], Iterator[Record]]) -> Iterator[Record]:
    """The records of several files as if they were one's: lines and numbers go on where the file before ended."""
    before = 0
    for path in paths:
        last = 0
        for record in read(path):
            last = max(record.line, record.number)
            yield record._replace(line=before + record.line, number=before + record.number)
        before += last


def number_of(value: Any, name: str, least: float, most: float) -> float:
    """The number in a cell, which may be followed by its meaning ("2: moderate …"): from `least` to `most`.

    Raises ValueError, with the cell's name, for anything else.
    """
    shown = str(value)[:50]
    try:
        number = float("nan") if isinstance(value, bool) else float(str(value).partition(":")[0].strip().rstrip("."))
    except ValueError:
        raise ValueError(f"{name}: expected a number, got {shown!r}") from None
    if not least <= number <= most:  # which NaN is not either
        raise ValueError(f"{name}: expected {least:g} to {most:g}, got {shown}")
    return number


def class_of(value: Any, name: str, least: int, most: int) -> int:
    """The whole number in a cell; else as `number_of`."""
    number = number_of(value, name, least, most)
    if number != int(number):
        raise ValueError(f"{name}: expected a whole number, got {str(value)[:50]}")
    return int(number)


def marked(cells: Mapping[str, Any], columns: Iterable[str]) -> list[str]:
    """The columns whose cell is 1, in their order. Raises ValueError if one is neither 0 nor 1."""
    return [column for column in columns if class_of(cells[column], column, 0, 1)]
