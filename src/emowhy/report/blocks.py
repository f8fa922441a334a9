"""What the summary of a report is made of: plain blocks, drawn in the order in which they are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % interval, drawn as a small bar.

    `most` is the end of its scale: 1 says that it is a share (printed as per cent), anything else that it is a
    number (printed as it is). Where a `low` of the column is below 0, its bars begin at the middle.
    """

    value: float
    low: float
    high: float
    most: float = 1.0


Cell = str | int | float | Interval | tuple[float, float, float] | None
"""What a figure may be: words; a count; a share, 0 to 1, printed as per cent; an interval (three numbers are one
of shares: value, low, high); None is a dash. What is no share and no count (seconds, say) comes as words."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Names with their values: as `tiles` (a few figures, large), as a `list`, or as a list that is `folded`."""

    title: str
    pairs: Sequence[tuple[str, Cell]]
    look: Literal["tiles", "list", "folded"] = "list"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells; the first column names the row. Columns of figures can be sorted on the page.

    With `labels` the first column holds emotion labels: coloured, and a click shows the rows that have it as gold
    or prediction.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    labels: bool = False


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of (gold, predicted): `counts[i][j]` rows have gold `labels[i]` and were answered `predicted[j]`.

    Without `predicted` both sides have the same labels. A cell is shaded by its share of its row.
    """

    labels: Sequence[str]
    counts: Sequence[Sequence[int]]
    predicted: Sequence[str] = ()
    title: str = "Confusion"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Reliability:
    """Bins of (mean confidence, accuracy, rows), each figure 0 to 1, and the calibration error over them."""

    bins: Sequence[tuple[float, float, int]]
    ece: float
    title: str = "Reliability"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows there are of each name, as bars, in the given order.

    An item may carry a third value, counts by emotion branch (see `emowhy.report.branch`): its bar is then made of
    them, and every bar is as long as the others (shares). With `labels` the names are emotion labels: coloured,
    and a click shows their rows.
    """

    title: str
    items: Sequence[tuple[str, int] | tuple[str, int, Mapping[str, int]]]
    note: str = ""
    labels: bool = False


@dataclass(frozen=True, slots=True)
class Notes:
    """Sentences that a reader of the figures must know."""

    items: Sequence[str]
    title: str = "Notes"


Block = Facts | Table | Confusion | Reliability | Counts | Notes


@dataclass(frozen=True, slots=True)
class About:
    """What a page says of its rows.

    `lead` is the sentence under the title; `arm` names the system that gave the answers, where rows are compared
    with an `other` (which names itself); `everything` says where rows are that the page leaves out.
    """

    lead: str = ""
    arm: str = ""
    everything: str = "explanations.jsonl"
