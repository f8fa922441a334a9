"""emowhy: which emotion, why, and which words say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emowhy.errors import EmowhyError
from emowhy.types import Cause, Clue, Emotion, Explanation, Gold, Sample, Turn

if TYPE_CHECKING:
    from emowhy.reasoner import Reasoner

__all__ = ["Cause", "Clue", "Emotion", "EmowhyError", "Explanation", "Gold", "Reasoner", "Sample", "Turn"]

_LATER = {"Reasoner": "emowhy.reasoner"}


def __getattr__(name: str) -> Any:
    """Import what is heavier when it is first used: `import emowhy` stays quick."""
    if name in _LATER:
        from importlib import import_module

        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'emowhy' has no attribute {name!r}")
