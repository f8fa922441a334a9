"""The base model's tokenizer without its weights: what it takes to write a prompt exactly as inference will."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emowhy.engines.base import Engine
from emowhy.engines.chat_ids import chat_ids, control_tokens
from emowhy.errors import MissingError, missing_extra
from emowhy.models import find_model
from emowhy.types import Chat


class Prompter(Engine):
    """An engine that never answers: its control tokens and context length are those of the model's own engines."""

    name = "prompter"

    def __init__(self, model: str) -> None:
        try:
            from transformers import AutoConfig, AutoTokenizer
        except ImportError as error:
            raise missing_extra("the tokenizer of the recipe's base", "tune") from error
        self._found = find_model(model)
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(self._found.path)
            config = AutoConfig.from_pretrained(self._found.path)
        except OSError as error:
            reason = str(error).splitlines()[0]
            raise MissingError(f"the recipe's base {model!r}: {reason}", "check the recipe's base") from error
        self.context_length = getattr(config, "max_position_embeddings", None)
        self.control_tokens = control_tokens(self._tokenizer)

    def count_tokens(self, chat: Chat) -> int:
        return len(chat_ids(self._tokenizer, chat))

    def identity(self) -> Mapping[str, Any]:
        return dict(self._found.identity)
