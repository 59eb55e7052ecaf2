"""The stand-in for CLIP: a tiny vision tower taught to name what each patch shows, and where.

A random tower, frozen or trained along, leaves a tiny model on a plateau of 60-70%; one that has
learned to see first, then is frozen as PALO freezes CLIP, does not (measured).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModel

from sceneworld.standins.tiny import Tick, learn, warmup_cosine
from train.data.images import load_picture, make_processor, pixel_values
from train.scale import StandinTower

READ_BATCH = 64
PLACE_STD = 1.0


@dataclass(frozen=True)
class PatchLabels:
    """Class numbers a patch: (N, patches, words + 1); the last is the patch's own place."""

    classes: torch.Tensor
    sizes: tuple[int, ...]


def read_pixels(paths: Sequence[Path], image_size: int) -> torch.Tensor:
    """All pictures at once: (N, 3, image_size, image_size)."""
    processor = make_processor(image_size)
    batches = [
        pixel_values([load_picture(path) for path in paths[start : start + READ_BATCH]], processor)
        for start in range(0, len(paths), READ_BATCH)
    ]
    return torch.cat(batches)


def label_patches(cells: Sequence[Sequence[str]], side: int) -> PatchLabels:
    """Word classes of every patch of a `side` x `side` grid laid over the square grid of cells.

    `cells` are phrases such as `big red circle`, or "" for nothing; the n-th words of all
    phrases form one set of classes, 0 meaning that there is no such word.
    """
    cell_side = round(len(cells[0]) ** 0.5)
    places = [
        (row * cell_side // side) * cell_side + column * cell_side // side
        for row in range(side)
        for column in range(side)
    ]
    phrases = [[cell.split() for cell in image] for image in cells]
    most = max(len(phrase) for image in phrases for phrase in image)
    tables = [
        sorted({phrase[n] for image in phrases for phrase in image if len(phrase) > n})
        for n in range(most)
    ]
    numbers = [{word: index + 1 for index, word in enumerate(table)} for table in tables]

    def classes(phrase: Sequence[str], place: int) -> list[int]:
        words = [numbers[n][phrase[n]] if len(phrase) > n else 0 for n in range(most)]
        return [*words, place]

    rows = [[classes(image[cell], patch) for patch, cell in enumerate(places)] for image in phrases]
    sizes = (*(len(table) + 1 for table in tables), side * side)
    return PatchLabels(torch.tensor(rows), sizes)


def tower_config(
    image_size: int, patch_size: int, hidden: int, intermediate: int, layers: int, heads: int
) -> CLIPVisionConfig:
    return CLIPVisionConfig(
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        image_size=image_size,
        patch_size=patch_size,
        projection_dim=hidden,
    )


def train_tower(
    settings: StandinTower,
    image_size: int,
    feature_layer: int,
    pixels: torch.Tensor,
    labels: PatchLabels,
    tick: Tick,
) -> Any:
    """A CLIP vision model whose `feature_layer` names each patch's words and place."""
    torch.manual_seed(settings.seed)
    width, depth, heads = settings.hidden_size, settings.layers, settings.heads
    config = tower_config(image_size, settings.patch_size, width, width * 2, depth, heads)
    tower = CLIPVisionModel(config)
    for name, parameter in tower.named_parameters():
        # CLIP starts places at .02, a hundredth of what patches start at: they would go unheard.
        if name.endswith("position_embedding.weight"):
            nn.init.normal_(parameter, std=PLACE_STD)
    head = nn.Linear(settings.hidden_size, sum(labels.sizes))
    parameters = [*tower.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=0.01)
    order = torch.Generator().manual_seed(settings.seed)

    def losses() -> Iterator[torch.Tensor]:
        for _ in range(settings.steps):
            chosen = torch.randint(len(pixels), (settings.batch_size,), generator=order)
            features = patch_features(tower, pixels[chosen], feature_layer)
            parts = head(features).split(list(labels.sizes), dim=-1)
            classes = labels.classes[chosen]
            of_parts = [
                nn.functional.cross_entropy(part.flatten(0, 1), classes[..., n].flatten())
                for n, part in enumerate(parts)
            ]
            yield torch.stack(of_parts).sum()

    learn(parameters, [optimizer], partial(warmup_cosine, steps=settings.steps), losses(), tick)
    return tower.eval()


def patch_features(tower: Any, pixels: torch.Tensor, feature_layer: int) -> torch.Tensor:
    """(N, patches, hidden_size): the hidden state that LLaVA's projector reads."""
    return tower(pixels, output_hidden_states=True).hidden_states[feature_layer][:, 1:]
