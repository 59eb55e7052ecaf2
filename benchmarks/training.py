"""Measures the training loop on a CPU, beside transformers' Trainer with the same model.

    .venv/bin/python -m benchmarks.training

Three contenders start from the same weights and learn the same conversations, as many a step, by
the same AdamW: `ours` (StageTrainer, documents packed into rows), `plain` (stock Trainer on
LlavaForConditionalGeneration, random batches padded to their longest, its own loss and mask) and
`grouped` (the same with `train_sampling_strategy="group_by_length"`). Conversations have PALO's
lengths at a quarter of the size: at most 512 tokens, 144 of them an image's. A round is one pass
of each over all conversations. Counted are tokens without padding from the end of a run's first
step to the end of its last: imports and starts are left out, reading is in. The stock contenders
find their batches' tokens and pixels made, ours makes its own. `busy_cores`: what other work
takes as the run begins; with any, rounds differ too much to compare.

`ratio_to_plain`, `ratio_to_grouped`: medians over the rounds; `_by_cpu_time`: the same with the
time that this process had the cores, which other work on the machine changes less.
`padding_share`, `idle_share` (a process waits for another's longer row): rows of 8,192, documents
up to 2,048, for 1 and 8 processes. `loader_samples_per_s`: conversations with a JPEG each, read,
decoded, padded and resized to 336 pixels, tokenised and packed, by 0 and by 2 workers.
"""

import argparse
import copy
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import psutil
import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader
from transformers import (
    AutoTokenizer,
    CLIPVisionModel,
    LlavaForConditionalGeneration,
    PrinterCallback,
    Trainer,
    TrainingArguments,
)

from benchmarks.clock import Clock
from benchmarks.conversations import IMAGE_TOKENS, MAX_LENGTH, Reader, drawn_lengths, reader
from benchmarks.harness import ROOT, cores, finish, ratios
from palo.schemas import IMAGE_TAG
from palo.settings import LoopSettings
from sceneworld.standins.tiny import tiny_llama
from sceneworld.standins.tower import tower_config
from train.data.images import normalised
from train.data.packing import StepPlan
from train.data.steps import Item, Packer, Pictures
from train.data.template import IGNORED
from train.loop.loss import Learner
from train.loop.trainer import MAX_GRAD_NORM, Job, StageTrainer
from train.model.assembly import assemble
from train.scale import Stage, load_scale

LIMITS = {"ratio_to_plain": 1.5, "ratio_to_grouped": 0.85, "padding_share": 0.03}
RATE, WARMUP = 1e-4, 0.03
SHRINK, IMAGE_SIZE, PATCH_SIZE = 4, 96, 8  # 12 x 12 patches are a quarter of 24 x 24
PLANNED_STEPS, PLANNED_BATCH = 100, 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--conversations", type=int, default=640)
    parser.add_argument(
        "--batch-size", type=int, default=16, help="conversations a step; as published, on each GPU"
    )
    parser.add_argument("--row-tokens", type=int, default=2048)
    parser.add_argument("--hidden-size", type=int, default=256)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--pictures", type=int, default=384, help="JPEGs that the loader reads")
    parser.add_argument("--threads", type=int, help="of PyTorch; all cores unless others need them")
    parser.add_argument("--small", action="store_true", help="seconds, for a test; no figures")
    chosen = parser.parse_args()
    if chosen.small:
        chosen.rounds, chosen.conversations, chosen.pictures = 2, 24, 6
        chosen.hidden_size, chosen.layers, chosen.threads = 32, 1, 1
    busy = psutil.cpu_percent(interval=1.0) / 100 * (psutil.cpu_count() or 1)
    torch.set_num_threads(chosen.threads or cores())
    with tempfile.TemporaryDirectory() as folder:
        raced = race(chosen, Path(folder) / "race")
        loader = loader_speed(chosen.pictures, Path(folder) / "loader")
    finish(
        {
            "threads": torch.get_num_threads(),
            "busy_cores": round(busy, 2),
            **raced,
            **packing(),
            **loader,
            "limits": LIMITS,
        }
    )


def race(chosen: argparse.Namespace, folder: Path) -> dict[str, Any]:
    read = reader(
        folder, drawn_lengths(chosen.conversations, SHRINK), SHRINK, IMAGE_SIZE, PATCH_SIZE
    )
    model = make_model(read, chosen)
    stage = Stage(
        learning_rate=RATE,
        batch_size=chosen.batch_size,
        row_tokens=chosen.row_tokens,
        max_steps=-(-chosen.conversations // chosen.batch_size),
        warmup_ratio=WARMUP,
        save_every_steps=10**9,
    )
    shared = Race(model, read, stage, folder)
    made = [stock_item(read.packer, read.item(index)) for index in range(chosen.conversations)]
    contenders: dict[str, Callable[[int, Clock], dict[str, float]]] = {
        "ours": shared.ours,
        "plain": partial(shared.stock, made, "random"),
        "grouped": partial(shared.stock, made, "group_by_length"),
    }
    rounds: list[dict[str, dict[str, float]]] = []
    for number in range(chosen.rounds):
        rounds.append({name: run(number, Clock()) for name, run in contenders.items()})
        print(json.dumps({"round": number, **rounds[-1]}), file=sys.stderr, flush=True)

    result: dict[str, Any] = {
        "conversations": chosen.conversations,
        "tokens_each": round(float(read.lengths.mean()), 1),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
    for peer in ("plain", "grouped"):
        for speed, after in (("tokens_per_s", ""), ("tokens_per_cpu_s", "_by_cpu_time")):
            ours_and_theirs = [[each[name][speed] for each in rounds] for name in ("ours", peer)]
            result |= ratios(f"ratio_to_{peer}{after}", *ours_and_theirs, "_rounds")
    for name in contenders:
        for figure in ("tokens_per_s", "padding_share", "loss"):
            median = statistics.median(each[name][figure] for each in rounds)
            result[f"{name}_{figure}"] = round(median, 4)
    return result


def make_model(read: Reader, chosen: argparse.Namespace) -> LlavaForConditionalGeneration:
    """All of it is trained but the tower, as 1.7b is."""
    tower = CLIPVisionModel(tower_config(IMAGE_SIZE, PATCH_SIZE, 64, 128, layers=2, heads=2))
    heads = max(1, chosen.hidden_size // 64)
    language_model = tiny_llama(read.tokenizer, chosen.hidden_size, chosen.layers, heads)
    scale = load_scale("7b", ROOT / "train/scales").model_copy(update={"image_size": IMAGE_SIZE})
    model = assemble(scale, tower, language_model, read.tokenizer, 3)
    model.model.vision_tower.requires_grad_(False)
    return model


@dataclass(frozen=True)
class Race:
    """What all contenders are given."""

    model: LlavaForConditionalGeneration
    read: Reader
    stage: Stage
    folder: Path

    def ours(self, seed: int, clock: Clock) -> dict[str, float]:
        data = self.read.stage_data(self.stage, self.stage.max_steps, seed)
        settings = LoopSettings(trackers=(), workers=0, log_every_steps=10**9)
        job = Job(self.stage, self.folder / f"ours-{seed}", seed, settings)
        learner = Learner(copy.deepcopy(self.model), len(data.languages))
        done = StageTrainer(learner, data, job, callbacks=[clock]).train()
        plan, steps = data.plan, range(len(data))
        held = plan.packing(steps)
        by_step = [int(self.read.lengths[plan.conversations(step)].sum()) for step in steps]
        return told(clock, by_step, held.padding_share, done.training_loss)

    def stock(
        self, items: Sequence[dict[str, Any]], sampling: str, seed: int, clock: Clock
    ) -> dict[str, float]:
        batches: list[tuple[int, int]] = []

        def collate(chosen: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
            batch = padded(chosen, self.read.tokenizer.pad_token_id)
            batches.append((int(batch["attention_mask"].sum()), batch["attention_mask"].numel()))
            return batch

        trainer = Trainer(
            model=copy.deepcopy(self.model),
            args=TrainingArguments(
                output_dir=str(self.folder / sampling),
                per_device_train_batch_size=self.stage.batch_size,
                max_steps=self.stage.max_steps,
                learning_rate=self.stage.learning_rate,
                lr_scheduler_type="cosine",
                warmup_steps=math.ceil(WARMUP * self.stage.max_steps),
                max_grad_norm=MAX_GRAD_NORM,
                optim="adamw_torch",
                train_sampling_strategy=sampling,
                use_cpu=True,
                save_strategy="no",
                logging_strategy="no",
                report_to=[],
                disable_tqdm=True,
                remove_unused_columns=False,
                seed=seed,
            ),
            train_dataset=items,
            data_collator=collate,
            callbacks=[clock],
        )
        trainer.remove_callback(PrinterCallback)
        done = trainer.train()
        tokens, places = map(sum, zip(*batches, strict=True))
        by_step = [count for count, _ in batches]
        return told(clock, by_step, 1 - tokens / places, done.training_loss)


def told(clock: Clock, tokens: Sequence[int], padding: float, loss: float) -> dict[str, float]:
    """The first step is not counted: it takes what libraries do once."""
    assert len(clock.steps) == len(tokens)
    seconds, cpu_seconds = map(sum, zip(*clock.steps[1:], strict=True))
    return {
        "tokens_per_s": round(sum(tokens[1:]) / seconds, 1),
        "tokens_per_cpu_s": round(sum(tokens[1:]) / cpu_seconds, 1),
        "seconds": round(seconds, 2),
        "padding_share": padding,
        "loss": loss,
    }


def stock_item(packer: Packer, item: Item) -> dict[str, Any]:
    """As a data set of LLaVA conversations has it; lists, as tokenizers give them."""
    expanded = packer.expand(item.encoded)
    return {
        "input_ids": list(expanded.input_ids),
        "labels": list(expanded.labels),
        "pixel_values": None if item.pixels is None else normalised(item.pixels[None])[0],
    }


def padded(items: Sequence[dict[str, Any]], pad_token_id: int) -> dict[str, torch.Tensor]:
    ids = [torch.tensor(item["input_ids"]) for item in items]
    labels = [torch.tensor(item["labels"]) for item in items]
    batch = {
        "input_ids": pad_sequence(ids, batch_first=True, padding_value=pad_token_id),
        "labels": pad_sequence(labels, batch_first=True, padding_value=IGNORED),
        "attention_mask": pad_sequence([torch.ones_like(row) for row in ids], batch_first=True),
    }
    pixels = [item["pixel_values"] for item in items if item["pixel_values"] is not None]
    return {**batch, "pixel_values": torch.stack(pixels)} if pixels else batch


def packing() -> dict[str, float]:
    """Of a hundred steps of 128 conversations, as stage 2 has them."""
    lengths = drawn_lengths(PLANNED_STEPS * PLANNED_BATCH)
    plan = StepPlan(lengths, lambda _: np.arange(len(lengths)), PLANNED_BATCH, 8192, PLANNED_STEPS)
    figures = {}
    for processes in (1, 8):
        held = plan.packing(range(PLANNED_STEPS), processes)
        after = "" if processes == 1 else f"_{processes}"
        figures[f"padding_share{after}"] = round(held.padding_share, 5)
        figures[f"idle_share{after}"] = round(held.idle_share, 5)
    return figures


def loader_speed(num_pictures: int, folder: Path) -> dict[str, Any]:
    """Every picture once, decoded each time; the page cache is warm."""
    tokenizer = AutoTokenizer.from_pretrained(ROOT / "tests/golden/tokenizer")
    tokenizer.pad_token = tokenizer.unk_token
    tokenizer.add_special_tokens({"extra_special_tokens": [IMAGE_TAG]})
    read = reader(folder, drawn_lengths(num_pictures), 1, 336, 14, tokenizer, num_pictures)
    assert (read.packer.image_tokens, read.measure.max_length) == (IMAGE_TOKENS, MAX_LENGTH)
    stage = Stage(learning_rate=RATE, batch_size=max(1, num_pictures // 12), row_tokens=8192)
    figures: dict[str, Any] = {}
    for workers in (0, 2):
        read = replace(read, pictures=Pictures(read.pictures.processor))  # decodes anew
        data = read.stage_data(stage, num_pictures // stage.batch_size, seed=workers)
        steps = DataLoader(data, batch_size=None, num_workers=workers)
        made = iter(steps)
        next(made)  # starting workers is left out
        start, conversations = time.perf_counter(), 0
        for step, _ in enumerate(made, start=1):
            conversations += len(data.plan.conversations(step))
        speed = round(conversations / (time.perf_counter() - start), 1)
        figures["loader_samples_per_s" + (f"_{workers}_workers" if workers else "")] = speed
    return figures


if __name__ == "__main__":
    main()
