"""Is a row sound? Its reply fits the schema, reads back to gold, and quotes only what is there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from emowhy.parse import parse, read_answers, read_causes, read_emotions
from emowhy.schema import ANSWERS
from emowhy.shown import locate
from emowhy.tune.asking import Draft
from emowhy.tune.replies import Written
from emowhy.tune.verbaliser import fits_text
from emowhy.types import Reply

SCHEMA = "the reply breaks its schema"
READ_BACK = "the reply does not read back to gold"
QUOTE = "a quote is not verbatim"
UNSEEN = "a quote is not in the prompt"

_QUOTED = re.compile(r"[“\"]([^“”\"]+)[”\"]|«([^«»]+)»|‘([^‘’]+)’(?!\w)|(?<!\w)'([^']+)'(?!\w)")
"""Words between quotation marks of any kind; an apostrophe inside a word is none."""


def fault(draft: Draft, reply: Written) -> str | None:
    """The first thing that is wrong with a row, if any; all of it is checked against what inference would do."""
    schema = draft.chat.schema or {}
    parsed = parse(Reply(reply.text), draft.fields, draft.sample)
    if not fits(reply.values, schema) or parsed.how != "strict":
        return SCHEMA
    if "emotions" in draft.fields and tuple(read_emotions(parsed.answer, draft.taxonomy)) != draft.facts.labels:
        return READ_BACK
    causes = read_causes(parsed.answer, draft.sample)
    if not all(cause.exact for cause in causes) or not _all_said(reply, draft):
        return QUOTE
    wanted = [(c.turn, c.observation, c.quote) for c in draft.causes]
    if "causes" in draft.fields and [(c.turn, c.observation, c.quote) for c in causes] != wanted:
        return READ_BACK
    answers = {name: value - (name == "choice") for name, value in draft.answers.items()}
    if set(draft.fields) & set(ANSWERS) and read_answers(parsed.answer, draft.sample) != answers:
        return READ_BACK
    prompt = draft.chat.messages[-1].content
    return None if all(quote.words in prompt for quote in draft.facts.quotes) else UNSEEN


def _all_said(reply: Written, draft: Draft) -> bool:
    """Whether everything between quotation marks in its texts stands somewhere in the sample."""
    texts = [turn.text for turn in draft.sample.turns().values()]
    texts += [words for words in draft.sample.observations.values() if words]
    written = [value for value in reply.values.values() if isinstance(value, str)]
    said = [words.strip() for value in written for found in _QUOTED.findall(value) for words in found if words]
    return all(any(locate(words, text) for text in texts) for words in said)


def fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a value keeps to one of our reply schemas (`emowhy.schema`), its keys in order."""
    if "enum" in schema:
        return value in schema["enum"]
    if schema["type"] == "string":
        return isinstance(value, str) and fits_text(value, schema)
    if schema["type"] == "array":
        least, most = schema.get("minItems", 0), schema["maxItems"]
        return least <= len(value) <= most and all(fits(item, schema["items"]) for item in value)
    parts = schema["properties"]
    return list(value) == list(parts) and all(fits(value[name], part) for name, part in parts.items())
