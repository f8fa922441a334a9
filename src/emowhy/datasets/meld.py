"""MELD (Poria et al. 2019, arXiv 1810.02508) and EmoryNLP (Zahiri and Choi 2018, arXiv 1708.04299): dialogues of a
television series, one of seven labels a turn, as CSV with a turn a row."""

from __future__ import annotations

import ast
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from emowhy.datasets.dialogues import Dialogue, DialogueSet
from emowhy.errors import InputError
from emowhy.formats import Record, Source, locate, records

# control characters that are what became of the bytes 0x80 to 0x9f of a cp1252 text; five of them mean nothing there
_CP1252 = {byte: character for byte in range(0x80, 0xA0) if (character := bytes([byte]).decode("cp1252", "ignore"))}


class _TurnRows(DialogueSet):
    """Consecutive rows with the same dialogue are its turns."""

    text_key = "Utterance"
    speaker_key = "Speaker"
    dialogue_keys: ClassVar[tuple[tuple[str, ...], ...]] = (("Dialogue_ID",),)
    """The columns that together name a dialogue; the first of these which the file has."""

    def dialogues(self, path: Path) -> Iterator[Dialogue | Record]:
        keys: tuple[str, ...] | None = None
        current, turns, waiting = "", list[Record](), list[Record]()
        for record in records(_repaired(locate(path))):
            if record.row is None:  # between two turns of one dialogue it is one of them, else of none
                waiting.append(record)
                continue
            keys = keys or self._keys(record.row, path)
            name = "-".join(record.row[key].strip() for key in keys)
            if name == current and turns:
                turns += [*waiting, record]
            else:
                yield from self._finished(current, turns)
                yield from waiting
                current, turns = name, [record]
            waiting = []
        yield from self._finished(current, turns)
        yield from waiting

    def turn_name(self, cells: Mapping[str, Any], place: int) -> str:
        return str(cells.get("Utterance_ID", "")).strip() or str(place)

    def gold(self, cells: Mapping[str, Any]) -> Mapping[str, Any]:
        sentiment = cells.get("Sentiment", "").strip()
        answers = {"sentiment": sentiment} if sentiment else {}
        return {"emotions": [self.label(cells["Emotion"].strip())], "answers": answers}

    def _keys(self, row: Mapping[str, Any], path: Path) -> tuple[str, ...]:
        for keys in self.dialogue_keys:
            if all(key in row for key in keys):
                return keys
        needed = " or ".join(", ".join(keys) for keys in self.dialogue_keys)
        cure = f"it has: {', '.join(row)}; get the file from {self.source}"
        raise InputError(f"{path} does not say which dialogue a row belongs to: no column {needed}", cure)

    @staticmethod
    def _finished(name: str, turns: list[Record]) -> Iterator[Dialogue]:
        if turns:
            yield Dialogue(name, turns, None if name.strip("-") else "it has no name")


class Meld(_TurnRows):
    """CSV `Utterance, Speaker, Emotion, Sentiment, Dialogue_ID, Utterance_ID`. Gold also has `answers["sentiment"]`.

    A line that is not UTF-8 is read as cp1252, and control characters that are left over from that encoding become
    the characters that they were (mostly apostrophes and dashes).
    EmotionLines, EmoryNLP and SemEval-2024 Task 3 have dialogues of the same series: what was tuned on one has seen
    the others.
    """

    name = "meld"
    title = "MELD"
    labels = "meld"
    licence = "GPL-3.0 (repository); the dialogues are those of a television series: research use"
    commercial = False
    source = "https://github.com/declare-lab/MELD/tree/master/data/MELD"
    splits: ClassVar = {
        "train": ("train_sent_emo.csv",),
        "dev": ("dev_sent_emo.csv",),
        "test": ("test_sent_emo.csv",),
    }
    columns = ("Utterance", "Speaker", "Emotion")


class EmoryNlp(_TurnRows):
    """CSV as MELD's, or with `Season, Episode, Scene_ID` in place of `Dialogue_ID`: a scene is a dialogue.

    `Speaker` may be a list in text; several speakers are joined by "and". Bytes are repaired as in MELD, whose note
    on the shared series holds here too.
    """

    name = "emorynlp"
    title = "EmoryNLP"
    labels = ("joyful", "mad", "neutral", "peaceful", "powerful", "sad", "scared")
    spellings: ClassVar = {label.capitalize(): label for label in labels}
    licence = "Apache-2.0 (annotations); the dialogues are those of a television series: research use"
    commercial = False
    source = "https://github.com/declare-lab/MELD/tree/master/data/emorynlp"
    splits: ClassVar = {
        "train": ("emorynlp_train_final.csv",),
        "dev": ("emorynlp_dev_final.csv",),
        "test": ("emorynlp_test_final.csv",),
    }
    columns = ("Utterance", "Speaker", "Emotion")
    dialogue_keys = (("Dialogue_ID",), ("Season", "Episode", "Scene_ID"))

    def speaker(self, cells: Mapping[str, Any]) -> str | None:
        speaker = str(cells.get(self.speaker_key, "")).strip()
        try:
            named = ast.literal_eval(speaker)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return speaker
        return " and ".join(map(str, named)) if isinstance(named, list) else speaker


class _Repaired(Source):
    """A file whose bytes are not all of one encoding, as UTF-8."""

    def open(self) -> BinaryIO:
        with super().open() as file:
            return io.BytesIO(b"".join(map(_utf8, file)))


def _repaired(source: Source) -> Source:
    return _Repaired(source.name, source.kind, source.path)


def _utf8(line: bytes) -> bytes:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        text = line.decode("latin-1")  # which cp1252 is, but for the characters that are mapped next
    return text.translate(_CP1252).encode()
