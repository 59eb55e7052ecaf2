"""GPUs by name: what they can compute at most, and how much memory they have.

Peaks are of dense bf16 matrix products that sum up in fp32, in operations a second, from NVIDIA's
data sheets; where a sheet gives the figure with sparsity, half of it.
"""

import re
from dataclasses import dataclass

from palo.errors import unknown


@dataclass(frozen=True)
class Gpu:
    """`pattern` finds it in torch.cuda.get_device_name; `memory_gib` is what torch says it has."""

    name: str
    pattern: str
    peak_flops: float
    memory_gib: float


# The first that matches is taken: the narrower name stands before the wider.
GPUS = (
    # https://www.nvidia.com/en-us/data-center/a100/
    Gpu("a100-40", r"A100.*40GB", 312e12, 39.4),
    Gpu("a100-80", r"A[18]00", 312e12, 79.1),  # the A800 is slower between cards only
    # https://www.nvidia.com/en-us/data-center/h100/
    Gpu("h100-pcie", r"H100 PCIe", 756e12, 79.1),
    Gpu("h100-nvl", r"H100 NVL", 835.5e12, 93.1),
    Gpu("h100", r"H[18]00", 989.5e12, 79.1),  # SXM
    # https://www.nvidia.com/en-us/data-center/h200/
    Gpu("h200-nvl", r"H200 NVL", 835.5e12, 139.8),
    Gpu("gh200", r"GH200", 989.5e12, 94.5),
    Gpu("h200", r"H200", 989.5e12, 139.8),  # SXM
    # https://resources.nvidia.com/en-us-blackwell-architecture
    Gpu("b200", r"\bB200", 2250e12, 178.4),
    # https://www.nvidia.com/en-us/data-center/l40s/ (and l40, l4)
    Gpu("l40s", r"L40S", 362e12, 44.4),
    Gpu("l40", r"L40\b", 181e12, 44.4),
    Gpu("l4", r"L4\b", 121e12, 22.0),
    # https://www.nvidia.com/en-us/data-center/a40/ (and a10)
    Gpu("a40", r"A40\b", 149.7e12, 44.4),
    Gpu("a10", r"A10\b", 125e12, 22.0),
    # Data sheets of the RTX 6000 Ada Generation and the RTX A6000
    Gpu("rtx-6000-ada", r"RTX 6000 Ada", 364.2e12, 47.4),
    Gpu("rtx-a6000", r"RTX A6000", 154.8e12, 47.4),
    # NVIDIA Ada GPU architecture, appendix A, and Ampere GA102 architecture, appendix A
    Gpu("rtx-4090", r"RTX 4090", 165.2e12, 23.5),
    Gpu("rtx-3090", r"RTX 3090", 71e12, 23.6),
)
_ALIASES = {"a100": "a100-80", "h100-sxm": "h100"}


def gpu_of(device_name: str) -> Gpu | None:
    """Of a name as torch gives it; None for one that is not in the table, and for a CPU."""
    for gpu in GPUS:
        if re.search(gpu.pattern, device_name):
            return gpu
    return None


def gpu_called(name: str) -> Gpu:
    """Of a name as a user writes it: `h100`, `A100-80`. Raises UserError."""
    wanted = _ALIASES.get(name.lower(), name.lower())
    known = {gpu.name: gpu for gpu in GPUS}
    if wanted not in known:
        raise unknown("GPU", name, known)
    return known[wanted]


def peak_flops(device_name: str) -> float | None:
    """bf16 operations a second at most; None where it is not known: then there is no MFU."""
    found = gpu_of(device_name)
    return found.peak_flops if found else None
