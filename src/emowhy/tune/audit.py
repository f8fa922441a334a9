"""A look at rows before a minute of training is spent on them.

    lines ─▶ rows ─▶ tokens, replies, repeats, templates, leaks ─▶ findings

What is looked at is what the training would see (`emowhy.tune.tokens`) and what inference would do with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emowhy.errors import UsageError, nearest
from emowhy.models import Model, find_model
from emowhy.tune.audit_leaks import dev_findings, leak_findings
from emowhy.tune.audit_replies import balance_finding, count_labels, count_rows, repeat_findings, reply_findings
from emowhy.tune.audit_rows import AuditFolder, AuditRow, Part, read_lines
from emowhy.tune.audit_tokens import Shown, Tokens, lengths, token_findings
from emowhy.tune.barred import scored_splits
from emowhy.tune.finding import Finding, passed
from emowhy.tune.recipe import TuneRecipe
from emowhy.tune.templates import changed_templates

_NAMED = 3  # bad lines in a sentence


@dataclass(frozen=True)
class Ask:
    """What to audit: a rows folder, the benchmarks' data, and what is another than `about.json` says (base, length).

    `row` is the id of the row to show (None: the first).
    """

    folder: Path
    data: Path | None = None
    recipe: TuneRecipe | None = None
    model: str | None = None
    max_tokens: int | None = None
    row: str | None = None
    allow_leaks: bool = False


@dataclass(frozen=True)
class Audit:
    """What was found: rows and token lengths by part, counts and labels of the rows to learn from, and one row."""

    findings: tuple[Finding, ...]
    rows: Mapping[str, int]
    lengths: Mapping[str, Mapping[str, Mapping[str, int]]]
    counts: Mapping[str, Mapping[str, int]]
    labels: Mapping[str, int]
    shown: Shown | None

    @property
    def good(self) -> bool:
        """Whether training may begin."""
        return passed(self.findings)


def audit(ask: Ask) -> Audit:
    """Look at everything.

    Raises:
        MissingError: a file of the folder, or the base, is not there.
        UsageError: nothing says which base or how many tokens, or there is no row of the asked-for id.
    """
    folder = read_lines(ask.folder)
    base, most = find_model(_base_of(ask, folder.about)), _length_of(ask, folder.about)
    tokens = Tokens(base)
    train, dev = folder.of("train"), folder.of("dev")
    rows = [*train, *dev]
    examples = tokens.encode(rows)
    parts: dict[Part, Sequence[Any]] = {"train": examples[: len(train)], "dev": examples[len(train) :]}
    labels = count_labels(train, folder.about)
    findings = (
        *_line_findings(folder),
        *token_findings(tokens, rows, examples, most),
        *reply_findings(rows),
        balance_finding(labels, len(train)),
        *repeat_findings(train),
        *_origin_findings(folder.about, base),
        *dev_findings(train, dev),
        *leak_findings(rows, scored_splits(ask.data), ask.data, ask.allow_leaks),
    )
    return Audit(
        findings,
        {part: len(some) for part, some in parts.items()},
        {part: lengths(some) for part, some in parts.items()},
        count_rows(train),
        labels,
        _shown(ask.row, rows, examples, tokens),
    )


def _asked(ask: Ask, about: Mapping[str, Any]) -> Mapping[str, Any]:
    """The recipe: the one that was named, or the one that the rows were made by."""
    if ask.recipe is not None:
        return ask.recipe.model_dump()
    made = about.get("recipe")
    return made if isinstance(made, Mapping) else {}


def _base_of(ask: Ask, about: Mapping[str, Any]) -> str:
    found = ask.model or _asked(ask, about).get("base")
    if not found:
        raise UsageError(f"{ask.folder} does not say which base is to be tuned", "name it with --model, or --recipe")
    return str(found)


def _length_of(ask: Ask, about: Mapping[str, Any]) -> int:
    train = _asked(ask, about).get("train")
    found = ask.max_tokens or (train.get("max_tokens") if isinstance(train, Mapping) else None)
    if not isinstance(found, int):
        raise UsageError(f"{ask.folder} does not say how long a row may be", "name it with --max-tokens, or --recipe")
    return found


def _line_findings(folder: AuditFolder) -> Iterator[Finding]:
    """Lines that are no rows; those in which nothing is taught apart."""
    empty = [line for line in folder.bad if line.empty]
    broken = [line for line in folder.bad if not line.empty]
    cure = "take them out, or make the rows again"
    if empty:
        named = ", ".join(line.place for line in empty[:_NAMED])
        what = f"{len(empty):,} rows have no supervised token: their completions are empty ({named})"
        yield Finding("supervised", "fault", what, cure)
    if broken:
        named = "; ".join(f"{line.place}: {line.reason}" for line in broken[:_NAMED])
        yield Finding("lines", "fault", f"{len(broken):,} lines are no rows: {named}", cure)
    if not folder.of("train"):
        yield Finding("lines", "fault", "there is no row to learn from", "see dropped.jsonl and the recipe's rows")
    elif not folder.bad:
        yield Finding("lines", "good", f"{len(folder.rows):,} lines, each a row")


def _origin_findings(about: Mapping[str, Any], base: Model) -> Iterator[Finding]:
    """Whether the rows were made with the templates and the base that inference will use."""
    changed = changed_templates(about)
    cure = "make the rows again: inference would send other prompts"
    for name, how in changed.items():
        yield Finding("templates", "fault", f"the strategy {name!r}: {how}", cure)
    if not changed:
        if about.get("templates"):
            yield Finding("templates", "good", "those of inference")
        else:
            yield Finding("templates", "note", "about.json does not say with which ones the rows were made")
    made = about.get("base")
    told = made.get("sha256") if isinstance(made, Mapping) else None
    known = base.identity.get("sha256")
    if told and known and told != known:
        what = f"the rows were made for other weights ({told}) than those of {base.name} ({known})"
        yield Finding("base", "fault", what, "make the rows again for this base")


def _shown(id: str | None, rows: Sequence[AuditRow], examples: Sequence[Any], tokens: Tokens) -> Shown | None:
    if not rows:
        return None
    places = {row.id: place for place, row in reversed(list(enumerate(rows)))}
    if id is not None and id not in places:
        raise UsageError(f"no row {id!r}", nearest(id, list(places)[:50]))
    return tokens.show(examples[places[id or rows[0].id]])
