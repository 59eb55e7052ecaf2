"""From messages to token ids with the model's own chat template: the same for every engine."""

from collections.abc import Sequence
from typing import Any

from palo.engines.stream import Message


def load_tokenizer(model: str, revision: str | None) -> Any:
    from transformers import AutoTokenizer

    loader: Any = AutoTokenizer  # transformers' classes are untyped
    return loader.from_pretrained(model, revision=revision)


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


def prompt_ids(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    """Token ids up to where the answer starts; the template writes all special tokens itself."""
    turns = [{"role": message.role, "content": message.content} for message in messages]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def too_long(prompt_tokens: int, limit: int) -> str:
    return f"the prompt has {prompt_tokens} tokens, the model takes {limit} with its answer"
