"""Laws of the flow: from jobs through the steps of a strategy to explanations, with what goes wrong on the way."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from emowhy.defaults import default_strategy
from emowhy.engines import Take
from emowhy.engines.scripted import ScriptedEngine
from emowhy.errors import UsageError
from emowhy.models import EMBEDDED
from emowhy.prompt import POLICIES, Policy, load_strategy
from emowhy.reasoner import Job, Reasoner, row_seed
from emowhy.specialists import Specialist
from emowhy.taxonomy import find_taxonomy
from emowhy.types import Chat, Clue, Emotion, Explanation, Reply, Sample, Sampling, Turn, Usage

TEXT = "They cancelled it and nobody told us."
ANSWER = {
    "reasoning": "So.",
    "emotions": ["anger"],
    "causes": [{"turn": 0, "quote": "cancelled it"}],
    "explanation": "Why.",
}
GOOD: Mapping[str, Any] = {"text": json.dumps(ANSWER), "usage": {"prompt": 100, "completion": 10}}
BAD: Mapping[str, Any] = {"text": "I would rather not say.", "usage": {"prompt": 50, "completion": 5}}
CUT: Mapping[str, Any] = {"text": '{"reasoning": "So and', "finish": "length", "usage": {"prompt": 50, "completion": 5}}


class Recorder(ScriptedEngine):
    """Remembers every chat that it answered."""

    def __init__(self, model: str | None = None, batch_size: int = 64) -> None:
        super().__init__(model)
        self.batch_size = batch_size
        self.seen: list[Chat] = []

    def generate(self, chats: Sequence[Chat]) -> list[Reply]:
        self.seen += chats
        return super().generate(chats)


class Fixed(Specialist):
    """The same clues for every sample; remembers how many samples it saw at once."""

    name = "fixed"
    kind = "emotion"

    def __init__(self, *clues: Clue) -> None:
        self.clues = clues
        self.portions: list[int] = []

    def find_clues(self, samples: Sequence[Sample], clues: Sequence[Sequence[Clue]]) -> list[list[Clue]]:
        self.portions.append(len(samples))
        return [list(self.clues) for _ in samples]


CHOSEN = (
    Clue("emotion", "fixed", "sadness", score=0.8, chosen=True),
    Clue("emotion", "fixed", "grief", score=0.6, chosen=True),
    Clue("emotion", "fixed", "joy", score=0.1),
)


def script(tmp_path: Path, *rows: Mapping[str, Any]) -> str:
    path = tmp_path / "replies.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def make(
    engine: Recorder,
    strategy: str = "cot",
    clues: Sequence[Clue] = (),
    hints: Policy = "order",
    votes: int = 1,
    max_tokens: int = 256,
) -> Reasoner:
    taxonomy = find_taxonomy("goemotions")
    specialists = [Fixed(*clues)]
    return Reasoner(
        engine, load_strategy(strategy), taxonomy, specialists, hints, sampling=Sampling(max_tokens), votes=votes
    )


def shown(chat: Chat) -> str:
    return chat.messages[1].content


# One row


def test_an_answer_becomes_an_explanation_with_its_claims_checked(tmp_path: Path) -> None:
    reply = {**GOOD, "text": json.dumps({**ANSWER, "causes": [*ANSWER["causes"], {"turn": 0, "quote": "made up"}]})}
    answer = make(Recorder(script(tmp_path, reply)), clues=CHOSEN).explain(TEXT)
    assert answer.status == "ok"
    assert answer.emotions == (Emotion("anger"),)
    assert [cause.verified for cause in answer.causes] == [True, False]
    assert all(TEXT[c.start : c.end] == c.quote for c in answer.causes if c.verified)
    assert (answer.reasoning, answer.explanation, answer.parse, answer.attempts) == ("So.", "Why.", "strict", 1)
    assert answer.clues == CHOSEN


@pytest.mark.parametrize(("first", "status"), [(BAD, "unparsed"), (CUT, "truncated")])
def test_an_unreadable_reply_is_asked_for_once_more_with_other_words_and_twice_the_room(
    tmp_path: Path, first: Mapping[str, Any], status: str
) -> None:
    engine = Recorder(script(tmp_path, first, GOOD))
    answer = make(engine).explain(TEXT)
    once, again = engine.seen
    assert (answer.status, answer.attempts, len(answer.steps)) == ("ok", 2, 2)
    assert again.sampling.max_tokens == 2 * once.sampling.max_tokens
    assert again.sampling.seed != once.sampling.seed
    assert again.messages[0] == once.messages[0]
    assert shown(again) != shown(once)
    assert shown(again).startswith(shown(once))
    assert answer.usage == Usage(150, 15)

    engine = Recorder(script(tmp_path, first))
    answer = make(engine).explain(TEXT)
    assert (answer.status, answer.attempts, len(engine.seen)) == (status, 2, 2)
    assert answer.emotions == ()
    assert answer.causes == ()
    assert answer.usage == Usage(100, 10)


@pytest.mark.parametrize(("finish", "status"), [("refusal", "refused"), ("error", "error")])
@pytest.mark.parametrize("strategy", ["cot", "three_hop"])
def test_a_refusal_or_error_is_not_asked_again_and_ends_the_row(
    tmp_path: Path, strategy: str, finish: str, status: str
) -> None:
    engine = Recorder(script(tmp_path, {"finish": finish, "error": "the reason", "text": GOOD["text"]}))
    answer = make(engine, strategy).explain(TEXT)
    assert (answer.status, answer.error, answer.attempts, len(engine.seen)) == (status, "the reason", 1, 1)
    assert answer.emotions == ()
    assert answer.parse is None


def test_an_error_on_the_second_attempt_is_an_error(tmp_path: Path) -> None:
    engine = Recorder(script(tmp_path, BAD, {"finish": "error", "error": "gone"}))
    answer = make(engine).explain(TEXT)
    assert (answer.status, answer.error, answer.attempts) == ("error", "gone", 2)


def test_attempts_count_on_from_the_jobs_own(tmp_path: Path) -> None:
    ((_, answer),) = make(Recorder(script(tmp_path, BAD))).explain_all([Job(Sample("a", TEXT), 7, attempt=3)])
    assert (answer.attempts, answer.index) == (4, 7)


def test_a_rows_seed_comes_from_seed_id_and_attempt() -> None:
    seeds = [row_seed(seed, id, attempt) for seed in (0, 1) for id in ("a", "b", "\ud800") for attempt in (1, 2)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert row_seed(0, "a", 1) == row_seed(0, "a", 1)


def test_thinking_is_recorded_and_not_read(tmp_path: Path) -> None:
    answer = make(
        Recorder(
            script(tmp_path, {"text": f"<think>{json.dumps({**ANSWER, 'emotions': ['joy']})}</think>{GOOD['text']}"})
        )
    )
    step = answer.explain(TEXT).steps[0]
    assert "joy" in (step.thinking or "")
    assert "joy" not in step.raw


def test_what_a_context_cannot_hold_is_cut_and_the_cut_recorded(tmp_path: Path) -> None:
    engine = Recorder(
        script(tmp_path, {"text": json.dumps({**ANSWER, "causes": [{"turn": 30, "quote": "cancelled it"}]})})
    )
    engine.context_length = 1024
    sample = Sample("a", TEXT, context=tuple(Turn(f"turn {i} " + "word " * 20) for i in range(30)))
    answer = make(engine).explain(sample)
    assert answer.cut is not None
    assert 0 < answer.cut.turns < 30
    assert f"[{answer.cut.turns}] turn {answer.cut.turns}" in shown(engine.seen[0])
    assert f"[{answer.cut.turns - 1}]" not in shown(engine.seen[0])
    assert [(c.turn, c.start, c.end, c.verified) for c in answer.causes] == [(30, 5, 17, True)]


# Chains


def test_three_hop_passes_every_earlier_reply_on(tmp_path: Path) -> None:
    hops = ("the first thought", "the second thought", "the third thought")
    engine = Recorder(
        script(
            tmp_path,
            *({"text": f"<think>x</think> {hop}", "usage": {"prompt": 1, "completion": 2}} for hop in hops),
            GOOD,
        )
    )
    answer = make(engine, "three_hop").explain(TEXT)
    assert [[hop in shown(chat) for hop in hops] for chat in engine.seen] == [
        [False, False, False],
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]
    assert [chat.schema is not None for chat in engine.seen] == [False, False, False, True]
    assert [step.name for step in answer.steps] == ["trigger", "meaning", "emotion", "answer"]
    assert answer.reasoning == "\n".join([*hops, "So."])
    assert answer.usage == Usage(103, 16)
    assert answer.status == "ok"


def test_a_vote_keeps_the_draw_that_the_others_agree_with_most(tmp_path: Path) -> None:
    draws = ["the moon is cheese", "they cancelled the flight", "they cancelled their flight"]
    engine = Recorder(script(tmp_path, *({"text": draw} for draw in draws * 3), GOOD))
    answer = make(engine, "three_hop", votes=3).explain(TEXT)
    assert len(engine.seen) == 10
    assert "they cancelled the flight" in shown(engine.seen[3])
    assert "cheese" not in shown(engine.seen[3])
    assert len({chat.sampling.seed for chat in engine.seen[:3]}) == 3
    assert all(chat.sampling.temperature > 0 for chat in engine.seen[:9])
    assert engine.seen[9].sampling.temperature == 0
    assert answer.attempts == 1


@pytest.mark.parametrize("votes", [0, -1])
def test_fewer_than_one_vote_is_a_usage_error(votes: int) -> None:
    with pytest.raises(UsageError, match="votes"):
        Reasoner.load(engine="scripted", votes=votes, specialists=())


def test_the_embedded_model_takes_its_labels_as_given_merged_or_not(tmp_path: Path) -> None:
    for name, base in (("tuned", EMBEDDED), ("other", "owner/other")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "emowhy.json").write_text(json.dumps({"base": base}))
    told = [(None, "given"), (EMBEDDED, "given"), (str(tmp_path / "tuned"), "given")]
    told += [(str(tmp_path / "other"), "two_stage"), (str(tmp_path), "two_stage"), ("owner/other", "two_stage")]
    for model, strategy in told:
        assert default_strategy("transformers", model) == default_strategy("vllm", model) == strategy
        assert default_strategy("server", model) == "two_stage"


def test_given_takes_its_labels_from_the_clues(tmp_path: Path) -> None:
    engine = Recorder(
        script(tmp_path, {"text": json.dumps({"causes": [], "explanation": "Why.", "emotions": ["joy"]})})
    )
    anger = Clue("emotion", "fixed", "anger", score=0.7)
    answer = make(engine, "given", (*CHOSEN, anger)).explain(TEXT)
    # of sadness and grief, which are near each other, the likelier stands for both; anger is another matter
    assert answer.emotions == (Emotion("sadness", 0.8), Emotion("anger", 0.7))
    assert answer.score_source == "specialist"
    assert "sadness" in shown(engine.seen[0])
    assert "joy" not in shown(engine.seen[0])


def test_given_without_clues_takes_the_models_labels(tmp_path: Path) -> None:
    answer = make(Recorder(script(tmp_path, GOOD)), "given").explain(TEXT)
    assert answer.emotions == (Emotion("anger"),)


def test_scores_of_the_engine_go_before_those_of_the_specialists(tmp_path: Path) -> None:
    pieces = [['{"reasoning":"So.","emotions":["', 0.0], ["anger", -0.5], ['"],"causes":[],"explanation":"Why."}', 0.0]]
    row = {"text": "".join(str(piece) for piece, _ in pieces), "tokens": pieces}
    clues = (*CHOSEN, Clue("emotion", "fixed", "anger", score=0.9))
    answer = make(Recorder(script(tmp_path, row)), clues=clues).explain(TEXT)
    assert answer.score_source == "engine"
    assert answer.emotions[0].score == pytest.approx(0.606531, abs=1e-6)
    answer = make(Recorder(script(tmp_path, GOOD)), clues=clues).explain(TEXT)
    assert (answer.score_source, answer.emotions[0].score) == ("specialist", 0.9)


# Many rows


def test_explain_takes_a_text_a_sample_or_a_list_of_either_and_keeps_its_order() -> None:
    reasoner = make(Recorder(batch_size=3), "three_hop")
    one = reasoner.explain(Sample("mine", TEXT))
    assert isinstance(one, Explanation)
    assert one.id == "mine"
    assert reasoner.explain(TEXT).emotions == one.emotions
    several = [f"words of {i}" if i % 2 else Sample(f"s{i}", f"words of {i}") for i in range(20)]
    answers = reasoner.explain(several)
    assert [answer.id for answer in answers] == [str(i) if i % 2 else f"s{i}" for i in range(20)]
    assert [answer.index for answer in answers] == list(range(20))
    assert all(answer.causes[0].quote == f"words of {i}" for i, answer in enumerate(answers))
    assert reasoner.explain([]) == []


@pytest.mark.parametrize("strategy", ["cot", "three_hop"])
@pytest.mark.parametrize("room", [1, 7, 64, 100])
def test_every_job_gets_exactly_one_answer(strategy: str, room: int) -> None:
    jobs = [Job(Sample(f"r{i}", TEXT), i) for i in range(150)]
    answered = list(make(Recorder(batch_size=room), strategy).explain_all(jobs))
    assert sorted(job.index for job, _ in answered) == list(range(150))
    assert all(answer.id == job.sample.id and answer.status == "ok" for job, answer in answered)


@pytest.mark.parametrize("room", [1, 64, 200])
def test_no_more_samples_are_held_than_the_engine_has_room_for_and_a_portion(room: int) -> None:
    drawn = 0

    def jobs() -> Iterator[Job]:
        nonlocal drawn
        for i in range(10_000):
            drawn += 1
            yield Job(Sample(str(i), TEXT), i)

    answers = make(Recorder(batch_size=room)).explain_all(jobs())
    for done in range(1, 500):
        next(answers)
        assert drawn <= done + 2 * room + 64


def test_a_none_holds_back_what_comes_after_it_until_something_finishes() -> None:
    done: list[str] = []
    drawn_after: dict[str, int] = {}

    def jobs() -> Iterator[Job | None]:
        for name in "ab":
            yield Job(Sample(name, TEXT))
        while not done:
            yield None
        for name in "cd":
            drawn_after[name] = len(done)
            yield Job(Sample(name, TEXT))

    for job, _ in make(Recorder(batch_size=4)).explain_all(jobs()):
        done.append(job.sample.id)
    assert sorted(done) == ["a", "b", "c", "d"]
    assert min(drawn_after.values()) >= 1


def test_a_row_already_begun_goes_on_before_a_new_one_begins() -> None:
    engine = Recorder(batch_size=1)
    rows = [Sample(name, TEXT) for name in "abc"]
    make(engine, "three_hop").explain(rows)
    assert [chat.about["id"] for chat in engine.seen] == [name for name in "abc" for _ in range(4)]


def test_an_engine_that_answers_out_of_order_gets_every_answer_to_its_row() -> None:
    class Backwards(Recorder):
        def stream(self, take: Take) -> Iterator[tuple[Chat, Reply]]:
            while chats := take(self.batch_size):
                yield from reversed(list(zip(chats, self.generate(chats), strict=True)))

    rows = [Sample(f"r{i}", f"word{i} came") for i in range(100)]
    answers = make(Backwards(batch_size=9), "three_hop").explain(rows)
    assert [answer.causes[0].quote for answer in answers] == [f"word{i} came" for i in range(100)]


def test_specialists_see_samples_in_portions() -> None:
    reasoner = make(Recorder())
    specialist = Fixed()
    reasoner.specialists = [specialist]
    reasoner.explain([TEXT] * 150)
    assert sum(specialist.portions) == 150
    assert max(specialist.portions) <= 64
    assert len(specialist.portions) <= 4


# Loading


def test_a_loaded_reasoner_pickles_and_works_on_the_other_side(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "labels": "anger,joy,calm",
        "hints": "none",
        "strategy": "direct",
        "seed": 7,
        "max_tokens": 99,
    }
    reasoner = Reasoner.load(engine="scripted", model=script(tmp_path, GOOD), **options)
    copy = pickle.loads(pickle.dumps(reasoner))
    assert copy.identity() == reasoner.identity()
    assert copy.explain(TEXT) == reasoner.explain(TEXT)
    assert pickle.loads(pickle.dumps(copy)).identity() == reasoner.identity()


def test_a_reasoner_put_together_by_hand_says_that_it_does_not_pickle() -> None:
    with pytest.raises(TypeError, match=r"Reasoner\.load"):
        pickle.dumps(make(Recorder()))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"hints": "ordr"}, "'order'"),
        ({"scores": "verbl"}, "'verbal'"),
        ({"strategy": "two_stages"}, "'two_stage'"),
        ({"labels": "goemotion"}, "'goemotions'"),
        ({"specialists": ["emotoin"]}, "'emotion'"),
        ({"engine": "scriptd"}, "'scripted'"),
    ],
)
def test_an_unknown_name_is_a_usage_error_that_names_the_nearest(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        Reasoner.load(**{"engine": "scripted", "specialists": (), **options})
    assert f"did you mean {told}" in str(caught.value)


def test_without_hints_no_specialist_runs_unless_it_is_named() -> None:
    assert Reasoner.load(engine="scripted", hints="none").specialists == []
    assert [s.name for s in Reasoner.load(engine="scripted", hints="none", specialists=["emotion"]).specialists] == [
        "emotion"
    ]
    assert [s.name for s in Reasoner.load(engine="scripted").specialists] == ["emotion", "cue"]


@pytest.mark.parametrize(
    ("strategy", "told"),
    [
        ("tasks/valence", ["valence", "arousal", "dominance"]),
        ("tasks/valence_direct", ["valence", "arousal", "dominance"]),
        ("tasks/intensity", []),  # on another scale
        ("cot", []),
    ],
)
def test_where_ratings_are_asked_for_and_only_there_a_specialist_that_rates_gives_hints(
    tmp_path: Path, strategy: str, told: list[str]
) -> None:
    engine = Recorder(script(tmp_path, GOOD))
    answer = Reasoner.load(engine=engine, strategy=strategy).explain(TEXT)
    values = {clue.label: clue.value for clue in answer.clues if clue.kind == "valence"}
    assert list(values) == told
    assert all(f"{name} {value:.1f}" in shown(engine.seen[0]) for name, value in values.items())
    assert ("On scales from 1" in shown(engine.seen[0])) == bool(told)


def test_whatever_makes_an_answer_what_it_is_changes_the_identity(tmp_path: Path) -> None:
    changes: list[dict[str, Any]] = [
        {}, {"strategy": "direct"}, {"labels": "ekman"}, {"labels": "anger,joy"}, {"hints": "adjust"},
        {"scores": "numeric"}, {"specialists": ("emotion",)}, {"max_tokens": 300}, {"temperature": 0.5}, {"seed": 1},
        {"thinking": True}, {"votes": 2}, {"model": script(tmp_path, GOOD)},
    ]  # fmt: skip
    identities = [Reasoner.load(**{"engine": "scripted", **change}).identity() for change in changes]
    assert len({json.dumps(identity, sort_keys=True) for identity in identities}) == len(changes)
    assert identities[0] == Reasoner.load(engine="scripted").identity()


@pytest.mark.parametrize("strategy", ["cot", "direct", "given"])
def test_under_quote_the_marked_words_are_the_causes_whatever_a_model_that_nothing_binds_says(
    tmp_path: Path, strategy: str
) -> None:
    marked = Clue("cause", "fixed", quote=TEXT[:4], turn=0, start=0, end=4, score=0.9, chosen=True)
    told = make(Recorder(script(tmp_path, GOOD)), strategy, (*CHOSEN, marked), "quote").explain(TEXT)
    assert [(cause.quote, cause.exact) for cause in told.causes] == [(TEXT[:4], True)]
    assert make(Recorder(script(tmp_path, GOOD)), strategy, CHOSEN, "quote").explain(TEXT).causes == ()


def test_quote_without_a_specialist_that_marks_words_is_a_usage_error_with_its_cure() -> None:
    with pytest.raises(UsageError) as told:
        Reasoner.load(engine="scripted", hints="quote", specialists=["emotion"])
    assert told.value.cure == "add --specialist cue"


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_explains_with_the_shipped_specialists(policy: str) -> None:
    answer = Reasoner.load(engine="scripted", hints=policy).explain("I am so angry that they cancelled it!")
    assert answer.status == "ok"
    assert bool(answer.clues) == (policy != "none")


def test_a_coverage_makes_the_candidates_a_set_that_grows_with_it() -> None:
    texts = ["I am so angry that they cancelled it!", "Well, that is that.", "Thanks a lot, you made my day."]
    sizes = {}
    for coverage in (0.6, 0.9, 0.99):
        reasoner = Reasoner.load(engine="scripted", coverage=coverage)
        answers = reasoner.explain(texts)
        sizes[coverage] = [sum(clue.kind == "emotion" for clue in answer.clues) for answer in answers]
        assert reasoner.identity()["coverage"] == coverage
    assert all(a <= b <= c for a, b, c in zip(*(sizes[k] for k in (0.6, 0.9, 0.99)), strict=True))
    assert len(set(sizes[0.9])) > 1, "the sets vary with doubt"
    assert all(size >= 1 for row in sizes.values() for size in row)


@pytest.mark.parametrize(("coverage", "labels"), [(1.5, "goemotions"), (0.2, "goemotions"), (0.9, "joy,anger")])
def test_a_coverage_that_was_never_fitted_is_a_usage_error_with_its_cure(coverage: float, labels: str) -> None:
    with pytest.raises(UsageError) as told:
        Reasoner.load(engine="scripted", coverage=coverage, labels=labels)
    assert told.value.cure
