"""Laws of cutting descriptions into clues, on texts of our own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.bench.metrics.clue_text import (
    MODALITIES,
    ClueText,
    cut,
    echo_rate,
    find_clues,
    sentences,
    without_conclusion,
    without_subtitle,
)
from emowhy.bench.metrics.clue_words import content_words, stems, surfaces

SUBTITLE = "I never wanted it to end like this. Go!"
THREE_PARTS = (
    "In the video, a woman in a grey coat stands by the door, her brow furrowed and her lips pressed together. "
    "She keeps glancing away from him. In the audio, her voice is low, with long pauses. "
    'In the text, the subtitle says: "I never wanted it to end like this. Go." It hints at a break with a friend. '
    "Taken together, these clues suggest that she feels regret and sadness."
)

pieces = st.sampled_from(
    ["he frowns", "In the video", "his voice is low", "she is sad", '"I won. Go', '"', "'", "“so”", "because", "Mr.",
     "these clues", "overall", ", ", ". ", "; ", " — ", "\n", "1.", "- ", "!", "…", "他很生气", "the subtitle says"]
)  # fmt: skip
texts = st.one_of(st.lists(pieces, max_size=12).map(" ".join), st.text(max_size=60))


def letters(text: str) -> str:
    return "".join(filter(str.isalpha, text))


def is_within(part: str, whole: str) -> bool:
    """Whether the letters of a part stand in the whole, in their order."""
    rest = iter(whole)
    return all(letter in rest for letter in part)


def test_a_description_in_three_parts_by_hand() -> None:
    assert find_clues(THREE_PARTS, SUBTITLE) == [
        ClueText("In the video, a woman in a grey coat stands by the door", "visual"),
        ClueText("her brow furrowed and her lips pressed together", "visual"),
        ClueText("She keeps glancing away from him", "visual"),
        ClueText("In the audio, her voice is low", "audio"),
        ClueText("with long pauses", "audio"),
        ClueText("It hints at a break with a friend", "text"),  # of the part that opened with "In the text"
    ]


@pytest.mark.parametrize(
    ("clause", "modality"),
    [
        ("his eyes are wide open", "visual"),
        ("she shouted at the top of her lungs", "audio"),
        ("the caption mentions a lost dog", "text"),
        ("in the audio, he seems to smile while his eyes are closed", "audio"),  # a name outweighs cue words
        ("in the text, nothing is seen in the video", "text"),  # the name that stands first
        ("he smiles, frowns and sighs", "visual"),  # two cues against one
        ("a smile and a sigh", "visual"),  # one against one: the order of the modalities
        ("the day before the exam", None),
        ('it ends with "look at my face"', None),  # words in quotation marks are no cues
    ],
)
def test_the_modality_is_told_by_names_then_by_most_cue_words(clause: str, modality: str | None) -> None:
    assert cut(clause)[0].modality == modality


def test_a_clause_without_cues_goes_with_the_one_before() -> None:
    told = cut("Three people are waiting there. Her voice trembles; now and then it breaks off. He grins broadly")
    assert [clue.modality for clue in told] == [None, "audio", "audio", "visual"]


@pytest.mark.parametrize(
    ("sentence", "clauses"),
    [
        ("his mouth is closed; his hands shake badly", ["his mouth is closed", "his hands shake badly"]),
        ("he raises his hand while she shuts the door", ["he raises his hand", "while she shuts the door"]),
        ("her eyes are wet: a tear runs down", ["her eyes are wet", "a tear runs down"]),
        ("his jaw is set — both fists clenched", ["his jaw is set", "both fists clenched"]),
        ("At the start of it, the man steps back", ["At the start of it, the man steps back"]),  # an opening
        ("his voice shows anger, fear, and grief", ["his voice shows anger, fear, and grief"]),  # single words
        ("She cries.", ["She cries"]),
        ("well-worn shoes at 1,000 steps", ["well-worn shoes at 1,000 steps"]),
        ("In the audio, the subtitle says.", []),  # only where something was observed
        ("1.", []),
        ("", []),
    ],
)
def test_clauses_by_hand(sentence: str, clauses: list[str]) -> None:
    assert [clue.text for clue in cut(sentence)] == clauses


def test_sentences_end_neither_within_quotations_nor_after_titles() -> None:
    text = 'Mr. Hale shrugs. He says "Leave. Now." Then he waits… \n- a door slams\n- “Stop! Wait.” she cries'
    assert sentences(text) == [
        "Mr. Hale shrugs.",
        'He says "Leave. Now."',
        "Then he waits…",
        "a door slams",
        "“Stop! Wait.” she cries",
    ]


@pytest.mark.parametrize(
    "conclusion",
    [
        "Overall, his face and his voice suggest anger.",  # a summing-up phrase, though it holds cues
        "These clues point to deep sorrow.",
        "He feels hopeless.",  # the last with an emotion word, a stating phrase, no cue
        "The man is probably afraid of what comes next.",
    ],
)
def test_a_sentence_that_states_the_emotion_in_the_end_is_taken_out(conclusion: str) -> None:
    clue = "His hands are clenched."
    assert without_conclusion(f"{clue} {conclusion}") == clue


@pytest.mark.parametrize(
    "clue",
    [
        "His raised voice suggests that he is angry.",  # says what it was heard in
        "Overall, the room is dark.",  # names no emotion
        "He is kind of tired.",  # an everyday word
        "The storm scared the dog.",  # states nothing of anybody
        'The note he left is short: "sad".',  # the emotion word is quoted
    ],
)
def test_a_last_sentence_that_is_a_clue_is_kept(clue: str) -> None:
    text = f"His hands are clenched. {clue}"
    assert without_conclusion(text).split("\n")[1:] == [clue]


def test_of_plain_statements_only_the_last_is_a_conclusion() -> None:
    text = "She feels uneasy. She turns the key. She feels relieved."
    assert without_conclusion(text) == "She feels uneasy.\nShe turns the key."


def test_the_reason_that_a_conclusion_gives_is_kept() -> None:
    assert without_conclusion("She feels joy because her team took the cup.") == "because her team took the cup."
    assert find_clues("Overall she is sad, since the dog ran off.") == [ClueText("since the dog ran off", None)]


@pytest.mark.parametrize(
    ("text", "left", "rate"),
    [
        # 9 of 12 words
        ("The subtitle says “I never wanted it to end like this… Go!”", "The subtitle says!", 9 / 12),
        # a quotation of any length; its full stop goes with it within a sentence
        ("He says 'Go!' and turns away.", "He says and turns away.", 1 / 6),
        ("He says 'Go!' Then he turns away.", "He says! Then he turns away.", 1 / 7),
        ('He says "go", and turns', "He says, and turns", 1 / 5),
        # without marks four words in a row, not three
        ("then he never wanted it to change", "then he change", 4 / 7),
        ("then he never wanted it", "then he never wanted it", 0),
        # a quotation that says something else
        ('He says "go home"', 'He says "go home"', 0),
        ("", "", 0),
    ],
)
def test_what_repeats_the_subtitle_by_hand(text: str, left: str, rate: float) -> None:
    assert without_subtitle(text, SUBTITLE) == left
    assert echo_rate(text, SUBTITLE) == pytest.approx(rate)


@given(texts, texts)
def test_the_echo_rate_is_a_share_and_all_of_the_text_for_the_subtitle_itself(text: str, subtitle: str) -> None:
    assert 0 <= echo_rate(text, subtitle) <= 1
    assert echo_rate(text, "") == 0
    assert echo_rate(f'"{SUBTITLE}"', SUBTITLE) == 1
    assert is_within(letters(without_subtitle(text, subtitle)), letters(text))


@given(texts)
def test_sentences_keep_every_letter_and_clues_come_from_the_text_in_order(text: str) -> None:
    assert letters("".join(sentences(text))) == letters(text)
    found = cut(text)
    assert is_within(letters("".join(clue.text for clue in found)), letters(text))
    assert all(clue.text == clue.text.strip() != "" for clue in found)


@given(texts)
def test_taking_out_the_conclusion_only_leaves_sentences_out(text: str) -> None:
    assert is_within(letters(without_conclusion(text)), letters(text))


def test_the_table_has_every_row_and_no_word_is_a_cue_of_two_modalities() -> None:
    for topic, use in (*((m, u) for m in MODALITIES for u in ("name", "cue")), ("conclusion", "sum"), ("stop", "word")):
        assert len(surfaces(topic, use)) > 5
        assert all(phrase == phrase.strip() != "" for phrase in surfaces(topic, use))
    cues = [stem for m in MODALITIES for stem in {stems(cue) for cue in surfaces(m, "cue")}]
    assert len(cues) == len(set(cues))


def test_stems_unite_inflections_and_content_leaves_stop_words_out() -> None:
    assert stems("Frowning, frowned; FROWNS") == ("frown",) * 3
    assert content_words("She says that his hands were shaking") == ["hand", "shake"]
