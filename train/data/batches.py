"""Samples into batches: token ids, labels and pixel values, read when they are needed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from train.data.images import UnreadableImage, load_picture, pixel_values
from train.data.mixture import Example
from train.data.template import IGNORED, IMAGE_TOKEN, BadConversation, Encoded, Template

CACHED_PIXEL_BYTES = 400 * 2**20


@dataclass(frozen=True)
class Item:
    """One encoded sample; `pixels` is (3, image_size, image_size), or None for text alone."""

    encoded: Encoded
    pixels: torch.Tensor | None


class SetAside:
    """The list of samples that could not be used, each with its reason; safe across workers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")

    def add(self, sample_id: str, lang: str, reason: str) -> None:
        line = json.dumps({"id": sample_id, "lang": lang, "reason": reason}, ensure_ascii=False)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def read(self) -> list[dict[str, str]]:
        """Each sample once, though an epoch later it was met again."""
        lines = self.path.read_text(encoding="utf-8").split("\n")
        return [json.loads(line) for line in sorted(set(lines)) if line]


class Pictures:
    """Pixel values by path; small sets stay in memory, so that an epoch decodes nothing twice."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self._kept: dict[Path, torch.Tensor] = {}
        self._bytes = 0

    def pixels(self, path: Path) -> torch.Tensor:
        """Raises UnreadableImage."""
        if (kept := self._kept.get(path)) is not None:
            return kept
        values = pixel_values([load_picture(path)], self.processor)[0]
        if self._bytes + values.nbytes <= CACHED_PIXEL_BYTES:
            self._kept[path] = values
            self._bytes += values.nbytes
        return values


class TrainingData(Dataset[Item]):
    """Examples that fit the template, with their true lengths in tokens.

    `as_captions` is stage 1: the first answer alone, after the image. A sample whose image cannot
    be read gives way to the next readable one and is set aside with the reason.
    """

    def __init__(
        self,
        examples: Sequence[Example] | Any,
        template: Template,
        pictures: Pictures,
        image_tokens: int,
        max_length: int,
        set_aside: SetAside,
        as_captions: bool = False,
    ) -> None:
        self.examples, self.template, self.pictures = examples, template, pictures
        self.max_length, self.image_tokens = max_length, image_tokens
        self.set_aside, self.as_captions = set_aside, as_captions
        self.usable: list[int] = []
        self.lengths: list[int] = []
        for index in range(len(examples)):
            example = examples[index]
            try:
                length = self._encode(example).length(image_tokens)
            except BadConversation as error:
                set_aside.add(example.sample_id, example.lang, str(error))
                continue
            self.usable.append(index)
            self.lengths.append(length)

    def __len__(self) -> int:
        return len(self.usable)

    def __getitem__(self, index: int) -> Item:
        for step in range(len(self.usable)):
            example = self.examples[self.usable[(index + step) % len(self.usable)]]
            try:
                pixels = self.pictures.pixels(example.image) if example.image else None
            except UnreadableImage as error:
                self.set_aside.add(example.sample_id, example.lang, str(error))
                continue
            return Item(self._encode(example), pixels)
        raise UnreadableImage("not one image of the training data can be read")

    def _encode(self, example: Example) -> Encoded:
        if self.as_captions:
            answers = [turn.text for turn in example.turns[1::2]]
            if not answers or example.image is None:
                raise BadConversation("a caption needs an image and a text")
            return self.template.caption(answers[0], self.max_length, self.image_tokens)
        has_image = example.image is not None
        return self.template.encode(example.turns, has_image, self.max_length, self.image_tokens)


@dataclass(frozen=True)
class Collator:
    """Pads on the right (causal attention never looks there) and gives each image its places."""

    image_token_id: int
    image_tokens: int
    pad_token_id: int

    def __call__(self, items: Sequence[Item]) -> dict[str, torch.Tensor]:
        length = max(item.encoded.length(self.image_tokens) for item in items)
        ids = torch.full((len(items), length), self.pad_token_id)
        labels = torch.full((len(items), length), IGNORED)
        for row, item in enumerate(items):
            expanded = self.expand(item.encoded)
            ids[row, : len(expanded.input_ids)] = torch.tensor(expanded.input_ids)
            labels[row, : len(expanded.labels)] = torch.tensor(expanded.labels)
        batch = {"input_ids": ids, "labels": labels}
        pixels = [item.pixels for item in items if item.pixels is not None]
        return {**batch, "pixel_values": torch.stack(pixels)} if pixels else batch

    def expand(self, encoded: Encoded) -> Encoded:
        """The image's one token becomes as many as the projector gives."""
        if IMAGE_TOKEN not in encoded.input_ids:
            return encoded
        place = encoded.input_ids.index(IMAGE_TOKEN)
        ids, labels = encoded.input_ids, encoded.labels
        return Encoded(
            ids[:place] + (self.image_token_id,) * self.image_tokens + ids[place + 1 :],
            labels[:place] + (IGNORED,) * self.image_tokens + labels[place + 1 :],
        )
