"""A real vLLM server on the CPU, started by `emowhy serve` with an adapter and stopped again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass
class Served:
    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def serve(adapter: Path, log: Path) -> Iterator[Served]:
    """The server once it answers; the test fails with the log's end where it does not come up."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    more = ["max-model-len=2048", "max-num-seqs=8", "enforce-eager=true"]
    command = [sys.executable, "-m", "emowhy", "serve", "--port", str(port), "--adapter", str(adapter)]
    for argument in more:
        command += ["--engine-arg", argument]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 400
        while not _answers(url + "/health"):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the server did not come up:\n{log.read_text()[-3000:]}")
            time.sleep(0.5)  # between two looks; what is waited for is the answer
        yield Served(url + "/v1", process)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
