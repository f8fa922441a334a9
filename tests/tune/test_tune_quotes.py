"""Laws of quotes in training rows: annotated spans first, else clauses around cue words; all of them verbatim."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emowhy.tune.quotes import clause, cue_quotes, cut, gold_quotes, tell_quotes
from emowhy.types import Cause, Clue, Gold, Sample, Turn
from tune.tuning import cause, cue

texts = st.lists(
    st.sampled_from(["bus", "late,", "but", "I", "love.", "it!", "and", "😭", "so", "(yes)", "a-b"]), min_size=1
)


@pytest.mark.parametrize(
    ("text", "word", "found"),
    [
        ("I love it, but the bus was late again.", "late", "the bus was late again"),
        ("I love it because you made it.", "love", "I love it"),
        ("Wow! So this is it?", "this", "So this is it"),
        ("Thank you so much", "Thank", "Thank you so much"),
        ("He said “never again” and left.", "never", "never again"),
    ],
)
def test_the_clause_around_a_word(text: str, word: str, found: str) -> None:
    start = text.index(word)
    first, last = clause(text, start, start + len(word), 80)
    assert text[first:last] == found


@settings(max_examples=200)
@given(texts, st.data(), st.integers(1, 40))
def test_a_clause_holds_its_word_between_blanks_and_is_no_longer_than_it_may(
    words: list[str], data: st.DataObject, longest: int
) -> None:
    text = " ".join(words)
    place = data.draw(st.integers(0, len(words) - 1))
    start = sum(len(word) + 1 for word in words[:place])
    end = start + len(words[place])
    first, last = clause(text, start, end, longest)
    assert first <= start
    assert end <= last
    assert last - first <= max(longest, end - start)


def test_an_annotated_span_that_is_too_long_is_cut_after_a_whole_word() -> None:
    whole = Cause("one two three", 0, None, 10, 23, verified=True)
    assert cut(whole, 13) == whole
    assert cut(whole, 9) == Cause("one two", 0, None, 10, 17, verified=True)
    assert cut(whole, 7) == Cause("one two", 0, None, 10, 17, verified=True)


def test_annotated_causes_are_verified_distinct_and_three_at_most() -> None:
    sample = Sample("a", "one two three four five")
    found = [cause(word, 0, sample) for word in ("one", "two", "one", "three", "four")]
    gold = Gold(causes=(Cause("seven", 0), *found))
    assert [c.quote for c in gold_quotes(Sample("a", sample.text, gold=gold), 80) or ()] == ["one", "two", "three"]


def test_nobody_asked_is_not_the_same_as_no_cause() -> None:
    assert gold_quotes(Sample("a", "text", gold=Gold(("joy",))), 80) is None
    assert gold_quotes(Sample("a", "text", gold=Gold(("joy",), causes=())), 80) == ()


def test_an_annotated_span_follows_the_hint_that_overlaps_it_enough() -> None:
    sample = Sample("a", "You lost it again, you did.", context=(Turn("You lost it again?"),))
    gold = Gold(causes=(cause("lost it", 1, sample),))
    asked = Sample(sample.id, sample.text, context=sample.context, gold=gold)
    wide, far, other = cue("lost it again", sample), cue("it again, you did", sample), cue("You lost it", sample, 0)

    def told(follow: float | None, *clues: Clue) -> list[Cause]:
        return list(gold_quotes(asked, 80, clues, follow) or ())

    assert told(0.5, far, wide, other) == [Cause("lost it again", 1, None, 4, 17, verified=True)]  # 7 of 13 letters
    assert told(0.6, far, wide, other) == list(gold.causes or ())
    assert told(None, wide) == list(gold.causes or ())
    assert told(0.5) == list(gold.causes or ())
    assert told(0.5, replace(wide, chosen=False)) == list(gold.causes or ())


def test_cue_words_become_their_clauses_the_likeliest_first_and_without_overlap() -> None:
    sample = Sample("a", "I hate waiting, but the tea was lovely.")
    clues = [cue("hate", sample), cue("lovely", sample), cue("waiting", sample)]
    assert [c.quote for c in cue_quotes(sample, clues, 80)] == ["I hate waiting", "the tea was lovely"]


def test_a_lone_word_gives_way_to_a_clause() -> None:
    sample = Sample("a", "Wow, you came all the way.")
    assert [c.quote for c in cue_quotes(sample, [cue("Wow", sample), cue("came", sample)], 80)] == [
        "you came all the way"
    ]
    assert [c.quote for c in cue_quotes(sample, [cue("Wow", sample)], 80)] == ["Wow"]


def test_without_cue_words_a_short_text_is_quoted_whole_and_a_long_one_not_at_all() -> None:
    assert [c.quote for c in cue_quotes(Sample("a", " It is over. "), [], 80)] == ["It is over."]
    assert cue_quotes(Sample("a", "It is over. " * 20), [], 80) == ()


def test_a_quote_says_whose_words_it_is() -> None:
    context = (Turn("You won", "Bo"), Turn("I did", "Ann"), Turn("Sure", None))
    sample = Sample("a", "Yes", "Ann", context, (Turn("Well done", "Bo"),), observations={"face": "a smile"})
    places = [Cause("You won", 0), Cause("I did", 1), Cause("Sure", 2), Cause("Yes", 3), Cause("Well done", 4)]
    found = tell_quotes(sample, [*places, Cause("a smile", None, "face")])
    assert [quote.whose for quote in found] == ["earlier", "self", "earlier", "own", "later", "seen"]
    assert [quote.other for quote in found[:3]] == ["Bo", "the other person", "the other person"]
    assert [quote.place for quote in found] == [0, 1, 2, 3, 4, "face"]


def test_control_tokens_in_a_quote_are_shown_as_the_prompt_shows_them() -> None:
    sample = Sample("a", "stop <|im_end|> now")
    assert tell_quotes(sample, [cause("<|im_end|> now", 0, sample)], ("<|im_end|>",))[0].words == "< |im_end|> now"
