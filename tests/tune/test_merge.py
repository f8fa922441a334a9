"""Laws of `emowhy tune merge`: the checkpoint answers as base and adapter did and has all that serving needs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from safetensors.torch import load_file
from typer.testing import CliRunner

from emowhy.cli import tune_check
from emowhy.engines.transformers import TransformersEngine
from emowhy.errors import EmowhyError, EngineError, UsageError
from emowhy.models import find_model
from emowhy.tune import merge
from emowhy.tune.merge import merge_adapter
from emowhy.tune.probes import distance, make_probes, read_probes
from tune.adapters import copy, make_adapter, tell
from tune.training import make_base


@pytest.fixture(scope="module")
def base(embedded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("models") / "base", embedded)


@pytest.fixture(scope="module")
def tuned(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tell(make_adapter(tmp_path_factory.mktemp("adapters") / "tuned", base), base)


def test_a_weight_of_the_merged_model_is_the_bases_plus_scale_times_up_times_down(
    base: Path, tuned: Path, tmp_path: Path
) -> None:
    merge_adapter(tuned, tmp_path / "one")
    before, after = (load_file(folder / "model.safetensors") for folder in (base, tmp_path / "one"))
    adapter = load_file(tuned / "adapter_model.safetensors")
    name = "model.layers.1.mlp.down_proj"
    down, up = (adapter[f"base_model.model.{name}.lora_{part}.weight"] for part in "AB")
    scale = 8 / 4  # alpha over rank
    assert torch.allclose(after[f"{name}.weight"], before[f"{name}.weight"] + scale * up @ down, atol=1e-6)
    assert torch.equal(after["model.embed_tokens.weight"], before["model.embed_tokens.weight"])


@pytest.mark.parametrize("config", [{}, {"use_dora": True}, {"use_rslora": True}])
def test_the_merged_model_answers_as_base_and_adapter_did(config: dict[str, Any], base: Path, tmp_path: Path) -> None:
    folder = make_adapter(tmp_path / "tuned", base, **config)
    done = merge_adapter(folder, tmp_path / "one")
    assert done.apart.most < 1e-3
    assert done.effect.mean > 100 * done.apart.mean
    tuned, whole = TransformersEngine(str(base), str(folder), dtype="float32"), TransformersEngine(str(done.folder))
    probes = make_probes(["cot"])
    assert distance(read_probes(tuned, probes), read_probes(whole, probes)).most < 0.2  # the second may run in bf16


def test_the_checkpoint_has_tokenizer_chat_template_generation_config_and_where_it_comes_from(
    base: Path, tuned: Path, tmp_path: Path
) -> None:
    out = tmp_path / "one"
    merge_adapter(tuned, out, dtype="bfloat16")
    names = {file.name for file in out.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "generation_config.json", "README.md"} <= names
    assert (out / "chat_template.jinja").read_text() == (base / "chat_template.jinja").read_text()
    assert json.loads((out / "generation_config.json").read_text())["eos_token_id"] == 2
    assert {weights.dtype for weights in load_file(out / "model.safetensors").values()} == {torch.bfloat16}
    assert not any("lora" in name for name in load_file(out / "model.safetensors"))
    told = json.loads((out / "emowhy.json").read_text())
    assert told["base"] == str(base)
    assert told["merged"]["dtype"] == "bfloat16"
    assert find_model(str(out)).identity["trained_on"] == ["goemotions:train"]


def test_nothing_is_written_over(tuned: Path, tmp_path: Path) -> None:
    out = tmp_path / "one"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    with pytest.raises(UsageError, match="holds something already"):
        merge_adapter(tuned, out)
    assert [file.name for file in out.iterdir()] == ["mine.txt"]


def _fail(*arguments: Any, **more: Any) -> None:
    raise OSError(28, "No space left on device")


def _spoil(net: Any, tokenizer: Any, dtype: str, part: Path) -> None:
    with torch.no_grad():
        net.model.norm.weight.mul_(-1)
    save(net, tokenizer, dtype, part)


save = merge._save


@pytest.mark.parametrize(("broken", "error"), [(_fail, OSError), (_spoil, EngineError)])
def test_a_full_disk_or_a_model_that_answers_otherwise_leaves_nothing_behind(
    broken: Callable[..., None], error: type[Exception], tuned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emowhy.tune.merge._save", broken)
    with pytest.raises(error):
        merge_adapter(tuned, tmp_path / "out" / "one")
    assert list((tmp_path / "out").iterdir()) == []


def test_an_adapter_of_another_base_is_refused_before_anything_is_loaded(
    embedded: Path, tuned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emowhy.tune.merge.TransformersEngine", _fail)
    with pytest.raises(EmowhyError, match="does not fit"):
        merge_adapter(tuned, tmp_path / "one", model=str(embedded))
    assert not (tmp_path / "one").exists()


def test_the_command_says_how_far_the_merged_model_is_from_the_unmerged(tuned: Path, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command("merge")(tune_check.merge)
    env = {name: None for name in os.environ if name.startswith("EMOWHY_") and name != "EMOWHY_CACHE"}
    done = CliRunner().invoke(app, [str(tuned), "-o", str(tmp_path / "one"), "--json"], env=env)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["apart"]["most"] < 1e-3 < told["effect"]["mean"]
    again = CliRunner().invoke(app, [str(copy(tuned, tmp_path / "x")), "-o", str(tmp_path / "one")], env=env)
    assert again.exit_code == 2
