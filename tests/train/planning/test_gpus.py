import pytest

from palo.errors import UserError
from train.planning.gpus import GPUS, gpu_called, gpu_of, peak_flops


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
    gpu = gpu_of(device_name)
    assert (gpu.peak_flops, gpu.memory_gib) == (tflops * 1e12, gib)


@pytest.mark.parametrize("device_name", ["Tesla V100-SXM2-32GB", "cpu", "AMD Instinct MI300X"])
def test_what_is_not_in_the_table_has_no_peak(device_name):
    assert peak_flops(device_name) is None


def test_a_user_may_write_it_short():
    assert gpu_called("A100").name == "a100-80"
    assert [gpu_called(gpu.name) for gpu in GPUS] == list(GPUS)
    with pytest.raises(UserError, match=r"Unknown GPU 'h101'\. Did you mean 'h100'\?"):
        gpu_called("h101")
