"""The nouns. Frozen, plain, cheap to import; everything else passes them along."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["ok", "unparsed", "truncated", "refused", "error"]
ScoreSource = Literal["engine", "specialist"]
Finish = Literal["stop", "length", "refusal", "error"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One utterance of a dialogue."""

    text: str
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """Words that are said to cause or carry the emotion.

    They stand in a turn (numbered from 0 through the context; the target is the next number) or in
    an observation (named). `start` and `end` are Unicode code points in the raw text, half-open;
    a quote that is not verbatim has neither and is not `verified`. `said` is the place that a reply
    named where its words do not stand, while they stand in exactly one other: this one.
    """

    quote: str
    turn: int | None = None
    observation: str | None = None
    start: int | None = None
    end: int | None = None
    verified: bool = False
    said: int | str | None = None

    @property
    def place(self) -> int | str | None:
        """The turn's number or the observation's name."""
        return self.observation if self.turn is None else self.turn

    @property
    def exact(self) -> bool:
        """Whether the words stand where the reply says they do."""
        return self.verified and self.said is None


@dataclass(frozen=True, slots=True)
class Gold:
    """What annotators say. An empty tuple is an answer ("none"); None means not annotated."""

    emotions: tuple[str, ...] | None = None
    causes: tuple[Cause, ...] | None = None
    explanation: str | None = None
    answers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """What is to be explained: a text with its context, observations of other modalities in words, or both.

    `observations` maps a modality ("face", "voice", "scene", …) to its description; None says that
    the modality was looked for and is missing. There is a text or at least one description.
    `question` is what is asked about it, where that is not the emotion of the target turn.
    """

    id: str
    text: str | None = None
    speaker: str | None = None
    context: tuple[Turn, ...] = ()
    after: tuple[Turn, ...] = ()
    observations: Mapping[str, str | None] = field(default_factory=dict)
    question: str | None = None
    choices: tuple[str, ...] = ()
    gold: Gold | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def target(self) -> int:
        """The number of the target turn."""
        return len(self.context)

    def turns(self) -> dict[int, Turn]:
        """Every turn by its number: context, target (when it has words), then later turns."""
        found = dict(enumerate(self.context))
        if self.text is not None:
            found[self.target] = Turn(self.text, self.speaker)
        found.update((self.target + 1 + i, turn) for i, turn in enumerate(self.after))
        return found

    def words(self) -> str:
        """What the target says or, where nothing is said, what was observed."""
        return self.text if self.text is not None else " ".join(v for v in self.observations.values() if v)


@dataclass(frozen=True, slots=True)
class Clue:
    """One thing a specialist noticed.

    `kind` is "emotion", "cause", "valence", …; a clue has a `label`, a `value`, or a `quote` with its
    place (as in `Cause`). `score` is calibrated (0 to 1) and `chosen` says whether it is above its threshold.
    """

    kind: str
    source: str
    label: str | None = None
    value: float | None = None
    quote: str | None = None
    turn: int | None = None
    observation: str | None = None
    start: int | None = None
    end: int | None = None
    score: float | None = None
    chosen: bool = False

    @property
    def place(self) -> int | str | None:
        """The turn's number or the observation's name."""
        return self.observation if self.turn is None else self.turn


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to generate. `thinking` None leaves a thinking model its default."""

    max_tokens: int = 256
    temperature: float = 0.0
    seed: int = 0
    thinking: bool | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Chat:
    """One call of a language model: messages, how to sample, and the JSON schema that binds the reply, if any.

    `about` carries what the chat was made from (the sample's id, its candidates and first words):
    the scripted engine answers from it, no engine sends it.
    """

    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    schema: Mapping[str, Any] | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens read and written."""

    prompt: int = 0
    completion: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.prompt + other.prompt, self.completion + other.completion)


@dataclass(frozen=True, slots=True)
class Reply:
    """What an engine answered: the same for every engine.

    `tokens` are the pieces of `text` with their natural log-probabilities, where the engine gives them.
    `finish` "error" carries the reason in `error`; "refusal" is only what a server's API calls one.
    """

    text: str = ""
    thinking: str | None = None
    finish: Finish = "stop"
    usage: Usage = Usage()
    tokens: tuple[tuple[str, float], ...] | None = None
    error: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Emotion:
    """A label with its probability (0 to 1), where one is known."""

    label: str
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One reply on the way to an explanation, as it came."""

    name: str
    raw: str
    thinking: str | None
    finish_reason: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class Cut:
    """What was left out of a prompt to fit the model's context.

    `turns`: the oldest turns of the context (then the last of those after the target); `characters`:
    code points from the middle of the target's text, or of the longest observation where that is longer.
    """

    turns: int = 0
    characters: int = 0


@dataclass(frozen=True, slots=True)
class Explanation:
    """Which emotion, why, and which words say so; and how that answer came about.

    `parse` says whether the reply was read strictly or leniently; `answers` holds what else a task
    asks for; `same_as` names the row with the same content whose answer this is a copy of.
    """

    id: str
    index: int = 0
    status: Status = "ok"
    emotions: tuple[Emotion, ...] = ()
    causes: tuple[Cause, ...] = ()
    reasoning: str | None = None
    explanation: str | None = None
    score_source: ScoreSource | None = None
    answers: Mapping[str, Any] = field(default_factory=dict)
    clues: tuple[Clue, ...] = ()
    parse: Literal["strict", "lenient"] | None = None
    cut: Cut | None = None
    error: str | None = None
    same_as: str | None = None
    steps: tuple[Step, ...] = ()
    usage: Usage = Usage()
    seconds: float = 0.0
    attempts: int = 1
    extra: Mapping[str, Any] = field(default_factory=dict)
