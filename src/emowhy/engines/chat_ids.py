"""A chat as the tokens that a local model reads; shared by the engines that hold a tokenizer."""

from __future__ import annotations

from typing import Any

from emowhy.errors import UsageError
from emowhy.types import Chat


def messages_of(chat: Chat) -> list[dict[str, str]]:
    """The messages as every chat API wants them."""
    return [{"role": message.role, "content": message.content} for message in chat.messages]


def chat_ids(tokenizer: Any, chat: Chat) -> list[int]:
    """Token ids of the chat with the start of the assistant's turn.

    A model without a system role reads that message at the head of the user's.
    """
    if not tokenizer.chat_template:
        raise UsageError("the model's tokenizer has no chat template: it is a base model", "use its instruct version")
    messages = messages_of(chat)
    options: dict[str, Any] = {"add_generation_prompt": True, "tokenize": True, "return_dict": False}
    if chat.sampling.thinking is not None:
        options["enable_thinking"] = chat.sampling.thinking
    try:
        ids = tokenizer.apply_chat_template(messages, **options)
    except Exception as error:  # templates raise jinja2 errors of many kinds for a role they do not know
        if messages[0]["role"] != "system":
            raise UsageError(f"the model's chat template failed: {error}", "check --model") from error
        joined = "\n\n".join(message["content"] for message in messages[:2])
        ids = tokenizer.apply_chat_template([{"role": "user", "content": joined}, *messages[2:]], **options)
    return list(ids)


def control_tokens(tokenizer: Any) -> tuple[str, ...]:
    """Every added token's string: the tokenizer would make one token of it wherever it stands.

    Plain words that someone added to the vocabulary control nothing and stay whole.
    """
    added = tokenizer.added_tokens_decoder.values()
    return tuple(sorted({str(t) for t in added if str(t).strip() and (t.special or not str(t).strip().isalnum())}))
