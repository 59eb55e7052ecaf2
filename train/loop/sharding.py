"""A model cut over processes (FSDP2), and its parameters made whole for files."""

from pathlib import Path

import torch

from train.loop.processes import processes
from train.model.checkpoint import save_trainable


def save_whole(path: Path, model: torch.nn.Module) -> None:
    """Writes the parameters that are trained; all processes must call it, the first one writes."""
    if processes().is_main_process:
        save_trainable(path, model)
    processes().wait_for_everyone()
