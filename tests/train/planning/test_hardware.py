import re

import pytest

from palo.errors import UserError
from train.planning.memory import GIB, GPUS, hardware_for, peak_flops


@pytest.mark.parametrize(
    ("device_name", "tflops", "gib"),
    [
        ("NVIDIA A100-SXM4-80GB", 312, 79.1),
        ("NVIDIA A100 80GB PCIe", 312, 79.1),
        ("NVIDIA A100-PCIE-40GB", 312, 39.4),
        ("NVIDIA H100 80GB HBM3", 989.5, 79.1),
        ("NVIDIA H100 PCIe", 756, 79.1),
        ("NVIDIA H100 NVL", 835.5, 93.1),
        ("NVIDIA H200", 989.5, 139.8),
        ("NVIDIA GH200 480GB", 989.5, 94.5),
        ("NVIDIA L40S", 362, 44.4),
        ("NVIDIA L40", 181, 44.4),
        ("NVIDIA L4", 121, 22.0),
        ("NVIDIA A40", 149.7, 44.4),
        ("NVIDIA RTX 6000 Ada Generation", 364.2, 47.4),
        ("NVIDIA RTX A6000", 154.8, 47.4),
    ],
)
def test_a_device_is_known_by_the_name_torch_gives_it(device_name, tflops, gib):
    gpu = next(gpu for gpu in GPUS if re.search(gpu.pattern, device_name))
    assert (peak_flops(device_name), gpu.memory_gib) == (tflops * 1e12, gib)


@pytest.mark.parametrize("device_name", ["Tesla V100-SXM2-32GB", "cpu", "AMD Instinct MI300X"])
def test_what_is_not_in_the_table_has_no_peak(device_name):
    assert peak_flops(device_name) is None


def test_a_user_may_write_it_short():
    assert hardware_for(False, "A100", 1, None).name == "a100-80"
    for gpu in GPUS:
        assert hardware_for(False, gpu.name, 1, None).name == gpu.name
    with pytest.raises(UserError, match=r"Unknown GPU 'h101'\. Did you mean 'h100'\?"):
        hardware_for(False, "h101", 1, None)


def test_devices_as_a_user_names_them():
    eight = hardware_for(is_standin=False, gpu="h100", gpus=8, memory_gib=None)
    assert (eight.devices, eight.name, eight.peak_flops) == (8, "h100", 989.5e12)
    assert str(eight) == "8 x h100, 79.1 GiB"
    of_80 = hardware_for(is_standin=False, gpu=None, gpus=2, memory_gib=80)
    assert (of_80.memory_bytes, of_80.peak_flops) == (80 * GIB, None)
    with pytest.raises(UserError, match="--gpus 0"):
        hardware_for(is_standin=False, gpu="h100", gpus=0, memory_gib=None)


def test_a_number_of_gpus_needs_their_kind(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(UserError, match="--gpus: of which kind"):
        hardware_for(is_standin=True, gpu=None, gpus=8, memory_gib=None)


def test_without_a_gpu_only_a_twin_runs_on_the_cpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert hardware_for(is_standin=False, gpu=None, gpus=None, memory_gib=None) is None
    cpu = hardware_for(is_standin=True, gpu=None, gpus=None, memory_gib=None)
    assert (cpu.short, cpu.peak_flops, cpu.is_gpu) == (4, None, False)
