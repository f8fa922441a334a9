"""A sample -> what is asked of the model, as inference will ask it: task, question, strategy, hints, prompt."""

from __future__ import annotations

import functools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from emowhy.engines.base import Engine
from emowhy.errors import UsageError
from emowhy.prompt import Policy, load_strategy, weigh
from emowhy.reasoner import Job, Reasoner
from emowhy.schema import RATINGS
from emowhy.shown import show
from emowhy.taxonomy import Taxonomy, normalise
from emowhy.tune.draws import choose, draw_of
from emowhy.tune.gold import Gold, Unusable, read_gold, serves
from emowhy.tune.hinting import Shown, hint
from emowhy.tune.quotes import tell_quotes
from emowhy.tune.recipe import RowsRecipe, SetRecipe, TaskName
from emowhy.tune.scales import find_scale, rescale
from emowhy.tune.tables import wordings
from emowhy.tune.verbaliser import Facts
from emowhy.types import Cause, Chat, Clue, Sample, Sampling

if TYPE_CHECKING:
    from emowhy.specialists.valence import Valence

# The strategies of the tasks that do not leave the choice to the recipe.
_STRATEGIES: Mapping[str, tuple[str, ...]] = {
    "answer": ("direct",),
    "cause_given_emotion": ("given",),
    "emotion_given_cause": ("direct",),
    "intensity": ("tasks/intensity", "tasks/intensity_direct"),
    "valence": ("tasks/valence", "tasks/valence_direct"),
    "choice": ("tasks/choice_direct",),  # why a choice is right no annotation says
}


@dataclass(frozen=True)
class Draft:
    """A row before its reply is written.

    `sample` is as it is asked; `facts`, `causes` and `answers` are what the reply is to say; `filled` names the
    answers that nobody annotated and a specialist read.
    """

    id: str
    data: str
    task: TaskName
    strategy: str
    shown: Shown
    sample: Sample
    taxonomy: Taxonomy
    chat: Chat
    facts: Facts
    causes: tuple[Cause, ...]
    answers: Mapping[str, float]
    filled: tuple[str, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        """The reply's fields, in order."""
        return tuple((self.chat.schema or {})["properties"])


class Asker:
    """Asks about the samples of one set; `engine` lends the base's control tokens and context length."""

    def __init__(self, recipe: RowsRecipe, one: SetRecipe, taxonomy: Taxonomy, engine: Engine, seed: int) -> None:
        own = {name: value for name in ("strategies", "dropout") if (value := getattr(one, name)) is not None}
        self.recipe, self.one = recipe.model_copy(update=own), one
        self.taxonomy, self.engine, self.seed = taxonomy, engine, seed
        self._reasoner = functools.cache(self._make_reasoner)
        for name in self.recipe.strategies:
            steps = load_strategy(name).steps
            if len(steps) > 1 or not {"emotions", "explanation"} & set(steps[0].fields):
                raise UsageError(f"no rows can be made for the strategy {name!r}", "given, direct, cot, two_stage")

    def ask(self, sample: Sample, clues: Sequence[Clue], id: str) -> Draft:
        """The draft for one sample. Raises Unusable with the reason where there can be none."""
        draw = draw_of(self.seed, "ask", id)
        gold = read_gold(sample, clues, self.taxonomy, self.recipe.reply_tokens, self.one.follow)
        able = {task: weight for task, weight in self.one.tasks.items() if weight and serves(task, sample, gold)}
        if not able:
            raise Unusable("no gold answer for its tasks")
        task = choose(able, draw)
        known = _STRATEGIES.get(task)
        strategy = draw.choice(known) if known else choose(self.recipe.strategies, draw)
        asked, answers, filled = self._put(sample, task, strategy, gold, draw)
        shown = hint(asked, clues, task, strategy, gold, self.taxonomy, self.recipe, draw)
        chat = next(self._reasoner(strategy, shown.policy).reason(Job(replace(asked, id=id)), shown.clues))
        facts = self._facts(asked, gold, shown, chat, answers)
        return Draft(
            id, self.one.name, task, strategy, shown, asked, self.taxonomy, chat, facts, gold.causes, answers, filled
        )

    def _facts(self, sample: Sample, gold: Gold, shown: Shown, chat: Chat, answers: Mapping[str, float]) -> Facts:
        """What the reply has to say: of the labels that it is given, where it names none itself."""
        hints = weigh(shown.clues, self.taxonomy, shown.policy)
        given = hints.felt if "emotions" not in (chat.schema or {})["properties"] else ()
        control_tokens = self.engine.control_tokens
        return Facts(
            person_of(sample, control_tokens),
            given or gold.labels,
            tell_quotes(sample, gold.causes, control_tokens),
            tuple(candidate.label for candidate in hints.candidates),
            gold.unsaid,
            answers or None,
            _dimension(sample),
        )

    def _make_reasoner(self, strategy: str, policy: Policy) -> Reasoner:
        sampling = Sampling(self.recipe.reply_tokens, seed=self.seed)
        return Reasoner(self.engine, load_strategy(strategy), self.taxonomy, hints=policy, sampling=sampling)

    # What is asked, in which words ------------------------------------------------------------------------------

    def _put(
        self, sample: Sample, task: str, strategy: str, gold: Gold, draw: random.Random
    ) -> tuple[Sample, dict[str, float], tuple[str, ...]]:
        """The sample with its question, the numbers to answer, and which of them nobody annotated."""
        if task == "choice":
            return sample, {"choice": int(gold.answers["choice"]) + 1}, ()
        if task not in ("intensity", "valence"):
            return self._reworded(sample, "emotions", "labels", draw) if strategy != "given" else sample, {}, ()
        scale = find_scale(sample, self.one.data, task)
        # ratings can be asked for in whole steps, too, and then the question has to say so
        whole = task == "valence" and scale.form == "regression" and self.recipe.wordings > 1 and draw.random() < 0.5
        asked = self._reworded(sample, task, "ordinal" if whole else scale.form, draw, always=whole)
        wanted = (task,) if task == "intensity" else RATINGS
        known = {name: float(gold.answers[name]) for name in wanted if name in gold.answers}
        answers = rescale(known, scale, whole)
        filled = tuple(name for name in wanted if name not in known)
        answers |= {name: _read_rating(sample, name, whole) for name in filled}
        return asked, {name: answers[name] for name in wanted}, filled

    def _reworded(self, sample: Sample, task: str, form: str, draw: random.Random, always: bool = False) -> Sample:
        """The sample with one of the recipe's wordings; half of the rows keep the first, in which inference asks."""
        others = wordings(task, form)[: self.recipe.wordings - 1]
        if not others or (not always and draw.random() < 0.5):
            return sample
        where = f" in turn {sample.target}" if len(sample.turns()) > 1 and sample.text is not None else ""
        question = draw.choice(others)
        named = question.format(noun=normalise(_dimension(sample)), person=person_of(sample), where=where)
        return replace(sample, question=named)


def person_of(sample: Sample, control_tokens: Sequence[str] = ()) -> str:
    """Who feels it, in the templates' words."""
    if sample.speaker:
        return show(sample.speaker, control_tokens)
    if sample.text is None:
        return "the person"
    return "the speaker" if len(sample.turns()) > 1 else "the writer"


def _dimension(sample: Sample) -> str:
    """The emotion whose intensity is asked for."""
    return str(sample.extra.get("dimension") or "emotion")


@functools.lru_cache(maxsize=1)
def _valence() -> Valence:
    from emowhy.specialists.valence import Valence

    return Valence()


def _read_rating(sample: Sample, name: str, whole: bool) -> float:
    """What the valence specialist reads where nobody rated, for a reply gives all three; the middle without words."""
    clues = _valence().find_clues([sample], [()])[0]
    value = next((clue.value for clue in clues if clue.label == name and clue.value is not None), 3.0)
    return round(value, None if whole else 1) * 1.0
