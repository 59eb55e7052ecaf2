"""The devices that a plan is made for: this machine's, or those that a user names."""

import os
from dataclasses import dataclass

from palo.errors import UserError
from train.planning.gpus import gpu_called, gpu_of
from train.planning.memory import GIB
from train.resources import has_gpu


@dataclass(frozen=True)
class Hardware:
    """Equal devices, one process each; on a CPU all values are fp32 and nothing has a peak."""

    devices: int
    name: str
    memory_bytes: int  # of one device
    peak_flops: float | None
    is_gpu: bool = True

    @property
    def short(self) -> int:
        """Bytes of a value that a GPU keeps in bf16."""
        return 2 if self.is_gpu else 4

    def __str__(self) -> str:
        memory = f"{self.memory_bytes / GIB:.1f} GiB"
        return f"{self.devices} x {self.name} of {memory}" if self.is_gpu else f"{self.name}"


def processes() -> int:
    """That torchrun started; one without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def named(gpu: str | None, gpus: int | None, memory_gib: float | None) -> Hardware | None:
    """What the user asks to plan for; None where nothing was asked.

    Raises UserError for an unknown GPU, or memory of no known kind of device.
    """
    if gpu is None and memory_gib is None:
        return None
    found = gpu_called(gpu) if gpu else None
    gib = memory_gib or (found.memory_gib if found else 0.0)
    name = found.name if found else "GPU"
    return Hardware(gpus or processes(), name, int(gib * GIB), found.peak_flops if found else None)


def here(gpus: int | None = None) -> Hardware | None:
    """This machine's GPU with the memory that is free of it; None where there is none."""
    if not has_gpu():
        return None
    import torch

    if not torch.cuda.is_available():
        return None
    device = torch.cuda.current_device()
    free, _ = torch.cuda.mem_get_info(device)
    name = torch.cuda.get_device_name(device)
    found = gpu_of(name)
    peak = found.peak_flops if found else None
    return Hardware(gpus or processes(), name, free, peak)


def this_cpu() -> Hardware:
    import psutil

    return Hardware(processes(), "CPU", psutil.virtual_memory().available, None, is_gpu=False)


def hardware_for(
    is_standin: bool, gpu: str | None, gpus: int | None, memory_gib: float | None
) -> Hardware | None:
    """What a plan is for: as named, else this machine's GPU, else its CPU where that can train the
    scale; None where nothing is known of where it is to run."""
    if gpus is not None and gpus < 1:
        raise UserError(f"--gpus {gpus}: a run needs one at least.")
    return named(gpu, gpus, memory_gib) or here(gpus) or (this_cpu() if is_standin else None)
