"""Options that commands share, how they come from YAML and the environment, and how errors are told.

A flag goes before the environment (`EMOWHY_…`), the environment before the YAML of `--config`.
"""

from __future__ import annotations

import errno
import functools
import json
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import typer

from emowhy.errors import EmowhyError, MissingError, UsageError, nearest
from emowhy.types import Chat

P = ParamSpec("P")
R = TypeVar("R")

ENGINES = "transformers, vllm, server or scripted"


def guarded(command: Callable[P, R]) -> Callable[P, R]:
    """Tell an `EmowhyError` in its own words and end with its code; an interruption ends with 130, all saved.

    What the operating system refuses (a full disk, a missing permission) is told in a line too, and ends with 1.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        before = signal.signal(signal.SIGTERM, _interrupt)
        try:
            result = command(*args, **kwargs)
            sys.stdout.flush()  # here, where it can still be told that nobody could take it
            return result
        except EmowhyError as error:
            print(f"emowhy: {error}", file=sys.stderr)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            print("\nemowhy: interrupted; what was finished is saved", file=sys.stderr)
            raise typer.Exit(130) from None
        except BrokenPipeError:  # the reader of our output has enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except (OSError, sqlite3.OperationalError) as error:  # sqlite keeps what is long in temporary files
            print(f"emowhy: {_told(error)}", file=sys.stderr)
            raise typer.Exit(1) from None
        finally:
            signal.signal(signal.SIGTERM, before)

    return run


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _told(error: OSError | sqlite3.OperationalError) -> EmowhyError:
    """What the operating system said, where, and what to do about it."""
    if isinstance(error, sqlite3.OperationalError):
        return EmowhyError(
            f"temporary data: {error}", "is there room where TMPDIR points to? then the same command again"
        )
    where = f"{error.filename}: " if error.filename is not None else ""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    cure = "make room, then type the same command again: what was finished is saved" if full else ""
    return EmowhyError(f"{where}{error.strerror or str(error) or type(error).__name__}", cure)


@guarded
def load_config(context: typer.Context, path: Path | None) -> Path | None:
    """Make the YAML file's values the command's defaults; unknown keys are refused."""
    if path is None:
        return None
    import yaml

    if not path.is_file():
        raise MissingError(f"no file of options at {path.absolute()}", "check --config")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{path} is no YAML: {' '.join(str(error).split())}", "a line is OPTION: VALUE") from None
    values = {} if values is None else values
    if not isinstance(values, Mapping):
        raise UsageError(f"{path} holds no mapping of options to values", "a line is OPTION: VALUE")
    known = {str(param.name): param for param in context.command.params if param.name not in ("config", "help")}
    defaults: dict[str, Any] = {}
    for key, value in values.items():
        name = _ALIASES.get(str(key), str(key).replace("-", "_"))
        if name not in known:
            spelled = {n.replace("_", "-") for n in known} | set(_ALIASES)
            raise UsageError(f"{path}: unknown option {key!r}", nearest(str(key), spelled))
        if value is not None:
            defaults[name] = _as_typed(name, value, bool(getattr(known[name], "multiple", False)))
    context.default_map = {**(context.default_map or {}), **defaults}
    return path


def _as_typed(name: str, value: Any, several: bool) -> Any:
    """A YAML value as the flag would have it: `KEY=VALUE`s, a list of texts, one text, or yes and no."""
    if isinstance(value, Mapping):
        # the engine's own options are read as YAML again, the names of columns as they stand
        value = [f"{key}={json.dumps(v) if name == 'engine_args' else v}" for key, v in value.items()]
    if several:
        return [str(v) for v in (value if isinstance(value, list) else [value])]
    if isinstance(value, list):
        return ",".join(map(str, value))
    return value if isinstance(value, bool) else str(value)


# What a flag is called where its function's parameter cannot be: the names of the YAML keys follow the flags.
_ALIASES = {
    "specialist": "specialists",
    "engine-arg": "engine_args",
    "column": "columns",
    "o": "out",
    "json": "as_json",
    "input": "source",
}


def pairs(given: list[str] | None, option: str) -> dict[str, Any]:
    """`K=V` options as a mapping; values are read as YAML scalars (numbers, true, text)."""
    import yaml

    found: dict[str, Any] = {}
    for item in given or []:
        key, equals, value = item.partition("=")
        if not (key and equals):
            raise UsageError(f"{option} {item!r} is not of the form KEY=VALUE", f"{option} batch_size=16, say")
        found[key] = yaml.safe_load(value) if option == "--engine-arg" else value
    return found


def option(*names: str, help: str, **more: Any) -> Any:
    """An option that its `EMOWHY_…` variable sets too."""
    flag = next(name for name in names if name.startswith("--"))
    variable = "EMOWHY_" + flag.lstrip("-").upper().replace("-", "_")
    return typer.Option(*names, help=help, envvar=variable, **more)


Config = Annotated[
    Path | None,
    typer.Option(
        "--config", help="A YAML file of options; flags and EMOWHY_… go before it.", callback=load_config, is_eager=True
    ),
]
Engine = Annotated[str, option("--engine", help=f"What runs the language model: {ENGINES}, or module:Name.")]
Model = Annotated[
    str | None,
    option("--model", help="A model's name: smollm2-135m (embedded), a folder, a Hub id, or what a server serves."),
]
Adapter = Annotated[str | None, option("--adapter", help="A LoRA adapter: a folder, what a server serves, or none.")]
BaseUrl = Annotated[str | None, option("--base-url", help="Where the OpenAI-compatible server is (engine server).")]
ApiKeyEnv = Annotated[str | None, option("--api-key-env", help="The environment variable that holds the server's key.")]
EngineArgs = Annotated[
    list[str] | None, option("--engine-arg", help="An option of the engine itself, KEY=VALUE; repeatable.")
]
Concurrency = Annotated[int | None, option("--concurrency", help="Rows in flight at once.", min=1)]
Strategy = Annotated[str | None, option("--strategy", help="How to reason: see `emowhy prompts ls`.")]
Prompts = Annotated[Path | None, option("--prompts", help="A folder of strategies of your own.")]
Labels = Annotated[
    str,
    option("--labels", help="goemotions, ekman, plutchik, parrott, empathetic, meld, open, or your own a,b,c."),
]
Hints = Annotated[
    str,
    option("--hints", help="How the specialists' candidates reach the prompt: order, exclude, adjust, quote, none."),
]
Scores = Annotated[str, option("--scores", help="Scores in prompts as words or figures: verbal, numeric.")]
Coverage = Annotated[
    float | None,
    option(
        "--coverage",
        help="Show as many candidates as it takes to hold all right labels this often (0.9, say), not a fixed few.",
        min=0.5,
        max=0.99,
    ),
]
Specialists = Annotated[
    list[str] | None,
    option(
        "--specialist",
        help="A specialist: emotion, cue, valence, occlusion, likelihood, fusion, lexicon, cause, emotion32, "
        "reader, NAME@FOLDER, hf:<id>, module:Name; repeatable.",
    ),
]
Votes = Annotated[
    int, option("--votes", help="How often each free hop of a chain is drawn; the most agreed counts.", min=1)
]
Thinking = Annotated[str, option("--thinking", help="For models that think: on, off, or auto (their default).")]
MaxTokens = Annotated[int, option("--max-tokens", help="Most new tokens of a reply.", min=8)]
Temperature = Annotated[float, option("--temperature", help="0 takes the likeliest words.", min=0.0)]
Seed = Annotated[int, option("--seed", help="Decides every draw; a row's own seed comes from it and the row's id.")]
Columns = Annotated[
    list[str] | None,
    option(
        "--column",
        help="The input's name for a field, FIELD=COLUMN (text=Utterance, gold.emotions=Emotion); repeatable.",
    ),
]
DialogueColumn = Annotated[
    str | None,
    option("--dialogue-column", help="For one row per turn: the column that says which dialogue a row is of."),
]
TurnColumn = Annotated[
    str | None, option("--turn-column", help="For one row per turn: the column with the turn's number.")
]
Observations = Annotated[
    Path | None, option("--observations", help="A file with observations of face, voice, scene, joined by id.")
]
Format = Annotated[
    str | None, option("--format", help="How the input is written, where its name does not say: jsonl, csv, …")
]
Limit = Annotated[int | None, option("--limit", help="Only the first N rows.", min=0)]
SampleSize = Annotated[
    int | None, option("--sample", help="N rows drawn from all (with --seed), in their order.", min=0)
]
Quiet = Annotated[bool, option("--quiet", help="No progress, only errors.")]


def engine_options(
    engine: str,
    base_url: str | None,
    api_key_env: str | None,
    concurrency: int | None,
    engine_args: list[str] | None,
) -> dict[str, Any]:
    """The engine's own options from the flags."""
    options = pairs(engine_args, "--engine-arg")
    for flag, name, value in (("--base-url", "base_url", base_url), ("--api-key-env", "api_key_env", api_key_env)):
        if value is not None:
            if engine != "server":
                raise UsageError(f"{flag} is for the engine server, not {engine}", "add --engine server")
            options[name] = value
    if concurrency is not None and engine != "scripted":
        names = {"server": "concurrency", "vllm": "max_num_seqs"}
        options[names.get(engine, "batch_size")] = concurrency
    return options


def thinking_of(text: str) -> bool | None:
    try:
        return {"on": True, "off": False, "auto": None}[text]
    except KeyError:
        raise UsageError(f"unknown thinking {text!r}", nearest(text, ("on", "off", "auto"))) from None


def print_messages(chat: Chat) -> None:
    """A chat's messages as they will be sent, and an empty line."""
    for message in chat.messages:
        print(f"---- {message.role}\n{message.content}")
    print()
