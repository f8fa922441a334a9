"""Laws of `emowhy tune check`: what can be served passes, and each thing that would be lost on the way is named."""

from __future__ import annotations

import json
import logging
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from emowhy.cli import tune_check
from emowhy.engines import Engine
from emowhy.engines.lora import adapter_name
from emowhy.engines.scripted import ScriptedEngine
from emowhy.engines.transformers import TransformersEngine
from emowhy.errors import EmowhyError, UsageError
from emowhy.models import SHIPPED, adapter_identity, find_model
from emowhy.prompt import load_strategy
from emowhy.reasoner import Reasoner
from emowhy.schema import schema_hash
from emowhy.taxonomy import find_taxonomy
from emowhy.tune.check import CLEARLY, Check, check_adapter, judge, wanted_engines
from emowhy.tune.finding import Finding, passed
from emowhy.tune.fit import compare_tensors
from emowhy.tune.probes import Distance, distance, make_probes
from tune.adapters import change_config, copy, make_adapter, tell
from tune.training import make_base

Scores = list[list[tuple[str, float]]]


@pytest.fixture(scope="module")
def base(embedded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("models") / "base", embedded)


@pytest.fixture(scope="module")
def tuned(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tell(make_adapter(tmp_path_factory.mktemp("adapters") / "tuned", base), base)


def faults(folder: Path, **more: Any) -> list[Finding]:
    return [one for one in check_adapter(Check(folder, **more)) if one.grade == "fault"]


def test_an_adapter_that_fits_and_has_an_effect_passes_every_check(tuned: Path) -> None:
    findings = list(check_adapter(Check(tuned)))
    assert passed(findings), findings
    good = {one.name: one.what for one in findings if one.grade == "good"}
    assert {"vLLM", "base", "modules", "templates", "effect"} <= good.keys()
    assert "14 modules" in good["modules"]  # 7 linear layers in each of 2 blocks
    assert good["templates"].startswith("given, direct")


def test_an_adapter_of_zeros_is_reported_as_without_effect(base: Path, tmp_path: Path) -> None:
    found = {one.name: one.what for one in faults(make_adapter(tmp_path / "zeros", base, scale=0.0))}
    assert found.keys() == {"weights", "effect"}
    assert "every lora_B is 0" in found["weights"]
    assert found["effect"].startswith("none")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"lora_bias": True}, "biases"),
        ({"bias": "lora_only"}, "biases"),
        ({"alora_invocation_tokens": [1]}, "activated LoRA"),
        ({"init_lora_weights": "pissa"}, "pissa"),
        ({"r": 1024}, "rank 1024 is over 512"),
    ],
)
def test_what_vllm_cannot_serve_is_named_with_the_way_round_it(
    change: dict[str, Any], named: str, tuned: Path, tmp_path: Path
) -> None:
    found = [one for one in faults(change_config(copy(tuned, tmp_path / "a"), **change)) if one.name == "vLLM"]
    assert [named in one.what for one in found] == [True]
    assert "emowhy tune merge" in found[0].cure


@pytest.mark.parametrize(
    ("config", "named"),
    [({"use_dora": True}, "DoRA"), ({"modules_to_save": ["embed_tokens"]}, "modules_to_save")],
)
def test_an_adapter_that_only_merging_can_serve_still_fits_its_base(
    config: dict[str, Any], named: str, base: Path, tmp_path: Path
) -> None:
    found = faults(make_adapter(tmp_path / "a", base, **config))
    assert [one.name for one in found] == ["vLLM"]
    assert named in found[0].what


def test_a_rank_between_those_of_vllm_is_served_with_a_word(base: Path, tmp_path: Path) -> None:
    findings = list(check_adapter(Check(make_adapter(tmp_path / "a", base, r=12))))
    assert [(one.grade, one.what[:2]) for one in findings if one.name == "rank"] == [("note", "12")]
    assert passed(findings)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"hidden_size": 32}, "other shapes"),
        ({"num_hidden_layers": 3}, "2 tensors that"),  # A and B of the third block
        ({"num_hidden_layers": 1}, "no place"),
    ],
)
def test_an_adapter_of_another_architecture_does_not_fit_and_nothing_is_loaded(
    other: dict[str, int], named: str, base: Path, tmp_path: Path
) -> None:
    folder = make_adapter(tmp_path / "a", base, target_modules=["q_proj"])

    def load(*names: str, **options: Any) -> Engine:
        raise AssertionError("loaded")

    found = faults(folder, model=str(reshaped(base, tmp_path / "other", other)), load=load)
    assert any(named in one.what for one in found if one.name == "modules"), found


def reshaped(base: Path, to: Path, changes: Mapping[str, int]) -> Path:
    """The base with another shape in its configuration, which is all that is read of it."""
    model = copy(base, to)
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "layer_types": None, **changes}))
    return model


def test_a_base_with_more_blocks_than_were_tuned_is_told(base: Path, tuned: Path, tmp_path: Path) -> None:
    fit = compare_tensors(tuned, find_model(str(reshaped(base, tmp_path / "other", {"num_hidden_layers": 3}))))
    assert (fit.modules, fit.of) == (14, 21)
    assert compare_tensors(tuned, find_model(str(base))).of == 14


def test_other_weights_of_the_same_shape_are_not_the_base_that_it_was_tuned_on(
    base: Path, tuned: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    model = copy(base, tmp_path / "other")
    weights = load_file(model / "model.safetensors")
    weights["model.norm.weight"] *= 2
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    (found,) = faults(tuned, model=str(model))
    assert found.name == "base"
    assert json.loads((tuned / "emowhy.json").read_text())["base_sha256"] in found.what


def test_a_tensor_that_is_no_number_is_a_fault(tuned: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = copy(tuned, tmp_path / "a")
    weights = load_file(folder / "adapter_model.safetensors")
    first = sorted(weights)[0]
    weights[first][0, 0] = float("nan")
    save_file(weights, folder / "adapter_model.safetensors")
    (found,) = faults(folder)
    assert first in found.what


@pytest.mark.parametrize(
    ("templates", "named"),
    [({"given": "0" * 16}, "'given', but its templates were"), ({"no_such": "0" * 16}, "'no_such', but no strategy")],
)
def test_a_strategy_that_is_rendered_otherwise_than_in_tuning_is_refused_by_name(
    templates: Mapping[str, str], named: str, base: Path, tuned: Path, tmp_path: Path
) -> None:
    right = {"direct": load_strategy("direct").hash}
    (found,) = faults(tell(copy(tuned, tmp_path / "a"), base, templates={**right, **templates}))
    assert found.name == "templates"
    assert named in found.what


def test_replies_bound_to_another_schema_than_in_tuning_are_refused(base: Path, tuned: Path, tmp_path: Path) -> None:
    now = schema_hash(load_strategy("direct").steps[-1].fields, find_taxonomy("goemotions").labels, 256)
    told = {"templates": {"direct": load_strategy("direct").hash}, "recipe": {"rows": {"reply_tokens": 256}}}
    for hash, wrong in ((now, 0), ("0" * 16, 1)):
        folder = tell(copy(tuned, tmp_path / hash), base, **told, schemas={"direct": {"goemotions": hash}})
        assert [one.name for one in faults(folder)] == ["templates"] * wrong


def test_the_shipped_adapter_is_checked_by_its_name() -> None:
    assert Check(Path(SHIPPED.name)).folder == SHIPPED
    with pytest.raises(UsageError, match="none is no adapter"):
        Check(Path("none"))


def test_templates_of_a_folder_of_ones_own_are_compared_as_they_will_be_used(
    base: Path, tuned: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "prompts" / "mine"
    mine.mkdir(parents=True)
    text = "{#- reply: emotions -#}{% block system %}Name it.{% endblock %}{% block user %}{{ turns }}{% endblock %}"
    (mine / "1-answer.jinja").write_text(text)
    hash = load_strategy("mine", mine.parent).hash
    folder = tell(copy(tuned, tmp_path / "a"), base, templates={"mine": hash})
    assert faults(folder, prompts=mine.parent) == []
    assert [one.name for one in faults(folder)] == ["templates"]


class Served(TransformersEngine):
    """Stands for vLLM: with the adapter, or without where it drops it."""

    def __init__(self, drops: bool, **options: Any) -> None:
        options = {key: value for key, value in options.items() if key in ("model", "adapter")}
        super().__init__(**{**options, **({"adapter": None} if drops else {})}, dtype="float32")


@pytest.mark.parametrize(("drops", "effects"), [(False, ["good", "good"]), (True, ["good", "fault"])])
def test_an_engine_that_drops_the_adapter_is_caught_and_one_that_applies_it_passes(
    drops: bool, effects: list[str], tuned: Path
) -> None:
    def load(name: str, **options: Any) -> Engine:
        return Served(drops, **options) if name == "vllm" else TransformersEngine(**options)

    findings = list(check_adapter(Check(tuned, engines=("transformers", "vllm"), load=load)))
    assert [one.grade for one in findings if one.name == "effect"] == effects


@given(st.floats(0, 10), st.floats(0, 10))
def test_an_effect_counts_only_when_it_is_clearly_more_than_noise(effect: float, noise: float) -> None:
    grade = judge(Distance(effect, effect, 1), Distance(noise, noise, 1), "readings").grade
    assert (grade == "good") == (effect > 0 and effect >= CLEARLY * noise)


logprobs = st.lists(st.floats(-50, 0), min_size=1, max_size=6)


@given(logprobs, st.floats(-3, 3))
def test_the_distance_of_two_readings_is_that_of_their_tokens(values: list[float], shift: float) -> None:
    one: Scores = [[("a", value) for value in values]]
    other: Scores = [[("a", value + shift) for value in values]]
    apart = distance(one, other)
    assert apart.tokens == len(values)
    assert apart.mean == pytest.approx(abs(shift), abs=1e-9)
    assert apart.most == pytest.approx(abs(shift), abs=1e-9)
    assert distance(one, one) == Distance(0.0, 0.0, len(values))


@pytest.mark.parametrize(
    "strategies", [["given"], ["given", "direct"], ["given", "direct", "cot", "three_hop", "observe"]]
)
def test_every_strategy_is_probed_and_no_probe_stands_twice(strategies: list[str]) -> None:
    prompts = [[message.content for message in probe.chat.messages] for probe in make_probes(strategies)]
    assert len({tuple(prompt) for prompt in prompts}) == len(prompts) >= 3
    assert len({system for system, _ in prompts}) == len(strategies)


def test_readings_of_other_tokens_have_no_distance() -> None:
    with pytest.raises(ValueError, match="other tokens"):
        distance([[("ab", -1.0)]], [[("a", -0.5), ("b", -0.5)]])


def test_vllm_is_asked_where_it_is_installed_or_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *more: None)
    assert wanted_engines(None) == ("transformers",)
    assert wanted_engines("vllm") == ("transformers", "vllm")
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *more: object())
    assert wanted_engines(None) == ("transformers", "vllm")
    assert wanted_engines("transformers") == ("transformers",)
    with pytest.raises(EmowhyError, match="server"):
        wanted_engines("server")


def test_an_adapters_served_name_changes_with_its_weights_and_with_its_scale(tuned: Path, tmp_path: Path) -> None:
    same = copy(tuned, tmp_path / "tuned")
    assert adapter_name(same) == adapter_name(tuned)
    change_config(same, lora_alpha=16)
    assert adapter_name(same) != adapter_name(tuned)
    odd = copy(tuned, tmp_path / "my = adapter, 2")
    assert adapter_name(odd).startswith("my-adapter-2-")


class Adapted(ScriptedEngine):
    """A scripted engine that says it has an adapter."""

    def __init__(self, adapter: Path) -> None:
        super().__init__()
        self.folder = adapter

    def identity(self) -> Mapping[str, Any]:
        return {"engine": self.name, **adapter_identity(self.folder)}


def test_explaining_with_other_templates_than_an_adapter_was_tuned_on_warns(
    base: Path, tuned: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = tell(copy(tuned, tmp_path / "other"), base, templates={"given": "0" * 16})
    for folder, strategy, warned in ((tuned, "given", 0), (other, "direct", 0), (other, "given", 1)):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "emowhy"):
            Reasoner.load(engine=Adapted(folder), strategy=strategy, hints="none")
        assert len(caplog.records) == warned, (folder, strategy)
    assert "'given'" in caplog.text
    assert str(other) in caplog.text


def test_a_system_names_what_its_adapter_was_tuned_and_chosen_on(tuned: Path) -> None:
    identity = adapter_identity(tuned)
    assert identity["trained_on"] == ["goemotions:train"]
    assert identity["chosen_on"] == ["goemotions:dev"]
    assert identity["adapter_licence"] == "Apache-2.0"


app = typer.Typer()
app.command("check")(tune_check.check)


def run(*arguments: str) -> Any:
    env = {name: None for name in os.environ if name.startswith("EMOWHY_") and name != "EMOWHY_CACHE"}
    return CliRunner().invoke(app, list(arguments), env=env)


def test_the_command_prints_how_to_serve_what_passed(tuned: Path, base: Path) -> None:
    done = run(str(tuned), "--engine", "transformers")
    assert done.exit_code == 0, done.output
    ours, theirs = (shlex.split(line) for line in done.stdout.strip().splitlines()[-3::2])
    assert ours == ["emowhy", "serve", "--model", str(base), "--adapter", str(tuned)]
    module = json.loads(theirs[theirs.index("--lora-modules") + 1])
    assert module == {"name": adapter_name(tuned), "path": str(tuned)}
    assert theirs[theirs.index("--max-lora-rank") + 1] == "8"


def test_the_command_ends_with_1_on_a_fault_and_prints_no_way_to_serve_it(
    base: Path, tuned: Path, tmp_path: Path
) -> None:
    folder = tell(copy(tuned, tmp_path / "a"), base, templates={"given": "0" * 16})
    done = run(str(folder), "--engine", "transformers", "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["good"], told["serve"]) == (1, False, {})
    assert [one["name"] for one in told["findings"] if one["grade"] == "fault"] == ["templates"]


@pytest.mark.parametrize("damage", ["missing", "cut", "config"])
def test_a_damaged_adapter_ends_with_2_and_names_the_file(damage: str, tuned: Path, tmp_path: Path) -> None:
    folder = copy(tuned, tmp_path / "a")
    weights = folder / "adapter_model.safetensors"
    if damage == "missing":
        weights.unlink()
    elif damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-8])
    else:
        weights = folder / "adapter_config.json"
        weights.write_text("{")
    done = run(str(folder), "--engine", "transformers")
    assert done.exit_code == 2
    assert weights.name in done.stderr


@pytest.mark.vllm
def test_a_real_vllm_serves_the_adapter_as_peft_applies_it(embedded: Path, tmp_path: Path) -> None:
    folder = make_adapter(tmp_path / "tuned", embedded, scale=0.1, r=16, lora_alpha=32)
    change_config(folder, base_model_name_or_path="smollm2-135m")
    options = {"max_model_len": 2048}
    findings = list(check_adapter(Check(folder, engines=("transformers", "vllm"), options=options)))
    assert [one.grade for one in findings if one.name == "effect"] == ["good", "good"], findings
