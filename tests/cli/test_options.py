"""Laws of options: flag before environment before YAML, nothing unknown, faults told in a line with their cure."""

from __future__ import annotations

import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.main import get_command
from typer.testing import CliRunner

from emowhy.cli import app
from emowhy.cli.options import engine_options, guarded, pairs, thinking_of
from emowhy.errors import UsageError

EXPLAIN: Any = get_command(app).commands["explain"]  # type: ignore[attr-defined]

# What each option of explain is set to: in YAML, in the environment, on the command line.
VALUES: dict[str, tuple[Any, str, str]] = {
    "out": ("y", "e", "f"),
    "text": ("yaml's", "environment's", "flag's"),
    "engine": ("y", "e", "f"),
    "model": ("y", "e", "f"),
    "adapter": ("y", "e", "f"),
    "base-url": ("http://y", "http://e", "http://f"),
    "api-key-env": ("Y", "E", "F"),
    "concurrency": (1, "2", "3"),
    "strategy": ("y", "e", "f"),
    "prompts": ("y", "e", "f"),
    "labels": ("ekman", "meld", "open"),
    "hints": ("none", "order", "adjust"),
    "scores": ("numeric", "verbal", "numeric"),
    "coverage": ("0.9", "0.8", "0.7"),
    "votes": (2, "3", "4"),
    "thinking": ("high", "low", "auto"),
    "max-tokens": (10, "20", "30"),
    "temperature": (0.5, "0.25", "0.75"),
    "seed": (1, "2", "3"),
    "dialogue-column": ("y", "e", "f"),
    "turn-column": ("y", "e", "f"),
    "observations": ("y", "e", "f"),
    "format": ("csv", "tsv", "jsonl"),
    "limit": (1, "2", "3"),
    "sample": (1, "2", "3"),
    "max-failures": (5, "6%", "7"),
    "dry-run": (1, "2", "3"),
}
LISTS = {"specialist": ["a", "b"], "engine-arg": ["k=1", "l=m"], "column": ["text=Y", "speaker=Z"]}
SWITCHES = ("retry", "quiet", "json")


def flag_of(param: Any) -> str:
    return str(next(name for name in param.opts if name.startswith("--"))).removeprefix("--")


PARAMS = {flag_of(param): param for param in EXPLAIN.params if param.param_type_name == "option"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("EMOWHY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def parsed(key: str, *arguments: str, config: Any = None) -> Any:
    """What the command would be called with for this option."""
    if config is not None:
        Path("o.yaml").write_text(yaml.safe_dump(config))
        arguments = ("--config", "o.yaml", *arguments)
    param = PARAMS[key] if key in PARAMS else next(p for p in EXPLAIN.params if p.name == key)
    with EXPLAIN.make_context("explain", list(arguments)) as context:
        return context.params[param.name]


def text_of(value: Any) -> Any:
    return [str(v) for v in value] if isinstance(value, list | tuple) else str(value)


def test_the_table_of_this_test_has_every_option() -> None:
    assert {*VALUES, *LISTS, *SWITCHES} == set(PARAMS) - {"config", "help"}


@pytest.mark.parametrize("key", VALUES)
def test_a_flag_goes_before_the_environment_and_that_before_the_yaml(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    in_yaml, in_environment, on_line = VALUES[key]
    config = {key: in_yaml}
    assert text_of(parsed(key, config=config)) == str(in_yaml)
    monkeypatch.setenv("EMOWHY_" + key.upper().replace("-", "_"), in_environment)
    assert text_of(parsed(key, config=config)) == in_environment
    assert text_of(parsed(key)) == in_environment
    assert text_of(parsed(key, f"--{key}", on_line, config=config)) == on_line


@pytest.mark.parametrize("key", LISTS)
def test_options_that_repeat_are_lists_in_yaml(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    several = LISTS[key]
    assert text_of(parsed(key, config={key: several})) == several
    assert text_of(parsed(key, config={key: several[0]})) == several[:1]
    monkeypatch.setenv("EMOWHY_" + key.upper().replace("-", "_"), " ".join(reversed(several)))
    assert text_of(parsed(key, config={key: several})) == several[::-1]
    assert text_of(parsed(key, f"--{key}", "x=y", config={key: several})) == ["x=y"]


@pytest.mark.parametrize("key", SWITCHES)
def test_switches_are_yes_or_no_in_yaml(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert parsed(key) is False
    assert parsed(key, config={key: True}) is True
    assert parsed(key, config={key: False}) is False
    monkeypatch.setenv("EMOWHY_" + key.upper(), "0")
    assert parsed(key, config={key: True}) is False
    assert parsed(key, f"--{key}", config={key: False}) is True


def test_the_input_is_settable_in_yaml_too() -> None:
    assert parsed("source", config={"input": "y.jsonl"}) == "y.jsonl"
    assert parsed("source", "f.jsonl", config={"input": "y.jsonl"}) == "f.jsonl"


@pytest.mark.parametrize("spelled", ["max-tokens", "max_tokens"])
def test_a_key_may_be_spelled_as_the_flag_or_as_python_would(spelled: str) -> None:
    assert parsed("max-tokens", config={spelled: 99}) == 99


def test_labels_may_be_a_list_in_yaml() -> None:
    assert parsed("labels", config={"labels": ["joy", "anger"]}) == "joy,anger"


def test_mappings_in_yaml_keep_the_types_of_engine_arguments_and_the_names_of_columns() -> None:
    given = {"n": 2, "share": 0.5, "flag": True, "none": None, "text": "2", "list": [1, "a"], "map": {"a": None}}
    assert pairs(parsed("engine-arg", config={"engine-arg": given}), "--engine-arg") == given
    columns = {"text": "Utterance", "gold.emotions": "Emotion: main", "id": 3}
    read = pairs(parsed("column", config={"column": columns}), "--column")
    assert read == {"text": "Utterance", "gold.emotions": "Emotion: main", "id": "3"}


def test_an_empty_yaml_and_a_null_set_nothing() -> None:
    Path("o.yaml").write_text("# nothing yet\n")
    assert parsed("seed", "--config", "o.yaml") == 0
    assert parsed("labels", config={"labels": None}) == "goemotions"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("max-token: 3", "o.yaml: unknown option 'max-token'\n  → did you mean 'max-tokens'?"),
        ("lables: ekman", "o.yaml: unknown option 'lables'\n  → did you mean 'labels'?"),
        ("config: other.yaml", "o.yaml: unknown option 'config'"),
        ("3: 4", "o.yaml: unknown option 3"),
        ("- seed", "o.yaml holds no mapping of options to values"),
        ("seed", "o.yaml holds no mapping of options to values"),
        ("0", "o.yaml holds no mapping of options to values"),
        ("a: [1", "o.yaml is no YAML: "),
        ("a: 1\n\tb: 2", "o.yaml is no YAML: "),
    ],
)
def test_a_wrong_yaml_is_refused_in_a_line(content: str, told: str) -> None:
    Path("o.yaml").write_text(content)
    done = CliRunner().invoke(app, ["explain", "--text", "x", "--config", "o.yaml"])
    assert done.exit_code == 2
    assert done.stderr.startswith(f"emowhy: {told}")
    assert len(done.stderr.strip().splitlines()) == 2
    assert done.stdout == ""


def test_a_yaml_that_is_not_there_is_told_with_where_it_was_looked_for(here: Path) -> None:
    done = CliRunner().invoke(app, ["explain", "--text", "x", "--config", "o.yaml"])
    assert done.exit_code == 2
    assert done.stderr == f"emowhy: no file of options at {here / 'o.yaml'}\n  → check --config\n"


def test_a_value_of_the_wrong_kind_is_refused_wherever_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments, config in ((["--seed", "x"], {}), ([], {"seed": "x"}), ([], {"seed": [1, 2]}), ([], {"votes": 0})):
        Path("o.yaml").write_text(yaml.safe_dump(config))
        done = CliRunner().invoke(app, ["explain", "--text", "x", "--config", "o.yaml", *arguments])
        assert done.exit_code == 2
        assert "Invalid value" in done.stderr


def test_the_three_sources_meet_in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("in.jsonl").write_text('{"Utterance": "They cancelled it."}\n')
    config = {
        "input": "in.jsonl", "out": "run", "engine": "scripted", "labels": ["joy", "anger"], "hints": "none",
        "seed": 1, "max-tokens": 100, "temperature": 0.5, "column": {"text": "Utterance"}, "quiet": True,
    }  # fmt: skip
    Path("o.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("EMOWHY_SEED", "2")
    monkeypatch.setenv("EMOWHY_MAX_TOKENS", "200")
    done = CliRunner().invoke(app, ["explain", "--config", "o.yaml", "--max-tokens", "300"])
    assert (done.exit_code, done.output) == (0, "")
    asked = json.loads(Path("run/run.json").read_text())["asked"]
    assert [asked[key] for key in ("temperature", "seed", "max_tokens")] == [0.5, 2, 300]
    assert json.loads(Path("run/explanations.jsonl").read_text())["sample"]["text"] == "They cancelled it."


# What is handed on ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["x", "=1", ""])
def test_a_pair_without_a_key_or_an_equals_sign_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match="is not of the form KEY=VALUE"):
        pairs([given], "--engine-arg")


def test_a_value_may_hold_an_equals_sign() -> None:
    assert pairs(["text=a=b"], "--column") == {"text": "a=b"}


def test_the_server_s_options_are_refused_elsewhere() -> None:
    for url, key in (("http://x", None), (None, "KEY")):
        with pytest.raises(UsageError, match="is for the engine server, not vllm") as caught:
            engine_options("vllm", url, key, None, None)
        assert caught.value.cure == "add --engine server"


@pytest.mark.parametrize(
    ("engine", "name"),
    [("server", "concurrency"), ("vllm", "max_num_seqs"), ("transformers", "batch_size"), ("scripted", None)],
)
def test_concurrency_is_what_each_engine_calls_it(engine: str, name: str | None) -> None:
    assert engine_options(engine, None, None, 7, None) == ({name: 7} if name else {})


def test_thinking_is_on_off_or_auto() -> None:
    assert [thinking_of(text) for text in ("on", "off", "auto")] == [True, False, None]
    with pytest.raises(UsageError, match="unknown thinking 'onn'") as caught:
        thinking_of("onn")
    assert "did you mean 'on'?" in caught.value.cure


# How errors are told --------------------------------------------------------------------------------------------


def fails(error: BaseException) -> typer.Typer:
    made = typer.Typer()

    @made.command()
    @guarded
    def fail() -> None:
        raise error

    return made


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (UsageError("wrong", "do this"), 2, "emowhy: wrong\n  → do this\n"),
        (UsageError("wrong"), 2, "emowhy: wrong\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "run/explanations.jsonl"),
            1,
            "emowhy: run/explanations.jsonl: No space left on device\n"
            "  → make room, then type the same command again: what was finished is saved\n",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "x"), 1, "emowhy: x: Permission denied\n"),
        (OSError("odd"), 1, "emowhy: odd\n"),
        (TimeoutError(), 1, "emowhy: TimeoutError\n"),
        (KeyboardInterrupt(), 130, "\nemowhy: interrupted; what was finished is saved\n"),
    ],
)
def test_a_fault_is_told_plainly_and_ends_with_its_code(error: BaseException, code: int, told: str) -> None:
    done = CliRunner().invoke(fails(error), [])
    assert (done.exit_code, done.stderr) == (code, told)


def test_full_temporary_files_are_told_plainly() -> None:
    done = CliRunner().invoke(fails(sqlite3.OperationalError("database or disk is full")), [])
    assert done.exit_code == 1
    assert done.stderr.startswith("emowhy: temporary data: database or disk is full\n  → ")


def test_a_fault_of_our_own_is_no_plain_line() -> None:
    assert isinstance(CliRunner().invoke(fails(ZeroDivisionError()), []).exception, ZeroDivisionError)


def test_the_handler_of_sigterm_is_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    CliRunner().invoke(fails(UsageError("wrong")), [])
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("command", [["clues", "rows.jsonl"], ["prompts", "show", "direct"], ["serve", "--print"]])
def test_every_command_with_options_of_a_run_takes_them_from_yaml_and_refuses_unknown_keys(
    command: list[str], tmp_path: Path
) -> None:
    (tmp_path / "rows.jsonl").write_text('{"id": "a", "text": "I am so happy!"}\n')
    (tmp_path / "bad.yaml").write_text("labbels: ekman\n")
    done = subprocess.run(
        [sys.executable, "-m", "emowhy", *command, "--config", "bad.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "labbels" in done.stderr
