"""`emowhy serve`: an OpenAI-compatible vLLM server with the right flags for this model and adapter."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import sys
from typing import Annotated

import typer

from emowhy.cli import options as o
from emowhy.errors import MissingError


def serve_command(model: str | None, adapter: str | None, port: int, host: str, more: list[str]) -> list[str]:
    """The command that starts the server. Raises an EmowhyError for a model or adapter that cannot be served."""
    from emowhy.engines.vllm import BOUND, adapter_name, lora_arguments
    from emowhy.models import EMBEDDED, find_adapter, find_model

    found = find_model(model or EMBEDDED)
    folder = find_adapter(adapter, model or EMBEDDED)
    if folder is not None and not (folder / "adapter_model.safetensors").is_file():
        raise MissingError(f"no adapter_model.safetensors in {folder.absolute()}", "check --adapter")
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", found.path]
    command += ["--served-model-name", found.name, "--host", host, "--port", str(port)]
    command += ["--structured-outputs-config", json.dumps(BOUND)]
    for name, value in lora_arguments(folder).items():
        command += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    if folder is not None:
        # as JSON, since vLLM takes any word with a comma for that
        module = {"name": adapter_name(folder), "path": str(folder.absolute())}
        command += ["--lora-modules", json.dumps(module, ensure_ascii=False)]
    return command + more


@o.guarded
def serve(
    config: o.Config = None,
    model: o.Model = None,
    adapter: o.Adapter = None,
    port: Annotated[int, typer.Option("--port", help="The port to listen on.")] = 8000,
    host: Annotated[str, typer.Option("--host", help="The address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    engine_args: Annotated[
        list[str] | None,
        typer.Option("--engine-arg", help="One more vLLM flag, KEY=VALUE (tensor-parallel-size=2); repeatable."),
    ] = None,
    only_print: Annotated[bool, typer.Option("--print", help="Print the command instead of running it.")] = False,
) -> None:
    """Start the server here, in place of this process (stop it with Ctrl-C)."""
    from emowhy.engines.vllm import missing_vllm, quiet_environment

    more = []
    for key, value in o.pairs(engine_args, "--engine-arg").items():
        flag = key.replace("_", "-")
        more += [f"--no-{flag}"] if value is False else [f"--{flag}", *([] if value is True else [str(value)])]
    command = serve_command(model, adapter, port, host, more)
    if not only_print and importlib.util.find_spec("vllm") is None:
        raise missing_vllm()
    if "--lora-modules" in command:  # a client that names none gets the base
        name = json.loads(command[command.index("--lora-modules") + 1])["name"]
        print(f"the adapter is served as {name}: --engine server --adapter {name}", file=sys.stderr)
        _warn(adapter, model)
    if only_print:
        print(shlex.join(command))
        return
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "INFO")  # whoever starts a server wants to see it come up
    quiet_environment()
    os.execv(command[0], command)


def _warn(adapter: str | None, model: str | None) -> None:
    """A client cannot see what a served adapter was tuned on, so it is said here."""
    from emowhy.models import EMBEDDED, find_adapter, origin
    from emowhy.tune.templates import changed_templates

    folder = find_adapter(adapter, model or EMBEDDED)
    for name, how in changed_templates(origin(folder) if folder else {}).items():
        print(f"warning: it was tuned on the strategy {name!r}, but {how}", file=sys.stderr)
