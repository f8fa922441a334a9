"""Laws of recipes: each one shipped runs by its first line, and a wrong one says what to type."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from emowhy.cli import app
from emowhy.datasets import find_dataset
from emowhy.errors import UsageError
from emowhy.specialists.training.recipe import load_recipe

ROOT = Path(__file__).parents[3]
RECIPES = sorted((ROOT / "finetune" / "specialists").glob("*.yaml"))
GOOD: dict[str, Any] = {
    "name": "mine",
    "heads": {"emotion": {"kind": "labels", "data": "goemotions"}},
    "finish": {"epochs": 1},
}
CUES = {"kind": "cues", "data": "goemotions"}
VALUES = {"kind": "values", "data": "emobank"}
ALSO = {"file": "more.jsonl", "licence": "mine"}


def changed(**given: Any) -> dict[str, Any]:
    return {**GOOD, **given}


def written(folder: Path, content: Any) -> Path:
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_there_are_recipes() -> None:
    assert {path.stem for path in RECIPES} >= {"emotion"}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_shipped_recipe_loads_and_is_called_as_its_file(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    assert all(find_dataset(head.data).splits for head in recipe.heads.values())
    assert recipe.base is None or recipe.base in {f"runs/{other.stem}/encoder" for other in RECIPES}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_first_line_is_the_command_that_runs_it(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("EMOWHY_")]:
        monkeypatch.delenv(name)
    line = path.read_text().splitlines()[0].removeprefix("# ")
    words = shlex.split(line)
    assert words[:4] == ["emowhy", "specialists", "train", f"finetune/specialists/{path.name}"]
    assert words[words.index("-o") + 1] == f"runs/{path.stem}"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "finetune").symlink_to(ROOT / "finetune")
    (tmp_path / "DIR").mkdir()
    done = CliRunner().invoke(app, words[1:])
    # it gets as far as it can with neither data nor an earlier training
    assert done.exit_code == 2
    recipe = load_recipe(path)
    data = next(iter(recipe.heads.values())).data
    lacks = f"emowhy: no file of {data}" if recipe.base is None else f"emowhy: the recipe's base {tmp_path.resolve()}"
    assert done.stderr.startswith(lacks), done.stderr


@pytest.mark.parametrize(
    ("content", "told", "cure"),
    [
        (changed(sead=1), "unknown key sead", "did you mean 'seed'?"),
        (changed(train={"epoch": 2}), "unknown key train, epoch", "did you mean 'epochs'?"),
        (changed(teacher={"fold": 2}), "unknown key teacher, fold", "did you mean 'folds'?"),
        (changed(heads={"a": {"kind": "labels", "dta": "x"}}), "heads, a, data: Field required", "mend"),
        (changed(heads={"a": {**CUES, "wieght": 2}}), "unknown key heads, a, wieght", "did you mean 'weight'?"),
        (changed(heads={"a": {"kind": "label", "data": "goemotions"}}), "heads, a, kind: Input should be", "mend"),
        (changed(train={"epochs": "many"}), "train, epochs: Input should be a valid integer", "mend"),
        (changed(train={"epochs": 0}), "train, epochs: Input should be greater than or equal to 1", "mend"),
        (changed(train={"warmup": 1}), "train, warmup: Input should be less than 1", "mend"),
        (changed(teacher={"folds": 1}), "teacher, folds: Input should be greater than or equal to 2", "mend"),
        (changed(teacher={"share": 2}), "teacher, share: Input should be less than or equal to 1", "mend"),
        (changed(heads={}), "heads: Dictionary should have at least 1 item", "mend"),
        (changed(train=None, finish=None), "the file: neither train nor finish says how to train", "mend"),
        (changed(folds=1), "the file: one fold leaves nothing to train on", "mend"),
        (changed(heads=GOOD["heads"] | {"cue": CUES}, finish=None), "cues are learned in finish", "mend"),
        (
            changed(heads={"a": GOOD["heads"]["emotion"] | {"also": ALSO | {"tmes": 2}}}),
            "unknown key heads, a, also, tmes",
            "did you mean 'times'?",
        ),
        (changed(heads={"a": VALUES | {"also": ALSO}}), "also is for heads of the kind labels", "mend"),
        (changed(heads={"a": GOOD["heads"]["emotion"] | {"also": ALSO}}, finish=None), "learned in finish", "mend"),
        (changed(heads={"cue": CUES}), "cues are what occlusion finds with a head emotion", "mend"),
        ([1, 2], "the file: Input should be", "mend"),
        (None, "the file: Input should be", "mend"),
    ],
)
def test_a_wrong_recipe_is_refused_with_its_place_and_its_cure(
    content: Any, told: str, cure: str, tmp_path: Path
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(UsageError) as refused:
        load_recipe(path)
    assert refused.value.message.startswith(f"{path}: ")
    assert told in refused.value.message
    assert cure in refused.value.cure


def test_a_recipe_that_is_not_there_or_no_yaml_says_where_recipes_are(tmp_path: Path) -> None:
    broken, binary = tmp_path / "broken.yaml", tmp_path / "binary.yaml"
    broken.write_text("name: [")
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "none.yaml", broken, binary, tmp_path):
        with pytest.raises(UsageError, match="cannot be read") as refused:
            load_recipe(path)
        assert str(path) in refused.value.message
        assert "finetune/specialists" in refused.value.cure


def test_what_is_not_said_is_filled_in_and_nothing_changes_afterwards(tmp_path: Path) -> None:
    recipe = load_recipe(written(tmp_path, GOOD))
    assert (recipe.seed, recipe.base, recipe.teacher) == (0, None, None)
    assert recipe.train is not None
    with pytest.raises(Exception, match="frozen"):
        recipe.seed = 2
