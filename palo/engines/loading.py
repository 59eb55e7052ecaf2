"""Loads tokenizers and models of Hugging Face, without their progress bars."""

from typing import Any


def load_tokenizer(model: str, revision: str | None) -> Any:
    from transformers import AutoTokenizer

    loader: Any = AutoTokenizer  # transformers' classes are untyped
    return loader.from_pretrained(model, revision=revision)


def load_model(model: str, revision: str | None, dtype: str) -> Any:
    """A causal language model on the CPU; `dtype` is torch's name for it."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    quiet: Any = logging  # untyped, like the loader
    quiet.disable_progress_bar()  # a bar for every tiny model would drown our own
    loader: Any = AutoModelForCausalLM
    return loader.from_pretrained(model, revision=revision, dtype=getattr(torch, dtype))


def stop_ids(model: str, revision: str | None, tokenizer: Any) -> frozenset[int]:
    """Every token that ends an answer: chat models often have more than the tokenizer's own."""
    from transformers import GenerationConfig

    loader: Any = GenerationConfig
    try:
        listed = loader.from_pretrained(model, revision=revision).eos_token_id
    except OSError:  # many models come without a generation config
        listed = None
    found = listed if isinstance(listed, list) else [listed]
    return frozenset(stop for stop in (*found, tokenizer.eos_token_id) if stop is not None)
