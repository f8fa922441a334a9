"""The model in this process, through transformers: batched, schema-bound, with a PEFT adapter if named."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from emowhy.engines.base import Engine, Take, spell
from emowhy.engines.chat_ids import chat_ids, control_tokens
from emowhy.engines.server_options import switch
from emowhy.errors import EngineError, MissingError, UsageError, missing_extra, nearest
from emowhy.models import EMBEDDED, adapter_identity, find_adapter, find_model
from emowhy.types import Chat, Reply, Usage

_MOST_LOGITS = 2**27
"""Logits of one batch of given texts: 256 MiB in bf16, about 2,700 tokens of a vocabulary of 49,152."""


class TransformersEngine(Engine):
    """Options: `batch_size` (rows at once), `device` ("cpu", "cuda", …), `dtype` ("auto", "bfloat16", …), `threads`,
    and `bind` ("off": replies are not bound to their schema)."""

    name = "transformers"
    binds = True

    def __init__(
        self,
        model: str | None = None,
        adapter: str | None = None,
        batch_size: int | str = 32,
        device: str | None = None,
        dtype: str = "auto",
        threads: int | str | None = None,
        trust_remote_code: bool = False,
        bind: str = "auto",
        **unknown: Any,
    ) -> None:
        for option in unknown:
            known = ("batch_size", "device", "dtype", "threads", "trust_remote_code", "bind")
            raise UsageError(f"the transformers engine has no option {option!r}", nearest(option, known))
        try:
            import torch
            import transformers
            import xgrammar  # noqa: F401  (told here, not in the middle of a run)
        except ImportError as error:
            raise missing_extra(f"the engine {self.name!r} ({error.name})", "local") from error
        transformers.utils.logging.disable_progress_bar()
        if threads:
            torch.set_num_threads(int(threads))
        self.batch_size = int(batch_size)
        self.binds = switch("bind", bind) != "off"
        self._found = find_model(model or EMBEDDED)
        self._adapter = find_adapter(adapter, self._found.name)
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.dtype = _pick_dtype(device) if dtype == "auto" else getattr(torch, dtype)
        load = {"trust_remote_code": trust_remote_code}
        try:
            self.tokenizer = transformers.AutoTokenizer.from_pretrained(self._found.path, **load)
            net = transformers.AutoModelForCausalLM.from_pretrained(self._found.path, dtype=self.dtype, **load)
        except OSError as error:
            raise MissingError(f"model {self._found.name!r}: {str(error).splitlines()[0]}", "check --model") from error
        if self._adapter is not None:
            net = _with_adapter(net, str(self._adapter))
        self.model = net.to(device).eval()
        self.context_length = getattr(net.config, "max_position_embeddings", None)
        self.control_tokens = control_tokens(self.tokenizer)

    def identity(self) -> Mapping[str, Any]:
        return {
            "engine": self.name,
            **self._found.identity,
            **adapter_identity(self._adapter),
            "dtype": str(self.dtype),
            **({} if self.binds else {"bind": False}),
        }

    def count_tokens(self, chat: Chat) -> int:
        return len(chat_ids(self.tokenizer, chat))

    def stream(self, take: Take) -> Iterator[tuple[Chat, Reply]]:
        # Batches of like lengths waste little on padding; a few batches are taken at once to sort among.
        while chats := take(4 * self.batch_size):
            ids = {id(chat): chat_ids(self.tokenizer, chat) for chat in chats}
            alike = sorted(chats, key=lambda c: (_group(c), len(ids[id(c)])))
            while alike:
                batch = [c for c in alike[: self.batch_size] if _group(c) == _group(alike[0])]
                del alike[: len(batch)]
                yield from zip(batch, self._generate(batch, [ids[id(c)] for c in batch]), strict=True)

    def _generate(self, chats: list[Chat], ids: list[list[int]]) -> list[Reply]:
        """One padded batch whose chats share their sampling but for the seed."""
        import torch
        from transformers import LogitsProcessorList

        from emowhy.engines.decoding import BoundReplies, SeededSampling, TokenLogprobs

        started = time.perf_counter()
        sampling = chats[0].sampling
        width = max(map(len, ids))
        pad = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else self.tokenizer.eos_token_id
        tokens = torch.full((len(ids), width), pad, dtype=torch.long)
        mask = torch.zeros_like(tokens)
        for row, some in enumerate(ids):
            tokens[row, width - len(some) :] = torch.tensor(some)
            mask[row, width - len(some) :] = 1
        logprobs = TokenLogprobs(width)
        processors: list[Any] = [logprobs]
        if self.binds and any(chat.schema is not None for chat in chats):
            after = self._think_end if sampling.thinking else None
            processors.append(BoundReplies([self._grammar(chat) for chat in chats], width, after))
        if sampling.temperature > 0:
            processors.append(SeededSampling(sampling.temperature, [chat.sampling.seed for chat in chats], width))
        try:
            with torch.inference_mode():
                out = self.model.generate(
                    input_ids=tokens.to(self.model.device),
                    attention_mask=mask.to(self.model.device),
                    max_new_tokens=sampling.max_tokens,
                    do_sample=False,  # SeededSampling draws by itself, so that each row has its own seed
                    temperature=None,
                    top_p=None,
                    top_k=None,
                    pad_token_id=pad,
                    logits_processor=LogitsProcessorList(processors),
                )
        except torch.OutOfMemoryError as error:
            raise EngineError("the device ran out of memory", "a smaller --engine-arg batch_size=…") from error
        seconds = (time.perf_counter() - started) / len(chats)
        written = out[:, width:].tolist()
        return [
            self._reply(new, scores, len(some), seconds)
            for new, scores, some in zip(written, logprobs.rows(out), ids, strict=True)
        ]

    def _reply(self, new: list[int], scores: list[float], read: int, seconds: float) -> Reply:
        ends = self._end_ids
        stop = next((place for place, token in enumerate(new) if token in ends), None)
        kept = new if stop is None else new[:stop]
        usage = Usage(read, len(kept) + (stop is not None))
        pieces = [self.tokenizer.decode([token]) for token in kept]
        return Reply(
            text=self.tokenizer.decode(kept, skip_special_tokens=True),
            finish="length" if stop is None else "stop",
            usage=usage,
            tokens=tuple(zip(pieces, scores, strict=False)),
            seconds=seconds,
        )

    def token_logprobs(self, chats: Sequence[Chat], continuations: Sequence[str]) -> list[list[tuple[str, float]]]:
        prompts = [chat_ids(self.tokenizer, chat) for chat in chats]
        answers = [self.tokenizer(text, add_special_tokens=False)["input_ids"] for text in continuations]
        found: list[list[tuple[str, float]]] = [[] for _ in chats]
        for batch in self._batches([(len(p), len(a)) for p, a in zip(prompts, answers, strict=True)]):
            rows = self._read([prompts[i] for i in batch], [answers[i] for i in batch])
            for i, scores in zip(batch, rows, strict=True):
                words = [self.tokenizer.decode([t], clean_up_tokenization_spaces=False) for t in answers[i]]
                found[i] = spell(continuations[i], list(zip(words, scores, strict=True)))
        return found

    def _batches(self, lengths: Sequence[tuple[int, int]]) -> Iterator[list[int]]:
        """Rows with a continuation, those of like lengths (prompt, continuation) together: at most `batch_size`
        of them, and no more than leave their logits small."""
        size = self.model.config.get_text_config().vocab_size
        batch: list[int] = []
        shortest = longest = 0
        for i in sorted((i for i, (_, more) in enumerate(lengths) if more), key=lambda i: (sum(lengths[i]), i)):
            start, end = lengths[i][0], sum(lengths[i])
            shortest, longest = min(shortest, start) if batch else start, end
            if len(batch) == self.batch_size or (len(batch) + 1) * (longest - shortest) * size > _MOST_LOGITS:
                if batch:
                    yield batch
                batch, shortest = [], start
            batch.append(i)
        if batch:
            yield batch

    def _read(self, prompts: Sequence[list[int]], answers: Sequence[list[int]]) -> list[list[float]]:
        """Log-probabilities of the answers' tokens, all read at once (teacher forcing); no answer is empty."""
        import torch

        width = max(len(p) + len(a) for p, a in zip(prompts, answers, strict=True))
        tokens = torch.zeros(len(prompts), width, dtype=torch.long)
        mask = torch.zeros_like(tokens)
        for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
            tokens[row, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
            mask[row, : len(prompt) + len(answer)] = 1
        keep = width - min(map(len, prompts)) + 1
        try:
            with torch.inference_mode():
                logits = self.model(
                    input_ids=tokens.to(self.model.device),
                    attention_mask=mask.to(self.model.device),
                    logits_to_keep=keep,
                ).logits
        except torch.OutOfMemoryError as error:
            raise EngineError("the device ran out of memory", "a smaller --engine-arg batch_size=…") from error
        found: list[list[float]] = []
        for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
            first = len(prompt) - 1 - (width - keep)
            likely = logits[row, first : first + len(answer)].float().log_softmax(-1).cpu()
            found.append(likely[torch.arange(len(answer)), torch.tensor(answer)].tolist())
        return found

    @functools.cached_property
    def _end_ids(self) -> set[int]:
        ends = self.model.generation_config.eos_token_id
        return {self.tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])}

    @functools.cached_property
    def _think_end(self) -> int | None:
        found = self.tokenizer.convert_tokens_to_ids("</think>")
        return None if found in (None, self.tokenizer.unk_token_id) else int(found)

    @functools.cached_property
    def _compiler(self) -> Any:
        import xgrammar

        vocabulary = xgrammar.TokenizerInfo.from_huggingface(
            self.tokenizer, vocab_size=self.model.config.get_text_config().vocab_size
        )
        return xgrammar.GrammarCompiler(vocabulary)

    def _grammar(self, chat: Chat) -> Any:
        if chat.schema is None:
            return None
        # no free white space: a small model can loop in it until its budget ends
        return self._compiler.compile_json_schema(json.dumps(chat.schema), any_whitespace=False)

    def close(self) -> None:
        del self.model


def _group(chat: Chat) -> tuple[int, float, str]:
    return chat.sampling.max_tokens, chat.sampling.temperature, str(chat.sampling.thinking)


def _pick_dtype(device: str) -> Any:
    """bf16 where the processor multiplies it natively, fp32 elsewhere."""
    import torch

    if device.startswith("cuda"):
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    good = device != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.bfloat16 if good else torch.float32


def _with_adapter(net: Any, path: str) -> Any:
    try:
        from peft import PeftModel
    except ImportError as error:
        raise missing_extra("an adapter", "local") from error
    try:
        return PeftModel.from_pretrained(net, path)
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise MissingError(
            f"the adapter {path} does not fit the model: {reason}", "check --model and --adapter"
        ) from error
