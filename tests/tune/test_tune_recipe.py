"""Laws of tuning recipes: what is wrong is named with the nearest known word, and those shipped keep their word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from emowhy.datasets import find_dataset
from emowhy.errors import UsageError
from emowhy.models import SHIPPED
from emowhy.prompt import load_strategy
from emowhy.tune.pool import label_set
from emowhy.tune.recipe import load_recipe

FINETUNE = Path(__file__).parents[2] / "finetune"
RECIPES = sorted(path for path in FINETUNE.glob("*.yaml") if "rows:" in path.read_text(encoding="utf-8"))
SETS = [{"data": "goemotions"}]
GOOD: dict[str, Any] = {"name": "mine", "base": "smollm2-135m", "rows": {"sets": SETS}}

WRONG = {
    "a key of the recipe": ({"lorra": {}}, "lorra", "did you mean 'lora'"),
    "a key of rows": ({"rows": {"sets": SETS, "strategys": {}}}, "strategys", "did you mean 'strategies'"),
    "a key of a set": ({"rows": {"sets": [{"data": "reccon", "row": 3}]}}, "rows, sets, 0, row", "did you mean 'rows'"),
    "a key of train": ({"train": {"epoch": 1}}, "train, epoch", "did you mean 'epochs'"),
    "a task": ({"rows": {"sets": [{"data": "reccon", "tasks": {"explian": 1}}]}}, "explian", "did you mean 'explain'"),
    "a policy": ({"rows": {"sets": SETS, "hints": {"ordered": 1}}}, "ordered", "did you mean 'order'"),
    "quotes that nobody annotated": ({"rows": {"sets": SETS, "hints": {"quote": 1}}}, "no `quote`", "mend"),
    "a writer": ({"rows": {"sets": SETS, "rationales": "engines"}}, "engines", "did you mean 'engine'"),
    "neither data nor file": ({"rows": {"sets": [{"rows": 3}]}}, "data or a file", "mend"),
    "data and file": ({"rows": {"sets": [{"data": "a", "file": "b"}]}}, "data or a file", "mend"),
    "a file without licence": ({"rows": {"sets": [{"file": "b", "labels": "ekman"}]}}, "licence", "mend"),
    "no weight at all": ({"rows": {"sets": SETS, "hints": {"order": 0}}}, "all weights of hints are 0", "mend"),
    "no weight in a set": (
        {"rows": {"sets": [{"data": "reccon", "strategies": {"given": 0}}]}},
        "all weights of strategies are 0",
        "mend",
    ),
    "too much dropout": ({"rows": {"sets": SETS, "dropout": {"missing": 0.6, "wrong": 0.5}}}, "at most 1", "mend"),
    "a reader that hints": ({"rows": {"sets": SETS, "specialists": ["emotion", "reader"]}}, "judges the rows", "mend"),
    "no set": ({"rows": {"sets": []}}, "sets", "mend"),
    "a name with a slash": ({"name": "a/b"}, "name", "mend"),
}


def written(folder: Path, content: Any) -> Path:
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(("change", "what", "cure"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named_with_its_place_and_the_nearest_known_word(
    change: dict[str, Any], what: str, cure: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as told:
        load_recipe(written(tmp_path, {**GOOD, **change}))
    assert what in told.value.message
    assert cure in told.value.cure


def test_a_file_that_is_no_yaml_or_not_there_is_refused(tmp_path: Path) -> None:
    for content in ("a: [", None):
        path = tmp_path / f"{content is None}.yaml"
        if content:
            path.write_text(content)
        with pytest.raises(UsageError, match="cannot be read"):
            load_recipe(path)


def test_what_is_not_said_has_a_default(tmp_path: Path) -> None:
    recipe = load_recipe(written(tmp_path, GOOD))
    assert recipe.rows.hints == {"order": 1}
    assert recipe.rows.sets[0].tasks == {"explain": 1}
    assert recipe.lora.rank == 16


def test_there_are_recipes() -> None:
    assert {path.stem for path in RECIPES} >= {"smollm2-135m", "smollm2-135m-research", "smoke"}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_shipped_recipe_loads_and_its_first_line_is_the_command_that_runs_it(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith(f"# emowhy tune rows finetune/{path.name} ")
    assert first.endswith(f" -o rows/{path.stem}")
    assert ("--data" in first) == any(one.data for one in recipe.rows.sets)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_everything_that_a_shipped_recipe_names_is_there(path: Path) -> None:
    recipe = load_recipe(path)
    for one in recipe.rows.sets:
        assert label_set(one).name
        assert one.file is None or (path.parent / one.file).is_file()
    for name in {*recipe.rows.strategies, *(name for one in recipe.rows.sets for name in one.strategies or ())}:
        assert len(load_strategy(name).steps) == 1
    if recipe.start is not None and recipe.start != SHIPPED.name:
        assert (FINETUNE / f"{Path(recipe.start).name}.yaml").is_file()
    for folder in recipe.rows.hints_from.values():
        assert (FINETUNE / "specialists" / f"{Path(folder).name}.yaml").is_file()


@pytest.mark.parametrize("name", ["smollm2-135m-first", "smollm2-135m"])
def test_what_the_shipped_adapter_learns_from_may_be_used_in_trade(name: str) -> None:
    for one in load_recipe(FINETUNE / f"{name}.yaml").rows.sets:
        assert find_dataset(one.data).commercial if one.data else one.commercial
