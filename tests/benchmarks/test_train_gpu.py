import argparse

import pytest
import torch

from benchmarks import train_gpu
from benchmarks.train_gpu import CASES, attempt, scale_of

SHARED = ("7b-packed-ddp", "7b-packed-fsdp2")


@pytest.mark.slow
def test_the_training_cases_run_at_tiny_size_on_a_cpu(run_benchmark, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # two processes would want two GPUs
    alone = ("7b-packed", "7b-packed-documents", "7b-packed-torch-loss", "1.7b-packed")
    _, figures = run_benchmark("train_gpu", "--tiny", "--only", ",".join((*alone, *SHARED)))
    assert figures["torch"] == torch.__version__
    for name in (*alone, *SHARED):
        of_case = figures[f"{name}-2048"]
        assert of_case["tokens_per_s"] > 0, of_case
        assert of_case["processes"] == (2 if name in SHARED else 1)
        assert of_case["checkpointing"] == "full"


@pytest.mark.slow
@pytest.mark.vllm
def test_the_translators_engines_run_at_tiny_size(run_benchmark):
    pytest.importorskip("vllm", reason="vLLM is not installed")
    wanted = ("translator-transformers", "translator-vllm-adapter")
    _, figures = run_benchmark("train_gpu", "--tiny", "--only", ",".join(wanted))
    for name in wanted:
        assert figures[f"{name}-2"]["tokens"] == 2 * 4, figures[f"{name}-2"]


def test_the_cases_are_palos_settings_at_the_true_size():
    scale, sizes = scale_of(CASES["7b-packed"], tiny=False)
    lora = sizes.scale.lora
    assert (lora.rank, lora.alpha, lora.dropout) == (128, 256, 0.05)
    assert (sizes.language.hidden, sizes.language.layers, sizes.image_tokens) == (4096, 32, 576)
    assert (scale.checkpointing, scale.attention, scale.loss_kernel) == ("full", "auto", "auto")
    free, _ = scale_of(CASES["7b-packed-no-dropout"], tiny=False)
    assert (free.lora.dropout, free.checkpointing) == (0.0, "none")
    _, small = scale_of(CASES["1.7b-packed"], tiny=False)
    assert (small.scale.lora, small.image_tokens) == (None, 144)
    for name, field, value in (
        ("documents", "attention", "documents"),
        ("torch-loss", "loss_kernel", "torch"),
    ):
        other, _ = scale_of(CASES[f"7b-packed-{name}"], tiny=False)
        assert other == scale.model_copy(update={field: value})


def test_a_case_without_memory_says_so_in_a_line():
    def hungry():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB. GPU 0 has\nmore")

    told = attempt(hungry)
    assert told == {"failed": "out of memory: CUDA out of memory. Tried to allocate 9 GiB"}


def test_shared_cases_say_what_they_lack_or_what_ended_them(monkeypatch, tmp_path):
    chosen = argparse.Namespace(batch_size=2, steps=1, tiny=True)

    def start():
        return train_gpu.start_together("7b-packed-no", 2048, chosen, tmp_path)

    monkeypatch.setattr(train_gpu, "PROCESSES", 1)
    assert attempt(start) == {"failed": "needs two GPUs; this machine has 1"}
    failing = argparse.Namespace(returncode=1, stderr="[rank0]: KeyError: 'no'\nmore\n")
    monkeypatch.setattr(train_gpu, "PROCESSES", 2)
    monkeypatch.setattr(train_gpu.subprocess, "run", lambda *words, **options: failing)
    assert attempt(start) == {"failed": "[rank0]: KeyError: 'no'"}
