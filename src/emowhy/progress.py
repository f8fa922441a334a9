"""How a run is watched: a bar on a terminal, a line now and then elsewhere, nothing when quiet. All on stderr."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from emowhy.read import Rejected

_LINE_EVERY = 15.0  # seconds, where there is no terminal
_SHOWN_REJECTIONS = 5


class Watch:
    """Counts what happens and shows it; `quiet` shows nothing."""

    def __init__(self, quiet: bool = False, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self.quiet = quiet
        self.rows = self.failures = self.tokens = self.held = self.rejections = 0
        self.total: int | None = None
        self._started = self._last = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, total: int | None) -> None:
        """Start counting: a benchmark begins anew with each system."""
        self.rows = self.failures = self.tokens = self.held = self.rejections = 0
        self.total = total
        self._started = self._last = time.monotonic()
        if self.quiet or not self.console.is_terminal:
            return
        if self._bar is not None:
            self._bar.stop()
        self._bar = Progress(
            SpinnerColumn(),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rates]}"),
            TimeRemainingColumn(),
            console=self.console,
        )
        self._bar.start()
        self._task = self._bar.add_task("rows", total=total, rates="")

    def row(self, row: dict[str, Any]) -> None:
        self.rows += 1
        self.failures += row["status"] != "ok"
        self.tokens += row["usage"]["completion"]
        self._show()

    def kept(self) -> None:
        self.held += 1
        self._show()

    def rejected(self, rejected: Rejected) -> None:
        self.rejections += 1
        if self.rejections <= _SHOWN_REJECTIONS:
            self.note(f"row rejected: line {rejected.line}: {rejected.reason}")
        elif self.rejections == _SHOWN_REJECTIONS + 1:
            self.note("more rows rejected: see rejected.jsonl")
        self._show()

    def note(self, text: str) -> None:
        """A message that stays."""
        if not self.quiet:
            # As it is: a path that was broken to fit a line could not be copied.
            self.console.print(text, markup=False, emoji=False, soft_wrap=True)

    def rates(self) -> str:
        """Rows and tokens a second in this session, failures so far."""
        seconds = max(time.monotonic() - self._started, 1e-3)
        failed = f", {self.failures + self.rejections} failed" if self.failures + self.rejections else ""
        return f"{_figure(self.rows / seconds)} rows/s, {_figure(self.tokens / seconds)} tokens/s{failed}"

    def _show(self) -> None:
        done = self.rows + self.held + self.rejections
        if self._bar is not None:
            if done < 100 or done % 16 == 0 or done == self.total:  # rich redraws by itself; this is only its figures
                self._bar.update(self._task, completed=done, rates=self.rates())
        elif not self.quiet and time.monotonic() - self._last >= _LINE_EVERY:
            self._last = time.monotonic()
            of = f" of {self.total:,}" if self.total is not None else ""
            self.note(f"{done:,}{of} rows, {self.rates()}{self._left(done)}")

    def _left(self, done: int) -> str:
        from emowhy.batch import spell_seconds

        if self.total is None or not self.rows:
            return ""
        left = (self.total - done) * (time.monotonic() - self._started) / self.rows
        return f", about {spell_seconds(left)} left"


def _figure(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"
