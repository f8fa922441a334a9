"""Laws of what lies in finetune/: commands that exist, names that are known, adapters that vLLM serves."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from accelerate.commands.config.config_args import ClusterConfig
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils.launch import prepare_multi_gpu_env

from emowhy.bench.task import find_task
from emowhy.cli import app
from emowhy.datasets import find_dataset
from emowhy.engines.lora import RANKS, unserved
from emowhy.models import EMBEDDED
from emowhy.plugins import find_plugin
from emowhy.specialists import SPECIALISTS
from emowhy.tune.evaluate import CHOICES
from emowhy.tune.recipe import load_recipe

ROOT = Path(__file__).parents[2]
FINETUNE = ROOT / "finetune"
FSDP = FINETUNE / "fsdp.yaml"
RECIPES = sorted(path for path in FINETUNE.glob("*.yaml") if path != FSDP)
each_recipe = pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)


def commands(path: Path) -> list[list[str]]:
    """The command lines at the head of a recipe, as words."""
    lines = [line.removeprefix("# ") for line in path.read_text(encoding="utf-8").splitlines()]
    head = [line for line in lines if line.startswith(("emowhy ", "accelerate launch "))]
    return [shlex.split(line) for line in head]


def verb(words: list[str]) -> str:
    """Reads the words as the command line does, and gives the command's name. Raises typer's errors of usage."""
    command: Any = typer.main.get_command(app)
    name, rest = words[0], words[1:]
    while hasattr(command, "commands"):
        name, *rest = rest
        command = command.commands[name]
    command.make_context(name, rest)
    return name


def test_there_are_recipes_for_bases_of_every_size() -> None:
    assert {path.stem for path in RECIPES} >= {"smoke", EMBEDDED, "qwen2.5-0.5b", "qwen3-8b", "qwen2.5-72b"}


@each_recipe
def test_the_head_of_a_recipe_names_its_commands_and_each_of_them_can_be_typed(path: Path) -> None:
    named = []
    for words in commands(path):
        if words[0] == "accelerate":
            assert ROOT / words[words.index("--config_file") + 1] == FSDP
            words = words[words.index("-m") + 1 :]
        named.append(verb(words))
        assert any(path.stem in Path(word).name for word in words), words
    assert named[:1] == ["rows"]
    assert "run" in named


@each_recipe
def test_specialists_tasks_and_the_figure_to_choose_by_are_known(path: Path) -> None:
    recipe = load_recipe(path)
    for name in {*recipe.rows.specialists, *(name for one in recipe.rows.sets for name in one.specialists or ())}:
        assert find_plugin("specialist", name.partition("@")[0], SPECIALISTS)
    for task in recipe.evaluate.tasks:
        assert find_task(task)[0]
    assert recipe.train.choose in CHOICES
    assert recipe.train.answer or recipe.train.choose == "loss"


@each_recipe
def test_vllm_serves_the_adapter_of_every_recipe_as_it_is(path: Path) -> None:
    lora = load_recipe(path).lora
    assert lora.rank in RANKS
    assert unserved({"r": lora.rank, "use_dora": lora.dora}) == []


@each_recipe
def test_only_a_recipe_that_says_research_learns_from_data_that_may_not_be_used_in_trade(path: Path) -> None:
    sets = load_recipe(path).rows.sets
    free = all(find_dataset(one.data).commercial if one.data else one.commercial for one in sets)
    assert free is not path.stem.endswith("-research")


def test_the_readme_names_every_recipe_and_base() -> None:
    text = (FINETUNE / "README.md").read_text(encoding="utf-8")
    for path in RECIPES:
        row = next((line for line in text.splitlines() if line.startswith(f"| `{path.stem}` |")), "")
        assert f"`{load_recipe(path).base}`" in row, path.stem


def test_accelerate_reads_fsdp_yaml_as_what_training_in_shares_needs() -> None:
    """Whole checkpoints (an adapter is served whole), shares that only the main process's base is cut into, and
    checkpointing left to the recipe: the trainer refuses both."""
    assert ClusterConfig.from_yaml_file(FSDP).num_machines == 1  # unknown keys are refused
    words = ["--config_file", str(FSDP), "-m", "emowhy", "tune", "run"]
    before = dict(os.environ)
    try:
        arguments = _validate_launch_command(launch_command_parser().parse_args(words))[0]
        found = prepare_multi_gpu_env(arguments)
    finally:
        os.environ.clear()
        os.environ.update(before)
    assert found["ACCELERATE_USE_FSDP"] == "true"
    assert found["ACCELERATE_MIXED_PRECISION"] == "bf16"
    assert found["FSDP_VERSION"] == "2"
    assert found["FSDP_STATE_DICT_TYPE"] == "FULL_STATE_DICT"
    assert found["FSDP_AUTO_WRAP_POLICY"] == "TRANSFORMER_BASED_WRAP"
    assert found["FSDP_CPU_RAM_EFFICIENT_LOADING"] == "true"
    assert found["FSDP_ACTIVATION_CHECKPOINTING"] == "false"
