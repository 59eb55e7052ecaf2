"""Conversations into packed rows: token ids, targets and pixel values, read when needed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from train.data.images import ImageLosses, UnreadableImage, load_picture, pixel_bytes
from train.data.mixture import Example, Mixture
from train.data.packing import Measure, StepPlan, row_places
from train.data.template import IGNORED, IMAGE_TOKEN, Encoded

CACHED_PIXEL_BYTES = 100 * 2**20


@dataclass(frozen=True)
class Item:
    """One encoded conversation; `pixels` is (3, image_size, image_size), bytes or normalised, or
    None for text alone."""

    encoded: Encoded
    pixels: torch.Tensor | None
    language: int = 0


@dataclass(frozen=True)
class Row:
    """Documents end to end, each with its own positions; N tokens, S of them to be predicted.

    `supervised` (S,) are the places whose next token is learned and `targets` (S,) those tokens,
    by language: `groups` are (language, how many). `document_lengths` sum up to N, padding last;
    `document_ends` are 0 and where each ends.
    """

    input_ids: torch.Tensor  # (1, N)
    position_ids: torch.Tensor  # (1, N)
    supervised: torch.Tensor
    targets: torch.Tensor
    groups: tuple[tuple[int, int], ...]
    document_lengths: tuple[int, ...]
    document_ends: torch.Tensor  # (documents + 1,), int32
    pixel_values: torch.Tensor | None  # (images, 3, image_size, image_size), bytes or normalised
    tokens: int  # without padding

    def to(self, device: torch.device) -> "Row":
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> "Row":
        return self._each(torch.Tensor.pin_memory)

    def _each(self, change: Any) -> "Row":
        tensors = {name: held for name, held in vars(self).items() if torch.is_tensor(held)}
        return replace(self, **{name: change(tensor) for name, tensor in tensors.items()})


class Pictures:
    """Pixels by path; a small set stays in memory, so that an epoch decodes nothing twice. Of a
    large one a part would be kept for nothing, in every worker: where `most` pictures would not
    all have room, none is kept."""

    def __init__(self, processor: Any, most: int = 0) -> None:
        self.processor = processor
        self.bytes_each = 3 * processor.crop_size["height"] * processor.crop_size["width"]
        self.keeps = most * self.bytes_each <= CACHED_PIXEL_BYTES
        self._kept: dict[Path, torch.Tensor] = {}

    def pixels(self, path: Path) -> torch.Tensor:
        """(3, image_size, image_size) uint8. Raises UnreadableImage."""
        if (kept := self._kept.get(path)) is not None:
            return kept
        values = pixel_bytes(load_picture(path), self.processor)
        if self.keeps and (len(self._kept) + 1) * self.bytes_each <= CACHED_PIXEL_BYTES:
            self._kept[path] = values
        return values


@dataclass(frozen=True)
class Packer:
    """Makes rows of items; an image's one token becomes as many as the projector gives."""

    image_token_id: int
    image_tokens: int
    pad_token_id: int

    def row(self, items: Sequence[Item]) -> Row:
        """No items give a row of padding, which teaches nothing and takes part all the same."""
        ids: list[np.ndarray] = []
        lengths: list[int] = []
        learned: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
        tokens = 0
        for item in items:
            expanded = self.expand(item.encoded)
            labels = np.array(expanded.labels)
            # a document's first token is predicted by none of its own
            places = np.flatnonzero(labels[1:] != IGNORED)
            learned.setdefault(item.language, []).append((tokens + places, labels[places + 1]))
            ids.append(np.array(expanded.input_ids))
            lengths.append(len(labels))
            tokens += len(labels)
        if padding := row_places(max(1, tokens)) - tokens:
            ids.append(np.full(padding, self.pad_token_id))
            lengths.append(padding)
        languages = sorted(learned)
        pairs = [pair for language in languages for pair in learned[language]]
        pixels = [item.pixels for item in items if item.pixels is not None]
        return Row(
            _long(ids)[None],
            _long([np.arange(length) for length in lengths])[None],
            _long([places for places, _ in pairs]),
            _long([targets for _, targets in pairs]),
            tuple((lang, sum(len(places) for places, _ in learned[lang])) for lang in languages),
            tuple(lengths),
            torch.tensor([0, *accumulate(lengths)], dtype=torch.int32),
            torch.stack(pixels) if pixels else None,
            tokens,
        )

    def expand(self, encoded: Encoded) -> Encoded:
        if IMAGE_TOKEN not in encoded.input_ids:
            return encoded
        place = encoded.input_ids.index(IMAGE_TOKEN)
        ids, labels = encoded.input_ids, encoded.labels
        return Encoded(
            ids[:place] + (self.image_token_id,) * self.image_tokens + ids[place + 1 :],
            labels[:place] + (IGNORED,) * self.image_tokens + labels[place + 1 :],
        )


def _long(parts: Sequence[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.concatenate([np.empty(0, np.int64), *parts]))


@dataclass(eq=False)
class StageData(Dataset[list[Row]]):
    """A stage's steps in order, packed; item `n` is this process's rows of step `n`. A sample whose
    image cannot be read is left out of its step and set aside with the reason."""

    examples: Mixture | Sequence[Example]
    languages: Sequence[str]
    measure: Measure
    packer: Packer
    plan: StepPlan
    pictures: Pictures
    losses: ImageLosses
    rank: int = 0
    world_size: int = 1

    def __len__(self) -> int:
        return self.plan.total_steps

    def __getitem__(self, step: int) -> list[Row]:
        mine = self.plan.rows(step, self.world_size)[self.rank :: self.world_size]
        return [self.packer.row(self._items(chosen)) for chosen in mine]

    def sample_ids(self, step: int) -> list[str]:
        """Those of all processes."""
        return [self.examples[index].sample_id for index in self.plan.conversations(step)]

    def _items(self, chosen: Sequence[int]) -> list[Item]:
        items = []
        for index in chosen:
            example = self.examples[index]
            try:
                pixels = self.pictures.pixels(example.image) if example.image else None
            except UnreadableImage as error:
                self.losses.add(example.sample_id, example.lang, example.image, str(error))
                continue
            language = self.languages.index(example.lang)
            items.append(Item(self.measure.encode(example), pixels, language))
        return items
