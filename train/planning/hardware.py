"""The devices that a plan is made for: this machine's, or those that a user names."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from palo.engines.open import has_gpu
from palo.errors import UserError, unknown

GIB = 2**30
_ALIASES = {"a100": "a100-80", "h100-sxm": "h100"}


@dataclass(frozen=True)
class Gpu:
    """A kind of GPU, as gpus.yaml has it: what it can compute at most, and how much it holds."""

    name: str
    pattern: str
    peak_tflops: float
    memory_gib: float

    @property
    def peak_flops(self) -> float:
        return self.peak_tflops * 1e12


GPUS = tuple(
    Gpu(**row)
    for row in yaml.safe_load(Path(__file__).with_name("gpus.yaml").read_text(encoding="utf-8"))
)


def gpu_called(name: str) -> Gpu:
    """Of a name as a user writes it: `h100`, `A100-80`. Raises UserError."""
    wanted = _ALIASES.get(name.lower(), name.lower())
    known = {gpu.name: gpu for gpu in GPUS}
    if wanted not in known:
        raise unknown("GPU", name, known)
    return known[wanted]


def gpu_of(device_name: str) -> Gpu | None:
    """Of a name as torch gives it; None for one that is not in the table, and for a CPU."""
    return next((gpu for gpu in GPUS if re.search(gpu.pattern, device_name)), None)


def peak_flops(device_name: str) -> float | None:
    """bf16 operations a second at most; None where it is not known: then there is no MFU."""
    gpu = gpu_of(device_name)
    return gpu.peak_flops if gpu else None


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


def hardware_for(
    is_standin: bool, gpu: str | None, gpus: int | None, memory_gib: float | None
) -> Hardware | None:
    """What a plan is for: as named, else this machine's GPU, else its CPU where that can train the
    scale; None where nothing is known of where it is to run."""
    if gpus is not None and gpus < 1:
        raise UserError(f"--gpus {gpus}: a run needs one at least.")
    hardware = named(gpu, gpus, memory_gib) or here(gpus)
    if hardware is None and gpus is not None:
        raise UserError("--gpus: of which kind? There is none here: give --gpu too, as --gpu h100.")
    if hardware is None and is_standin:
        import psutil

        free = psutil.virtual_memory().available
        return Hardware(_processes(), "CPU", free, None, is_gpu=False, is_here=True)
    return hardware


def named(gpu: str | None, gpus: int | None, memory_gib: float | None) -> Hardware | None:
    """What the user asks to plan for; None where nothing was asked.

    Raises UserError for an unknown GPU, or memory of no known kind of device.
    """
    if gpu:
        kind = gpu_called(gpu)
        memory = int((memory_gib or kind.memory_gib) * GIB)
        return Hardware(gpus or _processes(), kind.name, memory, kind.peak_flops)
    if gpu is None and memory_gib is None:
        return None
    return Hardware(gpus or _processes(), "GPU", int((memory_gib or 0.0) * GIB), None)


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
    return Hardware(gpus or _processes(), name, free, peak_flops(name), is_here=True)


def _processes() -> int:
    """That torchrun started; one without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))
