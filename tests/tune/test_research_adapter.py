"""The adapter beside its recipe in finetune/: what it was tuned on, and that it says that it is for research only."""

from __future__ import annotations

from pathlib import Path

from emowhy.datasets import find_dataset
from emowhy.engines.lora import RANKS, unserved
from emowhy.models import EMBEDDED, SHIPPED, adapter_config, adapter_identity, find_model, origin
from emowhy.tune.fit import compare_tensors
from emowhy.tune.recipe import load_recipe
from emowhy.tune.start import find_start
from emowhy.tune.templates import changed_templates, tuned_templates

FINETUNE = Path(__file__).parents[2] / "finetune"
FOLDER = FINETUNE / "smollm2-135m-research"
TOLD = origin(FOLDER)


def test_it_goes_on_from_the_very_adapter_that_is_shipped() -> None:
    start = find_start(load_recipe(FINETUNE / "smollm2-135m-research.yaml"), find_model(EMBEDDED))
    assert start is not None
    assert start.folder == SHIPPED
    assert TOLD["start"]["sha256"] == start.sha256


def test_it_was_tuned_on_the_templates_and_schemas_of_inference() -> None:
    assert {"given", "direct", "cot", "two_stage"} <= tuned_templates(TOLD).keys()
    assert changed_templates(TOLD) == {}


def test_it_fits_the_embedded_model_and_can_be_served(embedded: Path) -> None:
    found = compare_tensors(FOLDER, find_model(EMBEDDED))
    assert (found.faults, found.idle) == ((), False)
    assert unserved(adapter_config(FOLDER)) == []
    assert adapter_config(FOLDER)["r"] in RANKS
    assert (FOLDER / "adapter_model.safetensors").stat().st_size <= 12e6


def test_it_allows_no_trade_and_its_card_names_every_licence() -> None:
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert TOLD["commercial"] is False
    assert adapter_identity(FOLDER)["adapter_licence"].startswith("research only")
    assert "research only" in card
    learned = [find_dataset(split.partition(":")[0]) for split in TOLD["trained_on"]]
    assert not all(one.commercial for one in learned)
    assert all(one.licence in card for one in learned)
    assert {split.partition(":")[2] for split in TOLD["trained_on"]} == {"train"}


def test_nothing_in_it_says_where_it_was_made() -> None:
    for name in ("README.md", "emowhy.json", "adapter_config.json"):
        text = (FOLDER / name).read_text(encoding="utf-8")
        assert not any(place in text for place in ("/tmp", "/work", "/home"))
