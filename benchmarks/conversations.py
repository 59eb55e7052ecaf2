"""Conversations of PALO's lengths for the training benchmarks, of drawn words and pictures."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from palo.schemas import IMAGE_TAG, Role, Turn
from sceneworld.standins.tiny import train_tokenizer
from train.data.images import ImageLosses, make_processor
from train.data.mixture import Example
from train.data.packing import Measure, StepPlan
from train.data.steps import Item, Packer, Pictures, StageData
from train.data.template import SYSTEM, Template
from train.scale import Stage

MAX_LENGTH, IMAGE_TOKENS = 2048, 576
TEMPLATE_TOKENS = 40  # the system sentence and the speakers' names
TEXT_MEDIAN, TEXT_SPREAD = 5.9, 0.8  # of the logarithm of a conversation's tokens of text
TEXT_ONLY = 16  # one conversation of so many has no image
LANGUAGES = ("en", "ur")
VOCABULARY = 1200
JPEG_SIZE = (640, 480)  # COCO's usual one


def drawn_lengths(count: int, shrink: int = 1, seed: int = 3) -> np.ndarray:
    """Tokens a conversation: an image's 576 and a text with a long tail, 2,048 at most."""
    rng = np.random.RandomState(seed)
    texts = TEMPLATE_TOKENS + rng.lognormal(TEXT_MEDIAN, TEXT_SPREAD, count)
    images = np.where(np.arange(count) % TEXT_ONLY == TEXT_ONLY - 1, 0, IMAGE_TOKENS)
    return np.minimum(images + texts, MAX_LENGTH).astype(np.int32) // shrink


@dataclass(frozen=True)
class Reader:
    """Conversations, and all that makes tokens and pixels of them."""

    examples: list[Example]
    lengths: np.ndarray  # as they came out, image tokens counted
    tokenizer: Any
    measure: Measure
    packer: Packer
    pictures: Pictures
    folder: Path

    def item(self, index: int) -> Item:
        example = self.examples[index]
        pixels = self.pictures.pixels(example.image) if example.image else None
        return Item(self.measure.encode(example), pixels, LANGUAGES.index(example.lang))

    def stage_data(
        self, stage: Stage, num_steps: int, seed: int, rank: int = 0, world_size: int = 1
    ) -> StageData:
        def order(epoch: int) -> np.ndarray:
            return np.random.RandomState(seed + epoch).permutation(len(self.examples))

        plan = StepPlan(self.lengths, order, stage.batch_size, stage.row_tokens, num_steps)
        lost_images = ImageLosses(self.folder / "lost.jsonl", 0.0, len(self.examples))
        return StageData(
            self.examples, LANGUAGES, self.measure, self.packer, plan, self.pictures, lost_images,
            rank, world_size,
        )  # fmt: skip


def reader(
    folder: Path,
    lengths: Sequence[int] | np.ndarray,
    shrink: int,
    image_size: int,
    patch_size: int,
    tokenizer: Any = None,
    num_pictures: int = 32,
) -> Reader:
    """About as many tokens as `lengths` say, at most 2,048 / `shrink`."""
    folder.mkdir(parents=True)
    rng = random.Random(5)
    words = ["".join(rng.choices("etaoinshrdlucmfwyp", k=at % 5 + 3)) for at in range(150)]
    if tokenizer is None:
        texts = [f"{SYSTEM} USER: {word} ASSISTANT: {word} {word}" for word in words]
        tokenizer = train_tokenizer(texts * 3, VOCABULARY, (IMAGE_TAG,))
    image_tokens = (image_size // patch_size) ** 2
    a_word = len(tokenizer(" ".join(words), add_special_tokens=False).input_ids) / len(words)
    paths = paint(folder / "images", num_pictures)
    examples = []
    for number, length in enumerate(lengths):
        image = None if number % TEXT_ONLY == TEXT_ONLY - 1 else paths[number % num_pictures]
        room = int((length - TEMPLATE_TOKENS - (image_tokens if image else 0)) / a_word)
        lang = LANGUAGES[number % len(LANGUAGES)]
        examples.append(Example(str(number), lang, image, turns(rng, words, room, image)))
    measure = Measure(Template(tokenizer), image_tokens, MAX_LENGTH // shrink, False)
    packer = Packer(
        tokenizer.convert_tokens_to_ids(IMAGE_TAG), image_tokens, tokenizer.pad_token_id
    )
    pictures = Pictures(make_processor(image_size))
    sizes = np.array([measure.encode(each).length(image_tokens) for each in examples], np.int32)
    return Reader(examples, sizes, tokenizer, measure, packer, pictures, folder)


def turns(rng: random.Random, words: list[str], room: int, image: Path | None) -> tuple[Turn, ...]:
    """Rounds of a question and an answer three times as long, until `room` words are said."""
    said = []
    for start in range(0, max(room, 8), 200):
        left = min(200, max(room, 8) - start)
        asked = " ".join(rng.choices(words, k=max(1, left // 4)))
        answer = " ".join(rng.choices(words, k=max(1, left - left // 4)))
        if image and not said:
            asked = f"{IMAGE_TAG}\n{asked}"
        said += [Turn(Role.HUMAN, asked), Turn(Role.GPT, answer)]
    return tuple(said)


def paint(folder: Path, count: int) -> list[Path]:
    """JPEGs of COCO's size and about its bytes: blurred colours under a little noise."""
    folder.mkdir(parents=True)
    paths = []
    for number in range(count):
        rng = np.random.RandomState(number)
        rough = Image.fromarray(rng.randint(0, 256, (30, 40, 3), dtype=np.uint8))
        smooth = np.asarray(rough.resize(JPEG_SIZE, Image.Resampling.BICUBIC), np.int16)
        noise = rng.randint(-12, 13, smooth.shape, dtype=np.int16)
        path = folder / f"{number:05d}.jpg"
        Image.fromarray((smooth + noise).clip(0, 255).astype(np.uint8)).save(path, quality=90)
        paths.append(path)
    return paths
