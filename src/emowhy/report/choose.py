"""Which rows a page shows of more than it can: failed ones, the worst, and a fair draw of the others."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Key = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """The places of the rows that are shown, in the order in which they are; of how many, and how many for what."""

    places: list[int]
    total: int
    failed: int
    worst: int
    drawn: int

    @property
    def left_out(self) -> int:
        return self.total - len(self.places)

    def pick(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Those rows out of all of them, as they come, each with its rank among those shown."""
        ranks = {place: rank for rank, place in enumerate(self.places)}
        for place, row in enumerate(rows):
            if place in ranks:
                yield ranks[place], row


class Chooser:
    """Takes rows in one by one and keeps no more of them than the places and keys of `most`, three times.

    Up to `most` rows are all chosen; of more the failed ones first, then the worst (see `badness`), then a seeded
    random draw. The worst take at most half of the room that failed rows leave: ordinary ones are to be seen too.
    """

    def __init__(self, most: int, seed: int = 0) -> None:
        self._most = most
        self._failed, self._worst, self._drawn = _Least(most), _Least(most), _Least(most)
        self._draw = random.Random(seed)
        self._total = 0

    def offer(self, row: Mapping[str, Any]) -> None:
        """Take the next row in: its `status`, `right` and `scores` say how bad it is, its `index` where it belongs."""
        place, chance = self._total, self._draw.random()
        index = row.get("index")
        where = (index if isinstance(index, int) else place, place)
        self._total += 1
        if row.get("status", "ok") != "ok":
            self._failed.offer(where, where)
            return
        self._drawn.offer((chance,), where)
        if (bad := badness(row)) is not None:
            self._worst.offer(bad, where)

    def choice(self) -> Choice:
        """What is shown of the rows so far, in the input's order."""
        failed = self._failed.places()
        room = self._most - len(failed)
        worst = self._worst.places()[: room // 2] if self._total > self._most else []
        taken = set(worst)
        drawn = [where for where in self._drawn.places() if where not in taken][: room - len(worst)]
        shown = [place for _index, place in sorted((*failed, *worst, *drawn))]
        return Choice(shown, self._total, len(failed), len(worst), len(drawn))


def badness(row: Mapping[str, Any]) -> Key | None:
    """A key by which the worst row is first: wrong ones, then by the first of its scores; None where none is known.

    A row that is right, and has no scores, has none either.
    """
    scores = row.get("scores")
    score = next(iter(scores.values()), None) if isinstance(scores, Mapping) else None
    known = isinstance(score, int | float) and math.isfinite(score)
    if not known and row.get("right") is not False:
        return None
    rank = 1 if row.get("right") is None else 2 * bool(row["right"])
    return rank, float(score) if known and score is not None else 0.5


class _Least:
    """What was offered with the smallest keys, at most so much of it: pairs of (index, place)."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._heap: list[tuple[Key, Key]] = []  # negated, so that the largest is the first to go

    def offer(self, key: Key, where: tuple[int, int]) -> None:
        entry = tuple(-part for part in key), (-where[0], -where[1])
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def places(self) -> list[tuple[int, int]]:
        """From the smallest key to the largest."""
        return [(-int(index), -int(place)) for _key, (index, place) in sorted(self._heap, reverse=True)]
