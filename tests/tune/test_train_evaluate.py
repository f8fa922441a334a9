"""Laws of the look at dev rows: replies are read and scored as everywhere else, and a bad one costs its row."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.engines.transformers import TransformersEngine
from emowhy.tune.evaluate import OVERLAPS, Asked, LoadedEngine, answer_all, ask, figures, read, spread, worth
from emowhy.tune.folder import Row, row_of
from emowhy.types import Reply
from tune.training import make_base, row

Answer = dict[str, Any]


def dev(count: int = 4) -> list[Asked]:
    found = [ask(row_of(row(i)), 64) for i in range(count)]
    return [one for one in found if one is not None]


def said(labels: list[str], *quotes: str) -> Reply:
    return Reply(json.dumps({"emotions": labels, "causes": [{"turn": 0, "quote": quote} for quote in quotes]}))


def test_the_completions_themselves_score_1_on_everything() -> None:
    asked = dev()
    found = figures(asked, [Reply(row_of(row(i)).completion) for i in range(4)])
    assert len(asked) == 4
    assert found == dict.fromkeys(
        ("parse_rate", "strict_rate", "graded_f", "span_f", "verbatim_rate", "quote_rate"), 1.0
    )


def test_a_quote_that_stands_elsewhere_than_said_overlaps_but_is_not_verbatim() -> None:
    replies = [Reply(row_of(row(i)).completion) for i in range(4)]
    replies[0] = Reply(json.dumps({"emotions": ["anger"], "causes": [{"turn": 7, "quote": "lost my keys"}]}))
    found = figures(dev(), replies)
    assert found["span_f"] == 1.0
    assert found["verbatim_rate"] == 3 / 4


def test_an_unreadable_reply_scores_0_and_stays_in_every_denominator() -> None:
    """Rows: anger ("lost my keys"), joy ("won the cup"), fear ("heard a noise"), sadness ("the dog is gone").

    The first is right. The second quotes other words of "I won the cup, again today.": 7 letters ("the cup") of 18 in
    both, .39. The third quotes what is not in the text. The fourth was cut off.
    """
    replies = [
        said(["anger"], "lost my keys"),
        said(["joy"], "the cup, again"),
        said(["fear"], "a noise outside"),
        Reply('{"emotions": ["sad', finish="length"),
    ]
    found = figures(dev(), replies)
    assert found["parse_rate"] == 3 / 4
    assert found["strict_rate"] == 3 / 4
    assert found["graded_f"] == 3 / 4  # 1, 1, 1, 0
    assert found["span_f"] == 1 / 4  # 1, 0, 0, 0
    assert found["verbatim_rate"] == 2 / 3
    assert found["quote_rate"] == 3 / 4


def test_a_reply_that_needs_mending_is_read_but_not_strictly() -> None:
    fenced = Reply("```json\n" + said(["anger"], "lost my keys").text + "\n```")
    found = figures(dev(1), [fenced])
    assert (found["parse_rate"], found["strict_rate"], found["graded_f"]) == (1.0, 0.0, 1.0)


def test_what_no_completion_has_is_no_figure() -> None:
    reply = {"causes": [{"turn": 0, "quote": "lost my keys"}], "explanation": "The keys are gone."}
    given_label = row_of(row(0, strategy="given", completion=[{"role": "assistant", "content": json.dumps(reply)}]))
    one = ask(given_label, 64)
    assert one is not None
    found = figures([one], [Reply(json.dumps({**reply, "emotions": ["joy"]}))])
    assert "graded_f" not in found  # the label was given: naming one is no merit
    assert found["span_f"] == 1.0


@pytest.mark.parametrize(
    "other",
    [{"sample": None}, {"completion": [{"role": "assistant", "content": "not JSON"}]}, {"sample": {"text": ""}}],
    ids=["no sample", "no JSON", "blank sample"],
)
def test_a_row_that_could_not_be_scored_is_not_asked(other: Answer) -> None:
    assert ask(row_of(row(0, **other)), 64) is None


def test_a_choice_is_scored_as_a_choice() -> None:
    reply = {"choice": 2}
    one = ask(
        row_of(
            row(
                0,
                completion=[{"role": "assistant", "content": json.dumps(reply)}],
                sample={"text": "Why?", "choices": ["a", "b"], "question": "Which?"},
            )
        ),
        64,
    )
    assert one is not None
    assert figures([one], [Reply('{"choice": 2}')])["choice_accuracy"] == 1.0
    assert figures([one], [Reply('{"choice": 1}')])["choice_accuracy"] == 0.0
    assert figures([one], [Reply('{"choice": 3}')])["choice_accuracy"] == 0.0
    assert read(one, Reply('{"choice": 3}')) is None


FIGURES = {"loss": 2.0, "graded_f": 0.5, "span_f": 0.25, "verbatim_rate": 0.9, "parse_rate": 1.0}


@pytest.mark.parametrize(
    ("found", "by", "wanted"),
    [
        (FIGURES, "overlap", (0.5 + 0.25) / 2),
        (FIGURES, "graded_f", 0.5),
        (FIGURES, "loss", -2.0),
        (FIGURES, "choice_accuracy", -2.0),
        ({"loss": 2.0, "parse_rate": 1.0}, "overlap", -2.0),
    ],
    ids=["mean of both", "one", "loss", "not there", "none there"],
)
def test_checkpoints_are_chosen_by_the_figure_that_was_named(found: dict[str, float], by: str, wanted: float) -> None:
    assert worth(found, by) == pytest.approx(wanted, abs=1e-5)


@given(st.floats(0, 1), st.floats(0, 20), st.floats(0, 20))
def test_of_equal_overlaps_the_lower_loss_is_better(overlap: float, one: float, other: float) -> None:
    better, worse = (worth({"graded_f": overlap, "loss": loss}, "overlap") for loss in sorted((one, other)))
    assert better >= worse
    assert set(OVERLAPS) & {"loss", "verbatim_rate", "parse_rate"} == set()


@given(st.integers(0, 40), st.integers(0, 50))
def test_rows_are_spread_evenly_over_all(count: int, wanted: int) -> None:
    rows = [Row(str(i), (), "", "", "") for i in range(count)]
    places = [int(one.id) for one in spread(rows, wanted)]
    assert len(places) == min(count, wanted)
    gaps = {after - before for before, after in itertools.pairwise(places)}
    assert not gaps or (min(gaps) >= 1 and max(gaps) - min(gaps) <= 1)


def test_a_loaded_model_answers_as_the_engine_that_loads_it_does(
    embedded: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    base = make_base(tmp_path_factory.mktemp("base"), embedded)
    engine = TransformersEngine(str(base), dtype="float32")
    asked = dev(3)
    replies = answer_all(LoadedEngine(engine.model, engine.tokenizer), asked)
    assert [r.text for r in replies] == [r.text for r in engine.generate([one.chat for one in asked])]
    assert all(r.usage.prompt > 0 and r.text for r in replies)
