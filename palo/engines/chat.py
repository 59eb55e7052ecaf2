"""Messages to token ids by the model's own chat template, and answers back; for every engine."""

from collections.abc import Sequence
from typing import Any

from palo.engines.stream import Message


def chat_text(tokenizer: Any, messages: Sequence[Message]) -> str:
    """The text up to where the answer starts; the template writes all special tokens itself."""
    turns = [{"role": message.role, "content": message.content} for message in messages]
    text: str = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    return text


def prompt_ids(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    text = chat_text(tokenizer, messages)
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def answer_text(tokenizer: Any, ids: Sequence[int], finish_reason: str) -> str:
    """The answer without the token that ended it; that one need not be a special token."""
    said = ids[:-1] if finish_reason == "stop" else ids
    text: str = tokenizer.decode(said, skip_special_tokens=True)
    return text


def too_long(prompt_tokens: int, limit: int) -> str:
    return f"the prompt has {prompt_tokens} tokens, the model takes {limit} with its answer"
