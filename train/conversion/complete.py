"""Whether weights are exactly those of a model: no tensor lost, none too many, none misshapen."""

from pathlib import Path

import torch
from transformers import LlavaConfig

from palo.errors import UserError
from train.conversion.read_weights import Weights, listed
from train.model.assembly import CLASSES
from train.model.layout import EMBEDDINGS, HEAD, classic_name


def expected(config: LlavaConfig) -> dict[str, tuple[int, ...]]:
    """Shapes by classic name, in the order in which a checkpoint stores them."""
    with torch.device("meta"):
        model = CLASSES[config.model_type](config)
    shapes = {classic_name(name): tuple(t.shape) for name, t in model.state_dict().items()}
    if config.tie_word_embeddings:
        del shapes[HEAD]
    return shapes


def complete(config: LlavaConfig, weights: Weights, where: Path) -> Weights:
    """The weights in that order. Raises UserError that lists what is missing, left or misshapen."""
    shapes = expected(config)
    missing = [name for name in shapes if name not in weights]
    left = [name for name in weights if name not in shapes]
    if missing or left:
        said = []
        if missing:
            said.append(f"{len(missing)} tensors are missing ({listed(missing)})")
        if left:
            said.append(f"{len(left)} are not expected ({listed(left)})")
        raise UserError(
            f"{where} and its config.json are of different models: {' and '.join(said)}. "
            "Get the whole folder, or mend config.json."
        )
    wrong = [name for name, shape in shapes.items() if weights[name].shape != shape]
    if wrong:
        first = wrong[0]
        raise UserError(
            f"{where}: {first} is {_by(weights[first].shape)}, config.json says "
            f"{_by(shapes[first])} ({len(wrong)} tensors of the wrong shape)."
        )
    return {name: weights[name] for name in shapes}


def without_tied_head(config: LlavaConfig, weights: Weights, where: Path) -> Weights:
    """Drops a head that repeats the embeddings it is tied to. Raises UserError where it differs."""
    if not config.tie_word_embeddings or HEAD not in weights or EMBEDDINGS not in weights:
        return weights
    if not torch.equal(weights[HEAD].read(), weights[EMBEDDINGS].read()):
        raise UserError(
            f"{where}: tie_word_embeddings is true in config.json, but the stored head is not the "
            "embeddings: set it to false."
        )
    return {name: lazy for name, lazy in weights.items() if name != HEAD}


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
