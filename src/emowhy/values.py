"""Which values a row may hold, and their names in JSON's words."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Mapping
from typing import Any, NoReturn

DEEPEST = 100  # levels of nesting in a row
INVISIBLE = frozenset("\u034f\u115f\u1160\u2800\u3164\ufe0e\ufe0f\uffa0")  # blank, though no space by category


def parse_json(text: str) -> Any:
    """Strict JSON: no NaN or Infinity. Raises ValueError with a plain reason."""
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"broken JSON at character {error.pos + 1}: {error.msg}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def kind_of(value: Any) -> str:
    """What a value is, in JSON's words."""
    return _KINDS.get(type(value), type(value).__name__)


def is_blank(text: str) -> bool:
    """Whether nothing in it can be seen: only spaces, control, format and zero-width characters."""
    return all(unicodedata.category(c) in ("Zs", "Zl", "Zp", "Cc", "Cf") or c in INVISIBLE for c in text)


def check_values(row: Mapping[str, Any]) -> None:
    """Raise ValueError for what no JSON file, prompt or database can carry: NUL, lone surrogates, infinity, depth."""
    for name, value in row.items():
        if not isinstance(name, str):
            raise ValueError(f"the key {name!r} is not a string")
        level: list[Any] = [name, value]
        for _ in range(DEEPEST):
            deeper: list[Any] = []
            for item in level:
                if isinstance(item, str):
                    if "\0" in item:
                        raise ValueError(f"{name}: has a NUL character")
                    if not item.isascii():
                        try:
                            item.encode()
                        except UnicodeEncodeError:
                            raise ValueError(f"{name}: has a lone surrogate or bytes that are not UTF-8") from None
                elif isinstance(item, float):
                    if math.isinf(item):
                        raise ValueError(f"{name}: has an infinite number")
                elif isinstance(item, Mapping):
                    deeper += item.keys()
                    deeper += item.values()
                elif isinstance(item, list | tuple):
                    deeper += item
            level = deeper
            if not level:
                break
        else:
            raise ValueError(f"{name}: nested more than {DEEPEST} levels deep")


def jsonable(value: Any) -> Any:
    """The value as JSON can hold it: dates and other objects as text, NaN as null, of bytes only how many."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    return f"<{len(value)} bytes>" if isinstance(value, bytes) else str(value)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_KINDS: Mapping[type, str] = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    tuple: "a list",
    dict: "an object",
}
