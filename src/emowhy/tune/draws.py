"""Random numbers of a row's own: what it gets depends on the seed and its id, not on the rows beside it."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


def draw_of(seed: int, *parts: str) -> random.Random:
    """Random numbers that follow from the seed and the parts."""
    digest = hashlib.blake2b("\0".join((str(seed), *parts)).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return random.Random(int.from_bytes(digest, "big"))


def choose(weights: Mapping[T, float], draw: random.Random) -> T:
    """One of the keys, by weight; at least one weight is above 0."""
    return draw.choices(list(weights), list(weights.values()))[0]
