"""Laws of the rewards: they grade as the benchmark does, and padding, empty words and unread replies never pay."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.bench.metrics.labels import graded
from emowhy.taxonomy import find_taxonomy, normalise, similarity
from emowhy.tune.evaluate import Asked, ask
from emowhy.tune.folder import row_of
from emowhy.tune.recipe import RewardRecipe, TuneRecipe
from emowhy.tune.rewards import UNREAD, Rewards, earn, earn_all
from emowhy.types import Reply
from tune.training import make_recipe, row
from tune.tuning import Words

LABELS = find_taxonomy("goemotions").labels
QUOTE = [{"turn": 0, "quote": "lost my keys"}]
DEFAULT = RewardRecipe()

Answer = dict[str, Any]
golds = st.lists(st.sampled_from(LABELS), min_size=1, max_size=3, unique=True)
lists = st.lists(st.sampled_from(LABELS), min_size=1, max_size=5)
weight = st.floats(0, 2, allow_subnormal=False)
weights = st.builds(RewardRecipe, labels=weight, format=st.floats(0.01, 2), length=weight)


def question(*gold: str, **more: Any) -> Asked:
    """ "Mum says: I lost my keys, today.", with these labels and that quote as gold."""
    completion = {"emotions": list(gold), "causes": QUOTE, **more}
    found = ask(row_of(row(0, completion=[{"role": "assistant", "content": json.dumps(completion)}])), 64)
    assert found is not None
    return found


def said(labels: Sequence[str] | str, **more: Any) -> Reply:
    return Reply(json.dumps({"emotions": labels, "causes": QUOTE, **more}))


def test_the_gold_reply_earns_the_most_there_is() -> None:
    asked = question("anger", "sadness")
    assert earn(asked, said(["anger", "sadness"])) == Rewards(labels=1.0, format=1.0, length=0.0)
    assert earn(asked, said(["anger", "sadness"])).total(DEFAULT) == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("gold", "labels", "overlap", "length"),
    [
        (["anger"], ["anger"], 1.0, 0.0),
        (["anger"], ["annoyance"], 0.5, 0.0),  # the same primary branch
        (["sadness"], ["grief"], 0.75, 0.0),  # the same secondary branch
        (["anger"], ["joy"], 0.0, 0.0),
        (["anger"], ["anger", "joy"], 2 * 1 / (2 + 1), -1 / 2),
        (["anger"], ["joy", "anger"], 0.0, -1 / 2),  # right, but not among the first |Y|
        (["anger"], ["anger", "anger", "anger"], 2 * 1 / (3 + 1), -2 / 3),
        (["anger"], ["anger", "joy", "fear", "love", "pride"], 2 * 1 / (5 + 1), -4 / 5),  # the parser reads three
        (["anger"], "anger, joy, fear and love", 2 * 1 / (4 + 1), -3 / 4),
        (["anger", "joy"], ["anger"], 2 * 1 / (1 + 2), 0.0),
        (["anger", "joy"], ["joy", "disgust"], 2 * 1 / (2 + 2), 0.0),
        (["anger", "joy"], [], 0.0, 0.0),
    ],
)
def test_worked_examples_of_labels_and_length(
    gold: list[str], labels: list[str] | str, overlap: float, length: float
) -> None:
    found = earn(question(*gold), said(labels))
    assert [found.labels, found.length] == pytest.approx([overlap, length])


@given(golds, st.lists(st.sampled_from(LABELS), min_size=1, max_size=3, unique=True))
def test_a_list_no_longer_than_the_gold_earns_the_benchmarks_graded_f(gold: list[str], labels: list[str]) -> None:
    kept = labels[: len(gold)]
    assert earn(question(*gold), said(kept)).labels == pytest.approx(graded(gold, kept)[2])


@given(golds, st.lists(st.sampled_from(LABELS), min_size=1, max_size=3, unique=True))
def test_a_longer_list_earns_no_more_than_the_benchmarks_graded_f(gold: list[str], labels: list[str]) -> None:
    assert earn(question(*gold), said(labels)).labels <= graded(gold, labels)[2] + 1e-9


@given(golds, lists, st.sampled_from(LABELS), st.integers(0, 5), weights)
def test_adding_a_wrong_label_anywhere_never_raises_the_reward(
    gold: list[str], labels: list[str], wrong: str, place: int, weights: RewardRecipe
) -> None:
    if any(similarity(wrong, label) for label in gold):
        return
    asked = question(*gold)
    before, after = (earn(asked, said(some)) for some in (labels, [*labels[:place], wrong, *labels[place:]]))
    assert after.total(weights) <= before.total(weights) + 1e-9


@given(golds, lists, st.lists(st.sampled_from(LABELS), min_size=1, max_size=4), weights)
def test_labels_behind_the_golds_number_never_raise_the_reward_however_right(
    gold: list[str], labels: list[str], more: list[str], weights: RewardRecipe
) -> None:
    labels = (labels * 3)[: max(len(gold), len(labels))]
    asked = question(*gold)
    before, after = earn(asked, said(labels)), earn(asked, said([*labels, *more]))
    assert after.total(weights) <= before.total(weights) + 1e-9
    assert after.length < before.length


def test_hedging_among_labels_that_are_equally_likely_earns_less_than_naming_one() -> None:
    """Gold is each of three unlike labels once. One name: (1 + 0 + 0)/3 of F. All three: .5/3, and -2/3 of length."""
    labels = ["anger", "joy", "fear"]
    one, all_three = (
        sum(earn(question(gold), said(some)).total(DEFAULT) for gold in labels) / 3 for some in (labels[:1], labels)
    )
    assert one == pytest.approx(1 / 3 + 0.2)
    assert all_three == pytest.approx(0.5 / 3 + 0.2 - 0.2 * 2 / 3)


UNREADABLE = st.one_of(
    st.text(alphabet=st.characters(exclude_characters="{}"), max_size=40).map(Reply),
    st.just(Reply('{"emotions": ["anger"], "causes": [', finish="length")),
    st.just(Reply("", finish="length")),
    st.just(Reply('{"causes": []}')),
)


@given(UNREADABLE, golds, lists, st.booleans(), weights)
def test_a_reply_that_cannot_be_read_earns_less_than_any_that_can(
    unread: Reply, gold: list[str], labels: list[str], cut_off: bool, weights: RewardRecipe
) -> None:
    asked = question(*gold)
    readable = replace(said(labels), finish="length" if cut_off else "stop")
    assert earn(asked, unread) == UNREAD
    assert UNREAD.total(weights) < earn(asked, readable).total(weights)


def test_a_reply_that_the_budget_cut_off_pays_the_whole_length() -> None:
    assert earn(question("anger"), replace(said(["anger"]), finish="length")) == Rewards(1.0, 1.0, -1.0)


@pytest.mark.parametrize(
    ("reply", "format"),
    [
        (said(["anger"], explanation="The keys are gone."), 1.0),
        (Reply("Here: " + said(["anger"], explanation="The keys are gone.").text), 0.5),
        (said(["anger"]), 0.5),  # no explanation at all
        (said(["anger"], explanation=""), 0.5),
        (said(["anger"], explanation=" … "), 0.5),
        (said(["anger"], explanation="Gone.", causes=[]), 0.5),
        (said(["anger"], explanation="Gone.", causes=[{"turn": 0, "quote": "broke my vase"}]), 0.5),
        (Reply("anger"), 0.0),
    ],
    ids=["whole", "with words around", "a field left out", "empty", "no words", "no quote", "made-up quote", "unread"],
)
def test_a_format_is_kept_by_filling_it_in(reply: Reply, format: float) -> None:
    assert earn(question("anger", explanation="Ann lost the keys."), reply).format == format


def test_where_the_gold_quotes_nothing_nothing_need_be_quoted() -> None:
    reply = Reply(json.dumps({"emotions": ["anger"], "causes": []}))
    assert earn(question("anger", causes=[]), reply).format == 1.0


READER = Words({"slammed": "anger", "smiles": "joy", "furious": "anger"}, {"neutral": 0.2})


@pytest.mark.parametrize(
    ("labels", "why", "agrees"),
    [
        (["anger"], "She slammed the door.", 1.0),
        (["joy"], "She slammed the door.", 0.0),
        (["anger"], "She is furious.", 0.0),  # "furious" names anger, and is hidden
        (["joy", "anger"], "He smiles.", 1.0),  # the first label counts
        (["anger"], "", 0.0),
    ],
)
def test_an_explanation_is_consistent_if_the_reader_finds_the_first_label_in_it(
    labels: list[str], why: str, agrees: float
) -> None:
    found = earn_all([question("anger", explanation="x y")], [said(labels, explanation=why)], READER)
    assert [one.consistency for one in found] == [agrees]


def test_what_is_not_read_is_not_consistent_and_the_others_keep_their_places() -> None:
    asked = question("anger", explanation="x y")
    good = said(["anger"], explanation="She slammed the door.")
    found = earn_all([asked] * 3, [Reply("?"), good, Reply("?")], READER)
    assert found == [UNREAD, Rewards(1.0, 1.0, 0.0, 1.0), UNREAD]


@given(st.lists(st.sampled_from(LABELS), min_size=1, max_size=3))
def test_labels_that_are_added_behind_hide_nothing_from_the_reader(more: list[str]) -> None:
    asked, why = question("anger", explanation="x y"), "Wistful, she slammed the door."
    one, padded = earn_all(
        [asked] * 2, [said(["anger"], explanation=why), said(["anger", "wistful", *more], explanation=why)], READER
    )
    assert padded.consistency == one.consistency == 1.0
    assert padded.total(DEFAULT) < one.total(DEFAULT)


def test_the_labels_of_these_tests_are_in_canonical_form() -> None:
    """So that "distinct" means the same here as where they are graded."""
    assert [normalise(label) for label in LABELS] == list(LABELS)


def rewarded() -> Answer:
    """A recipe with a reward, as YAML has it."""
    return {**make_recipe(Path("base"), {"dropout": 0.0}).model_dump(), "reward": {}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lora": {"dropout": 0.1}}, "lora.dropout must be 0"),
        ({"lora": {"modules": ["q_proj", "lm_head"]}}, "cannot have lm_head"),
        ({"train": {"packing": True}}, "train.packing must be false"),
        ({"reward": {"samples": 1}}, "samples"),
        ({"reward": {"temperature": 0}}, "temperature"),
        ({"reward": {"length": -1}}, "length"),
        ({"reward": {"labels": 0, "format": 0}}, "nothing to learn"),
        ({"reward": {"label": 1}}, "label"),
    ],
)
def test_what_a_reward_cannot_go_with_is_refused(change: dict[str, Any], message: str) -> None:
    recipe = rewarded()
    for part, values in change.items():
        recipe[part] = {**recipe[part], **values}
    with pytest.raises(ValueError, match=message):
        TuneRecipe.model_validate(recipe)


def test_a_reader_that_rewards_gives_no_hints() -> None:
    recipe = rewarded()
    recipe["rows"] = {**recipe["rows"], "reader": None, "specialists": ["emotion", "reader@x"]}
    assert TuneRecipe.model_validate(recipe).reward  # without a weight it rewards nothing
    recipe["reward"]["consistency"] = 0.5
    with pytest.raises(ValueError, match="the reader rewards the explanations"):
        TuneRecipe.model_validate(recipe)
