"""Laws of a benchmark run: which systems it has, that nothing is asked twice, and that its folder is all it takes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import lookalikes
from emowhy.bench.folder import TaskFolder
from emowhy.bench.outcome import score_run
from emowhy.bench.run import Ask, run_tasks, score_predictions
from emowhy.bench.task import find_task, read_split
from emowhy.engines.scripted import ScriptedEngine
from emowhy.errors import RunError, UsageError
from emowhy.models import EMBEDDED
from emowhy.progress import Watch
from emowhy.types import Chat, Reply

BARE: dict[str, Any] = {"engine": "scripted", "hints": ("none",), "strategies": ("direct",), "arms": ()}
FILES = ("results.json", "results.md", "goemotions/scores.jsonl")


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("EMOWHY_DATA", raising=False)
    return lookalikes.every_set(tmp_path / "data")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids that a model was asked about, in order."""
    found: list[str] = []
    generate = ScriptedEngine.generate

    def counted(self: ScriptedEngine, chats: Sequence[Chat]) -> list[Reply]:
        found.extend(str(chat.about["id"]) for chat in chats)
        return generate(self, chats)

    monkeypatch.setattr(ScriptedEngine, "generate", counted)
    return found


def run(tmp_path: Path, *names: str, out: str = "run", **options: Any) -> dict[str, Any]:
    """Run tasks without controls (unless asked otherwise) and score them."""
    ask = Ask(out=tmp_path / out, data=tmp_path / "data", **{**BARE, **options})
    with Watch(quiet=True) as watch:
        run_tasks(ask, [find_task(name) for name in names or ("goemotions",)], watch)
    return score_run(tmp_path / out)


def replies(tmp_path: Path, said: Mapping[str, str]) -> str:
    """A file of canned replies: one label an id."""
    path = tmp_path / "replies.jsonl"
    lines = [{"id": id, "text": json.dumps({"emotions": [label], "causes": [], "explanation": "So."})} for id, label in
             said.items()]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def bytes_of(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in FILES]


# Which systems ----------------------------------------------------------------------------------------------------


def ways(task: str = "goemotions", **options: Any) -> dict[str, str]:
    ask = Ask(out=Path("run"), **{"engine": "scripted", **options})
    return {ask.name(way): way.kind for way in ask.ways(find_task(task)[0])}


def test_one_way_of_asking_has_an_arm_without_hints_and_one_without_reasoning() -> None:
    assert ways() == {"two_stage-order": "asked", "two_stage-none": "variant", "direct-order": "variant"}


def test_without_arms_there_is_the_grid_alone() -> None:
    found = ways(models=("a", "org/b"), strategies=("cot", "direct"), hints=("order", "none"), arms=("constant",))
    grid = [f"{m}@{s}-{h}" for m in ("a", "b") for s in ("cot", "direct") for h in ("order", "none")]
    assert found == dict.fromkeys(grid, "asked")


def test_an_arm_that_is_in_the_grid_already_is_asked_once() -> None:
    assert ways(strategies=("direct",), hints=("order", "none")) == {"direct-order": "asked", "direct-none": "asked"}


def test_an_adapter_stands_beside_its_base_and_several_adapters_beside_each_other() -> None:
    made = ways(adapters=["runs/tuned"], engine="server", strategies=["cot"], arms=["base", "no_hints"])
    assert made == {"cot-order": "asked", "cot-none": "variant", "base@cot-order": "variant"}
    both = ways(adapters=["runs/tuned", "none"], engine="server", strategies=["cot"], arms=["base"])
    assert both == {"tuned@cot-order": "asked", "base@cot-order": "asked"}
    assert ways(engine="server", strategies=["cot"], arms=["base"]) == {"cot-order": "asked"}


def test_a_question_that_the_shipped_adapter_was_not_tuned_on_is_the_bases_unless_that_is_named() -> None:
    local: dict[str, Any] = {"engine": "transformers", "arms": ["base", "direct"]}
    assert ways("emobench_eu", **local) == {
        "base@tasks_choice-order": "asked", "base@tasks_choice_direct-order": "variant",
    }  # fmt: skip
    assert ways("emobench_eu", **local, adapters=[EMBEDDED]) == {
        "tasks_choice-order": "asked", "tasks_choice_direct-order": "variant", "base@tasks_choice-order": "variant",
    }  # fmt: skip
    assert "base@given-order" in ways(**local)  # where emotions are named, the adapter answers beside its base
    assert ways("emobench_eu", **local, models=["owner/other"]).keys() == {
        "tasks_choice-order", "tasks_choice_direct-order"
    }  # fmt: skip


def test_two_adapters_of_one_name_are_refused_before_they_share_a_folder() -> None:
    with pytest.raises(UsageError, match="two adapters are called 'tuned'"):
        ways(adapters=["a/tuned", "b/tuned"])


def test_a_task_with_its_own_question_brings_its_own_strategies() -> None:
    assert ways("emobench_eu", strategies=("cot",), arms=("direct",)) == {
        "tasks_choice-order": "asked", "tasks_choice_direct-order": "variant"
    }  # fmt: skip


def test_an_unknown_arm_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match="did you mean 'constant'"):
        Ask(out=Path("run"), arms=("constants",))


def test_two_models_of_one_name_are_refused_before_they_share_a_folder() -> None:
    with pytest.raises(UsageError, match="two models are called 'b'"):
        Ask(out=Path("run"), models=("org/b", "other/b"))


def test_controls_stand_beside_the_model_and_say_what_they_were_fitted_on(tmp_path: Path) -> None:
    task = run(tmp_path, "meld", arms=("constant", "specialists"))["tasks"]["meld"]
    assert {name: one["kind"] for name, one in task["systems"].items()} == {
        "direct-none": "asked", "constant": "control", "specialists": "control"
    }  # fmt: skip
    assert task["fitted"]["on"] == "train, 6 rows"
    assert [(row["system"], row["against"]) for row in task["comparisons"]] == [
        ("direct-none", "constant"), ("direct-none", "specialists")
    ]  # fmt: skip
    # joy and anger are as common: the first by the alphabet, right on every second turn
    assert task["systems"]["constant"]["figures"]["accuracy"]["accuracy"]["value"] == 0.5


def test_without_its_reference_the_controls_are_fitted_by_halves_and_it_is_told(tmp_path: Path) -> None:
    task = run(tmp_path, arms=("constant",))["tasks"]["goemotions"]
    assert task["fitted"]["on"] == "the other half of the scored rows"
    assert any("the control arms are fitted by halves" in note for note in task["notes"])
    assert len(task["fitted"]["graded"]) == 2


# Resuming ---------------------------------------------------------------------------------------------------------


def test_the_same_command_asks_nothing_again(tmp_path: Path, asked: list[str]) -> None:
    first = run(tmp_path)
    assert asked == [f"t{row}" for row in range(6)]
    before = bytes_of(tmp_path / "run")
    assert run(tmp_path) == first
    assert len(asked) == 6
    assert bytes_of(tmp_path / "run") == before


def test_a_run_that_was_cut_off_goes_on_and_is_scored_over_all_rows(tmp_path: Path, asked: list[str]) -> None:
    whole = run(tmp_path)
    kept = tmp_path / "run" / "goemotions" / "direct-none" / "explanations.jsonl"
    kept.write_bytes(b"".join(kept.read_bytes().splitlines(keepends=True)[:4]))
    asked.clear()
    cut = score_run(tmp_path / "run")["tasks"]["goemotions"]["systems"]["direct-none"]
    assert cut["rates"]["missing"] == 2
    assert run(tmp_path) == whole
    assert asked == ["t4", "t5"]


def test_other_rows_do_not_go_into_the_same_folder(tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(RunError, match="holds other rows of goemotions"):
        run(tmp_path, sample=3)


@pytest.mark.parametrize("options", [{"limit": 3}, {"sample": 3, "seed": 1}])
def test_fewer_rows_are_scored_where_fewer_were_asked_for(options: Any, tmp_path: Path) -> None:
    assert run(tmp_path, **options)["tasks"]["goemotions"]["n"] == 3


# The folder -------------------------------------------------------------------------------------------------------


def test_scoring_again_gives_the_same_bytes_without_model_or_data(tmp_path: Path) -> None:
    run(tmp_path, arms=("constant",))
    before = bytes_of(tmp_path / "run")
    shutil.rmtree(tmp_path / "data")
    moved = (tmp_path / "run").rename(tmp_path / "elsewhere")
    score_run(moved)
    assert bytes_of(moved) == before


@pytest.mark.parametrize("name", ["goemotions", "reccon_spans", "meld", "emobank", "emobench_eu", "semeval2024"])
def test_rows_are_read_from_a_folder_as_they_were_kept(name: str, tmp_path: Path) -> None:
    task, path = find_task(name)
    samples = read_split(task, path, tmp_path / "data", task.split).samples
    folder = TaskFolder(tmp_path / name)
    folder.keep(task, samples)
    assert tuple(folder.samples()) == samples
    assert folder.task() == task


def test_results_hold_no_number_that_json_does_not_know(tmp_path: Path) -> None:
    run(tmp_path, "goemotions", "emobank")

    def refuse(name: str) -> None:
        raise AssertionError(name)

    found = json.loads((tmp_path / "run" / "results.json").read_text(), parse_constant=refuse)
    assert set(found["tasks"]) == {"goemotions", "emobank"}


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no readable bench\.json"):
        score_run(tmp_path)


def test_canned_replies_are_scored_as_they_are(tmp_path: Path) -> None:
    labels = dict(zip([f"t{row}" for row in range(6)], [label for _, label in lookalikes.COMMENTS], strict=True))
    model = replies(tmp_path, {**labels, "t5": "joy"})
    task = run(tmp_path, models=(model,))["tasks"]["goemotions"]
    figures = task["systems"]["direct-none"]["figures"]
    assert figures["accuracy"]["accuracy"]["value"] == pytest.approx(5 / 6)
    assert figures["graded"]["graded_f"]["value"] == pytest.approx(5 / 6)  # neutral is near to nothing else


# Leaks ------------------------------------------------------------------------------------------------------------


def test_the_specialists_training_split_is_refused_before_a_model_is_asked(tmp_path: Path, asked: list[str]) -> None:
    lookalikes.goemotions(tmp_path / "data", "train")
    with pytest.raises(UsageError, match="emotion, cue learned from the split 'train' that is to be scored"):
        run(tmp_path, "goemotions:train")
    assert asked == []
    task = run(tmp_path, "goemotions:train", allow_leaks=True)["tasks"]["goemotions"]
    assert any("allowed, so these figures say nothing about new texts" in note for note in task["notes"])


def test_near_duplicates_of_training_texts_are_counted_and_figures_stand_without_them(tmp_path: Path) -> None:
    seen = [(text.upper().replace(".", "!"), label) for text, label in lookalikes.COMMENTS[:2]]
    lookalikes.goemotions(tmp_path / "data", "train", seen)
    labels = {"t0": "gratitude", "t1": "anger", **{f"t{row}": "joy" for row in range(2, 6)}}  # only the seen are right
    task = run(tmp_path, models=(replies(tmp_path, labels),))["tasks"]["goemotions"]
    assert task["near_duplicates"] == 2
    accuracy = task["systems"]["direct-none"]["figures"]["accuracy"]["accuracy"]
    assert (accuracy["value"], accuracy["without_near_duplicates"]) == (pytest.approx(2 / 6), 0)


# Another system's answers -----------------------------------------------------------------------------------------


def test_what_another_system_wrote_is_scored_beside_the_controls_with_all_that_was_odd(tmp_path: Path) -> None:
    file = tmp_path / "other.jsonl"
    lines = [{"id": "t0", "emotions": ["gratitude"]}, {"id": "t0"}, {"id": "x9", "emotions": ["joy"]}]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines) + "{broken\n")
    ask = Ask(out=tmp_path / "run", data=tmp_path / "data", arms=("constant", "no_hints"))
    score_predictions(ask, *find_task("goemotions"), file, lambda note: None)
    task = score_run(tmp_path / "run")["tasks"]["goemotions"]
    assert {name: one["kind"] for name, one in task["systems"].items()} == {"other": "asked", "constant": "control"}
    assert task["systems"]["other"]["figures"]["accuracy"]["accuracy"]["value"] == pytest.approx(1 / 6)
    notes = " ".join([*task["notes"], *task["systems"]["other"]["notes"]])
    for odd in ("5 of 6 rows have no answer", "1 answers belong to no row and are left out: x9",
                "1 lines of other.jsonl cannot be read: line 4", "1 ids stand twice in other.jsonl"):  # fmt: skip
        assert notes.count(odd) == 1, odd
