"""Laws of a batch: resumed, deduplicated, stopped in time, every row accounted for."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from emowhy.batch import PROBED, Allowed, TooManyFailures, explain_rows, spell_seconds
from emowhy.cli import app
from emowhy.engines.base import Engine
from emowhy.engines.scripted import ScriptedEngine
from emowhy.errors import EngineError, RunError, UsageError
from emowhy.progress import Watch
from emowhy.prompt import load_strategy
from emowhy.read import Rejected
from emowhy.reasoner import Reasoner
from emowhy.run import Run, read_manifest, read_rows
from emowhy.taxonomy import find_taxonomy
from emowhy.types import Chat, Gold, Reply, Sample, Sampling, Turn

REPLIES = {
    "error": Reply(finish="error", error="the line went dead"),
    "refused": Reply(finish="refusal", error="not this one"),
    "unparsed": Reply("I would rather talk about the weather."),
    "truncated": Reply('{"reasoning": "They', finish="length"),
}


class Told(Engine):
    """Answers each id with the status it is told (ok where it is told nothing); `asked` counts its chats."""

    name = "told"
    batch_size = 4

    def __init__(self, **statuses: str) -> None:
        self.statuses = statuses
        self.asked: Counter[str] = Counter()
        self._good = ScriptedEngine()

    def generate(self, chats: Sequence[Chat]) -> list[Reply]:
        return [self._reply(chat) for chat in chats]

    def _reply(self, chat: Chat) -> Reply:
        id = chat.about["id"]
        self.asked[id] += 1
        return REPLIES.get(self.statuses.get(id, "ok")) or self._good.generate([chat])[0]


def sample(number: int, text: str | None = None, **more: Any) -> Sample:
    return Sample(f"r{number}", text or f"They cancelled flight {number}.", **more)


SIX = [sample(i) for i in range(6)]


def explain(
    folder: Path,
    rows: Iterable[Sample | Rejected],
    engine: Engine | None = None,
    *,
    sampling: Sampling | None = None,
    votes: int = 1,
    watch: Watch | None = None,
    **how: Any,
) -> dict[str, dict[str, Any]]:
    """The rows of the run after this session, by id."""
    reasoner = Reasoner(
        engine or Told(),
        load_strategy("direct"),
        find_taxonomy("ekman"),
        hints="none",
        sampling=sampling or Sampling(),
        votes=votes,
    )
    with Run(folder, reasoner.identity()) as run:
        explain_rows(reasoner, rows, run, watch or Watch(quiet=True), **how)
    return held(folder)


def held(folder: Path) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in read_rows(folder)}


def statuses(rows: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {id: row["status"] for id, row in rows.items()}


# Resuming -------------------------------------------------------------------------------------------------------


def test_good_rows_are_kept_and_errors_tried_again(tmp_path: Path) -> None:
    first = explain(tmp_path / "run", SIX, Told(r1="error", r4="error"))
    assert statuses(first) == {"r0": "ok", "r1": "error", "r2": "ok", "r3": "ok", "r4": "error", "r5": "ok"}
    assert first["r1"]["error"] == "the line went dead"
    engine = Told(r4="error")
    second = explain(tmp_path / "run", SIX, engine)
    assert engine.asked == {"r1": 1, "r4": 1}
    assert list(second) == list(first) == [one.id for one in SIX]
    assert (second["r1"]["status"], second["r1"]["attempts"]) == ("ok", 2)
    assert (second["r4"]["status"], second["r4"]["attempts"]) == ("error", 2)
    third = explain(tmp_path / "run", SIX)
    assert (third["r4"]["status"], third["r4"]["attempts"]) == ("ok", 3)
    assert {id: third[id] for id in ("r0", "r2", "r3", "r5")} == {id: first[id] for id in ("r0", "r2", "r3", "r5")}
    assert read_manifest(tmp_path / "run")["counts"] == {
        "rows": 6, "ok": 6, "error": 0, "refused": 0, "truncated": 0, "unparsed": 0, "rejected": 0
    }  # fmt: skip


@pytest.mark.parametrize("status", ["unparsed", "truncated", "refused"])
def test_other_failures_are_tried_again_only_when_asked(tmp_path: Path, status: str) -> None:
    first = explain(tmp_path / "run", SIX, Told(r2=status))
    assert first["r2"]["status"] == status
    engine = Told()
    assert explain(tmp_path / "run", SIX, engine) == first
    assert not engine.asked
    after = explain(tmp_path / "run", SIX, engine, retry=True)
    assert engine.asked == {"r2": 1}
    assert after["r2"]["status"] == "ok"
    assert after["r2"]["attempts"] > first["r2"]["attempts"]
    assert len(after) == len(SIX)


def test_input_that_grew_adds_its_new_rows_only(tmp_path: Path) -> None:
    explain(tmp_path / "run", SIX[:3])
    engine = Told()
    grown = explain(tmp_path / "run", [SIX[0], SIX[5], SIX[1], SIX[2], SIX[4]], engine)
    assert engine.asked == {"r5": 1, "r4": 1}
    assert [(row["id"], row["index"]) for row in grown.values()] == [
        ("r0", 0), ("r5", 1), ("r1", 2), ("r2", 3), ("r4", 4)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "changed",
    [
        replace(SIX[1], text="Something else."),
        replace(SIX[1], speaker="A"),
        replace(SIX[1], context=(Turn("Before."),)),
        replace(SIX[1], observations={"face": "a frown"}),
    ],
    ids=["text", "speaker", "context", "observations"],
)
def test_an_old_id_with_new_content_is_refused_by_name(tmp_path: Path, changed: Sample) -> None:
    before = explain(tmp_path / "run", SIX[:3])
    with pytest.raises(RunError, match="row 'r1' has other content") as caught:
        explain(tmp_path / "run", [SIX[0], changed, SIX[2]])
    assert caught.value.exit_code == 2
    assert held(tmp_path / "run") == before


def test_an_old_id_may_have_new_gold_and_new_columns(tmp_path: Path) -> None:
    explain(tmp_path / "run", SIX[:2])
    engine = Told()
    explain(tmp_path / "run", [replace(SIX[0], gold=Gold(emotions=("joy",)), extra={"n": 1}), SIX[1]], engine)
    assert not engine.asked


def test_reordered_input_gives_its_own_order(tmp_path: Path) -> None:
    first = explain(tmp_path / "run", SIX)
    engine = Told()
    turned = explain(tmp_path / "run", SIX[::-1], engine)
    assert not engine.asked
    assert [row["id"] for row in turned.values()] == [one.id for one in SIX[::-1]]
    assert [row["index"] for row in turned.values()] == list(range(6))
    assert all({**row, "index": 5 - row["index"]} == first[id] for id, row in turned.items())


def test_rows_that_left_the_input_stay_at_the_end(tmp_path: Path) -> None:
    first = explain(tmp_path / "run", SIX)
    rest = explain(tmp_path / "run", [SIX[4], SIX[2]])
    assert list(rest)[:2] == ["r4", "r2"]
    assert set(rest) == set(first)
    assert {id: row["explanation"] for id, row in rest.items()} == {id: row["explanation"] for id, row in first.items()}


def test_an_engine_that_is_gone_ends_the_session_with_what_was_finished_saved(tmp_path: Path) -> None:
    class Dying(Told):
        def generate(self, chats: Sequence[Chat]) -> list[Reply]:
            if sum(self.asked.values()) >= 8:
                raise EngineError("out of memory", "a smaller batch")
            return super().generate(chats)

    many = [sample(i) for i in range(20)]
    with pytest.raises(EngineError, match="out of memory"):
        explain(tmp_path / "run", many, Dying())
    assert list(held(tmp_path / "run")) == [f"r{i}" for i in range(8)]
    engine = Told()
    assert len(explain(tmp_path / "run", many, engine)) == 20
    assert sum(engine.asked.values()) == 12


# Equal rows -----------------------------------------------------------------------------------------------------


def twins(number: int) -> list[Sample]:
    """So many rows that a model cannot tell apart, each with gold and columns of its own."""
    return [
        Sample(f"t{i}", "They did it again.", gold=Gold(emotions=(("joy", "anger")[i % 2],)), extra={"n": i})
        for i in range(number)
    ]


def test_equal_rows_are_generated_once(tmp_path: Path) -> None:
    engine = Told()
    rows = explain(tmp_path / "run", [*SIX[:2], *twins(9), *SIX[2:]], engine)
    assert engine.asked == {"t0": 1, **{one.id: 1 for one in SIX}}
    first = rows["t0"]
    assert first["same_as"] is None
    for i in range(1, 9):
        row = rows[f"t{i}"]
        assert row["same_as"] == "t0"
        assert row["usage"] == {"prompt": 0, "completion": 0}
        assert all(step["usage"] == row["usage"] for step in row["steps"])
        assert row["seconds"] == 0
        assert row["extra"] == {"n": i}
        assert row["index"] == 2 + i
        assert row["sample"]["gold"]["emotions"] == [("joy", "anger")[i % 2]]
        for name in ("status", "emotions", "causes", "reasoning", "explanation", "content"):
            assert row[name] == first[name]
    assert first["usage"]["completion"] > 0
    tally = read_manifest(tmp_path / "run")["sessions"][0]
    assert (tally["written"], tally["copied"]) == (15, 8)


def test_equal_rows_are_generated_once_across_sessions(tmp_path: Path) -> None:
    explain(tmp_path / "run", twins(1))
    engine = Told()
    rows = explain(tmp_path / "run", twins(3), engine)
    assert not engine.asked
    assert [row["same_as"] for row in rows.values()] == [None, "t0", "t0"]


@pytest.mark.parametrize("how", [{"sampling": Sampling(temperature=0.7)}, {"votes": 3}], ids=["temperature", "votes"])
def test_equal_rows_that_are_drawn_are_generated_each(tmp_path: Path, how: Any) -> None:
    engine = Told()
    rows = explain(tmp_path / "run", twins(5), engine, **how)
    assert engine.asked == {f"t{i}": 1 for i in range(5)}
    assert all(row["same_as"] is None for row in rows.values())


def test_a_copy_waits_for_the_first_where_that_is_still_in_flight(tmp_path: Path) -> None:
    class Backwards(Told):
        """Everything is taken before anything is answered, the last first."""

        def stream(self, take: Any) -> Any:
            flying: list[Chat] = []
            while True:
                if chats := take(3):
                    flying += chats
                elif flying:
                    chat = flying.pop()
                    yield chat, self._reply(chat)
                else:
                    return

    engine = Backwards()
    rows = explain(tmp_path / "run", [*twins(3), *SIX, *twins(6)[3:]], engine)
    assert engine.asked == {"t0": 1, **{one.id: 1 for one in SIX}}
    assert [row["same_as"] for id, row in rows.items() if id[0] == "t"] == [None, *["t0"] * 5]
    assert [row["index"] for row in rows.values()] == list(range(12))


def test_more_equal_rows_than_may_wait_are_all_answered(tmp_path: Path) -> None:
    engine = Told()
    rows = explain(tmp_path / "run", [*twins(2500), sample(1)], engine)
    assert len(rows) == 2501
    assert engine.asked == {"t0": 1, "r1": 1}


def test_a_failure_is_copied_as_one_and_tried_again_once_for_all(tmp_path: Path) -> None:
    rows = explain(tmp_path / "run", twins(3), Told(t0="error"))
    assert statuses(rows) == {"t0": "error", "t1": "error", "t2": "error"}
    assert [row["same_as"] for row in rows.values()] == [None, "t0", "t0"]
    engine = Told()
    rows = explain(tmp_path / "run", twins(3), engine)
    assert engine.asked == {"t0": 1}
    assert statuses(rows) == {"t0": "ok", "t1": "ok", "t2": "ok"}
    assert [row["attempts"] for row in rows.values()] == [2, 2, 2]


# Too many failures ----------------------------------------------------------------------------------------------

BAD = Rejected(3, "neither text nor observation")


@pytest.mark.parametrize(
    ("text", "failed", "total", "too_many"),
    [
        ("0", 1, None, True), ("0", 0, None, False), ("3", 3, 10, False), ("3", 4, None, True),
        ("10%", 1, 10, False), ("10%", 2, 10, True), ("0%", 1, 1000, True), ("100%", 10, 10, False),
        ("2.5%", 1, 40, False), ("2.5%", 2, 40, True), ("5%", 1000, None, False), (" 5 % ", 2, 20, True),
    ],
)  # fmt: skip
def test_failures_are_too_many_when_there_are_more_than_allowed(
    text: str, failed: int, total: int | None, too_many: bool
) -> None:
    allowed = Allowed.parse(text)
    assert allowed is not None
    assert allowed.exceeded(failed, total) == too_many


@pytest.mark.parametrize("text", ["", "-1", "many", "5.5", "101%", "-1%", "%", "nan%", "inf%", "1e3"])
def test_a_number_of_failures_that_is_none_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="is no number of rows"):
        Allowed.parse(text)


def test_no_limit_is_the_default() -> None:
    assert Allowed.parse(None) is None


def test_a_session_stops_as_soon_as_too_many_failures_are_certain_with_the_others_saved(tmp_path: Path) -> None:
    many = [sample(i) for i in range(100)]
    engine = Told(r1="error", r6="unparsed", r9="refused")
    with pytest.raises(TooManyFailures, match="3 rows failed, more than the 2 rows allowed") as caught:
        explain(tmp_path / "run", many, engine, allowed=Allowed(2), total=100)
    assert caught.value.exit_code == 3
    assert max(int(id[1:]) for id in engine.asked) < 16, "it went on although it was certain"
    assert set(held(tmp_path / "run")) == {f"r{i}" for i in range(10)}
    assert read_manifest(tmp_path / "run")["state"] == "stopped"


def test_rejected_rows_count_as_failures(tmp_path: Path) -> None:
    with pytest.raises(TooManyFailures, match="2 rows failed"):
        explain(tmp_path / "run", [*SIX, BAD, BAD], allowed=Allowed(1))
    with pytest.raises(TooManyFailures, match="2 rows failed, more than the 1 rows allowed"):
        explain(tmp_path / "other", [BAD, SIX[0], SIX[1]], Told(r1="error"), allowed=Allowed(1))


def test_failures_of_an_earlier_session_that_stand_count(tmp_path: Path) -> None:
    explain(tmp_path / "run", SIX, Told(r0="unparsed", r1="unparsed"))
    with pytest.raises(TooManyFailures):
        explain(tmp_path / "run", SIX, allowed=Allowed(1))
    explain(tmp_path / "run", SIX, allowed=Allowed(1), retry=True)


def test_a_share_of_unknown_many_rows_is_judged_at_the_end_and_the_run_is_finished_all_the_same(
    tmp_path: Path,
) -> None:
    with pytest.raises(TooManyFailures, match="2 rows failed, more than the 30% of the rows allowed"):
        explain(tmp_path / "run", SIX[::-1], Told(r5="error", r4="error"), allowed=Allowed.parse("30%"))
    assert list(held(tmp_path / "run")) == [one.id for one in SIX[::-1]]
    assert read_manifest(tmp_path / "run")["state"] == "done"
    explain(tmp_path / "other", SIX, Told(r5="error", r4="error"), allowed=Allowed.parse("34%"))


# Watching -------------------------------------------------------------------------------------------------------


def watched(
    tmp_path: Path, rows: Iterable[Sample | Rejected], engine: Engine | None = None, quiet: bool = False, **how: Any
) -> str:
    with (tmp_path / "said").open("w+") as file:
        watch = Watch(quiet, Console(file=file, highlight=False, width=80))
        explain(tmp_path / "run", rows, engine, watch=watch, **how)
        file.seek(0)
        return file.read()


def test_an_estimate_comes_once_so_many_rows_were_probed(tmp_path: Path) -> None:
    said = watched(tmp_path, [sample(i) for i in range(50)], total=50)
    assert said.count("estimate: 50 rows, ") == 1
    assert said.count("\n") == 1, "a line was broken"
    assert f"({PROBED} rows probed; full batches are quicker)" in said


def test_an_estimate_without_a_total_says_what_a_row_takes(tmp_path: Path) -> None:
    assert "estimate: an unknown number of rows, " in watched(tmp_path, SIX)


@pytest.mark.parametrize("rows", [0, 1, PROBED - 1])
def test_so_few_rows_need_no_estimate(tmp_path: Path, rows: int) -> None:
    assert watched(tmp_path, SIX[:rows], total=rows) == ""


def test_the_probe_holds_other_rows_back_until_it_is_over(tmp_path: Path) -> None:
    taken: list[int] = []

    class Counting(Told):
        batch_size = 32

        def generate(self, chats: Sequence[Chat]) -> list[Reply]:
            taken.append(len(chats))
            return super().generate(chats)

    explain(tmp_path / "run", [sample(i) for i in range(40)], Counting())
    assert taken == [PROBED, 32, 4]


def test_elsewhere_than_on_a_terminal_a_line_comes_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emowhy.progress._LINE_EVERY", 0.0)
    said = watched(tmp_path, [*SIX, BAD], Told(r1="error"), total=7).splitlines()
    lines = [line for line in said if "rows/s" in line]
    assert len(lines) == 7
    assert lines[0].startswith("1 of 7 rows, ")
    assert lines[-1].startswith("7 of 7 rows, ")
    assert ", 2 failed, about 1 s left" in lines[-1]


def test_on_a_terminal_there_is_a_bar(tmp_path: Path) -> None:
    said = io.StringIO()
    with Watch(False, Console(file=said, force_terminal=True, width=120)) as watch:
        explain(tmp_path / "run", SIX, watch=watch, total=6)
    assert "6/6" in said.getvalue()


def test_rates_are_plain_figures() -> None:
    watch = Watch(quiet=True)
    watch.rows, watch.tokens = 10**9, 0
    assert re.fullmatch(r"[\d,]+ rows/s, 0 tokens/s", watch.rates())


def test_quiet_says_nothing(tmp_path: Path) -> None:
    assert watched(tmp_path, [*SIX, BAD], quiet=True, total=7) == ""


def test_the_first_rejections_are_told_and_then_only_where_to_look(tmp_path: Path) -> None:
    said = watched(tmp_path, [BAD] * 20).splitlines()
    assert said == [
        *["row rejected: line 3: neither text nor observation"] * 5,
        "more rows rejected: see rejected.jsonl",
    ]


def test_what_is_noted_is_printed_as_it_is(tmp_path: Path) -> None:
    with (tmp_path / "said").open("w+") as file:
        Watch(False, Console(file=file, width=20)).note("a long path/[bold]of/:smile:/names")
        file.seek(0)
        assert file.read() == "a long path/[bold]of/:smile:/names\n"


@pytest.mark.parametrize(
    ("seconds", "spelled"),
    [(0, "1 s"), (40.4, "40 s"), (99, "99 s"), (720, "12 min"), (12_000, "3 h 20 min"), (360_000, "100 h 0 min")],
)
def test_a_time_is_spelled_for_people(seconds: float, spelled: str) -> None:
    assert spell_seconds(seconds) == spelled


# Every row accounted for, through the command -------------------------------------------------------------------

GOOD = {"text": "They cancelled it."}

BAD_LINES: list[tuple[bytes, str]] = [
    (b"{not json", "broken JSON"),
    (b'{"id": "half", "text": "cut o', "broken JSON"),
    (b"[1, 2]", "expected an object"),
    (b'"just a string"', "expected an object"),
    (b"null", "expected an object"),
    (b'{"id": "n1", "text": 5}', "text: expected a string"),
    (b'{"id": "n2"}', "neither text nor observation"),
    (b'{"id": "n3", "text": ""}', "blank text and no observation"),
    (b'{"id": "n4", "text": "\xe2\x80\x8b \xc2\xa0"}', "blank text and no observation"),
    (b'{"id": "n5", "observations": {"face": null}}', "neither text nor observation"),
    (b'{"id": "n6", "text": "a\\u0000b"}', "NUL"),
    (b'{"id": "n7", "text": "a\\ud800b"}', "lone surrogate"),
    (b'{"id": "n8", "text": "\xff\xfe"}', "not UTF-8"),
    (b'{"id": "n9", "text": "x", "n": NaN}', "NaN"),
    (b'{"id": "n10", "text": "x", "n": 1e999}', "infinite"),
    (b'{"id": "n11", "text": "x", "context": "before"}', "context: expected a list"),
    (b'{"id": "n12", "text": "x", "context": [{"speaker": "A"}]}', "context[0].text: expected a string"),
    (b'{"id": "n13", "text": "x", "observations": ["face"]}', "observations: expected an object"),
    (b'{"id": "n14", "text": "x", "gold": "joy"}', "gold: expected an object"),
    (b'{"id": 1.5, "text": "x"}', "id: expected a string or an integer"),
    (b'{"id": "g0", "text": "the same id again"}', "id 'g0' was already used"),
    (b'{"id": "deep", "text": "x", "more": ' + b"[" * 200 + b"]" * 200 + b"}", "nested"),
    (b'{"id": "long", "text": "' + b"x" * (16 * 2**20) + b'"}', "line too long"),
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("EMOWHY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(*arguments: str, source: str = "in.jsonl", **how: Any) -> Any:
    line = ["explain", source, "-o", "run", "--engine", "scripted", "--hints", "none", *arguments]
    return CliRunner().invoke(app, line, **how)


@pytest.mark.parametrize("packed", [False, True])
def test_every_row_is_explained_or_rejected_with_its_line_and_the_reason(here: Path, packed: bool) -> None:
    lines: list[bytes] = []
    expected: dict[int, str] = {}
    for number, (bad, reason) in enumerate(BAD_LINES):
        lines.append(json.dumps({"id": f"g{number}", **GOOD, "text": f"Number {number}."}).encode())
        lines.append(bad)
        expected[len(lines)] = reason
        if number % 5 == 0:
            lines.append(b"   ")  # a blank line is no row
    data = b"\n".join(lines) + b"\n"
    name = "in.jsonl.gz" if packed else "in.jsonl"
    Path(name).write_bytes(gzip.compress(data) if packed else data)
    done = command(source=name)
    assert done.exit_code == 0, done.stderr
    rejected = [json.loads(line) for line in Path("run/rejected.jsonl").read_text().splitlines()]
    assert [row["line"] for row in rejected] == list(expected)
    for row in rejected:
        assert expected[row["line"]] in row["reason"]
    rows = held(Path("run"))
    assert list(rows) == [f"g{i}" for i in range(len(BAD_LINES))]
    assert len(rows) + len(rejected) == sum(1 for line in lines if line.strip())
    manifest = read_manifest(Path("run"))
    assert manifest["counts"]["rejected"] == len(rejected)
    assert f"{len(rows)} rows: {len(rows)} ok; {len(rejected)} rejected" in done.stderr
    again = command(source=name)
    assert again.exit_code == 0
    assert len(Path("run/rejected.jsonl").read_text().splitlines()) == len(rejected), "rejections doubled on resuming"


def test_too_many_failures_end_with_3_and_a_summary_that_says_so(here: Path) -> None:
    lines = [json.dumps({"id": f"g{i}", "text": f"Number {i}."}) for i in range(10)] + ['{"id": "b"}', '{"id": "c"}']
    Path("in.jsonl").write_text("\n".join([*lines, json.dumps({"id": "last", "text": "Last."})]))
    stopped = command("--max-failures", "1", "--json")
    assert stopped.exit_code == 3
    assert "emowhy: 2 rows failed, more than the 1 rows allowed" in stopped.stderr
    assert "2 rejected; stopped before the input's end" in stopped.stderr
    summary = json.loads(stopped.stdout)
    assert (summary["failed"], summary["whole"]) == (2, False)
    assert Path("run/report.html").exists()
    by_share = command("--max-failures", "20%", "--json")
    assert by_share.exit_code == 0, by_share.stderr
    assert (json.loads(by_share.stdout)["failed"], json.loads(by_share.stdout)["whole"]) == (2, True)
    assert set(held(Path("run"))) == {*(f"g{i}" for i in range(10)), "last"}
    at_the_end = command("--max-failures", "1%", source="-", input=Path("in.jsonl").read_text())
    assert at_the_end.exit_code == 3
    assert "2 rows failed, more than the 1% of the rows allowed" in at_the_end.stderr


def test_a_bad_number_of_failures_ends_with_2_before_anything_is_loaded(here: Path) -> None:
    Path("in.jsonl").write_text(json.dumps(GOOD))
    refused = command("--max-failures", "some", "--model", "no-such-script.jsonl")
    assert refused.exit_code == 2
    assert "--max-failures 'some' is no number of rows" in refused.stderr
    assert not Path("run").exists()


# Memory ---------------------------------------------------------------------------------------------------------

PEAK = """
import sys
from emowhy.cli import app
app(sys.argv[1:], standalone_mode=False)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="a process's peak is read from /proc")
def test_memory_does_not_grow_with_the_run(here: Path) -> None:
    def peak(rows: int) -> float:
        """MB at most."""
        name = f"{rows}.jsonl"
        with Path(name).open("w") as file:
            for i in range(rows):
                file.write(json.dumps({"id": f"row-{i}", "text": f"They cancelled flight {i}."}) + "\n")
        command = [sys.executable, "-c", PEAK, "explain", name, "-o", f"run-{rows}", "--engine", "scripted", "--quiet"]
        command += ["--hints", "none", "--labels", "ekman", "--strategy", "direct"]
        done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=True)
        assert read_manifest(here / f"run-{rows}")["counts"]["ok"] == rows
        return int(done.stdout) / 1024

    assert peak(20_000) - peak(2_000) < 50
