"""The `vllm` engine: vLLM in this process's care, fed without a pause.

AsyncLLM lives on an event loop in a thread of its own; requests are pulled and results yielded in
the caller's thread. More requests are given than run at once, so a finished one is replaced
without a gap. An engine that dies or stalls is started again; what was in flight is then given
one by one, so that a request which kills it is found and set aside alone.
"""

import subprocess
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any

from palo.engines.reaper import marked, new_mark, prepare_vllm, start_watcher
from palo.engines.stream import (
    HostedEngine,
    LoopThread,
    Request,
    Result,
    Signature,
    Weights,
    refused,
)
from palo.errors import UserError
from palo.files import read_json
from palo.settings import TranslatorSettings

_FEED = 1.75  # requests in flight per running sequence
_MAX_DEATHS_IN_A_ROW = 3
_INTERRUPT_WAIT_S = 0.5
_LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # what vLLM 0.32 makes room for

_Asked = tuple[Request, list[int]]  # and the prompt's token ids


def max_lora_rank(*adapter_dirs: Path) -> int:
    """The room that vLLM must make for the adapters: its default of 16 refuses PALO's 128. Raises
    UserError for a rank that it has no room for."""
    needed = 1
    for adapter_dir in adapter_dirs:
        config = read_json(adapter_dir / "adapter_config.json")
        rank = max([config["r"], *(config.get("rank_pattern") or {}).values()])
        if rank > _LORA_RANKS[-1]:
            raise UserError(
                f"The adapter in {adapter_dir} has rank {rank}; vLLM takes at most "
                f"{_LORA_RANKS[-1]}. Merge it into its model, or train one of a lower rank."
            )
        needed = max(needed, rank)
    return next(room for room in _LORA_RANKS if room >= needed)


class VllmEngine(HostedEngine):
    """Starts vLLM at the first request."""

    kind = "vllm"

    def __init__(
        self,
        weights: Weights,
        signature: Signature,
        settings: TranslatorSettings,
        adapters: Sequence[Path] = (),
        **more: Any,
    ) -> None:
        """`adapters`: those that requests may name; `more`: further arguments of vLLM's engine."""
        super().__init__(weights, signature, settings)
        own = (weights.adapter_dir,) if weights.adapter_dir else ()
        self._adapters = tuple(dict.fromkeys((*own, *adapters)))
        self._more = more
        self._loop: LoopThread | None = None
        self._llm: Any = None
        self._loras: dict[Path, Any] = {}
        self._mark = new_mark()
        self._watcher: subprocess.Popen[bytes] | None = None
        self._deaths = 0  # without a result in between
        self._replicas = settings.data_parallel_size or 1
        self._limit = max(1, int(settings.max_num_seqs * self._replicas * _FEED))

    def stream(self, requests: Iterable[Request]) -> Iterator[Result]:
        source = iter(requests)
        suspects: deque[_Asked] = deque()
        flying: dict[Future[Result], _Asked] = {}
        more = True
        try:
            while more or flying or suspects:
                if suspects and not flying:
                    self._give(suspects.popleft(), flying)
                while more and not suspects and len(flying) < self._limit:
                    request = next(source, None)
                    if request is None:
                        more = False
                        break
                    self._start()
                    ids = self._prompt_ids(request)
                    if isinstance(ids, Result):
                        yield ids
                    else:
                        self._give((request, ids), flying)
                if flying:
                    yield from self._await(flying, suspects)
        finally:
            for future in flying:
                future.cancel()

    def _give(self, asked: _Asked, flying: dict[Future[Result], _Asked]) -> None:
        assert self._loop is not None
        flying[self._loop.start(self._answer(*asked))] = asked

    def _await(
        self, flying: dict[Future[Result], _Asked], suspects: deque[_Asked]
    ) -> Iterator[Result]:
        """The next results; where the engine died instead, starts it again."""
        done = wait(flying, self._settings.stall_timeout_s, FIRST_COMPLETED).done
        reason = "" if done else f"nothing came for {self._settings.stall_timeout_s:g} s"
        for future in done:
            if error := future.exception():
                reason = str(error)[:200] or type(error).__name__
            else:
                self._deaths = 0
                del flying[future]
                yield future.result()
        if not reason:
            return
        time.sleep(_INTERRUPT_WAIT_S)  # Ctrl-C kills the engine too: it is raised here then
        lost = list(flying.values())
        flying.clear()
        self._stop()
        self._deaths += 1
        if self._deaths >= _MAX_DEATHS_IN_A_ROW:
            raise UserError(
                f"vLLM died {self._deaths} times in a row ({reason}). What was done is kept. "
                "Look at the GPU's memory, lower max_num_seqs or gpu_memory_utilization, and run "
                "the same command again."
            )
        self._start()
        if len(lost) > 1:
            suspects.extend(lost)
        else:
            [(request, ids)] = lost
            yield refused(request, f"the engine died on it ({reason})", len(ids))

    async def _answer(self, request: Request, ids: list[int]) -> Result:
        """Raises RuntimeError where the engine is gone."""
        from vllm import SamplingParams, TokensPrompt
        from vllm.sampling_params import RequestOutputKind
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        wanted = request.sampling
        sampling = SamplingParams(
            max_tokens=wanted.max_tokens,
            temperature=wanted.temperature,
            seed=wanted.seed if wanted.temperature else None,
            stop_token_ids=sorted(self._stops),
            logprobs=0,  # the chosen token's own
            detokenize=False,  # token by token; ours is done once an answer
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        prompt = request.prompt or TokensPrompt(prompt_token_ids=ids)
        adapter_dir = request.adapter_dir or self._weights.adapter_dir
        lora = self._loras[adapter_dir] if adapter_dir else None
        answer: Any = None
        try:
            async for output in self._llm.generate(
                prompt, sampling, request.tag, lora_request=lora
            ):
                answer = output.outputs[0]
        except EngineDeadError as error:
            raise RuntimeError(f"engine process died: {error}") from error
        except (ValueError, EngineGenerateError) as error:  # vLLM refuses this one request
            return refused(request, str(error), len(ids))
        if answer is None or answer.finish_reason in (None, "abort"):
            raise RuntimeError("vLLM gave up")  # on its way down, as when another rank died
        why, total = answer.finish_reason, answer.cumulative_logprob
        return self._answered(request, len(ids), answer.token_ids, why, total)

    def _start(self) -> None:
        if self._llm is not None:
            return
        prepare_vllm()
        if self._watcher is None:
            self._watcher = start_watcher(self._mark)
            self._load_tokenizer()
        self._loop = LoopThread("vllm")
        with marked(self._mark):
            self._llm = self._loop.start(self._open()).result()

    async def _open(self) -> Any:
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.platforms import current_platform
        from vllm.usage.usage_lib import UsageContext
        from vllm.v1.engine.async_llm import AsyncLLM

        settings, adapters = self._settings, self._adapters
        # prompts are ids and so are answers: vLLM would copy a large tokenizer several times
        more: dict[str, Any] = {"skip_tokenizer_init": True}
        if adapters:
            from vllm.lora.request import LoRARequest

            # one language after another: one adapter on the GPU, the others wait in host memory
            more |= {"enable_lora": True, "max_loras": 1, "max_cpu_loras": len(adapters)}
            more["max_lora_rank"] = max_lora_rank(*adapters)
            self._loras = {
                folder: LoRARequest(f"adapter-{number}", number, str(folder))
                for number, folder in enumerate(adapters, start=1)
            }
        arguments: Any = AsyncEngineArgs  # takes dtype as a closed set of names
        return AsyncLLM.from_engine_args(
            arguments(
                model=self._weights.model,
                revision=self._weights.revision,
                dtype=settings.dtype,
                max_model_len=settings.max_model_tokens,
                max_num_seqs=settings.max_num_seqs,
                gpu_memory_utilization=settings.gpu_memory_utilization,
                tensor_parallel_size=settings.tensor_parallel_size,
                data_parallel_size=self._replicas,  # one EngineCore process each
                quantization=settings.quantization,
                kv_cache_dtype=settings.kv_cache_dtype,
                max_num_batched_tokens=settings.max_num_batched_tokens,
                # A seeded request whose prompt is read in parts kills vLLM 0.32 on a CPU: it turns
                # back the request's generator, which only a GPU's can be.
                enable_chunked_prefill=False if current_platform.is_cpu() else None,
                generation_config="vllm",  # sampling is ours to choose, not the model folder's
                enable_prefix_caching=True,
                disable_log_stats=True,
                **(more | self._more),
            ),
            usage_context=UsageContext.LLM_CLASS,  # steps as large as of a batch job, not a server
        )

    def _stop(self) -> None:
        """Ends the engine process and the thread; safe to call after either died."""
        if self._loop is not None:
            # after the tasks, or they complain of the engine's end
            self._loop.close(self._llm.shutdown if self._llm else None)
        self._loop = self._llm = None

    def __exit__(self, *unused: object) -> None:
        self._stop()
        if self._watcher is not None:
            assert self._watcher.stdin is not None
            self._watcher.stdin.close()
            self._watcher = None
