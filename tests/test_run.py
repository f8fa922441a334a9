"""Laws of the run directory: whole after any damage, held by one, refused to another question."""

from __future__ import annotations

import io
import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from emowhy import run as run_module
from emowhy.cli import app
from emowhy.errors import RunError
from emowhy.run import Run, read_manifest, read_rows

ASKED = {"engine": "scripted", "seed": 0}


def row(number: int, status: str = "ok", **more: Any) -> dict[str, Any]:
    """A row as `to_row` makes them, as far as the run directory looks at it."""
    return {
        "id": f"r{number}",
        "index": number,
        "status": status,
        "causes": [],
        "explanation": f"Plätze 😀 {number}",
        "parse": "strict",
        "cut": None,
        "same_as": None,
        "usage": {"prompt": 1, "completion": 1},
        "attempts": 1,
        "content": f"c{number}",
        **more,
    }


def write(folder: Path, rows: Iterable[dict[str, Any]], asked: Any = None) -> Run:
    """A session that writes these rows."""
    with Run(folder, asked or ASKED) as run:
        for one in rows:
            run.append(one)
    return run


def held(folder: Path) -> dict[str, dict[str, Any]]:
    rows = list(read_rows(folder))
    by_id = {one["id"]: one for one in rows}
    assert len(by_id) == len(rows), "an id stands there twice"
    return by_id


def rows_file(folder: Path) -> Path:
    return folder / "explanations.jsonl"


# Damage ---------------------------------------------------------------------------------------------------------


def cut_in_a_line(data: bytes) -> bytes:
    return data[:-20]


def cut_before_the_line_end(data: bytes) -> bytes:
    return data[:-1]


def cut_in_a_character(data: bytes) -> bytes:
    whole = data.rindex("😀".encode())
    return data[: whole + 2]


def nul_filled(data: bytes) -> bytes:
    return data[:-20] + b"\0" * 5000


def nul_filled_for_long(data: bytes) -> bytes:
    return data[:-20] + b"\0" * 300_000


TAILS = [cut_in_a_line, cut_before_the_line_end, cut_in_a_character, nul_filled, nul_filled_for_long]


@pytest.mark.parametrize("damage", TAILS)
def test_a_torn_tail_is_healed_and_only_its_row_is_lost(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    folder = tmp_path / "run"
    write(folder, [row(i) for i in range(6)])
    path = rows_file(folder)
    path.write_bytes(damage(path.read_bytes()))
    assert {f"r{i}" for i in range(5)} <= set(held(folder)), "a reader sees the whole rows, before any healing too"
    with Run(folder, ASKED) as run:
        assert run.index.get("r5") is None
        for place in range(5):
            assert run.index.get(f"r{place}") is not None
            run.index.place(f"r{place}", place)
        run.append(row(5))
    assert list(read_rows(folder)) == [row(i) for i in range(6)]
    assert path.read_bytes().count(b"\n") == 6
    assert b"\0" not in path.read_bytes()


@pytest.mark.parametrize("end", [b"", b"{", b"\0" * 70_000, b'{"id": "r0"'])
def test_a_file_without_any_whole_line_is_healed_to_an_empty_one(tmp_path: Path, end: bytes) -> None:
    folder = tmp_path / "run"
    write(folder, [])
    rows_file(folder).write_bytes(end)
    write(folder, [row(0)])
    assert list(read_rows(folder)) == [row(0)]


GARBAGE = [
    b"garbage\n",
    b"\n",
    b'{"id": "r1", "status": "ok", \xff\xfe}\n',
    b"\0" * 100 + b"\n",
    b"[]\n",
    b"null\n",
    b'{"id": {}, "index": 1, "status": "ok", "content": "c", "attempts": 1}\n',
    b'{"id": "r1"}\n',
    b'{"id": "r1", "status": "ok", "content": "c1", "attempts": 1}\n',
    b"[" * 100_000 + b"\n",
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_in_the_middle_costs_the_row_it_replaced_and_no_other(tmp_path: Path, garbage: bytes) -> None:
    folder = tmp_path / "run"
    write(folder, [row(i) for i in range(4)])
    path = rows_file(folder)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + garbage + lines[2] + lines[3])
    assert set(held(folder)) == {"r0", "r2", "r3"}
    with Run(folder, ASKED) as run:
        assert run.tally.damaged == 1
        assert run.index.get("r1") is None
        for place in (0, 2, 3):
            run.index.place(f"r{place}", place)
        run.append(row(1))
    assert path.read_bytes() == b"".join(lines)


def test_a_reader_beside_a_writer_sees_whole_rows_only(tmp_path: Path) -> None:
    with Run(tmp_path / "run", ASKED) as run:
        run.append(row(0))
        run.append(row(1, "error"))
        run.append(row(1))
        with rows_file(run.folder).open("ab") as file:
            file.write(b'{"id": "r2", "sta')
        assert list(read_rows(run.folder)) == [row(0), row(1)]


def test_a_row_is_in_the_file_when_its_writing_returns_and_on_the_disk_soon_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = threading.Event()
    sync = os.fsync
    with Run(tmp_path / "run", ASKED) as run:

        def noting(handle: int) -> None:
            sync(handle)
            if os.path.samestat(os.fstat(handle), rows_file(run.folder).stat()):
                synced.set()

        monkeypatch.setattr("emowhy.run.os.fsync", noting)
        run.append(row(0))
        assert json.loads(rows_file(run.folder).read_bytes()) == row(0)
        assert synced.wait(10), "nothing was synced while the run went on"


# What counts ----------------------------------------------------------------------------------------------------


def test_the_last_row_of_an_id_counts_and_it_counts_once(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run = write(folder, [row(0, "error"), row(1), row(0, "error", attempts=2), row(0, attempts=3)])
    assert held(folder) == {"r0": row(0, attempts=3), "r1": row(1)}
    assert run.counts == {"ok": 2}
    manifest = read_manifest(folder)
    assert manifest["counts"]["rows"] == manifest["counts"]["ok"] == 2
    assert manifest["sessions"][0]["written"] == 4


def test_a_finished_run_has_one_row_an_id_in_the_input_s_order_and_those_it_lacks_last(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    write(folder, [row(2), row(0), row(3), row(1, "error"), row(1)])
    assert [one["id"] for one in read_rows(folder)] == ["r0", "r1", "r2", "r3"]
    with Run(folder, ASKED) as run:  # now r3, r1 and a new row make up the input
        run.index.place("r3", 0)
        run.index.place("r1", 1)
        run.append(row(9, index=2))
    assert [(one["id"], one["index"]) for one in read_rows(folder)][:3] == [("r3", 0), ("r1", 1), ("r9", 2)]
    assert [one["id"] for one in read_rows(folder)][3:] == ["r0", "r2"]
    assert rows_file(folder).read_bytes().count(b"\n") == 5


def test_a_session_that_fails_rewrites_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "run"

    def rows() -> Iterator[dict[str, Any]]:
        yield from (row(1), row(0))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write(folder, rows())
    assert [one["id"] for one in read_rows(folder)] == ["r1", "r0"]
    assert read_manifest(folder)["state"] == "stopped"


def test_a_failure_while_rewriting_leaves_the_old_file_whole_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    replace = os.replace

    def failing(source: Path, target: Path) -> None:
        if Path(target).name == "explanations.jsonl":
            raise OSError(5, "Input/output error", str(target))
        replace(source, target)

    monkeypatch.setattr("emowhy.run.os.replace", failing)
    with pytest.raises(OSError, match="Input/output error"):
        write(folder, [row(1), row(0), row(1, attempts=2)])
    assert not list(folder.glob("*.part"))
    assert rows_file(folder).read_bytes().count(b"\n") == 3
    assert held(folder) == {"r0": row(0), "r1": row(1, attempts=2)}
    monkeypatch.undo()
    write(folder, [])
    assert rows_file(folder).read_bytes().count(b"\n") == 2


@pytest.mark.parametrize("left", ["run.part", "explanations.part"])
def test_what_a_process_killed_while_replacing_a_file_left_behind_is_cleared_away(tmp_path: Path, left: str) -> None:
    folder = tmp_path / "run"
    if left == "explanations.part":
        write(folder, [row(0)])
    else:  # killed before there ever was a manifest
        folder.mkdir()
    (folder / left).write_bytes(b'{"half": ')
    write(folder, [row(1)])
    assert "r1" in held(folder)
    assert not list(folder.glob("*.part"))


# Whose folder it is ---------------------------------------------------------------------------------------------


def test_a_folder_that_holds_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("all of it")
    with pytest.raises(RunError, match=r"holds something that is no run: thesis\.txt"), Run(tmp_path, ASKED):
        pass
    assert (tmp_path / "thesis.txt").read_text() == "all of it"
    assert not (tmp_path / "run.json").exists()


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"asked": 3}'])
def test_a_damaged_manifest_is_refused_by_name(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "run"
    write(folder, [row(0)])
    (folder / "run.json").write_text(damage)
    with pytest.raises(RunError, match=r"run\.json is damaged"), Run(folder, ASKED):
        pass
    assert set(held(folder)) == {"r0"}


def test_two_in_one_process_cannot_hold_the_same_folder_either(tmp_path: Path) -> None:
    with Run(tmp_path / "run", ASKED), pytest.raises(RunError, match="another process"), Run(tmp_path / "run", ASKED):
        pass
    write(tmp_path / "run", [row(0)])


def test_no_run_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no run in .*explanations\.jsonl"):
        list(read_rows(tmp_path))
    with pytest.raises(RunError, match=r"no readable run\.json"):
        read_manifest(tmp_path)


# The fingerprint, through the command ---------------------------------------------------------------------------

TEMPLATE = """{#- reply: emotions causes #}
{% block system %}Name the emotion.{% endblock %}
{% block user %}{{ turns[target].text }}{% endblock %}
"""


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a finished run, and with what a changed option needs."""
    for name in [name for name in os.environ if name.startswith("EMOWHY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    Path("in.jsonl").write_text('{"id": "a", "text": "They cancelled it."}\n')
    for name, words in (("one", ""), ("two", " Be brief.")):
        Path(name, "mine").mkdir(parents=True)
        Path(name, "mine", "1-answer.jinja").write_text(TEMPLATE.replace("emotion.", f"emotion.{words}"))
    Path("canned.jsonl").write_text('{"text": "{}"}\n')
    return tmp_path


def explain(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["explain", "in.jsonl", "-o", "run", "--engine", "scripted", *arguments])


BASE = ("--prompts", "one", "--strategy", "mine", "--labels", "ekman", "--hints", "none", "--model", "canned.jsonl")

CHANGES = [
    (("--seed", "1"), "seed: 0 → 1"),
    (("--strategy", "direct"), "strategy: 'mine' → 'direct'"),
    (("--labels", "meld"), "labels: 'ekman' → 'meld'"),
    (("--labels", "anger,joy"), "labels: 'ekman' → "),
    (("--hints", "order"), "hints: 'none' → 'order'"),
    (("--specialist", "emotion"), "specialists: [] → "),
    (("--max-tokens", "64"), "max_tokens: 256 → 64"),
    (("--temperature", "0.5"), "temperature: 0.0 → 0.5"),
    (("--thinking", "on"), "thinking: None → True"),
    (("--votes", "3"), "votes: 1 → 3"),
    (("--scores", "numeric"), "scores: 'verbal' → 'numeric'"),
    (("--prompts", "two"), "templates: "),
]


@pytest.mark.parametrize(("change", "difference"), CHANGES, ids=lambda value: str(value[0]))
def test_another_question_to_the_same_run_is_refused_with_the_difference(
    begun: Path, change: Sequence[str], difference: str
) -> None:
    assert explain(*BASE).exit_code == 0
    before = {path.name: path.read_bytes() for path in (begun / "run").iterdir()}
    refused = explain(*BASE, *change)
    assert refused.exit_code == 2
    assert "emowhy: run holds a run that asked for something else:" in refused.stderr
    assert difference in refused.stderr
    assert "→ the same options to go on with it, or another folder with -o" in refused.stderr
    assert {path.name: path.read_bytes() for path in (begun / "run").iterdir()} == before


def test_the_content_of_a_script_belongs_to_the_question(begun: Path) -> None:
    assert explain(*BASE).exit_code == 0
    (begun / "canned.jsonl").write_text('{"text": "something else"}\n')
    refused = explain(*BASE)
    assert refused.exit_code == 2
    assert "sha256: " in refused.stderr


def test_how_fast_and_how_loud_may_differ(begun: Path) -> None:
    assert explain(*BASE).exit_code == 0
    again = explain(*BASE, "--concurrency", "3", "--quiet", "--retry", "--max-failures", "5", "--json")
    assert again.exit_code == 0, again.stderr


# Full disks -----------------------------------------------------------------------------------------------------


class Grudging(io.RawIOBase):
    """Takes seven bytes at a time, as a disk that is nearly full takes a part of a line."""

    def __init__(self) -> None:
        self.taken = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.taken += bytes(data[:7])
        return len(data[:7])


def test_a_line_is_written_whole_however_little_is_taken_at_once() -> None:
    file = Grudging()
    run_module._write_all(file, b"x" * 50 + b"\n")
    assert file.taken == b"x" * 50 + b"\n"


def test_a_sync_that_failed_is_not_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    def rows() -> Iterator[dict[str, Any]]:
        yield row(0)
        monkeypatch.setattr("emowhy.run.os.fsync", full)

    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "run", rows())
    monkeypatch.undo()
    assert set(held(tmp_path / "run")) == {"r0"}
    write(tmp_path / "run", [row(1)])
    assert set(held(tmp_path / "run")) == {"r0", "r1"}


def test_a_full_disk_ends_with_a_plain_line_and_the_run_goes_on_when_there_is_room(tmp_path: Path) -> None:
    texts = [json.dumps({"id": f"r{i}", "text": f"They cancelled flight {i}."}) + "\n" for i in range(100)]
    (tmp_path / "in.jsonl").write_text("".join(texts))
    command = [
        sys.executable,
        "-m",
        "emowhy",
        "explain",
        "in.jsonl",
        "-o",
        "run",
        "--engine",
        "scripted",
        "--hints",
        "none",
    ]

    def session(most: int) -> subprocess.CompletedProcess[str]:
        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

        environment = {name: value for name, value in os.environ.items() if not name.startswith("EMOWHY_")}
        return subprocess.run(
            command, cwd=tmp_path, env=environment, preexec_fn=limit, capture_output=True, text=True, check=False
        )

    full = session(20_000)
    assert full.returncode == 1
    assert "Traceback" not in full.stderr
    last = full.stderr.splitlines()[-2:]
    assert last[0].startswith("emowhy: ")
    assert last[0].endswith("File too large")
    assert last[1] == "  → make room, then type the same command again: what was finished is saved"
    saved = held(tmp_path / "run")
    assert 0 < len(saved) < 100
    assert rows_file(tmp_path / "run").stat().st_size == 20_000, "the disk was not full at all"
    again = session(resource.RLIM_INFINITY)
    assert again.returncode == 0, again.stderr
    assert f"{len(saved)} kept from before" in again.stderr
    whole = held(tmp_path / "run")
    assert set(whole) == {f"r{i}" for i in range(100)}
    assert {id: whole[id] for id in saved} == saved
