"""Errors that carry the cure: what was wrong and where, and what to type."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class EmowhyError(Exception):
    """Something the user can mend. `message` says what was wrong and where, `cure` what to do about it.

    `exit_code` is the code that the command line ends with.
    """

    exit_code = 2

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.cure}" if self.cure else self.message


class UsageError(EmowhyError):
    """A wrong option, configuration or combination of them."""


class InputError(EmowhyError):
    """Input that cannot be read at all (single bad rows are rejected and counted instead)."""


class MissingError(EmowhyError):
    """A package, model, adapter, file or server that is not there."""


class EngineError(EmowhyError):
    """The engine as a whole failed: nothing more can be generated."""

    exit_code = 1


class RunError(EmowhyError):
    """A run directory that cannot be used as asked: locked, or holding another run."""


def missing_extra(what: str, extra: str) -> MissingError:
    """The error for a package that an install extra brings."""
    return MissingError(f"{what} needs packages that are not installed", f'pip install "emowhy[{extra}]"')


def nearest(word: str, known: Iterable[str]) -> str:
    """A cure that names the nearest known word, and all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1)
    listed = "known: " + ", ".join(known)
    return f"did you mean {close[0]!r}? ({listed})" if close else listed
