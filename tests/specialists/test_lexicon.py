"""Laws of the word list: how words are heard, and that any text may come. No figure of its constants is asserted."""

from __future__ import annotations

import itertools
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emowhy.errors import MissingError
from emowhy.specialists.lexicon import TABLE, Lexicon, WordList
from emowhy.taxonomy import find_taxonomy, reachable
from emowhy.types import Clue, Sample, Turn

GO = find_taxonomy("goemotions")
LEXICON = Lexicon(GO)
SETS = ("goemotions", "ekman", "plutchik", "parrott", "empathetic", "meld", "open", "joy, boredom, neutral")
HARD = {
    "empty": "",
    "blank": " \n\t ",
    "one": "a",
    "mark": "?",
    "emoji": "😭😭 👩‍👧 ❤️‍🔥🤦🏽‍♂️",
    "control": "I\x00hate\x01\x1b[31mthis\x7f\u2028awful",
    "surrogate": "hate \ud83d awful \udc4d",
    "long": "I am so sad and angry about it. " * 1600,
    "one long word": "a" * 50_000,
    "stars": "a" + "*" * 50_000,
    "shouts": "!" * 50_000,
    "faces": ":(" * 25_000,
    "chinese": "我今天非常生气,因为他们来了。",
    "arabic": "أنا حزين جدا اليوم",
    "capitals": "I HATE ALL OF THIS AWFUL THING",
    "grows when folded": "ßßß ŉot İ HATE ﬁne ΐ sad ßad",
    "combining": "I h\u0336a\u0336te cafe\u0301s, awful",
}
WORDS = ["not", "very", "happy", "HATE", "soooo", "but", "can’t", "wait", "no", "longer", "sad", "lol", "a", "bit", "ß"]
SIGNS = ["😭", ":)", "?!", "!!!", ",", "\n", "’", "\x00", "\ud83d", "\u200d", "\ufe0f", "*", "_"]

texts = st.one_of(
    st.text(max_size=80),
    st.text(st.characters(), max_size=40),
    st.lists(st.sampled_from([*WORDS, *SIGNS]), max_size=25).map(" ".join),
    st.lists(st.sampled_from([*WORDS, *SIGNS]), max_size=25).map("".join),
)


def p(label: str, text: str) -> float:
    return float(LEXICON.probabilities([text])[0, GO.labels.index(label)])


def clues(text: str, lexicon: Lexicon = LEXICON) -> list[Clue]:
    return lexicon.find_clues([Sample("a", text)], [()])[0]


def quotes(text: str) -> list[str]:
    return [clue.quote or "" for clue in clues(text) if clue.kind == "cause"]


def check(found: list[Clue], sample: Sample) -> None:
    """What holds for the clues of any sample."""
    causes = [clue for clue in found if clue.kind == "cause"]
    assert len(causes) <= 5
    scores = [clue.score or 0.0 for clue in causes]
    assert scores == sorted(scores, reverse=True)
    for clue in causes:
        assert (clue.source, clue.chosen, bool(clue.quote)) == ("lexicon", True, True)
        assert 0 <= (clue.score or 0.0) <= 1
        whole = sample.turns()[clue.turn].text if clue.turn is not None else sample.observations[clue.observation or ""]
        assert (whole or "")[clue.start : clue.end] == clue.quote
    spans = sorted((str(c.observation), c.start or 0, c.end or 0) for c in causes)
    assert all(a[0] != b[0] or a[2] <= b[1] for a, b in itertools.pairwise(spans))


@given(texts)
@settings(deadline=None)
def test_any_text_has_probabilities_and_offsets_that_slice_back(text: str) -> None:
    row = LEXICON.probabilities([text])
    assert row.shape == (1, len(GO.labels))
    assert np.isfinite(row).all()
    assert ((row >= 0) & (row <= 1)).all()
    sample = Sample("a", text, context=(Turn("I hate it"),))
    check(LEXICON.find_clues([sample], [()])[0], sample)


@given(texts)
@settings(deadline=None)
def test_what_is_said_of_a_text_is_said_again(text: str) -> None:
    assert clues(text) == clues(text) == clues(text, Lexicon(GO))


@pytest.mark.parametrize("text", HARD.values(), ids=HARD)
def test_no_text_is_too_strange(text: str) -> None:
    for sample in (Sample("a", text), Sample("b", None, observations={"face": text or "x", "voice": None, "x": "sad"})):
        found = LEXICON.find_clues([sample], [()])[0]
        assert bool(found) == any(map(str.isalnum, sample.words()))
        check(found, sample)


@pytest.mark.parametrize(
    ("label", "word"),
    [("joy", "happy"), ("love", "love this"), ("anger", "angry"), ("sadness", "sad"), ("fear", "scared")],
)
@pytest.mark.parametrize("negation", ["not", "never", "don't feel", "isn’t really", "no longer", "NOT", "not at all"])
def test_negation_lowers(label: str, word: str, negation: str) -> None:
    assert p(label, f"I am {negation} {word} today") < p(label, f"I am {word} today")


def test_what_is_not_a_joy_is_rather_its_opposite() -> None:
    assert p("disappointment", "I am not happy about it") > p("disappointment", "I am at home")
    assert p("disapproval", "I don't agree") > p("disapproval", "I agree")


@pytest.mark.parametrize("apart", ["not", "not, "])
def test_two_negations_cancel_and_a_lone_one_far_away_does_not_reach(apart: str) -> None:
    assert p("joy", "not never happy") > p("joy", "never happy")
    assert LEXICON.evidence([f"{apart} on the same train, happy"])[0, GO.labels.index("joy")] == pytest.approx(
        LEXICON.evidence(["happy"])[0, GO.labels.index("joy")]
    )


@pytest.mark.parametrize("between", [", ", ". ", " but ", "\n", "; ", " although ", " on the whole was "])
def test_negation_ends_with_the_clause_and_after_three_words(between: str) -> None:
    said = LEXICON.evidence([f"not{between}happy", "happy"])[:, GO.labels.index("joy")]
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("more", "less"),
    [
        ("very happy", "happy"),
        ("so very happy", "so happy"),
        ("sooo happy", "so happy"),
        ("HAPPY", "happy"),
        ("happyyyy", "happy"),
        ("happy!", "happy"),
        ("happy!!!", "happy!"),
        ("happy", "a bit happy"),
        ("happy", "slightly happy"),
        ("fairly happy", "a little happy"),
    ],
)
def test_intensity_raises(more: str, less: str) -> None:
    assert p("joy", f"I am {more}") > p("joy", f"I am {less}")
    angry, angrier = (text.replace("happ", "angr").replace("HAPP", "ANGR") for text in (less, more))
    assert p("anger", f"I am {angrier}") > p("anger", f"I am {angry}")


@pytest.mark.parametrize(
    "text", ["The train leaves at nine.", "Chapter two of the report", "我们坐火车去上海", "x1", "[NAME]"]
)
def test_neutral_text_is_neutral_and_has_no_cause(text: str) -> None:
    (row,) = LEXICON.probabilities([text])
    assert GO.labels[int(row.argmax())] == "neutral"
    assert [clue.label for clue in clues(text) if clue.chosen] == ["neutral"]


def test_neutral_falls_with_all_that_is_said() -> None:
    texts = ["I went home", "I went home sad", "I went home sad and angry", "I went home very sad and furious, scared!"]
    falling = [p("neutral", text) for text in texts]
    assert falling == sorted(set(falling), reverse=True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("I can’t wait to go", ["can’t wait"]),
        ("He is over the moon", ["over the moon"]),
        ("I'm fed up, they let me down", ["fed up", "let me down"]),
        ("I am not happy", ["not happy"]),
        ("ok 😭😭😭", ["😭😭😭"]),
        ("ok 🤦🏽‍♂️", ["🤦🏽‍♂️"]),
        ("ok :'(", [":'("]),
        ("see http://x.org/", []),
        ("Thank you!!", ["Thank you"]),
    ],
)
def test_the_words_that_carry_it_are_told(text: str, told: list[str]) -> None:
    assert sorted(quotes(text)) == sorted(told)


def test_an_idiom_is_not_its_words() -> None:
    assert p("gratitude", "thanks for nothing") < p("gratitude", "thanks")
    assert p("approval", "no problem") > p("approval", "problem")
    assert p("approval", "not bad") > p("approval", "bad")
    assert p("love", "I'll go") == p("love", "He goes")  # "ill" is another word


def test_causes_stand_in_the_target_or_where_nothing_is_said_in_the_observations() -> None:
    said = Sample("a", "I am furious", context=(Turn("so happy"),), observations={"face": "sad"}, after=(Turn("lol"),))
    found = [clue for clue in LEXICON.find_clues([said], [()])[0] if clue.kind == "cause"]
    assert [(clue.turn, clue.observation, clue.quote, clue.start) for clue in found] == [(1, None, "furious", 5)]
    seen = Sample("a", None, observations={"face": "crying", "voice": None, "scene": "a funeral"})
    found = [clue for clue in LEXICON.find_clues([seen], [()])[0] if clue.kind == "cause"]
    assert {(clue.turn, clue.observation, clue.quote) for clue in found} >= {(None, "face", "crying")}
    check(found, seen)


@pytest.mark.parametrize("name", SETS)
def test_labels_are_carried_to_any_set_and_one_out_of_reach_has_nothing(name: str) -> None:
    taxonomy = find_taxonomy(name)
    lexicon = Lexicon(taxonomy)
    labels = lexicon.taxonomy.labels
    rows = lexicon.probabilities(
        ["I am so happy, I love it!", "furious, scared and sad", "The train leaves at nine.", ""]
    )
    assert rows.shape == (4, len(labels))
    bounds = lexicon.thresholds()
    assert ((bounds > 0) & (bounds <= 1)).all()
    assert ((rows[3] < bounds) | [label == "neutral" for label in labels]).all()  # nothing said, nothing chosen
    for k, hit in enumerate(reachable(GO, lexicon.taxonomy)):
        assert rows[:, k].any() == hit
        assert hit or bounds[k] == 1
    happy = clues("I am so happy, I love it!", lexicon)
    assert "happy" in {clue.quote for clue in happy}
    assert {clue.label for clue in happy if clue.kind == "emotion"} <= set(labels)
    check(happy, Sample("a", "I am so happy, I love it!"))


def test_company_changes_nothing() -> None:
    samples = [Sample(str(i), text) for i, text in enumerate(HARD.values())]
    alone = [LEXICON.find_clues([sample], [()])[0] for sample in samples]
    assert LEXICON.find_clues(samples, [()] * len(samples)) == alone
    assert LEXICON.find_clues(samples[::-1], [()] * len(samples)) == alone[::-1]
    assert LEXICON.find_clues([], []) == []
    assert LEXICON.probabilities([]).shape == (0, len(GO.labels))


def test_it_pickles_and_says_what_it_is() -> None:
    again = pickle.loads(pickle.dumps(LEXICON))
    assert clues("so happy 😭", again) == clues("so happy 😭")
    said = LEXICON.identity()
    assert (said["name"], said["licence"]) == ("lexicon", "Apache-2.0")
    assert re.fullmatch("[0-9a-f]{16}", said["sha256"])


# The table ------------------------------------------------------------------------------------------------------

ROWS = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


def test_every_row_names_known_labels_and_every_label_has_words() -> None:
    named = set()
    for patterns, says in (row for row in ROWS if not row[0].startswith("@")):
        for part in says.split():
            assert re.fullmatch(r"[a-z]+:\d(\.\d+)?|x-?\d(\.\d+)?", part), (patterns, part)
            named |= {part.partition(":")[0]} if ":" in part else set()
    assert named == set(GO.labels) - {"neutral"}  # neutral is where nothing else is said
    assert [row[0][1:] for row in ROWS if row[0].startswith("@")] == list(GO.labels)


def test_every_pattern_is_found_as_it_is_written() -> None:
    words = WordList(TABLE, GO.labels)
    for patterns, says in (row for row in ROWS if not row[0].startswith("@")):
        for pattern in patterns.split(", "):
            assert len(pattern.split()) <= 6
            if ":" in says:
                text = pattern.removesuffix("*") if pattern[0].isalnum() else pattern
                assert [(cue.start, cue.end) for cue in words.cues(text)] == [(0, len(text))], pattern


def test_constants_mean_what_their_names_say() -> None:
    _shift, scale, rival, threshold = WordList(TABLE, GO.labels).constants
    assert (scale >= 0).all()
    assert (scale[:-1] > 0).all()
    assert (rival <= 0).all()
    assert ((threshold > 0) & (threshold < 1)).all()


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text.replace("@joy\t", "@mirth\t"),
        lambda text: text.replace("@joy\t", "# joy\t"),
        lambda text: text + "happy\tjoy:1\n",
        lambda text: text + "xyzzy\tmirth:1\n",
        lambda text: text + "xyzzy\tjoy:much\n",
        lambda text: text + "xyzzy\tjoy1\n",
        lambda text: text + "xyzzy\n",
        lambda text: text + "xyzzy\tjoy:1\tmore\n",
        lambda text: text + "\tjoy:1\n",
        lambda text: text[: text.index("# admiration")],
        lambda text: text + "\x00\x00",
    ],
)
def test_a_damaged_table_is_said_with_its_cure(tmp_path: Path, damage: object) -> None:
    assert callable(damage)
    table = tmp_path / "lexicon.tsv"
    table.write_text(damage(TABLE.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(MissingError, match="word list") as caught:
        Lexicon(GO, table)
    assert "pip install" in caught.value.cure


@pytest.mark.parametrize("made", ["nothing", "folder", "bytes"])
def test_a_missing_or_unreadable_table_is_said_with_its_cure(tmp_path: Path, made: str) -> None:
    table = tmp_path / "lexicon.tsv"
    if made == "folder":
        table.mkdir()
    if made == "bytes":
        table.write_bytes(b"\xff\xfe\x00happy")
    with pytest.raises(MissingError, match=r"missing|damaged") as caught:
        Lexicon(GO, table)
    assert caught.value.cure
