"""Segments a second of a translation run, beside raw vLLM and beside peers on the same prompts.

    .venv/bin/python -m benchmarks.translation            # raw vLLM and one request at a time
    .venv/bin/python -m benchmarks.translation --peers    # datatrove and Ray Data LLM as well

A tiny model with random weights says 64 tokens to each prompt, so every contender does the same
work. Ours is the whole of `translate_language` with a cold memory: prompts, engine, validation,
memory, audit and shards; raw vLLM is `LLM.chat` with all prompts at once. Both are warm, take turns
round by round, and get texts never seen before. `--model` takes a real model on a GPU. The peers
(`pip install -e '.[peers]'`) are measured as benchmarks/peers.py says. On a CPU every engine is
given all cores: by itself vLLM leaves one free in some ways of starting it and not in others.
The ratio to raw vLLM is held against .95.
"""

import argparse
import json
import os
import random
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import finish, timed
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
            from benchmarks import peers

            print(json.dumps(result), flush=True)
            result |= peers.measure(bench, args.rounds, args.peers_segments)
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
        with self.engine() as engine:
            raw = RawVllm(self.settings)
            raw.chat(self.work(64).requests)
            ours, theirs = [], []
            for number in range(rounds):
                work = self.work(num_segments, str(engine.signature))
                turns = [
                    (ours, lambda w=work: self.timed_run(w, engine)),
                    (theirs, lambda w=work: timed(lambda: raw.chat(w.requests))),
                ]
                for times, contender in turns if number % 2 else turns[::-1]:
                    times.append(contender() / len(work.requests))
            few = self.work(max(TURNS, num_segments // 10)).requests
            alone_s = timed(lambda: [list(engine.stream([one])) for one in few]) / len(few)
            raw.close()
        ratios = [their_s / our_s for our_s, their_s in zip(ours, theirs, strict=True)]
        return {
            "segments": num_segments,
            "rounds": rounds,
            "segments_per_s": round(1 / statistics.median(ours), 1),
            "raw_vllm_segments_per_s": round(1 / statistics.median(theirs), 1),
            "ratio_to_raw_vllm": round(statistics.median(ratios), 3),
            "ratio_to_raw_vllm_of_rounds": [round(ratio, 3) for ratio in ratios],
            "limit_of_ratio_to_raw_vllm": LIMIT,
            "ratio_to_sequential": round(alone_s / statistics.median(ours), 2),
        }

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


class RawVllm:
    """vLLM's own `LLM`, with the arguments of our engine."""

    def __init__(self, settings: TranslatorSettings) -> None:
        from vllm import LLM, SamplingParams

        stops = stop_ids(settings.model, None, load_tokenizer(settings.model, None))
        build: Any = LLM
        self._llm = build(
            model=settings.model,
            dtype=settings.dtype,
            max_model_len=settings.max_model_tokens,
            max_num_seqs=settings.max_num_seqs,
            gpu_memory_utilization=settings.gpu_memory_utilization,
            generation_config="vllm",
            enable_prefix_caching=True,
            disable_log_stats=True,
        )
        self._sampling = SamplingParams(
            max_tokens=settings.max_tokens,
            temperature=0.0,
            stop_token_ids=sorted(stops),
            logprobs=0,
        )

    def chat(self, requests: list[Request]) -> None:
        prompts = [
            [{"role": one.role, "content": one.content} for one in request.messages]
            for request in requests
        ]
        done = self._llm.chat(prompts, self._sampling, use_tqdm=False)
        assert len(done) == len(requests)

    def close(self) -> None:
        self._llm.llm_engine.engine_core.shutdown()


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
