"""Where a row's words stand, and other words of the same length beside them."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from emowhy.bench.metrics.spans import Span, overlap
from emowhy.schema import Place
from emowhy.types import Cause, Clue, Sample

_ALONE = "\u3040-\u30ff\u3400-\u9fff"  # scripts without spaces: each of their signs counts as a word
_WORD = re.compile(rf"[{_ALONE}]|[^\W{_ALONE}]+(?:[’'\-][^\W{_ALONE}]+)*")


def find_texts(sample: Sample) -> dict[Place, str]:
    """Every turn (by its number) and observation (by its name) that has words."""
    found: dict[Place, str] = {number: turn.text for number, turn in sample.turns().items()}
    found.update((name, words) for name, words in sample.observations.items() if words)
    return found


def find_spans(marks: Iterable[Cause | Clue], sample: Sample) -> list[Span]:
    """Where the quotes of causes or clues stand; one that is not verbatim, or holds no word, stands nowhere."""
    texts = find_texts(sample)
    found = []
    for mark in marks:
        where = mark.place
        if where is None or mark.start is None or mark.end is None:
            continue
        if texts.get(where, "")[mark.start : mark.end] == mark.quote and _WORD.search(mark.quote or ""):
            found.append(Span(where, mark.start, mark.end))
    return found


def merge(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same words as disjoint spans, in the order in which their places come first."""
    given = list(spans)
    order = {where: number for number, where in enumerate(dict.fromkeys(span.place for span in given))}
    found: list[Span] = []
    for span in sorted(given, key=lambda s: (order[s.place], s.start, s.end)):
        if found and found[-1].place == span.place and span.start <= found[-1].end:
            found[-1] = replace(found[-1], end=max(found[-1].end, span.end))
        else:
            found.append(span)
    return tuple(found)


# Other words of the same length ---------------------------------------------------------------------------------


def find_elsewhere(
    sample: Sample, spans: Sequence[Span], draw: random.Random, avoid: Sequence[Span] = ()
) -> tuple[Span, ...] | None:
    """For each span a run of as many words of its turn (or observation), drawn from all that overlap no span, no other
    run and nothing of `avoid`. None where there is no room for them all, however they are drawn."""
    texts = find_texts(sample)
    found: dict[int, Span] = {}
    for where in dict.fromkeys(span.place for span in spans):
        words = [Span(where, *match.span()) for match in _WORD.finditer(texts[where])]  # type: ignore[index]
        free = [n for n, word in enumerate(words) if not any(overlap(word, span) for span in (*spans, *avoid))]
        sizes = {i: _count(words, span) for i, span in enumerate(spans) if span.place == where}
        longest_first = sorted(sizes, key=lambda i: -sizes[i])
        runs = _fit([sizes[i] for i in longest_first], free, draw)
        if runs is None:
            return None
        for i, run in zip(longest_first, runs, strict=True):
            found[i] = Span(where, words[run[0]].start, words[run[-1]].end)
    return tuple(found[i] for i in range(len(spans)))


def count_words(sample: Sample, span: Span) -> int:
    """How many words a span holds or touches."""
    text = find_texts(sample)[span.place]  # type: ignore[index]
    return _count([Span(span.place, *match.span()) for match in _WORD.finditer(text)], span)


def _count(words: Sequence[Span], span: Span) -> int:
    return sum(overlap(word, span) > 0 for word in words)


def _fit(sizes: Sequence[int], free: Sequence[int], draw: random.Random) -> list[Sequence[int]] | None:
    """Disjoint runs of side by side `free` numbers, of these sizes (the longest first)."""
    if not sizes:
        return []
    lengths = _run_lengths(free)
    if any(count > sum(length // size for length in lengths) for count, size in enumerate(sizes, 1)):
        return None  # so that a text without room is not searched in vain
    size = sizes[0]
    starts = [at for at in range(len(free) - size + 1) if free[at + size - 1] - free[at] == size - 1]
    draw.shuffle(starts)
    for at in starts:
        others = _fit(sizes[1:], [*free[:at], *free[at + size :]], draw)
        if others is not None:
            return [free[at : at + size], *others]
    return None


def _run_lengths(numbers: Sequence[int]) -> list[int]:
    """How many of these rising numbers follow on each other, run by run."""
    breaks = [at for at, (one, other) in enumerate(pairwise(numbers), 1) if other != one + 1]
    return [end - start for start, end in pairwise([0, *breaks, len(numbers)])]
