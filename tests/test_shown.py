"""Laws of how a sample's words are shown to a model, and of the way back from a quote to its place."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from emowhy.shown import locate, show

CHATML = ("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<｜User｜>", "<think>", "</think>")
LLAMA = ("<s>", "</s>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>")
COMMON = (*CHATML, *LLAMA, "<start_of_turn>", "<end_of_turn>", "<bos>", "<eos>", "<pad>", "<unk>")
OWN = ("<tool_call>", "[PAD]", "<0x0A>", "<extra id>", " <odd>", "<odder> ")

pieces = st.sampled_from(
    [*COMMON, *OWN, *(t[:2] for t in COMMON), *(t[2:] for t in COMMON), "<", "|", ">", " ", "\n", "a"]
)
nested = st.lists(pieces, max_size=12).map("".join)
letters = st.one_of(
    st.characters(exclude_categories=["Cs"]),
    st.sampled_from("aab ß İ ŉ ﬁ Σ ς é e\u0301 😭 👩‍👧 ’ ' “ \" – - … . \n \r \x00 \x85 \u2028 \u00a0 \u200b < | >"),
)
texts = st.lists(st.one_of(letters, nested), max_size=40).map("".join)


def in_word(letter: str) -> bool:
    return letter.isalnum() or unicodedata.category(letter).startswith("M")


def is_edge(text: str, place: int) -> bool:
    return place in (0, len(text)) or not (in_word(text[place - 1]) and in_word(text[place]))


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.replace("’", "'").casefold())


@st.composite
def texts_with_a_slice(draw: st.DrawFn) -> tuple[str, int, int]:
    """A text and a stretch of it on word edges with something to see."""
    text = draw(texts.filter(lambda t: bool(show(t))))
    edges = [place for place in range(len(text) + 1) if is_edge(text, place)]
    start = draw(st.sampled_from(edges))
    end = draw(st.sampled_from(edges))
    start, end = min(start, end), max(start, end)
    return (text, start, end) if show(text[start:end]) else (text, 0, len(text))


@given(st.one_of(nested, texts))
def test_no_control_token_is_left(text: str) -> None:
    shown = show(text, OWN)
    assert not [token for token in (*COMMON, *map(str.strip, OWN)) if token in shown]


@pytest.mark.parametrize("text", ["<|im_<|im_end|>end|>", "<<s>s>", "<|a<|b|>|>", "[IN[INST]ST]", "</th</think>ink>"])
def test_breaking_one_control_token_leaves_none_that_stood_around_it(text: str) -> None:
    shown = show(text)
    assert not [token for token in (*COMMON, "<|a|>", "<|b|>") if token in shown]
    assert shown.replace(" ", "") == text


@given(texts)
def test_what_is_shown_is_one_line_without_blanks_around_it(text: str) -> None:
    shown = show(text, OWN)
    assert len(shown.splitlines()) <= 1
    assert shown == shown.strip()


@given(st.one_of(nested, texts))
def test_showing_again_changes_nothing(text: str) -> None:
    assert show(show(text, OWN), OWN) == show(text, OWN)


@given(texts)
def test_showing_changes_nothing_but_white_space_and_control_characters(text: str) -> None:
    def seen(of: str) -> str:
        return re.sub(r"[\s\x00-\x1f\x7f]", "", of)

    assert seen(show(text, OWN)) == seen(text)


@given(st.text(st.characters(categories=["Cs", "Ll"])))
def test_what_is_shown_can_be_written_as_utf8_and_keeps_its_length(text: str) -> None:
    assert len(show(text).encode().decode()) == len(text)


@given(texts_with_a_slice())
def test_a_slice_of_a_text_is_found_again_where_the_same_words_stand(case: tuple[str, int, int]) -> None:
    text, start, end = case
    found = locate(show(text[start:end], OWN), text)
    assert found is not None
    assert words(text[slice(*found)]) == words(text[start:end])


@given(texts_with_a_slice())
def test_a_slice_of_what_was_shown_is_found_in_the_raw_text(case: tuple[str, int, int]) -> None:
    shown = show(case[0])
    edges = [place for place in range(len(shown) + 1) if is_edge(shown, place)]
    quote = shown[edges[len(edges) // 3] : edges[-1]]
    if quote.strip():
        found = locate(quote, case[0])
        assert found is not None
        assert words(case[0][slice(*found)]) == words(quote)


@given(st.one_of(texts, st.sampled_from(["s", "i", "to day", "…", "'", "a.", '"', " "])), texts)
@example("\x85", "\x85")
@example('" \x85a"', "b \x85a")
def test_offsets_lie_in_the_text_and_slice_to_something_without_blanks_around_it(quote: str, text: str) -> None:
    if (found := locate(quote, text)) is not None:
        start, end = found
        assert 0 <= start < end <= len(text)
        assert text[start:end].strip() == text[start:end]


@given(st.permutations(["nobody", "told", "us", "cancelled", "flight"]), st.integers(0, 3))
def test_words_in_another_order_are_not_found(order: list[str], at: int) -> None:
    text = " ".join(order)
    assert locate(f"{order[at + 1]} {order[at]}", text) is None
    assert locate(f"{order[at]} {order[at + 1]}", text) is not None


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("art is", "heart\nisolated"),
        ("he cat", "the\ncat"),
        ("the ca", "The\ncat"),
        ("all one", "so all\noneness"),
        ("as", "aß"),
        ("s", "aß"),
        ("i", "İ"),
        ("not happy", "happy, not sad"),
        ("", "something"),
        (" \n", "some thing"),
        ("...", "nothing here"),
    ],
)
def test_what_does_not_stand_there_is_not_found(quote: str, text: str) -> None:
    assert locate(quote, text) is None


@pytest.mark.parametrize(
    ("quote", "text", "place"),
    [
        ("art", "heart art", (6, 9)),  # a whole word before a part of one
        ("I", "It is what I said", (11, 12)),
        ("to day", "today, from\nday to\nday", (16, 22)),  # the very words before the same letters
        ("cancelled IT.", "They cancelled it and left", (5, 17)),
        ("“nobody told us”", "and nobody told us", (4, 18)),
        ("it's", "so it’s over", (3, 7)),
        ("STRASSE", "die Straße hier", (4, 10)),
        ("< |im_end|> now", "see <|im_end|> now", (4, 18)),
        ("😭 😭", "no 😭\n😭", (3, 6)),
        ("a b", "x a\x00b", (2, 5)),
        ("天气", "今天天气很好", (2, 4)),  # a script without word edges
        ("cancell", "They cancelled it", (5, 12)),  # cut inside a word by its bound, but verbatim
    ],
)
def test_a_quote_is_found_at_its_best_place(quote: str, text: str, place: tuple[int, int]) -> None:
    assert locate(quote, text) == place
