"""The learning rate of the stand-ins: a short warm-up, then a cosine down to nothing."""

import math
from functools import partial

import torch

WARMUP_SHARE = 0.05


def warmup_cosine(
    optimizer: torch.optim.Optimizer, steps: int
) -> torch.optim.lr_scheduler.LambdaLR:
    return torch.optim.lr_scheduler.LambdaLR(optimizer, partial(share, steps=steps))


def share(step: int, steps: int) -> float:
    """Of the highest learning rate, at this of so many steps."""
    warmup = max(1, round(WARMUP_SHARE * steps))
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
