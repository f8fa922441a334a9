"""RECCON (Poria et al. 2020, arXiv 2012.11820): dialogues whose emotional turns say which words cause the emotion."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from emowhy.datasets.base import DataSet, json_items
from emowhy.formats import Record
from emowhy.values import kind_of

_EVIDENCE = "expanded emotion cause evidence"
_SPANS = "expanded emotion cause span"
_LATENT = "b"


class Reccon(DataSet):
    """JSON `{dialogue: [[turn, …]]}`; a sample is a turn, with the earlier turns as context and the later ones after.

    Gold, on a turn whose causes were annotated (None on neutral ones): `causes`, the spans as annotated, a
    repeated one repeated; `answers["evidence"]`, the causing turns, numbered from 0, beside their spans, None for
    a cause that no words state; `answers["latent"]`, True if there is such a one. A cause may stand after the target.
    """

    name = "reccon"
    title = "RECCON (DailyDialog part)"
    labels = ("happiness", "sadness", "anger", "fear", "surprise", "disgust", "neutral")
    spellings: ClassVar = {
        "happy": "happiness",
        "happines": "happiness",
        "excited": "happiness",
        "sad": "sadness",
        "angry": "anger",
        "surprised": "surprise",
    }
    licence = "texts (DailyDialog) CC BY-NC-SA 4.0, annotations without a stated licence"
    commercial = False
    source = "https://github.com/declare-lab/RECCON/tree/main/data/original_annotation"
    splits: ClassVar = {
        "train": ("dailydialog_train.json",),
        "valid": ("dailydialog_valid.json",),
        "test": ("dailydialog_test.json",),
    }

    def records(self, path: Path) -> Iterator[Record]:
        """One a turn, or one for a dialogue that is broken as a whole; `line` counts them, from 1."""
        number = 0
        seen: set[str] = set()
        for dialogue, value in json_items(path):
            if problem := _problem(value, dialogue in seen):
                number += 1
                yield Record(number, number, problem=f"dialogue {dialogue!r}: {problem}", raw=_bytes(value))
                continue
            seen.add(dialogue)
            for place, turn in enumerate(value[0]):
                number += 1
                row = {"id": f"{dialogue}-{place}", "dialogue": dialogue, "place": place, "turns": value[0]}
                yield Record(number, number, row, raw=_bytes(turn))

    def row(self, cells: Mapping[str, Any], split: str) -> Mapping[str, Any]:
        place, turns = cells["place"], cells["turns"]
        turn = turns[place]
        if not isinstance(turn, Mapping):
            raise ValueError(f"expected a turn, got {kind_of(turn)}")
        if turn["turn"] != place + 1:  # the evidence would point elsewhere
            raise ValueError(f"turn {turn['turn']!r} stands where turn {place + 1} should")
        spoken = [_spoken(other) for other in turns]
        gold = {"emotions": [self.label(turn["emotion"])], "explanation": turn.get("explanation")}
        return {
            "id": cells["id"],
            "text": turn["utterance"],
            "speaker": turn.get("speaker"),
            "context": spoken[:place],
            "after": spoken[place + 1 :],
            "gold": {**gold, **_causes(turn, len(turns))},
            "extra": {"dialogue": cells["dialogue"]},
        }


def _problem(value: Any, known: bool) -> str | None:
    if known:
        return "its id was already used"
    if not (isinstance(value, list) and len(value) == 1 and isinstance(value[0], list)):
        return "expected a list that holds one list of turns"
    return None


def _spoken(turn: Any) -> dict[str, Any]:
    """A turn as context of another. A broken one stays, blank, so that the numbering does."""
    turn = turn if isinstance(turn, Mapping) else {}
    text, speaker = turn.get("utterance"), turn.get("speaker")
    return {"text": text if isinstance(text, str) else "", "speaker": speaker if isinstance(speaker, str) else None}


def _causes(turn: Mapping[str, Any], turns: int) -> dict[str, Any]:
    """The part of gold that says why; empty where nobody was asked. Raises ValueError for what does not pair up."""
    evidence, spans = turn.get(_EVIDENCE), turn.get(_SPANS)
    if evidence is None and spans is None:
        return {}
    if not (isinstance(evidence, list) and isinstance(spans, list) and len(evidence) == len(spans)):
        raise ValueError("cause evidence and cause spans do not pair up")
    places: list[int | None] = []
    causes: list[dict[str, Any]] = []
    for number, span in zip(evidence, spans, strict=True):
        if _LATENT in (number, span):
            places.append(None)
            continue
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= turns:
            raise ValueError(f"cause evidence {number!r}: expected a turn from 1 to {turns}")
        places.append(number - 1)
        causes.append({"quote": span, "turn": number - 1})
    return {"causes": causes, "answers": {"evidence": places, **({"latent": True} if None in places else {})}}


def _bytes(value: Any) -> bytes:
    return json.dumps(value).encode()
