"""What data sets of dialogues share: a sample is a turn, with the earlier turns as context and the later ones after."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from emowhy.datasets.base import DataSet
from emowhy.errors import InputError
from emowhy.fields import name_of
from emowhy.formats import BOM, Record
from emowhy.values import check_values, kind_of, parse_json

_AGAIN = "it was already there; the turns of a dialogue must stand together"


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One dialogue as its file has it: a record a turn. `problem` is what makes all of them unusable."""

    name: str
    turns: Sequence[Record]
    problem: str | None = None


class DialogueSet(DataSet):
    """Override `dialogues`, `gold` and the two keys; where turns have names of their own, `turn_name`.

    A sample is called "split-dialogue-turn" (a turn without a name counts from 0), `extra["dialogue"]` is
    "split-dialogue". A turn that is rejected stays in the context of the others as far as its words can be read,
    else blank, so that the numbering does.
    """

    text_key: ClassVar[str] = "utterance"
    speaker_key: ClassVar[str] = "speaker"

    def dialogues(self, path: Path) -> Iterator[Dialogue | Record]:
        """Every dialogue of a file in order; rows that belong to none come as records."""
        raise TypeError(f"{type(self).__name__} overrides no `dialogues`")

    def gold(self, cells: Mapping[str, Any]) -> Mapping[str, Any]:
        """What was annotated on a turn: its own cells, with `place` (from 0) and `spoken` (every turn's words)."""
        raise TypeError(f"{type(self).__name__} overrides no `gold`")

    def turn_name(self, cells: Mapping[str, Any], place: int) -> str:
        """What a turn is called within its dialogue."""
        return str(place)

    def speaker(self, cells: Mapping[str, Any]) -> str | None:
        """Who speaks a turn; None where that is not said, or not in words."""
        speaker = cells.get(self.speaker_key)
        return speaker if isinstance(speaker, str) else None

    def records(self, path: Path) -> Iterator[Record]:
        split = self._split_of(path)
        seen: set[str] = set()
        for found in self.dialogues(path):
            if isinstance(found, Record):
                yield found
                continue
            name = f"{split}-{found.name}"
            problem = found.problem or (_AGAIN if name in seen else None)
            seen.add(name)
            yield from _refused(name, problem, found.turns) if problem else self._turns(name, found.turns)

    def row(self, cells: Mapping[str, Any], split: str) -> Mapping[str, Any]:
        place, spoken = cells["place"], cells["spoken"]
        return {
            "id": cells["id"],
            "text": cells[self.text_key],
            "speaker": self.speaker(cells),
            "context": spoken[:place],
            "after": spoken[place + 1 :],
            "gold": self.gold(cells),
            "extra": {"dialogue": cells["dialogue"]},
        }

    def _turns(self, name: str, turns: Sequence[Record]) -> Iterator[Record]:
        """The turns of a dialogue, each knowing where it stands and what the others say."""
        spoken = [self._spoken(turn.row or {}) for turn in turns]
        for place, turn in enumerate(turns):
            if turn.row is None:
                yield turn
                continue
            id = f"{name}-{self.turn_name(turn.row, place)}"
            row = {**turn.row, "id": id, "dialogue": name, "place": place, "spoken": spoken}
            yield turn._replace(row=row, raw=turn.raw or _bytes(turn.row))

    def _spoken(self, cells: Mapping[str, Any]) -> dict[str, str | None]:
        """A turn as context of another."""
        text, speaker = cells.get(self.text_key), self.speaker(cells)
        return {"text": _sayable(text) or "", "speaker": _sayable(speaker)}

    def _split_of(self, path: Path) -> str:
        """The split whose file it is; an unknown file's own name."""
        for split, names in self.splits.items():
            if any(path.parts[-len(Path(name).parts) :] == Path(name).parts for name in names):
                return split
        return path.stem


def turn_records(turns: Sequence[Any], before: int) -> list[Record]:
    """A record for each turn of a JSON file; `line` counts the file's turns, of which there were `before`."""
    return [_turn_record(turn, line) for line, turn in enumerate(turns, before + 1)]


def broken_dialogue(value: Any, before: int, problem: str, name: str) -> Dialogue:
    """A dialogue whose turns cannot be told apart: one rejected row stands for it."""
    return Dialogue(name, [Record(before + 1, before + 1, raw=_bytes(value))], problem)


def json_list(path: Path) -> list[Any]:
    """The list that a `.json` file holds. Raises InputError if it holds none."""
    try:
        value = parse_json(path.read_bytes().removeprefix(BOM).decode(errors="surrogateescape"))
    except ValueError as error:
        raise InputError(f"{path} could not be read: {error}", "get the file again; it may be cut") from None
    if not isinstance(value, list):
        raise InputError(f"{path} holds no JSON list, but {kind_of(value)}", "check that it is the file of that name")
    return value


def dialogue_name(value: Any, number: int) -> str:
    """A dialogue's name as its file gives it; one without is called by its number, from 1."""
    try:
        return name_of(value, "dialogue") or str(number)
    except ValueError:
        return str(number)


def _turn_record(turn: Any, line: int) -> Record:
    if isinstance(turn, Mapping):
        return Record(line, line, turn, raw=_bytes(turn))
    return Record(line, line, problem=f"expected a turn, got {kind_of(turn)}", raw=_bytes(turn))


def _refused(name: str, problem: str, turns: Sequence[Record]) -> Iterator[Record]:
    for turn in turns:
        raw = turn.raw or _bytes(turn.row)
        yield turn._replace(row=None, problem=f"dialogue {name!r}: {problem}", raw=raw)


def _sayable(value: Any) -> str | None:
    """Words that a prompt can carry; otherwise one broken turn would take its neighbours with it."""
    try:
        check_values({"words": value})
    except ValueError:
        return None
    return value if isinstance(value, str) else None


def _bytes(value: Any) -> bytes:
    return json.dumps(value, default=str).encode()
