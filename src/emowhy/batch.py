"""A whole input through the flow into a run directory: resumed, deduplicated, watched, stopped in time."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from emowhy.errors import EmowhyError, RunError, UsageError
from emowhy.read import Rejected, content_hash
from emowhy.reasoner import Job, Reasoner
from emowhy.rows import sample_row, to_row
from emowhy.run import Run
from emowhy.types import Sample

PROBED = 4
"""Rows explained first to estimate the time; they count as all others."""

_MOST_WAITING = 1000  # rows held because their content is being explained just now


class TooManyFailures(EmowhyError):
    """More rows failed than were allowed; everything that finished is saved."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Allowed:
    """How many rows may fail: a count, or a share of all rows (0 to 1)."""

    count: int | None = None
    share: float | None = None

    @classmethod
    def parse(cls, text: str | None) -> Allowed | None:
        """From "12" or "5%"; None allows any number."""
        if text is None:
            return None
        try:
            if text.strip().endswith("%") and 0 <= (percent := float(text.strip()[:-1])) <= 100:
                return cls(share=percent / 100)
            if (count := int(text)) >= 0:
                return cls(count=count)
        except ValueError:
            pass
        raise UsageError(f"--max-failures {text!r} is no number of rows", "a count such as 12, or a share such as 5%")

    def exceeded(self, failed: int, total: int | None) -> bool:
        """Whether so many failures are certain to be too many (a share needs the total)."""
        if self.count is not None:
            return failed > self.count
        return total is not None and failed > (self.share or 0.0) * total


class Watcher(Protocol):
    """Who is told how a run goes on."""

    def begin(self, total: int | None) -> None: ...
    def row(self, row: dict[str, Any]) -> None: ...
    def kept(self) -> None: ...
    def rejected(self, rejected: Rejected) -> None: ...
    def note(self, text: str) -> None: ...


def explain_rows(
    reasoner: Reasoner,
    rows: Iterable[Sample | Rejected],
    run: Run,
    watch: Watcher,
    *,
    total: int | None = None,
    retry: bool = False,
    allowed: Allowed | None = None,
) -> int:
    """Explain every row into the run; returns how many of the run's rows failed (rejected ones included).

    Good rows of an earlier session are kept and its errors tried again (with `retry`, its other
    failures too). Raises TooManyFailures as soon as that is certain, RunError for an old id with new content.
    """
    watch.begin(total)
    feed = _Feed(reasoner, rows, run, watch, total, retry, allowed)
    for job, answer in reasoner.explain_all(feed.jobs()):
        content = feed.finished(job)
        row = to_row(answer, job.sample, content)
        feed.write(row)
        for twin in feed.twins(content):
            feed.write(_copy(row, twin))
    run.whole = True
    counts = run.index.counts()
    failed = sum(counts.values()) - counts.get("ok", 0) + run.tally.rejected
    if allowed and allowed.exceeded(failed, sum(counts.values()) + run.tally.rejected):
        raise TooManyFailures(*_too_many(failed, allowed))
    return failed


class _Feed:
    """Which rows still need explaining, and what became of the others."""

    def __init__(
        self,
        reasoner: Reasoner,
        rows: Iterable[Sample | Rejected],
        run: Run,
        watch: Watcher,
        total: int | None,
        retry: bool,
        allowed: Allowed | None,
    ) -> None:
        self.rows, self.run, self.watch = rows, run, watch
        self.total, self.retry, self.allowed = total, retry, allowed
        # At a temperature a row's words depend on its own seed, so equal rows are not equal chats.
        self.shares = reasoner.sampling.temperature == 0 and reasoner.votes == 1
        self.flying: dict[str, list[Job]] = {}
        self.in_flight: dict[int, str] = {}  # a job's index -> its content's hash
        self.waiting = self.failed = 0
        self.probe: _Probe | None = None

    def jobs(self) -> Iterator[Job | None]:
        begun = 0
        for index, row in enumerate(self.rows):
            if isinstance(row, Rejected):
                self.run.reject(row)
                self.watch.rejected(row)
                self._count_failure()
                continue
            job = self._wanted(row, index)
            if job is None:
                continue
            begun += 1
            if begun == 1:
                self.probe = _Probe(self.watch, self.total)
            yield job
            while (begun == PROBED or self.waiting >= _MOST_WAITING) and self.in_flight:
                yield None
        if self.probe and begun < PROBED:
            self.probe = None  # so few rows need no estimate

    def _wanted(self, sample: Sample, index: int) -> Job | None:
        """The row's job, unless an earlier answer stands or a row like it is on its way or done."""
        content = content_hash(sample)
        entry = self.run.index.get(sample.id)
        if entry is not None:
            if entry.content != content:
                raise RunError(
                    f"row {sample.id!r} has other content than when {self.run.folder} was begun",
                    "give new content a new id, or choose another folder with -o",
                )
            self.run.index.place(sample.id, index)
            if entry.status == "ok" or (entry.status != "error" and not self.retry):
                self.run.tally.kept += 1
                self.watch.kept()
                if entry.status != "ok":
                    self._count_failure()
                return None
        job = Job(sample, index, entry.attempts + 1 if entry else 1)
        if not self.shares:
            self.in_flight[index] = content
            return job
        if content in self.flying:
            self.flying[content].append(job)
            self.waiting += 1
            return None
        if (twin := self.run.index.twin(content)) is not None:
            self.write(_copy(self.run.read(twin[1]), job))
            return None
        self.flying[content] = []
        self.in_flight[index] = content
        return job

    def finished(self, job: Job) -> str:
        """Note that a job is done; its content's hash."""
        return self.in_flight.pop(job.index)

    def twins(self, content: str) -> list[Job]:
        found = self.flying.pop(content, [])
        self.waiting -= len(found)
        return found

    def write(self, row: dict[str, Any]) -> None:
        self.run.append(row)
        self.watch.row(row)
        if self.probe is not None and self.probe.done(row):
            self.probe = None
        if row["status"] != "ok":
            self._count_failure()

    def _count_failure(self) -> None:
        self.failed += 1
        if self.allowed and self.allowed.exceeded(self.failed, self.total):
            raise TooManyFailures(*_too_many(self.failed, self.allowed))


class _Probe:
    """Times the first rows and says what the whole will take."""

    def __init__(self, watch: Watcher, total: int | None) -> None:
        self._watch, self._total = watch, total
        self._started = time.perf_counter()
        self._rows = self._read = self._written = 0

    def done(self, row: dict[str, Any]) -> bool:
        """Take in a finished row; True once the estimate is out."""
        if row["same_as"] is not None:
            return False
        self._rows += 1
        self._read += row["usage"]["prompt"]
        self._written += row["usage"]["completion"]
        if self._rows < PROBED:
            return False
        seconds = (time.perf_counter() - self._started) / self._rows
        if self._total is None:
            rows, time_left = "an unknown number of rows", f"about {seconds:.2g} s a row"
        else:
            rows, time_left = f"{self._total:,} rows", f"at most about {spell_seconds(seconds * self._total)}"
        self._watch.note(
            f"estimate: {rows}, {self._read // self._rows} prompt and {self._written // self._rows} written tokens "
            f"a row, {time_left} ({PROBED} rows probed; full batches are quicker)"
        )
        return True


def spell_seconds(seconds: float) -> str:
    """As 40 s, 12 min, or 3 h 20 min."""
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def _copy(row: dict[str, Any], job: Job) -> dict[str, Any]:
    """The row of a sample with the same content, as this job's: nothing was generated for it."""
    return {
        **row,
        "id": job.sample.id,
        "index": job.index,
        "same_as": row["same_as"] or row["id"],
        "steps": [{**step, "usage": {"prompt": 0, "completion": 0}} for step in row["steps"]],
        "usage": {"prompt": 0, "completion": 0},
        "seconds": 0.0,
        "attempts": job.attempt,
        "extra": dict(job.sample.extra),
        "sample": sample_row(job.sample),
    }


def _too_many(failed: int, allowed: Allowed) -> tuple[str, str]:
    most = f"{allowed.count} rows" if allowed.count is not None else f"{(allowed.share or 0):.0%} of the rows"
    return (
        f"{failed} rows failed, more than the {most} allowed; all others are saved",
        "see their status and error in the run, then type the same command again to try the errors once more",
    )
