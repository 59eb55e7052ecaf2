"""The `vllm` engine: vLLM in this process's care, fed without a pause.

AsyncLLM lives on an event loop in a thread of its own; requests are pulled and results yielded in
the caller's thread. More requests are given than run at once, so a finished one is replaced
without a gap. An engine that dies or stalls is started again; what was in flight is then given
one by one, so that a request which kills it is found and set aside alone.
"""

import asyncio
import queue
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from palo.engines.reaper import marked, new_mark, prepare_vllm, start_watcher
from palo.engines.stream import (
    Request,
    Result,
    Signature,
    Weights,
    answer_text,
    load_tokenizer,
    prompt_ids,
    stop_ids,
    too_long,
)
from palo.errors import UserError
from palo.files import read_json
from palo.settings import TranslatorSettings

_FEED = 1.75  # requests in flight per running sequence
_MAX_DEATHS_IN_A_ROW = 3
_INTERRUPT_WAIT_S = 0.5
_STOP_S = 10.0


@dataclass(frozen=True)
class _Flight:
    request: Request
    ids: list[int]


@dataclass(frozen=True)
class _Death:
    """Comes out of the queue instead of a result: the engine is gone, and why."""

    reason: str
    generation: int


class VllmEngine:
    """Starts vLLM at the first request."""

    kind = "vllm"

    def __init__(
        self,
        weights: Weights,
        signature: Signature,
        settings: TranslatorSettings,
    ) -> None:
        self.signature = signature
        self._weights, self._settings = weights, settings
        self._tokenizer: Any = None
        self._host: _Host | None = None
        self._mark = new_mark()
        self._watcher: subprocess.Popen[bytes] | None = None
        self._deaths = 0  # without a result in between
        self._limit = max(1, int(settings.max_num_seqs * settings.data_parallel_size * _FEED))

    @property
    def host(self) -> "_Host":
        assert self._host is not None
        return self._host

    def stream(self, requests: Iterable[Request]) -> Iterator[Result]:
        source = iter(requests)
        suspects: deque[_Flight] = deque()
        flying: dict[str, _Flight] = {}
        more = True
        try:
            while more or flying or suspects:
                while suspects and not flying:
                    self._submit(suspects.popleft(), flying)
                while more and not suspects and len(flying) < self._limit:
                    request = next(source, None)
                    if request is None:
                        more = False
                        break
                    self._start()
                    flight = _Flight(request, prompt_ids(self._tokenizer, request.messages))
                    limit = self._settings.max_model_tokens
                    if refusal := too_long(request, len(flight.ids), limit):
                        yield refusal
                    else:
                        self._submit(flight, flying)
                if flying:
                    yield from self._await(flying, suspects)
        finally:
            if flying and self._host is not None:
                self._host.abort(list(flying))

    def _submit(self, flight: _Flight, flying: dict[str, _Flight]) -> None:
        flying[flight.request.tag] = flight
        self.host.submit(flight)

    def _await(self, flying: dict[str, _Flight], suspects: deque[_Flight]) -> Iterator[Result]:
        """The next result; where the engine died instead, starts it again."""
        got = self.host.next(self._settings.stall_timeout_s)
        if isinstance(got, Result):
            if got.tag in flying:  # else it was given up with an engine that has gone
                self._deaths = 0
                del flying[got.tag]
                yield got
            return
        if got.generation != self.host.generation:
            return
        time.sleep(_INTERRUPT_WAIT_S)  # Ctrl-C kills the engine too: it is raised here then
        alone = len(flying) == 1
        lost = list(flying.values())
        flying.clear()
        self._restart(got.reason)
        if alone:
            yield _refused(lost[0], f"the engine died on it ({got.reason})")
        else:
            suspects.extend(lost)

    def _start(self) -> None:
        if self._host is not None:
            return
        prepare_vllm()
        if self._watcher is None:
            self._watcher = start_watcher(self._mark)
        if self._tokenizer is None:
            self._tokenizer = load_tokenizer(self._weights.model, self._weights.revision)
        stops = stop_ids(self._weights.model, self._weights.revision, self._tokenizer)
        self._host = _Host(
            self._arguments(), self._tokenizer, self._weights.adapter_dir, sorted(stops), self._mark
        )

    def _restart(self, reason: str) -> None:
        self._deaths += 1
        self.host.close()
        self._host = None
        if self._deaths >= _MAX_DEATHS_IN_A_ROW:
            raise UserError(
                f"vLLM died {self._deaths} times in a row ({reason}). What was translated is kept. "
                "Look at the GPU's memory, lower max_num_seqs or gpu_memory_utilization, and run "
                "the same command again."
            )
        self._start()

    def _arguments(self) -> Any:
        from vllm.engine.arg_utils import AsyncEngineArgs

        settings = self._settings
        arguments: Any = AsyncEngineArgs  # takes dtype as a closed set of names
        lora: dict[str, Any] = {}
        if self._weights.adapter_dir is not None:
            rank = int(read_json(self._weights.adapter_dir / "adapter_config.json")["r"])
            lora = {"enable_lora": True, "max_lora_rank": max(8, rank)}
        return arguments(
            model=self._weights.model,
            revision=self._weights.revision,
            dtype=settings.dtype,
            max_model_len=settings.max_model_tokens,
            max_num_seqs=settings.max_num_seqs,
            gpu_memory_utilization=settings.gpu_memory_utilization,
            tensor_parallel_size=settings.tensor_parallel_size,
            data_parallel_size=settings.data_parallel_size,  # one EngineCore process each
            generation_config="vllm",  # sampling is ours to choose, not the model folder's
            enable_prefix_caching=True,
            disable_log_stats=True,
            **lora,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        if self._host is not None:
            self._host.close()
            self._host = None
        if self._watcher is not None:
            assert self._watcher.stdin is not None
            self._watcher.stdin.close()
            self._watcher = None


def _refused(flight: _Flight, error: str) -> Result:
    return Result(flight.request.tag, "", "error", None, len(flight.ids), 0, error)


class _Host:
    """One AsyncLLM on its event loop; what it says comes out of a queue."""

    _generations = 0

    def __init__(
        self, arguments: Any, tokenizer: Any, adapter_dir: Path | None, stops: list[int], mark: str
    ) -> None:
        _Host._generations += 1
        self._tokenizer = tokenizer
        self._stops = stops
        self.generation = _Host._generations
        self._queue: queue.SimpleQueue[Result | _Death] = queue.SimpleQueue()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="vllm", daemon=True)
        self._thread.start()
        self._lora: Any = None
        if adapter_dir is not None:
            from vllm.lora.request import LoRARequest

            self._lora = LoRARequest("translator", 1, str(adapter_dir))
        with marked(mark):
            self._engine: Any = asyncio.run_coroutine_threadsafe(
                self._open(arguments), self._loop
            ).result()

    async def _open(self, arguments: Any) -> Any:
        from vllm.v1.engine.async_llm import AsyncLLM

        return AsyncLLM.from_engine_args(arguments)

    def submit(self, flight: _Flight) -> None:
        asyncio.run_coroutine_threadsafe(self._run(flight), self._loop)

    def next(self, timeout_s: float) -> Result | _Death:
        try:
            return self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return _Death(f"nothing came for {timeout_s:g} s", self.generation)

    def abort(self, tags: list[str]) -> None:
        asyncio.run_coroutine_threadsafe(self._engine.abort(tags), self._loop)

    async def _run(self, flight: _Flight) -> None:
        from vllm import SamplingParams, TokensPrompt
        from vllm.sampling_params import RequestOutputKind
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        wanted = flight.request.sampling
        sampling = SamplingParams(
            max_tokens=wanted.max_tokens,
            temperature=wanted.temperature,
            seed=wanted.seed if wanted.temperature else None,
            stop_token_ids=self._stops,
            logprobs=0,  # the chosen token's own
            detokenize=False,  # token by token; ours is done once an answer
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        tag = flight.request.tag
        prompt = TokensPrompt(prompt_token_ids=flight.ids)
        try:
            async for output in self._engine.generate(
                prompt, sampling, tag, lora_request=self._lora
            ):
                result = _result(tag, output, self._tokenizer)
                self._queue.put(result or _Death("vLLM gave up", self.generation))
        except EngineDeadError as error:
            self._queue.put(_Death(f"engine process died: {error}"[:200], self.generation))
        except (ValueError, EngineGenerateError) as error:  # vLLM refuses this one request
            self._queue.put(_refused(flight, str(error)))

    def close(self) -> None:
        """Ends the engine process and the thread; safe to call after either died."""
        with suppress(TimeoutError):  # first, or they complain of the engine's end
            asyncio.run_coroutine_threadsafe(_cancel_others(), self._loop).result(_STOP_S)
        self._engine.shutdown()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=_STOP_S)


async def _cancel_others() -> None:
    """Ends every other task of this loop: one left pending is complained of at exit."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _result(tag: str, output: Any, tokenizer: Any) -> Result | None:
    """None for what vLLM gave up: it does so on its way down, as when another rank has died."""
    answer = output.outputs[0]
    if answer.finish_reason in (None, "abort"):
        return None
    num_tokens = len(answer.token_ids)
    total = answer.cumulative_logprob
    return Result(
        tag,
        answer_text(tokenizer, answer.token_ids, answer.finish_reason),
        answer.finish_reason,
        total / num_tokens if total is not None and num_tokens else None,
        len(output.prompt_token_ids),
        num_tokens,
    )
