"""Label sets, maps between them, and a word -> a label.

The knowledge is in the tables beside this file (`taxonomies/*.tsv`, each with its rules and sources on top);
here is only how they are read. Nothing invents a label: an unknown word stays as it is, an unmappable label
maps to nothing.
"""

from __future__ import annotations

import string
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from emowhy.errors import UsageError, nearest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TABLE_VERSION = "1"
"""Version of the words and branches that scores depend on; reports print it."""

_TABLES = Path(__file__).parent / "taxonomies"
_EDGES = string.punctuation + " “”‘’«»…–—·•、。，！？；：（）「」『』《》【】"
_HUB = "goemotions"  # maps without rows of their own go through the finest set that has maps to all others

Provenance = Literal["goemotions-paper", "plutchik-1980", "parrott-2001", "ours", "word", "composed", "branch", "none"]


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """A label set. `labels` are in the order of a model's columns; the open set has none."""

    name: str
    labels: tuple[str, ...]

    @property
    def is_open(self) -> bool:
        """Whether any word is a label."""
        return not self.labels


@dataclass(frozen=True, slots=True)
class Place:
    """Where a word stands in the branches."""

    primary: str
    secondary: str


@dataclass(frozen=True, slots=True)
class Pair:
    """One step of a map and where it comes from; `target` None says that the label is unmappable."""

    source: str
    target: str | None
    provenance: Provenance
    reason: str = ""


def find_taxonomy(spec: str) -> Taxonomy:
    """The label set that is called `spec`, or the user's own list "a, b, c" (its name is that list).

    Blanks in a list are dropped; one label is written "a,".

    Raises:
        UsageError: an unknown name, a list without labels, or a label that stands in it twice (in any case).
    """
    if "," not in spec:
        known = _taxonomies()
        name = spec.strip().casefold()
        if name not in known:
            raise UsageError(f"unknown label set {spec!r}", nearest(name, known) + '; or your own list "a,b,c"')
        return known[name]
    labels = tuple(label for part in spec.split(",") if (label := part.strip()))
    if not labels:
        raise UsageError(f"no labels in {spec!r}", 'separate them with commas: "joy,anger,none"')
    seen: set[str] = set()
    for label in labels:
        if (key := _clean(label)) in seen:
            raise UsageError(f"the label {label!r} stands twice in {spec!r}", "name every label once")
        seen.add(key)
    return Taxonomy(",".join(labels) if len(labels) > 1 else f"{labels[0]},", labels)


def taxonomy_names() -> tuple[str, ...]:
    """The label sets that are known by name."""
    return tuple(name for name, taxonomy in _taxonomies().items() if taxonomy.labels)


def normalise(word: str, labels: Iterable[str] | None = None) -> str:
    """The canonical form of a word or, with `labels`, the label that it means.

    Without labels: case, outer punctuation, inflection and plain synonyms are taken away ("Angry!" -> "anger").
    With labels: the label that is the word, else the label of the same canonical form, else the label of its
    first near word that has one ("happy" -> "joy" in ekman); as spelt in `labels`. A word that reaches no
    label, or two of the same form, is kept, and so is an unknown word: casefolded and stripped.
    Idempotent, for the same labels too. Cached: pass the same tuple for speed.
    """
    return _canonical(word) if labels is None else _land(word, tuple(labels))


def place(word: str) -> Place | None:
    """The one place of a word's canonical form in the branches; None where it has none."""
    return _branches().get(_canonical(word))


def similarity(a: str, b: str) -> float:
    """How near two words are: 1 the same canonical word, .75 same secondary, .5 same primary branch, 0 otherwise.

    Symmetric. A word in no branch is like itself only. (METRICS.md, "Graded".)
    """
    if _canonical(a) == _canonical(b):
        return 1.0
    here, there = place(a), place(b)
    if here is None or there is None or here.primary != there.primary:
        return 0.0
    return 0.75 if here == there else 0.5


def find_pairs(source: Taxonomy, target: Taxonomy) -> tuple[Pair, ...]:
    """The map between two label sets, pair by pair with provenance, in the order of the source labels.

    A hand-written row wins; else the same word (`normalise`), else composed through goemotions, else the
    target label that names the word's secondary or primary branch; else a pair whose target is None.

    Raises:
        UsageError: one of the sets is open, so there is no list to map.
    """
    for taxonomy in (source, target):
        if taxonomy.is_open:
            raise UsageError("the open label set cannot be mapped", "name a label set, or a list of labels")
    return _pairs(source, target)


def find_map(source: Taxonomy, target: Taxonomy) -> dict[str, tuple[str, ...]]:
    """For every source label its target labels; an empty tuple says unmappable. Raises as `find_pairs` does."""
    found: dict[str, tuple[str, ...]] = dict.fromkeys(source.labels, ())
    for pair in find_pairs(source, target):
        if pair.target is not None:
            found[pair.source] += (pair.target,)
    return found


def reachable(source: Taxonomy, target: Taxonomy) -> tuple[bool, ...]:
    """For each target label, in order, whether some source label maps to it."""
    hit = {pair.target for pair in find_pairs(source, target)}
    return tuple(label in hit for label in target.labels)


def carry(probabilities: NDArray[np.floating], source: Taxonomy, target: Taxonomy) -> NDArray[np.floating]:
    """Multi-label probabilities (n, |source|), each 0 to 1, carried to (n, |target|) in the same type.

    A target label is there if any of its source labels is: noisy-or, 1 - prod(1 - p) (Pearl 1988, ch. 4). That
    takes the source labels as independent, which they are not, so the specialist calibrates the result again.
    A target label that nothing maps to gets 0, which is no finding: ask `reachable`.

    Raises:
        ValueError: the array is not (n, |source|).
        UsageError: as `find_pairs`.
    """
    import numpy as np

    if probabilities.ndim != 2 or probabilities.shape[1] != len(source.labels):
        raise ValueError(f"expected (n, {len(source.labels)}) probabilities, got {probabilities.shape}")
    carried = np.zeros((len(probabilities), len(target.labels)), dtype=probabilities.dtype)
    links = [(pair.source, pair.target) for pair in find_pairs(source, target)]
    for column, label in enumerate(target.labels):
        if origins := [source.labels.index(a) for a, b in links if b == label]:
            carried[:, column] = 1 - np.prod(1 - probabilities[:, origins], axis=1)
    return carried


# Words ----------------------------------------------------------------------------------------------------------


def _clean(word: str) -> str:
    return " ".join(word.casefold().split()).strip(_EDGES)


@lru_cache(maxsize=65536)
def _canonical(word: str) -> str:
    key = _clean(word)
    forms = _words()[0]
    return forms.get(key) or forms.get(key.replace("-", " ").replace("_", " ")) or key


@lru_cache(maxsize=65536)
def _land(word: str, labels: tuple[str, ...]) -> str:
    key = _clean(word)
    for label in labels:
        if _clean(label) == key:
            return label
    canonical = _canonical(key)
    for meaning in (canonical, *_words()[1].get(canonical, ())):
        same = [label for label in labels if _canonical(label) == meaning]
        exact = [label for label in same if _clean(label) == meaning]
        if len(exact or same) == 1:
            return (exact or same)[0]
        if same:  # two labels of one form ("sad", "sadness"): which is meant is not ours to guess
            return key
    return key


# Maps -----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _pairs(source: Taxonomy, target: Taxonomy) -> tuple[Pair, ...]:
    return tuple(pair for label in source.labels for pair in _map_label(label, source, target))


def _map_label(label: str, source: Taxonomy, target: Taxonomy) -> tuple[Pair, ...]:
    known = _taxonomies()
    hub = known[_HUB]
    # a set that borrows a known name without being that set gets no rows of it
    written = known.get(source.name) == source and known.get(target.name) == target
    if written and (rows := _maps().get((source.name, target.name, label))):
        return rows
    if (landed := normalise(label, target.labels)) in target.labels:
        return (Pair(label, landed, "word"),)
    if hub not in (source, target):
        through: dict[str, str] = {}
        for first in _map_label(label, source, hub):
            for second in _map_label(first.target, hub, target) if first.target else ():
                if second.target:
                    through.setdefault(second.target, second.source)
        if through:
            return tuple(Pair(label, end, "composed", f"through {middle}") for end, middle in through.items())
    if (spot := place(label)) is not None:
        for wider in (spot.secondary, spot.primary):
            if (landed := normalise(wider, target.labels)) in target.labels:
                return (Pair(label, landed, "branch", f"a kind of {wider}"),)
    return (Pair(label, None, "none", "nothing in the target set means it"),)


# Tables ---------------------------------------------------------------------------------------------------------


def _rows(name: str, columns: int) -> list[list[str]]:
    """The rows of a table, short ones filled up with empty cells."""
    lines = (_TABLES / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return [row + [""] * (columns - len(row)) for row in rows]


def _list(cell: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in cell.split(",") if word.strip())


@cache
def _taxonomies() -> dict[str, Taxonomy]:
    return {name: Taxonomy(name, _list(labels)) for name, labels, _source in _rows("labels", 3)}


@cache
def _words() -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Every surface word -> its canonical word, and every canonical word -> its near words, best first."""
    forms: dict[str, str] = {}
    near: dict[str, tuple[str, ...]] = {}
    for canonical, inflections, synonyms, others in _rows("words", 4):
        for surface in (canonical, *_list(inflections), *_list(synonyms)):
            forms[surface] = canonical
        near[canonical] = _list(others)
    return forms, near


@cache
def _branches() -> dict[str, Place]:
    rows = _rows("branches", 4)
    return {word: Place(primary, secondary) for primary, secondary, words, _why in rows for word in _list(words)}


@cache
def _maps() -> dict[tuple[str, str, str], tuple[Pair, ...]]:
    """(source set, target set, label) -> its hand-written pairs."""
    maps: dict[tuple[str, str, str], tuple[Pair, ...]] = {}
    for source, targets, label, ends, provenance, reason in _rows("maps", 6):
        kind: Provenance = provenance  # type: ignore[assignment]  # checked by the tests
        for target in _list(targets):
            maps[source, target, label] = tuple(Pair(label, end, kind, reason) for end in _list(ends) or (None,))
    return maps
