"""Laws of what training rows ask: just what inference would ask, with hints as drawn and gold in reach."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from emowhy.datasets import find_dataset
from emowhy.datasets.emollms import _KINDS as KINDS
from emowhy.errors import UsageError
from emowhy.prompt import load_strategy, weigh
from emowhy.reasoner import Reasoner
from emowhy.taxonomy import Taxonomy, find_taxonomy, place
from emowhy.tune.asking import Asker, Draft
from emowhy.tune.gold import Unusable
from emowhy.tune.keep import fault
from emowhy.tune.pool import label_set
from emowhy.tune.recipe import SetRecipe
from emowhy.tune.replies import write_reply
from emowhy.tune.scales import SCALES, find_scale, rescale
from emowhy.tune.tables import wordings
from emowhy.types import Cause, Clue, Gold, Sample
from tune.tuning import CLUES, GO, Base, Told, cue, emotion, lost_keys, rows

OPEN = find_taxonomy("open")


def ask(
    sample: Sample,
    clues: Sequence[Clue] = CLUES,
    id: str = "a",
    data: str | None = None,
    labels: Taxonomy = GO,
    **given: Any,
) -> Draft:
    tasks = given.pop("tasks", {"explain": 1})
    own = {"data": data} if data else {"file": "f", "labels": "goemotions", "licence": "x"}
    own |= given.pop("own", {})
    recipe = rows(sets=[{**own, "tasks": tasks}], **given)
    return Asker(recipe, recipe.sets[0], labels, Base(), 0).ask(sample, clues, id)


def many(sample: Sample, clues: Sequence[Clue] = CLUES, count: int = 60, **given: Any) -> list[Draft]:
    return [ask(sample, clues, f"row {n}", **given) for n in range(count)]


# The prompt is the one that inference sends ---------------------------------------------------------------------


def test_a_sets_own_dropout_comes_before_that_of_all_sets() -> None:
    drafts = many(lost_keys(), count=9, strategies={"cot": 1}, dropout={"wrong": 1}, own={"dropout": {"missing": 1}})
    assert {draft.shown.state for draft in drafts} == {"missing"}


def test_a_set_that_follows_hints_asks_for_their_words() -> None:
    sample = lost_keys()
    clues = (*CLUES, cue("I lost your keys", sample, 0))
    assert [c.quote for c in ask(sample, clues, own={"follow": 0.5}).causes] == ["I lost your keys"]
    assert [c.quote for c in ask(sample, clues).causes] == ["lost your keys"]


def test_a_sets_own_strategies_come_before_those_of_all_sets() -> None:
    drafts = many(lost_keys(), strategies={"given": 1}, own={"strategies": {"cot": 1, "two_stage": 1, "direct": 0}})
    assert {draft.strategy for draft in drafts} == {"cot", "two_stage"}


@pytest.mark.parametrize("strategy", ["given", "direct", "cot", "two_stage", "observe"])
@pytest.mark.parametrize("policy", ["order", "exclude", "adjust", "none"])
def test_the_messages_and_the_schema_are_those_that_the_reasoner_sends(strategy: str, policy: Any) -> None:
    sample = replace(lost_keys(), text="You always <|im_end|> do that. I am furious!")
    draft = ask(sample, strategies={strategy: 1}, hints={policy: 1})
    base = Base()
    clues = draft.shown.clues
    Reasoner(base, load_strategy(strategy), GO, (Told(clues),), draft.shown.policy).explain(sample)
    assert draft.chat.messages == base.asked[0].messages
    assert draft.chat.schema == base.asked[0].schema
    assert "<|im_end|>" not in draft.chat.messages[1].content


def test_hints_as_found_are_the_specialists_own() -> None:
    draft = ask(lost_keys(("joy",)))
    assert (draft.shown.state, draft.shown.policy, list(draft.shown.clues)) == ("as found", "order", list(CLUES))


def test_the_same_row_is_always_asked_alike_whatever_stands_beside_it() -> None:
    options: dict[str, Any] = {"strategies": {"given": 1, "cot": 1}, "hints": {"order": 1, "none": 1}, "wordings": 4}
    first, again = ask(lost_keys(), id="x", **options), ask(lost_keys(), id="x", **options)
    assert first.chat.messages == again.chat.messages
    assert len({draft.strategy for draft in many(lost_keys(), **options)}) == 2


# Hints ----------------------------------------------------------------------------------------------------------


def test_a_strategy_that_trusts_its_labels_learns_from_true_ones() -> None:
    draft = ask(lost_keys(), strategies={"given": 1})
    assert draft.shown.state == "gold"
    assert "Ann feels anger." in draft.chat.messages[1].content
    assert draft.facts.labels == ("anger",)
    assert "furious" in draft.chat.messages[1].content  # the cue words stay the specialists'


def test_missing_hints_leave_no_trace_in_the_prompt() -> None:
    draft = ask(lost_keys(), strategies={"two_stage": 1}, dropout={"missing": 1})
    assert draft.shown.state == "missing"
    assert "candidates" not in draft.chat.messages[1].content
    assert "small model" not in draft.chat.messages[1].content
    assert draft.facts.candidates == ()


def test_a_wrong_hint_puts_a_label_of_another_branch_first_and_leaves_gold_as_it_is() -> None:
    for draft in many(lost_keys(), count=20, strategies={"cot": 1}, dropout={"wrong": 1}):
        top = weigh(draft.shown.clues, GO, "order").candidates[0].label
        branches = {label: spot.primary for label in (top, "joy", "anger") if (spot := place(label))}
        assert draft.shown.state == "wrong"
        assert branches[top] not in (branches["joy"], branches["anger"])
        assert draft.facts.labels == ("anger",)


def test_a_wrong_hint_for_a_strategy_that_is_given_its_labels_is_wrong_words() -> None:
    sample = Sample("a", "I am so glad. The long winter is over now.", gold=Gold(("joy",)))
    clues = (emotion("joy", 0.9, chosen=True), cue("glad", sample))
    draft = ask(sample, clues, strategies={"given": 1}, dropout={"wrong": 1})
    told = [clue.quote for clue in draft.shown.clues if clue.kind == "cause"]
    assert draft.shown.state == "wrong"
    assert told != ["glad"]
    assert draft.facts.labels == ("joy",)
    assert draft.facts.quotes[0].words == "I am so glad"


def test_hints_are_dropped_in_about_their_share_of_rows() -> None:
    states = [
        d.shown.state
        for d in many(lost_keys(), count=400, strategies={"cot": 1}, dropout={"missing": 0.2, "wrong": 0.3})
    ]
    # a binomial share of 400 rows has a standard deviation of at most .025
    assert abs(states.count("missing") / 400 - 0.2) < 0.1
    assert abs(states.count("wrong") / 400 - 0.3) < 0.1


def test_no_policy_puts_gold_out_of_reach() -> None:
    surprising = lost_keys(("remorse",))
    clues = [*(emotion(label, 0.9 - k / 10, True) for k, label in enumerate(GO.labels[:6])), *CLUES]
    draft = ask(surprising, clues, strategies={"cot": 1}, hints={"exclude": 1})
    assert draft.shown.policy == "order"
    assert "remorse" in (draft.chat.schema or {})["properties"]["emotions"]["items"]["enum"]
    assert ask(lost_keys(), strategies={"cot": 1}, hints={"exclude": 1}).shown.policy == "exclude"


# Tasks ----------------------------------------------------------------------------------------------------------


def test_the_cause_is_asked_for_with_the_emotion_given_and_the_emotion_with_the_cause_given() -> None:
    cause = ask(lost_keys(), tasks={"cause_given_emotion": 1})
    assert (cause.strategy, cause.shown.state, cause.fields) == ("given", "gold", ("causes", "explanation"))
    assert "Ann feels anger." in cause.chat.messages[1].content
    named = ask(lost_keys(), tasks={"emotion_given_cause": 1})
    assert (named.strategy, named.shown.state, named.fields) == ("direct", "gold", ("emotions", "causes"))
    assert '"lost your keys"' in named.chat.messages[1].content
    assert "joy" not in named.chat.messages[1].content


def test_a_task_is_drawn_among_those_that_the_annotations_answer() -> None:
    plain = Sample("a", "It is nine.", gold=Gold(("neutral",), causes=()))
    drafts = many(plain, (), 10, tasks={"cause_given_emotion": 5, "intensity": 5, "answer": 0.1})
    assert {draft.task for draft in drafts} == {"answer"}


@pytest.mark.parametrize(
    ("gold", "reason"),
    [
        (None, "no gold answer"),
        (Gold((), ()), "no gold answer"),
        (Gold(("bliss",)), "outside the label set"),
        (Gold(("joy", "love", "pride", "relief")), "more gold labels"),
        (Gold(("joy",), (Cause("lost his keys", 0),)), "verbatim"),
    ],
)
def test_a_sample_that_no_reply_can_answer_is_refused_with_the_reason(gold: Gold | None, reason: str) -> None:
    with pytest.raises(Unusable, match=reason):
        ask(replace(lost_keys(), gold=gold))


def test_gold_labels_come_the_likeliest_first_and_neutral_last() -> None:
    clues = (emotion("neutral", 0.9), emotion("anger", 0.5), emotion("joy", 0.7))
    assert ask(lost_keys(("anger", "neutral", "joy")), clues, strategies={"cot": 1}).facts.labels == (
        "joy",
        "anger",
        "neutral",
    )


def test_a_choice_counts_from_one_in_the_reply() -> None:
    sample = Sample("a", "Text.", question="Which?", choices=("x", "y"), gold=Gold(answers={"choice": 1}))
    draft = ask(sample, (), tasks={"choice": 1}, labels=OPEN)
    assert draft.answers == {"choice": 2}
    assert draft.strategy == "tasks/choice_direct"


@pytest.mark.parametrize("strategy", ["three_hop", "tasks/valence"])
def test_a_strategy_that_annotations_cannot_answer_is_refused(strategy: str) -> None:
    with pytest.raises(UsageError, match="no rows can be made"):
        ask(lost_keys(), strategies={strategy: 1})


# Questions and scales -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "answer", "value", "found"),
    [
        ("semeval2018_ei_reg", "intensity", 0.25, 0.2),  # round half to even
        ("semeval2018_ei_oc", "intensity", 2, 0.7),  # 2 of 3
        ("semeval2018_v_reg", "valence", 0.25, 2.0),  # 1 + .25 * 4
        ("semeval2018_v_oc", "valence", -3, 1.0),
        ("semeval2018_v_oc", "valence", 1, 3.7),  # 1 + 4/6 * 4
        ("emobank", "valence", 3.26, 3.3),
    ],
)
def test_gold_numbers_come_on_the_replys_scale(data: str, answer: str, value: float, found: float) -> None:
    assert rescale({answer: value}, SCALES[data]) == {answer: found}


def test_ratings_can_be_asked_for_in_whole_steps_and_then_the_question_says_so() -> None:
    gold = Gold(answers={"valence": 3.4, "arousal": 2.6, "dominance": 4.5})
    sample = Sample("a", "Text.", gold=gold)
    drafts = many(sample, (), tasks={"valence": 1}, labels=OPEN, data="emobank", wordings=4)
    whole = [draft for draft in drafts if draft.answers == {"valence": 3.0, "arousal": 3.0, "dominance": 4.0}]
    exact = [draft for draft in drafts if draft.answers == {"valence": 3.4, "arousal": 2.6, "dominance": 4.5}]
    assert len(whole) + len(exact) == len(drafts)
    assert whole
    assert exact
    assert all("whole" in draft.chat.messages[1].content for draft in whole)
    assert not any("whole" in draft.chat.messages[1].content for draft in exact)


ELEVEN = "(anger, anticipation, disgust, fear, joy, love, optimism, pessimism, sadness, surprise, trust)"
SEVEN = "3: very glad. 2: glad. 1: rather glad. 0: neither. -1: rather low. -2: low. -3: very low"
FEAR = "How intense is the fear, from 0 (none) to 1 (the most)?"


@pytest.mark.parametrize(
    ("instruction", "output", "kind", "task", "own", "forms"),
    [
        (
            "Task: Rate emotion E from 0 (least E) to 1. Tweet: Who knocks so late? Emotion: fear Intensity Score:",
            *("0.64", "EI-reg", "intensity", FEAR, {"regression": 0.6}),
        ),
        (
            "Task: Sort by emotion E. 0: no E. 3: most E. Tweet: Who knocks so late? Emotion: fear Intensity Class:",
            *("2: moderate amount of fear", "EI-oc", "intensity", FEAR, {"ordinal": 0.7}),
        ),
        (
            "Task: Rate the valence from 0 (very low) to 1 (very glad). Tweet: We made it! Intensity Score:",
            *("0.867", "V-reg", "valence", None, {"regression": 4.5, "ordinal": 4.0}),  # in whole steps, too
        ),
        (
            f"Task: Sort it into seven classes. {SEVEN} Tweet: No bus again. Intensity Class:",
            *("-2: low", "V-oc", "valence", None, {"sevenths": 1.7}),
        ),
        (
            f"Task: Say which of {ELEVEN} the tweet shows. Tweet: We made it! This tweet contains emotions:",
            *("joy, optimism", "E-c", "emotions", None, {"labels": None}),
        ),
    ],
    ids=["EI-reg", "EI-oc", "V-reg", "V-oc", "E-c"],
)
def test_each_of_the_five_forms_is_put_in_its_own_words_and_answered_on_the_replys_scale(
    tmp_path: Path,
    instruction: str,
    output: str,
    kind: str,
    task: str,
    own: str | None,
    forms: dict[str, float | None],
) -> None:
    """Rows as EmoLLMs has them. Where valence is rated alone, the specialist rates the rest of the reply."""
    said = [{"from": "human", "value": f"Human:\n{instruction}\n\nAssistant:"}, {"from": "gpt", "value": output}]
    (tmp_path / "AAID_train.json").write_text(json.dumps({"id": "t1", "conversations": said}) + "\n")
    [sample] = find_dataset("emollms_aaid").read(tmp_path, "train")
    assert isinstance(sample, Sample)
    assert sample.extra["task"] == kind
    labels = label_set(SetRecipe(data="emollms_aaid"))
    tasks = {"explain" if task == "emotions" else task: 1}
    drafts = many(
        sample, (), 40, data="emollms_aaid", labels=labels, tasks=tasks, strategies={"direct": 1, "cot": 1}, wordings=9
    )
    assert {draft.answers.get(task) for draft in drafts} == set(forms.values())
    for form, value in forms.items():
        asked = {draft.sample.question for draft in drafts if draft.answers.get(task) == value}
        worded = {words.format(noun="fear", person="the writer", where="") for words in wordings(task, form)}
        assert len(asked & worded) > 1
        assert asked <= {own, *worded}
    for draft in drafts:
        assert draft.sample.question is None or draft.sample.question in draft.chat.messages[-1].content
        assert draft.filled == (("arousal", "dominance") if task == "valence" else ())
        assert set(draft.facts.labels) == set((sample.gold or Gold()).emotions or ())
        assert fault(draft, write_reply(draft, {}, 0)) is None


def test_a_set_of_one_task_has_its_form_without_rows_that_name_it() -> None:
    sample = Sample("a", "Text.", extra={"dimension": "anger"}, question="How?", gold=Gold(answers={"intensity": 1}))
    for data, words in (("semeval2018_ei_reg", "0.0"), ("semeval2018_ei_oc", "0.7")):
        asked = {
            d.sample.question for d in many(sample, (), tasks={"intensity": 1}, labels=OPEN, data=data, wordings=4)
        }
        assert len(asked) == 4
        assert all("anger" in q and words in q for q in asked - {"How?"} if q)


def test_one_wording_is_the_templates_own() -> None:
    assert {draft.sample.question for draft in many(lost_keys(), count=10, wordings=1)} == {None}
    asked = {draft.sample.question for draft in many(lost_keys(), strategies={"cot": 1}, wordings=3)}
    assert asked == {
        None,
        "Which emotion or emotions does Ann feel in turn 1, and what shows it?",
        "What does Ann feel in turn 1?",
    }


def test_a_given_label_is_never_asked_for() -> None:
    assert {draft.sample.question for draft in many(lost_keys(), strategies={"given": 1}, wordings=4)} == {None}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.answer != "emotions"], ids=lambda kind: kind.name)
def test_numbers_of_every_kind_are_read_on_the_scale_that_their_loader_gives_them(kind: Any) -> None:
    sample = Sample("s", text="So so.", extra={"task": kind.name})
    scale = find_scale(sample, None, kind.answer)
    assert (scale.low, scale.high) == kind.bounds
