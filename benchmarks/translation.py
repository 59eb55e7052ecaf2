"""Segments a second of a translation run, beside raw vLLM and beside peers on the same prompts.

    .venv/bin/python -m benchmarks.translation            # raw vLLM and one request at a time
    .venv/bin/python -m benchmarks.translation --peers    # datatrove and Ray Data LLM as well

A tiny model with random weights says 64 tokens to each prompt, so every contender does the same
work. Ours is the whole of `translate_language` with a cold memory: prompts, engine, validation,
memory, audit and shards; raw vLLM is `LLM.chat` with all prompts at once. Both are warm, take turns
round by round, and get texts never seen before. `--model` takes a real model on a GPU. On a CPU
every engine is given all cores: by itself vLLM leaves one free in some ways of starting it and not
in others. The ratio to raw vLLM is held against .95.

Peers (`pip install -e '.[peers]'`) are datatrove's InferenceRunner, which asks `vllm serve` on this
machine (its own way to start one wants a package called vllm), and Ray Data LLM, which hosts vLLM
itself, started anew with each run. Each has the machine for itself and runs twice from end to end,
over few segments and over many: its speed is the difference in segments over the difference in
time, so what a run costs whatever its length (start-up, filling, draining) cancels out for all.
"""

import argparse
import gzip
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from benchmarks.harness import finish, ratios, timed
from palo.engines.open import open_engine
from palo.engines.stream import Request, Weights, stop_ids
from palo.paths import DataPaths
from palo.settings import EngineKind, SourceSettings, TranslatorSettings
from palo.shards import read_samples, shard_paths
from palo.tokenizer import load_tokenizer
from sceneworld.standins.tiny import tiny_llama, train_tokenizer
from translate.ingest import ingest
from translate.job import TranslationJob
from translate.run import translate_language

LANG = "ur"
LIMIT = 0.95
TURNS = 6  # of a conversation, as in LLaVA-Instruct's
FEW = 400  # segments of the shorter run
START_S = 300
_TEXT = (
    "a the two three some red green old small wooden dog man woman bus table street window train "
    "stands sits holds rides watches near behind under with in on of and while quietly together"
)
_WORDS = _TEXT.split()


@dataclass(frozen=True)
class Work:
    """One round: the source shards, and the requests that a run over them makes."""

    paths: DataPaths
    requests: list[Request]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--segments", type=int, default=600, help="unique segments a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", help="a model folder or hub id instead of a tiny one")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--max-num-seqs", type=int, default=64)
    parser.add_argument("--peers", action="store_true", help="datatrove and Ray Data LLM as well")
    parser.add_argument("--peers-segments", type=int, default=2000, help="of their longer run")
    args = parser.parse_args()
    os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", f"0-{(os.cpu_count() or 1) - 1}")
    with tempfile.TemporaryDirectory() as folder:
        model = args.model or tiny_model(Path(folder) / "model")
        settings = TranslatorSettings(
            model=model,
            finetuned_dir=Path(folder) / "tuned",
            dtype=args.dtype,
            engine=EngineKind.VLLM,
            max_tokens=64,
            max_model_tokens=1024,
            max_num_seqs=args.max_num_seqs,
            gpu_memory_utilization=0.4,  # two engines at a time
            max_attempts=1,  # a random model's answers fail; one request a segment for everyone
        )
        bench = Bench(settings, Path(folder))
        result = bench.against_raw(args.rounds, args.segments)
        if args.peers:
            print(json.dumps(result), flush=True)
            result |= bench.against_peers(args.rounds, args.peers_segments)
    finish(result)


class Bench:
    """Makes rounds of work that no contender has seen, and times them."""

    def __init__(self, settings: TranslatorSettings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self._rng = random.Random(7)
        self._rounds = 0

    def work(self, num_segments: int, engine_signature: str = "bench") -> Work:
        """A new source of that many segments, ingested, no two of them equal."""
        self._rounds += 1
        paths = DataPaths(self.folder / f"round-{self._rounds}")
        source = self.folder / f"round-{self._rounds}.json"
        samples = [self._conversation(at) for at in range(max(1, num_segments // TURNS))]
        source.write_text(json.dumps(samples), encoding="utf-8")
        ingest(SourceSettings(path=source, shard_rows=50), paths.source_dir)
        job = TranslationJob.of(LANG, engine_signature, self.settings)
        requests = [
            job.request(cut, key, 0)
            for path in shard_paths(paths.source_dir)
            for sample in read_samples(path)
            for cut, key in job.cuts(sample)
        ]
        return Work(paths, requests)

    def _conversation(self, number: int) -> dict[str, Any]:
        turns = []
        for role, most, mark in [("human", 14, "?"), ("gpt", 60, ".")] * (TURNS // 2):
            words = self._rng.choices(_WORDS, k=self._rng.randint(6, most))
            text = f"{' '.join(words)} {self._rng.random():.9f}{mark}"
            turns.append({"from": role, "value": text})
        return {"id": str(number), "conversations": turns}

    def against_raw(self, rounds: int, num_segments: int) -> dict[str, Any]:
        with self.engine() as engine, raw_vllm(self.settings) as chat:
            chat(self.work(64).requests)
            ours, theirs = [], []
            for number in range(rounds):
                work = self.work(num_segments, str(engine.signature))
                turns = [
                    (ours, partial(self.timed_run, work, engine)),
                    (theirs, partial(timed, partial(chat, work.requests))),
                ]
                for speeds, contender in turns if number % 2 else turns[::-1]:
                    speeds.append(len(work.requests) / contender())
            few = self.work(max(TURNS, num_segments // 10)).requests
            alone_s = timed(lambda: [list(engine.stream([each])) for each in few]) / len(few)
        return {
            "segments": num_segments,
            "rounds": rounds,
            "segments_per_s": round(statistics.median(ours), 1),
            "raw_vllm_segments_per_s": round(statistics.median(theirs), 1),
            **ratios("ratio_to_raw_vllm", ours, theirs),
            "limit_of_ratio_to_raw_vllm": LIMIT,
            "ratio_to_sequential": round(alone_s * statistics.median(ours), 2),
        }

    def against_peers(self, rounds: int, num_segments: int) -> dict[str, Any]:
        """Our speed over each peer's in runs of that many segments."""
        sizes = (FEW, num_segments)
        contenders = {"ours": self.ours, "datatrove": self.of_server, "ray_data": self.of_ray}
        speeds: dict[str, list[float]] = {name: [] for name in contenders}
        for number in range(rounds):
            for name, contender in contenders.items():
                few_s, many_s = contender(sizes)
                speeds[name].append((num_segments - FEW) / (many_s - few_s))
                print(f"round {number + 1}, {name}: {few_s:.1f} s, {many_s:.1f} s", flush=True)
        result: dict[str, Any] = {"peers_segments": [*sizes]}
        for name in ("datatrove", "ray_data"):
            result |= ratios(f"ratio_to_{name}", speeds["ours"], speeds[name])
        for name, of_rounds in speeds.items():
            result[f"{name}_alone_segments_per_s"] = round(statistics.median(of_rounds), 1)
        return result

    def ours(self, sizes: tuple[int, ...]) -> list[float]:
        """Seconds of a run of each size, the whole of `translate_language`."""
        with self.engine() as engine:
            works = [self.work(size, str(engine.signature)) for size in sizes]
            return [self.timed_run(work, engine) for work in works]

    def of_server(self, sizes: tuple[int, ...]) -> list[float]:
        with serving(self.settings) as url:
            return self.timed_after_one(sizes, lambda asked: datatrove(asked, self.settings, url))

    def of_ray(self, sizes: tuple[int, ...]) -> list[float]:
        import ray

        # its workers take ten CPUs as given; only the engine computes, and it has all cores
        ray.init(num_cpus=16, log_to_driver=False, include_dashboard=False)
        ray.data.DataContext.get_current().enable_progress_bars = False
        try:
            return self.timed_after_one(sizes, lambda asked: ray_data(asked, self.settings))
        finally:
            ray.shutdown()

    def timed_after_one(
        self, sizes: tuple[int, ...], ask: Callable[[list[Request]], None]
    ) -> list[float]:
        """A first run warms it, as ours: its first start is the slowest."""
        works = [self.work(size).requests for size in (64, *sizes)]
        return [timed(partial(ask, asked)) for asked in works][1:]

    @contextmanager
    def engine(self) -> Iterator[Any]:
        """Ours, warm."""
        settings = self.settings
        with open_engine(EngineKind.VLLM, Weights(settings.model), settings) as engine:
            list(engine.stream(self.work(64).requests))
            yield engine

    def timed_run(self, work: Work, engine: Any) -> float:
        """Seconds of a whole run with a cold memory."""
        job = TranslationJob.of(LANG, str(engine.signature), self.settings)
        reports = []
        took = timed(lambda: reports.append(translate_language(job, work.paths, engine)))
        assert reports[0].fill.sent == len(work.requests), reports
        return took


def arguments(settings: TranslatorSettings) -> dict[str, Any]:
    """Of vLLM, however it is started: those of our engine."""
    return {
        "dtype": settings.dtype,
        "max_model_len": settings.max_model_tokens,
        "max_num_seqs": settings.max_num_seqs,
        "gpu_memory_utilization": settings.gpu_memory_utilization,
    }


@contextmanager
def raw_vllm(settings: TranslatorSettings) -> Iterator[Callable[[list[Request]], None]]:
    """vLLM's own `LLM`, with the arguments of our engine."""
    from vllm import LLM, SamplingParams

    build: Any = LLM
    llm = build(
        model=settings.model,
        **arguments(settings),
        generation_config="vllm",
        enable_prefix_caching=True,
        disable_log_stats=True,
    )
    stops = stop_ids(settings.model, None, load_tokenizer(settings.model, None))
    sampling = SamplingParams(
        max_tokens=settings.max_tokens, temperature=0.0, stop_token_ids=sorted(stops), logprobs=0
    )

    def chat(requests: list[Request]) -> None:
        prompts = [
            [{"role": said.role, "content": said.content} for said in request.messages]
            for request in requests
        ]
        done = llm.chat(prompts, sampling, use_tqdm=False)
        assert len(done) == len(requests)

    yield chat
    llm.llm_engine.engine_core.shutdown()


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
        engine_kwargs={**arguments(settings), "enable_prefix_caching": True},
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
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    given = {"model": settings.model, "port": url.rpartition(":")[2], "generation-config": "vllm"}
    given |= {name.replace("_", "-"): str(value) for name, value in arguments(settings).items()}
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
    command += [f"--{name}={value}" for name, value in given.items()]
    quiet = {**os.environ, "VLLM_LOGGING_LEVEL": "ERROR"}
    server = subprocess.Popen(command, env=quiet, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_S
        while not is_healthy(url):
            if time.monotonic() > deadline or server.poll() is not None:
                sys.exit(f"vLLM's server did not come up (exit code {server.poll()})")
            time.sleep(1)
        yield url
    finally:
        server.terminate()
        server.wait()


def is_healthy(url: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"{url}/health", timeout=5).is_success
    return False


def tiny_model(folder: Path) -> str:
    """Random weights; hardly ever says its end, so every answer has as many tokens."""
    rng = random.Random(3)
    texts = [" ".join(rng.choices(_WORDS, k=20)) for _ in range(500)]
    tokenizer = train_tokenizer(texts, 2000)
    model = tiny_llama(tokenizer, hidden_size=256, layers=4, heads=4, max_position=1024, seed=3)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


if __name__ == "__main__":
    main()
