"""Laws of `bench run --export lm-eval`: the harness asks what we ask, and reports what we would."""

from __future__ import annotations

import importlib
import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from emowhy import Reasoner
from emowhy.bench.answers import Answers, read_predictions
from emowhy.bench.export import GROUP, export_lm_eval
from emowhy.bench.exported import Exported, case_of, load_rows, score_row
from emowhy.bench.score import Scorable, System, score
from emowhy.bench.scorers import find_scorer
from emowhy.bench.task import Task, draw, find_task, list_tasks, read_split
from emowhy.cli import app
from emowhy.engines.scripted import ScriptedEngine
from emowhy.errors import InputError, MissingError, UsageError
from emowhy.prompt import load_strategy
from emowhy.taxonomy import find_taxonomy
from emowhy.types import Chat, Reply, Sample

Rows = Sequence[Mapping[str, Any]]

MOODS: list[dict[str, Any]] = [
    {"id": "a", "text": "We won, we won!", "gold": {"emotions": ["joy"]}},
    {"id": "b", "text": "He sold my bike without asking.", "gold": {"emotions": ["anger"]}},
    {"id": "c", "text": "The house is so quiet since she died.", "gold": {"emotions": ["sadness"]}},
]
MOOD_TASK: dict[str, Any] = {
    "labels": "joy,anger,sadness",
    "single": True,
    "metrics": ["accuracy", "closed", "graded", "quotes"],
}


def make_task(folder: Path, rows: Rows, **about: Any) -> tuple[Task, Path]:
    """A task file of one's own, with its rows beside it."""
    about = {"name": "mine", "title": "Mine", "licence": "CC0-1.0", "source": "written for a test", **about}
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    path = folder / f"{about['name']}.yaml"
    path.write_text(yaml.safe_dump({"file": "rows.jsonl", "metrics": ["graded"], **about}), encoding="utf-8")
    return find_task(str(path))


def exported_rows(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"emowhy_{name}.jsonl").read_bytes().splitlines()]


def config(folder: Path, name: str) -> dict[str, Any]:
    text = (folder / f"emowhy_{name}.yaml").read_text(encoding="utf-8").replace("!function ", "")
    found = yaml.safe_load(text)
    assert isinstance(found, dict)
    return found


def own_answers(task: Task, samples: Sequence[Sample], replies: Sequence[str], at: Path) -> Answers:
    """What `bench score --predictions` reads."""
    at.write_text("".join(json.dumps({"id": s.id, "raw": r}) + "\n" for s, r in zip(samples, replies, strict=True)))
    return read_predictions(at, samples, find_taxonomy(task.labels), load_strategy(task.direct).steps[0].fields)


Play = Callable[..., dict[str, Any]]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    """Run a folder's task in lm-evaluation-harness, offline, with a model that says what it is told to."""
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_EVALUATE_OFFLINE"):
        monkeypatch.setenv(name, "1")
    lm_eval = pytest.importorskip("lm_eval", reason='pip install "lm-eval>=0.4.9,<0.5"')
    tasks, dummy = (importlib.import_module(f"lm_eval.{name}") for name in ("tasks", "models.dummy"))
    # it asks for the machine's details for ten seconds
    monkeypatch.setattr(importlib.import_module("lm_eval.evaluator"), "add_env_info", lambda results: None)

    def run(
        folder: Path,
        name: str,
        say: Callable[[list[dict[str, str]]], str] = lambda messages: "",
        like: Callable[[list[dict[str, str]], str], float] = lambda messages, reply: 0.0,
    ) -> dict[str, Any]:
        model = dummy.DummyLM()
        model.apply_chat_template = lambda history, add_generation_prompt=True: json.dumps(history)
        model.generate_until = lambda asked, disable_tqdm=False: [say(json.loads(one.args[0])) for one in asked]
        model.loglikelihood = lambda asked, disable_tqdm=False: [
            (like(json.loads(one.args[0]), one.args[1]), False) for one in asked
        ]
        found: dict[str, Any] = lm_eval.simple_evaluate(
            model=model,
            tasks=[name],
            task_manager=tasks.TaskManager(include_path=str(folder), include_defaults=False),
            apply_chat_template=True,
            bootstrap_iters=0,
        )
        return found

    return run


def reported(results: Mapping[str, Any], name: str) -> dict[str, float]:
    told = results["results"][name].items()
    return {key.removesuffix(",none"): value for key, value in told if key.endswith(",none") and "stderr" not in key}


# In the harness -----------------------------------------------------------------------------------------------------


def test_the_harness_reports_what_we_score_for_the_same_replies(tmp_path: Path, play: Play) -> None:
    task, path = find_task("demo")
    export_lm_eval(task, path, None, tmp_path / "out", limit=4)
    rows = exported_rows(tmp_path / "out", "demo")
    gold = [row["gold"] for row in rows]
    replies = [
        gold[0],  # right
        f'My answer:\n```json\n{{"emotions": ["joy"], "causes": {json.dumps(json.loads(gold[1])["causes"])},}}\n```',
        "I would rather not say.",
        '{"emotions": ["fear", "surprise"], "causes": [{"turn": "scene", "quote": "the lift is stuck"}]}',
    ]
    by_text = {row["user"]: reply for row, reply in zip(rows, replies, strict=True)}
    results = play(tmp_path / "out", "emowhy_demo", say=lambda messages: by_text[messages[-1]["content"]])
    told = reported(results, "emowhy_demo")
    samples = read_split(task, path, None, task.split).samples[:4]
    answers = own_answers(task, samples, replies, tmp_path / "replies.jsonl")
    system = score(Scorable(task, samples, [System("it", "asked", answers)])).result["systems"]["it"]
    own = {name: one["value"] for figures in system["figures"].values() for name, one in figures.items()}
    own["answered"] = system["rates"]["ok"] / 4
    assert told == pytest.approx({name: own[name] for name in told})
    # right, wrong, missing, right: 2/4; quotes right, right, missing, made up: 2/4; Jaccard 1 + 0 + 0 + 1/2 over 4
    assert (told["accuracy"], told["span_f"], told["jaccard"], told["answered"]) == (0.5, 0.5, 0.375, 0.75)
    assert [row["filtered_resps"][0] for row in results["samples"]["emowhy_demo"]] == replies
    assert [row["doc"]["id"] for row in results["samples"]["emowhy_demo"]] == [sample.id for sample in samples]


def test_the_harness_sends_the_messages_of_a_run(tmp_path: Path, play: Play) -> None:
    task, path = find_task("demo")
    export_lm_eval(task, path, None, tmp_path, limit=5)
    seen: list[Any] = []
    play(tmp_path, "emowhy_demo", say=lambda messages: seen.append(messages) or "")  # type: ignore[func-returns-value]
    assert seen == sent(task, read_split(task, path, None, task.split).samples[:5])


def test_of_a_closed_set_the_likeliest_label_is_the_answer(tmp_path: Path, play: Play) -> None:
    task, path = make_task(tmp_path, MOODS, **MOOD_TASK)
    export_lm_eval(task, path, None, tmp_path / "out")
    likely = {"We won": "joy", "He sold": "joy", "The house": "sadness"}

    def like(messages: list[dict[str, str]], reply: str) -> float:
        wanted = next(label for start, label in likely.items() if start in messages[-1]["content"])
        return 0.0 if json.loads(reply) == {"emotions": [wanted]} else -5.0

    told = reported(play(tmp_path / "out", "emowhy_mine", like=like), "emowhy_mine")
    # joy for anger is wrong, and shares no branch with it: 2 of 3 in each
    assert told == pytest.approx({"accuracy": 2 / 3, "hit_any": 2 / 3, "jaccard": 2 / 3, "graded_f": 2 / 3})


def test_of_choices_the_likeliest_number_is_the_answer(tmp_path: Path, play: Play) -> None:
    rows = [
        {"id": "q1", "text": "Ann lost her key.", "choices": ["glad", "cross"], "gold": {"choice": 1}},
        {"id": "q2", "text": "Ben got a kiss.", "choices": ["glad", "cross", "bored"], "gold": {"choice": 0}},
        {"id": "q3", "text": "Cy waits.", "choices": ["glad", "bored"], "gold": {"choice": 1}},
    ]
    about = {"strategy": "tasks/choice", "direct": "tasks/choice_direct", "metrics": ["choice"]}
    task, path = make_task(tmp_path, rows, **about)
    export_lm_eval(task, path, None, tmp_path / "out")

    def last(messages: list[dict[str, str]], reply: str) -> float:
        return float(json.loads(reply)["choice"])

    told = reported(play(tmp_path / "out", "emowhy_mine", like=last), "emowhy_mine")
    assert told == pytest.approx({"choice_accuracy": 2 / 3})


def test_a_moved_folder_runs_from_anywhere_all_its_tasks_as_a_group(
    tmp_path: Path, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        export_lm_eval(*make_task(tmp_path, MOODS, name=name), None, tmp_path / "out")
    shutil.move(tmp_path / "out", tmp_path / "moved")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    results = play(tmp_path / "moved", GROUP, say=lambda messages: '{"emotions": ["joy"], "causes": []}')
    for name in ("one", "two"):
        assert reported(results, f"emowhy_{name}")["graded_f"] == pytest.approx(1 / 3)


# What is exported ---------------------------------------------------------------------------------------------------


class Recorder(ScriptedEngine):
    """Keeps what a run sends."""

    def __init__(self) -> None:
        super().__init__()
        self.chats: list[Chat] = []

    def generate(self, chats: Sequence[Chat]) -> list[Reply]:
        self.chats += chats
        return super().generate(chats)


def sent(task: Task, samples: Sequence[Sample]) -> list[list[dict[str, str]]]:
    engine = Recorder()
    Reasoner.load(engine=engine, strategy=task.direct, labels=task.labels, hints="none").explain(list(samples))
    return [[{"role": m.role, "content": m.content} for m in chat.messages] for chat in engine.chats]


@pytest.mark.parametrize("kind", ["emotions", "choice", "values"])
def test_the_prompt_is_the_messages_that_a_run_sends_for_the_direct_strategy(kind: str, tmp_path: Path) -> None:
    kinds: dict[str, dict[str, Any]] = {
        "emotions": {"labels": "ekman"},
        "choice": {"direct": "tasks/choice_direct", "question": "What does she feel?", "metrics": ["choice"]},
        "values": {"direct": "tasks/valence_direct", "metrics": ["values"]},
    }
    rows: list[dict[str, Any]] = [
        {"id": "r1", "text": "{{ 1/0 }} <|im_end|> hm", "speaker": "A", "context": [{"speaker": "B", "text": "Well?"}]},
        {"id": "r2", "text": "No\n[1] words", "observations": {"face": "calm"}},
    ]
    rows = [{**row, "choices": ["this", "that"], "gold": {"choice": 0, "emotions": ["joy"]}} for row in rows]
    task, path = make_task(tmp_path, rows, **kinds[kind])
    export_lm_eval(task, path, None, tmp_path / "out")
    found = [
        [{"role": role, "content": row[role]} for role in ("system", "user")]
        for row in exported_rows(tmp_path / "out", "mine")
    ]
    assert found == sent(task, read_split(task, path, None, task.split).samples)


def test_the_gold_replies_score_1_on_the_demo_set(tmp_path: Path) -> None:
    task, path = find_task("demo")
    export_lm_eval(task, path, None, tmp_path)
    for row in exported_rows(tmp_path, "demo"):
        told = score_row(tmp_path, row, [row["gold"]])
        assert told == pytest.approx(dict.fromkeys(told, 1.0)), row["id"]
        assert {"graded_f", "span_f", "answered"} <= told.keys()


def test_only_figures_that_the_replies_can_earn_are_reported(tmp_path: Path) -> None:
    export_lm_eval(*find_task("demo"), None, tmp_path / "demo")
    figures = Exported.load(tmp_path / "demo" / "emowhy_demo.json").figures
    assert "descriptions" not in figures  # the direct strategy gives no reasons
    assert "span_f" in figures["quotes"]
    rows = [{**row, "gold": {**row["gold"], "causes": [{"quote": row["text"], "turn": 0}]}} for row in MOODS]
    export_lm_eval(*make_task(tmp_path, rows, **MOOD_TASK), None, tmp_path / "mine")
    assert "quotes" not in Exported.load(tmp_path / "mine" / "emowhy_mine.json").figures  # a label quotes nothing


METRICS = ["graded", "accuracy", "closed", "quotes", "sets", "spans", "turns", "pairs", "cause_words", "calibration"]
SAID = st.fixed_dictionaries(
    {
        "emotions": st.lists(st.sampled_from(["joy", "anger", "sadness", "bliss", "unheard-of"]), max_size=3),
        "causes": st.lists(
            st.fixed_dictionaries({"turn": st.just(0), "quote": st.sampled_from(["We won", "my bike", "quiet", "no"])}),
            max_size=2,
        ),
    }
)


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> tuple[Task, Path, Path]:
    folder = tmp_path_factory.mktemp("several")
    quotes = [["We won, we won!"], ["sold my bike", "without asking"], []]
    rows = [
        {**row, "gold": {**row["gold"], "causes": [{"quote": q, "turn": 0} for q in said]}}
        for row, said in zip(MOODS, quotes, strict=True)
    ]
    task, path = make_task(folder, [*rows, {"id": "d", "text": "Hm."}], labels="joy,anger,sadness", metrics=METRICS)
    export_lm_eval(task, path, None, folder / "out")
    return task, path, folder


@settings(max_examples=12, deadline=None)
@given(replies=st.lists(SAID.map(json.dumps) | st.just("no idea"), min_size=4, max_size=4))
def test_every_reported_figure_is_the_mean_over_its_rows(several: tuple[Task, Path, Path], replies: list[str]) -> None:
    task, path, folder = several
    rows = exported_rows(folder / "out", "mine")
    told = [score_row(folder / "out", row, [reply]) for row, reply in zip(rows, replies, strict=True)]
    samples = read_split(task, path, None, task.split).samples
    case = case_of(task, samples, own_answers(task, samples, replies, folder / "replies.jsonl").scored)
    own = {"answered": case.answered.mean()}
    for metric in METRICS:
        own |= find_scorer(metric).measure(case).total()
    names = set().union(*told)
    assert {"graded_f", "accuracy", "jaccard", "span_f", "canonical_sample_f1", "recall_1", "answered"} <= names
    assert "f1_pos" not in names  # a mean over gold spans
    for name in names:
        assert np.mean([row[name] for row in told if name in row]) == pytest.approx(own[name]), name


def test_an_answer_without_an_explanation_counts_where_one_is_asked_for(tmp_path: Path) -> None:
    rows = [{**row, "gold": {**row["gold"], "explanation": "Something dear was won or lost."}} for row in MOODS]
    metrics = ["descriptions", "consistency"]
    task, path = make_task(tmp_path, rows, labels="ekman", direct="cot", metrics=metrics)
    export_lm_eval(task, path, None, tmp_path / "out")
    said = {"reasoning": "", "emotions": ["joy"], "causes": [], "explanation": "Something dear was won or lost."}
    replies = [json.dumps(said), json.dumps({**said, "explanation": ""}), "?"]
    lines = exported_rows(tmp_path / "out", "mine")
    told = [score_row(tmp_path / "out", line, [reply]) for line, reply in zip(lines, replies, strict=True)]
    assert [row["rouge_l"] for row in told] == [1.0, 0.0, 0.0]
    samples = read_split(task, path, None, task.split).samples
    case = case_of(task, samples, own_answers(task, samples, replies, tmp_path / "replies.jsonl").scored)
    own = {name: value for metric in metrics for name, value in find_scorer(metric).measure(case).total().items()}
    for name in {"rouge_l", "content_f1", "echo_rate", "eea", "epc", "fcr"}:
        assert np.mean([row[name] for row in told if name in row]) == pytest.approx(own[name]), name


def test_an_error_is_better_when_lower_and_a_missing_rating_has_none(tmp_path: Path) -> None:
    rows = [{"id": f"v{i}", "text": "So so.", "gold": {"valence": 3.0 + i}} for i in range(2)]
    about = {"strategy": "tasks/valence", "direct": "tasks/valence_direct", "metrics": ["values"]}
    export_lm_eval(*make_task(tmp_path, rows, **about), None, tmp_path / "out")
    better = {one["metric"]: one["higher_is_better"] for one in config(tmp_path / "out", "mine")["metric_list"]}
    assert better == {"error_valence": False, "answered": True}
    first, second = exported_rows(tmp_path / "out", "mine")
    said = '{"valence": 2.5, "arousal": 1.0, "dominance": 1.0}'
    assert score_row(tmp_path / "out", first, [said]) == {"error_valence": 0.5, "answered": 1.0}
    assert score_row(tmp_path / "out", second, ["?"]) == {"answered": 0.0}


def test_the_rows_are_those_of_a_run_with_the_same_numbers(tmp_path: Path) -> None:
    task, path = find_task("demo")
    export_lm_eval(task, path, None, tmp_path, limit=9, sample=4, seed=3)
    drawn = draw(read_split(task, path, None, task.split).samples[:9], 4, 3)
    assert [row["id"] for row in exported_rows(tmp_path, "demo")] == [sample.id for sample in drawn]


def test_a_row_without_a_right_choice_is_left_out_and_counted(tmp_path: Path) -> None:
    rows = [*MOODS, {"id": "d", "text": "Bless you.", "gold": {"emotions": ["gratitude"]}}, {"id": "e", "context": 1}]
    said = export_lm_eval(*make_task(tmp_path, rows, **MOOD_TASK), None, tmp_path / "out")
    assert [row["id"] for row in exported_rows(tmp_path / "out", "mine")] == ["a", "b", "c"]
    assert "emowhy_mine: 3 rows, multiple_choice" in said
    assert "1 rows are left out" in said
    assert "1 rows cannot be read; the first, line 5" in said


def test_rows_of_unlike_columns_and_any_letters_make_one_table(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    rows: list[dict[str, Any]] = [
        {
            "id": "1",
            "text": "今日は…\u2028😀",
            "gold": {"emotions": ["joy"], "votes": {"joy": 3}},
            "mood": {"deep": [1]},
        },
        {"id": "2", "observations": {"face": "wet eyes"}, "gold": {"emotions": []}, "mood": "low"},
        {"id": "2020-01-01", "text": "a\x1cb\x85c", "gold": {"emotions": ["fear", "joy"]}, "mood": None},
    ]
    task, path = make_task(tmp_path, rows)
    export_lm_eval(task, path, None, tmp_path / "out")
    table = load_rows(tmp_path / "out", config(tmp_path / "out", "mine")["dataset_kwargs"]["data_files"])["test"]
    assert list(table["id"]) == ["1", "2", "2020-01-01"]
    for row in table:
        assert score_row(tmp_path / "out", row, [row["gold"]])["graded_f"] == 1.0


# Files, names and refusals ------------------------------------------------------------------------------------------


def test_every_shipped_task_has_a_name_that_the_harness_takes() -> None:
    names = [f"emowhy_{find_task(name)[0].name}" for name in list_tasks()]
    assert all(re.fullmatch(r"[a-z0-9_\-]+", name) for name in [*names, GROUP])  # no comma, no wildcard, no path
    assert len({*names, GROUP}) == len(list_tasks()) + 1


def test_the_readme_tells_the_command_and_the_terms_of_every_task(tmp_path: Path) -> None:
    export_lm_eval(
        *make_task(tmp_path, MOODS, name="one", licence="CC BY 4.0", source="a book"), None, tmp_path / "out"
    )
    first = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "--tasks emowhy_one --include_path . --apply_chat_template" in first
    assert all(words in first for words in ("CC BY 4.0", "a book", "do not pass this", "3 | graded_f, answered"))
    assert not (tmp_path / "out" / f"{GROUP}.yaml").exists()
    export_lm_eval(*make_task(tmp_path, MOODS, name="two", licence="ODbL"), None, tmp_path / "out")
    second = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert f"--tasks {GROUP} --include_path" in second
    assert all(words in second for words in ("CC BY 4.0", "ODbL", "`emowhy_one`", "`emowhy_two`"))
    group = yaml.safe_load((tmp_path / "out" / f"{GROUP}.yaml").read_text(encoding="utf-8"))
    assert group == {"group": GROUP, "task": ["emowhy_one", "emowhy_two"]}


def test_the_configuration_says_which_task_and_data_it_is_and_holds_no_path(tmp_path: Path) -> None:
    task, path = make_task(tmp_path, MOODS, version=7, title="Über-task: “x”")
    export_lm_eval(task, path, None, tmp_path / "out")
    about = config(tmp_path / "out", "mine")["metadata"]
    assert (about["version"], about["hash"], about["split"]) == (7, task.hash, "test")
    assert (about["licence"], about["source"], about["title"]) == ("CC0-1.0", "written for a test", "Über-task: “x”")
    assert (about["strategy"], about["templates"]) == ("direct", load_strategy("direct").hash)
    for file in (tmp_path / "out").iterdir():
        assert str(tmp_path) not in file.read_text(encoding="utf-8")


def test_a_task_without_files_is_refused_with_its_source(tmp_path: Path) -> None:
    task, path = make_task(tmp_path, MOODS, source="the library of Babel")
    (tmp_path / "rows.jsonl").unlink()
    with pytest.raises(MissingError, match="the library of Babel"):
        export_lm_eval(task, path, None, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_strategy_of_several_steps_and_rows_without_any_right_choice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="4 steps"):
        export_lm_eval(*make_task(tmp_path, MOODS, direct="three_hop"), None, tmp_path / "out")
    with pytest.raises(InputError, match="no row has a right choice"):
        export_lm_eval(*make_task(tmp_path, MOODS, labels="calm,bored", single=True), None, tmp_path / "out")


def test_a_damaged_export_says_what_to_do(tmp_path: Path) -> None:
    export_lm_eval(*make_task(tmp_path, MOODS), None, tmp_path / "out")
    (tmp_path / "out" / "emowhy_mine.json").write_text('{"task": 1}')
    with pytest.raises(InputError, match="export the task again"):
        score_row(tmp_path / "out", exported_rows(tmp_path / "out", "mine")[0], ["joy"])


def test_the_command_line_exports_instead_of_running(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["bench", "run", "demo", "--export", "lm-eval", "-o", str(out), "--limit", "2"])
    assert (done.exit_code, done.stdout.splitlines()[0].split(",")[0]) == (0, "emowhy_demo: 2 rows")
    assert sorted(file.name for file in out.iterdir()) == [
        *("README.md", "emowhy_demo.json", "emowhy_demo.jsonl", "emowhy_demo.yaml", "utils.py")
    ]
