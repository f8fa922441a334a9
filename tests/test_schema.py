"""Laws of the reply schemas; `faults` is the small validator that they (and the scripted engine) are checked with."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emowhy.prompt import list_strategies, load_strategy
from emowhy.schema import FIELDS, MOST_CAUSES, MOST_EMOTIONS, MOST_QUOTE, reply_schema

KEYWORDS = {
    "type", "properties", "required", "additionalProperties", "enum", "items",
    "minItems", "maxItems", "minLength", "maxLength",
}  # fmt: skip
BOUNDS = {"object": (), "array": ("minItems", "maxItems"), "string": ("minLength", "maxLength")}
LABELS = ("anger", "joy", "neutral")

field_lists = st.lists(st.sampled_from(FIELDS), min_size=1, unique=True).map(tuple)
label_lists = st.sampled_from([(), LABELS, ("one",)])
place_lists = st.sampled_from([(0,), (0, 1, 2), ("face",), (3, "face", "a voice")])
budgets = st.integers(1, 4096)


def faults(value: Any, schema: Mapping[str, Any], where: str = "$") -> list[str]:
    """Where `value` breaks `schema` (the keywords above, by JSON Schema 2020-12; bool is no number)."""
    if "enum" in schema:
        same = any(type(value) is type(known) and value == known for known in schema["enum"])
        return [] if same else [f"{where}: {value!r} not in {schema['enum']}"]
    kinds: dict[str, Any] = {"object": dict, "array": list, "string": str}
    if not isinstance(value, kinds[schema["type"]]):
        return [f"{where}: {value!r} is no {schema['type']}"]
    if schema["type"] == "object":
        known = schema["properties"]
        wrong = [f"{where}.{name}: missing" for name in schema["required"] if name not in value]
        wrong += [f"{where}.{name}: unknown" for name in value if name not in known]
        parts = [faults(value[name], known[name], f"{where}.{name}") for name in value if name in known]
        return wrong + list(itertools.chain(*parts))
    if "pattern" in schema:
        return [] if re.search(schema["pattern"], value) else [f"{where}: {value!r} does not match {schema['pattern']}"]
    least, most = (schema[bound] for bound in BOUNDS[schema["type"]])
    wrong = [] if least <= len(value) <= most else [f"{where}: length {len(value)} outside {least}–{most}"]
    if schema["type"] == "array":
        each = schema.get("prefixItems") or [schema["items"]] * len(value)
        wrong += itertools.chain(
            *(faults(item, one, f"{where}[{i}]") for i, (item, one) in enumerate(zip(value, each, strict=False)))
        )
    return wrong


def parts(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The schema and every schema within it."""
    items = schema.get("prefixItems") or ([schema["items"]] if "items" in schema else [])
    inner = [*schema.get("properties", {}).values(), *items]
    return [schema, *itertools.chain(*map(parts, inner))]


def bounds(schema: Mapping[str, Any]) -> list[int]:
    return [part["maxLength"] for part in parts(schema) if "maxLength" in part]


@given(st.sampled_from(["The person feels joy because", "A. B (c) feels [x] because"]), budgets)
def test_an_explanation_with_an_opening_is_one_bounded_sentence_that_begins_with_it(opening: str, budget: int) -> None:
    schema = reply_schema(("causes", "explanation"), LABELS, (0,), budget, opening)["properties"]["explanation"]
    assert not faults(f"{opening} it rained again.", schema)
    assert faults("It rained again and again.", schema)
    assert faults(f"{opening} it rained again. It always does.", schema)
    assert faults(f"{opening}{' word' * 10 * budget}.", schema)
    assert faults(f'{opening} he said "no" once more.', schema)


@given(field_lists, label_lists, place_lists, budgets)
def test_a_schema_is_json_of_known_keywords_with_every_object_closed_and_every_length_bounded(
    fields: tuple[str, ...], labels: tuple[str, ...], places: tuple[int | str, ...], budget: int
) -> None:
    schema = reply_schema(fields, labels, places, budget)
    assert json.loads(json.dumps(schema)) == schema
    for part in parts(schema):
        assert set(part) <= KEYWORDS
        if "enum" in part:
            assert part["enum"]
            assert len(set(part["enum"])) == len(part["enum"])
            continue
        low_high = [part[bound] for bound in BOUNDS[part["type"]]]
        assert low_high == sorted(low_high)
        if part["type"] == "object":
            assert part["required"] == list(part["properties"])
            assert part["additionalProperties"] is False


@given(field_lists, budgets)
def test_fields_come_in_the_order_asked_for(fields: tuple[str, ...], budget: int) -> None:
    assert tuple(reply_schema(fields, LABELS, (0,), budget)["properties"]) == fields


def test_reasons_come_before_labels_in_the_fields_and_in_every_shipped_strategy() -> None:
    strategies = [load_strategy(name) for name in list_strategies()]
    assert len(strategies) >= 6
    bound = [step.fields for strategy in strategies for step in strategy.steps if step.fields]
    for fields in (FIELDS, *bound):
        ranks = [FIELDS.index(name) for name in fields]
        assert ranks == sorted(ranks)
        if "emotions" in fields:
            reasons = {"observations", "interpretation", "reasoning"} & set(fields)
            assert all(fields.index(reason) < fields.index("emotions") for reason in reasons)


@given(place_lists, budgets)
def test_labels_and_places_are_what_may_be_said(places: tuple[int | str, ...], budget: int) -> None:
    schema = reply_schema(FIELDS, LABELS, places, budget)["properties"]
    assert schema["emotions"]["items"] == {"enum": list(LABELS)}
    assert schema["observations"]["items"]["properties"]["emotion"] == {"enum": list(LABELS)}
    assert schema["causes"]["items"]["properties"]["turn"] == {"enum": list(places)}


@given(budgets)
def test_open_labels_are_short_free_words(budget: int) -> None:
    label = reply_schema(("emotions",), (), (0,), budget)["properties"]["emotions"]["items"]
    assert faults("wistful", label) == []
    assert faults("x" * 100, label)
    assert faults("", label)


@given(budgets)
def test_counts_are_bounded_and_no_cause_is_an_answer(budget: int) -> None:
    schema = reply_schema(("emotions", "causes"), LABELS, (0,), budget)
    cause = {"turn": 0, "quote": "it"}
    assert faults({"emotions": ["joy"], "causes": []}, schema) == []
    assert faults({"emotions": ["joy"], "causes": [cause] * MOST_CAUSES}, schema) == []
    assert faults({"emotions": ["joy"], "causes": [cause] * (MOST_CAUSES + 1)}, schema)
    assert faults({"emotions": [], "causes": []}, schema)
    assert faults({"emotions": ["joy"] * (MOST_EMOTIONS + 1), "causes": []}, schema)
    assert faults({"causes": [], "emotions": ["rage"]}, schema)
    assert faults({"emotions": ["joy"]}, schema)


@given(budgets)
def test_told_quotes_are_the_only_ones_and_there_are_as_many_as_told(budget: int) -> None:
    told = ((1, "they left"), ("face", "a smile"))
    schema = reply_schema(("causes",), LABELS, (0, 1, 2, "face"), budget, quotes=told)
    causes = [{"turn": turn, "quote": quote} for turn, quote in told]
    assert faults({"causes": causes}, schema) == []
    for wrong in ([], causes[:1], causes[::-1], [*causes, causes[0]], [causes[0], {"turn": 1, "quote": "a smile"}]):
        assert faults({"causes": wrong}, schema), wrong
    cut = reply_schema(("causes",), LABELS, (0,), budget, quotes=((0, "so " * MOST_QUOTE),))
    assert all(len(part["enum"][0]) <= MOST_QUOTE for part in parts(cut) if "enum" in part and part["enum"] != [0])
    long = reply_schema(
        ("causes",), LABELS, (0,), budget, quotes=((0, "Mr. A ran 3.5 km. So far!"), (0, "No !"), (0, "?!"))
    )
    assert [part["enum"][0] for part in parts(long) if "enum" in part and part["enum"] != [0]] == [
        "A ran 3.5 km",
        "No",
        "?!",
    ]
    nothing = reply_schema(("causes",), LABELS, (0, 1), budget, quotes=())
    assert faults({"causes": []}, nothing) == []
    assert faults({"causes": [{"turn": 0, "quote": "it"}]}, nothing)


@given(st.tuples(budgets, budgets).map(sorted))
def test_text_bounds_grow_with_the_budget_and_quotes_stay_bounded(two: list[int]) -> None:
    small, large = (reply_schema(FIELDS, LABELS, (0,), budget) for budget in two)
    assert all(a <= b for a, b in zip(bounds(small), bounds(large), strict=True))
    assert large["properties"]["causes"]["items"]["properties"]["quote"]["maxLength"] <= MOST_QUOTE


def test_twice_the_budget_gives_every_reason_more_room() -> None:
    once, twice = (reply_schema(("reasoning", "explanation"), LABELS, (0,), budget) for budget in (256, 512))
    assert all(a < b for a, b in zip(bounds(once), bounds(twice), strict=True))


@given(field_lists, label_lists, place_lists, st.integers(64, 1024))
def test_the_same_arguments_give_the_same_object(
    fields: tuple[str, ...], labels: tuple[str, ...], places: tuple[int | str, ...], budget: int
) -> None:
    assert reply_schema(fields, labels, places, budget) is reply_schema(fields, labels, places, budget)


@pytest.mark.parametrize("value", [True, 1.0, "0", None])
def test_the_validator_takes_no_lookalike_for_a_turn(value: Any) -> None:
    assert faults(value, {"enum": [0, 1]})
