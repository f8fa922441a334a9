"""Laws of probing a run: what its system says when it is asked again, what is kept, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from emowhy.bench.probes import ProbeAsk, Replay, probe_run, told
from emowhy.bench.run import Ask, run_tasks
from emowhy.bench.task import find_task, read_split
from emowhy.cli import app
from emowhy.errors import RunError, UsageError
from emowhy.progress import Watch
from emowhy.run import read_manifest, read_rows
from emowhy.types import Clue, Gold, Sample

QUIET = Watch(quiet=True)
Lines = Callable[[Sample], Sequence[Mapping[str, Any]]]


def demo_run(folder: Path, lines: Lines | None = None, limit: int = 12, hints: str = "order") -> Path:
    """A run of the demo whose engine says `lines` of each row (None: the first candidate and the first words)."""
    task, path = find_task("demo")
    task = task.model_copy(update={"metrics": ("graded",)})  # the others load an encoder
    model = None
    if lines is not None:
        model = str(folder / "replies.jsonl")
        samples = read_split(task, path, None, task.split).samples[:limit]
        told = [{"id": sample.id, **line} for sample in samples for line in lines(sample)]
        Path(model).write_text("".join(json.dumps(line) + "\n" for line in told), encoding="utf-8")
    ask = Ask(folder / "run", engine="scripted", models=[model], hints=[hints], arms=(), limit=limit)
    run_tasks(ask, [(task, path)], QUIET)
    return folder / "run"


def reply(emotions: Sequence[str], quotes: Sequence[tuple[int | str, str]]) -> dict[str, Any]:
    causes = [{"turn": place, "quote": quote} for place, quote in quotes]
    fields = {"reasoning": "So.", "emotions": list(emotions), "causes": causes, "explanation": "Because."}
    return {"text": json.dumps(fields)}


def gold_reply(sample: Sample) -> list[dict[str, Any]]:
    """Always the gold, whatever the text has become."""
    gold = sample.gold or Gold()
    quotes = [(c.turn if c.turn is not None else c.observation or "", c.quote) for c in gold.causes or ()]
    return [reply(gold.emotions or (), quotes)]


def test_replay_tells_the_clues_of_each_id_and_nothing_of_others() -> None:
    clue = Clue("emotion", "emotion", "joy", score=0.5)
    replay = Replay({"a": (clue,)}, "as they were")
    assert replay.find_clues([Sample("b", text="x"), Sample("a", text="y")], [[], []]) == [[], [clue]]
    assert replay.identity() == {"name": "replay", "edit": "as they were"}


def value(found: Mapping[str, Any], probe: str, figure: str) -> tuple[float | None, int]:
    told = found["probes"][probe]["figures"][figure]
    return told["value"], told["n"]


def test_an_engine_that_ignores_the_text_never_flips_and_follows_no_wrong_hint(tmp_path: Path) -> None:
    found = probe_run(ProbeAsk(demo_run(tmp_path, gold_reply), draws=2), QUIET)
    for figure in ("flip_quotes", "flip_controls", "flip_difference"):
        assert value(found, "ablation", figure)[0] == 0.0
    assert value(found, "sufficiency", "kept")[0] == 1.0
    for probe in ("wrong_label", "wrong_cause"):
        assert found["probes"][probe]["n"] > 0
        assert value(found, probe, "follow")[0] == 0.0
        assert value(found, probe, "right")[0] == 1.0
    for probe in found["probes"].values():
        assert probe["n"] + sum(probe["left_out"].values()) == 12


def test_a_system_that_copies_the_hint_follows_the_wrong_hint_in_all_rows(tmp_path: Path) -> None:
    run = demo_run(tmp_path, limit=40)
    found = probe_run(ProbeAsk(run, draws=1), QUIET)
    follow, rows = value(found, "wrong_label", "follow")
    assert rows > 3
    assert follow == 1.0
    assert value(found, "wrong_label", "right")[0] == 0.0
    assert 0 < (value(found, "ablation", "flip_quotes")[0] or 0) < 1  # its hints are those of the edited text
    frozen = probe_run(ProbeAsk(run, draws=1, frozen=True), QUIET)
    assert value(frozen, "ablation", "flip_quotes")[0] == 0.0  # and here those of the row as it was
    assert frozen["probes"]["wrong_label"] == found["probes"]["wrong_label"]


def test_frozen_hints_hold_no_word_that_was_taken_out(tmp_path: Path) -> None:
    run = demo_run(tmp_path)
    probe_run(ProbeAsk(run, draws=1, frozen=True), QUIET)
    rows = list(read_rows(run / "demo" / "two_stage-order-probes" / "ablation-frozen"))
    quotes = [clue for one in rows for clue in one["clues"] if clue["kind"] == "cause"]
    assert quotes
    for one in rows:
        for clue in one["clues"]:
            if clue["kind"] == "cause" and "turn" in clue:
                turns = [*one["sample"].get("context", ()), {"text": one["sample"]["text"]}]
                assert turns[clue["turn"]]["text"][clue["start"] : clue["end"]] == clue["quote"]


def test_the_same_command_resumes_asks_nothing_again_and_gives_the_same_bytes(tmp_path: Path) -> None:
    run = demo_run(tmp_path, limit=6)
    probe_run(ProbeAsk(run, draws=2, limit=3), QUIET)
    probe_run(ProbeAsk(run, draws=2), QUIET)
    files = [*run.glob("demo/*-probes/*/explanations.jsonl"), run / "demo" / "probes.json"]
    before = {file: file.read_bytes() for file in files}
    assert len(files) > 4
    probe_run(ProbeAsk(run, draws=2), QUIET)
    assert {file: file.read_bytes() for file in files} == before
    for manifest in run.glob("demo/*-probes/*"):
        assert read_manifest(manifest)["sessions"][-1]["written"] == 0


def test_results_of_several_treatments_stand_beside_each_other(tmp_path: Path) -> None:
    run = demo_run(tmp_path, limit=4)
    for mask, frozen in ((False, False), (True, False), (True, True)):
        probe_run(ProbeAsk(run, draws=1, mask=mask, frozen=frozen), QUIET)
    kept = json.loads((run / "demo" / "probes.json").read_text(encoding="utf-8"))
    assert list(kept["two_stage-order"]) == [
        "words deleted, hints recomputed",
        "words masked, hints frozen",
        "words masked, hints recomputed",
    ]


def test_answers_that_are_missing_on_a_probe_are_counted_and_change_nothing(tmp_path: Path) -> None:
    refusal = {"finish": "refusal", "error": "not again"}

    def lines(sample: Sample) -> list[Mapping[str, Any]]:
        words = sample.words().split()[0]  # the probe's engine is a new one: its first reply is to the first arm
        place = sample.target if sample.text is not None else "face"
        return [reply(["joy"], [(place, words)]), refusal]

    found = probe_run(ProbeAsk(demo_run(tmp_path, lines, limit=6), draws=2), QUIET)
    ablation = found["probes"]["ablation"]
    assert ablation["n"] == 6
    assert ablation["missing"] == {"ablation": 0, "control-seed0-1": 6, "control-seed0-2": 6}
    assert value(found, "ablation", "flip_controls") == (0.0, 6)
    assert ablation["figures"]["flip_controls"]["answered"] is None
    assert value(found, "sufficiency", "kept") == (0.0, 6)
    assert "6 of 6 answers missing in control-seed0-2" in told(found)


def test_rows_without_room_are_counted_not_asked(tmp_path: Path) -> None:
    def lines(sample: Sample) -> list[dict[str, Any]]:
        places: list[tuple[int | str, str]] = [(n, turn.text) for n, turn in sample.turns().items()]
        places += [(name, words) for name, words in sample.observations.items() if words]
        return [reply(["joy"], places[:3])]

    run = demo_run(tmp_path, lines, limit=5)
    found = probe_run(ProbeAsk(run, draws=1), QUIET)
    assert found["probes"]["ablation"]["left_out"] == {"no room for a control": 5}
    assert value(found, "ablation", "flip_quotes") == (None, 0)
    assert not (run / "demo" / "two_stage-order-probes" / "ablation").exists()


def test_without_hints_none_can_be_wrong(tmp_path: Path) -> None:
    found = probe_run(ProbeAsk(demo_run(tmp_path, limit=4, hints="none"), draws=1), QUIET)
    assert list(found["probes"]) == ["ablation", "sufficiency"]
    assert "No wrong hints" in told(found)


@pytest.mark.parametrize(("key", "cure"), [("templates", "--prompts"), ("sha256", "make the run anew")])
def test_a_system_that_is_not_what_it_was_is_refused(tmp_path: Path, key: str, cure: str) -> None:
    run = demo_run(tmp_path, gold_reply, limit=3)
    manifest = run / "demo" / "two_stage-order" / "run.json"
    kept = json.loads(manifest.read_text(encoding="utf-8"))
    kept["asked"][key] = "0" * 16
    manifest.write_text(json.dumps(kept), encoding="utf-8")
    with pytest.raises(RunError) as told_error:
        probe_run(ProbeAsk(run), QUIET)
    assert key in told_error.value.message
    assert cure in told_error.value.cure


def test_an_unknown_system_or_task_is_refused_and_the_known_ones_are_named(tmp_path: Path) -> None:
    run = demo_run(tmp_path, limit=2)
    for ask in (ProbeAsk(run, system="two_stage-ordr"), ProbeAsk(run, task="dem")):
        with pytest.raises(UsageError, match=r"did you mean '(two_stage-order|demo)'"):
            probe_run(ask, QUIET)
    with pytest.raises(UsageError, match="draws must be at least 1"):
        ProbeAsk(run, draws=0)


def test_the_command_prints_what_the_function_gives(tmp_path: Path) -> None:
    run = demo_run(tmp_path, limit=4)
    asked = ["bench", "probe", str(run), "--draws", "1", "--quiet"]
    shown = CliRunner().invoke(app, asked)
    assert shown.exit_code == 0
    found = probe_run(ProbeAsk(run, draws=1), QUIET)
    assert shown.stdout == told(found)
    assert json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout) == found
