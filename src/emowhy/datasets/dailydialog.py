"""DailyDialog (Li et al. 2017, arXiv 1710.03957): everyday dialogues, one of six emotions or none a turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from emowhy.datasets.base import text_lines
from emowhy.datasets.dialogues import Dialogue, DialogueSet
from emowhy.errors import InputError, MissingError
from emowhy.formats import Record

_END_OF_TURN = "__eou__"


class DailyDialog(DialogueSet):
    """Two files, a dialogue a line: the turns' words, each ending in `__eou__`, and the turns' emotions, 0 to 6.

    Beside `dialogues_train.txt` stands `dialogues_emotion_train.txt` (beside `dialogues_text.txt`, the whole set,
    `dialogues_emotion.txt`). A dialogue is called by its line; 0, "no emotion", is `neutral`. Who speaks is not said.
    RECCON annotates causes on some of these dialogues: what was tuned on the one has seen the other.
    """

    name = "dailydialog"
    title = "DailyDialog"
    labels = ("neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise")
    """In the order of their numbers."""
    licence = "CC BY-NC-SA 4.0"
    commercial = False
    source = "https://aclanthology.org/I17-1099"
    splits: ClassVar = {
        **{
            split: (f"{split}/dialogues_{split}.txt", f"dialogues_{split}.txt")
            for split in ("train", "validation", "test")
        },
        "all": ("dialogues_text.txt",),
    }
    text_key = "text"

    def find_file(self, folder: Path, split: str) -> Path:
        path = super().find_file(folder, split)
        if not _emotions_beside(path).is_file():
            cure = f"get both files from {self.source} (licence: {self.licence})"
            raise MissingError(f"{path.absolute()} is there, but no {_emotions_beside(path).name} beside it", cure)
        return path

    def dialogues(self, path: Path) -> Iterator[Dialogue | Record]:
        """Raises InputError if the files do not have the same number of dialogues: none could be told to match."""
        spoken, felt = list(text_lines(path)), list(text_lines(_emotions_beside(path)))
        if len(spoken) != len(felt):
            message = f"{path} has {len(spoken)} dialogues, {_emotions_beside(path).name} {len(felt)}"
            raise InputError(message, f"get both files again from {self.source}")
        for (line, text), (_, numbers) in zip(spoken, felt, strict=True):
            yield _dialogue(line, text, numbers)

    def gold(self, cells: Mapping[str, Any]) -> Mapping[str, Any]:
        by_number = {str(number): label for number, label in enumerate(self.label_set())}
        if cells["emotion"] not in by_number:
            raise ValueError(f"emotion {cells['emotion'][:50]!r}: expected 0 to {len(by_number) - 1}")
        return {"emotions": [by_number[cells["emotion"]]]}


def _dialogue(line: int, text: str, numbers: str) -> Dialogue:
    texts = [part.strip() for part in text.split(_END_OF_TURN)]
    if not texts[-1]:
        texts.pop()
    emotions = numbers.split()
    raw = text.encode(errors="surrogateescape")
    if len(texts) != len(emotions) or not texts:
        problem = f"{len(texts)} turns with {len(emotions)} emotions"
        return Dialogue(str(line), [Record(line, line, raw=raw)], problem)
    cells = [{"text": words, "emotion": emotion} for words, emotion in zip(texts, emotions, strict=True)]
    return Dialogue(str(line), [Record(line, line, turn) for turn in cells])


def _emotions_beside(path: Path) -> Path:
    """The file of the emotions of `path`'s turns."""
    rest = path.name.removeprefix("dialogues_")
    return path.with_name("dialogues_emotion.txt" if rest == "text.txt" else f"dialogues_emotion_{rest}")
