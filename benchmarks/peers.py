"""Peers of benchmarks/translation.py: datatrove's InferenceRunner and Ray Data LLM.

datatrove asks `vllm serve` on this machine (its own way to start one wants a package called vllm);
Ray Data LLM hosts vLLM itself, started anew with each run. Each has the machine for itself
and runs twice from end to end, over few segments and over many: its speed is the difference in
segments over the difference in time, so what a run costs whatever its length (start-up, filling,
draining) cancels out for all alike.
"""

import gzip
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.harness import timed
from palo.engines.stream import Request
from palo.settings import TranslatorSettings

_START_S = 300
_FEW = 400  # segments of the shorter run


def measure(bench: Any, rounds: int, num_segments: int) -> dict[str, Any]:
    """`bench` is translation.Bench; our speed over each peer's in runs of that many segments."""
    contenders = {"ours": ours, "datatrove": asked_of_server, "ray_data": asked_of_ray}
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, contender in contenders.items():
            few, many = contender(bench, (_FEW, num_segments))
            speeds[name].append((num_segments - _FEW) / (many - few))
            print(f"round {number + 1}, {name}: {few:.1f} s, {many:.1f} s", flush=True)
    result: dict[str, Any] = {"peers_segments": [_FEW, num_segments]}
    for name in ("datatrove", "ray_data"):
        ratios = [our / their for our, their in zip(speeds["ours"], speeds[name], strict=True)]
        result[f"ratio_to_{name}"] = round(statistics.median(ratios), 3)
        result[f"ratio_to_{name}_of_rounds"] = [round(ratio, 3) for ratio in ratios]
    for name, of_rounds in speeds.items():
        result[f"{name}_alone_segments_per_s"] = round(statistics.median(of_rounds), 1)
    return result


def ours(bench: Any, sizes: tuple[int, ...]) -> list[float]:
    """Seconds of a run of each size, the whole of `translate_language`."""
    with bench.engine() as engine:
        works = [bench.work(size, str(engine.signature)) for size in sizes]
        return [bench.timed_run(work, engine) for work in works]


def asked_of_server(bench: Any, sizes: tuple[int, ...]) -> list[float]:
    with serving(bench.settings) as url:
        works = [bench.work(size).requests for size in (64, *sizes)]  # the first warms it, as ours
        return [timed(partial(datatrove, asked, bench.settings, url)) for asked in works][1:]


def asked_of_ray(bench: Any, sizes: tuple[int, ...]) -> list[float]:
    import ray

    works = [bench.work(size).requests for size in (64, *sizes)]  # its first start is the slowest
    # its workers take ten CPUs as given; only the engine computes, and it has all cores
    ray.init(num_cpus=16, log_to_driver=False, include_dashboard=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        return [timed(partial(ray_data, asked, bench.settings)) for asked in works][1:]
    finally:
        ray.shutdown()


def datatrove(asked: list[Request], settings: TranslatorSettings, url: str) -> None:
    from datatrove.data import Document
    from datatrove.pipeline.inference.run_inference import InferenceConfig, InferenceRunner
    from datatrove.pipeline.writers import JsonlWriter

    async def rollout(document: Any, generate: Any) -> str:
        answer = await generate({"messages": [{"role": "user", "content": document.text}]})
        return str(answer.text)

    sampling = {"max_tokens": settings.max_tokens, "temperature": 0.0, "logprobs": True}
    config = InferenceConfig(
        server_type="endpoint",
        model_name_or_path=settings.model,
        endpoint_url=url,
        default_generation_params=sampling,
        max_concurrent_generations=int(settings.max_num_seqs * 1.75),  # as many as ours
    )
    with tempfile.TemporaryDirectory() as output:
        runner = InferenceRunner(
            rollout_fn=rollout, config=config, output_writer=JsonlWriter(output)
        )
        runner.run(Document(text=each.messages[0].content, id=each.tag) for each in asked)
        paths = Path(output).rglob("*.jsonl.gz")
        written = sum(gzip.decompress(path.read_bytes()).count(b"\n") for path in paths)
    assert written == len(asked), f"datatrove wrote {written} of {len(asked)}"


def ray_data(asked: list[Request], settings: TranslatorSettings) -> None:
    import ray
    from ray.data.llm import build_processor, vLLMEngineProcessorConfig

    on_gpu = ray.cluster_resources().get("GPU", 0) > 0
    more: dict[str, Any] = {} if on_gpu else {"placement_group_config": {"bundles": [{"CPU": 1}]}}
    config = vLLMEngineProcessorConfig(
        model_source=settings.model,
        engine_kwargs={
            "dtype": settings.dtype,
            "max_model_len": settings.max_model_tokens,
            "max_num_seqs": settings.max_num_seqs,
            "gpu_memory_utilization": settings.gpu_memory_utilization,
            "enable_prefix_caching": True,
        },
        concurrency=1,
        batch_size=64,
        log_engine_metrics=False,
        **more,
    )
    sampling = {"max_tokens": settings.max_tokens, "temperature": 0.0, "logprobs": 0}
    processor = build_processor(
        config,
        preprocess=lambda row: {
            "messages": [{"role": "user", "content": row["prompt"]}],
            "sampling_params": sampling,
        },
        postprocess=lambda row: {"text": row["generated_text"]},
    )
    rows = [{"prompt": each.messages[0].content} for each in asked]
    answered = sum(1 for _ in processor(ray.data.from_items(rows)).iter_rows())
    assert answered == len(asked), f"Ray Data answered {answered} of {len(asked)}"


@contextmanager
def serving(settings: TranslatorSettings) -> Iterator[str]:
    """`vllm serve` as a process of its own, warm; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", settings.model,
        "--dtype", settings.dtype, "--max-model-len", str(settings.max_model_tokens),
        "--max-num-seqs", str(settings.max_num_seqs), "--port", str(port),
        "--gpu-memory-utilization", str(settings.gpu_memory_utilization),
        "--generation-config", "vllm",
    ]  # fmt: skip
    quiet = {**os.environ, "VLLM_LOGGING_LEVEL": "ERROR"}
    server = subprocess.Popen(command, env=quiet, stdout=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/health", server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def wait_for(url: str, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5)
        except (urllib.error.URLError, OSError):
            time.sleep(1)
        else:
            return
    raise SystemExit(f"vLLM's server did not come up (exit code {server.poll()})")
