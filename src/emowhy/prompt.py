"""Sample + Clues -> Chat: strategies as folders of Jinja templates, hints as a policy of its own."""

from __future__ import annotations

import bisect
import functools
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

import jinja2
import jinja2.meta
import jinja2.nodes
import jinja2.sandbox

from emowhy.decide import decide
from emowhy.engines.base import Engine
from emowhy.errors import UsageError, nearest
from emowhy.parse import quote_clues
from emowhy.schema import ANSWERS, FIELDS, Place, reply_schema
from emowhy.shown import show
from emowhy.taxonomy import Taxonomy, normalise
from emowhy.types import Cause, Chat, Clue, Cut, Message, Sample, Sampling, Turn

Policy = Literal["order", "exclude", "adjust", "quote", "none"]
Scores = Literal["verbal", "numeric"]
POLICIES: tuple[Policy, ...] = get_args(Policy)

MODALITIES = ("face", "voice", "scene")
"""Once a sample is described at all, those of these that nobody described are said to be missing."""

# What a calibrated probability is called. The bounds are those of the words' common use.
_WORDS = ((0.85, "almost certain"), (0.6, "likely"), (0.35, "possible"), (0.15, "less likely"), (0.0, "unlikely"))

_NOTHING = "nothing in particular"
"""What is said of somebody who feels "neutral", which is no noun."""

_VARIABLES = frozenset(
    {
        *("hints", "scores", "open", "labels", "candidates", "others", "given", "cues", "values", "again"),
        *("turns", "observations", "spoken", "speaker", "target", "asked", "choices", "steps", "fields"),
    }
)
_REPLY = re.compile(r"\{#-?\s*reply:([^#]*?)-?#\}")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A label that a specialist proposes, its probability, and what that probability is called."""

    label: str
    score: float | None
    words: str


@dataclass(frozen=True, slots=True)
class Hints:
    """What a policy lets the prompt say: candidates, labels allowed, labels taken as given, telling words, values."""

    policy: Policy
    labels: tuple[str, ...]
    candidates: tuple[Candidate, ...] = ()
    others: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    cues: tuple[Clue, ...] = ()
    values: tuple[Clue, ...] = ()

    @property
    def felt(self) -> tuple[str, ...]:
        """The given labels that can be explained: beside another, "neutral" says only that it is felt faintly."""
        return tuple(label for label in self.given if normalise(label) != "neutral") or self.given


def weigh(clues: Sequence[Clue], taxonomy: Taxonomy, policy: Policy, whole_set: bool = False) -> Hints:
    """Turn clues into hints.

    Candidates are the chosen labels, filled up to at least two and at most five by those with a
    probability of .1 or more; with `whole_set` they are all the labels that the specialists tell (their
    candidate sets, whose sizes vary with doubt). `exclude` keeps the candidates and every label of .02 or more, at
    least five; the others keep all labels reachable. Clues outside a closed label set count for nothing, and
    of several specialists' words on a label the last counts.
    """
    if policy == "none":
        return Hints(policy, taxonomy.labels)
    told = [c for c in clues if c.kind == "emotion" and c.label and (taxonomy.is_open or c.label in taxonomy.labels)]
    ranked = sorted({c.label: c for c in told}.values(), key=lambda c: -(c.score or 0.0))
    primary = (
        ranked if whole_set else [c for i, c in enumerate(ranked) if i < 2 or c.chosen or (c.score or 0) >= 0.1][:5]
    )
    candidates = tuple(Candidate(c.label or "", c.score, verbal(c.score)) for c in primary)
    labels = taxonomy.labels
    if policy == "exclude" and ranked and labels:
        likely = {c.label for i, c in enumerate(ranked) if whole_set or i < 5 or c.chosen or (c.score or 0) >= 0.02}
        labels = tuple(label for label in labels if label in likely)
    shown = {c.label for c in candidates}
    return Hints(
        policy,
        labels,
        candidates,
        tuple(label for label in labels if label not in shown),
        _given(ranked),
        tuple(c for c in clues if c.kind == "cause" and c.chosen and c.quote),
        tuple(c for c in clues if c.kind == "valence" and c.label and c.value is not None),
    )


def _given(ranked: Sequence[Clue]) -> tuple[str, ...]:
    """The labels taken as decided: those that probabilities decide for or, where a specialist tells none, the chosen
    ones, at most three, or else the first."""
    if found := decide({c.label: c.score for c in ranked if c.label and c.score}):
        return found
    told = [c for c in ranked if c.label]
    return tuple(c.label or "" for c in [c for c in told if c.chosen][:3] or told[:1])


def verbal(score: float | None) -> str:
    """The words for a calibrated probability."""
    return next(words for least, words in _WORDS if (score or 0.0) >= least)


@dataclass(frozen=True)
class Step:
    """One call of the model: a template file with a `system` and a `user` block.

    `fields` are the reply fields that its `{#- reply: … -#}` line names; none means free words.
    """

    name: str
    fields: tuple[str, ...]
    system: jinja2.Template
    user: jinja2.Template


@dataclass(frozen=True)
class Strategy:
    """A folder of templates: its steps are its files in name order. `hash` names their exact wording."""

    name: str
    steps: tuple[Step, ...]
    hash: str

    @property
    def decides(self) -> bool:
        """Whether the model names the emotions (else they are given to it)."""
        return "emotions" in self.steps[-1].fields

    @property
    def answers(self) -> bool:
        """Whether it answers a task's question instead of naming emotions."""
        return bool(set(self.steps[-1].fields) & set(ANSWERS))


def prompts_folder() -> Path:
    """Where the shipped templates are: in the installed package, or at the top of a checkout."""
    inside = Path(str(files("emowhy") / "prompts"))
    return inside if inside.is_dir() else Path(__file__).resolve().parents[2] / "prompts"


def list_strategies(folder: Path | None = None) -> dict[str, str]:
    """Every strategy's name with the first sentence of its last step's instructions; a user's folder goes first."""
    found: dict[str, str] = {}
    for base in filter(None, (folder, prompts_folder())):
        for path in sorted(p for p in (*base.glob("*"), *base.glob("tasks/*")) if p.is_dir() and _step_files(p)):
            text = _step_files(path)[-1].read_text(encoding="utf-8")
            body = re.sub(r"\{[%{#].*?[%}#]\}", "", text.partition("{% block system %}")[2]).strip()
            found.setdefault(path.relative_to(base).as_posix(), body.split(". ")[0].split("\n")[0].rstrip(".") + ".")
    return found


@functools.lru_cache(maxsize=32)
def load_strategy(name: str, folder: Path | None = None) -> Strategy:
    """The strategy of this name, from the user's folder (sandboxed) or the shipped ones.

    Raises UsageError for an unknown strategy, reply field or template variable, naming the known ones.
    """
    if folder is not None and not folder.is_dir():
        raise UsageError(f"no folder of prompts at {folder.absolute()}", "check --prompts")
    own = folder is not None and (folder / name).is_dir()
    base = folder if own and folder is not None else prompts_folder()
    paths = _step_files(base / name)
    if not paths:
        raise UsageError(f"no strategy {name!r} in {base}", nearest(name, list_strategies(folder)))
    # A shipped strategy, too, takes the partials of a user's folder first.
    kind = jinja2.sandbox.ImmutableSandboxedEnvironment if folder else jinja2.Environment
    environment = kind(
        loader=jinja2.FileSystemLoader([str(b) for b in (folder, prompts_folder()) if b]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    steps = tuple(_load_step(path, environment) for path in paths)
    if not steps[-1].fields:
        raise UsageError(f"the last step of {name!r} has no reply line", f"begin {paths[-1]} with {{#- reply: … -#}}")
    digest = hashlib.sha256()
    bases = dict.fromkeys(b for b in (folder, prompts_folder()) if b)
    for path in [*paths, *(p for b in bases for p in sorted(b.glob("_*.jinja")))]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return Strategy(name, steps, digest.hexdigest()[:16])


def _step_files(folder: Path) -> list[Path]:
    """A strategy's steps: its templates in name order, less the partials."""
    return sorted(path for path in folder.glob("*.jinja") if not path.name.startswith("_"))


def _load_step(path: Path, environment: jinja2.Environment) -> Step:
    source = path.read_text(encoding="utf-8")
    try:
        tree = environment.parse(source, filename=str(path))
        used = jinja2.meta.find_undeclared_variables(tree)
    except jinja2.TemplateSyntaxError as error:
        raise UsageError(f"{path}, line {error.lineno}: {error.message}", "mend the template") from error
    # What stands before the blocks (imports, settings) belongs to both.
    preamble = [node for node in tree.body if not isinstance(node, jinja2.nodes.Block)]
    for variable in sorted(used - _VARIABLES - _names_set(preamble) - environment.globals.keys()):
        raise UsageError(f"{path} uses an unknown variable {variable!r}", nearest(variable, _VARIABLES))
    line = _REPLY.search(source)
    fields = tuple(line.group(1).split()) if line else ()
    for name in fields:
        if name not in FIELDS:
            raise UsageError(f"{path} asks for an unknown reply field {name!r}", nearest(name, FIELDS))
    blocks = {node.name: node for node in tree.find_all(jinja2.nodes.Block)}
    for name in ("system", "user"):
        if name not in blocks:
            raise UsageError(f"{path} has no block {name!r}", f"add {{% block {name} %}}…{{% endblock %}}")

    def build(name: str) -> jinja2.Template:
        part = jinja2.nodes.Template([*preamble, *blocks[name].body], lineno=1)
        part.set_environment(environment)
        code = environment.compile(part, name=path.name, filename=str(path))
        return environment.template_class.from_code(environment, code, environment.make_globals(None))

    return Step(re.sub(r"^\d+[-_]?", "", path.stem), fields, build("system"), build("user"))


def _names_set(preamble: Sequence[jinja2.nodes.Node]) -> set[str]:
    """The names that a template's preamble gives: imports, macros, settings."""
    names: set[str] = set()
    for node in preamble:
        if isinstance(node, jinja2.nodes.Import):
            names.add(node.target)
        elif isinstance(node, jinja2.nodes.Macro):
            names.add(node.name)
        elif isinstance(node, jinja2.nodes.FromImport):
            names.update(name if isinstance(name, str) else name[1] for name in node.names)
        names.update(name.name for name in node.find_all(jinja2.nodes.Name) if name.ctx == "store")
    return names


def build_chat(
    step: Step,
    sample: Sample,
    hints: Hints,
    *,
    sampling: Sampling,
    steps: Mapping[str, str] | None = None,
    scores: Scores = "verbal",
    control_tokens: Sequence[str] = (),
    again: str | None = None,
    cut: Cut | None = None,
) -> Chat:
    """Render one step for one sample, less what `cut` says.

    `steps` are earlier replies by name; `again` says why the last one could not be read.
    """
    shown = functools.partial(show, control_tokens=control_tokens)
    fields = step.fields
    if fields and not hints.given and "emotions" not in fields and not set(fields) & set(ANSWERS):
        # nothing is given, so the model must name the emotion: after its reasons
        fields = tuple(name for name in FIELDS if name in fields or name == "emotions")
    left, described = without(sample, cut) if cut else (sample.turns(), dict(sample.observations))
    turns = [
        {"number": number, "speaker": turn.speaker and shown(turn.speaker), "text": shown(turn.text)}
        for number, turn in left.items()
    ]
    observations = [(shown(name), words and shown(words)) for name, words in _told(described)]
    speaker = shown(sample.speaker) if sample.speaker else None
    felt = tuple(_NOTHING if normalise(label) == "neutral" else label for label in hints.felt)
    # Without the speaker's name, so that a run has few openings: each is a grammar to compile.
    opening = f"The person feels {' and '.join(felt)} because" if _is_given(fields) else ""
    variables: dict[str, Any] = {
        "hints": hints.policy,
        "scores": scores,
        "open": not hints.labels,
        "labels": hints.labels,
        "candidates": hints.candidates,
        "others": hints.others,
        "given": felt,
        "values": [{"label": clue.label, "value": clue.value} for clue in hints.values],
        "cues": [{"quote": shown(cue.quote or ""), "turn": cue.turn} for cue in hints.cues],
        "turns": turns,
        "observations": observations,
        "spoken": sample.text is not None,
        "speaker": speaker,
        "target": sample.target,
        "asked": sample.question and shown(sample.question),
        "choices": [shown(choice) for choice in sample.choices],
        "steps": {name: shown(words) for name, words in (steps or {}).items()},
        "fields": fields,
        "again": again,
    }
    try:
        messages = (
            Message("system", step.system.render(variables).strip()),
            Message("user", step.user.render(variables).strip()),
        )
    except Exception as error:  # whatever is raised here, a template did: jinja2's own errors, 1/0, a range too long
        raise UsageError(
            f"template {step.user.name!r}: {error}", f"known variables: {', '.join(sorted(_VARIABLES))}"
        ) from error
    places: tuple[Place, ...] = (*left, *(name for name, words in described.items() if words))
    told = told_causes(hints, sample)
    quotes = None if told is None else tuple((cause.place, shown(cause.quote)) for cause in told)
    return Chat(
        messages,
        sampling,
        reply_schema(fields, hints.labels, places, sampling.max_tokens, opening, len(sample.choices), quotes)
        if fields
        else None,
        {
            "id": sample.id,
            "candidates": hints.given or tuple(c.label for c in hints.candidates) or hints.labels,
            "words": sample.words(),
            "place": sample.target if sample.text is not None else next(iter(places), None),
        },
    )


def told_causes(hints: Hints, sample: Sample) -> tuple[Cause, ...] | None:
    """Under `quote` the causes of every answer: what the specialists marked. None where the model is to find them."""
    return quote_clues(hints.cues, sample) if hints.policy == "quote" else None


def _is_given(fields: Sequence[str]) -> bool:
    """Whether a reply explains labels that it does not choose."""
    return "explanation" in fields and "emotions" not in fields


def _told(observations: Mapping[str, str | None]) -> list[tuple[str, str | None]]:
    """Observations as they are told: described ones first, then those known to be missing."""
    if not observations:
        return []
    told = {**observations, **{name: None for name in MODALITIES if name not in observations}}
    return sorted(told.items(), key=lambda item: not item[1])


def without(sample: Sample, cut: Cut) -> tuple[dict[int, Turn], dict[str, str | None]]:
    """The turns (with their own numbers) and observations that are left after `cut`."""
    turns = sample.turns()
    context = [number for number in turns if number < sample.target]
    after = [number for number in reversed(turns) if number > sample.target]
    for number in [*context, *after][: cut.turns]:
        del turns[number]
    observations = dict(sample.observations)
    longest = max(observations, key=lambda name: len(observations[name] or ""), default=None)
    if longest is not None and len(observations[longest] or "") > len(sample.text or ""):
        observations[longest] = _shorten(observations[longest] or "", cut.characters)
    elif sample.text is not None:
        turns[sample.target] = replace(turns[sample.target], text=_shorten(sample.text, cut.characters))
    return turns, observations


def _shorten(text: str, characters: int) -> str:
    """`text` without so many characters from its middle."""
    if characters <= 0:
        return text
    kept = max(0, len(text) - characters)
    return f"{text[: kept - kept // 2]} […] {text[len(text) - kept // 2 :]}"


def fit_chat(build: Callable[[Cut | None], Chat], sample: Sample, engine: Engine) -> tuple[Chat, Cut | None]:
    """The chat that `build` makes of the sample, cut as little as its engine's context demands.

    The oldest context turns go first, then the last of the turns after the target, then the middle
    of the text. A chat that is too long even so comes back as it is: the engine says so.
    """
    chat = build(None)
    if engine.context_length is None:
        return chat, None
    room = engine.context_length - chat.sampling.max_tokens
    # No token is shorter than a byte, so most chats need no counting; 64 are for the chat template.
    if sum(len(message.content.encode()) for message in chat.messages) + 64 <= room:
        return chat, None

    def fits(cut: Cut | None) -> bool:
        return engine.count_tokens(build(cut)) <= room

    if fits(None):
        return chat, None
    most = len(sample.context) + len(sample.after)
    turns = bisect.bisect_left(range(most + 1), True, key=lambda n: fits(Cut(n)))
    if turns <= most:
        return build(Cut(turns)), Cut(turns)
    length = max(len(sample.text or ""), *(len(words or "") for words in sample.observations.values()), 0)
    characters = bisect.bisect_left(range(length + 1), True, key=lambda n: fits(Cut(most, n)))
    cut = Cut(most, min(characters, length))
    return build(cut), cut
