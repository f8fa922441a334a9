"""MERR, fine-grained part (Cheng et al. 2024, arXiv 2406.11161): clips with what face and voice show in words, a label
found by rules, and an explanation that a language model wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from emowhy.datasets.base import DataSet, json_items
from emowhy.formats import Record
from emowhy.values import is_blank, kind_of

# action units of the face (Ekman and Friesen, Facial Action Coding System, 1978)
_ACTION_UNITS = {
    1: "inner brows raised",
    2: "outer brows raised",
    4: "brows lowered",
    5: "upper eyelids raised",
    6: "cheeks raised",
    7: "eyelids tightened",
    9: "nose wrinkled",
    10: "upper lip raised",
    12: "lip corners pulled up",
    14: "dimples in the cheeks",
    15: "lip corners pulled down",
    17: "chin raised",
    20: "lips stretched",
    23: "lips tightened",
    25: "lips parted",
    26: "jaw dropped",
    28: "lips sucked in",
    45: "eyes blinking",
}
_CODE = re.compile(r"AU0?([0-9]{1,2})(?![0-9])", re.IGNORECASE)
_SCENE = ("scene", "visual_objective_description")


class Merr(DataSet):
    """JSON `{clip: {…}}`. The text is the subtitle; `observations` are `face`, `voice` and, where it is told, `scene`.

    `face` names the action units of the peak frame (of the whole clip where the peak has none), then what
    `visual_prior_list` says; `voice` is `audio_prior_list`. Gold: `emotions`, the label that follows from the action
    units; `explanation`. Neither was given by people.
    """

    name = "merr"
    title = "MERR (fine-grained)"
    labels = ("neutral", "angry", "happy", "sad", "worried", "surprise", "fear", "contempt", "doubt")
    spellings: ClassVar = {
        "anger": "angry",
        "happiness": "happy",
        "sadness": "sad",
        "worry": "worried",
        "surprised": "surprise",
    }
    licence = "research only, under the end-user licence agreement of MER2023; documents CC BY-NC 4.0"
    commercial = False
    source = "https://github.com/ZebangCheng/Emotion-LLaMA/tree/main/MERR"
    splits: ClassVar = {"all": ("MERR_fine_grained.json",)}

    def records(self, path: Path) -> Iterator[Record]:
        for number, (clip, value) in enumerate(json_items(path), 1):
            raw = json.dumps({clip: value}).encode()
            if isinstance(value, Mapping):
                yield Record(number, number, {**value, "id": clip}, raw=raw)
            else:
                yield Record(number, number, problem=f"{clip!r}: expected an object, got {kind_of(value)}", raw=raw)

    def row(self, cells: Mapping[str, Any], split: str) -> Mapping[str, Any]:
        units = _units(cells, "peak_AU_list") or _units(cells, "AU_list")
        face = [*([", ".join(units)] if units else []), *_items(cells, "visual_prior_list")]
        scene = next((found for key in _SCENE if (found := _items(cells, key))), [])
        seen = {"face": face, "voice": _items(cells, "audio_prior_list"), "scene": scene}
        explanation = cells.get("smp_reason_caption")
        return {
            "id": cells["id"],
            "text": cells.get("text"),
            "observations": {name: "; ".join(parts) for name, parts in seen.items() if parts},
            "gold": {"emotions": [self.label(cells["pseu_emotion"])], "explanation": explanation or None},
        }


def _items(cells: Mapping[str, Any], key: str) -> list[str]:
    """The strings under a key: one, a list of them, or the keys of an object; blank ones left out.

    Raises ValueError for anything else.
    """
    value = cells.get(key)
    if value is None:
        return []
    items = [value] if isinstance(value, str) else list(value) if isinstance(value, list | Mapping) else None
    if items is None or not all(isinstance(item, str) for item in items):
        raise ValueError(f"{key}: expected a string or a list of them, got {kind_of(value)}")
    return [item.strip() for item in items if not is_blank(item)]


def _units(cells: Mapping[str, Any], key: str) -> list[str]:
    """The action units under a key in words, each once."""
    units = (unit.strip() for item in _items(cells, key) for unit in item.split(","))
    return list(dict.fromkeys(_in_words(unit) for unit in units if unit))


def _in_words(unit: str) -> str:
    """What an action unit ("AU06", "AU12_r: 1.3") looks like; what is none, or has no name here, as it stands."""
    code = _CODE.match(unit)
    return _ACTION_UNITS.get(int(code[1]), unit) if code else unit
