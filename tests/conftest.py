"""What many tests share: the embedded model, a tiny adapter for it, samples."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import hypothesis
import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# vLLM would keep a core for its server, and of the few that a test has none can be spared.
os.environ.setdefault("VLLM_CPU_NUM_OF_RESERVED_CPU", "0")

# Laws are about results: how long an example takes on a busy machine is none of them.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """A worker of xdist keeps to its share of the cores: engines that fight for one wait for each other's threads."""
    worker: dict[str, Any] | None = getattr(config, "workerinput", None)
    if worker is not None and hasattr(os, "sched_setaffinity"):
        cores, workers = sorted(os.sched_getaffinity(0)), worker["workercount"]
        if len(cores) >= workers:
            os.sched_setaffinity(0, cores[int(worker["workerid"].removeprefix("gw")) :: workers])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What starts vLLM first, and then what trains: what takes longest must not begin last."""
    items.sort(key=lambda item: (item.get_closest_marker("vllm") is None, item.path.parent.name != "tune"))


@pytest.fixture(scope="session")
def embedded() -> Path:
    """The embedded model as a plain checkpoint (unpacked once to the cache)."""
    from emowhy.models import EMBEDDED, find_model

    return Path(find_model(EMBEDDED).path)


@pytest.fixture(scope="session")
def adapter(embedded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small LoRA adapter, just made: random, so that it changes every log-probability."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_pretrained(embedded, dtype=torch.bfloat16)
    config = LoraConfig(r=8, lora_alpha=8, target_modules=["q_proj", "v_proj"], init_lora_weights=False, bias="none")
    folder = tmp_path_factory.mktemp("adapters") / "tiny"
    get_peft_model(base, config).save_pretrained(folder)
    return folder
