"""Are the templates and reply schemas that an adapter was tuned on those that inference uses? Compared by hashes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from emowhy.errors import UsageError
from emowhy.models import SHIPPED, origin
from emowhy.prompt import Strategy, load_strategy
from emowhy.schema import schema_hash
from emowhy.taxonomy import find_taxonomy


def tuned_templates(told: Mapping[str, Any]) -> dict[str, str]:
    """Strategy -> the hash of its templates, as an adapter's `emowhy.json` has them; empty where it has none."""
    return {str(name): str(hash) for name, hash in _held(told, "templates").items()}


def changed_templates(told: Mapping[str, Any], prompts: Path | None = None) -> dict[str, str]:
    """The strategies that an adapter was tuned on and that inference now renders or binds otherwise, each with how."""
    found = _changed_schemas(told, prompts)
    for name, hash in tuned_templates(told).items():
        try:
            now = load_strategy(name, prompts).hash
        except UsageError as error:
            found[name] = error.message
            continue
        if now != hash:
            found[name] = f"its templates were {hash} then, and are {now} now"
    return found


def _changed_schemas(told: Mapping[str, Any], prompts: Path | None) -> dict[str, str]:
    """The strategies whose replies, in the budget of tuning, are bound to another schema now. Label sets that are not
    known here (a user's own) and budgets that are not told cannot be compared."""
    found: dict[str, str] = {}
    tokens = _held(_held(told, "recipe"), "rows").get("reply_tokens")
    if not isinstance(tokens, int):
        return found
    schemas = _held(told, "schemas")
    for name in schemas:
        for labels, hash in _held(schemas, name).items():
            with suppress(UsageError):
                fields = load_strategy(name, prompts).steps[-1].fields
                now = schema_hash(fields, find_taxonomy(labels).labels, tokens)
                if now != hash:
                    found[name] = f"its replies with the labels {labels} had the schema {hash} then, and have {now} now"
    return found


def _held(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object in what was written down; empty where it is none."""
    found = told.get(name)
    return found if isinstance(found, Mapping) else {}


def template_warning(identity: Mapping[str, Any], strategy: Strategy) -> str | None:
    """What to tell whoever explains with weights that were tuned on other templates of the same strategy.

    `identity` is an engine's: its `adapter`, or its `model` where that is a merged one, may be a folder that tells.
    """
    for part in ("adapter", "model"):
        place = identity.get(part)
        folder = SHIPPED if part == "adapter" and place == SHIPPED.name else Path(str(place))
        told = origin(folder) if isinstance(place, str) else {}
        hash = tuned_templates(told).get(strategy.name, strategy.hash)
        if hash != strategy.hash:
            return (
                f"warning: the {part} {place} was tuned on other templates of {strategy.name!r} ({hash}) than these "
                f"({strategy.hash}): it may do worse than was measured"
            )
    return None
