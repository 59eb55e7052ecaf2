"""A trained checkpoint that answers: greedy, in batches of questions of like length."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

import torch

from train.data.batches import Item, Packer, Pictures
from train.data.images import make_processor
from train.data.template import Encoded, Template
from train.evaluation.opening import Asked, answer_all
from train.model.checkpoint import load_checkpoint


class Answerer:
    """The model of a checkpoint folder, on the GPU where there is one."""

    def __init__(self, folder: Path, image_size: int, batch_size: int, max_new_tokens: int) -> None:
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = torch.bfloat16 if self.device == "cuda" else torch.float32
        model, self.tokenizer = load_checkpoint(folder, dtype)
        self.model = model.to(self.device).eval()
        self.template = Template(self.tokenizer)
        self.pictures = Pictures(make_processor(image_size))
        self.batch_size, self.max_new_tokens = batch_size, max_new_tokens
        self.packer = Packer(
            model.config.image_token_id, model.config.image_seq_length, self.tokenizer.pad_token_id
        )

    def answer(self, asked: Sequence[Asked], tick: Callable[[int], None]) -> list[str]:
        """All answers, in the order of `asked`. Raises UnreadableImage."""
        return answer_all(self, asked, tick)

    def stream(self, asked: Sequence[Asked]) -> Iterator[tuple[int, str]]:
        """(place in `asked`, answer), a batch after another. Raises UnreadableImage."""
        prompts = [self.template.prompt(question, has_image=True) for question, _ in asked]
        order = sorted(range(len(asked)), key=lambda index: len(prompts[index]))
        for start in range(0, len(order), self.batch_size):
            chosen = order[start : start + self.batch_size]
            items = [
                Item(Encoded(prompts[index], prompts[index]), self.pictures.pixels(asked[index][1]))
                for index in chosen
            ]
            yield from zip(chosen, self._generate(items), strict=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        pass

    @torch.inference_mode()
    def _generate(self, items: Sequence[Item]) -> list[str]:
        rows = [self.packer.expand(item.encoded).input_ids for item in items]
        length = max(len(row) for row in rows)
        # generation continues at the right end, so prompts are padded on the left
        ids = torch.full((len(rows), length), self.packer.pad_token_id)
        mask = torch.zeros_like(ids)
        for index, row in enumerate(rows):
            ids[index, length - len(row) :] = torch.tensor(row)
            mask[index, length - len(row) :] = 1
        pixels = torch.stack([item.pixels for item in items if item.pixels is not None])
        written = self.model.generate(
            input_ids=ids.to(self.device),
            attention_mask=mask.to(self.device),
            pixel_values=pixels.to(self.device, self.model.dtype),
            max_new_tokens=self.max_new_tokens,
            do_sample=False,
            pad_token_id=self.packer.pad_token_id,
        )
        answers = self.tokenizer.batch_decode(written[:, length:], skip_special_tokens=True)
        return [answer.strip() for answer in answers]
