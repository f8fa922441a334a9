"""What `--engine-arg K=V` sets for the engine `server`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from emowhy.errors import UsageError, nearest

Switch = Literal["auto", "on", "off"]
EXTRA = "extra_body."


@dataclass(frozen=True)
class ServerOptions:
    """Checked options; each field is an option of that name."""

    timeout: float = 120.0
    """Seconds an attempt."""
    patience: float = 300.0
    """Seconds that one chat may be tried in all."""
    start_patience: float = 10.0
    """Seconds to wait for the server at the start."""
    backoff: float = 0.5
    """Seconds of the first wait; it doubles, to 20."""
    bind: Switch = "auto"
    """Whether to ask for schema-bound replies; auto: where the probe gets one."""
    logprobs: Switch = "auto"
    """Whether to ask for log-probabilities; auto: where the probe gets them."""
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    """Fields of every request, given as `extra_body.NAME`; a text that is JSON is read as JSON."""

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> ServerOptions:
        """The options as given, texts or not; UsageError names the nearest known one."""
        known = [field.name for field in fields(cls) if field.name != "extra_body"]
        read: dict[str, Any] = {"extra_body": {}}
        for option, value in given.items():
            if option in ("bind", "logprobs"):
                read[option] = switch(option, value)
            elif option in known:
                read[option] = number(option, value, least=0.001 if option == "timeout" else 0)
            elif option.startswith(EXTRA) and option != EXTRA:
                read["extra_body"][option.removeprefix(EXTRA)] = _json(value)
            else:
                cure = nearest(option, [*known, f"{EXTRA}NAME"])
                raise UsageError(f"the engine 'server' has no option {option!r}", cure)
        return cls(**read)


def number(option: str, value: object, least: float = 0.0) -> float:
    """A finite number of at least `least`."""
    try:
        found = float(str(value))
    except ValueError:
        found = -1.0
    if not least <= found < float("inf"):
        raise UsageError(f"{option}={value!r} is not a number of at least {least:g}", f"--engine-arg {option}=10")
    return found


def switch(option: str, value: object) -> Switch:
    """A word as a switch; UsageError for any other."""
    words: dict[str, Switch] = {"auto": "auto", "on": "on", "off": "off", "true": "on", "false": "off"}
    if str(value).lower() not in words:
        raise UsageError(f"{option}={value!r}", nearest(str(value), get_args(Switch)))
    return words[str(value).lower()]


def _json(value: object) -> object:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value
