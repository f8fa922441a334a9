"""Laws of tuning with several processes: one adapter, the same after a kill, and the same where they share the base."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from emowhy.errors import UsageError
from emowhy.tune.export import MARK
from emowhy.tune.learned import Looks
from emowhy.tune.trainer import checkpoints
from tune.training import COMMAND, Done, make_recipe, row, same, tuner, write_rows

TESTS = Path(__file__).parents[1]
FSDP = TESTS.parent / "finetune" / "fsdp.yaml"
PLAIN = ["torch.distributed.run", "--standalone", "--nproc_per_node"]
SHARED = ["accelerate.commands.launch", "--main_process_port", "0", "--mixed_precision", "no", "--num_processes"]
"""In fp32, as the tiny recipe has it: the bf16 of fsdp.yaml would round gradients as they are gathered."""

TRAINING = """
import os, signal, sys
from pathlib import Path
from accelerate import PartialState
from tune.training import make_recipe
from emowhy.tune.learned import Looks
from emowhy.tune.train import run

base, rows, out, command, answered, last = sys.argv[1:]

def say(line):
    print(line, flush=True)
    if last and line.startswith(last):
        os.kill(os.getpid(), signal.SIGKILL)

run(make_recipe(Path(base), evaluate_every=1), Path(rows), Path(out), command, say, Looks(int(answered)))
print(PartialState().distributed_type)
"""

AS_IF_GPUS = """
from accelerate import DistributedType, PartialState

begin = PartialState.__init__

def begin_as_if(self, *given, **named):
    begin(self, *given, **named)
    if self.distributed_type is DistributedType.MULTI_CPU:
        self.distributed_type = DistributedType.MULTI_GPU

PartialState.__init__ = begin_as_if
"""
"""accelerate shares a base among GPUs only, and on CPUs says nothing and copies it; torch's FSDP2 runs on both."""


pytestmark = pytest.mark.usefixtures("one_threaded")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two processes take three steps of eight rows; each look answers three of the four dev rows."""
    made = tmp_path_factory.mktemp("made") / "rows"
    return write_rows(made, [row(i) for i in range(16)], [row(i) for i in range(20, 24)])


def launch(
    launcher: Sequence[str], program: str, base: Path, rows: Path, out: Path, answered: int = 3, last: str = ""
) -> tuple[int, list[str], str]:
    """The exit code of processes that run a program, and what they said on stdout and stderr. The main one dies as it
    says a line that begins with `last`."""
    out.parent.mkdir(parents=True, exist_ok=True)
    script, stdout, stderr = (out.parent / f"{out.name}.{name}" for name in ("py", "stdout", "stderr"))
    script.write_text(program)
    with stdout.open("w") as told, stderr.open("w") as failed:  # pipes are read for as long as anybody holds an end
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                *launcher,
                str(script),
                str(base),
                str(rows),
                str(out),
                COMMAND,
                str(answered),
                last,
            ],
            env={**os.environ, "PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
            stdout=told,
            stderr=failed,
            check=False,
        )
    return done.returncode, stdout.read_text().splitlines(), stderr.read_text()


@pytest.fixture(scope="module")
def both(base: Path, rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """What two processes leave that each hold the base, uninterrupted."""
    out = tmp_path_factory.mktemp("both") / "out"
    code, said, failed = launch([*PLAIN, "2"], TRAINING, base, rows, out)
    assert code == 0, failed[-2000:]
    return Done(out, json.loads((out / "emowhy.json").read_text()), said)


def test_two_processes_share_rows_and_answers_and_leave_one_adapter(both: Done) -> None:
    assert [line.split(",")[0] for line in both.said if "epoch" in line] == [
        "step 1/3 (epoch 0.50 of 1.5)",  # half as many steps as one process takes
        "step 2/3 (epoch 1.00 of 1.5)",
        "step 3/3 (epoch 1.50 of 1.5)",
    ]
    assert sum("holds the adapter" in line for line in both.said) == 1
    assert both.about["rows"]["generated"] == 3
    assert both.about["figures"]["after"]["loss"] < both.about["figures"]["before"]["loss"]


def test_two_processes_of_which_one_was_killed_end_with_the_same_weights_bit_for_bit(
    both: Done, base: Path, rows: Path, tmp_path: Path
) -> None:
    """The main one dies after the second step; the last checkpoint is the first's."""
    out = tmp_path / "out"
    code, _, failed = launch([*PLAIN, "2"], TRAINING, base, rows, out, last="step 2/3")
    assert code != 0
    assert "SIGKILL" in failed, failed[-2000:]
    assert list(checkpoints(out / "work")) == [1]
    code, said, failed = launch([*PLAIN, "2"], TRAINING, base, rows, out)
    assert code == 0, failed[-2000:]
    assert f"going on from {out / 'work' / 'checkpoint-1'}" in said
    resumed = Done(out, json.loads((out / "emowhy.json").read_text()), said)
    assert same(resumed.weights(3), both.weights(3))
    assert same(resumed.weights(), both.weights())
    assert resumed.about["figures"] == both.about["figures"]


def test_a_training_of_two_processes_is_not_gone_on_with_by_one(
    both: Done, base: Path, rows: Path, tmp_path: Path
) -> None:
    """Its batches are other batches."""
    unfinished = Path(shutil.copytree(both.out, tmp_path / "out"))
    (unfinished / MARK).unlink()
    with pytest.raises(UsageError, match="holds another training: processes differ"):
        tuner(base, rows)(unfinished, make_recipe(base, evaluate_every=1), Looks(3))


def test_processes_that_share_the_base_learn_what_those_learn_that_each_hold_it(
    both: Done, base: Path, rows: Path, tmp_path: Path
) -> None:
    """A look answers no rows here: each word of an answer would gather every layer anew."""
    launcher = [*SHARED, "2", "--config_file", str(FSDP)]
    code, said, failed = launch(launcher, AS_IF_GPUS + TRAINING, base, rows, tmp_path / "out", answered=0)
    assert code == 0, failed[-2000:]
    assert said.count("DistributedType.FSDP") == 2
    assert same(Done(tmp_path / "out", {}).weights(3), both.weights(3))


def test_checkpoints_in_shares_are_refused(base: Path, rows: Path, tmp_path: Path) -> None:
    config = tmp_path / "fsdp.yaml"
    config.write_text(FSDP.read_text().replace("FULL_STATE_DICT", "SHARDED_STATE_DICT"))
    launcher = [*SHARED, "1", "--config_file", str(config)]
    code, said, failed = launch(launcher, AS_IF_GPUS + TRAINING, base, rows, tmp_path / "out", answered=0)
    assert code != 0
    assert "UsageError: sharded checkpoints hold no adapter that could be served" in failed, failed[-2000:]
    assert "fsdp_state_dict_type: FULL_STATE_DICT" in failed
    assert said == []


def test_a_base_that_nobody_would_share_is_refused(base: Path, rows: Path, tmp_path: Path) -> None:
    """accelerate says nothing on CPUs and copies it."""
    launcher = [*SHARED, "2", "--config_file", str(FSDP)]
    code, _, failed = launch(launcher, TRAINING, base, rows, tmp_path / "out", answered=0)
    assert code != 0
    assert "UsageError: FSDP is asked for, and nothing is shared" in failed, failed[-2000:]
