"""datatrove's InferenceRunner and Ray Data LLM on the prompts of benchmarks/translate.py.

datatrove asks `vllm serve` on this machine (its own way to start one wants a package called vllm);
Ray Data LLM hosts vLLM itself. Start-up is left out: a peer's speed is that from the moment a fifth
of its answers are there until the last one is. That flatters them a little, for what they do before
the first answer and after the last is not counted, while ours is timed from end to end.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from palo.engines.stream import Request
from palo.settings.translate import TranslatorSettings

_WARM = 0.2  # of the answers, before the clock starts
_START_S = 300


def measure(bench: Any, num_segments: int, ours_per_s: float) -> dict[str, Any]:
    """`bench` is translate.Bench; our speed over each peer's, start-up aside."""
    settings = bench.settings
    with serving(settings) as url:
        asked = bench.work(num_segments).requests
        datatrove_per_s = steady(datatrove(asked, settings, url, bench.folder / "datatrove"))
    ray_per_s = steady(ray_data(bench.work(num_segments).requests, settings))
    return {
        "datatrove_segments_per_s": round(datatrove_per_s, 1),
        "ratio_to_datatrove": round(ours_per_s / datatrove_per_s, 2),
        "ray_data_segments_per_s": round(ray_per_s, 1),
        "ratio_to_ray_data": round(ours_per_s / ray_per_s, 2),
    }


def steady(times: list[float]) -> float:
    """Answers a second, from the times of all answers, without the first ones."""
    ordered = sorted(times)
    first = int(len(ordered) * _WARM)
    return (len(ordered) - 1 - first) / (ordered[-1] - ordered[first])


def datatrove(
    asked: list[Request], settings: TranslatorSettings, url: str, output: Path
) -> list[float]:
    """When each answer came, in seconds."""
    from datatrove.data import Document
    from datatrove.pipeline.inference.run_inference import InferenceConfig, InferenceRunner
    from datatrove.pipeline.writers import JsonlWriter

    times = []

    async def rollout(document: Any, generate: Any) -> str:
        answer = await generate({"messages": [{"role": "user", "content": document.text}]})
        times.append(time.perf_counter())
        return str(answer.text)

    runner = InferenceRunner(
        rollout_fn=rollout,
        config=InferenceConfig(
            server_type="endpoint",
            model_name_or_path=settings.model,
            endpoint_url=url,
            default_generation_params={
                "max_tokens": settings.max_tokens,
                "temperature": 0.0,
                "logprobs": True,
            },
            max_concurrent_generations=int(settings.max_num_seqs * 1.75),  # as many as ours
        ),
        output_writer=JsonlWriter(str(output)),
    )
    runner.run(Document(text=one.messages[0].content, id=one.tag) for one in asked)
    written = sum(1 for path in output.rglob("*.jsonl.gz") for _ in lines(path))
    assert written == len(asked), f"datatrove wrote {written} of {len(asked)}"
    return times


def lines(path: Path) -> Iterator[str]:
    import gzip

    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from file


def ray_data(asked: list[Request], settings: TranslatorSettings) -> list[float]:
    """When each answer came, in seconds; answers of one batch come at once."""
    import ray
    from ray.data.llm import build_processor, vLLMEngineProcessorConfig

    if not ray.is_initialized():
        # its workers take ten CPUs as given; only the engine computes, and it has all cores
        ray.init(num_cpus=16, log_to_driver=False, include_dashboard=False)
        ray.data.DataContext.get_current().enable_progress_bars = False
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
    rows = [{"prompt": one.messages[0].content} for one in asked]
    times = [time.perf_counter() for _ in processor(ray.data.from_items(rows)).iter_rows()]
    assert len(times) == len(asked)
    return times


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
