"""Laws of what is kept: sound replies that read back to gold, and reasons that lead a reader to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from emowhy.parse import parse, read_causes, read_emotions
from emowhy.tune.asking import Asker, Draft
from emowhy.tune.keep import QUOTE, READ_BACK, SCHEMA, UNSEEN, fault, fits
from emowhy.tune.reading import Reading
from emowhy.tune.replies import Written, write_reply
from emowhy.tune.verbaliser import Facts, Quote
from emowhy.types import Gold, Reply, Sample
from tune.tuning import CLUES, GO, Base, Words, lost_keys, rows


def draft(strategy: str = "cot", sample: Sample | None = None, id: str = "a", tasks: str = "explain") -> Draft:
    recipe = rows(
        sets=[{"file": "f", "labels": "goemotions", "licence": "x", "tasks": {tasks: 1}}], strategies={strategy: 1}
    )
    return Asker(recipe, recipe.sets[0], GO, Base(), 0).ask(sample or lost_keys(), CLUES, id)


def changed(asked: Draft, change: Callable[[dict[str, Any]], None]) -> Written:
    values = json.loads(write_reply(asked, {}, 0).text)
    change(values)
    return Written(json.dumps(values, ensure_ascii=False), values, "verbaliser", values.get("explanation"))


# Replies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["given", "direct", "cot", "two_stage", "observe"])
def test_a_reply_is_read_strictly_and_says_what_annotators_say(strategy: str) -> None:
    asked = draft(strategy)
    reply = write_reply(asked, {}, 0)
    parsed = parse(Reply(reply.text), asked.fields, asked.sample)
    assert parsed.how == "strict"
    assert list(parsed.answer) == list(asked.fields)
    if strategy != "given":
        assert read_emotions(parsed.answer, GO) == ["anger"]
    assert [(c.quote, c.turn, c.verified) for c in read_causes(parsed.answer, asked.sample)] == [
        ("lost your keys", 0, True)
    ]
    assert fits(reply.values, asked.chat.schema or {})
    assert fault(asked, reply) is None


def test_a_reply_has_the_spaces_that_engines_write_when_bound() -> None:
    text = write_reply(draft("direct"), {}, 0).text
    assert text == '{"emotions": ["anger"], "causes": [{"turn": 0, "quote": "lost your keys"}]}'


def test_what_annotators_wrote_goes_first_then_the_engines_text_then_the_verbalisers() -> None:
    told = replace(lost_keys(), gold=replace(lost_keys().gold or Gold(), explanation="Bo is careless with her keys."))
    texts = {"reasoning": "He lost them.", "explanation": "They are gone, which hurts."}
    asked = draft("cot", told)
    both = write_reply(asked, texts, 0)
    assert both.values["explanation"] == "Bo is careless with her keys."
    assert (both.values["reasoning"], both.source, both.reasons) == ("He lost them.", "engine", "He lost them.")
    assert write_reply(asked, {}, 0).source == "verbaliser"
    engine = write_reply(draft("cot"), texts, 0)
    assert (engine.reasons, engine.source) == (f"{texts['explanation']} {texts['reasoning']}", "engine")
    assert write_reply(draft("direct"), texts, 0).source == "annotation"
    assert write_reply(draft("given", told), texts, 0).source == "verbaliser"  # neither begins as the schema asks


def test_an_engines_text_that_breaks_the_schema_is_put_aside() -> None:
    reply = write_reply(draft("cot"), {"explanation": "x" * 500, "reasoning": "Short."}, 0)
    assert reply.values["reasoning"] == "Short."
    assert len(reply.values["explanation"]) <= 280


PLANTED: dict[str, tuple[str, Callable[[dict[str, Any]], None]]] = {
    "another label": (READ_BACK, lambda v: v.update(emotions=["joy"])),
    "one label more": (READ_BACK, lambda v: v["emotions"].append("joy")),
    "a label off the list": (SCHEMA, lambda v: v.update(emotions=["wrath of god"])),
    "no quote": (READ_BACK, lambda v: v.update(causes=[])),
    "other words": (QUOTE, lambda v: v["causes"][0].update(quote="lost the train")),
    "other words of the same turn": (READ_BACK, lambda v: v["causes"][0].update(quote="your keys")),
    "another turn": (SCHEMA, lambda v: v["causes"][0].update(turn=7)),
    "a made-up quote in the text": (QUOTE, lambda v: v.update(explanation="Bo said “I sold the house” to her.")),
    "a straight made-up quote": (QUOTE, lambda v: v.update(explanation='Bo said "I sold the house" to her.')),
    "a single made-up quote": (QUOTE, lambda v: v.update(explanation="Bo said 'I sold it' to Ann's mother.")),
    "a curled made-up quote": (QUOTE, lambda v: v.update(reasoning="Bo said ‘I sold the house’ to her.")),
    "a made-up quote in guillemets": (QUOTE, lambda v: v.update(reasoning="Bo said «I sold the house» to her.")),
    "too long": (SCHEMA, lambda v: v.update(explanation="long " * 80)),
    "a field less": (SCHEMA, lambda v: v.pop("explanation")),
    "a field more": (SCHEMA, lambda v: v.update(thoughts="none")),
    "another order": (SCHEMA, lambda v: v.update(reasoning=v.pop("reasoning"))),
}  # fmt: skip


@pytest.mark.parametrize(("reason", "plant"), PLANTED.values(), ids=PLANTED)
def test_each_planted_fault_is_caught(reason: str, plant: Callable[[dict[str, Any]], None]) -> None:
    asked = draft()
    assert fault(asked, changed(asked, plant)) == reason


def test_apostrophes_quote_nothing() -> None:
    asked = draft()
    said = "It’s the writers' 'lost your keys' that Bo's sister can't bear, and they're Ann's."
    assert fault(asked, changed(asked, lambda v: v.update(explanation=said))) is None


def test_a_quote_that_the_prompt_does_not_show_is_caught() -> None:
    asked = draft()
    hidden = replace(asked, facts=replace(asked.facts, quotes=(Quote("lost your keys, Ann", 0),)))
    assert fault(hidden, write_reply(asked, {}, 0)) == UNSEEN


@pytest.mark.parametrize(
    "answers", [{"valence": 3.4, "arousal": 1.0, "dominance": 5.0}, {"valence": 1, "arousal": 2, "dominance": 3}]
)
def test_ratings_read_back(answers: Mapping[str, float]) -> None:
    recipe = rows(sets=[{"data": "emobank", "tasks": {"valence": 1}}])
    for number in range(6):  # with reasons and without
        asked = Asker(recipe, recipe.sets[0], GO, Base(), 0).ask(
            Sample("a", "T", gold=Gold(answers=answers)), (), str(number)
        )
        assert fault(asked, write_reply(asked, {}, 0)) is None


def test_choices_read_back() -> None:
    recipe = rows(sets=[{"data": "emobench_eu", "tasks": {"choice": 1}}])
    sample = Sample("a", "T", question="Which?", choices=("x", "y"), gold=Gold(answers={"choice": 0}))
    asked = Asker(recipe, recipe.sets[0], GO, Base(), 0).ask(sample, (), "a")
    reply = write_reply(asked, {}, 0)
    assert reply.text == '{"choice": 1}'
    assert fault(asked, reply) is None


def test_control_tokens_are_shown_in_the_reply_too_and_read_back_to_the_words_as_they_stand() -> None:
    sample = replace(lost_keys(), text="Stop <|im_end|> it!", gold=Gold(("anger",)))
    asked = Asker(rows(strategies={"direct": 1}), rows().sets[0], GO, Base(), 0).ask(sample, (), "a")
    reply = write_reply(asked, {}, 0)
    assert "< |im_end|>" in reply.text
    assert fault(asked, reply) is None


# Readers --------------------------------------------------------------------------------------------------------


def reasons(label: str, text: str, id: str) -> tuple[Draft, Written]:
    asked = replace(draft(), id=id, facts=Facts("Ann", (label,)))
    return asked, Written("{}", {}, "verbaliser", text)


def lost(reading: Reading, pairs: Sequence[tuple[Draft, Written]]) -> set[str]:
    return {id for id, verdict in reading.read(pairs).items() if not verdict.found}


def test_a_label_is_found_by_how_much_the_text_raises_it_not_by_how_common_it_is() -> None:
    # the reader says neutral .6, joy .4 and the rest .01 of every text; "storm" makes fear .5, "grief" words are hidden
    reading = Reading({GO.name: Words({"storm": "fear"}, {"joy": 0.4})}, 1)
    pairs = [reasons("fear", "a storm came up", "found"), reasons("fear", "it was nice", "lost")]
    assert lost(reading, pairs) == {"lost"}


def test_labels_that_the_reader_holds_for_likelier_are_counted() -> None:
    reading = Reading({GO.name: Words({"storm": "fear"}, {"joy": 0.4})}, 3)
    told = [reasons("fear", "a storm came up", "first"), reasons("joy", "a storm came up", "third")]
    # fear .5 (or more), neutral .6, joy .4 with the storm: two are likelier than joy, at most one than fear
    behind = {id: verdict.behind for id, verdict in reading.read(told).items()}
    assert behind["third"] == 2
    assert behind["first"] < behind["third"]


def test_neutral_is_found_as_likely_as_it_is() -> None:
    reading = Reading({GO.name: Words({"storm": "fear"})}, 1)
    assert lost(reading, [reasons("neutral", "it is nine", "a")]) == set()
    assert lost(Reading({GO.name: Words({}, {"joy": 0.9})}, 1), [reasons("neutral", "it is nine", "a")]) == {"a"}


def test_the_reader_never_sees_a_label_word() -> None:
    class Spy(Words):
        seen: list[str] = []  # noqa: RUF012

        def probabilities(self, texts: Any) -> Any:
            self.seen += texts
            return super().probabilities(texts)

    spy = Spy({})
    Reading({GO.name: spy}, 1).read([reasons("anger", "Ann feels anger and is angry, furious, joyful", "a")])
    assert not any(word in spy.seen[-1] for word in ("anger", "angry", "joyful"))
    assert "Ann feels" in spy.seen[-1]


def test_a_label_that_the_reader_cannot_name_is_kept_unread_and_counted() -> None:
    reading = Reading({GO.name: Words({}, {"grief": 0.0})}, 1)
    assert reading.read([reasons("grief", "it was nice", "a")]) == {}
    assert (reading.unread, reading.unknown) == (1, {"grief"})


def test_rows_without_reasons_of_our_own_are_not_read() -> None:
    asked, _ = reasons("fear", "", "a")
    assert Reading({}, 1).read([(asked, Written("{}", {}, "annotation"))]) == {}
