"""Specialists: samples in, clues out. Found by name, by entry point (`emowhy.specialists`) or as `module:Name`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from emowhy.engines.base import Engine
from emowhy.errors import UsageError
from emowhy.plugins import find_plugin
from emowhy.specialists.base import Classifier, Specialist
from emowhy.taxonomy import Taxonomy
from emowhy.types import Clue, Sample

__all__ = ["DEFAULTS", "SPECIALISTS", "Classifier", "Specialist", "asks_engine", "find_clues", "load_specialists"]

SPECIALISTS = {
    "emotion": "emowhy.specialists.emotion:EmotionSpecialist",
    "cue": "emowhy.specialists.cue:Cue",
    "valence": "emowhy.specialists.valence:Valence",
    "occlusion": "emowhy.specialists.occlusion:Occlusion",
    "likelihood": "emowhy.specialists.likelihood:Likelihood",
    "fusion": "emowhy.specialists.fusion:Fusion",
    "lexicon": "emowhy.specialists.lexicon:Lexicon",
    "reader": "emowhy.specialists.reader:Reader",
    "cause": "emowhy.specialists.cause:CauseSpans",
    "emotion32": "emowhy.specialists.emotion:Emotion32",
}
DEFAULTS = ("emotion", "cue")


def load_specialists(
    names: Sequence[str], taxonomy: Taxonomy, engine: Engine | Callable[[], Engine] | None = None
) -> list[Specialist]:
    """The named specialists in an order in which each finds the clues that it needs.

    `name@folder` takes a trained one's weights from a folder. One that needs emotions brings the shipped `emotion`
    along if none was named. One whose constructor has a parameter `engine` gets it; a function is asked for it only
    then, so that no model is loaded for nothing.
    """
    kinds = {name: _find_kind(name) for name in names if not name.startswith("hf:")}
    if any("emotion" in kind.needs for kind in kinds.values()):
        gives = [n for n in names if n.startswith("hf:") or (kinds[n].kind == "emotion" and not kinds[n].needs)]
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
        loaded += [_make(name, kinds.get(name), taxonomy, loaded, engine) for name in ready]
        waiting = [name for name in waiting if name not in ready]
    return loaded


def asks_engine(name: str) -> bool:
    """Whether a specialist reads with the language model in use."""
    return not name.startswith("hf:") and "engine" in inspect.signature(_find_kind(name)).parameters


def _find_kind(name: str) -> type[Specialist]:
    kind = find_plugin("specialist", name.partition("@")[0], SPECIALISTS)
    if not (isinstance(kind, type) and issubclass(kind, Specialist)):
        raise UsageError(f"{name} is no specialist", "name a subclass of emowhy.specialists.Specialist")
    return kind


def _make(
    name: str,
    kind: type[Specialist] | None,
    taxonomy: Taxonomy,
    loaded: Sequence[Specialist],
    engine: Engine | Callable[[], Engine] | None,
) -> Specialist:
    if kind is None:
        from emowhy.specialists.hub import HubClassifier

        return HubClassifier(taxonomy, name.removeprefix("hf:"))
    wanted = inspect.signature(kind).parameters
    given: dict[str, Any] = {"taxonomy": taxonomy} if "taxonomy" in wanted else {}
    if folder := name.partition("@")[2]:
        if "weights" not in wanted:
            raise UsageError(f"{name}: {kind.name} has no trained weights", f"name it without @{folder}")
        given["weights"] = Path(folder)
    if "classifier" in wanted:
        given["classifier"] = next((one for one in loaded if isinstance(one, Classifier)), None)
        if given["classifier"] is None:
            raise UsageError(f"{name} asks a classifier again and again, and none is named", "add --specialist emotion")
    if "engine" in wanted:
        if engine is None:
            cure = f"load_specialists([{name!r}], taxonomy, load_engine('transformers')), or emowhy clues --engine …"
            raise UsageError(f"{name} asks a language model, and no engine is given", cure)
        given["engine"] = engine if isinstance(engine, Engine) else engine()
    made = kind(**given)
    if folder:
        made.name = name  # type: ignore[misc]  # its clues and tables say whose they are
    return made


def find_clues(specialists: Sequence[Specialist], samples: Sequence[Sample]) -> list[tuple[Clue, ...]]:
    """Every specialist's clues for every sample, in the specialists' order."""
    clues: list[list[Clue]] = [[] for _ in samples]
    for specialist in specialists:
        for known, new in zip(clues, specialist.find_clues(samples, clues), strict=True):
            known.extend(new)
    return [tuple(known) for known in clues]
