"""What a failed request means: whether another attempt can help, how long to wait before it, when to give up."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from openai import APIConnectionError, APIStatusError, APITimeoutError

LONGEST_WAIT = 20.0
"""Seconds: where the doubling backoff stops."""
TOO_LONG = re.compile(
    r"context[ _](length|window|size)|max_model_len|maximum (input|prompt|sequence) length|prompt is too long", re.I
)


class Trouble(Exception):
    """One attempt failed: what was wrong, whether trying again can help, and how long the server asked to wait.

    `kind`: "unreachable" (no connection), "again" (may heal), "final" (this request never will), "denied" (the key),
    "spent" (the account has no quota left).
    """

    def __init__(
        self,
        kind: Literal["unreachable", "again", "final", "denied", "spent"],
        what: str,
        *,
        status: int | None = None,
        wait: float | None = None,
        lost: bool = False,
    ) -> None:
        super().__init__(what)
        self.kind = kind
        self.what = what
        self.status = status
        self.wait = wait
        self.lost = lost or kind == "unreachable"
        """Whether the connection failed, so that nothing shows the server to be alive."""


class Patience:
    """The clock of one request: how long to wait before its next attempt, until `limit` seconds are used up."""

    def __init__(self, limit: float, backoff: float) -> None:
        self.limit = limit
        self.backoff = backoff
        self.began = time.monotonic()
        self.failures = 0

    def wait(self, trouble: Trouble, left: float | None = None) -> float | None:
        """Seconds to wait (exponential backoff, full jitter, Retry-After), or None: give up.

        `left`: the seconds left, where another clock counts than this one.
        """
        self.failures += 1
        left = self.limit - (time.monotonic() - self.began) if left is None else left
        if left <= 0 or (trouble.wait is not None and trouble.wait > left):
            return None
        if trouble.wait is not None:
            return min(trouble.wait + random.uniform(0, self.backoff), left)
        return min(random.uniform(0, min(LONGEST_WAIT, self.backoff * 2 ** min(self.failures - 1, 20))), left)

    def story(self, trouble: Trouble) -> str:
        asked = "" if trouble.wait is None else f", asked to wait {trouble.wait:g} s"
        tries = "1 attempt" if self.failures == 1 else f"{self.failures} attempts"
        return f"{trouble.what}{asked} ({tries} over {time.monotonic() - self.began:.1f} s)"


class Outage:
    """Since when the server has been unreachable for every request; `since` None: it is there."""

    since: float | None = None

    def note(self, trouble: Trouble | None) -> float:
        """Take in the outcome of an attempt; seconds that the outage has lasted."""
        now = time.monotonic()
        if trouble is None or trouble.status is not None:
            self.since = None
        elif trouble.lost and self.since is None:
            self.since = now
        return 0.0 if self.since is None else now - self.since


def diagnose(error: Exception, timeout: float, hide: Callable[[str], str]) -> Trouble:
    """What an exception of one attempt, given `timeout` seconds, means; one that is no trouble is raised again.

    `hide` blots secrets out of what a server says.
    """
    if isinstance(error, Trouble):
        return error
    if isinstance(error, APIConnectionError) and type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout"):
        return Trouble("unreachable", hide(f"no connection: {error.__cause__}"))
    if isinstance(error, (APITimeoutError, TimeoutError)):
        return Trouble("again", f"no answer within {timeout:g} s")
    if isinstance(error, APIConnectionError):
        cause = error.__cause__
        return Trouble("again", hide(f"the connection broke: {str(cause) or type(cause).__name__}"), lost=True)
    if isinstance(error, APIStatusError):
        return _diagnose_status(error, hide)
    if isinstance(error, UnicodeEncodeError):
        return Trouble("final", f"the text cannot be sent as UTF-8: {error.reason} at {error.start}")
    if isinstance(error, ValueError):
        return Trouble("again", "the reply is not JSON", status=200)
    raise error


def _diagnose_status(error: APIStatusError, hide: Callable[[str], str]) -> Trouble:
    status = error.status_code
    fields = error.body if isinstance(error.body, dict) else {}
    said = fields.get("message") or fields.get("detail") or error.body
    message = hide(" ".join(str("no message" if said is None else said).split()))
    what = f"HTTP {status}: {message}"
    if status in (401, 403):
        return Trouble("denied", what, status=status)
    if status == 429 and "insufficient_quota" in (fields.get("code"), fields.get("type")):
        return Trouble("spent", what, status=status)
    if status in (408, 409, 425, 429) or status >= 500:
        return Trouble("again", what, status=status, wait=_retry_after(error.response.headers))
    if status in (400, 413, 422) and TOO_LONG.search(f"{fields.get('code')} {message}"):
        what = f"context length: {message}"
    return Trouble("final", what, status=status)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait: `retry-after-ms`, or `retry-after` as seconds or as a date."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers.get(name, "")) * scale)
        except ValueError:
            continue
    try:
        when = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
