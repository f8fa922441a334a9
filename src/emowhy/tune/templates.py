"""Are the templates that an adapter was tuned on those that inference uses? Compared by their hashes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emowhy.errors import UsageError
from emowhy.models import SHIPPED, origin
from emowhy.prompt import Strategy, load_strategy


def tuned_templates(told: Mapping[str, Any]) -> dict[str, str]:
    """Strategy -> the hash of its templates, as an adapter's `emowhy.json` has them; empty where it has none."""
    found = told.get("templates")
    return {str(name): str(hash) for name, hash in found.items()} if isinstance(found, Mapping) else {}


def changed_templates(told: Mapping[str, Any], prompts: Path | None = None) -> dict[str, str]:
    """The strategies that an adapter was tuned on and that inference now renders otherwise, each with how."""
    found: dict[str, str] = {}
    for name, hash in tuned_templates(told).items():
        try:
            now = load_strategy(name, prompts).hash
        except UsageError as error:
            found[name] = error.message
            continue
        if now != hash:
            found[name] = f"its templates were {hash} then, and are {now} now"
    return found


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
