"""Laws of reinforcement learning: every row is asked or told of, killed it ends alike, what it leaves is honest."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from emowhy.errors import InputError, MissingError, UsageError
from emowhy.models import EMBEDDED, find_model
from emowhy.tune import grpo
from emowhy.tune.evaluate import Asked
from emowhy.tune.fit import compare_tensors
from emowhy.tune.learned import Looks
from emowhy.tune.recipe import TuneRecipe, load_recipe
from emowhy.tune.rewards import Rewards
from emowhy.types import Reply
from tune.training import Done, Tune, make_recipe, row, same, tuner, write_rows

SHIPPED = Path(__file__).parents[2] / "finetune" / "grpo.yaml"
TRAIN = [row(i) for i in range(7)]
REPLY = {"causes": [{"turn": 0, "quote": "lost my keys"}], "explanation": "Mum cannot find them."}
NAMELESS = row(8, id="nameless", completion=[{"role": "assistant", "content": json.dumps(REPLY)}])
UNASKED = row(9, id="unasked", sample=None)


pytestmark = pytest.mark.usefixtures("one_threaded")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven rows that can be rewarded, two that cannot, two to look at."""
    made = tmp_path_factory.mktemp("made") / "rows"
    return write_rows(made, [*TRAIN, NAMELESS, UNASKED], [row(20), row(21)])


@pytest.fixture(scope="module")
def tune(base: Path, rows: Path) -> Tune:
    return tuner(base, rows)


def rewarded(base: Path, reward: dict[str, Any] | None = None, **train: Any) -> TuneRecipe:
    """Four steps of two prompts, each answered twice in eight tokens."""
    schedule = {"epochs": 1, "batch": 2, "evaluate_every": 2, **train}
    recipe = make_recipe(base, {"dropout": 0.0}, **schedule).model_dump()
    return TuneRecipe.model_validate({**recipe, "reward": {"samples": 2, "tokens": 8, **(reward or {})}})


def by_letters(asked: Sequence[Asked], replies: Sequence[Reply], reader: Any = None) -> list[Rewards]:
    """What a model with random weights writes earns by its letters, so that there is something to learn."""
    return [Rewards(sum(map(ord, reply.text)) % 17 / 17, 0.5, -float(reply.finish == "length")) for reply in replies]


@pytest.fixture(scope="module")
def straight(tune: Tune, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """What an uninterrupted training leaves, kept near its beginning by a KL term."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(grpo, "earn_all", by_letters)
        return tune(tmp_path_factory.mktemp("straight") / "adapter", rewarded(base, {"beta": 0.1}))


def test_stopped_and_typed_again_it_ends_with_the_same_weights_bit_for_bit(
    straight: Done, tune: Tune, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grpo, "earn_all", by_letters)
    recipe = rewarded(base, {"beta": 0.1})
    assert tune(tmp_path, recipe, stop_after=3).about == {}
    resumed = tune(tmp_path, recipe)
    assert f"going on from {tmp_path / 'work' / 'checkpoint-2'}" in resumed.said
    assert not same(straight.weights(4), straight.weights(2))
    assert same(resumed.weights(4), straight.weights(4))
    assert resumed.about["figures"] == straight.about["figures"]


def test_every_row_is_asked_in_its_turn_and_a_short_last_step_is_filled_up_not_dropped(
    tune: Tune, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seven prompts in steps of two: four steps, one prompt again; each is answered twice."""
    asked: list[str] = []

    def earn(some: Sequence[Asked], replies: Sequence[Reply], reader: Any = None) -> list[Rewards]:
        asked.extend(one.sample.id for one in some)
        return by_letters(some, replies)

    monkeypatch.setattr(grpo, "earn_all", earn)
    tune(tmp_path, rewarded(base), Looks(0))
    times = Counter(asked)
    assert times.keys() == {one["id"] for one in TRAIN}
    assert sorted(times.values()) == [2] * 6 + [4]


def test_rows_whose_replies_name_no_emotion_are_told_and_counted(straight: Done) -> None:
    assert "2 of 9 train rows are left out: their replies name no emotion, which earns nothing here" in straight.said
    assert straight.about["rows"] == {"train": 7, "dev": 2, "too_long": 0, "generated": 1, "unrewarded": 2}
    card = (straight.out / "README.md").read_text()
    assert "7 to learn from, 2 to look at, 2 left out as their replies name no emotion" in card


def test_without_a_row_that_can_be_rewarded_nothing_is_tuned(base: Path, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows", [NAMELESS, UNASKED], [row(20)])
    with pytest.raises(InputError, match="none of the 2 train rows can be rewarded") as told:
        tuner(base, rows)(tmp_path / "out", rewarded(base), Looks(0))
    assert "tasks: {answer: 1}" in told.value.cure


def test_where_all_replies_earn_alike_there_is_no_adapter_but_a_reason(tune: Tune, base: Path, tmp_path: Path) -> None:
    """Random weights write nothing that could be read: the rewards proper are all the least."""
    with pytest.raises(UsageError, match="nothing was learned") as told:
        tune(tmp_path, rewarded(base), Looks(0))
    assert "start:" in told.value.cure
    assert not (tmp_path / "emowhy.json").exists()


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_a_reader_is_asked_if_and_only_if_it_has_a_weight(
    tune: Tune, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weight: float
) -> None:
    asked: list[Any] = []

    def earn(some: Sequence[Asked], replies: Sequence[Reply], reader: Any = None) -> list[Rewards]:
        asked.append(reader)
        return by_letters(some, replies)

    monkeypatch.setattr(grpo, "find_reader", lambda labels: "the reader")
    monkeypatch.setattr(grpo, "earn_all", earn)
    tune(tmp_path, rewarded(base, {"consistency": weight}), Looks(0), stop_after=1)
    assert asked == ["the reader" if weight else None]


def test_what_replies_earned_is_told_with_its_parts(straight: Done) -> None:
    told = [line for line in straight.said if " earned " in line]
    assert [line.split(" earned")[0] for line in told] == ["step 2", "step 4"]
    assert all(part in told[0] for part in ("labels 0.", "format 0.500", "length -1.000", "consistency 0.", "% of"))


def test_the_looks_are_those_of_learning_by_heart(straight: Done, tune: Tune, base: Path, tmp_path: Path) -> None:
    """The base has the same figures and loss in both, and every second step is looked at."""
    plain = tune(tmp_path, make_recipe(base, {"dropout": 0.0}, batch=2), stop_after=1)
    looks = [line for line in straight.said if " on dev: " in line]
    assert looks[0] == next(line for line in plain.said if " on dev: " in line)
    assert [line.split(" on dev")[0] for line in looks] == ["step 0", "step 2", "step 4"]


def test_the_folder_is_like_any_other_adapters(straight: Done, base: Path) -> None:
    """Of the two adapters that a KL term needs it holds the tuned one."""
    names = {"adapter_config.json", "adapter_model.safetensors", "emowhy.json", "README.md", "work"}
    assert {path.name for path in straight.out.iterdir()} == names
    assert {weights.dtype for weights in straight.weights().values()} == {torch.bfloat16}
    config = json.loads((straight.out / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["r"], config["lora_alpha"]) == (str(base), 4, 8)
    fit = compare_tensors(straight.out, find_model(str(base)))
    assert (fit.faults, fit.idle) == ((), False)
    card = (straight.out / "README.md").read_text()
    assert "GRPO from verifiable rewards (labels 1, format 0.2, length 0.2, consistency 0), 2 replies" in card
    assert "KL 0.1." in card


def test_other_prompts_than_the_rows_hold_are_never_learned_from(
    tune: Tune, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grpo, "chat_ids", lambda tokenizer, chat: [5, 6, 7])
    with pytest.raises(UsageError, match="other prompts than the rows hold"):
        tune(tmp_path, rewarded(base), Looks(0))


def test_nobody_is_told_of_a_training(tune: Tune, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr("trl.trainer.base_trainer.send_telemetry", lambda *given, **named: sent.append(named))
    monkeypatch.setattr(grpo, "earn_all", by_letters)
    tune(tmp_path, rewarded(base), Looks(0), stop_after=1)
    assert sent == []


def test_replies_that_would_leave_the_context_are_refused_before_any_is_sampled(
    tune: Tune, base: Path, tmp_path: Path
) -> None:
    """The base reads 512 tokens."""
    with pytest.raises(UsageError, match=r"reward\.tokens: 500 after a prompt of") as told:
        tune(tmp_path, rewarded(base, {"tokens": 500}), Looks(0))
    assert told.value.cure.startswith("at most 4")


def test_without_trl_the_command_that_brings_it_is_named(
    tune: Tune, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "emowhy.tune.grpo")
    monkeypatch.setitem(sys.modules, "trl", None)
    with pytest.raises(MissingError, match=r"a recipe with a reward \(trl\)") as told:
        tune(tmp_path / "out", rewarded(base), Looks(0))
    assert told.value.cure == 'pip install "emowhy[grpo]"'
    assert not (tmp_path / "out").exists()


def test_the_shipped_recipe_goes_on_from_an_adapter_that_can_be_read_and_moves_it(
    embedded: Path, tmp_path: Path
) -> None:
    """On the embedded model, with the rewards proper: six steps by heart make replies readable, two by reward follow.

    Only the schedule is shortened, and the rows' prompts are short.
    """
    shipped = load_recipe(SHIPPED).model_dump()
    assert shipped["base"] == EMBEDDED
    tune = tuner(embedded, write_rows(tmp_path / "rows", [row(i) for i in range(8)], [row(20)]))
    short = {**shipped["train"], "max_tokens": 160, "warmup": 0.0}
    by_heart = {**short, "peak": 2e-3, "epochs": 3, "evaluate_every": 6}
    begun = tune(tmp_path / "sft", TuneRecipe.model_validate({**shipped, "reward": None, "train": by_heart}), Looks(0))
    by_reward = {**short, "peak": 1e-3, "epochs": 0.5, "batch": 2, "evaluate_every": 2}
    reward = {**shipped["reward"], "samples": 4, "tokens": 40}
    recipe = {**shipped, "start": str(begun.out), "train": by_reward, "reward": reward}
    done = tune(tmp_path / "grpo", TuneRecipe.model_validate(recipe), Looks(0))
    assert done.about["steps"] == 2
    assert done.about["figures"]["before"]["loss"] == pytest.approx(begun.about["figures"]["after"]["loss"], abs=0.02)
    assert any(not held.equal(begun.weights()[name]) for name, held in done.weights().items())
    assert done.about["start"]["adapter"] == "sft"
    assert done.about["commercial"]
    told = next(line for line in done.said if " earned " in line)
    assert "format 0.0" not in told, "no reply could be read"
