import pytest
import torch

from benchmarks.gpu import CASES, attempt, scale_of


@pytest.mark.slow
def test_the_paths_run_at_tiny_size_on_a_cpu(run_benchmark):
    wanted = "7b-packed,1.7b-packed,translator"
    _, figures = run_benchmark("gpu", "--tiny", "--only", wanted)
    assert figures["torch"] == torch.__version__
    for name in ("7b-packed-2048", "1.7b-packed-2048", "translator-2"):
        assert figures[name]["tokens_per_s"] > 0, figures[name]
    assert figures["translator-2"]["tokens"] == 2 * 4
    assert figures["7b-packed-2048"]["checkpointing"] == "full"


def test_the_cases_are_palos_settings_at_the_true_size():
    scale, sizes = scale_of(CASES["7b-packed"], tiny=False)
    lora = sizes.scale.lora
    assert (lora.rank, lora.alpha, lora.dropout) == (128, 256, 0.05)
    assert (sizes.language.hidden, sizes.language.layers, sizes.image_tokens) == (4096, 32, 576)
    assert scale.checkpointing == "full"
    free, _ = scale_of(CASES["7b-packed-no-dropout"], tiny=False)
    assert (free.lora.dropout, free.checkpointing) == (0.0, "none")
    _, small = scale_of(CASES["1.7b-packed"], tiny=False)
    assert (small.scale.lora, small.image_tokens) == (None, 144)


def test_a_case_without_memory_says_so_in_a_line():
    def hungry():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB. GPU 0 has\nmore")

    told = attempt(hungry)
    assert told == {"failed": "out of memory: CUDA out of memory. Tried to allocate 9 GiB"}
