"""Laws of tuning: killed or out of room it ends with the same weights; what it leaves is a whole, honest adapter."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from emowhy.errors import UsageError
from emowhy.tune import build, export
from emowhy.tune.export import MARK, rounded
from emowhy.tune.learned import Looks
from emowhy.tune.trainer import CheckpointError, checkpoints
from tune.training import COMMAND, Done, Tune, make_recipe, row, same, tuner, write_rows

KILLED = """
import os, signal, sys, torch
from pathlib import Path
from tune.training import make_recipe
from emowhy.tune.learned import Looks
from emowhy.tune.train import run

def say(line):
    if line.startswith("step 4/6"):
        os.kill(os.getpid(), signal.SIGKILL)

torch.set_num_threads(1)
base, rows, out, command = sys.argv[1:]
run(make_recipe(Path(base)), Path(rows), Path(out), command, say, Looks(rows=1))
"""

TESTS = Path(__file__).parents[1]


pytestmark = pytest.mark.usefixtures("one_threaded")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen rows to learn from, four to look at."""
    return write_rows(
        tmp_path_factory.mktemp("made") / "rows", [row(i) for i in range(16)], [row(i) for i in range(20, 24)]
    )


@pytest.fixture(scope="module")
def tune(base: Path, rows: Path) -> Tune:
    return tuner(base, rows)


@pytest.fixture(scope="module")
def straight(tune: Tune, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """What an uninterrupted training leaves."""
    return tune(tmp_path_factory.mktemp("straight") / "adapter")


def test_a_training_that_was_killed_amid_an_epoch_ends_with_the_same_weights_bit_for_bit(
    straight: Done, tune: Tune, base: Path, rows: Path, tmp_path: Path
) -> None:
    """Four steps are an epoch; the process dies after the fourth, and the last checkpoint is the second's."""
    with (tmp_path / "stderr").open("w+") as stderr:  # a pipe would be read for as long as anybody holds its other end
        killed = subprocess.run(
            [sys.executable, "-c", KILLED, str(base), str(rows), str(tmp_path / "out"), COMMAND],
            env={**os.environ, "PYTHONPATH": str(TESTS)},
            stderr=stderr,
            check=False,
        )
        stderr.seek(0)
        assert killed.returncode == -signal.SIGKILL, stderr.read()[-2000:]
    assert list(checkpoints(tmp_path / "out" / "work")) == [2]
    resumed = tune(tmp_path / "out")
    assert f"going on from {tmp_path / 'out' / 'work' / 'checkpoint-2'}" in resumed.said
    assert same(resumed.weights(6), straight.weights(6))
    assert same(resumed.weights(), straight.weights())
    figures = [line for line in straight.said if " on dev: " in line]
    assert [line for line in resumed.said if " on dev: " in line] == figures[2:]
    assert resumed.about["figures"] == straight.about["figures"]


def test_stopped_once_and_again_it_ends_with_the_same_weights(straight: Done, tune: Tune, tmp_path: Path) -> None:
    for stop in (1, 3, 3):
        assert tune(tmp_path, stop_after=stop).about == {}
    assert same(tune(tmp_path).weights(6), straight.weights(6))


def test_a_checkpoint_for_which_there_was_no_room_leaves_the_one_before_whole(
    straight: Done, tune: Tune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full in the middle of the second checkpoint, when its adapter is written and its optimizer is not."""
    save = torch.save

    def full(what: Any, path: Any, *more: Any, **named: Any) -> None:
        if "checkpoint-4" in str(path):
            Path(path).write_bytes(b"PK half of it")
            raise RuntimeError("PytorchStreamWriter failed writing file data/3: file write failed\nand a trace")
        save(what, path, *more, **named)

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(CheckpointError, match="checkpoint-4 could not be written: Pytorch") as told:
        tune(tmp_path)
    assert "make room" in told.value.cure
    assert "trace" not in told.value.message
    assert told.value.exit_code == 1
    assert list(checkpoints(tmp_path / "work")) == [2]
    monkeypatch.undo()
    assert same(tune(tmp_path).weights(6), straight.weights(6))
    assert not (tmp_path / "work" / "part").exists()


def test_an_export_that_was_interrupted_is_no_adapter_and_the_same_call_makes_it_one(
    straight: Done, tune: Tune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full when the weights are written, and what they are is half told."""

    def full(about: Any, card: str, out: Path) -> None:
        (out / "README.md").write_text(card)
        (out / f"{MARK}.part").write_text(json.dumps(about)[:40])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(export, "write_about", full)
    with pytest.raises(OSError, match="No space left"):
        tune(tmp_path)
    monkeypatch.undo()
    assert not (tmp_path / MARK).exists()
    again = tune(tmp_path)
    assert f"going on from {tmp_path / 'work' / 'checkpoint-6'}" in again.said
    assert not [line for line in again.said if line.startswith("step")]  # all was learned and looked at before
    assert same(again.weights(), straight.weights())
    assert {**again.about, "seconds": 0} == {**straight.about, "seconds": 0}
    assert json.loads((tmp_path / MARK).read_text()) == again.about
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in straight.out.iterdir()}
    assert tune(tmp_path).said == [f"{tmp_path} is tuned already"]


def test_the_adapter_is_of_the_best_checkpoint_on_dev_which_is_kept_with_the_last(
    tune: Tune, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looks: the base, steps 2, 4, 6, 8 and 10, and the adapter as it was written."""
    overlaps = iter([0.95, 0.1, 0.9, 0.3, 0.9, 0.2, 0.88])
    monkeypatch.setattr(build, "figures", lambda asked, replies: {"graded_f": next(overlaps)})
    monkeypatch.setattr(build, "answer_all", lambda engine, asked: [])
    done = tune(tmp_path, make_recipe(base, epochs=2.5), Looks(rows=1, choose="graded_f"))
    assert done.about["step"] == 8  # as good as step 4, with a lower loss; the base is no checkpoint
    assert list(checkpoints(tmp_path / "work")) == [8, 10]
    assert same(done.weights(), rounded(tmp_path / "work" / "checkpoint-8"))
    assert done.about["figures"]["before"]["graded_f"] == 0.95
    assert done.about["figures"]["after"]["graded_f"] == 0.88


def test_a_training_without_a_figure_that_is_a_number_leaves_no_adapter(
    tune: Tune, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "figures", lambda asked, replies: {"graded_f": float("nan")})
    with pytest.raises(UsageError, match="diverged"):
        tune(tmp_path, make_recipe(base, epochs=0.5))
    assert not (tmp_path / "emowhy.json").exists()


def test_the_folder_is_an_adapter_in_bf16_that_inference_takes_and_that_has_an_effect(
    straight: Done, base: Path, rows: Path
) -> None:
    from emowhy.engines.transformers import TransformersEngine
    from emowhy.tune.folder import read_folder
    from emowhy.types import Chat

    assert {weights.dtype for weights in straight.weights().values()} == {torch.bfloat16}
    config = json.loads((straight.out / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["r"], config["lora_alpha"]) == (str(base), 4, 8)
    assert config["target_modules"] == sorted(config["target_modules"])
    assert not any("lm_head" in name or "embed" in name for name in straight.weights())
    some = read_folder(rows).train[:3]
    chats, replies = [Chat(one.prompt) for one in some], [one.completion for one in some]
    plain = TransformersEngine(str(base), dtype="float32").logprobs(chats, replies)
    tuned = TransformersEngine(str(base), adapter=str(straight.out), dtype="float32").logprobs(chats, replies)
    assert all(after > before + 0.1 for before, after in zip(plain, tuned, strict=True))


def test_what_the_adapter_says_of_itself_is_what_happened(straight: Done) -> None:
    about = json.loads((straight.out / "emowhy.json").read_text())
    assert about == straight.about
    assert about["trained_on"] == about["chosen_on"] == ["goemotions:train"]
    assert (about["licence"], about["commercial"]) == ("Apache-2.0", True)
    assert about["rows"] == {"train": 16, "dev": 4, "too_long": 0, "generated": 1}
    assert about["templates"].keys() == {"direct"}
    assert about["base_sha256"]
    assert about["figures"]["after"]["loss"] < about["figures"]["before"]["loss"]
    card = (straight.out / "README.md").read_text()
    for told in (COMMAND, "seed 3", about["base_sha256"], "CC BY 4.0", about["rows_sha256"], "sensitive"):
        assert told in card
    assert f"| {about['figures']['before']['loss']:.4f} | {about['figures']['after']['loss']:.4f} |" in card


def test_what_is_tuned_is_not_tuned_again(straight: Done, tune: Tune) -> None:
    before = {path: path.stat().st_mtime_ns for path in straight.out.rglob("*")}
    again = tune(straight.out)
    assert again.said == [f"{straight.out} is tuned already"]
    assert again.about == straight.about
    assert {path: path.stat().st_mtime_ns for path in straight.out.rglob("*")} == before


def test_the_schedule_is_told_as_it_goes(straight: Done) -> None:
    steps = [line.split(",")[0] for line in straight.said if line.startswith("step") and " on dev" not in line]
    assert steps == ["step 2/6 (epoch 0.50 of 1.5)", "step 4/6 (epoch 1.00 of 1.5)", "step 6/6 (epoch 1.50 of 1.5)"]
    looks = [line.split(":")[0] for line in straight.said if " on dev" in line]
    assert looks == ["step 0 on dev", "step 2 on dev", "step 4 on dev", "step 6 on dev"]
    assert straight.about["steps"] == 6
