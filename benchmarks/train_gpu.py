"""Measures training and translating at the true size on NVIDIA GPUs, with random weights.

    python -m benchmarks.train_gpu
    python -m benchmarks.train_gpu --only 7b-packed,7b-packed-no-dropout --rows 8192
    python -m benchmarks.train_gpu --tiny        # the same paths at tiny size, on a CPU too

No weights are downloaded: models of the sizes that train/model/sizes.py knows are made on the
device. Training goes through StageTrainer as `palo train` does: frozen parts in bf16, trained ones
in fp32, an image of 336 pixels a conversation, PALO-like lengths up to 2,048 tokens, rows of 2,048,
4,096 and 8,192. `7b-packed` is PALO's settings; what another case changes is in its name. Cases
`ddp` and `fsdp2` start a process on every GPU, and need two.

For each case: `tokens_per_s` without padding, of all GPUs; `peak_gib` of the first one; and two
kinds of utilisation, both by train/model/sizes.py: `mfu`, the headline's 4N (in full: 6N)
operations for every token, as reports of others count, and `mfu_strict`, with the head on
supervised tokens alone and images counted apart. Recomputation counts in neither.

`translator`: a Llama of 7B, which takes 14 GB of disk in TMPDIR, asked through the engines
`transformers` and `vllm`, the latter with an adapter of rank 64, too; tokens generated a second by
batch size.

A case that needs more than there is says so in `failed`.
"""

import argparse
import gc
import json
import os
import subprocess
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
from peft import LoraConfig, get_peft_model
from transformers import CLIPVisionModel, LlamaConfig, LlamaForCausalLM

from benchmarks.clock import Clock, synchronise
from benchmarks.conversations import Reader, drawn_lengths, reader
from benchmarks.harness import GIB, ROOT, finish
from palo.engines.open import open_engine
from palo.engines.stream import Message, Request, Sampling, Weights
from palo.errors import MissingResource, UserError
from palo.settings import EngineKind, LoopSettings, Sharding, TranslatorSettings
from sceneworld.standins.tiny import train_tokenizer
from sceneworld.standins.tower import tower_config
from train.loop.loss import Learner, recompute, sum_loss
from train.loop.processes import is_first, processes
from train.loop.trainer import Job, StageTrainer
from train.model.assembly import add_adapters, assemble
from train.model.sizes import LanguageSize, Sizes, flop_count, sizes_of
from train.planning.memory import peak_flops
from train.scale import (
    Attention,
    Checkpointing,
    LossKernel,
    Scale,
    Stage,
    StageName,
    load_scale,
)

SCALES_DIR = ROOT / "train/scales"
LIMITS = {"7b-packed": 0.35, "7b-packed-no-dropout": 0.45}
SPREAD = 0.02  # of the weights: what Llama starts from
ADAPTER_RANK = 64  # as the profile `palo` fine-tunes its translator
SOURCE = "Translate into Urdu: what is the colour of the bus beside the bridge? " * 4
WARM_STEPS = 2  # not counted: kernels are chosen, memory is taken
ON_GPU = torch.cuda.is_available()
TOGETHER = int(os.environ.get("WORLD_SIZE", "1"))  # processes that torchrun started
PROCESSES = torch.cuda.device_count() if ON_GPU else 2  # to start where a model is shared
HANGS_S = 1800  # processes that wait for one another never end
DEVICE = torch.device(f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if ON_GPU else "cpu")
FROZEN = torch.bfloat16 if ON_GPU else torch.float32  # the type of what is not trained


@dataclass(frozen=True)
class Case:
    """One way to train a scale."""

    scale: str
    checkpointing: Checkpointing = Checkpointing.FULL
    dropout: float | None = None  # None: the scale's
    compiled: bool = False
    attention: Attention = Attention.AUTO  # on a GPU `varlen`
    loss_kernel: LossKernel = LossKernel.AUTO  # on a GPU Liger
    sharding: Sharding | None = None  # None: one process alone


CASES = {
    "7b-packed": Case("7b"),  # PALO's settings
    "7b-packed-selective": Case("7b", Checkpointing.SELECTIVE),
    "7b-packed-selective-compiled": Case("7b", Checkpointing.SELECTIVE, compiled=True),
    "7b-packed-no-dropout": Case("7b", Checkpointing.NONE, dropout=0.0),
    "7b-packed-no-dropout-compiled": Case("7b", Checkpointing.NONE, dropout=0.0, compiled=True),
    "7b-packed-documents": Case("7b", attention=Attention.DOCUMENTS),  # SDPA a document
    "7b-packed-torch-loss": Case("7b", loss_kernel=LossKernel.TORCH),  # without Liger
    "7b-packed-ddp": Case("7b", sharding=Sharding.NONE),
    "7b-packed-fsdp2": Case("7b", sharding=Sharding.FSDP2),
    "1.7b-packed": Case("1.7b"),
    "1.7b-packed-ddp": Case("1.7b", sharding=Sharding.NONE),
    "1.7b-packed-fsdp2": Case("1.7b", sharding=Sharding.FSDP2),
}
# The engine, and whether it has an adapter.
TRANSLATORS = {
    "translator-transformers": (EngineKind.TRANSFORMERS, False),
    "translator-vllm": (EngineKind.VLLM, False),
    "translator-vllm-adapter": (EngineKind.VLLM, True),
}
TINY = {"hidden": 64, "intermediate": 128, "layers": 2, "heads": 2}  # vLLM's least: heads of 32


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
    known = [*CASES, *TRANSLATORS]
    wanted = chosen.only.split(",") if chosen.only else known
    if unknown := set(wanted) - set(known):
        parser.error(f"unknown: {' '.join(sorted(unknown))}; known: {' '.join(known)}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if TOGETHER > 1:
            shared(wanted[0], int(chosen.rows), chosen, folder)
            return
        works: dict[str, Callable[[], dict[str, Any]]] = {}
        for name in wanted:
            if name in TRANSLATORS:
                for size in map(int, chosen.batches.split(",")):
                    works[f"{name}-{size}"] = partial(translated, name, size, chosen, folder)
                continue
            measure = trained if CASES[name].sharding is None else start_together
            for tokens in map(int, chosen.rows.split(",")):
                works[f"{name}-{tokens}"] = partial(measure, name, tokens, chosen, folder)
        figures: dict[str, Any] = about(chosen.tiny)
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
    except UserError as error:  # something is missing, or vLLM died again and again
        return {"failed": str(error)}
    finally:
        torch.compiler.reset()  # compiled layers hold on to their weights
        free_memory()


def free_memory() -> None:
    gc.collect()
    if ON_GPU:
        torch.cuda.empty_cache()


def start_together(
    name: str, row_tokens: int, chosen: argparse.Namespace, folder: Path
) -> dict[str, Any]:
    """The case in a process on every GPU; on the CPU in two."""
    if PROCESSES < 2:
        raise MissingResource(f"needs two GPUs; this machine has {PROCESSES}")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(PROCESSES)]
    asked = {"only": name, "rows": row_tokens, "batch-size": chosen.batch_size}
    asked["steps"] = chosen.steps
    words = [f"--{option}={value}" for option, value in asked.items()]
    command = [sys.executable, *launcher, "-m", "benchmarks.train_gpu", *words]
    command += ["--tiny"] * chosen.tiny
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=HANGS_S)
    if done.returncode:
        why = [line for line in done.stderr.split("\n") if "Error" in line]
        return {"failed": why[0] if why else done.stderr[-300:]}
    return json.loads(done.stdout.strip().split("\n")[-1])


def shared(name: str, row_tokens: int, chosen: argparse.Namespace, folder: Path) -> None:
    """One process of those that `start_together` started; an error of any ends them all."""
    figures = trained(name, row_tokens, chosen, folder)
    if is_first():
        finish(figures)
    torch.distributed.destroy_process_group()


def scale_of(case: Case, tiny: bool) -> tuple[Scale, Sizes]:
    scale = load_scale(case.scale, SCALES_DIR)
    changed: dict[str, Any] = {
        "checkpointing": case.checkpointing,
        "compile": case.compiled,
        "attention": case.attention,
        "loss_kernel": case.loss_kernel,
    }
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


def trained(name: str, row_tokens: int, chosen: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """As train/run.py trains stage 2."""
    case, state, folder = CASES[name], processes(), folder / f"{name}-{row_tokens}"
    scale, sizes = scale_of(case, chosen.tiny)
    num_steps, batch_size = WARM_STEPS + chosen.steps, chosen.batch_size * state.num_processes
    lengths = drawn_lengths(num_steps * batch_size)
    patch = sizes.tower.patch_size * (2 if sizes.image_tokens < sizes.patches else 1)
    read = reader(folder, lengths, 1, scale.image_size, patch)
    learner = make_learner(scale, sizes, read)
    stage = Stage(
        learning_rate=scale.stage2.learning_rate,
        projector_learning_rate=scale.stage2.projector_learning_rate,
        batch_size=batch_size,
        row_tokens=row_tokens,
        max_steps=num_steps,
        save_every_steps=10**9,
    )
    place = (state.process_index, state.num_processes)
    data = read.stage_data(stage, num_steps, 1, *place)
    flops, clock = flop_count(sizes, StageName.STAGE2), Clock()
    done: list[tuple[int, float]] = []  # of each step: tokens, operations

    def operations(counts: Any) -> float:
        done.append((counts.tokens, flops.of(counts.tokens, counts.supervised, counts.images)))
        return done[-1][1]

    workers = 0 if chosen.tiny else None
    settings = LoopSettings(
        trackers=(),
        workers=workers,
        spike=None,
        log_every_steps=10**9,
        sharding=case.sharding or Sharding.NONE,
    )
    trainer = Unsaved(learner, data, Job(stage, folder, 1, settings, operations), callbacks=[clock])
    trainer.train()
    seconds = sum(wall_s for wall_s, _ in clock.steps[WARM_STEPS:])
    tokens, strict = map(sum, zip(*done[WARM_STEPS:], strict=True))
    headline = tokens * flops.per_token_headline
    peak = peak_flops(torch.cuda.get_device_name()) if ON_GPU else None
    peak = peak * state.num_processes if peak else None
    is_plain = learner.sum_loss is sum_loss(LossKernel.TORCH)
    return {
        "tokens_per_s": round(tokens / seconds, 1),
        "mfu": round(headline / seconds / peak, 4) if peak else None,
        "mfu_strict": round(strict / seconds / peak, 4) if peak else None,
        "tflops": round(headline / seconds / 1e12, 3),
        "peak_gib": peak_gib(),
        "seconds_a_step": round(seconds / chosen.steps, 3),
        "padding_share": round(data.plan.packing(range(num_steps)).padding_share, 4),
        "processes": state.num_processes,
        "attention": str(learner.attends),
        "loss_kernel": str(LossKernel.TORCH if is_plain else LossKernel.LIGER),
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
            layer.compile(dynamic=True)  # as train/run.py does: rows differ in length
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


def translated(
    name: str, batch_size: int, chosen: argparse.Namespace, folder: Path
) -> dict[str, Any]:
    """Two rounds of requests, the second one measured; no two have a beginning in common, which
    vLLM would read once. Answers never end by themselves, so each has all its tokens."""
    kind, has_adapter = TRANSLATORS[name]
    model_dir, adapter_dir = write_translator(folder, chosen.tiny)
    settings = TranslatorSettings(
        model=str(model_dir),
        finetuned_dir=folder,
        dtype=str(FROZEN).removeprefix("torch."),
        batch_size=batch_size,  # transformers
        max_num_seqs=batch_size,  # vllm
    )
    weights = Weights(settings.model, adapter_dir=adapter_dir if has_adapter else None)
    sampling = Sampling(chosen.answer_tokens)
    requests = [
        Request(str(at), (Message("user", f"{at}: {SOURCE}"),), sampling)
        for at in range(2 * batch_size)
    ]
    with open_engine(kind, weights, settings) as engine:
        warm = list(engine.stream(requests[:batch_size]))
        synchronise()
        start = time.perf_counter()
        results = list(engine.stream(requests[batch_size:]))
        synchronise()
        seconds = time.perf_counter() - start
    if errors := [result.error for result in (*warm, *results) if result.error]:
        return {"failed": errors[0]}
    tokens = sum(result.output_tokens for result in results)
    return {
        "tokens_per_s": round(tokens / seconds, 1),
        "tokens": tokens,
        "prompt_tokens": round(sum(result.prompt_tokens for result in results) / batch_size),
        # vLLM's own process takes what it is given
        "peak_gib": peak_gib() if kind is EngineKind.TRANSFORMERS else None,
    }


def write_translator(folder: Path, tiny: bool) -> tuple[Path, Path]:
    """A random model whose answers never end by themselves, and an adapter on it."""
    model_dir, adapter_dir = folder / "translator", folder / "adapter"
    if adapter_dir.is_dir():
        return model_dir, adapter_dir
    _, sizes = scale_of(CASES["7b-packed"], tiny)
    tokenizer = train_tokenizer([SOURCE], 300)
    model = language_model(sizes.language, tokenizer, FROZEN)
    with torch.no_grad():
        model.lm_head.weight[tokenizer.eos_token_id] = 0  # some other token is always likelier
    model.save_pretrained(model_dir)
    tokenizer.save_pretrained(model_dir)
    config = LoraConfig(r=ADAPTER_RANK, target_modules="all-linear", init_lora_weights=False)
    get_peft_model(model, config).save_pretrained(adapter_dir)
    del model
    free_memory()
    return model_dir, adapter_dir


def peak_gib() -> float | None:
    return round(torch.cuda.max_memory_allocated() / GIB, 2) if ON_GPU else None


if __name__ == "__main__":
    main()
