"""EmotionLines (Chen et al. 2018, arXiv 1802.08379): dialogues of a television series and of a messenger, each turn
with the votes of five raters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from emowhy.datasets.dialogues import Dialogue, DialogueSet, broken_dialogue, json_list, turn_records
from emowhy.formats import Record

_VOTES = ("neutral", "joy", "sadness", "fear", "anger", "surprise", "disgust")
_RATERS = 5
_NO_MAJORITY = "non-neutral"


class EmotionLines(DialogueSet):
    """JSON list of dialogues, each a list of `{speaker, utterance, emotion, annotation}`.

    Gold: `emotions`, the majority's label, None where there is none (`non-neutral`); `answers["votes"]`, how many of
    the five raters chose each of the seven labels. Dialogues are numbered from 1.
    MELD, EmoryNLP and SemEval-2024 Task 3 have dialogues of the same series: what was tuned on one has seen the others.
    """

    name = "emotionlines"
    title = "EmotionLines"
    labels = _VOTES
    licence = "not stated by its authors; research use"
    commercial = False
    source = "https://sites.google.com/view/emotionx2019/datasets"
    splits: ClassVar = {
        "train": ("friends_train.json", "Friends/friends_train.json"),
        "dev": ("friends_dev.json", "Friends/friends_dev.json"),
        "test": ("friends_test.json", "Friends/friends_test.json"),
        "messenger_train": ("emotionpush_train.json", "EmotionPush/emotionpush_train.json"),
        "messenger_dev": ("emotionpush_dev.json", "EmotionPush/emotionpush_dev.json"),
        "messenger_test": ("emotionpush_test.json", "EmotionPush/emotionpush_test.json"),
    }

    def dialogues(self, path: Path) -> Iterator[Dialogue | Record]:
        before = 0
        for number, value in enumerate(json_list(path), 1):
            if isinstance(value, list) and value:
                found = Dialogue(str(number), turn_records(value, before))
            else:
                found = broken_dialogue(value, before, "expected a list of turns", str(number))
            before += len(found.turns)
            yield found

    def gold(self, cells: Mapping[str, Any]) -> Mapping[str, Any]:
        emotion = cells["emotion"]
        emotions = None if emotion == _NO_MAJORITY else [self.label(emotion)]
        return {"emotions": emotions, "answers": {"votes": _votes(cells["annotation"])}}


def _votes(digits: Any) -> dict[str, int]:
    """One digit a label. Raises ValueError if they are not the votes of five raters."""
    if not (isinstance(digits, str) and re.fullmatch("[0-9]{7}", digits) and sum(map(int, digits)) == _RATERS):
        raise ValueError(f"annotation: expected 7 digits that add up to {_RATERS}, got {str(digits)[:50]!r}")
    return dict(zip(_VOTES, map(int, digits), strict=True))
