"""The report page: blocks and rows in one HTML file that opens from disk and loads nothing."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup  # a part of jinja2

from emowhy.report import draw
from emowhy.report.blocks import About, Block
from emowhy.report.cards import Labels, card, visible
from emowhy.report.choose import Choice, Chooser
from emowhy.report.fit import dump, fit, joined
from emowhy.report.rows import branch
from emowhy.report.whole import whole

MOST_ROWS = 10_000
"""Rows on a page; it stays quick with so many."""

MOST_BYTES = 18_000_000
"""What the rows of a page may take; long texts are cut until they fit."""

_SCRIPTS = ("row.js", "select.js", "page.js", "summary.js")  # in the order in which they need each other


def write_page(
    path: Path,
    title: str,
    sections: Sequence[Block],
    rows: Iterable[Mapping[str, Any]],
    about: About | None = None,
) -> Path:
    """Write a report page, and give its path: a summary of blocks, then rows to filter, search and read.

    `rows` are dictionaries like the lines of `explanations.jsonl` (a field that is missing is empty). A list, or what
    else can be read twice, is never copied; a generator is kept whole. A row may further hold

    - `scores`: a metric's name -> the row's value; the first one orders the rows from the worst,
    - `right`: whether the answer is right (true, false, or null where nobody knows),
    - `arm`: the system that answered, where the rows are of several,
    - `groups`: a column's name -> the row's value, to filter by,
    - `other`: another system's answer to the same row (the same fields, and its `name`), shown beside it.

    Of more than `MOST_ROWS` rows, failed ones are shown first, then the worst, then a random draw; the page says what
    it leaves out. Text is data wherever it stands: the page runs no script and uses no style but its own, whose
    hashes its content security policy names. The old file stays until the new one is whole.
    """
    rows = list(rows) if iter(rows) is rows else rows
    chooser = Chooser(MOST_ROWS)
    for row in rows:
        chooser.offer(row)
    choice = chooser.choice()
    return write_shown(path, title, sections, choice, choice.pick(rows), about or About())


def write_shown(
    path: Path,
    title: str,
    sections: Sequence[Block],
    choice: Choice,
    shown: Iterable[tuple[int, Mapping[str, Any]]],
    about: About,
) -> Path:
    """Write the page (see `write_page`) of rows that were chosen before, each with its rank."""
    known: Labels = {}
    cards = [text for _rank, text in sorted((rank, card(row, known)) for rank, row in shown)]
    parts = (
        _environment()
        .get_template("page.html.jinja")
        .generate(
            title=title,
            about=about,
            sections=sections,
            choice=choice,
            rows=map(Markup, joined(fit(cards, MOST_BYTES))),
            labels=Markup(dump([[label, *place] for label, place in sorted(known.items())]).decode()),
            said=Markup(dump({"arm": visible(about.arm)}).decode()),
            left_out=_left_out(choice),
            **_assets(),
        )
    )
    with whole(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(parts)
    return path


def _left_out(choice: Choice) -> str:
    """Which rows are shown and which are not; nothing where all are."""
    if not choice.left_out:
        return ""
    reasons = {"failed": choice.failed, "worst": choice.worst, "drawn at random (seed 0)": choice.drawn}
    shown = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items() if count)
    are = "is" if choice.left_out == 1 else "are"
    return f"{choice.left_out:,} of {choice.total:,} rows {are} left out here. Shown: {shown}."


@functools.cache
def _assets() -> Mapping[str, Markup]:
    """The page's own script and style with the hashes by which alone they may run."""
    room = files("emowhy.report")
    style = room.joinpath("page.css").read_text(encoding="utf-8")
    script = "\n".join(room.joinpath(name).read_text(encoding="utf-8") for name in _SCRIPTS)
    return {
        "style": Markup(style),
        "script": Markup(script),
        "style_hash": Markup(_hash(style)),
        "script_hash": Markup(_hash(script)),
    }


def _hash(text: str) -> str:
    """A source's hash as a content security policy names it (CSP Level 3, section 2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@functools.cache
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("emowhy.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    made.filters |= {
        "bars": draw.bars,
        "branch": branch,
        "dots": draw.dots,
        "figures": draw.figures,
        "is_wide": draw.is_wide,
        "large": draw.large,
        "kind": lambda block: type(block).__name__.casefold(),
        "shades": draw.shades,
        "table_rows": draw.table_rows,
    }
    made.globals |= {"BRANCHES": draw.BRANCHES}
    return made


def _visible(value: Any) -> Any:
    return visible(value) if type(value) is str else value  # markup of the template's own passes
