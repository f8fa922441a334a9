"""`lexicon`: emotion and cue words by a word list of our own (`lexicon.tsv`); no model, thousands of texts a second.

A word says what its row says; more after "very", in capitals, lengthened or before "!"; less after "slightly"; another
thing after "not" (Polanyi and Zaenen, Contextual Valence Shifters, 2006; Taboada et al., Lexicon-Based Methods for
Sentiment Analysis, 2011, section 2). The list and its weights are written by hand from general knowledge of English.
Only the numbers of the @ rows are fitted, on GoEmotions' training split (Demszky et al. 2020, CC BY 4.0): a logistic
regression a label, on what the words say for it and for the others, and the threshold for the best F1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from emowhy.errors import MissingError
from emowhy.models import file_hash
from emowhy.specialists.base import Classifier
from emowhy.taxonomy import Taxonomy, carry, find_map, find_taxonomy
from emowhy.types import Clue, Sample

TABLE = Path(__file__).parent / "lexicon.tsv"

_CURE = "pip install --force-reinstall --no-deps emowhy"
_WORD = r"[^\W_]+(?:(?:['’_]|\*+)[^\W_]+)*"
_MARKS = ".,;:!?…()\n。！？，；"  # where a clause ends
_THRICE = re.compile(r"(.)\1\1+", re.DOTALL)
_REACH = 3  # a modifier reaches so many words ahead
_LOUD = 1.25  # what capitals, a lengthened word, and each of the first two exclamation marks multiply by
_SHARE = 0.25  # of what the most telling word says: a word that says less is not told as a cause

Weights = tuple[tuple[int, float], ...]


class Entry(NamedTuple):
    """What a pattern says, by label column, also when negated, and what it multiplies the next words by."""

    weights: Weights
    negated: Weights
    factor: float = 1.0


class Token(NamedTuple):
    """A word, emoji or mark as looked up, how loud it is, and how many tokens a phrase has that begins with it."""

    key: str
    entry: Entry | None
    strength: float
    longest: int


class Cue(NamedTuple):
    """Words that say something: a span in code points, how strongly, and what."""

    start: int
    end: int
    strength: float
    weights: Weights


class WordList:
    """`lexicon.tsv` as read: a text in, its cues out."""

    def __init__(self, path: Path, labels: Sequence[str]) -> None:
        self.constants = np.zeros((4, len(labels)))  # shift, scale, rival, threshold
        self.entries: dict[str, Entry] = {}
        self._columns = {label: k for k, label in enumerate(labels)}
        self._opposites: dict[int, Weights] = {}
        self._longest: dict[str, int] = {}
        self._seen: dict[str, Token] = {}
        line = ""
        try:
            for line in path.read_text(encoding="utf-8").splitlines():
                if line and not line.startswith("#"):
                    self._add(*line.split("\t"))
            self.sha256 = file_hash(path)
        except (OSError, LookupError, TypeError, ValueError) as error:
            raise MissingError(f"the word list {path} is missing or damaged ({line[:40]!r}: {error})", _CURE) from error
        signs = [key for key in self.entries if not key[0].isalnum() and key[0] not in "?!"]
        faces = sorted((re.escape(sign) for sign in signs if sign.isascii()), key=len, reverse=True)
        emoji = re.escape("".join(sign for sign in signs if not sign.isascii()))
        if not (faces and emoji) or len(self._opposites) < len(labels):
            raise MissingError(f"the word list {path} lacks rows", _CURE)
        pictures = rf"([{emoji}])(?:\1|[\ufe0f\U0001f3fb-\U0001f3ff]|\u200d\W)*"  # with their modifiers, repeated
        self._token = re.compile(rf"{_WORD}|(?:{'|'.join(faces)})(?![\w/])|{pictures}|[{_MARKS}]+", re.IGNORECASE)

    def _add(self, patterns: str, *cells: str) -> None:
        if patterns.startswith("@"):
            column = self._columns[patterns[1:]]
            *numbers, opposite = cells
            self.constants[:, column] = [float(number) for number in numbers]
            self._opposites[column] = self._weigh(opposite)
            return
        (says,) = cells
        weights = self._weigh(says)
        negated = tuple((other, w * share) for column, w in weights for other, share in self._opposites[column])
        entry = Entry(weights, negated, *(float(part.removeprefix("x")) for part in says.split() if ":" not in part))
        for pattern in patterns.split(", "):
            parts = re.findall(rf"{_WORD}|[?!]+", pattern) if pattern[0].isalnum() else [pattern]
            words = [_fold(part) for part in parts]
            key = " ".join(words) + "*" * pattern.endswith("*")
            if key in self.entries:
                raise ValueError(f"{pattern!r} stands twice")
            self.entries[key] = entry
            for k, word in enumerate(words):
                self._longest[word] = max(self._longest.get(word, 1), 1 if k else len(words))

    def _weigh(self, cell: str) -> Weights:
        pairs = [part.split(":") for part in cell.split() if ":" in part]
        return tuple((self._columns[label], float(weight)) for label, weight in pairs)

    def cues(self, text: str) -> list[Cue]:
        """What the text's words say, in their order."""
        tokens = [(self._look(match[0]), match.start(), match.end()) for match in self._token.finditer(text)]
        cues: list[Cue] = []
        reach: list[tuple[int, float, int]] = []  # modifiers of this clause: place, factor, where it starts
        place = sentence = 0
        while place < len(tokens):
            token, start, _ = tokens[place]
            entry, last = self._match(tokens, place)
            end = tokens[last][2]
            if text[start] in _MARKS:
                reach = []
            if entry and entry.weights:
                near = [(factor, begin) for at, factor, begin in reach if place - at <= _REACH]
                negators = [begin for factor, begin in near if factor < 0]
                strength = token.strength * math.prod(abs(factor) for factor, _ in near)
                if weights := entry.negated if len(negators) % 2 else entry.weights:
                    cues.append(Cue(min([start, *negators]), end, min(strength, 4.0), weights))
            if entry and entry.factor != 1:
                factor = entry.factor * (token.strength if entry.factor > 1 else 1)  # "sooo" is more than "so"
                reach = [*reach, (last, factor, start)] if factor else []
            if text[start] in _MARKS and text[start:end].strip(",;:()，；"):  # a sentence ends
                loud = _LOUD ** min(text.count("!", start, end), 2)
                cues[sentence:] = [cue._replace(strength=cue.strength * loud) for cue in cues[sentence:]]
                sentence = len(cues)
            place = last + 1
        return cues

    def _match(self, tokens: Sequence[tuple[Token, int, int]], place: int) -> tuple[Entry | None, int]:
        """The longest phrase that begins here, else the one word; and the place of its last token."""
        first = tokens[place][0]
        for last in range(min(place + first.longest, len(tokens)) - 1, place, -1):
            if entry := self.entries.get(" ".join(token.key for token, _, _ in tokens[place : last + 1])):
                return entry, last
        return first.entry, place

    def _look(self, raw: str) -> Token:
        if found := self._seen.get(raw):
            return found
        key = _fold(raw[:64])  # no word is longer
        if not key.isascii() and key[0] in self.entries:
            key = key[0]  # an emoji without its repetitions and modifiers
        strength = _LOUD if raw[0].isalpha() and len(raw) > 2 and raw.isupper() else 1.0
        if _THRICE.search(raw):
            strength *= _LOUD
            tries = (key, _THRICE.sub(r"\1\1", key), _THRICE.sub(r"\1", key))
            key = next((word for word in tries if word in self._longest), key)
        names = (key, *(f"{key[:end]}*" for end in range(len(key), 2, -1)))
        entry = next((self.entries[name] for name in names if name in self.entries), None)
        found = Token(key, entry, strength, self._longest.get(key, 1))
        if len(self._seen) < 1 << 16:
            self._seen[raw] = found
        return found


class Lexicon(Classifier):
    """GoEmotions' 28 labels by cue words, carried to other label sets; and the cue words themselves, as causes."""

    name = "lexicon"

    def __init__(self, taxonomy: Taxonomy, table: Path = TABLE) -> None:
        self._own = find_taxonomy("goemotions")
        super().__init__(self._own if taxonomy.is_open else taxonomy)
        self._words = WordList(table, self._own.labels)
        ways = list(find_map(self._own, self.taxonomy).values())
        self._sources = {label: [k for k, ends in enumerate(ways) if label in ends] for label in self.taxonomy.labels}

    def evidence(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """What each text's words weigh for each of GoEmotions' labels: shape (texts, 28)."""
        found = np.zeros((len(texts), len(self._own.labels)))
        for row, text in zip(found, texts, strict=True):
            for cue in self._words.cues(text):
                for column, weight in cue.weights:
                    row[column] += cue.strength * weight
        return found

    def probabilities(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return carry(self._own_probabilities(self.evidence(texts)), self._own, self.taxonomy).astype(np.float32)

    def thresholds(self) -> npt.NDArray[np.float32]:
        """The fitted ones; in another set, where a label stands on average when one of its sources reaches its own."""
        rest = self._own_probabilities(np.zeros((1, len(self._own.labels))))
        carried = carry(np.where(np.eye(rest.size), self._words.constants[3], rest), self._own, self.taxonomy)
        found = [carried[sources, k].mean() if sources else 1.0 for k, sources in enumerate(self._sources.values())]
        return np.array(found, dtype=np.float32)

    def _own_probabilities(self, evidence: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Sigmoid of shift + scale · said for the label + rival · said for others, what is said on a log scale."""
        shift, scale, rival, _ = self._words.constants
        others = evidence.sum(axis=1, keepdims=True) - evidence
        logits = shift + scale * np.log1p(evidence / 2) + rival * np.log1p(others / 2)
        return np.asarray(1 / (1 + np.exp(-logits)))

    def find_clues(self, samples: Sequence[Sample], clues: Sequence[Sequence[Clue]]) -> list[list[Clue]]:
        """The emotions, and the words (at most 5) that carried the chosen ones."""
        found = super().find_clues(samples, clues)
        return [[*emotions, *self._causes(sample, emotions)] for sample, emotions in zip(samples, found, strict=True)]

    def _causes(self, sample: Sample, emotions: Sequence[Clue]) -> list[Clue]:
        """A cue's score is its share of what is said for an emotion, times the emotion's probability."""
        chosen = [emotion for emotion in reversed(emotions) if emotion.chosen]  # the likeliest last: its score stays
        wanted = {column: emotion.score or 0.0 for emotion in chosen for column in self._sources[emotion.label or ""]}
        turn = None if sample.text is None else sample.target
        texts: Mapping[Any, str | None] = sample.observations if turn is None else {None: sample.text}
        said: list[tuple[Clue, dict[int, float]]] = []
        for name, text in [(name, text or "") for name, text in texts.items() if wanted]:
            for cue in self._words.cues(text):
                quote = text[cue.start : cue.end]
                clue = Clue("cause", self.name, None, None, quote, turn, name, cue.start, cue.end, chosen=True)
                says = {column: weight * cue.strength for column, weight in cue.weights if column in wanted}
                if says and not set(quote) <= set("?!"):
                    said.append((clue, says))
        total = {column: sum(says.get(column, 0.0) for _, says in said) for column in wanted}
        scores = [max(wanted[column] * weight / total[column] for column, weight in says.items()) for _, says in said]
        least = _SHARE * max(scores, default=0.0)
        told: list[Clue] = []
        covered: set[tuple[str | None, int]] = set()  # "not" and "not happy" share words: the more telling one stays
        for score, (clue, _) in sorted(zip(scores, said, strict=True), key=lambda pair: -pair[0]):
            span = {(clue.observation, place) for place in range(clue.start or 0, clue.end or 0)}
            if score >= least and covered.isdisjoint(span):
                covered |= span
                told.append(replace(clue, score=round(score, 4)))
        return told[:5]

    def identity(self) -> Mapping[str, Any]:
        return {"name": self.name, "sha256": self._words.sha256, "data": "own word list", "licence": "Apache-2.0"}


def _fold(word: str) -> str:
    """The form that is looked up: "Don’t" -> "dont", but "I'll" is not "ill"."""
    key = word.casefold().replace("’", "'")
    return key if not key[0].isalnum() or key.endswith(("'ll", "'d")) else key.replace("'", "")
