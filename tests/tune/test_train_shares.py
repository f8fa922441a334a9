"""Laws of a base that processes share: the main one reads it, the others hold its shape until they get their parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from emowhy.models import Model
from emowhy.tune import network
from emowhy.tune.recipe import LoraRecipe

pytestmark = pytest.mark.usefixtures("one_threaded")


@pytest.fixture
def both(base: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """The base as the main process has it, and as another one has it."""
    found = Model("tiny", str(base), {})
    read, _ = network.load_base(found, torch.bfloat16)
    monkeypatch.setattr(network, "_is_sent_weights", lambda: True)
    return read, network.load_base(found, torch.bfloat16)[0]


def test_a_base_without_its_weights_is_the_base_in_all_but_them(both: tuple[Any, Any]) -> None:
    """Names, shapes, types, ties, and what no checkpoint holds: the angles of rotary positions."""
    read, empty = both
    shapes = [{name: (w.shape, w.dtype, w.device) for name, w in one.named_parameters()} for one in both]
    assert shapes[0] == shapes[1]
    assert empty.lm_head.weight is empty.model.embed_tokens.weight
    assert all(not weights.any() for weights in empty.parameters())
    assert all(weights.any() for weights in read.parameters())
    angles = [dict(one.named_buffers()) for one in both]
    assert angles[0]
    assert angles[0].keys() == angles[1].keys()
    assert all(torch.equal(angles[1][name], held) for name, held in angles[0].items())
    assert empty.generation_config.to_dict() == read.generation_config.to_dict()


def test_an_adapter_on_it_is_the_same_and_in_memory_of_its_own(both: tuple[Any, Any]) -> None:
    """The optimizer tells its weights apart by where they lie."""
    tuned = [network.add_adapter(one, LoraRecipe(rank=2, alpha=4), seed=5) for one in both]
    learned = [{name: w for name, w in one.named_parameters() if w.requires_grad} for one in tuned]
    assert learned[0].keys() == learned[1].keys()
    assert {weights.dtype for weights in learned[1].values()} == {torch.float32}
    assert all(torch.equal(learned[1][name], weights) for name, weights in learned[0].items())
    assert len({weights.data_ptr() for weights in learned[1].values()}) == len(learned[1])


def test_one_process_alone_reads_its_base_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCELERATE_USE_FSDP", "FSDP_CPU_RAM_EFFICIENT_LOADING"):
        monkeypatch.setenv(name, "true")
    monkeypatch.setenv("FSDP_VERSION", "2")
    assert not network._is_sent_weights()


def test_an_alpha_that_is_not_said_is_32(base: Path) -> None:
    model, _ = network.load_base(Model("tiny", str(base), {}), torch.float32)
    config = network.add_adapter(model, LoraRecipe(rank=2), seed=0).peft_config["default"]
    assert (config.r, config.lora_alpha) == (2, 32)
