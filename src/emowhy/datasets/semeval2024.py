"""SemEval-2024 Task 3, textual part (Wang et al. 2024): dialogues whose emotional turns say which words cause the
emotion; it is ECF (Wang et al. 2023, arXiv 2110.08020) with spans and another test set."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from emowhy.datasets.dialogues import (
    Dialogue,
    DialogueSet,
    broken_dialogue,
    dialogue_name,
    json_list,
    turn_records,
)
from emowhy.formats import Record

_PAIRS = "emotion-cause_pairs"
_NUMBERED = re.compile(r"([0-9]{1,6})_(.+)", re.DOTALL)

Pair = tuple[str, int, str]
"""The emotion of a turn, the number of the utterance that causes it, from 1, and the words that do."""


class SemEval2024(DialogueSet):
    """JSON list of `{conversation_ID, conversation, "emotion-cause_pairs"}`, a pair being `["3_joy", "1_the span"]`.

    Gold: `emotions`; `causes`, the spans as annotated (mostly verbatim), in turns numbered from 0: () where there are
    none, as on neutral turns, and None where the file has no pairs at all, as in the test file of the competition.
    A cause may stand after the target. MELD, EmotionLines and EmoryNLP have dialogues of the same series: what was
    tuned on one has seen the others.
    """

    name = "semeval2024"
    title = "SemEval-2024 Task 3 (textual)"
    labels = "meld"
    licence = "GPL-3.0; the dialogues are those of a television series: research use"
    commercial = False
    source = "https://github.com/NUSTM/SemEval-2024_ECAC/tree/main/data"
    splits: ClassVar = {"train": ("Subtask_1_train.json",), "test": ("Subtask_1_test.json",)}
    text_key = "text"

    def dialogues(self, path: Path) -> Iterator[Dialogue | Record]:
        before = 0
        for number, value in enumerate(json_list(path), 1):
            found = _dialogue(value, number, before)
            before += len(found.turns)
            yield found

    def gold(self, cells: Mapping[str, Any]) -> Mapping[str, Any]:
        place, emotion = cells["place"], cells.get("emotion")
        if cells["utterance_ID"] != place + 1:  # the pairs would point elsewhere
            raise ValueError(f"utterance {cells['utterance_ID']!r} stands where utterance {place + 1} should")
        pairs: Sequence[Pair] | None = cells["pairs"]
        return {
            "emotions": None if emotion is None else [self.label(emotion)],
            "causes": None if pairs is None else [_cause(pair, emotion, len(cells["spoken"])) for pair in pairs],
        }


def _dialogue(value: Any, number: int, before: int) -> Dialogue:
    conversation = value.get("conversation") if isinstance(value, Mapping) else None
    if not (isinstance(conversation, list) and conversation):
        return broken_dialogue(value, before, "expected a conversation with turns", str(number))
    name = dialogue_name(value.get("conversation_ID"), number)
    try:
        pairs = _by_turn(value.get(_PAIRS), len(conversation))
    except ValueError as error:
        return Dialogue(name, turn_records(conversation, before), str(error))
    turns = [_with_pairs(turn, pairs, place) for place, turn in enumerate(conversation, 1)]
    return Dialogue(name, turn_records(turns, before))


def _with_pairs(turn: Any, pairs: Mapping[int, list[Pair]] | None, place: int) -> Any:
    if not isinstance(turn, Mapping):
        return turn
    return {**turn, "pairs": None if pairs is None else pairs.get(place, [])}


def _by_turn(pairs: Any, turns: int) -> Mapping[int, list[Pair]] | None:
    """The pairs by the utterance that they explain, from 1; None where nobody annotated any.

    Raises ValueError for what is no pair: whose gold is incomplete cannot be told.
    """
    if pairs is None:
        return None
    if not isinstance(pairs, list):
        raise ValueError(f"{_PAIRS}: expected a list")
    found: dict[int, list[Pair]] = defaultdict(list)
    for pair in pairs:
        target, emotion, cause, span = _parsed(pair)
        if not 1 <= target <= turns:
            raise ValueError(f"a pair of utterance {target}: expected 1 to {turns}")
        found[target].append((emotion, cause, span))
    return found


def _parsed(pair: Any) -> tuple[int, str, int, str]:
    parts = pair if isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair) else []
    matches = [match for part in parts if (match := _NUMBERED.fullmatch(part))]
    if len(matches) != 2:
        raise ValueError(f'expected pairs like ["3_joy", "1_the span"], got {str(pair)[:50]}')
    (target, emotion), (cause, span) = (match.groups() for match in matches)
    return int(target), emotion, int(cause), span


def _cause(pair: Pair, emotion: Any, turns: int) -> dict[str, Any]:
    said, number, span = pair
    if said != emotion:
        raise ValueError(f"a pair says {said[:50]!r}, the turn {str(emotion)[:50]!r}")
    if not 1 <= number <= turns:
        raise ValueError(f"a cause in utterance {number}: expected 1 to {turns}")
    return {"quote": span, "turn": number - 1}
