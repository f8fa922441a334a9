"""A YAML file that a person writes -> a checked model (recipes, tasks); errors name the nearest known key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from emowhy.errors import UsageError, nearest

Model = TypeVar("Model", bound=BaseModel)


def read_model(path: Path, kind: type[Model], what: str, where: str, parts: Sequence[type[BaseModel]] = ()) -> Model:
    """The `what` ("recipe", "task") in a file; `where` says where such files are, `parts` which models its keys are of.

    Raises UsageError for a file that cannot be read, an unknown key or a wrong value.
    """
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"the {what} {path} cannot be read: {error}", where) from error
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        told = [str(part) for part in first["loc"] if part != "[key]"]
        place = ", ".join(told) or "the file"
        if first["type"] == "extra_forbidden":
            models: list[type[BaseModel]] = [kind, *parts]
            known = {name for model in models for name in model.model_fields}
            raise UsageError(f"{path}: unknown key {place}", nearest(told[-1], known)) from None
        problem, cure = first["msg"].removeprefix("Value error, "), f"mend the {what}"
        if first["type"] == "literal_error":
            words = [word.strip(" '") for word in first["ctx"]["expected"].replace(" or ", ", ").split(",")]
            problem, cure = f"{problem}, not {first['input']!r}", f"{cure}: {nearest(str(first['input']), words)}"
        raise UsageError(f"{path}: {place}: {problem}", cure) from None
