"""Models of a given size with random weights, made on the device that they stay on."""

from pathlib import Path
from typing import Any

import torch
from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM

from palo.engines.stream import Message, Request, Sampling, Signature
from palo.engines.transformers import TransformersEngine
from palo.tiny import train_tokenizer
from train.model.sizes import LanguageSize, TowerSize

SPREAD = 0.02  # of the weights: what Llama starts from
SOURCE = "Translate into Urdu: what is the colour of the bus beside the bridge? " * 4


def language_model(
    size: LanguageSize, tokenizer: Any, device: torch.device, frozen: torch.dtype, trained: bool
) -> Any:
    """A Llama of fp32 weights where it is `trained`; otherwise of `frozen`."""
    config = LlamaConfig(
        vocab_size=size.vocabulary,
        hidden_size=size.hidden,
        intermediate_size=size.intermediate,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.kv_heads,
        max_position_embeddings=4096,
        tie_word_embeddings=size.tied,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return filled(LlamaForCausalLM, config, device, torch.float32 if trained else frozen)


def tower(size: TowerSize, image_size: int, device: torch.device, dtype: torch.dtype) -> Any:
    config = CLIPVisionConfig(
        hidden_size=size.hidden,
        intermediate_size=size.intermediate,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        image_size=image_size,
        patch_size=size.patch_size,
    )
    return filled(CLIPVisionModel, config, device, dtype)


def filled(kind: Any, config: Any, device: torch.device, dtype: torch.dtype) -> Any:
    """Never on the CPU and never in fp32 on the way: 7B would take 27 GB there."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model = kind._from_config(config, dtype=dtype)
    finally:
        torch.set_default_dtype(before)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0.0, SPREAD)
    return model


def translator(
    size: LanguageSize, batch_size: int, answer_tokens: int, folder: Path
) -> tuple[TransformersEngine, list[Request]]:
    """The translator's engine around a random model, and one batch of requests for it.

    The engine would read its weights from a folder; they are put in their place instead.
    """
    tokenizer = train_tokenizer([SOURCE], 300)
    tokenizer.save_pretrained(folder)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    signature = Signature("random", "none", str(dtype))
    engine = TransformersEngine(str(folder), None, signature, batch_size=batch_size)
    engine._tokenizer = tokenizer
    engine._model = language_model(size, tokenizer, device, dtype, trained=False).eval()
    engine._stops = frozenset()
    sampling = Sampling(answer_tokens)
    words = SOURCE.split()
    requests = [
        Request(str(at), (Message("user", " ".join(words[at % 8 :])),), sampling)
        for at in range(batch_size)
    ]
    return engine, requests
