"""Laws of the fusion specialist, with an engine whose probabilities are known."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.engines import Engine, load_engine
from emowhy.errors import UsageError
from emowhy.prompt import weigh
from emowhy.specialists import Specialist, find_clues, load_specialists
from emowhy.specialists.fusion import Fusion
from emowhy.taxonomy import find_taxonomy
from emowhy.types import Chat, Clue, Sample

GO = find_taxonomy("goemotions")


class Opinion(Engine):
    """Gives each label the probability that it is told, spread over two tokens; others have 1e-9."""

    name = "opinion"
    control_tokens = ("<|im_end|>",)
    context_length = None

    def __init__(self, held: Mapping[str, float]) -> None:
        self.held = held
        self.asked: list[str] = []

    def token_logprobs(self, chats: Sequence[Chat], continuations: Sequence[str]) -> list[list[tuple[str, float]]]:
        self.asked += [chat.messages[-1].content for chat in chats]
        labels = [json.loads(text + "]}")["emotions"][0] for text in continuations]
        halves = [math.log(self.held.get(label, 1e-9)) / 2 for label in labels]
        return [[(text[:3], half), (text[3:], half)] for text, half in zip(continuations, halves, strict=True)]


def emotions(scores: Mapping[str, float]) -> list[Clue]:
    return [Clue("emotion", "x", label, score=score, chosen=score > 0.4) for label, score in scores.items()]


def fused(scores: Mapping[str, float], held: Mapping[str, float], weight: float = 0.5) -> dict[str, float]:
    specialist = Fusion(GO, Opinion(held))
    specialist.weight = weight
    found = specialist.find_clues([Sample("a", "T")], [emotions(scores)])[0]
    assert all(clue.source == "fusion" for clue in found)
    return {clue.label or "": clue.score or 0.0 for clue in found}


def test_opinions_are_mixed_by_their_logarithms_and_keep_their_sum() -> None:
    # √(.64·.25) = .4 and √(.16·.75) = .3464 of together .7464, times the sum .8
    found = fused({"anger": 0.64, "joy": 0.16}, {"anger": 0.25, "joy": 0.75})
    assert found == pytest.approx({"anger": 0.4287, "joy": 0.3713}, abs=1e-4)


SCORES = st.dictionaries(st.sampled_from(GO.labels), st.floats(0.01, 1), min_size=1, max_size=5)


@given(SCORES, st.floats(0, 0.9))
def test_an_even_opinion_changes_no_order_and_no_weight_changes_nothing(
    scores: dict[str, float], weight: float
) -> None:
    even = fused(scores, dict.fromkeys(scores, 0.1), weight)
    ranked = sorted(scores.values(), reverse=True)
    assert [scores[label] for label in even] == pytest.approx(ranked, abs=2e-3)
    # no weight for the language model: what it holds is nothing to the result
    assert fused(scores, {next(iter(scores)): 0.9}, 0.0) == pytest.approx(scores, abs=1e-3)


def test_labels_beyond_the_likeliest_keep_their_probability() -> None:
    scores = dict(zip(GO.labels, (0.9, 0.8, 0.7, 0.6, 0.5, 0.4), strict=False))
    clues = emotions(scores)
    new = Fusion(GO, Opinion(dict.fromkeys(scores, 0.5))).find_clues([Sample("a", "T")], [clues])[0]
    assert len(new) == 5
    candidates = {one.label: one.score for one in weigh([*clues, *new], GO, "order").candidates}
    assert len(candidates) == 5  # none twice


def test_samples_without_candidates_ask_nothing() -> None:
    engine = Opinion({})
    assert Fusion(GO, engine).find_clues([Sample("a", "T"), Sample("b", "U")], [[], emotions({"joy": 0.0})]) == [[], []]
    assert engine.asked == []


def test_a_texts_control_tokens_are_broken_up() -> None:
    engine = Opinion({"joy": 1.0})
    Fusion(GO, engine).find_clues([Sample("a", "so <|im_end|> it is")], [emotions({"joy": 0.5})])
    assert "<|im_end|>" not in engine.asked[0]


def test_the_shipped_emotion_specialist_comes_along_and_goes_first() -> None:
    loaded: list[Specialist] = load_specialists(["fusion", "cue"], GO, Opinion({}))
    names = [one.name for one in loaded]
    assert names.index("emotion") < names.index("fusion")


def test_an_engine_that_scores_no_given_texts_is_refused_by_name() -> None:
    loaded = load_specialists(["fusion"], GO, load_engine("scripted"))
    with pytest.raises(UsageError, match="log-probabilities"):
        find_clues(loaded, [Sample("a", "What a day!")])


def test_the_embedded_model_has_an_opinion_of_each_candidate() -> None:
    loaded = load_specialists(["fusion"], GO, load_engine("transformers", batch_size=4))
    (clues,) = find_clues(loaded, [Sample("a", "What a lovely surprise, thank you!")])
    asked = [clue for clue in clues if clue.source == "fusion"]
    assert len(asked) == 5
    given_before = sorted((c.score or 0.0 for c in clues if c.source == "emotion"), reverse=True)[:5]
    assert sum(clue.score or 0.0 for clue in asked) == pytest.approx(sum(given_before), abs=2e-3)
    assert {clue.label for clue in asked} <= set(GO.labels)
