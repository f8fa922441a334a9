"""Laws of `emowhy clues`: one line a sample, whatever it says."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from emowhy.cli import app

TEXTS = ["They cancelled it and nobody even told us!", "Thank you so much 😀", "…", "日本語のテキスト", "ok"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("EMOWHY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    rows = [{"id": f"r{i}", "text": text} for i, text in enumerate(TEXTS)]
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def clues(*arguments: str, **how: Any) -> Any:
    return CliRunner().invoke(app, ["clues", *arguments], **how)


def test_every_sample_gets_a_line_in_order_with_its_clues() -> None:
    done = clues("in.jsonl")
    assert (done.exit_code, done.stderr) == (0, "")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["id"] for row in rows] == [f"r{i}" for i in range(len(TEXTS))]
    assert all(set(row) == {"id", "clues"} for row in rows)
    assert {clue["kind"] for row in rows for clue in row["clues"]} == {"emotion", "cause"}
    for row, text in zip(rows, TEXTS, strict=True):
        for clue in row["clues"]:
            assert clue["source"]
            if "quote" in clue:
                assert text[clue["start"] : clue["end"]] == clue["quote"]
            if "score" in clue:
                assert 0 <= clue["score"] <= 1


@pytest.mark.parametrize("most", [1, 3])
def test_so_many_labels_are_given_as_are_asked_for_the_likeliest_first(most: int) -> None:
    first = json.loads(clues("in.jsonl", "--specialist", "emotion", "--top-k", str(most)).stdout.splitlines()[0])
    assert len(first["clues"]) == most
    scores = [clue["score"] for clue in first["clues"]]
    assert scores == sorted(scores, reverse=True)


def test_labels_are_of_the_label_set_that_was_asked_for() -> None:
    done = clues("in.jsonl", "--specialist", "emotion", "--labels", "ekman", "--limit", "1", "--top-k", "99")
    found = {clue["label"] for clue in json.loads(done.stdout)["clues"]}
    assert found
    assert found <= {"anger", "disgust", "fear", "joy", "sadness", "surprise", "neutral"}


def test_a_plug_in_specialist_is_asked() -> None:
    Path("shouting_beside.py").write_text(
        "from emowhy.specialists import Specialist\n"
        "from emowhy.types import Clue\n"
        "class Shouting(Specialist):\n"
        "    name, kind = 'shouting', 'style'\n"
        "    def find_clues(self, samples, clues):\n"
        "        return [[Clue('style', self.name, label='long')] if len(s.words()) > 30 else [] for s in samples]\n"
    )
    rows = [
        json.loads(line) for line in clues("in.jsonl", "--specialist", "shouting_beside:Shouting").stdout.splitlines()
    ]
    assert rows[0]["clues"] == [{"kind": "style", "source": "shouting", "label": "long", "chosen": False}]
    assert all(row["clues"] == [] for row in rows[1:])


def test_an_engine_is_asked_by_a_specialist_that_wants_one_and_loaded_for_no_other() -> None:
    Path("engine_beside.py").write_text(
        "from emowhy.engines import Engine\n"
        "from emowhy.specialists import Specialist\n"
        "from emowhy.types import Clue\n"
        "class Flat(Engine):\n"
        "    name = 'flat'\n"
        "    def token_logprobs(self, chats, continuations):\n"
        "        return [[(text, -1.0)] for text in continuations]\n"
        "class Sure(Specialist):\n"
        "    name, kind = 'sure', 'sure'\n"
        "    def __init__(self, engine):\n"
        "        self.engine = engine\n"
        "    def find_clues(self, samples, clues):\n"
        "        return [[Clue('sure', self.name, value=self.engine.logprobs([0], [''])[0])] for _ in samples]\n"
    )
    engine = ("--engine", "engine_beside:Flat", "--model", "m")
    rows = clues("in.jsonl", "--specialist", "engine_beside:Sure", *engine).stdout.splitlines()
    assert [json.loads(row)["clues"][0]["value"] for row in rows] == [-1.0] * len(TEXTS)
    assert clues("in.jsonl", "--specialist", "emotion", "--engine", "no_such_engine").exit_code == 0
    refused = clues("in.jsonl", "--specialist", "likelihood", "--engine", "scripted")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--engine transformers" in refused.stderr


def test_rows_that_cannot_be_read_are_named_on_stderr_and_counted() -> None:
    done = clues("-", "--specialist", "emotion", input='{"id": "a"}\n{"id": "b", "text": "It broke."}\n')
    assert done.exit_code == 0
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["b"]
    assert done.stderr.splitlines() == ["line 1 rejected: neither text nor observation", "1 rows rejected"]


@pytest.mark.parametrize(
    ("arguments", "told", "cure"),
    [
        (["inn.jsonl"], "there is no file 'inn.jsonl'", "did you mean in.jsonl?"),
        (["in.jsonl", "--specialist", "emotoin"], "no specialist 'emotoin'", "did you mean 'emotion'?"),
        (["in.jsonl", "--labels", "ekmann"], "unknown label set 'ekmann'", "did you mean 'ekman'?"),
        (["in.jsonl", "--column", "text=words"], "the input has no column 'words'", "known: id, text"),
    ],
)
def test_what_is_missing_is_told_with_its_cure(arguments: list[str], told: str, cure: str) -> None:
    done = clues(*arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    first, second = done.stderr.splitlines()
    assert first.startswith(f"emowhy: {told}")
    assert cure in second
