"""Engines: chats in, replies out. Found by name, by entry point (`emowhy.engines`) or as `module:Name`."""

from __future__ import annotations

from typing import Any

from emowhy.engines.base import Engine, Take
from emowhy.errors import UsageError
from emowhy.plugins import find_plugin

__all__ = ["ENGINES", "Engine", "Take", "load_engine"]

ENGINES = {
    "transformers": "emowhy.engines.transformers:TransformersEngine",
    "vllm": "emowhy.engines.vllm:VllmEngine",
    "server": "emowhy.engines.server:ServerEngine",
    "scripted": "emowhy.engines.scripted:ScriptedEngine",
}


def load_engine(name: str, **options: Any) -> Engine:
    """The engine of this name, made with `options` (model, adapter and the engine's own)."""
    kind = find_plugin("engine", name, ENGINES)
    if not (isinstance(kind, type) and issubclass(kind, Engine)):
        raise UsageError(f"{name} is no engine", "derive it from emowhy.engines.Engine")
    return kind(**options)
