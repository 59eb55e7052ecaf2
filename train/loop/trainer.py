"""transformers' Trainer, made exact: order, checkpoints and loss are what PALO's recipe says."""

import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import Sampler
from transformers import (
    LlavaForConditionalGeneration,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from palo.console import Tick
from train.data.batches import Collator, TrainingData
from train.data.mixture import epoch_order
from train.data.template import IGNORED
from train.model.assembly import text_only_loss
from train.model.checkpoint import load_trainable, save_trainable
from train.scale import Stage

TRAINABLE = "trainable.safetensors"
COMPLETE = "complete"  # written last into a Trainer checkpoint; without it a crash is assumed
PROJECTOR = "multi_modal_projector"


class Learner(nn.Module):
    """The model with its loss: cross-entropy on the supervised tokens, and nothing else computed.

    The loss is the mean over all supervised tokens of the step, whatever batches it came in.
    """

    accepts_loss_kwargs = True

    def __init__(self, model: LlavaForConditionalGeneration) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        input_ids: torch.Tensor,
        labels: torch.Tensor,
        pixel_values: torch.Tensor | None = None,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> dict[str, torch.Tensor]:
        model = self.model
        hidden = model.model(
            input_ids=input_ids, pixel_values=pixel_values, use_cache=False
        ).last_hidden_state
        learned = labels[:, 1:] != IGNORED
        logits = model.lm_head(hidden[:, :-1][learned]).float()
        total = nn.functional.cross_entropy(logits, labels[:, 1:][learned], reduction="sum")
        loss = total / (learned.sum() if num_items_in_batch is None else num_items_in_batch)
        if pixel_values is None:
            loss = loss + text_only_loss(model)
        return {"loss": loss}


class EpochSampler(Sampler[int]):
    """Batches of like length in an order that seed and epoch alone decide."""

    def __init__(self, lengths: list[int], batch_size: int, seed: int) -> None:
        self.lengths, self.batch_size, self.seed, self.epoch = lengths, batch_size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        return iter(epoch_order(self.lengths, self.batch_size, self.seed, self.epoch))

    def __len__(self) -> int:
        return len(self.lengths)


class StageTrainer(Trainer):
    """Saves and resumes the trained parameters only, the projector always among them."""

    def __init__(self, learner: Learner, data: TrainingData, stage: Stage, **kwargs: Any) -> None:
        self.stage, self.data = stage, data
        super().__init__(model=learner, train_dataset=data, **kwargs)

    def _get_train_sampler(self, train_dataset: Any = None) -> EpochSampler:
        return EpochSampler(self.data.lengths, self.stage.batch_size, self.args.seed)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """The projector may learn at its own rate."""
        if self.optimizer is None:
            named = [(n, p) for n, p in self.model.named_parameters() if p.requires_grad]
            rate = self.stage.learning_rate
            projector_rate = self.stage.projector_learning_rate or rate
            groups = [
                {"params": [p for n, p in named if PROJECTOR in n], "lr": projector_rate},
                {"params": [p for n, p in named if PROJECTOR not in n], "lr": rate},
            ]
            self.optimizer = torch.optim.AdamW(
                [group for group in groups if group["params"]],
                betas=(0.9, 0.999),
                weight_decay=self.stage.weight_decay,
            )
        return self.optimizer

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        save_trainable(folder / TRAINABLE, self.model.model)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        load_trainable(Path(resume_from_checkpoint) / TRAINABLE, self.model.model)


class Watcher(TrainerCallback):
    """Moves the progress bar, and marks a checkpoint once all of it is written."""

    def __init__(self, tick: Tick) -> None:
        self.tick = tick
        self.loss = ""

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        if logs and "loss" in logs:
            self.loss = f"loss {float(logs['loss']):.3f}"

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.tick(1, self.loss)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if state.is_world_process_zero:
            folder = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
            (folder / COMPLETE).touch()


def newest_complete(folder: Path) -> Path | None:
    """The latest checkpoint that was written to its end; half-written ones are removed."""
    found = {int(path.name.split("-")[1]): path for path in folder.glob("checkpoint-*")}
    for step in sorted(found, reverse=True):
        if (found[step] / COMPLETE).is_file():
            return found[step]
        shutil.rmtree(found[step])
    return None


def arguments(folder: Path, stage: Stage, num_samples: int, seed: int) -> TrainingArguments:
    on_gpu = torch.cuda.is_available()
    world = max(1, int(torch.distributed.get_world_size())) if _distributed() else 1
    micro = max(1, stage.batch_size // world)
    return TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=max(1, stage.batch_size // (micro * world)),
        learning_rate=stage.learning_rate,
        num_train_epochs=stage.epochs,
        max_steps=stage.max_steps,
        lr_scheduler_type="cosine",
        warmup_steps=math.ceil(stage.warmup_ratio * total_steps(stage, num_samples)),
        weight_decay=stage.weight_decay,
        max_grad_norm=1.0,
        bf16=on_gpu,
        use_cpu=not on_gpu,
        save_strategy="steps",
        save_steps=stage.save_every_steps,
        save_total_limit=stage.save_last,
        logging_steps=10,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_num_workers=8 if on_gpu else 0,
        dataloader_pin_memory=on_gpu,
        seed=seed,
        data_seed=seed,
    )


def total_steps(stage: Stage, num_samples: int) -> int:
    """Optimizer steps of the stage."""
    if stage.max_steps > 0:
        return stage.max_steps
    return math.ceil(stage.epochs * max(1, math.ceil(num_samples / stage.batch_size)))


def _distributed() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def run_stage(
    model: LlavaForConditionalGeneration,
    data: TrainingData,
    collator: Collator,
    stage: Stage,
    folder: Path,
    seed: int,
    tick: Tick,
) -> list[dict[str, float]]:
    """Trains what requires a gradient, from the newest complete checkpoint on; the log."""
    trainer = StageTrainer(
        Learner(model),
        data,
        stage,
        args=arguments(folder, stage, len(data), seed),
        data_collator=collator,
        callbacks=[Watcher(tick)],
    )
    trainer.remove_callback(PrinterCallback)
    resumed = newest_complete(folder)
    trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    return [dict(entry) for entry in trainer.state.log_history]
