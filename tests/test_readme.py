"""Laws of the README: what it shows can be typed, what it names exists, and where it points there is something.

The convention, told by a block's first line: ```` ```json name ```` (any language, then a file's name) is a file of
that name; ```` ```bash ```` is run, in order, in a folder with those files; ```` ```console ```` is run and must print
what stands there; ```` ```python ```` without a name is run; ```` ```sh ```` is not run (it installs, or needs a model
or a server), but its options are checked like all others. The engine is `scripted` unless a block names another.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest
import typer

from emowhy.cli import app
from emowhy.engines import ENGINES
from emowhy.prompt import POLICIES, list_strategies
from emowhy.specialists import SPECIALISTS
from emowhy.types import Status

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


class Block(NamedTuple):
    """A fenced block: its language, the file's name it has (or ""), and what stands in it."""

    language: str
    name: str
    body: str


BLOCKS = [Block(*found) for found in re.findall(r"^```(\w+) ?(\S*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)]
COMMANDS = typer.main.get_command(app)


def bodies(language: str) -> list[str]:
    return [block.body for block in BLOCKS if block.language == language and not block.name]


def command_lines(*languages: str) -> list[str]:
    """The `emowhy …` lines of these blocks, without prompt signs and comments."""
    lines = [
        line.removeprefix("$ ") for language in languages for body in bodies(language) for line in body.splitlines()
    ]
    return [line for line in lines if line.startswith("emowhy ")]


def options_of(command: Any) -> set[str]:
    """The flags of a command and of those below it."""
    flags = {flag for parameter in command.params for flag in [*parameter.opts, *parameter.secondary_opts]}
    return flags.union(*(options_of(below) for below in getattr(command, "commands", {}).values()))


def first_column(heading: str) -> list[str]:
    """The names in backticks in the first column of the table with this heading."""
    rows = README.partition(f"\n| {heading} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])]


def run(command: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("EMOWHY_")}
    plain |= {
        "PYTHONIOENCODING": "utf-8",
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "EMOWHY_ENGINE": "scripted",
        **environment,
    }
    return subprocess.run(command, cwd=folder, env=plain, capture_output=True, encoding="utf-8", timeout=300)


def emowhy(line: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "-m", "emowhy", *shlex.split(line, comments=True)[1:]], folder, **environment)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the README's files, after its commands were run in order; none of them failed."""
    made = tmp_path_factory.mktemp("readme")
    for block in BLOCKS:
        if block.name:
            (made / block.name).parent.mkdir(parents=True, exist_ok=True)
            (made / block.name).write_text(block.body, encoding="utf-8")
    for line in command_lines("bash"):
        done = emowhy(line, made)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr, line
    return made


def rows_of(run_folder: Path) -> list[dict[str, Any]]:
    lines = (run_folder / "explanations.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_blocks_are_of_known_kinds() -> None:
    assert {block.language for block in BLOCKS if not block.name} == {"sh", "bash", "console", "python", "text"}
    assert README.count("\n```") == 2 * len(BLOCKS), "a fence is not closed"
    assert len({block.name for block in BLOCKS if block.name}) == 7


def test_its_commands_run_and_explain_its_row(folder: Path) -> None:
    (row,) = rows_of(folder / "run")
    assert row["status"] == "ok"
    assert row["extra"] == {"team": "support"}
    assert all((folder / "run" / name).is_file() for name in ("rejected.jsonl", "run.json", "report.html"))
    assert (folder / "rows.csv").is_file()


def test_the_output_table_has_every_field_of_a_row_and_no_other(folder: Path) -> None:
    (row,) = rows_of(folder / "run")
    assert sorted(first_column("field")) == sorted(row)


def test_its_own_prompts_and_plug_ins_are_used(folder: Path) -> None:
    asked = json.loads((folder / "run-brief" / "run.json").read_text(encoding="utf-8"))["asked"]
    assert asked["strategy"] == "brief"
    (parroted,) = rows_of(folder / "run-parrot")
    assert parroted["status"] == "unparsed", "a parrot's answer is data, not a crash"
    assert "They cancelled it" in parroted["steps"][0]["raw"]


def test_its_specialist_finds_what_it_looks_for(folder: Path) -> None:
    (folder / "loud.jsonl").write_text('{"id": "1", "text": "WHY NOW"}\n', encoding="utf-8")
    done = emowhy("emowhy clues loud.jsonl --specialist shouting:Shouting", folder)
    assert [clue["label"] for clue in json.loads(done.stdout)["clues"]] == ["shouting"], done.stderr


def canned_reply() -> Mapping[str, Any]:
    """The reply that stands behind the terminal's example, its label with a probability of .81."""
    answer = {
        "emotions": ["annoyance"],
        "causes": [
            {"turn": 0, "quote": "cancelled my flight"},
            {"turn": 0, "quote": "nobody even told us"},
            {"turn": 0, "quote": "they never called"},
        ],
        "explanation": "A plan was cancelled without a word, which feels careless.",
    }
    text = json.dumps({"reasoning": "No one said anything.", **answer})
    before, label, after = text.partition("annoyance")
    return {"text": text, "tokens": [[before, 0.0], [label, -0.2107], [after, 0.0]]}


def test_the_terminal_shows_what_the_readme_shows(tmp_path: Path) -> None:
    (tmp_path / "canned.jsonl").write_text(json.dumps(canned_reply()) + "\n", encoding="utf-8")
    (body,) = bodies("console")
    command, _, shown = body.partition("\n")
    done = emowhy(command.removeprefix("$ "), tmp_path, EMOWHY_MODEL="canned.jsonl")
    assert done.stdout == shown, done.stderr


def test_its_python_runs(tmp_path: Path) -> None:
    (code,) = bodies("python")
    assert "Reasoner.load()" in code
    # the embedded model needs the extra `local` and its weights; the scripted engine needs neither
    (tmp_path / "it.py").write_text(code.replace("load()", 'load(engine="scripted")'), encoding="utf-8")
    done = run([sys.executable, "it.py"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3


@pytest.mark.parametrize("line", command_lines("sh", "bash", "console"))
def test_every_command_line_has_only_options_of_its_command(line: str) -> None:
    command: Any = COMMANDS
    words = shlex.split(line, comments=True)[1:]
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    assert command is not COMMANDS, "no such command"
    assert {word for word in words if re.match(r"--?[a-z]", word)} <= options_of(command)


def test_every_option_in_the_text_exists() -> None:
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.DOTALL | re.MULTILINE)
    named = {flag for code in re.findall(r"`([^`\n]+)`", prose) for flag in re.findall(r"(?<!\S)--[a-z-]+", code)}
    assert len(named) > 15
    assert named <= options_of(COMMANDS)


def test_every_command_in_the_text_exists_or_is_on_the_roadmap() -> None:
    text, _, roadmap = README.partition("## Roadmap")
    known = set(getattr(COMMANDS, "commands", {}))
    assert set(re.findall(r"`emowhy ([a-z]+)", text)) <= known
    assert set(re.findall(r"`emowhy ([a-z]+)", roadmap)).isdisjoint(known), "it is there: take it off the roadmap"


def test_its_tables_list_what_there_is() -> None:
    assert sorted(first_column("strategy")) == sorted(list_strategies())
    assert tuple(first_column("hints")) == POLICIES
    assert sorted(first_column("engine")) == sorted(ENGINES)
    assert first_column("specialist") == [*SPECIALISTS, "hf:<id>"]
    assert sorted(first_column("status")) == sorted(get_args(Status))
    assert set(first_column("extra")) == set(PROJECT["optional-dependencies"]) - {"dev"}


def test_its_label_sets_are_those_there_are() -> None:
    table = (ROOT / "src/emowhy/taxonomies/labels.tsv").read_text(encoding="utf-8").splitlines()
    sets = {name: labels for name, labels, *_ in (line.split("\t") for line in table if line and line[0] != "#")}
    told = README.partition("`--labels`:")[2].partition(",\nor your own list")[0]
    assert re.findall(r"`(\w+)`", told) == list(sets)
    for name, count in re.findall(r"`(\w+)` \((\d+)", told):
        assert len(sets[name].split(",")) == int(count)


def test_every_extra_that_is_installed_exists() -> None:
    assert set(re.findall(r'"\.\[([\w-]+)\]"', README)) <= set(PROJECT["optional-dependencies"])


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_every_relative_link_leads_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        assert (ROOT / (path or document)).exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", (ROOT / (path or document)).read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {heading.lower().replace(" ", "-") for heading in headings}, target


def test_every_file_in_its_tree_is_there() -> None:
    (tree,) = bodies("text")
    base = ROOT
    for line in tree.splitlines():
        names = re.findall(r"^ *\S+|(?<=  )[\w/]+\.py", line)
        if not line.startswith(" "):
            base = ROOT
        for name in names:
            assert (base / name.strip()).exists(), line
        if line.rstrip() == "src/emowhy/":
            base = ROOT / "src/emowhy"


@pytest.mark.parametrize("document", ["CHANGELOG.md", "CITATION.cff"])
def test_the_version_is_the_same_everywhere(document: str) -> None:
    assert PROJECT["version"] in (ROOT / document).read_text(encoding="utf-8")
