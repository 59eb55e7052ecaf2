"""Measures training and translating at the true size on one GPU, with random weights.

    python -m benchmarks.gpu
    python -m benchmarks.gpu --only 7b-packed,7b-packed-no-dropout --rows 8192
    python -m benchmarks.gpu --tiny        # the same paths at tiny size, on a CPU too

No weights are downloaded: models of the sizes that train/model/sizes.py knows are made on the
device. Training goes through StageTrainer as `palo train` does: frozen parts in bf16, trained ones
in fp32, an image of 336 pixels a conversation, PALO-like lengths up to 2,048 tokens, rows of 2,048,
4,096 and 8,192. For each case: `tokens_per_s` without padding, `peak_gib`, and two kinds of
utilisation, both by train/model/sizes.py: `mfu`, the headline's 4N (in full: 6N) operations for
every token, as reports of others count, and `mfu_strict`, with the head on supervised tokens alone
and images counted apart. Recomputation counts in neither. `translator`: the engine
`transformers` on a Llama of 7B, tokens generated a second by batch size.

A case that needs more memory than there is says so in `failed`.
"""

import argparse
import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers
from transformers import CLIPVisionModel, LlamaConfig, LlamaForCausalLM

from benchmarks.clock import Clock, synchronise
from benchmarks.conversations import Reader, drawn_lengths, reader
from benchmarks.harness import GIB, ROOT, finish
from palo.engines.stream import Message, Request, Sampling, Signature, Weights
from palo.engines.transformers import TransformersEngine
from palo.settings import LoopSettings, TranslatorSettings
from sceneworld.standins.tiny import train_tokenizer
from sceneworld.standins.tower import tower_config
from train.loop.loss import Learner, recompute, sum_loss
from train.loop.trainer import Job, StageTrainer
from train.model.assembly import add_adapters, assemble
from train.model.sizes import LanguageSize, Sizes, flop_count, sizes_of
from train.planning.memory import peak_flops
from train.scale import Checkpointing, LossKernel, Scale, Stage, StageName, load_scale

SCALES_DIR = ROOT / "train/scales"
LIMITS = {"7b-packed": 0.35, "7b-packed-no-dropout": 0.45}
SPREAD = 0.02  # of the weights: what Llama starts from
SOURCE = "Translate into Urdu: what is the colour of the bus beside the bridge? " * 4
WARM_STEPS = 2  # not counted: kernels are chosen, memory is taken
ON_GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if ON_GPU else "cpu")
FROZEN = torch.bfloat16 if ON_GPU else torch.float32  # the type of what is not trained


@dataclass(frozen=True)
class Case:
    """One way to train a scale."""

    scale: str
    checkpointing: Checkpointing = Checkpointing.FULL
    dropout: float | None = None  # None: the scale's
    compiled: bool = False


CASES = {
    "7b-packed": Case("7b"),  # PALO's settings
    "7b-packed-selective": Case("7b", Checkpointing.SELECTIVE),
    "7b-packed-selective-compiled": Case("7b", Checkpointing.SELECTIVE, compiled=True),
    "7b-packed-no-dropout": Case("7b", Checkpointing.NONE, dropout=0.0),
    "7b-packed-no-dropout-compiled": Case("7b", Checkpointing.NONE, dropout=0.0, compiled=True),
    "1.7b-packed": Case("1.7b"),
}
TINY = {"hidden": 32, "intermediate": 64, "layers": 2, "heads": 2}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases by name, comma between them")
    parser.add_argument("--rows", default="2048,4096,8192", help="tokens of a row")
    parser.add_argument("--batch-size", type=int, default=32, help="conversations a step")
    parser.add_argument("--steps", type=int, default=6, help=f"counted, after {WARM_STEPS} others")
    parser.add_argument("--batches", default="1,16,64", help="of the translator")
    parser.add_argument("--answer-tokens", type=int, default=128)
    parser.add_argument("--tiny", action="store_true", help="tiny models: the paths, no figures")
    chosen = parser.parse_args()
    if chosen.tiny:
        chosen.batch_size, chosen.steps, chosen.batches = 2, 1, "2"
        chosen.rows, chosen.answer_tokens = "2048", 4
    elif not ON_GPU:
        parser.error("there is no GPU here; --tiny runs the same paths on a CPU")
    wanted = chosen.only.split(",") if chosen.only else [*CASES, "translator"]
    if unknown := set(wanted) - {*CASES, "translator"}:
        parser.error(f"unknown: {' '.join(sorted(unknown))}; known: {' '.join(CASES)} translator")
    figures: dict[str, Any] = about(chosen.tiny)
    with tempfile.TemporaryDirectory() as folder:
        works: dict[str, Callable[[], dict[str, Any]]] = {}
        for name in wanted:
            if name == "translator":
                for size in map(int, chosen.batches.split(",")):
                    works[f"{name}-{size}"] = partial(translated, size, chosen, Path(folder))
                continue
            for tokens in map(int, chosen.rows.split(",")):
                own_folder = Path(folder) / f"{name}-{tokens}"
                works[own_folder.name] = partial(trained, CASES[name], tokens, chosen, own_folder)
        for key, work in works.items():
            figures[key] = attempt(work)
            print(json.dumps({key: figures[key]}), file=sys.stderr, flush=True)
    figures["limits"] = LIMITS
    finish(figures)


def about(tiny: bool) -> dict[str, Any]:
    name = torch.cuda.get_device_name() if ON_GPU else "CPU"
    return {
        "device": name,
        "peak_tflops": (peak_flops(name) or 0) / 1e12 or None,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "liger": sum_loss(LossKernel.AUTO) is not sum_loss(LossKernel.TORCH),
        "tiny": tiny,
    }


def attempt(measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The figures, or in one line why there are none; memory is given back in both cases."""
    if ON_GPU:
        torch.cuda.reset_peak_memory_stats()
    try:
        return measure()
    except torch.OutOfMemoryError as error:
        first = str(error).split("\n")[0].split(". ")
        return {"failed": f"out of memory: {'. '.join(first[:2])}"}
    finally:
        torch.compiler.reset()  # compiled layers hold on to their weights
        gc.collect()
        if ON_GPU:
            torch.cuda.empty_cache()


def scale_of(case: Case, tiny: bool) -> tuple[Scale, Sizes]:
    scale = load_scale(case.scale, SCALES_DIR)
    changed: dict[str, Any] = {"checkpointing": case.checkpointing, "compile": case.compiled}
    if scale.lora:
        dropout = scale.lora.dropout if case.dropout is None else case.dropout
        rank = 4 if tiny else scale.lora.rank
        changed["lora"] = scale.lora.model_copy(update={"dropout": dropout, "rank": rank})
    scale = scale.model_copy(update=changed)
    sizes = sizes_of(scale, Path("none"))
    if tiny:
        language = sizes.language.model_copy(update=TINY | {"kv_heads": 2, "vocabulary": 1216})
        tower = sizes.tower.model_copy(update=TINY)
        sizes = sizes.model_copy(update={"language": language, "tower": tower})
    return scale, sizes


def trained(
    case: Case, row_tokens: int, chosen: argparse.Namespace, folder: Path
) -> dict[str, Any]:
    """As train/run.py trains stage 2."""
    scale, sizes = scale_of(case, chosen.tiny)
    num_steps = WARM_STEPS + chosen.steps
    lengths = drawn_lengths(num_steps * chosen.batch_size)
    patch = sizes.tower.patch_size * (2 if sizes.image_tokens < sizes.patches else 1)
    read = reader(folder, lengths, 1, scale.image_size, patch)
    learner = make_learner(scale, sizes, read)
    stage = Stage(
        learning_rate=scale.stage2.learning_rate,
        projector_learning_rate=scale.stage2.projector_learning_rate,
        batch_size=chosen.batch_size,
        row_tokens=row_tokens,
        max_steps=num_steps,
        save_every_steps=10**9,
    )
    data = read.stage_data(stage, num_steps, seed=1)
    flops, clock = flop_count(sizes, StageName.STAGE2), Clock()
    done: list[tuple[int, float]] = []  # of each step: tokens, operations

    def operations(counts: Any) -> float:
        done.append((counts.tokens, flops.of(counts.tokens, counts.supervised, counts.images)))
        return done[-1][1]

    workers = 0 if chosen.tiny else None
    settings = LoopSettings(trackers=(), workers=workers, spike=None, log_every_steps=10**9)
    trainer = Unsaved(learner, data, Job(stage, folder, 1, settings, operations), callbacks=[clock])
    trainer.train()
    seconds = sum(wall_s for wall_s, _ in clock.steps[WARM_STEPS:])
    tokens, strict = map(sum, zip(*done[WARM_STEPS:], strict=True))
    headline = tokens * flops.per_token_headline
    peak = peak_flops(torch.cuda.get_device_name()) if ON_GPU else None
    return {
        "tokens_per_s": round(tokens / seconds, 1),
        "mfu": round(headline / seconds / peak, 4) if peak else None,
        "mfu_strict": round(strict / seconds / peak, 4) if peak else None,
        "tflops": round(headline / seconds / 1e12, 3),
        "peak_gib": peak_gib(),
        "seconds_a_step": round(seconds / chosen.steps, 3),
        "padding_share": round(data.plan.packing(range(num_steps)).padding_share, 4),
        "attention": str(learner.attends),
        "checkpointing": str(scale.checkpointing),
        "dropout": scale.lora.dropout if scale.lora else None,
        "compiled": scale.compile,
    }


class Unsaved(StageTrainer):
    """Its last step is not kept: gigabytes of random weights."""

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        return


def make_learner(scale: Scale, sizes: Sizes, read: Reader) -> Learner:
    """Everything is made where it stays; only what is trained is fp32."""
    dtype = FROZEN if scale.lora else torch.float32
    spoken = language_model(sizes.language, read.tokenizer, dtype)
    size = sizes.tower
    widths = (size.hidden, size.intermediate)
    config = tower_config(scale.image_size, size.patch_size, *widths, size.layers, size.heads)
    seen = filled(CLIPVisionModel, config, FROZEN)
    model = assemble(scale, seen, spoken, read.tokenizer, 1)
    model.requires_grad_(False)
    model.model.multi_modal_projector.to(DEVICE).requires_grad_(True)
    if scale.lora:
        add_adapters(model.model.language_model, scale.lora, 1)
    else:
        model.model.language_model.requires_grad_(True)
        model.lm_head.requires_grad_(True)
    recompute(model.model.language_model, scale.checkpointing)
    if scale.compile:
        for layer in model.model.language_model.layers:
            layer.compile()
    return Learner(model, 2, scale.attention, scale.loss_kernel)


def language_model(size: LanguageSize, tokenizer: Any, dtype: torch.dtype) -> Any:
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
    return filled(LlamaForCausalLM, config, dtype)


def filled(kind: Any, config: Any, dtype: torch.dtype) -> Any:
    """Never on the CPU and never in fp32 on the way: 7B would take 27 GB there."""
    with DEVICE:
        model = kind._from_config(config, dtype=dtype)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0.0, SPREAD)
    return model


def translated(batch_size: int, chosen: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The translator's engine around a random model, and one batch of requests for it.

    The engine would read its weights from a folder; they are put in their place instead. Answers of
    random words never end by themselves, so each has all its tokens.
    """
    folder /= f"translator-{batch_size}"
    _, sizes = scale_of(CASES["7b-packed"], chosen.tiny)
    tokenizer = train_tokenizer([SOURCE], 300)
    tokenizer.save_pretrained(folder)
    signature = Signature("random", "none", str(FROZEN))
    settings = TranslatorSettings(model=str(folder), finetuned_dir=folder, batch_size=batch_size)
    engine = TransformersEngine(Weights(str(folder)), signature, settings)
    engine._tokenizer = tokenizer
    engine._model = language_model(sizes.language, tokenizer, FROZEN).eval()
    engine._stops = frozenset()
    words = SOURCE.split()
    sampling = Sampling(chosen.answer_tokens)
    requests = [
        Request(str(at), (Message("user", " ".join(words[at % 8 :])),), sampling)
        for at in range(batch_size)
    ]
    with engine:
        warm = list(engine.stream(requests))
        synchronise()
        start = time.perf_counter()
        tokens = sum(result.output_tokens for result in engine.stream(requests))
        synchronise()
        seconds = time.perf_counter() - start
    return {
        "tokens_per_s": round(tokens / seconds, 1),
        "tokens": tokens,
        "prompt_tokens": round(sum(result.prompt_tokens for result in warm) / len(warm)),
        "peak_gib": peak_gib(),
    }


def peak_gib() -> float | None:
    return round(torch.cuda.max_memory_allocated() / GIB, 2) if ON_GPU else None


if __name__ == "__main__":
    main()
