"""Laws of `emowhy prompts`: every strategy is listed, and shown as it will be sent."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from emowhy.cli import app
from emowhy.prompt import list_strategies, load_strategy
from emowhy.reasoner import Job, Reasoner
from emowhy.specialists import find_clues
from emowhy.types import Sample

STRATEGIES = sorted(list_strategies())
SHIPPED = {"direct", "cot", "two_stage", "three_hop", "observe", "given"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("EMOWHY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def prompts(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["prompts", *arguments])


def test_every_strategy_is_listed_with_its_steps_and_what_it_does() -> None:
    done = prompts("ls")
    assert done.exit_code == 0
    listed = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert set(listed) == set(STRATEGIES) >= SHIPPED
    for name, line in listed.items():
        steps = " → ".join(step.name for step in load_strategy(name).steps)
        assert steps in line
        assert len(line.partition(steps)[2].strip()) > 10


@pytest.mark.parametrize("hints", ["order", "none"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_shows_all_of_its_steps_with_the_text_in_them(strategy: str, hints: str) -> None:
    done = prompts("show", strategy, "--text", "They lost my blue umbrella.", "--hints", hints)
    assert done.exit_code == 0, done.stderr
    steps = load_strategy(strategy).steps
    heads = [line for line in done.stdout.splitlines() if line.startswith("####")]
    assert [head.split("'")[1] for head in heads] == [step.name for step in steps]
    for part, step in zip(done.stdout.split("#### step ")[1:], steps, strict=True):
        assert "---- system\n" in part
        assert "---- user\n" in part
        assert (", ".join(step.fields) or "free words") in part.splitlines()[0]
    assert "They lost my blue umbrella." in done.stdout


def test_what_is_shown_is_what_will_be_sent() -> None:
    reasoner = Reasoner.load(engine="scripted", strategy="two_stage")
    sample = Sample("example", text="They lost my blue umbrella.")
    chat = next(reasoner.reason(Job(sample), find_clues(reasoner.specialists, [sample])[0]))
    shown = prompts("show", "two_stage", "--text", "They lost my blue umbrella.").stdout
    assert "".join(f"---- {message.role}\n{message.content}\n" for message in chat.messages) in shown


def test_the_first_row_of_a_file_is_shown() -> None:
    Path("in.jsonl").write_text(
        json.dumps({"id": "a", "text": "The first one."}) + '\n{"id": "b", "text": "Second."}\n'
    )
    shown = prompts("show", "cot", "in.jsonl").stdout
    assert "The first one." in shown
    assert "Second." not in shown


def test_a_strategy_of_one_s_own_goes_before_a_shipped_one() -> None:
    Path("mine/cot").mkdir(parents=True)
    Path("mine/cot/1-answer.jinja").write_text(
        "{#- reply: emotions #}\n{% block system %}My own words.{% endblock %}\n{% block user %}?{% endblock %}\n"
    )
    assert "My own words." in prompts("show", "cot", "--prompts", "mine").stdout
    assert "My own words." in prompts("ls", "--prompts", "mine").stdout


@pytest.mark.parametrize(
    ("arguments", "told", "cure"),
    [
        (["show", "cott"], "no strategy 'cott'", "did you mean 'cot'?"),
        (["show", "cot", "no.jsonl"], "there is no file 'no.jsonl'", "did you mean"),
        (["show", "cot", "bad.jsonl"], "the first row of bad.jsonl is no sample: neither text nor", "mend it"),
        (["show", "cot", "empty.jsonl"], "the first row of empty.jsonl is no sample: it is empty", "mend it"),
        (["ls", "--prompts", "nowhere"], "no folder of prompts at ", "check --prompts"),
    ],
)
def test_what_cannot_be_shown_is_told_with_its_cure(arguments: list[str], told: str, cure: str) -> None:
    Path("bad.jsonl").write_text("{}\n")
    Path("empty.jsonl").write_text("")
    done = prompts(*arguments)
    assert done.exit_code == 2, done.exception
    first, second = done.stderr.splitlines()
    assert first.startswith(f"emowhy: {told}")
    assert cure in second
