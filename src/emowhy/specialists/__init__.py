"""Specialists: samples in, clues out. Found by name, by entry point (`emowhy.specialists`) or as `module:Name`."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from emowhy.errors import UsageError
from emowhy.plugins import find_plugin
from emowhy.specialists.base import Classifier, Specialist
from emowhy.taxonomy import Taxonomy
from emowhy.types import Clue, Sample

__all__ = ["DEFAULTS", "SPECIALISTS", "Classifier", "Specialist", "find_clues", "load_specialists"]

SPECIALISTS = {
    "emotion": "emowhy.specialists.emotion:EmotionSpecialist",
    "occlusion": "emowhy.specialists.occlusion:Occlusion",
}
DEFAULTS = ("emotion", "occlusion")


def load_specialists(names: Sequence[str], taxonomy: Taxonomy) -> list[Specialist]:
    """The named specialists in an order in which each finds the clues that it needs.

    One that needs emotions brings the shipped `emotion` along if none was named.
    """
    kinds = {name: _find_kind(name) for name in names if not name.startswith("hf:")}
    if any("emotion" in kind.needs for kind in kinds.values()):
        gives = [n for n in names if n.startswith("hf:") or kinds[n].kind == "emotion"]
        if not gives:
            names = ("emotion", *names)
            kinds["emotion"] = _find_kind("emotion")
    loaded: list[Specialist] = []
    waiting = list(dict.fromkeys(names))
    while waiting:
        given = {specialist.kind for specialist in loaded}
        ready = [n for n in waiting if n.startswith("hf:") or set(kinds[n].needs) <= given]
        if not ready:
            lacking = {need for n in waiting for need in kinds[n].needs} - given
            raise UsageError(f"{', '.join(waiting)}: no specialist gives {', '.join(lacking)}", "name one that does")
        loaded += [_make(name, kinds.get(name), taxonomy, loaded) for name in ready]
        waiting = [name for name in waiting if name not in ready]
    return loaded


def _find_kind(name: str) -> type[Specialist]:
    kind = find_plugin("specialist", name, SPECIALISTS)
    if not (isinstance(kind, type) and issubclass(kind, Specialist)):
        raise UsageError(f"{name} is no specialist", "name a subclass of emowhy.specialists.Specialist")
    return kind


def _make(name: str, kind: type[Specialist] | None, taxonomy: Taxonomy, loaded: Sequence[Specialist]) -> Specialist:
    if kind is None:
        from emowhy.specialists.hub import HubClassifier

        return HubClassifier(taxonomy, name.removeprefix("hf:"))
    if issubclass(kind, Classifier):
        return kind(taxonomy)
    if "classifier" not in inspect.signature(kind).parameters:
        return kind()
    classifiers = [specialist for specialist in loaded if isinstance(specialist, Classifier)]
    if not classifiers:
        raise UsageError(f"{name} asks a classifier again and again, and none is named", "add --specialist emotion")
    return kind(classifiers[0])  # type: ignore[call-arg]


def find_clues(specialists: Sequence[Specialist], samples: Sequence[Sample]) -> list[tuple[Clue, ...]]:
    """Every specialist's clues for every sample, in the specialists' order."""
    clues: list[list[Clue]] = [[] for _ in samples]
    for specialist in specialists:
        for known, new in zip(clues, specialist.find_clues(samples, clues), strict=True):
            known.extend(new)
    return [tuple(known) for known in clues]
