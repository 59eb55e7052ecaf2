"""A published Llama's tokenizer: SentencePiece's pieces and what was said of them, nothing else."""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest


def pieces_path():
    """32,000 pieces of mistral_common, which vLLM brings."""
    spec = importlib.util.find_spec("mistral_common")
    if spec is None:
        pytest.skip("mistral_common, which comes with vLLM, is not installed")
    return Path(spec.origin).parent / "data" / "tokenizer.model.v1"


def folder_of(place, legacy):
    """`legacy` None: the config does not say."""
    spec = importlib.util.find_spec("mistral_common")
    if spec is None:
        pytest.skip("mistral_common, which comes with vLLM, is not installed")
    place.mkdir()
    shutil.copy(Path(spec.origin).parent / "data" / "tokenizer.model.v1", place / "tokenizer.model")
    special = {"lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
    tokens = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    told = {
        name: {"__type": "AddedToken", "content": text, **special} for name, text in tokens.items()
    }
    told |= {"tokenizer_class": "LlamaTokenizer", "model_max_length": 4096, "pad_token": None}
    told |= {"add_bos_token": True, "add_eos_token": False}
    if legacy is not None:
        told["legacy"] = legacy
    (place / "tokenizer_config.json").write_text(json.dumps(told), "utf-8")
    return place
