"""Laws of going on from an adapter: it begins just there, is the recipe's kind of adapter, and forgets no data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from emowhy.errors import MissingError, UsageError
from emowhy.models import find_model
from emowhy.tune.learned import Looks
from emowhy.tune.network import add_adapter, load_base
from emowhy.tune.provenance import seen_sets
from emowhy.tune.recipe import TuneRecipe
from emowhy.tune.start import Start, find_start, load_start
from tune.adapters import change_config, copy, make_adapter, tell
from tune.training import Tune, make_recipe, row, tuner, write_rows

pytestmark = pytest.mark.usefixtures("one_threaded")


@pytest.fixture(scope="module")
def start(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tell(make_adapter(tmp_path_factory.mktemp("start"), base), base)


@pytest.fixture(scope="module")
def tune(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Tune:
    made = tmp_path_factory.mktemp("made") / "rows"
    return tuner(base, write_rows(made, [row(i) for i in range(8)], [row(i) for i in range(20, 22)]))


def going_on(base: Path, start: Path | None, **lora: Any) -> TuneRecipe:
    recipe = make_recipe(base, lora, epochs=2, evaluate_every=2, peak=5e-2).model_dump()
    return TuneRecipe.model_validate({**recipe, "start": start and str(start)})


def test_before_the_first_step_the_model_is_the_base_with_that_adapter_bit_for_bit(base: Path, start: Path) -> None:
    from peft import PeftModel

    recipe, found = going_on(base, start, dropout=0.0), find_model(str(base))
    held = find_start(recipe, found)
    assert held is not None
    tokens = torch.tensor([[5, 6, 7, 8, 9]])
    fresh = add_adapter(load_base(found, torch.float32)[0], recipe.lora, seed=3).eval()
    plain = fresh(tokens).logits
    load_start(fresh, held)
    served = PeftModel.from_pretrained(load_base(found, torch.float32)[0], start).eval()
    assert fresh(tokens).logits.equal(served(tokens).logits)
    assert not fresh(tokens).logits.equal(plain)
    trained = {name: p.dtype for name, p in fresh.named_parameters() if p.requires_grad}
    assert set(trained.values()) == {torch.float32}
    assert all(".lora_" in name for name in trained)


def test_a_training_begins_with_the_loss_of_its_start_and_changes_its_weights(
    base: Path, tune: Tune, tmp_path: Path
) -> None:
    first = tune(tmp_path / "first", going_on(base, None), Looks(0))
    second = tune(tmp_path / "second", going_on(base, first.out), Looks(0))
    plain, ended = (first.about["figures"][when]["loss"] for when in ("before", "after"))
    begun = second.about["figures"]["before"]["loss"]
    assert plain - ended > 0.02
    assert abs(begun - ended) < 0.1 * (plain - ended)  # what the bf16 of a served adapter rounds away
    assert second.about["figures"]["after"]["loss"] < begun
    assert any(not held.equal(first.weights()[name]) for name, held in second.weights().items())


@pytest.mark.parametrize(
    ("lora", "message", "cure"),
    [
        ({"rank": 8}, "has rank 4, not 8", "lora: {rank: 4}"),
        ({"alpha": 32}, "has alpha 8, not 32", "lora: {alpha: 8}"),
        ({"rslora": True, "rank": 2}, "rank 4, not 2, rslora false, not true", "lora: {rank: 4, rslora: false}"),
        ({"dora": True}, "dora false, not true", "lora: {dora: false}"),
    ],
    ids=["rank", "alpha", "two of them", "dora"],
)
def test_an_adapter_of_another_kind_is_refused_with_what_the_recipe_must_say(
    base: Path, start: Path, lora: dict[str, Any], message: str, cure: str
) -> None:
    with pytest.raises(UsageError, match=message) as told:
        find_start(going_on(base, start, **lora), find_model(str(base)))
    assert told.value.cure.startswith(cure)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"rank_pattern": {"q_proj": 2}}, "rank_pattern differs by module"),
        ({"alpha_pattern": {"q_proj": 1}}, "alpha_pattern differs by module"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"bias": "all"}, "biases"),
        ({"init_lora_weights": "pissa"}, "rewrote weights of its base"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_an_adapter_that_no_recipe_makes_is_refused(
    base: Path, start: Path, tmp_path: Path, config: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        find_start(going_on(base, change_config(copy(start, tmp_path / "odd"), **config)), find_model(str(base)))


def test_an_adapter_of_other_modules_is_refused(base: Path, start: Path, tune: Tune, tmp_path: Path) -> None:
    recipe = going_on(base, start, modules=["q_proj", "v_proj"])
    with pytest.raises(UsageError, match="the recipe tunes q_proj, v_proj") as told:
        tune(tmp_path, recipe, Looks(0))
    assert "down_proj, gate_proj" in told.value.message


@pytest.mark.parametrize(
    ("told", "config", "message"),
    [
        ({"base": "other", "base_sha256": "feed"}, {}, "was tuned on other feed; the recipe's base is"),
        ({"base": "other", "base_sha256": None}, {}, "was tuned on other; "),
        (None, {"base_model_name_or_path": "owner/other"}, "was tuned on owner/other; "),
    ],
    ids=["other weights", "another name", "PEFT's word"],
)
def test_an_adapter_of_another_base_is_refused(
    base: Path, start: Path, tmp_path: Path, told: dict[str, Any] | None, config: dict[str, Any], message: str
) -> None:
    folder = change_config(copy(start, tmp_path / "other"), **config)
    (folder / "emowhy.json").unlink()
    if told is not None:
        (folder / "emowhy.json").write_text(json.dumps(told))
    with pytest.raises(UsageError, match=message) as raised:
        find_start(going_on(base, folder), find_model(str(base)))
    assert "other" in raised.value.cure


def test_the_same_weights_under_another_name_are_the_same_base(base: Path, start: Path, tmp_path: Path) -> None:
    folder = copy(start, tmp_path / "renamed")
    told = json.loads((folder / "emowhy.json").read_text())
    (folder / "emowhy.json").write_text(json.dumps({**told, "base": "elsewhere/base"}))
    assert find_start(going_on(base, folder), find_model(str(base))) is not None


@pytest.mark.parametrize("broken", ["adapter_config.json", "adapter_model.safetensors", "folder", "weights"])
def test_a_start_that_is_not_there_or_not_whole_says_what_to_do(
    base: Path, start: Path, tune: Tune, tmp_path: Path, broken: str
) -> None:
    folder = copy(start, tmp_path / "broken")
    if broken == "weights":
        (folder / "adapter_model.safetensors").write_bytes(b"half of it")
    elif broken != "folder":
        (folder / broken).unlink()
    with pytest.raises(MissingError) as told:
        tune(tmp_path / "out", going_on(base, tmp_path / "nowhere" if broken == "folder" else folder), Looks(0))
    assert "tune it" in told.value.cure


def test_a_start_that_was_tuned_anew_is_another_training(base: Path, start: Path, tune: Tune, tmp_path: Path) -> None:
    folder = copy(start, tmp_path / "start")
    recipe = going_on(base, folder)
    tune(tmp_path / "out", recipe, Looks(0), stop_after=1)
    for old in folder.iterdir():
        old.unlink()
    make_adapter(folder, base, scale=0.1)
    with pytest.raises(UsageError, match="holds another training"):
        tune(tmp_path / "out", recipe, Looks(0))


NO_TRADE = {"name": "songs:train", "title": "Songs", "licence": "CC BY-NC 4.0", "commercial": False, "source": None}
FREE = {**NO_TRADE, "name": "poems:train", "title": "Poems", "licence": "CC BY 4.0", "commercial": True}


def test_what_the_start_has_seen_this_adapter_has_seen_too(base: Path, start: Path, tune: Tune, tmp_path: Path) -> None:
    """Songs allow no trade; GoEmotions, the recipe's own set, does."""
    more = {"sets": [NO_TRADE], "trained_on": ["songs:train"], "chosen_on": ["songs:dev"], "commercial": False}
    folder = tell(copy(start, tmp_path / "singer"), base, **more)
    done = tune(tmp_path / "out", going_on(base, folder), Looks(0))
    about = done.about
    assert about["trained_on"] == ["songs:train", "goemotions:train"]
    assert about["chosen_on"] == ["songs:dev", "goemotions:train"]
    assert about["templates"].keys() == {"given", "direct"}
    assert (about["commercial"], about["licence"]) == (False, "research only: see data")
    assert [one["name"] for one in about["sets"]] == ["songs:train", "goemotions:train"]
    held = find_start(going_on(base, folder), find_model(str(base)))
    assert held is not None
    assert about["start"] == {"adapter": "singer", "sha256": held.sha256}
    card = (done.out / "README.md").read_text()
    for told in (f"`singer`, {held.sha256}", "CC BY-NC 4.0", "no trade", "| figure | start | tuned |"):
        assert told in card
    third = find_start(going_on(base, done.out), find_model(str(base)))
    assert third is not None
    assert [one.name for one in seen_sets(going_on(base, None), third)] == ["songs:train", "goemotions:train"]


OWN = {"file": "own.jsonl", "labels": "ekman", "licence": "mine", "commercial": False}


@pytest.mark.parametrize(
    ("told", "names", "free"),
    [
        ({"sets": [FREE], "commercial": True}, ["poems:train"], True),
        ({"sets": [FREE], "commercial": False}, ["poems:train", "old"], False),  # a reason that it does not name
        ({"sets": [FREE, NO_TRADE], "commercial": False}, ["poems:train", "songs:train"], False),
        ({"recipe": {"rows": {"sets": [{"data": "goemotions"}]}}, "commercial": True}, [], True),  # the recipe's own
        ({"recipe": {"rows": {"sets": [OWN]}}, "commercial": False}, ["own.jsonl"], False),
        ({}, ["old"], False),
        ({"sets": [{"what": "?"}], "commercial": True}, ["old"], False),
        ({"sets": 3, "commercial": True}, ["old"], False),
        ({"recipe": {"rows": {"sets": [{"data": "unheard-of"}]}}, "commercial": True}, ["old"], False),
    ],
)
def test_a_start_allows_trade_only_if_it_says_so_and_all_that_it_names_does(
    base: Path, told: dict[str, Any], names: list[str], free: bool
) -> None:
    sets = seen_sets(going_on(base, None), Start(Path("old"), "feed", told))
    assert [one.name for one in sets] == [*names, "goemotions:train"]
    assert all(one.commercial for one in sets) == free


def test_two_files_of_one_name_are_two_sets(base: Path) -> None:
    """So that a licence is not lost behind a like name."""
    rows = {"sets": [{**OWN, "licence": "Apache-2.0", "commercial": True}]}
    recipe = TuneRecipe.model_validate({**going_on(base, None).model_dump(), "rows": rows})
    before = Start(Path("old"), "feed", {"recipe": {"rows": {"sets": [OWN]}}, "commercial": False})
    assert [one.licence for one in seen_sets(recipe, before)] == ["mine", "Apache-2.0"]


def test_no_start_is_no_start(base: Path) -> None:
    assert find_start(going_on(base, None), find_model(str(base))) is None
