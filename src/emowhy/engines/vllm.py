"""vLLM in this process: continuous batching, LoRA, bound replies; rows stream out as they finish.

`vllm_flags` is also what `emowhy serve` starts a server with, so that both run a model alike.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from emowhy.engines.base import Engine, Take, spell
from emowhy.engines.chat_ids import chat_ids, control_tokens
from emowhy.engines.lora import adapter_name as adapter_name
from emowhy.engines.lora import lora_arguments as lora_arguments
from emowhy.engines.server_options import switch
from emowhy.errors import EngineError, MissingError, UsageError
from emowhy.models import EMBEDDED, adapter_identity, find_adapter, find_model
from emowhy.types import Chat, Finish, Reply, Usage


class VllmEngine(Engine):
    """Options are vLLM's engine arguments (`tensor_parallel_size=2`, `max_model_len=4096`, `reasoning_parser=…`), and
    `bind` ("off": replies are not bound to their schema)."""

    name = "vllm"

    def __init__(self, model: str | None = None, adapter: str | None = None, **options: Any) -> None:
        quiet_environment()
        try:
            from vllm import LLM
        except ImportError as error:
            raise missing_vllm() from error
        self._found = find_model(model or EMBEDDED)
        self._adapter = find_adapter(adapter, self._found.name)
        arguments: dict[str, Any] = {name.replace("-", "_"): value for name, value in options.items()}
        parser = arguments.pop("reasoning_parser", "")
        self._binds = switch("bind", arguments.pop("bind", "auto")) != "off"
        arguments = {**lora_arguments(self._adapter), **arguments}
        arguments["structured_outputs_config"] = {**BOUND, "reasoning_parser": parser}
        self._binds_after_thinking = bool(parser)
        try:
            self._llm = LLM(model=self._found.path, **arguments)
        except TypeError as error:
            raise UsageError(f"vLLM refused an engine argument: {error}", "check --engine-arg") from error
        except OSError as error:
            raise MissingError(f"model {self._found.name!r}: {str(error).splitlines()[0]}", "check --model") from error
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"vLLM did not start: {str(error).strip().splitlines()[-1]}", "emowhy doctor") from error
        self._engine = self._llm.llm_engine
        self.tokenizer = self._llm.get_tokenizer()
        self.context_length = self._engine.model_config.max_model_len
        self.control_tokens = control_tokens(self.tokenizer)
        self.batch_size = self._engine.vllm_config.scheduler_config.max_num_seqs
        self._lora = None
        self._count = 0
        self._early: list[Any] = []  # outputs of a stream that came while given texts were being scored
        if self._adapter is not None:
            from vllm.lora.request import LoRARequest

            self._lora = LoRARequest(adapter_name(self._adapter), 1, str(self._adapter.absolute()))

    def identity(self) -> Mapping[str, Any]:
        import vllm

        made = {**self._found.identity, **adapter_identity(self._adapter)}
        made |= {"dtype": str(self._engine.model_config.dtype), "vllm": vllm.__version__}
        return {"engine": self.name, **made, **({} if self._binds else {"bind": False})}

    def count_tokens(self, chat: Chat) -> int:
        return len(chat_ids(self.tokenizer, chat))

    def stream(self, take: Take) -> Iterator[tuple[Chat, Reply]]:
        flying: dict[str, Chat] = {}
        # Some wait in the engine beyond what it can run at once, so that a freed place is filled without us.
        most = self.batch_size + min(self.batch_size, 64)
        try:
            while True:
                taken = take(most - len(flying))
                for chat in taken:
                    if (refused := self._add(chat, flying)) is not None:
                        yield chat, refused
                if flying:
                    outputs, self._early = self._early, []
                    for output in outputs or self._step():
                        if output.finished and output.request_id in flying:
                            yield flying.pop(output.request_id), _reply(output)
                elif not taken:
                    return
        finally:
            if flying:
                self._engine.abort_request(list(flying))

    def _add(self, chat: Chat, flying: dict[str, Chat]) -> Reply | None:
        """Hand a chat to vLLM; a reply at once if vLLM refuses it (too long, say)."""
        from vllm.exceptions import VLLMValidationError

        self._count += 1
        name = f"emowhy-{self._count}"
        prompt = {"prompt_token_ids": chat_ids(self.tokenizer, chat)}
        try:
            self._engine.add_request(name, prompt, self._params(chat), lora_request=self._lora)
        except (ValueError, VLLMValidationError) as error:
            return Reply(finish="error", error=str(error)[:300])
        flying[name] = chat
        return None

    def _step(self) -> list[Any]:
        try:
            return list(self._engine.step())
        except Exception as error:  # EngineDeadError and whatever a worker died of: nothing more will come
            cure = "type the same command again: finished rows are kept"
            raise EngineError(f"vLLM stopped: {error}", cure) from error

    def _params(self, chat: Chat) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

        sampling = chat.sampling
        bind = self._binds and chat.schema is not None and (not sampling.thinking or self._binds_after_thinking)
        return SamplingParams(
            temperature=sampling.temperature,
            max_tokens=sampling.max_tokens,
            seed=sampling.seed if sampling.temperature else None,
            logprobs=0,  # of the written token alone
            structured_outputs=StructuredOutputsParams(json=json.dumps(chat.schema)) if bind else None,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )

    def token_logprobs(self, chats: Sequence[Chat], continuations: Sequence[str]) -> list[list[tuple[str, float]]]:
        # Each token is written as the only one allowed; what is given are the log-probabilities that they had before
        # that. Asking for a prompt's log-probabilities instead kills vLLM 0.32 with an adapter on a CPU.
        found: list[dict[int, tuple[str, float]]] = [{} for _ in chats]
        waiting = self._each_token(chats, continuations)
        flying: dict[str, list[tuple[int, int]]] = {}
        try:
            while True:
                for owners, prompt, token in itertools.islice(waiting, 2 * self.batch_size - len(flying)):
                    flying[self._ask(prompt, token)] = owners
                if not flying:
                    break
                for output in self._step():
                    if (waited := flying.pop(output.request_id, None)) is None:
                        self._early.append(output)  # of a stream that is halfway through
                        continue
                    for number, place in waited:
                        found[number][place] = self._scored(output.outputs[0])
        finally:
            if flying:
                self._engine.abort_request(list(flying))
        texts = zip(continuations, found, strict=True)
        return [spell(text, [scored[place] for place in sorted(scored)]) for text, scored in texts]

    def _each_token(
        self, chats: Sequence[Chat], continuations: Sequence[str]
    ) -> Iterator[tuple[list[tuple[int, int]], list[int], int]]:
        """Who waits for it (number of the continuation, place in it), what stands before a token, and the token.

        Neighbours after the same chat that begin alike share what they begin with.
        """
        neighbours = itertools.groupby(enumerate(zip(chats, continuations, strict=True)), key=lambda row: row[1][0])
        for chat, group in neighbours:
            before = chat_ids(self.tokenizer, chat)
            asked: dict[tuple[int, ...], list[tuple[int, int]]] = {}
            for number, (_, text) in group:
                tokens = tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])
                for place in range(len(tokens)):
                    asked.setdefault(tokens[: place + 1], []).append((number, place))
            for tokens, owners in asked.items():
                yield owners, [*before, *tokens[:-1]], tokens[-1]

    def _ask(self, prompt: list[int], token: int) -> str:
        """Have vLLM write that one token after the prompt; the request's name."""
        from vllm import SamplingParams
        from vllm.exceptions import VLLMValidationError
        from vllm.sampling_params import RequestOutputKind

        only = SamplingParams(
            temperature=0,
            max_tokens=1,
            logprobs=0,
            allowed_token_ids=[token],
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        self._count += 1
        name = f"emowhy-{self._count}"
        try:
            self._engine.add_request(name, {"prompt_token_ids": prompt}, only, lora_request=self._lora)
        except (ValueError, VLLMValidationError) as error:
            raise UsageError(f"vLLM refuses a text: {str(error)[:300]}", "--engine-arg max_model_len=…") from error
        return name

    def _scored(self, said: Any) -> tuple[str, float]:
        (token,) = said.token_ids
        word = self.tokenizer.decode([token], clean_up_tokenization_spaces=False)
        return word, said.logprobs[0][token].logprob

    def close(self) -> None:
        self._engine.engine_core.shutdown()


BOUND = {"backend": "xgrammar", "disable_any_whitespace": True}
"""How vLLM binds replies: without free white space, in which a small model can loop until its budget ends."""


def _reply(output: Any) -> Reply:
    said = output.outputs[0]
    finish: Finish = "length" if said.finish_reason == "length" else "stop"
    if said.finish_reason not in ("length", "stop"):
        return Reply(finish="error", error=f"vLLM ended the request: {said.finish_reason}")
    tokens = None
    if said.logprobs:
        pairs = zip(said.token_ids, said.logprobs, strict=False)
        tokens = tuple((entry[token].decoded_token or "", entry[token].logprob) for token, entry in pairs)
    seconds = 0.0
    if (metrics := output.metrics) is not None:
        seconds = max(0.0, metrics.last_token_ts - metrics.scheduled_ts)
    usage = Usage(len(output.prompt_token_ids), len(said.token_ids))
    return Reply(said.text, finish=finish, usage=usage, tokens=tokens, seconds=seconds)


def quiet_environment() -> None:
    """No telemetry; vLLM's own log only where it is asked for; a key-value cache that leaves a small machine room."""
    os.environ["VLLM_NO_USAGE_STATS"] = "1"
    os.environ["DO_NOT_TRACK"] = "1"
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("VLLM_CONFIGURE_LOGGING", "1")
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")


def missing_vllm() -> MissingError:
    return MissingError(
        "vLLM is not installed",
        'with a GPU: pip install "emowhy[vllm]"; on a CPU: make test installs it, or see "Engines" in the README',
    )
