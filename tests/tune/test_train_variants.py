"""Laws of the variants of tuning: memory, precision and kinds of LoRA are choices, not other trainings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from emowhy.tune import build
from emowhy.tune.learned import Looks
from emowhy.tune.recipe import TuneRecipe
from tune.training import Tune, make_recipe, row, tuner, write_rows

NO_ANSWERS = Looks(0)


pytestmark = pytest.mark.usefixtures("one_threaded")


@pytest.fixture(scope="module")
def tune(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Tune:
    rows = tmp_path_factory.mktemp("made") / "rows"
    return tuner(base, write_rows(rows, [row(i) for i in range(16)], [row(i) for i in range(20, 24)]))


@pytest.mark.parametrize(
    "how", [{"packing": True}, {"checkpointing": True}, {"batch": 2, "accumulate": 2}], ids=lambda how: next(iter(how))
)
def test_packing_checkpointing_and_accumulation_change_memory_and_not_what_is_learned(
    tune: Tune, base: Path, tmp_path: Path, how: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two steps over all eight rows of one order, without dropout: gradients are sums, however they are cut."""
    monkeypatch.setattr(build, "plan", lambda lengths, batch, epochs, seed: list(range(8)))
    plain, other = (
        tune(tmp_path / name, make_recipe(base, {"dropout": 0.0}, **{"epochs": 0.5, "peak": 1e-3, **more}), NO_ANSWERS)
        for name, more in (("plain", {}), ("other", how))
    )
    a, b = plain.weights(2), other.weights(2)
    assert plain.about["steps"] == other.about["steps"] == 2
    assert any(a[name].abs().max() > 1e-4 for name in a if "lora_B" in name)
    for name in a:
        torch.testing.assert_close(b[name], a[name], atol=2e-5, rtol=0)


@pytest.mark.parametrize(
    ("lora", "key", "told"),
    [({"rslora": True}, "use_rslora", False), ({"dora": True}, "use_dora", True)],
    ids=["rslora", "dora"],
)
def test_variants_are_in_the_configuration_and_dora_must_be_merged(
    tune: Tune, base: Path, tmp_path: Path, lora: dict[str, Any], key: str, told: bool
) -> None:
    done = tune(tmp_path, make_recipe(base, lora, epochs=0.5), NO_ANSWERS)
    assert json.loads((tmp_path / "adapter_config.json").read_text())[key] is True
    assert any("merge" in line for line in done.said) is told
    assert ("merge it first" in (tmp_path / "README.md").read_text()) is told


def test_bf16_trains_fp32_weights_on_a_bf16_base(tune: Tune, base: Path, tmp_path: Path) -> None:
    done = tune(tmp_path, make_recipe(base, epochs=0.5, precision="bf16"), NO_ANSWERS)
    assert {weights.dtype for weights in done.weights(2).values()} == {torch.float32}
    assert done.about["precision"] == "bfloat16"
    assert done.about["figures"]["after"]["loss"] < done.about["figures"]["before"]["loss"]


def test_rows_that_nobody_may_sell_make_the_adapter_one_for_research_and_own_files_are_no_split(
    base: Path, tmp_path: Path
) -> None:
    sets = [{"data": "empathetic_dialogues"}, {"file": "own.jsonl", "labels": "goemotions", "licence": "Apache-2.0"}]
    given = make_recipe(base, epochs=0.5).model_dump(mode="json")
    recipe = TuneRecipe.model_validate({**given, "rows": {**given["rows"], "sets": sets}})
    named = ("empathetic_dialogues:train", "own.jsonl")
    rows = write_rows(tmp_path / "rows", [row(i, data=named[i % 2]) for i in range(8)], [row(9, data=named[1])])
    about = tuner(base, rows)(tmp_path / "out", recipe, NO_ANSWERS).about
    assert (about["commercial"], about["licence"]) == (False, "research only: see data")
    assert (about["trained_on"], about["chosen_on"]) == (["empathetic_dialogues:train"], [])
    card = (tmp_path / "out" / "README.md").read_text()
    assert "no trade" in card
    assert "`own.jsonl`: Apache-2.0" in card
