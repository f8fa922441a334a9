"""The adapter in the package: whose it is, what it was tuned on, and that it does something."""

from __future__ import annotations

from pathlib import Path

import pytest

from emowhy.datasets import find_dataset
from emowhy.engines.lora import RANKS, unserved
from emowhy.engines.transformers import TransformersEngine
from emowhy.models import EMBEDDED, SHIPPED, adapter_config, adapter_identity, find_adapter, find_model, origin
from emowhy.reasoner import Reasoner
from emowhy.tune.fit import compare_tensors
from emowhy.tune.templates import changed_templates, tuned_templates

TOLD = origin(SHIPPED)


def test_it_is_used_with_the_embedded_model_alone_and_only_where_none_is_named(tmp_path: Path) -> None:
    assert find_adapter(None, EMBEDDED) == SHIPPED
    assert find_adapter("none", EMBEDDED) is None
    assert find_adapter(None, "Qwen/Qwen3-8B") is None
    assert find_adapter(SHIPPED.name) == SHIPPED
    assert adapter_identity(SHIPPED)["adapter"] == SHIPPED.name  # not where it lies: runs are compared between machines


def test_it_was_tuned_on_the_templates_of_inference() -> None:
    assert {"given", "direct", "cot", "two_stage"} <= tuned_templates(TOLD).keys()
    assert changed_templates(TOLD) == {}


def test_it_fits_the_embedded_model_and_was_tuned_on_these_very_weights(embedded: Path) -> None:
    found = compare_tensors(SHIPPED, find_model(EMBEDDED))
    assert (found.faults, found.idle) == ((), False)
    assert TOLD["base_sha256"] == find_model(EMBEDDED).identity["sha256"]
    assert unserved(adapter_config(SHIPPED)) == []
    assert adapter_config(SHIPPED)["r"] in RANKS


def test_it_learned_only_from_data_that_allow_trade_and_its_card_names_them_all() -> None:
    card = (SHIPPED / "README.md").read_text(encoding="utf-8")
    assert TOLD["commercial"] is True
    for split in TOLD["trained_on"]:
        found = find_dataset(split.partition(":")[0])
        assert found.commercial
        assert found.licence in card
    assert not {name for name in TOLD["trained_on"] if not name.endswith(":train")}


def test_it_is_at_most_twelve_megabytes() -> None:
    assert (SHIPPED / "adapter_model.safetensors").stat().st_size <= 12e6


def test_nothing_in_it_says_where_it_was_made() -> None:
    for name in ("README.md", "emowhy.json", "adapter_config.json"):
        text = (SHIPPED / name).read_text(encoding="utf-8")
        assert "/tmp" not in text
        assert "/work" not in text
        assert "/home" not in text
    assert adapter_config(SHIPPED)["base_model_name_or_path"] == EMBEDDED


TEXTS = (
    "They gave my desk to somebody else while I was on holiday.",
    "The doctor called: it is nothing, I can go home tomorrow!",
    "Why would anyone paint a kitchen black? I have to hear that story.",
    "Thank you so much for driving all that way to bring my charger.",
    "I keep checking the door although I know that I locked it.",
    "The meeting is in room four.",
)


@pytest.fixture(scope="module")
def strict(embedded: Path) -> dict[str | None, int]:
    """How many replies are the asked-for JSON as they stand, unbound, with the shipped adapter (None) and without."""
    found: dict[str | None, int] = {}
    for adapter in (None, "none"):
        engine = TransformersEngine(adapter=adapter, batch_size=6, bind="off")
        reasoner = Reasoner.load(engine=engine, strategy="given", max_tokens=128)
        found[adapter] = sum(answer.parse == "strict" for answer in reasoner.explain(TEXTS))
        engine.close()
    return found


def test_with_it_the_model_writes_the_json_that_is_asked_for_without_being_bound(
    strict: dict[str | None, int],
) -> None:
    assert strict[None] >= len(TEXTS) - 1  # how a processor rounds may cost one
    assert strict["none"] < strict[None]


@pytest.mark.parametrize(
    ("strategy", "adapter", "used"),
    [
        ("tasks/choice", None, None),
        ("tasks/choice", SHIPPED.name, SHIPPED.name),
        ("tasks/valence", None, SHIPPED.name),
        ("given", None, SHIPPED.name),
    ],
)
def test_a_question_that_it_was_not_tuned_on_is_answered_without_it_unless_it_is_named(
    embedded: Path, strategy: str, adapter: str | None, used: str | None
) -> None:
    reasoner = Reasoner.load(strategy=strategy, adapter=adapter, hints="none")
    assert reasoner.engine.identity()["adapter"] == used
    reasoner.engine.close()
