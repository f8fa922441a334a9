"""The open-vocabulary labels of OV-MER (Lian et al. 2024, arXiv 2410.01495) and the word groups of MER2024, beside the
file of a data set with the same ids; and lists of words that a table's cell holds as text."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from emowhy.errors import InputError
from emowhy.formats import Record, locate, records

LABEL_FILES = ("check-openset.csv", "track2_train_ovmerd.csv", "openset.csv")
"""CSV `name, openset`; the first that is there is read."""
GROUPS = "openset-synonym"
"""A folder of that name, or a `.zip`, with a NumPy file for each sample: its groups as text, `[['a', 'b'], ['c']]`."""

_QUOTE = re.compile(r"""(?<!\w)['"‘’“”]|['"‘’“”](?!\w)""")  # an apostrophe within a word is none
_COMMA = re.compile("[,，、;；]")
_INNERMOST = re.compile(r"\[([^\[\]]*)\]")


@dataclass(frozen=True, slots=True)
class OpenSet:
    """Labels and groups by sample, and the rows of either that could not be read."""

    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    groups: dict[str, list[list[str]]] = field(default_factory=dict)
    problems: list[Record] = field(default_factory=list)


def read_open_set(folder: Path) -> OpenSet:
    """What is there of both.

    Raises InputError for a label file without its columns, or groups that are no zip file.
    """
    found = OpenSet()
    for name in LABEL_FILES:
        if (folder / name).is_file():
            _read_labels(folder / name, found)
            break
    _read_groups(folder, found)
    return found


def listed_words(text: str) -> tuple[str, ...]:
    """The words of a list in text, in order, each once: split at quotes where it has any, else at commas.

    `['worried', 'sad']`, `[worried, sad]` and `worried, sad` are the same.
    """
    inner = text.strip().removeprefix("[").removesuffix("]")
    separator = _QUOTE if _QUOTE.search(inner) else _COMMA
    words = (word.strip(" \t\r\n,，、;；") for word in separator.split(inner))
    return tuple(dict.fromkeys(word for word in words if word))


def listed_groups(text: str) -> list[list[str]]:
    """The innermost lists of a text, as `listed_words` each; empty ones are none."""
    return [list(words) for inner in _INNERMOST.findall(text) if (words := listed_words(inner))]


def _read_labels(path: Path, found: OpenSet) -> None:
    for record in records(locate(path)):
        if record.row is None:
            found.problems.append(_problem(record, path.name, record.problem or "cannot be read"))
            continue
        for column in ("name", "openset"):
            if column not in record.row:
                raise InputError(f"{path} has no column {column!r}", f"it has: {', '.join(record.row)}")
        name = record.row["name"].strip()
        if name in found.labels:
            found.problems.append(_problem(record, path.name, f"{name!r} has labels already; the first are kept"))
        elif record.row["openset"].strip():
            found.labels[name] = listed_words(record.row["openset"])


def _read_groups(folder: Path, found: OpenSet) -> None:
    for number, (file, content) in enumerate(_group_files(folder), 1):
        name = PurePosixPath(file).stem
        try:
            found.groups[name] = listed_groups(_text_of(content))
        except ValueError as error:
            found.problems.append(_problem(Record(number, number), f"{GROUPS}/{name}.npy", str(error)))


def _group_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    if (folder / GROUPS).is_dir():
        yield from ((path.name, path.read_bytes()) for path in sorted((folder / GROUPS).glob("*.npy")))
        return
    packed = folder / f"{GROUPS}.zip"
    if not packed.is_file():
        return
    try:
        with zipfile.ZipFile(packed) as archive:
            names = sorted(name for name in archive.namelist() if name.endswith(".npy"))
            yield from ((name, archive.read(name)) for name in names)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError) as error:
        raise InputError(f"{packed} could not be read: {error}", "get the file again; it may be cut") from None


def _text_of(content: bytes) -> str:
    """The text that a NumPy file holds. Raises ValueError for one that holds none; nothing in it is run."""
    import numpy as np

    try:
        value = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"is no NumPy file of text: {error}") from None
    if not (isinstance(value, np.ndarray) and value.dtype.kind == "U"):
        raise ValueError("holds no text")
    return str(value.tolist())


def _problem(record: Record, where: str, problem: str) -> Record:
    return record._replace(row=None, problem=f"{where}: {problem}")
