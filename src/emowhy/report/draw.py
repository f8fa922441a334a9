"""Blocks as the template draws them: figures as words, and lengths on scales from 0 to 100."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emowhy.report.blocks import Block, Cell, Confusion, Counts, Interval, Reliability, Table
from emowhy.report.rows import branch
from emowhy.taxonomy import normalise

BRANCHES = ("joy", "love", "surprise", "anger", "disgust", "fear", "sadness", "neutral", "other")
"""The order in which branches stand in a mixed bar and in the legend."""

_SHADES = 10
_HALF_LABELS = 12  # of a confusion table that fits half the page
_HALF_COLUMNS = 6  # of a table, one of intervals taking the room of two


@dataclass(frozen=True, slots=True)
class Figure:
    """A cell as it is drawn: `words`, the `span` of its interval, and where that is (0 to 100) on its column's scale.

    `sort` orders a column: the value itself, None for what has none.
    """

    words: str
    span: str = ""
    bar: tuple[float, float, float, float] | None = None  # where the scale's zero, low, value and high are
    sort: float | None = None


def figures(cells: Sequence[Cell]) -> list[Figure]:
    """Cells that share a scale (a column of a table) as they are drawn."""
    found = [Interval(*cell) if isinstance(cell, tuple) else cell for cell in cells]
    intervals = [cell for cell in found if isinstance(cell, Interval) and _finite(cell.value, cell.low, cell.high)]
    most = max((max(cell.most, abs(cell.high)) for cell in intervals), default=1.0)
    if any(cell.low < 0 for cell in intervals):
        most = max(max(abs(cell.low), abs(cell.high), abs(cell.value)) for cell in intervals)
        return [_figure(cell, -most, most) for cell in found]
    return [_figure(cell, 0.0, most) for cell in found]


def _figure(cell: Cell, start: float, end: float) -> Figure:
    if cell is None or isinstance(cell, str | tuple):
        return Figure("–" if cell is None else str(cell))
    if isinstance(cell, int):
        return Figure(f"{cell:,}", sort=cell)
    if isinstance(cell, float):
        return Figure(_number(cell, 1.0), sort=cell) if _finite(cell) else Figure("–")
    if not _finite(cell.value, cell.low, cell.high):
        return Figure("–")
    zero, low, value, high = (100 * (x - start) / (end - start or 1) for x in (0.0, cell.low, cell.value, cell.high))
    sign = "%" if cell.most == 1 else ""
    span = f"{_number(cell.low, cell.most)} to {_number(cell.high, cell.most)}".replace("%", "") + sign
    return Figure(_number(cell.value, cell.most), span, (zero, low, value, high), cell.value)


def _number(value: float, most: float) -> str:
    words = f"{100 * value:.1f}%" if most == 1 else f"{value:.2f}"
    return words.replace("-", "\N{MINUS SIGN}")


def _finite(*values: float) -> bool:
    return all(map(math.isfinite, values))


def table_rows(table: Table) -> list[list[Figure]]:
    """A table's cells, every column on a scale of its own; a short row is filled up."""
    width = len(table.columns)
    rows = [[*row, *[None] * (width - len(row))][:width] for row in table.rows]
    columns = [figures([row[place] for row in rows]) for place in range(width)]
    return [list(row) for row in zip(*columns, strict=True)]


@dataclass(frozen=True, slots=True)
class Bar:
    """One name of a `Counts` block: its pieces (branch, start, length) on a scale from 0 to 100."""

    name: str
    count: int
    branch: str
    pieces: list[tuple[str, float, float]]
    told: str


def bars(block: Counts) -> list[Bar]:
    """The bars of a block of counts."""
    most = max((item[1] for item in block.items), default=0) or 1
    return [_bar(item[0], item[1], item[2] if len(item) == 3 else None, most, block.labels) for item in block.items]


def _bar(name: str, count: int, mix: Mapping[str, int] | None, most: int, labelled: bool) -> Bar:
    if mix is None:
        kind = branch(name) if labelled else ""
        return Bar(name, count, kind, [(kind, 0.0, 100 * count / most)], "")
    total = sum(mix.values()) or 1
    pieces, done = [], 0.0
    present = [kind for kind in BRANCHES if mix.get(kind)]
    for kind in present:
        length = 100 * mix[kind] / total
        pieces.append((kind, done, length))
        done += length
    told = ", ".join(f"{kind} {100 * mix[kind] / total:.0f}%" for kind in present)
    return Bar(name, count, "", pieces, told)


@dataclass(frozen=True, slots=True)
class Shade:
    """A cell of a confusion table: its count, how dark it is (0 to 10), whether both labels are one."""

    count: int
    dark: int
    same: bool
    gold: str
    predicted: str


def shades(block: Confusion) -> list[tuple[str, list[Shade]]]:
    """A confusion's rows by gold label."""
    predicted = block.predicted or block.labels
    found = []
    for gold, counts in zip(block.labels, block.counts, strict=True):
        total = sum(counts) or 1
        cells = [
            Shade(count, math.ceil(_SHADES * count / total), normalise(gold) == normalise(label), gold, label)
            for label, count in zip(predicted, counts, strict=True)
        ]
        found.append((gold, cells))
    return found


def is_wide(block: Block) -> bool:
    """Whether a block needs the whole width of the page."""
    if isinstance(block, Confusion):
        return len(block.predicted or block.labels) > _HALF_LABELS
    if not isinstance(block, Table):
        return False
    drawn = {place for row in block.rows for place, cell in enumerate(row) if isinstance(cell, tuple | Interval)}
    return len(block.columns) + len(drawn) > _HALF_COLUMNS


def large(count: int) -> str:
    """A count in few characters: 1,234,567 as it is, from ten million on as "12.3 M"."""
    return f"{count:,}" if abs(count) < 10**7 else f"{count / 1e6:,.1f} M"


@dataclass(frozen=True, slots=True)
class Dot:
    """A bin of a reliability diagram: 0 to 100 rightwards and upwards, with the 95 % interval of its accuracy."""

    x: float
    y: float
    low: float
    high: float
    radius: float
    told: str


def dots(block: Reliability) -> list[Dot]:
    """The bins that hold rows."""
    most = max((count for _, _, count in block.bins), default=0) or 1
    found = []
    for sure, correct, count in block.bins:
        if count and _finite(sure, correct):
            low, high = wilson(correct, count)
            told = f"confidence {100 * sure:.1f}%, accuracy {100 * correct:.1f}%, rows {count:,}"
            found.append(Dot(100 * sure, 100 * correct, 100 * low, 100 * high, 2.4 * math.sqrt(count / most), told))
    return found


def wilson(share: float, count: int) -> tuple[float, float]:
    """The 95 % score interval of a share (0 to 1) of `count` rows (Wilson 1927)."""
    z = 1.959964
    middle = share + z * z / (2 * count)
    reach = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (middle - reach) / (1 + z * z / count), (middle + reach) / (1 + z * z / count)
