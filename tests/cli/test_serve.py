"""Laws of `emowhy serve`: the right flags for this model and adapter, and a plain no to what cannot be served."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner

from emowhy.cli import app


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a checkpoint, as far as the command looks at it."""
    for name in [name for name in os.environ if name.startswith("EMOWHY_") and name != "EMOWHY_CACHE"]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    Path("model").mkdir()
    Path("model/config.json").write_text("{}")
    save_file({"w": np.zeros((2, 2), np.float32)}, "model/model.safetensors")
    return tmp_path


def adapter(weight: float = 0.0, name: str = "tuned", **config: Any) -> Path:
    folder = Path(name)
    folder.mkdir(exist_ok=True)
    known = {
        "peft_type": "LORA",
        "r": 16,
        "bias": "none",
        "use_dora": False,
        "modules_to_save": None,
        "rank_pattern": {},
    }
    (folder / "adapter_config.json").write_text(json.dumps({**known, **config}))
    save_file({"lora_A": np.full((16, 2), weight, np.float32)}, folder / "adapter_model.safetensors")
    return folder


def serve(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["serve", "--print", *arguments])


def flags(*arguments: str) -> dict[str, str]:
    """The printed command's flags; those without a value are ''."""
    done = serve(*arguments)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.count("\n") == 1
    words = shlex.split(done.stdout)
    assert words[:3] == [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
    found: dict[str, str] = {}
    for word in words[3:]:
        if word.startswith("--"):
            found[word] = ""
        else:
            found[list(found)[-1]] = word
    return found


def test_the_command_names_the_model_as_it_is_served_and_binds_replies() -> None:
    found = flags("--model", "model")
    assert (found["--model"], found["--served-model-name"]) == ("model", "model")
    assert (found["--host"], found["--port"]) == ("127.0.0.1", "8000")
    bound = json.loads(found["--structured-outputs-config"])
    assert bound == {"backend": "xgrammar", "disable_any_whitespace": True}
    assert not any("lora" in flag for flag in found)


def test_a_hub_id_a_port_a_host_and_flags_of_vllm_s_own_go_through() -> None:
    more = ("--engine-arg", "tensor_parallel_size=2", "--engine-arg", "enforce-eager=true")
    found = flags("--model", "owner/name", "--port", "9000", "--host", "0.0.0.0", *more)
    assert (found["--model"], found["--port"], found["--host"]) == ("owner/name", "9000", "0.0.0.0")
    assert found["--tensor-parallel-size"] == "2"
    assert found["--enforce-eager"] == ""


def test_an_adapter_is_served_under_a_name_that_changes_with_its_content() -> None:
    found = flags("--model", "model", "--adapter", str(adapter()))
    assert found["--enable-lora"] == ""
    assert (found["--max-loras"], found["--max-lora-rank"]) == ("1", "16")
    module = json.loads(found["--lora-modules"])
    assert module["name"].startswith("tuned-")
    assert Path(module["path"]) == Path("tuned").absolute()
    other = json.loads(flags("--model", "model", "--adapter", str(adapter(1.0)))["--lora-modules"])
    assert other["name"].startswith("tuned-")
    assert other["name"] != module["name"]


def test_clients_are_told_the_adapter_s_name_and_the_embedded_model_brings_its_own() -> None:
    for arguments in (("--model", "model", "--adapter", str(adapter())), ()):
        name = json.loads(flags(*arguments)["--lora-modules"])["name"]
        assert f"--adapter {name}" in serve(*arguments).stderr
    assert "--lora-modules" not in flags("--adapter", "none")
    assert serve("--adapter", "none").stderr == ""


@pytest.mark.parametrize("folder", ["a,b", "a=b", 'it\'s "two" words', "{name}", "Gefühl"])
def test_an_adapter_s_path_reaches_the_server_whatever_it_is_made_of(folder: str) -> None:
    """vLLM reads name=PATH only where no comma is in it; a name is letters, digits, dots and hyphens."""
    found = flags("--model", "model", "--adapter", str(adapter(name=folder)))
    module = json.loads(found["--lora-modules"])
    assert module.keys() == {"name", "path"}
    assert Path(module["path"]) == Path(folder).absolute()
    assert re.fullmatch(r"[A-Za-z0-9._-]+", module["name"])


@pytest.mark.parametrize(
    ("rank", "pattern", "most"),
    [(4, {}, "8"), (8, {}, "8"), (20, {}, "32"), (8, {"q_proj": 100}, "128"), (512, {}, "512")],
)
def test_the_rank_is_the_least_of_vllm_s_that_holds_the_adapter(rank: int, pattern: dict[str, int], most: str) -> None:
    folder = adapter(r=rank, rank_pattern=pattern)
    assert flags("--model", "model", "--adapter", str(folder))["--max-lora-rank"] == most


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"use_dora": True}, "it uses DoRA"),
        ({"modules_to_save": ["lm_head"]}, "it uses modules_to_save"),
        ({"bias": "all"}, "it trains biases"),
        ({"bias": "lora_only"}, "it trains biases"),
        ({"r": 1024}, "rank 1024 is over 512"),
        ({"rank_pattern": {"q_proj": 600}}, "rank 600 is over 512"),
    ],
)
def test_an_adapter_that_vllm_cannot_serve_is_refused_with_why(config: dict[str, Any], told: str) -> None:
    done = serve("--model", "model", "--adapter", str(adapter(**config)))
    assert (done.exit_code, done.stdout) == (2, "")
    first, second = done.stderr.splitlines()
    assert first == f"emowhy: vLLM cannot serve the adapter tuned: {told}"
    assert "merge it" in second


def test_what_is_missing_is_told_with_where_it_was_looked_for(here: Path) -> None:
    adapter(name="half")
    Path("half/adapter_model.safetensors").unlink()
    Path("bare").mkdir()
    for arguments, told, cure in (
        (["--model", "nowhere"], f"nor a folder at {here / 'nowhere'}", "emowhy doctor"),
        (["--model", "./nowhere/x"], f"nor a folder at {here / 'nowhere/x'}", "emowhy doctor"),
        (["--model", "bare"], f"{here / 'bare'} has no config.json", "check --model"),
        (["--model", "model", "--adapter", "nowhere"], f"no adapter at {here / 'nowhere'}", "check --adapter"),
        (
            ["--model", "model", "--adapter", "half"],
            f"no adapter_model.safetensors in {here / 'half'}",
            "check --adapter",
        ),
    ):
        done = serve(*arguments)
        assert (done.exit_code, done.stdout) == (2, "")
        first, second = done.stderr.splitlines()
        assert told in first
        assert cure in second


def test_without_vllm_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *more: None if name == "vllm" else find(name, *more))
    done = CliRunner().invoke(app, ["serve", "--model", "model"])
    assert done.exit_code == 2
    assert done.stderr.startswith("emowhy: vLLM is not installed\n  → ")
    assert 'pip install "emowhy[vllm]"' in done.stderr
