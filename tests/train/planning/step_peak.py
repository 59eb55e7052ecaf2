"""One training step of a small model, in a process of its own: what it took at its peak.

Prints JSON: bytes that the process grew by, and what the plan says of weights, gradients, moments,
activations and logits. Run by test_memory.py.
"""

import json
import sys
import threading
import time
from pathlib import Path

import psutil
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

import train.loop.loss  # noqa: F401  (registers `documents`)
from train.loop.loss import recompute
from train.model.sizes import LanguageSize, Sizes, TowerSize, parameters
from train.planning.memory import row_bytes
from train.scale import Attention, Checkpointing, Lora, StageName, load_scale

LANGUAGE = LanguageSize(
    hidden=256, intermediate=688, layers=4, heads=4, kv_heads=4, vocabulary=4096
)
SCALES = Path(__file__).parents[3] / "train" / "scales"
TARGETS = list(LANGUAGE.linears)
TOKENS, LABELS = 3072, 4  # every fourth token has a label


class Peak(threading.Thread):
    """The most memory that the process held while it ran."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.process, self.most, self.done = psutil.Process(), 0, False

    def run(self) -> None:
        while not self.done:
            self.most = max(self.most, self.process.memory_info().rss)
            time.sleep(0.002)


def build(
    lora: Lora | None, checkpointing: Checkpointing
) -> tuple[LlamaForCausalLM, torch.optim.Optimizer]:
    config = LlamaConfig(
        vocab_size=LANGUAGE.vocabulary, hidden_size=LANGUAGE.hidden,
        intermediate_size=LANGUAGE.intermediate, num_hidden_layers=LANGUAGE.layers,
        num_attention_heads=LANGUAGE.heads,
    )  # fmt: skip
    config._attn_implementation = Attention.DOCUMENTS.value
    model = LlamaForCausalLM(config)
    if lora:
        model.requires_grad_(False).to(torch.bfloat16)
        get_peft_model(model.model, LoraConfig(r=lora.rank, target_modules=TARGETS))
    recompute(model.model, checkpointing)
    trained = [p for p in model.parameters() if p.requires_grad]
    return model.train(), torch.optim.AdamW(trained, foreach=True)


def step(model: LlamaForCausalLM, optimizer: torch.optim.Optimizer, tokens: int) -> None:
    embeddings = torch.randn(1, tokens, LANGUAGE.hidden, dtype=model.lm_head.weight.dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = model.model(inputs_embeds=embeddings.requires_grad_(), use_cache=False)
        logits = model.lm_head(hidden.last_hidden_state[0, : tokens // LABELS]).float()
        target = torch.zeros(len(logits), dtype=torch.long)
        loss = torch.nn.functional.cross_entropy(logits, target, reduction="sum")
    del logits, hidden
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()


def predicted(lora: Lora | None, checkpointing: Checkpointing) -> int:
    sizes = Sizes(
        language=LANGUAGE,
        tower=TowerSize(hidden=1, intermediate=1, layers=1, heads=1, patch_size=1),
        scale=load_scale("7b", SCALES).model_copy(update={"lora": lora, "image_size": 1}),
    )
    row = row_bytes(sizes, StageName.STAGE2, checkpointing, TOKENS, 0, TOKENS // LABELS)
    found = parameters(sizes)
    trained = found.adapters if lora else found.language_model
    # gradients, two moments and a short copy: the weights are there before
    return row.kept + max(row.layer, row.logits) + trained * (4 + 8 + 2)


def main() -> None:
    torch.set_num_threads(1)
    lora = Lora(rank=16, alpha=16) if sys.argv[1] == "lora" else None
    checkpointing = Checkpointing(sys.argv[2])
    step(*build(lora, checkpointing), 512)  # what libraries take at their first use
    model, optimizer = build(lora, checkpointing)
    before = psutil.Process().memory_info().rss
    peak = Peak()
    peak.start()
    for tokens in (8, TOKENS):  # the first one makes the moments
        step(model, optimizer, tokens)
    peak.done = True
    print(json.dumps({"measured": peak.most - before, "planned": predicted(lora, checkpointing)}))


if __name__ == "__main__":
    main()
