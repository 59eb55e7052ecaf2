import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.train_gpu import CASES, attempt, scale_of

REPO_DIR = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_paths_run_at_tiny_size_on_a_cpu():
    wanted = "7b-packed,1.7b-packed,translator"
    command = [sys.executable, "benchmarks/train_gpu.py", "--tiny", "--only", wanted]
    done = subprocess.run(command, cwd=REPO_DIR, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.strip().split("\n")[-1])
    assert figures["torch"] == torch.__version__
    for name in ("7b-packed-2048", "1.7b-packed-2048", "translator-2"):
        assert figures[name]["tokens_per_s"] > 0, figures[name]
    assert figures["translator-2"]["tokens"] == 2 * 4
    assert figures["7b-packed-2048"]["checkpointing"] == "full"


def test_the_cases_are_palos_settings_at_the_true_size():
    scale, sizes = scale_of(CASES["7b-packed"], tiny=False)
    assert (sizes.lora.rank, sizes.lora.alpha, sizes.lora.dropout) == (128, 256, 0.05)
    assert (sizes.language.hidden, sizes.language.layers, sizes.image_tokens) == (4096, 32, 576)
    assert scale.checkpointing == "full"
    free, _ = scale_of(CASES["7b-packed-no-dropout"], tiny=False)
    assert (free.lora.dropout, free.checkpointing) == (0.0, "none")
    _, small = scale_of(CASES["1.7b-packed"], tiny=False)
    assert (small.lora, small.image_tokens) == (None, 144)


def test_a_case_without_memory_says_so_in_a_line():
    def hungry():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB. GPU 0 has\nmore")

    told = attempt(hungry)
    assert told == {"failed": "out of memory: CUDA out of memory. Tried to allocate 9 GiB"}
