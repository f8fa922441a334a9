"""Output tokens a second through emowhy against vLLM itself: both sides in one run, alternating, medians.

    python benchmarks/engines.py inprocess    against LLM.chat: same prompts, schema and sampling
    python benchmarks/engines.py server       against vLLM's own benchmark client at the same concurrency

Prompts are the demo set's, each made different by a number, so that no answer is ever looked up;
vLLM's prefix cache is emptied before every turn. Times of the in-process side are of the whole flow:
rendering, generation, parsing and checking.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MAX_TOKENS = 64
ROOM = 160  # in process replies are bound and must close: a row that is asked again writes what LLM.chat does not


def demo_samples(count: int) -> list[Any]:
    from emowhy import Sample
    from emowhy.read import read

    rows = [row for row in read(HERE / "demo" / "demo.jsonl") if isinstance(row, Sample) and row.text]
    return [
        dataclasses.replace(rows[i % len(rows)], id=str(i), text=f"{rows[i % len(rows)].text} ({i})")
        for i in range(count)
    ]


def inprocess(rounds: int, count: int) -> dict[str, Any]:
    from emowhy.engines.chat_ids import messages_of
    from emowhy.engines.vllm import VllmEngine
    from emowhy.prompt import load_strategy
    from emowhy.reasoner import Job, Reasoner
    from emowhy.taxonomy import find_taxonomy
    from emowhy.types import Sampling

    engine = VllmEngine(adapter="none", max_model_len=2048)
    sampling = Sampling(max_tokens=ROOM)
    reasoner = Reasoner(engine, load_strategy("direct"), find_taxonomy("ekman"), hints="none", sampling=sampling)
    samples = demo_samples(count)
    jobs = [Job(sample, i) for i, sample in enumerate(samples)]
    chats = [next(reasoner.reason(job, ())) for job in jobs]
    runs: dict[str, list[float]] = {"LLM.chat": [], "emowhy": []}

    asked_again: list[bool] = []

    def plain() -> float:
        engine._llm.reset_prefix_cache()
        messages, params = [messages_of(chat) for chat in chats], [engine._params(chat) for chat in chats]
        started = time.perf_counter()
        outputs = engine._llm.chat(messages, params, use_tqdm=False)
        return sum(len(o.outputs[0].token_ids) for o in outputs) / (time.perf_counter() - started)

    def ours() -> float:
        engine._llm.reset_prefix_cache()
        started = time.perf_counter()
        written = 0
        for _, answer in reasoner.explain_all(jobs):
            written += answer.usage.completion
            asked_again.append(len(answer.steps) > 1)
        return written / (time.perf_counter() - started)

    plain(), ours()  # warm-up: grammars compiled, kernels chosen
    for turn in range(rounds):
        for name, side in (("LLM.chat", plain), ("emowhy", ours))[:: 1 if turn % 2 else -1]:
            runs[name].append(side())
    engine.close()
    return summary(runs, "LLM.chat", count=count, max_tokens=ROOM, asked_again=sum(asked_again))


def server(rounds: int, count: int, concurrency: int) -> dict[str, Any]:
    from emowhy.engines.chat_ids import messages_of
    from emowhy.engines.server import ServerEngine
    from emowhy.prompt import load_strategy
    from emowhy.reasoner import Job, Reasoner
    from emowhy.taxonomy import find_taxonomy
    from emowhy.types import Sampling

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "emowhy", "serve", "--port", str(port), "--engine-arg", "max-model-len=2048"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(url + "/health", process)
        options: dict[str, Any] = {"extra_body.ignore_eos": True, "bind": "off", "logprobs": "off"}
        engine = ServerEngine(None, base_url=url + "/v1", concurrency=concurrency, **options)
        engine.probe()
        reasoner = Reasoner(
            engine,
            load_strategy("direct"),
            find_taxonomy("ekman"),
            hints="none",
            sampling=Sampling(max_tokens=MAX_TOKENS),
        )
        chats = [next(reasoner.reason(Job(sample, i), ())) for i, sample in enumerate(demo_samples(count))]
        chats = [dataclasses.replace(chat, schema=None) for chat in chats]
        runs: dict[str, list[float]] = {"vLLM's client": [], "emowhy": []}

        def ours() -> float:
            started = time.perf_counter()
            replies = engine.generate(chats)
            assert not any(reply.error for reply in replies), replies
            return sum(reply.usage.completion for reply in replies) / (time.perf_counter() - started)

        def theirs() -> float:
            with tempfile.TemporaryDirectory() as folder:
                prompts = Path(folder) / "prompts.jsonl"
                rows = [{"prompt": "\n\n".join(m["content"] for m in messages_of(chat))} for chat in chats]
                prompts.write_text("".join(json.dumps(row) + "\n" for row in rows))
                return bench_client(url, prompts, count, concurrency, Path(folder))

        theirs(), ours()
        for turn in range(rounds):
            for name, side in (("vLLM's client", theirs), ("emowhy", ours))[:: 1 if turn % 2 else -1]:
                urllib.request.urlopen(urllib.request.Request(url + "/reset_prefix_cache", method="POST"))
                runs[name].append(side())
        engine.close()
        return summary(runs, "vLLM's client", count=count, max_tokens=MAX_TOKENS, concurrency=concurrency)
    finally:
        process.terminate()
        process.wait()


def bench_client(url: str, prompts: Path, count: int, concurrency: int, folder: Path) -> float:
    """Output tokens a second as vLLM's `bench serve` reports them."""
    model = json.load(urllib.request.urlopen(url + "/v1/models"))["data"][0]
    command = [
        sys.executable, str(HERE / "_bench_serve.py"), "--backend", "openai-chat", "--base-url", url,
        "--endpoint", "/v1/chat/completions", "--model", model["id"], "--tokenizer", model["root"],
        "--dataset-name", "custom", "--dataset-path", str(prompts), "--custom-output-len", str(MAX_TOKENS),
        "--skip-chat-template", "--num-prompts", str(count), "--max-concurrency", str(concurrency), "--ignore-eos",
        "--temperature", "0", "--disable-tqdm", "--save-result",
        "--result-dir", str(folder), "--result-filename", "out.json",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"vLLM's benchmark client failed:\n{done.stdout}\n{done.stderr}")
    return float(json.loads((folder / "out.json").read_text())["output_throughput"])


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Until the server answers; fails if it ends first or takes five minutes."""
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"the server ended with {process.returncode}: run emowhy serve to see why")
        try:
            urllib.request.urlopen(url, timeout=1)
            return
        except OSError:
            time.sleep(0.5)
    raise SystemExit(f"nothing answered at {url}")


def summary(runs: dict[str, list[float]], theirs: str, **about: Any) -> dict[str, Any]:
    median = {name: statistics.median(values) for name, values in runs.items()}
    return {
        **about,
        "rounds": {name: [round(v, 1) for v in values] for name, values in runs.items()},
        "output tokens/s (median)": {name: round(value, 1) for name, value in median.items()},
        "ratio": round(median["emowhy"] / median[theirs], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", nargs="?", choices=["inprocess", "server", "both"], default="both")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--concurrency", type=int, default=32)
    args = parser.parse_args()
    os.environ["VLLM_SERVER_DEV_MODE"] = "1"  # for the server's /reset_prefix_cache
    if args.side in ("inprocess", "both"):
        print(json.dumps({"engine vllm": inprocess(args.rounds, args.count)}, indent=1))
    if args.side in ("server", "both"):
        print(json.dumps({"engine server": server(args.rounds, args.count, args.concurrency)}, indent=1))


if __name__ == "__main__":
    main()
