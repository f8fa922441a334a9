"""Small files in the formats of six public data sets, and of the emotion wheel: all of it written for these tests."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from emowhy.taxonomy import find_taxonomy

COMMENTS = (
    ("Thank you so much for the blue lamp!", "gratitude"),
    ("I am so angry at the bus company.", "anger"),
    ("We cried when the old dog died.", "sadness"),
    ("I love this song and I love you.", "love"),
    ("What do you mean by that?", "confusion"),
    ("The shop opens at nine.", "neutral"),
)
"""Texts with their GoEmotions label."""


def goemotions(folder: Path, split: str, rows: Iterable[tuple[str, str]] = COMMENTS) -> Path:
    """`folder/goemotions/SPLIT.tsv`; ids are the split's first letter and the row's number."""
    labels = find_taxonomy("goemotions").labels
    lines = [f"{text}\t{labels.index(label)}\t{split[0]}{row}\n" for row, (text, label) in enumerate(rows)]
    return _write(folder / "goemotions" / f"{split}.tsv", "".join(lines))


def reccon(folder: Path, split: str = "test", dialogues: int = 3) -> Path:
    """Dialogues of three turns; the second is sad because of the first, the third is neutral."""
    found = {f"tr_{number}": [_lost_keys(number)] for number in range(dialogues)}
    return _write(folder / "reccon" / f"dailydialog_{split}.json", json.dumps(found))


def _lost_keys(number: int) -> list[dict[str, Any]]:
    why = {"expanded emotion cause evidence": [1], "expanded emotion cause span": [f"lost your {number} keys"]}
    return [
        {"turn": 1, "speaker": "A", "utterance": f"I lost your {number} keys.", "emotion": "neutral"},
        {"turn": 2, "speaker": "B", "utterance": "Oh no, not again.", "emotion": "sadness", "type": ["x"], **why},
        {"turn": 3, "speaker": "A", "utterance": "We can look for them.", "emotion": "neutral"},
    ]


def meld(folder: Path, split: str = "test", dialogues: int = 3) -> Path:
    """Dialogues of two turns."""
    rows: list[Sequence[Any]] = [("Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID")]
    for number in range(dialogues):
        rows += [("The cat is back!", "Ada", "joy", "positive", number, 0)]
        rows += [("It ate my lunch.", "Ben", "anger", "negative", number, 1)]
    return _table(folder / "meld" / f"{split}_sent_emo.csv", rows)


def emobank(folder: Path, rows: int = 6) -> Path:
    """Sentences of all splits in turn."""
    found: list[Sequence[Any]] = [("id", "split", "V", "A", "D", "text")]
    for number in range(rows):
        split = ("train", "dev", "test")[number % 3]
        text = f"Sentence {number} is {'bad' if number % 2 else 'good'}."
        found.append((f"b{number}", split, 2 + number / 4, 3 + number / 5, 3.5 - number / 10, text))
    return _table(folder / "emobank" / "emobank.csv", found)


def emobench_eu(folder: Path, items: int = 3) -> Path:
    """Items of understanding; the right emotion is the second, the right cause the first."""
    rows = [
        {
            "qid": str(number),
            "scenario": f"Ines broke vase {number}, and the cat was blamed.",
            "subject": "Ines",
            "emotion_choices": ["Pride", "Relief", "Boredom"],
            "emotion_label": "Relief",
            "cause_choices": ["Nobody saw her", "The vase was cheap"],
            "cause_label": "Nobody saw her",
        }
        for number in range(items)
    ]
    return _write(folder / "emobench_eu" / "EU.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def semeval2024(folder: Path, conversations: int = 3) -> Path:
    """Conversations of two turns; the second is angry at the first."""
    found = []
    for number in range(1, conversations + 1):
        turns = (f"The roof leaks {number} times .", "neutral"), ("Again ? I hate it .", "anger")
        conversation = [
            {"utterance_ID": place, "text": text, "speaker": "Ada", "emotion": emotion}
            for place, (text, emotion) in enumerate(turns, 1)
        ]
        pairs = [["2_anger", f"1_The roof leaks {number} times ."]]
        found.append({"conversation_ID": number, "conversation": conversation, "emotion-cause_pairs": pairs})
    return _write(folder / "semeval2024" / "Subtask_1_train.json", json.dumps(found))


def every_set(folder: Path) -> Path:
    """All six, with a train split where there is one of its own."""
    goemotions(folder, "test")
    for split in ("train", "test"):
        reccon(folder, split)
        meld(folder, split)
    for write in (emobank, emobench_eu, semeval2024):
        write(folder)
    return folder


def wheels(folder: Path) -> Path:
    """The seven files of the emotion wheel: five wheels with a glad, a blue and a hot sector."""
    import openpyxl

    sectors = [("glad", "merry", "joy"), ("blue", "gloomy", "sadness"), ("hot", "cross", "anger")]
    words = [leaf for *_, leaf in sectors]
    sheets: dict[str, list[tuple[str, ...]]] = {
        f"wheel{k}.xlsx": [("level1", "level2", "level3"), *sectors] for k in range(1, 6)
    }
    columns = [f"{column}_run{run}" for run in range(1, 9) for column in ("word", "synonym")]
    sheets["synonym.xlsx"] = [tuple(columns), *(tuple([word, "[]"] * 8) for word in words)]
    for name, rows in sheets.items():
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        book.save(folder / name)
    _table(folder / "format.csv", [("name", "format"), *((word, f"['{word}']") for word in words)])
    return folder


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _table(path: Path, rows: Iterable[Sequence[Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path
