"""The devices that a plan is made for: this machine's, or those that a user names."""

import os
from dataclasses import dataclass

from palo.engines.open import has_gpu
from palo.errors import UserError
from train.planning.gpus import gpu_called, gpu_of
from train.planning.memory import GIB


@dataclass(frozen=True)
class Hardware:
    """Equal devices, one process each; on a CPU all values are fp32 and nothing has a peak."""

    devices: int
    name: str
    memory_bytes: int  # of one device
    peak_flops: float | None
    is_gpu: bool = True
    is_here: bool = False  # then the memory is what is free of it now

    @property
    def short(self) -> int:
        """Bytes of a value that a GPU keeps in bf16."""
        return 2 if self.is_gpu else 4

    @property
    def memory(self) -> str:
        return f"{self.memory_bytes / GIB:.1f} GiB{' free' if self.is_here else ''}"

    def __str__(self) -> str:
        return f"{self.devices} x {self.name}, {self.memory}" if self.is_gpu else self.name


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
    """This process's GPU with the memory that is free of it; None where there is none."""
    if not has_gpu():
        return None
    import torch

    if not torch.cuda.is_available():
        return None
    device = int(os.environ.get("LOCAL_RANK", "0"))  # torchrun's; each process looks at its own
    free, _ = torch.cuda.mem_get_info(device)
    name = torch.cuda.get_device_name(device)
    found = gpu_of(name)
    peak = found.peak_flops if found else None
    return Hardware(gpus or processes(), name, free, peak, is_here=True)


def this_cpu() -> Hardware:
    import psutil

    return Hardware(processes(), "CPU", psutil.virtual_memory().available, None, False, True)


def hardware_for(
    is_standin: bool, gpu: str | None, gpus: int | None, memory_gib: float | None
) -> Hardware | None:
    """What a plan is for: as named, else this machine's GPU, else its CPU where that can train the
    scale; None where nothing is known of where it is to run."""
    if gpus is not None and gpus < 1:
        raise UserError(f"--gpus {gpus}: a run needs one at least.")
    found = named(gpu, gpus, memory_gib) or here(gpus)
    if found is None and gpus is not None:
        raise UserError("--gpus: of which kind? There is none here: give --gpu too, as --gpu h100.")
    return found or (this_cpu() if is_standin else None)
