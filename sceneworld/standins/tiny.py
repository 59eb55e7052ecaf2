"""Tiny models that the project builds itself: tokenizer, small Llama, and how stand-ins learn.

They stand in for real models in the sample profile and in tests; no weights are shipped.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch.optim.lr_scheduler import LambdaLR
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

UNKNOWN, START, END, PAD = "<unk>", "<s>", "</s>", "<pad>"

# One user turn and one answer; what a chat template of a real model does, at its smallest.
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% else %}{{ '\n' }}{% endif %}"
    "{% endfor %}"
)

WARMUP_SHARE = 0.05
Tick = Callable[[str], None]

# Words of spaced scripts keep their marks (Devanagari vowels are marks, not letters). Han
# characters stand alone, so that a tiny vocabulary does not swallow whole sentences.
_WORDS = (
    r"\p{Han}|\p{Hiragana}+|[\p{Katakana}ー]+| ?\p{N}| ?[\p{L}\p{M}]+"
    r"| ?[^\s\p{L}\p{M}\p{N}]|\s"
)


def train_tokenizer(
    texts: Iterable[str],
    vocab_size: int,
    extra_special: Sequence[str] = (),
    pattern: str = _WORDS,
) -> PreTrainedTokenizerFast:
    """Byte-level BPE with Llama's special tokens; any text can be encoded and comes back exact."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[UNKNOWN, START, END, PAD, *extra_special],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A", special_tokens=[(START, tokenizer.token_to_id(START))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=START,
        eos_token=END,
        unk_token=UNKNOWN,
        pad_token=PAD,
        extra_special_tokens=list(extra_special),
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def tiny_llama(
    tokenizer: Any,
    hidden_size: int,
    layers: int,
    heads: int,
    max_position: int = 2048,
    seed: int = 0,
    initializer_range: float | None = None,
    rope_theta: float = 10_000.0,
) -> LlamaForCausalLM:
    """A Llama of random weights; the same seed gives the same weights.

    Weights start at 1/sqrt(hidden_size) unless `initializer_range` is given, not at the 0.02 that
    suits wide models: at 128 wide, from 0.02 and with AdamW, attention takes several times as many
    steps to find what to attend to.
    """
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        intermediate_size=hidden_size * 8 // 3 // 16 * 16,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=max_position,
        rope_parameters={"rope_type": "default", "rope_theta": rope_theta},
        tie_word_embeddings=True,
        initializer_range=initializer_range or hidden_size**-0.5,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def learn(
    parameters: Iterable[torch.nn.Parameter],
    optimizers: Sequence[torch.optim.Optimizer],
    share: Callable[[int], float],
    losses: Iterable[torch.Tensor],
    tick: Tick,
) -> list[float]:
    """Goes down the gradient of each loss, which is made when the step before it is done. `share`:
    of the optimizers' own learning rates, at a step. Returns the losses."""
    trained, told = list(parameters), []
    schedules = [LambdaLR(optimizer, share) for optimizer in optimizers]
    for loss in losses:
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
        told.append(loss.item())
        tick(f"loss {told[-1]:.3f}")
    return told


def muon_and_adamw(
    model: Any, matrix_learning_rate: float, learning_rate: float, **muon: Any
) -> list[torch.optim.Optimizer]:
    """Muon for the layers' matrices (under half of AdamW's steps there), AdamW for the rest."""
    matrices = [parameter for parameter in model.model.layers.parameters() if parameter.ndim == 2]
    chosen = {id(parameter) for parameter in matrices}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in chosen]
    return [
        torch.optim.Muon(matrices, lr=matrix_learning_rate, weight_decay=0.0, **muon),
        torch.optim.AdamW(rest, lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def warmup_cosine(step: int, steps: int) -> float:
    """Of the highest learning rate, at this of so many steps: up fast, then down to nothing."""
    warmup = max(1, round(WARMUP_SHARE * steps))
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
