"""What rows teach: replies that the parser reads strictly, quotes that stand where they say, labels and how often."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from emowhy.errors import UsageError
from emowhy.parse import Parsed, parse, read_causes, read_emotions
from emowhy.prompt import load_strategy
from emowhy.taxonomy import find_taxonomy
from emowhy.tune.audit_rows import AuditRow
from emowhy.tune.finding import Finding, rows_named
from emowhy.types import Reply, Sample

COUNTED = ("data", "task", "strategy", "hints", "hint_state", "source")
"""What is counted of rows, by the key of their lines."""

_MOST_OF_ALL = 0.5
"""The share of the rows from which one label is said to rule."""


def reply_findings(rows: Sequence[AuditRow]) -> Iterator[Finding]:
    """Whether inference would read each completion as it stands, and verify its quotes."""
    unread: list[str] = []
    loose: list[str] = []
    for row in rows:
        parsed = read_completion(row)
        if parsed is None or parsed.how != "strict":
            unread.append(row.id)
        elif row.sample is not None and not all(c.exact for c in read_causes(parsed.answer, row.sample)):
            loose.append(row.id)
    yield _told("replies", "the strict parser reads every completion", "cannot be read strictly", unread)
    yield _told("quotes", "every quote is verbatim", "quote what their samples do not say", loose)
    if blind := [row.id for row in rows if row.sample is None]:
        yield Finding(
            "samples", "note", f"{rows_named(blind)} hold no sample: quotes and leaks are not looked at there"
        )


def _told(name: str, good: str, wrong: str, ids: Sequence[str]) -> Finding:
    if not ids:
        return Finding(name, "good", good)
    return Finding(name, "fault", f"{rows_named(ids)} {wrong}", "take them out, or make the rows again", tuple(ids))


def read_completion(row: AuditRow) -> Parsed | None:
    """A row's completion as inference would read it under the row's strategy; None for a strategy that there is not."""
    try:
        fields = load_strategy(row.row.strategy).steps[-1].fields
    except UsageError:
        return None
    return parse(Reply(row.row.completion), fields, row.sample or Sample(row.id, text=""))


def count_rows(rows: Sequence[AuditRow]) -> dict[str, dict[str, int]]:
    """How many rows there are of each set, task, strategy, hint policy, hint state and source; commonest first."""
    return {key: dict(Counter(row.told(key) for row in rows).most_common()) for key in COUNTED}


def count_labels(rows: Sequence[AuditRow], about: Mapping[str, Any]) -> dict[str, int]:
    """How often each emotion is taught or, where a reply names none, is the gold of the row; commonest first."""
    sets = about.get("data")
    names = {one.get("name"): one.get("labels") for one in sets if isinstance(one, Mapping)} if sets else {}
    counts: Counter[str] = Counter()
    for row in rows:
        parsed = read_completion(row)
        answer = parsed.answer if parsed is not None else {}
        taxonomy = _taxonomy(str(names.get(row.row.data) or "open"))
        gold = row.sample.gold.emotions if row.sample is not None and row.sample.gold is not None else None
        counts.update(read_emotions(answer, taxonomy) if "emotions" in answer else gold or ())
    return dict(counts.most_common())


_taxonomy = functools.lru_cache(maxsize=32)(find_taxonomy)


def balance_finding(labels: Mapping[str, int], rows: int) -> Finding:
    """Whether one label rules the rows."""
    if not labels:
        return Finding("balance", "note", "no row names an emotion")
    most, count = next(iter(labels.items()))
    least, few = list(labels.items())[-1]
    told = f"{len(labels)} labels, from {most} ({count:,}) to {least} ({few:,})"
    if count > _MOST_OF_ALL * rows:
        return Finding("balance", "note", f"{told}: {most} rules", "balance: 0.5 in the recipe evens labels out")
    return Finding("balance", "good", told)


def repeat_findings(rows: Sequence[AuditRow]) -> Iterator[Finding]:
    """Ids that stand twice, rows that are the same, and prompts with more than one completion."""
    ids = Counter(row.id for row in rows)
    if twice := [id for id, count in ids.items() if count > 1]:
        yield Finding("ids", "fault", f"{rows_named(twice)} stand more than once", "give each its own", tuple(twice))
    by_prompt: dict[Any, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        by_prompt[row.row.prompt][row.row.completion].append(row.id)
    same = [id for replies in by_prompt.values() for ids in replies.values() for id in ids[1:]]
    several = [next(iter(replies.values()))[0] for replies in by_prompt.values() if len(replies) > 1]
    if same:
        yield Finding("duplicates", "note", f"{rows_named(same)} repeat another row, word for word", "", tuple(same))
    if several:
        what = f"{len(several):,} prompts have several completions ({rows_named(several)})"
        yield Finding("duplicates", "note", what, "right where a text has several readings", tuple(several))
    if not same and not several:
        yield Finding("duplicates", "good", "no prompt stands twice")
