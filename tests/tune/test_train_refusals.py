"""Laws of what `tune run` refuses, leaves out and says, before and while it trains."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
import yaml
from transformers import TrainingArguments
from typer.testing import CliRunner, Result

from emowhy.cli.tune_run import run as command
from emowhy.errors import EngineError, MissingError, UsageError
from emowhy.prompt import load_strategy
from emowhy.tune import train
from emowhy.tune.learned import Looks
from emowhy.tune.recipe import EvaluateRecipe
from emowhy.tune.trainer import AdapterTrainer
from tune.training import COMMAND, Tune, make_recipe, row, tuner, write_rows

TRAIN, DEV = [row(i) for i in range(8)], [row(i) for i in range(20, 22)]
HASH = load_strategy("direct").hash


pytestmark = pytest.mark.usefixtures("one_threaded")


@pytest.fixture(scope="module")
def tune(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Tune:
    return tuner(base, write_rows(tmp_path_factory.mktemp("made") / "rows", TRAIN, DEV))


def about(base: Path, other: dict[str, Any]) -> dict[str, Any]:
    made = make_recipe(base).model_dump(mode="json")
    return {"templates": {"direct": HASH}, **other, "recipe": {**made, **other.get("recipe", {})}}


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"recipe": {"base": "owner/another"}}, "by another recipe: base differ"),
        ({"recipe": {"seed": 9, "rows": {}}}, "by another recipe: seed, rows differ"),
        ({"base": {"model": "x", "sha256": "feed"}}, "made for feed"),
        ({"templates": {"direct": "0" * 16}}, "other prompts than these rows: direct"),
        ({"templates": {"gone": HASH}}, "other prompts than these rows: gone"),
        ({"schemas": {"direct": {"goemotions": "0" * 16}}}, "other prompts than these rows: direct: its replies"),
    ],
    ids=["base", "recipe", "weights", "templates", "strategy", "schema"],
)
def test_rows_that_do_not_belong_to_recipe_base_or_templates_are_refused(
    base: Path, tmp_path: Path, other: dict[str, Any], message: str
) -> None:
    rows = write_rows(tmp_path / "rows", TRAIN, DEV, about(base, other))
    with pytest.raises(UsageError, match=message) as told:
        tuner(base, rows)(tmp_path / "out")
    assert "emowhy tune rows" in told.value.cure
    assert not (tmp_path / "out").exists()


def test_rows_that_do_belong_are_taken(base: Path, tmp_path: Path) -> None:
    """Even where about.json names all that is compared."""
    rows = write_rows(tmp_path / "rows", TRAIN, DEV, about(base, {"rows": {"train": 8, "dev": 2}}))
    assert tuner(base, rows)(tmp_path / "out", stop_after=1).about == {}


def test_rows_whose_rationales_an_engine_wrote_are_taken(base: Path, tmp_path: Path) -> None:
    """`emowhy tune rows --engine` decides that, not the recipe."""
    recipe = make_recipe(base)
    told = recipe.model_copy(update={"rows": recipe.rows.model_copy(update={"rationales": "engine"})})
    made = about(base, {"recipe": told.model_dump(mode="json")})
    rows = write_rows(tmp_path / "rows", TRAIN, DEV, made)
    assert tuner(base, rows)(tmp_path / "out", recipe, stop_after=1).about == {}


def test_a_tuned_folder_is_no_answer_to_another_training(base: Path, tune: Tune, tmp_path: Path) -> None:
    done = tune(tmp_path / "out", make_recipe(base, epochs=0.5), Looks(0, "loss"))
    shutil.rmtree(done.out / "work")
    again = tune(done.out, make_recipe(base, epochs=0.5), Looks(0, "loss"))
    assert (again.about, again.said) == (done.about, [f"{done.out} is tuned already"])
    others = write_rows(tmp_path / "others", TRAIN[1:], DEV)
    for other, recipe, looks, what in (
        (tune, make_recipe(base, epochs=0.5, peak=1e-3), Looks(0, "loss"), "recipe"),
        (tune, make_recipe(base, epochs=0.5), Looks(0, "graded_f"), "choose"),
        (tuner(base, others), make_recipe(base, epochs=0.5), Looks(0, "loss"), "rows"),
    ):
        with pytest.raises(UsageError, match=f"of another training: {what} differ") as told:
            other(done.out, recipe, looks)
        assert "-o" in told.value.cure


def test_a_training_with_nothing_to_choose_from_says_so(base: Path, tune: Tune, tmp_path: Path) -> None:
    short, long = make_recipe(base, epochs=1, evaluate_every=2), make_recipe(base, epochs=1, evaluate_every=1)
    said = tune(tmp_path / "short", short, Looks(0, "loss"), stop_after=1).said
    assert any("one look, after the last of 2 steps" in line for line in said)
    said = tune(tmp_path / "long", long, Looks(0, "loss"), stop_after=1).said
    assert not any("one look" in line for line in said)


def test_a_training_ends_with_the_command_that_measures_it(base: Path, tune: Tune, tmp_path: Path) -> None:
    recipe = make_recipe(base, epochs=0.5).model_copy(update={"evaluate": EvaluateRecipe(tasks=("demo",), sample=9)})
    done = tune(tmp_path / "out", recipe, Looks(0, "loss"))
    named = f"bench run demo --data DIR --sample 9 --model {base} --adapter"
    assert f"{named} {done.out}" in done.said[-1]
    assert named in (done.out / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def begun(tune: Tune, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a training has begun."""
    return tune(tmp_path_factory.mktemp("begun") / "out", looks=Looks(0), stop_after=1).out


@pytest.mark.parametrize(
    ("recipe", "looks", "what"),
    [
        ({"peak": 2e-2}, Looks(0), "recipe"),
        ({"lora": {"rank": 2}}, Looks(0), "recipe"),
        ({}, Looks(2), "looks"),
        ({}, Looks(0, "loss"), "looks"),
    ],
    ids=["schedule", "rank", "dev rows", "choice"],
)
def test_a_folder_belongs_to_one_training(
    base: Path, tune: Tune, begun: Path, recipe: dict[str, Any], looks: Looks, what: str
) -> None:
    with pytest.raises(UsageError, match=f"holds another training: {what} differ"):
        tune(begun, make_recipe(base, **recipe), looks)


def test_what_a_recipe_does_not_say_is_its_default_when_a_training_goes_on(tune: Tune, tmp_path: Path) -> None:
    """A work folder stays good when recipes get another key."""
    work = tune(tmp_path, looks=Looks(0), stop_after=1).out / "work"
    asked = json.loads((work / "asked.json").read_text())
    assert asked["recipe"]["train"].pop("accumulate") == 1
    (work / "asked.json").write_text(json.dumps(asked))
    assert tune(tmp_path, looks=Looks(0), stop_after=1).about == {}
    asked["recipe"]["train"]["gone"] = 1
    (work / "asked.json").write_text(json.dumps(asked))
    with pytest.raises(UsageError, match="holds another training: recipe differ"):
        tune(tmp_path, looks=Looks(0))


def test_the_looks_of_the_recipe_and_those_of_the_command_are_one_training(
    base: Path, tune: Tune, tmp_path: Path
) -> None:
    tune(tmp_path, looks=Looks(2, "loss"), stop_after=1)
    given = make_recipe(base, answer=2, choose="loss")
    rows = write_rows(tmp_path / "rows", TRAIN, DEV)
    assert train.run(given, rows, tmp_path, COMMAND, print, stop_after=1) == {}
    with pytest.raises(UsageError, match="holds another training: looks differ"):
        train.run(make_recipe(base, answer=3, choose="loss"), rows, tmp_path, COMMAND, print)
    with pytest.raises(UsageError, match="no figure 'los' to choose by"):
        train.run(make_recipe(base, choose="los"), rows, tmp_path / "other", COMMAND, print)


@pytest.mark.parametrize(
    ("recipe", "looks", "message", "cure"),
    [
        ({"max_tokens": 513}, Looks(1), "513 is more than", "at most 512"),
        ({"lora": {"modules": ["q_projj"]}}, Looks(1), "q_projj", "modules: all"),
        ({}, Looks(1, "grade_f"), "no figure 'grade_f'", "did you mean 'graded_f'"),
    ],
    ids=["context", "modules", "figure"],
)
def test_what_cannot_be_learned_says_so_before_it_is_tried(
    base: Path, tune: Tune, tmp_path: Path, recipe: dict[str, Any], looks: Looks, message: str, cure: str
) -> None:
    with pytest.raises(UsageError, match=message) as told:
        tune(tmp_path, make_recipe(base, **recipe), looks)
    assert cure in told.value.cure


LONG = row(1, id="long", prompt=[{"role": "user", "content": "word " * 300}])


@pytest.mark.parametrize(
    ("train_rows", "dev_rows", "message"),
    [([LONG], DEV, "none of the 1 train rows fits"), (TRAIN, [LONG], "none of the 1 dev rows"), (TRAIN, [], "no dev")],
    ids=["too long", "dev too long", "no dev"],
)
def test_without_rows_to_learn_from_and_rows_to_choose_by_nothing_is_tuned(
    base: Path, tmp_path: Path, train_rows: Any, dev_rows: Any, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        tuner(base, write_rows(tmp_path / "rows", train_rows, dev_rows))(tmp_path / "out")


def test_rows_that_are_left_out_are_told_with_their_number(base: Path, tmp_path: Path) -> None:
    unread = row(21, completion=[{"role": "assistant", "content": "no JSON"}])
    rows = write_rows(tmp_path / "rows", [*TRAIN, LONG, {"id": "bad"}], [*DEV, unread])
    said = tuner(base, rows)(tmp_path / "out", looks=Looks(9), stop_after=1).said
    assert said[0] == "1 lines of train.jsonl are no rows and are left out: line 10: prompt is no list of messages"
    assert said[1].startswith("1 of 9 train rows are longer than 160 tokens and are left out, not cut (long)")
    assert said[2].startswith("1 of 3 dev rows are not answered")


def test_one_process_for_several_gpus_is_refused(tune: Tune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trainer would copy the model to each of them in every step."""
    monkeypatch.setattr(TrainingArguments, "n_gpu", 2)
    with pytest.raises(UsageError, match="one process sees 2 GPUs") as told:
        tune(tmp_path, looks=Looks(0))
    assert told.value.cure.startswith("accelerate launch -m emowhy tune run")


def test_tensorboard_is_asked_for_by_name(tune: Tune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match="TensorBoard is not installed"):
        tune(tmp_path, looks=Looks(1, tensorboard=True))
    assert not (tmp_path / "tensorboard").exists()


def test_memory_that_does_not_suffice_is_told_with_what_to_turn(
    tune: Tune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: Any, **named: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(AdapterTrainer, "training_step", full)
    with pytest.raises(EngineError, match="out of memory") as told:
        tune(tmp_path, looks=Looks(0))
    assert "train.batch" in told.value.cure


@pytest.fixture
def typed(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`emowhy tune run` where rows and a recipe of one step lie."""
    monkeypatch.chdir(tmp_path)
    write_rows(Path("rows"), TRAIN, DEV)
    recipe = make_recipe(base, epochs=0.5, evaluate_every=1, answer=0)
    Path("tiny.yaml").write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    app = typer.Typer()
    app.command()(command)
    return lambda *words: CliRunner().invoke(app, ["tiny.yaml", *words])


def test_the_command_prints_figures_as_json_and_tells_the_rest_on_stderr(typed: Callable[..., Result]) -> None:
    """It also says what it cannot do, in a line and with its code."""
    done = typed("--rows", "rows", "--dev-rows", "1")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout).keys() == {"before", "after"}
    assert "step 1/1 (epoch 0.50 of 0.5), loss" in done.stderr
    kept = json.loads(Path("runs/tiny/emowhy.json").read_text())
    assert kept["command"] == f"{COMMAND} --dev-rows 1"
    quiet = typed("--rows", "rows", "--dev-rows", "1", "--quiet")
    assert (quiet.stdout, quiet.stderr) == (done.stdout, "")
    missing = typed("--rows", "nowhere")
    assert missing.exit_code == 2
    assert "emowhy tune rows" in missing.stderr


def test_curves_lie_below_the_adapter_and_hold_the_figures_that_are_told(
    typed: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", "elsewhere")
    done = typed("--rows", "rows", "-o", "out", "--tensorboard")
    assert done.exit_code == 0, done.output
    written = [path.parent for path in Path().rglob("events.out.tfevents.*")]
    assert written == [Path("out/tensorboard")]
    curves = EventAccumulator(str(written[0]))
    curves.Reload()
    told = json.loads(done.stdout)
    losses = [(point.step, point.value) for point in curves.Scalars("eval/loss")]
    assert losses[0] == (0, pytest.approx(told["before"]["loss"]))
    assert [step for step, _ in losses] == [0, 1]
    assert [point.step for point in curves.Scalars("train/loss")] == [1]
