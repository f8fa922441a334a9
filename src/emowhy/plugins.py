"""How a plug-in is found: a shipped name, an entry point in the group `emowhy.<role>s`, or `module:Name`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from emowhy.errors import MissingError, UsageError, nearest


def find_plugin(role: str, name: str, shipped: Mapping[str, str]) -> Any:
    """The class (or factory) called `name`. Raises UsageError with the nearest known name, or says what broke."""
    # a shipped name is never asked of the entry points: to look through all packages takes a while
    installed = {} if name in shipped else {point.name: point.value for point in entry_points(group=f"emowhy.{role}s")}
    address = shipped.get(name) or installed.get(name) or name
    module_name, colon, attribute = address.partition(":")
    if not (colon and module_name.strip(".") == module_name != "" and attribute):
        raise UsageError(f"no {role} {name!r}", nearest(name, {*shipped, *installed}) + "; or module:Name")
    if name == address and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # a user's own module lies beside the input, as with `python -m`
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if name in shipped:
            raise
        if not f"{module_name}.".startswith(f"{error.name}."):  # found, but something that it imports is not
            raise MissingError(f"{role} {name!r}: {error}", f"install what {module_name} imports") from error
        raise MissingError(
            f"{role} {name!r}: {error}", f"put {module_name}.py in this folder or on PYTHONPATH"
        ) from error
    try:
        return getattr(module, attribute)
    except AttributeError:
        public = [known for known in vars(module) if not known.startswith("_")]
        raise UsageError(f"module {module_name!r} has no {attribute!r}", nearest(attribute, public)) from None
