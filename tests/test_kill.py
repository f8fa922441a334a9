"""Laws of processes: killed, interrupted, one at a time; each against the real command."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROWS = 300
KILLS = 16

ENGINE = '''
import os
from emowhy.engines.scripted import ScriptedEngine

class Slow(ScriptedEngine):
    """Answers two chats for each byte that it may read, and says so; freely once nobody writes any more."""

    batch_size = 2

    def generate(self, chats):
        os.read(int(os.environ["MAY_GO"]), 1)
        os.write(int(os.environ["SAID"]), b".")
        return super().generate(chats)
'''


class Session:
    """One `emowhy explain` with the engine above."""

    def __init__(self, folder: Path, run: str = "run", *more: str) -> None:
        reads_go, self.go = os.pipe()
        self.said, writes_said = os.pipe()
        self.errors = (folder / "stderr").open("w+")
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "emowhy",
                "explain",
                "in.jsonl",
                "-o",
                run,
                "--engine",
                "slow:Slow",
                *OPTIONS,
                *more,
            ],
            cwd=folder,
            env=clean_environment() | {"MAY_GO": str(reads_go), "SAID": str(writes_said)},
            pass_fds=(reads_go, writes_said),
            stdout=subprocess.DEVNULL,
            stderr=self.errors,
            # a test run in the background ignores SIGINT, and children inherit that
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
        )
        os.close(reads_go)
        os.close(writes_said)

    def let(self, batches: int) -> None:
        os.write(self.go, b"." * batches)

    def hear(self, batches: int) -> None:
        """Wait until so many batches were begun: then all before the last of them are written."""
        for _ in range(batches):
            assert os.read(self.said, 1), self.told()

    def let_go(self) -> int:
        """Let it run to its end; its exit code."""
        os.close(self.go)
        code = self.process.wait(60)
        self.close(go=False)
        return code

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        code = self.process.wait(60)
        self.close()
        return code

    def told(self) -> str:
        self.errors.seek(0)
        return self.errors.read()

    def close(self, go: bool = True) -> None:
        for handle in (self.said, *([self.go] if go else [])):
            os.close(handle)


OPTIONS = ("--hints", "none", "--labels", "ekman", "--strategy", "direct")


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("EMOWHY_")}


def whole_lines(run: Path) -> list[bytes]:
    """The lines of a run's rows that have their end."""
    path = run / "explanations.jsonl"
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [line for line in lines if line.endswith(b"\n")]


def without_seconds(lines: list[bytes]) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in lines]
    for row in rows:
        del row["seconds"]
    return rows


@pytest.fixture(scope="module")
def inputs() -> list[str]:
    rows: list[Any] = [{"id": f"r{i}", "text": f"Plâtz 😀 {i} was cancelled.", "extra": {"n": i}} for i in range(ROWS)]
    for i in range(20, ROWS, 20):  # some rows say what an earlier one said, some cannot be read
        rows[i]["text"] = rows[i - 7]["text"]
        rows[i + 1] = {"id": f"r{i + 1}", "text": 5}
    return [json.dumps(row) + "\n" for row in rows]


@pytest.fixture
def folder(tmp_path: Path, inputs: list[str]) -> Path:
    (tmp_path / "slow.py").write_text(ENGINE)
    (tmp_path / "in.jsonl").write_text("".join(inputs))
    return tmp_path


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, inputs: list[str]) -> Path:
    """The run as it is when nothing happens to it."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    (folder / "slow.py").write_text(ENGINE)
    (folder / "in.jsonl").write_text("".join(inputs))
    session = Session(folder)
    assert session.let_go() == 0, session.told()
    return folder / "run"


def is_as_uninterrupted(run: Path, uninterrupted: Path) -> None:
    found, expected = whole_lines(run), whole_lines(uninterrupted)
    assert without_seconds(found) == without_seconds(expected)
    assert (run / "rejected.jsonl").read_bytes() == (uninterrupted / "rejected.jsonl").read_bytes()
    assert json.loads((run / "run.json").read_text())["state"] == "done"
    assert {path.name for path in run.iterdir()} == {path.name for path in uninterrupted.iterdir()}


def test_the_uninterrupted_run_has_every_row_once(uninterrupted: Path, inputs: list[str]) -> None:
    explained = [json.loads(line)["id"] for line in whole_lines(uninterrupted)]
    rejected = [json.loads(line)["id"] for line in (uninterrupted / "rejected.jsonl").read_text().splitlines()]
    assert len(explained) + len(rejected) == ROWS
    assert set(explained) | set(rejected) == {json.loads(row)["id"] for row in inputs}


def test_kills_at_random_moments_lose_nothing_double_nothing_and_change_no_row(
    folder: Path, uninterrupted: Path
) -> None:
    draw = random.Random()
    run = folder / "run"
    all_of_them = len(whole_lines(uninterrupted))
    before: list[bytes] = []
    for kill in range(KILLS):
        session = Session(folder)
        batches = draw.randint(3, 8)
        session.let(batches)
        session.hear(draw.randint(3, batches))
        for _ in range(draw.randrange(30_000)):  # somewhere between two batches
            pass
        assert session.end(signal.SIGKILL) == -signal.SIGKILL, session.told()
        written = (run / "explanations.jsonl").read_bytes()
        now = whole_lines(run)
        assert now[: len(before)] == before, "a line that had been written is gone"
        assert written.startswith(b"".join(before))
        assert len(before) < len(now) < all_of_them, f"kill {kill} did not land in the middle"
        before = now
    session = Session(folder)
    assert session.let_go() == 0, session.told()
    assert set(before) <= set(whole_lines(run))
    assert f"{len(before)} kept from before" in session.told()
    is_as_uninterrupted(run, uninterrupted)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_with_130_saves_everything_and_is_resumed(
    folder: Path, uninterrupted: Path, number: signal.Signals
) -> None:
    session = Session(folder)
    session.let(4)
    session.hear(4)
    assert session.end(number) == 130, session.told()
    assert session.told().strip().splitlines()[-1] == "emowhy: interrupted; what was finished is saved"
    assert "Traceback" not in session.told()
    before = whole_lines(folder / "run")
    assert len(before) >= 6
    manifest = json.loads((folder / "run" / "run.json").read_text())
    assert manifest["state"] == "stopped"
    # a signal may come between a row's writing and its counting
    assert len(before) - manifest["sessions"][0]["written"] in (0, 1)
    assert manifest["counts"]["ok"] == manifest["sessions"][0]["written"]
    session = Session(folder)
    assert session.let_go() == 0, session.told()
    assert set(before) <= set(whole_lines(folder / "run"))
    is_as_uninterrupted(folder / "run", uninterrupted)


@pytest.fixture
def busy(folder: Path) -> Iterator[Session]:
    """A session that holds its run directory, in the middle of it."""
    session = Session(folder)
    session.let(2)
    session.hear(2)
    yield session
    if session.process.poll() is None:
        session.end(signal.SIGKILL)


def test_a_second_process_is_refused_while_the_first_one_runs(busy: Session, folder: Path) -> None:
    before = (folder / "run" / "run.json").read_bytes()
    errors = (folder / "second").open("w+")
    command = ["explain", "in.jsonl", "-o", "run", "--engine", "scripted", *OPTIONS]
    second = subprocess.run(
        [sys.executable, "-m", "emowhy", *command], cwd=folder, env=clean_environment(), stderr=errors, check=False
    )
    errors.seek(0)
    assert second.returncode == 2
    assert errors.read().splitlines() == [
        "emowhy: another process is writing to run",
        "  → wait for it, or choose another folder with -o",
    ]
    assert (folder / "run" / "run.json").read_bytes() == before
    assert busy.let_go() == 0, "the first one was disturbed"


def test_the_lock_of_a_killed_process_blocks_nobody(busy: Session, folder: Path, uninterrupted: Path) -> None:
    assert busy.end(signal.SIGKILL) == -signal.SIGKILL
    assert (folder / "run" / ".lock").exists()
    session = Session(folder)
    assert session.let_go() == 0, session.told()
    is_as_uninterrupted(folder / "run", uninterrupted)
