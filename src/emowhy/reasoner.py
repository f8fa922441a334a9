"""THE FLOW: samples, clues, a prompt, a reply, an explanation whose every claim was checked."""

from __future__ import annotations

import functools
import hashlib
import logging
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast, overload

from emowhy.defaults import default_adapter, default_specialists, default_strategy
from emowhy.engines.base import Engine
from emowhy.errors import UsageError, nearest
from emowhy.parse import Parsed, parse, read_answers, read_causes, read_emotions, score_emotions, split_thinking
from emowhy.prompt import (
    POLICIES,
    Hints,
    Policy,
    Scores,
    Step,
    Strategy,
    build_chat,
    fit_chat,
    load_strategy,
    told_causes,
    weigh,
)
from emowhy.schema import schema_hash
from emowhy.specialists import Classifier, Specialist, find_clues, load_specialists
from emowhy.taxonomy import Taxonomy, find_taxonomy
from emowhy.tune.templates import template_warning
from emowhy.types import Chat, Clue, Cut, Emotion, Explanation, Reply, Sample, Sampling, ScoreSource, Usage
from emowhy.types import Step as StepRecord

Thought = Generator[Chat, Reply, Explanation]

_SAMPLES_AT_ONCE = 64  # specialists batch by length among so many


@dataclass(frozen=True, slots=True)
class Job:
    """A sample to explain, its place in the input, and which attempt this is (from 1)."""

    sample: Sample
    index: int = 0
    attempt: int = 1


@dataclass
class Reasoner:
    """Everything that explaining needs, put together. `Reasoner.load()` is the short way to one."""

    engine: Engine
    strategy: Strategy
    taxonomy: Taxonomy
    specialists: Sequence[Specialist] = ()
    hints: Policy = "order"
    scores: Scores = "verbal"
    sampling: Sampling = field(default_factory=Sampling)
    votes: int = 1
    coverage: float | None = None

    @classmethod
    def load(
        cls,
        *,
        engine: str | Engine = "transformers",
        model: str | None = None,
        adapter: str | None = None,
        strategy: str | None = None,
        prompts: str | Path | None = None,
        labels: str = "goemotions",
        hints: str = "order",
        scores: str = "verbal",
        specialists: Sequence[str] | None = None,
        max_tokens: int = 256,
        temperature: float = 0.0,
        seed: int = 0,
        thinking: bool | None = None,
        votes: int = 1,
        coverage: float | None = None,
        engine_options: Mapping[str, Any] | None = None,
    ) -> Reasoner:
        """A reasoner from names; with none, the embedded default. Several may share one `engine`, made before.

        `labels` is a label set's name, "a,b,c" or "open"; `hints` one of order, exclude, adjust, quote, none;
        `scores` verbal or numeric; `votes` how often each free hop of a chain is drawn; `coverage` (.50 to
        .99) makes the candidates shown the specialists' candidate sets of that coverage. Raises an
        `EmowhyError` with its cure for whatever is unknown or missing.
        """
        options = {name: value for name, value in locals().items() if name not in ("cls", "options")}
        if hints not in POLICIES:
            raise UsageError(f"unknown hints {hints!r}", nearest(hints, POLICIES))
        if scores not in ("verbal", "numeric"):
            raise UsageError(f"unknown scores {scores!r}", nearest(scores, ("verbal", "numeric")))
        if coverage is not None and not 0.5 <= coverage <= 0.99:
            raise UsageError(f"coverage must lie between .50 and .99, not {coverage:g}", "coverage=0.9 is usual")
        if votes < 1:
            raise UsageError(f"votes must be at least 1, not {votes}", "votes=1 draws each hop once")
        loaded = load_strategy(strategy or default_strategy(_name(engine), model), Path(prompts) if prompts else None)
        taxonomy = find_taxonomy(labels)
        if specialists is None:
            specialists = () if hints == "none" else default_specialists(loaded)
        from emowhy.engines import load_engine

        @functools.cache
        def make() -> Engine:
            if isinstance(engine, Engine):
                return engine
            named = adapter or default_adapter(engine, model, loaded)
            made = load_engine(engine, model=model, adapter=named, **(engine_options or {}))
            made.probe()
            return made

        found = load_specialists(specialists, taxonomy, make)  # makes the engine only if one of them asks for it
        if hints == "quote" and not any(specialist.kind == "cause" for specialist in found):
            raise UsageError("hints 'quote' take the quotes from a specialist that marks words", "add --specialist cue")
        sampling = Sampling(max_tokens, temperature, seed, thinking)
        reasoner = cls(make(), loaded, taxonomy, found, hints, cast(Scores, scores), sampling, votes, coverage)
        if warning := template_warning(make().identity(), loaded):
            logging.getLogger("emowhy").warning(warning)
        for specialist in found:
            if coverage is not None and isinstance(specialist, Classifier):
                specialist.cover(coverage)
        reasoner._options = options if isinstance(engine, str) else None
        return reasoner

    _options: Mapping[str, Any] | None = field(default=None, init=False, repr=False)

    def __reduce__(self) -> tuple[Callable[..., Reasoner], tuple[()]]:
        """Pickles as the names it was loaded from: the other process loads its own engine."""
        if self._options is None:
            raise TypeError("only a reasoner made by Reasoner.load() pickles: its parts may hold processes")
        return functools.partial(Reasoner.load, **self._options), ()

    @overload
    def explain(self, what: str | Sample) -> Explanation: ...  # type: ignore[overload-overlap]  # str is a Sequence[str]
    @overload
    def explain(self, what: Sequence[str | Sample]) -> list[Explanation]: ...
    def explain(self, what: str | Sample | Sequence[str | Sample]) -> Explanation | list[Explanation]:
        """Explain one text or sample, or a list of them (in its order)."""
        alone = isinstance(what, str | Sample)
        given = [what] if isinstance(what, str | Sample) else what
        samples = [Sample(str(i), text=one) if isinstance(one, str) else one for i, one in enumerate(given)]
        done = {job.index: answer for job, answer in self.explain_all(Job(s, i) for i, s in enumerate(samples))}
        return done[0] if alone else [done[i] for i in range(len(samples))]

    def explain_all(self, jobs: Iterable[Job | None]) -> Iterator[tuple[Job, Explanation]]:
        """Explain a stream of jobs; answers come as they finish, in any order.

        Jobs are taken only as the engine has room, so neither side need fit in memory. A None among
        them means "no more before something finishes".
        """
        source = _Batches(jobs)
        thinking: dict[int, tuple[Job, Thought, Chat]] = {}
        ready: deque[Chat] = deque()
        finished: deque[tuple[Job, Explanation]] = deque()

        def go_on(job: Job, thought: Thought, reply: Reply | None) -> None:
            try:
                chat = next(thought) if reply is None else thought.send(reply)
            except StopIteration as end:
                finished.append((job, end.value))
                return
            thinking[id(chat)] = job, thought, chat
            # what belongs to a row already begun goes before new rows
            (ready.append if reply is None else ready.appendleft)(chat)

        def take(room: int) -> list[Chat]:
            while len(ready) < room and (batch := source.next()):
                for job, clues in zip(batch, find_clues(self.specialists, [j.sample for j in batch]), strict=True):
                    go_on(job, self.reason(job, clues), None)
            return [ready.popleft() for _ in range(min(room, len(ready)))]

        while not source.exhausted or ready:
            for chat, reply in self.engine.stream(take):
                job, thought, _ = thinking.pop(id(chat))
                go_on(job, thought, reply)
                while finished:
                    yield finished.popleft()
            while finished:
                yield finished.popleft()

    def reason(self, job: Job, clues: Sequence[Clue]) -> Thought:
        """One sample's way from clues to an explanation: yields chats, is sent their replies."""
        sample, attempt = job.sample, job.attempt
        hints = weigh(clues, self.taxonomy, self.hints, whole_set=self.coverage is not None)
        said: dict[str, str] = {}
        trail = _Trail()
        parsed, reply = Parsed("unparsed", {}), Reply()
        for step in self.strategy.steps:
            if not step.fields:
                said[step.name] = yield from self._free_step(step, job, hints, said, trail)
                if trail.failed:
                    break
                continue
            again: str | None = None
            for max_tokens in (self.sampling.max_tokens, 2 * self.sampling.max_tokens):
                chat = self._chat(step, job, hints, said, trail, attempt, max_tokens, again)
                reply = yield chat
                trail.add(step.name, reply)
                parsed = parse(reply, tuple((chat.schema or {})["properties"]), sample)
                if parsed.status not in ("truncated", "unparsed"):
                    break
                again, attempt = parsed.status, attempt + 1  # asked once more: shorter, with more room
            said[step.name] = split_thinking(reply)[0]
        return self._explanation(job, clues, hints, parsed, reply, said, trail, min(attempt, job.attempt + 1))

    def _free_step(
        self, step: Step, job: Job, hints: Hints, said: Mapping[str, str], trail: _Trail
    ) -> Generator[Chat, Reply, str]:
        """A hop in free words; with votes, the draw that the other draws agree with most."""
        drawn: list[str] = []
        for vote in range(self.votes):
            chat = self._chat(step, job, hints, said, trail, job.attempt, self.sampling.max_tokens, None)
            if self.votes > 1:
                warm = max(self.sampling.temperature, 0.7)
                chat = replace(chat, sampling=replace(chat.sampling, temperature=warm, seed=chat.sampling.seed + vote))
            reply = yield chat
            trail.add(step.name, reply)
            drawn.append(split_thinking(reply)[0].strip())
        return _most_agreed(drawn)

    def _chat(
        self,
        step: Step,
        job: Job,
        hints: Hints,
        said: Mapping[str, str],
        trail: _Trail,
        attempt: int,
        max_tokens: int,
        again: str | None,
    ) -> Chat:
        build = functools.partial(
            build_chat,
            step,
            job.sample,
            hints,
            sampling=replace(
                self.sampling, max_tokens=max_tokens, seed=row_seed(self.sampling.seed, job.sample.id, attempt)
            ),
            steps=said,
            scores=self.scores,
            control_tokens=self.engine.control_tokens,
            again=again,
        )
        chat, cut = fit_chat(lambda cut: build(cut=cut), job.sample, self.engine)
        trail.cut = cut or trail.cut
        return chat

    def _explanation(
        self,
        job: Job,
        clues: Sequence[Clue],
        hints: Hints,
        parsed: Parsed,
        reply: Reply,
        said: Mapping[str, str],
        trail: _Trail,
        attempts: int,
    ) -> Explanation:
        """What the last reply says, checked against the sample."""
        sample, answer = job.sample, parsed.answer
        status = trail.failed or parsed.status
        base = Explanation(
            sample.id,
            job.index,
            status,
            clues=tuple(clues),
            cut=trail.cut,
            error=trail.error,
            steps=tuple(trail.steps),
            usage=sum((step.usage for step in trail.steps), Usage()),
            seconds=round(trail.seconds, 4),
            attempts=attempts,
            extra=sample.extra,
        )
        if status != "ok":
            return base
        emotions: tuple[Emotion, ...] = ()
        source: ScoreSource | None = None
        if self.strategy.answers:
            pass  # a task's question has another answer than emotions
        elif self.strategy.decides or not hints.given:  # a label that a reply names unasked decides nothing
            emotions, source = score_emotions(read_emotions(answer, self.taxonomy), reply.tokens, clues)
        else:
            known = {clue.label: clue.score for clue in clues if clue.kind == "emotion"}
            emotions, source = tuple(Emotion(label, known.get(label)) for label in hints.given), "specialist"
        # whatever an engine made of the schema
        told = told_causes(hints, sample) if "causes" in self.strategy.steps[-1].fields else None
        hops = [words for name, words in said.items() if name != self.strategy.steps[-1].name]
        return replace(
            base,
            emotions=emotions,
            causes=tuple(read_causes(answer, sample)) if told is None else told,
            reasoning="\n".join(filter(None, [*hops, _reasoning(answer)])) or None,
            explanation=str(answer["explanation"]).strip() if answer.get("explanation") else None,
            score_source=source,
            answers=read_answers(answer, sample) if self.strategy.answers else {},
            parse=parsed.how,
        )

    def identity(self) -> dict[str, Any]:
        """What was asked for: everything that makes an answer what it is, for the run's fingerprint."""
        return {
            **self.engine.identity(),
            "strategy": self.strategy.name,
            "templates": self.strategy.hash,
            "schema": schema_hash(self.strategy.steps[-1].fields, self.taxonomy.labels, self.sampling.max_tokens),
            "labels": self.taxonomy.name,
            "hints": self.hints,
            "scores": self.scores,
            "specialists": [dict(specialist.identity()) for specialist in self.specialists],
            "max_tokens": self.sampling.max_tokens,
            "temperature": self.sampling.temperature,
            "seed": self.sampling.seed,
            "thinking": self.sampling.thinking,
            "votes": self.votes,
            "coverage": self.coverage,
        }


class _Batches:
    """Jobs in the portions that specialists see at once; a None ends a portion."""

    def __init__(self, jobs: Iterable[Job | None]) -> None:
        self._source = iter(jobs)
        self.exhausted = False

    def next(self) -> list[Job]:
        batch: list[Job] = []
        for job in self._source:
            if job is None:
                return batch
            batch.append(job)
            if len(batch) == _SAMPLES_AT_ONCE:
                return batch
        self.exhausted = True
        return batch


class _Trail:
    """What happened on the way: replies as they came, what was cut, and the first failure."""

    def __init__(self) -> None:
        self.steps: list[StepRecord] = []
        self.cut: Cut | None = None
        self.seconds = 0.0
        self.failed: Any = None
        self.error: str | None = None

    def add(self, name: str, reply: Reply) -> None:
        text, thinking = split_thinking(reply)
        self.steps.append(StepRecord(name, text, thinking, reply.finish, reply.usage))
        self.seconds += reply.seconds
        if reply.finish in ("error", "refusal"):
            self.failed = "error" if reply.finish == "error" else "refused"
            self.error = reply.error


def _name(engine: str | Engine) -> str:
    return engine.name if isinstance(engine, Engine) else engine


def row_seed(seed: int, id: str, attempt: int) -> int:
    """A seed of 31 bits from the run's seed, the row's id and the attempt."""
    digest = hashlib.blake2b(f"{seed}\0{id}\0{attempt}".encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1


def _reasoning(answer: Mapping[str, Any]) -> str:
    """The reasoning-like fields of a reply as one text."""
    seen = answer.get("observations")
    noticed = [
        f"{item['observation']} ({item.get('strength', 'moderate')}: {item.get('emotion', 'unclear')})"
        for item in (seen if isinstance(seen, list) else [])
        if isinstance(item, dict) and item.get("observation")
    ]
    parts = ["; ".join(noticed), answer.get("interpretation"), answer.get("reasoning")]
    return "\n".join(str(part).strip() for part in parts if part)


def _most_agreed(drawn: Sequence[str]) -> str:
    """The text whose words the other texts share most (mean Jaccard); the first of equals."""
    words = [set(text.casefold().split()) for text in drawn]

    def agreement(i: int) -> float:
        return sum(len(words[i] & other) / (len(words[i] | other) or 1) for j, other in enumerate(words) if j != i)

    return drawn[max(range(len(drawn)), key=lambda i: (agreement(i), -i))]
