"""Laws of rationales by an engine: told gold, asked once, marked as what they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from emowhy.engines.base import Engine
from emowhy.prompt import list_strategies
from emowhy.tune.asking import Asker, Draft
from emowhy.tune.keep import fault
from emowhy.tune.rationales import FAILED, STRATEGY, UNWRITTEN, write_rationales
from emowhy.tune.replies import write_reply
from emowhy.types import Chat, Finish, Reply
from tune.tuning import CLUES, GO, Base, lost_keys, rows


class Writer(Engine):
    """Writes the same reasons about everything, in JSON or as `text`."""

    name = "writer"

    def __init__(self, text: str | None = None, finish: Finish = "stop") -> None:
        self.text, self.finish = text, finish
        self.chats: list[Chat] = []

    def generate(self, chats: Sequence[Chat]) -> list[Reply]:
        self.chats += chats
        reasons = {"reasoning": "Bo lost them.", "explanation": "The person feels anger because they are gone again."}
        return [Reply(self.text or json.dumps(reasons), finish=self.finish) for _ in chats]


@pytest.fixture
def drafts() -> list[Draft]:
    recipe = rows(strategies={"cot": 1, "given": 1})
    asker = Asker(recipe, recipe.sets[0], GO, Base(), 0)
    return [asker.ask(lost_keys(), CLUES, f"row {number}") for number in range(6)]


def test_the_engine_is_told_gold_labels_and_spans_and_not_the_specialists(drafts: list[Draft], tmp_path: Path) -> None:
    writer = Writer()
    write_rationales(drafts, writer, tmp_path / "r.jsonl", 256, 0)
    told = writer.chats[0].messages[1].content
    assert "Ann feels anger." in told
    assert '"lost your keys"' in told
    assert "joy" not in told
    assert "furious" not in told.replace("I am furious!", "")


def test_its_words_are_in_the_row_and_the_row_says_so(drafts: list[Draft], tmp_path: Path) -> None:
    found = write_rationales(drafts, Writer(), tmp_path / "r.jsonl", 256, 0)
    texts = found.texts
    assert not found.without
    assert texts.keys() == {draft.id for draft in drafts}
    for draft in drafts:
        reply = write_reply(draft, texts[draft.id], 0)
        assert reply.source == "engine"
        assert reply.values["explanation"] == "The person feels anger because they are gone again."
        assert fault(draft, reply) is None


def test_what_was_written_is_not_asked_again_and_a_torn_line_counts_for_nothing(
    drafts: list[Draft], tmp_path: Path
) -> None:
    place = tmp_path / "r.jsonl"
    writer = Writer()
    first = write_rationales(drafts[:3], writer, place, 256, 0)
    assert len(writer.chats) == 1  # three rows of one sample with one label: one rationale
    whole = place.read_bytes()
    place.write_bytes(whole[:-9])
    again = Writer()
    assert write_rationales(drafts[:3], again, place, 256, 0) == first
    assert len(again.chats) == 1
    silent = Writer()
    assert write_rationales(drafts[:3], silent, place, 256, 0) == first
    assert silent.chats == []


@pytest.mark.parametrize(
    ("writer", "reason"),
    [(Writer("I would rather not."), UNWRITTEN), (Writer("", finish="error"), FAILED)],
    ids=["unreadable", "out of order"],
)
def test_a_row_that_the_engine_fails_on_is_told_with_its_reason(
    drafts: list[Draft], tmp_path: Path, writer: Writer, reason: str
) -> None:
    found = write_rationales(drafts, writer, tmp_path / "r.jsonl", 256, 0)
    assert not found.texts
    assert found.without == {draft.id: reason for draft in drafts}
    assert write_rationales(drafts, Writer(), tmp_path / "r.jsonl", 256, 0).texts.keys() == found.without.keys()


def test_the_template_is_no_strategy_to_explain_with() -> None:
    assert STRATEGY not in list_strategies()
