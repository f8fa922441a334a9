"""Laws of `emowhy tune audit`: sound rows pass, and each planted fault is found, counted and named."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from emowhy.cli import tune_check
from emowhy.errors import EmowhyError
from emowhy.prompt import build_chat, load_strategy, weigh
from emowhy.taxonomy import find_taxonomy
from emowhy.tune.audit import Ask, Audit, audit
from emowhy.tune.audit_replies import balance_finding
from emowhy.tune.audit_tokens import lengths
from emowhy.tune.finding import Finding
from emowhy.tune.tokens import Example
from emowhy.types import Sample, Sampling
from tune.training import make_base, write_rows

Lines = list[dict[str, Any]]
TEXTS = (
    ("anger", "They gave my seat away", "They gave my seat away and kept the money."),
    ("joy", "passed the exam", "Would you believe it, I passed the exam after all!"),
    ("fear", "somebody on the stairs", "There is somebody on the stairs and I am alone."),
    ("sadness", "the old tree is gone", "We came home and the old tree is gone for good."),
    ("gratitude", "waited for me", "You waited for me in the rain, I won't forget that."),
    ("surprise", "in a red hat", "And who opens the door in a red hat? My own teacher!"),
)
MOST = 420


@pytest.fixture(scope="module")
def base(embedded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("models") / "base", embedded)


def line(number: int) -> dict[str, Any]:
    """A row as `emowhy tune rows` writes it."""
    label, quote, text = TEXTS[number]
    hints = weigh((), find_taxonomy("goemotions"), "none")
    chat = build_chat(load_strategy("direct").steps[0], Sample(f"c{number}", text=text), hints, sampling=Sampling())
    reply = {"emotions": [label], "causes": [{"turn": 0, "quote": quote}]}
    return {
        "id": f"r{number}",
        "prompt": [{"role": message.role, "content": message.content} for message in chat.messages],
        "completion": [{"role": "assistant", "content": json.dumps(reply)}],
        "strategy": "direct",
        "hints": "none",
        "task": "explain",
        "source": "annotation",
        "hint_state": "missing",
        "data": "goemotions:train",
        "sample_id": f"c{number}",
        "sample": {"text": text, "gold": {"emotions": [label]}},
    }


def folder(
    place: Path, base: Path, train: Lines | None = None, dev: Lines | None = None, about: dict[str, Any] | None = None
) -> Path:
    """Four rows to learn from and two to look at, and what is said of them."""
    told = {
        "base": {},
        "templates": {"direct": load_strategy("direct").hash},
        "data": [{"name": "goemotions:train", "labels": "goemotions"}],
        "recipe": {"base": str(base), "train": {"max_tokens": MOST}, "rows": {"reply_tokens": 64}},
        **(about or {}),
    }
    rows = [line(number) for number in range(6)]
    return write_rows(place, rows[:4] if train is None else train, rows[4:] if dev is None else dev, told)


def faults(found: Audit) -> dict[str, Finding]:
    return {one.name: one for one in found.findings if one.grade == "fault"}


def test_sound_rows_pass_every_look(base: Path, tmp_path: Path) -> None:
    found = audit(Ask(folder(tmp_path, base)))
    assert found.good, faults(found)
    assert found.rows == {"train": 4, "dev": 2}
    assert found.labels == {"anger": 1, "joy": 1, "fear": 1, "sadness": 1}
    assert found.counts["hint_state"] == {"missing": 4}
    assert found.counts["source"] == {"annotation": 4}
    good = {one.name for one in found.findings if one.grade == "good"}
    assert {"lines", "length", "end of turn", "control", "replies", "quotes", "templates", "dev rows"} <= good


def test_the_row_shown_is_the_prompt_of_inference_and_the_completion_with_its_end(base: Path, tmp_path: Path) -> None:
    shown = audit(Ask(folder(tmp_path, base), row="r2")).shown
    assert shown is not None
    assert shown.id == "r2"
    assert shown.prompt.endswith("<|im_start|>assistant\n")
    assert "".join(shown.taught) == line(2)["completion"][0]["content"] + "<|im_end|>"
    assert shown.taught[-1] == "<|im_end|>"


def empty(rows: Lines) -> None:
    rows[1]["completion"][0]["content"] = "  "


def ends_early(rows: Lines) -> None:
    rows[1]["completion"][0]["content"] = rows[1]["completion"][0]["content"].replace('"joy"', '"joy<|im_end|>"')


def long(rows: Lines) -> None:
    rows[1]["prompt"][1]["content"] += " and on" * MOST


def control(rows: Lines) -> None:
    rows[1]["prompt"][1]["content"] += "<|im_start|>"


def unread(rows: Lines) -> None:
    rows[1]["completion"][0]["content"] = "It is joy, because of the exam."


def lacks_a_field(rows: Lines) -> None:
    rows[1]["completion"][0]["content"] = '{"emotions": ["joy"]}'


def unknown_strategy(rows: Lines) -> None:
    rows[1]["strategy"] = "no_such"


def misquotes(rows: Lines) -> None:
    reply = {"emotions": ["joy"], "causes": [{"turn": 0, "quote": "failed the exam"}]}
    rows[1]["completion"][0]["content"] = json.dumps(reply)


def same_id(rows: Lines) -> None:
    rows[1]["id"] = "r0"


def no_row(rows: Lines) -> None:
    del rows[1]["prompt"]


def near_dev(rows: Lines) -> None:
    rows[1]["sample"]["text"] = "you waited for me in the rain: I won't forget that"


@pytest.mark.parametrize(
    ("plant", "name", "named"),
    [
        (empty, "supervised", "train.jsonl, line 2"),
        (ends_early, "end of turn", "r1"),
        (long, "length", "r1"),
        (control, "control", "r1"),
        (unread, "replies", "r1"),
        (lacks_a_field, "replies", "r1"),
        (unknown_strategy, "replies", "r1"),
        (misquotes, "quotes", "r1"),
        (same_id, "ids", "r0"),
        (no_row, "lines", "line 2: prompt is no list"),
        (near_dev, "dev rows", "r1"),
    ],
)
def test_each_planted_fault_is_found_alone_and_its_row_is_named(
    plant: Callable[[Lines], None], name: str, named: str, base: Path, tmp_path: Path
) -> None:
    rows = [line(number) for number in range(4)]
    plant(rows)
    found = faults(audit(Ask(folder(tmp_path, base, rows))))
    assert found.keys() - ({"quotes"} if plant is near_dev else set()) == {name}
    assert named in found[name].what


def test_what_would_be_cut_says_how_long_rows_may_have_to_be(base: Path, tmp_path: Path) -> None:
    place = folder(tmp_path, base)
    longest = max(figures["row"]["most"] for figures in audit(Ask(place)).lengths.values())
    assert audit(Ask(place, max_tokens=longest)).good
    found = faults(audit(Ask(place, max_tokens=longest - 1)))
    assert found.keys() == {"length"}
    assert f"train.max_tokens: {longest} " in found["length"].cure


def test_repeats_are_told_apart_from_prompts_with_several_readings(base: Path, tmp_path: Path) -> None:
    rows = [line(number) for number in range(4)]
    again, other = copy.deepcopy(rows[0]), copy.deepcopy(rows[1])
    again["id"], other["id"] = "again", "other"
    other["completion"][0]["content"] = other["completion"][0]["content"].replace("joy", "pride")
    found = audit(Ask(folder(tmp_path, base, [*rows, again, other])))
    told = [one for one in found.findings if one.name == "duplicates"]
    assert [(one.grade, one.rows) for one in told] == [("note", ("again",)), ("note", ("r1",))]
    assert found.good


@pytest.mark.parametrize(
    ("about", "name", "named"),
    [
        ({"templates": {"direct": "0" * 16}}, "templates", "'direct': its templates were 0000000000000000"),
        ({"schemas": {"direct": {"goemotions": "0" * 16}}}, "templates", "had the schema 0000000000000000 then"),
        ({"base": {"sha256": "1" * 16}}, "base", "1111111111111111"),
    ],
)
def test_rows_of_other_templates_or_another_base_are_refused(
    about: dict[str, Any], name: str, named: str, base: Path, tmp_path: Path
) -> None:
    found = faults(audit(Ask(folder(tmp_path, base, about=about))))
    assert found.keys() == {name}
    assert named in found[name].what


def test_rows_without_dev_rows_or_without_any_are_refused(base: Path, tmp_path: Path) -> None:
    assert faults(audit(Ask(folder(tmp_path / "a", base, dev=[])))).keys() == {"dev rows"}
    assert "lines" in faults(audit(Ask(folder(tmp_path / "b", base, train=[]))))


def look_alike(place: Path, **texts: str) -> Path:
    """GoEmotions' files with a row in each split, in which only some texts stand."""
    (place / "goemotions").mkdir(parents=True)
    held = {"train": [(TEXTS[n][2], f"c{n}") for n in range(6)], "dev": [("All new to me, this one is.", "d0")]}
    held["test"] = [("Never seen before, I promise you.", "t0")]
    for split, text in texts.items():
        held[split].append((text, f"{split}-leak"))
    for split, rows in held.items():
        lines = [f"{text}\t27\t{id}\n" for text, id in rows]
        (place / "goemotions" / f"{split}.tsv").write_text("".join(lines))
    return place


@pytest.fixture
def no_other_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMOWHY_DATA", raising=False)


@pytest.mark.usefixtures("no_other_data")
def test_a_row_near_a_benchmarks_text_is_a_leak_and_others_are_not(base: Path, tmp_path: Path) -> None:
    place = folder(tmp_path / "rows", base)
    assert audit(Ask(place, look_alike(tmp_path / "clean"))).good
    for split in ("dev", "test"):
        leaky = look_alike(tmp_path / split, **{split: "would you believe it - I PASSED the exam after all"})
        found = faults(audit(Ask(place, leaky)))
        assert found.keys() == {"leaks"}
        assert found["leaks"].rows == ("r1",)
        assert f"goemotions:{split}" in found["leaks"].what
        assert audit(Ask(place, leaky, allow_leaks=True)).good


@pytest.mark.usefixtures("no_other_data")
def test_where_leaks_were_not_looked_for_is_told(base: Path, tmp_path: Path) -> None:
    place = folder(tmp_path / "rows", base)
    for data, goemotions in ((None, True), (look_alike(tmp_path / "data"), False)):
        (unseen,) = [f for f in audit(Ask(place, data)).findings if (f.name, f.grade) == ("leaks", "note")]
        assert (" goemotions," in unseen.what) == goemotions
        assert "reccon" in unseen.what
        assert "--data" in unseen.cure


@pytest.mark.usefixtures("no_other_data")
def test_a_row_with_the_id_of_a_benchmarks_row_is_a_leak_whatever_its_words(base: Path, tmp_path: Path) -> None:
    rows = [line(number) for number in range(4)]
    rows[2]["sample_id"] = "t0"
    found = faults(audit(Ask(folder(tmp_path / "rows", base, rows), look_alike(tmp_path / "data"))))
    assert found["leaks"].rows == ("r2",)
    assert "have ids of goemotions:test" in found["leaks"].what


@pytest.mark.usefixtures("no_other_data")
def test_a_row_of_a_scored_split_is_a_leak(base: Path, tmp_path: Path) -> None:
    rows = [line(number) for number in range(4)]
    rows[3] |= {"data": "goemotions:test", "sample_id": "t0"}
    found = faults(audit(Ask(folder(tmp_path / "rows", base, rows), look_alike(tmp_path / "data"))))
    assert found["leaks"].rows == ("r3",)


def test_one_label_that_rules_is_worth_a_note() -> None:
    assert balance_finding({"joy": 6, "fear": 5}, 12).grade == "good"  # 6 of 12 is half, not more
    assert balance_finding({"joy": 7, "fear": 5}, 12).grade == "note"
    assert balance_finding({}, 3).grade == "note"


@given(st.lists(st.tuples(st.integers(1, 900), st.integers(1, 300)), min_size=1, max_size=30))
def test_lengths_are_those_of_real_rows_in_order_and_a_row_is_prompt_and_completion(
    sizes: list[tuple[int, int]],
) -> None:
    found = lengths([Example(str(i), (0,) * (p + c), p) for i, (p, c) in enumerate(sizes)])
    for name, values in (
        ("prompt", [p for p, _ in sizes]),
        ("completion", [c for _, c in sizes]),
        ("row", [p + c for p, c in sizes]),
    ):
        told = list(found[name].values())
        assert told == sorted(told)
        assert set(told) <= set(values)
        assert (told[0], told[-1]) == (min(values), max(values))


app = typer.Typer()
app.command("audit")(tune_check.audit)


def run(*arguments: str) -> Any:
    env = {name: None for name in os.environ if name.startswith("EMOWHY_") and name != "EMOWHY_CACHE"}
    return CliRunner().invoke(app, list(arguments), env=env)


def test_the_command_shows_a_row_with_what_is_taught_and_ends_with_0_or_1(base: Path, tmp_path: Path) -> None:
    good = run(str(folder(tmp_path / "good", base)))
    assert good.exit_code == 0, good.output
    assert "⟦<|im_end|>⟧" in good.stdout
    assert "train: 4 rows" in good.stdout
    rows = [line(number) for number in range(4)]
    empty(rows)
    bad = run(str(folder(tmp_path / "bad", base, rows)), "--json")
    assert bad.exit_code == 1
    told = json.loads(bad.stdout)
    assert not told["good"]
    assert [one["name"] for one in told["findings"] if one["grade"] == "fault"] == ["supervised"]


@pytest.mark.parametrize(
    ("damage", "named"),
    [("about.json", "about.json"), ("train.jsonl", "train.jsonl"), ("recipe", "--model"), ("row", "r0")],
)
def test_what_is_missing_ends_with_2_and_says_what_to_type(damage: str, named: str, base: Path, tmp_path: Path) -> None:
    place = folder(tmp_path, base, about={"recipe": None} if damage == "recipe" else None)
    if damage.endswith(("json", "jsonl")):
        (place / damage).unlink()
    done = run(str(place), *(["--row", "r00"] if damage == "row" else []))
    assert done.exit_code == 2
    assert named in done.stderr
    assert "→" in done.stderr


def test_a_damaged_about_is_refused(base: Path, tmp_path: Path) -> None:
    place = folder(tmp_path, base)
    (place / "about.json").write_text("{")
    with pytest.raises(EmowhyError, match=r"about\.json is damaged"):
        audit(Ask(place))
