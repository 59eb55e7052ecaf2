"""transformers' Trainer, made exact: steps, rows, checkpoints and loss are what PALO's recipe says.

One item of the data loader is one whole step: the rows of this process. Order and packing depend
on the step's number alone, so a resumed run goes on with the very rows it would have seen.
Checkpoints of an unfinished stage are written beside, digested, renamed: one that was cut off has
another name and is never looked at; one whose bytes changed later is passed over.

MFU's convention is train/model/sizes.py's: recomputation never counts, padding is no work.
"""

import math
import os
import shutil
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate.utils import DistributedType, broadcast_object_list
from torch.distributed.tensor import DTensor
from torch.utils.data import DataLoader, Sampler
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from palo.console import Tick, note
from palo.errors import UserError
from palo.files import harm, to_disk, write_digests, write_json
from palo.settings import LoopSettings, Sharding
from palo.tracking import require_trackers, tracked
from train.data.steps import Row, StageData
from train.loop.loss import Learner
from train.loop.processes import (
    cut,
    cut_state,
    in_effect,
    is_first,
    load_whole,
    processes,
    save_whole,
    summed,
    was_asked_to_end,
    whole_state,
)
from train.scale import Optimizer, Stage

TRAINABLE = "trainable.safetensors"
OPTIMIZER, SCHEDULER = "optimizer.pt", "scheduler.pt"  # transformers' own names
DIVERGED = "diverged.json"
WRITING = ".writing"  # where a checkpoint lies until all of it is there
PROJECTOR = "multi_modal_projector"
MAX_GRAD_NORM = 1.0  # transformers' default, which the published runs had
SHARED_MEMORY = Path("/dev/shm")  # through which workers hand tensors over
MIB = 2**20
MEDIAN_OVER = 100  # steps that the median loss is over
SETTLED = 20  # steps before a spike can be told


class Counts(NamedTuple):
    """Of one step: supervised tokens by language, and what the rows hold."""

    by_language: tuple[int, ...]
    tokens: int = 0
    places: int = 0  # tokens and padding
    images: int = 0

    @staticmethod
    def of(rows: Sequence[Row], num_languages: int, device: torch.device) -> "Counts":
        """Of the rows of all processes."""
        counts = torch.zeros(num_languages + 3, dtype=torch.float64)
        for row in rows:
            for language, learned in row.groups:
                counts[language] += learned
            images = 0 if row.pixel_values is None else len(row.pixel_values)
            counts[num_languages:] += torch.tensor([row.tokens, row.input_ids.numel(), images])
        *by_language, tokens, places, images = map(int, summed(counts, device).tolist())
        return Counts(tuple(by_language), tokens, places, images)

    @property
    def supervised(self) -> int:
        return sum(self.by_language)


class Window:
    """The steps since the last line of the log; `peak_flops` of all devices together, a second."""

    def __init__(self, languages: Sequence[str], peak_flops: float | None = None) -> None:
        self.languages, self.peak_flops = languages, peak_flops
        self._steps: list[tuple[torch.Tensor, Counts, float, float]] = []
        self.start()

    def start(self) -> None:
        """What went before (saving a checkpoint) is not part of a step."""
        self._since = time.monotonic()

    def add(self, losses: torch.Tensor, counts: Counts, flops: float) -> None:
        now = time.monotonic()
        self._steps.append((losses, counts, flops, now - self._since))
        self._since = now

    def logs(self, steps_left: int) -> dict[str, float]:
        """The figures of the window, which then begins anew."""
        if not self._steps:
            return {}
        losses, counts, flops, seconds_each = zip(*self._steps, strict=True)
        seconds = max(sum(seconds_each), 1e-9)
        by_language = zip(*(step.by_language for step in counts), strict=True)
        logs = {
            f"loss_{lang}": float(loss / sum(learned))
            for lang, loss, learned in zip(self.languages, sum(losses), by_language, strict=True)
            if any(learned)
        }
        tokens, places = sum(step.tokens for step in counts), sum(step.places for step in counts)
        logs["tokens_per_s"] = tokens / seconds
        logs["padding_share"] = 1 - tokens / places if places else 0.0
        logs["eta_s"] = steps_left * seconds / len(self._steps)
        if self.peak_flops:
            logs["mfu"] = sum(flops) / seconds / self.peak_flops
        self._steps.clear()
        return logs


class SpikeWatch:
    """Tells a loss that is no number, or many times the median of the last ones."""

    def __init__(self, factor: float | None) -> None:
        self.factor = factor
        self._last: deque[float] = deque(maxlen=MEDIAN_OVER)

    def problem(self, loss: float) -> str | None:
        """What is wrong with a step's loss; a sound one is remembered."""
        if not math.isfinite(loss):
            return f"the loss is {loss}"
        if self.factor and len(self._last) >= SETTLED:
            median = statistics.median(self._last)
            if loss > self.factor * median:
                return f"the loss is {loss:.3g}, {self.factor:g} times the median {median:.3g}"
        self._last.append(loss)
        return None


class Display(TrainerCallback):
    """Moves the progress bar; a few figures of the log beside it."""

    def __init__(self, tick: Tick) -> None:
        self.tick, self.text = tick, ""

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self.tick(state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """`loss 0.412 · 3.1k tok/s · MFU 38%`"""
        if "loss" not in (logs := more.get("logs") or {}):
            return
        parts = [f"loss {logs['loss']:.3f}"]
        if speed := logs.get("tokens_per_s"):
            parts.append(f"{speed / 1000:.1f}k tok/s")
        if "mfu" in logs:
            parts.append(f"MFU {logs['mfu']:.0%}")
        self.text = " · ".join(parts)

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self.tick(1, self.text)


class OnDemand(TrainerCallback):
    """Saves a step, and ends the run after it, where all processes agreed on that."""

    saves = ends = False

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if self.saves or self.ends:
            control.should_save = True
        if self.ends:
            control.should_log = control.should_training_stop = True


class EndedEarly(UserError):
    """A signal asked the run to end, which it did with a checkpoint."""

    exit_code = os.EX_TEMPFAIL  # by which scripts tell that the run is to go on


class TrainingDiverged(UserError):
    """A step whose loss or gradient cannot be learned from; nothing was learned from it."""


@dataclass(frozen=True)
class Job:
    """One stage's run: where, how, and what is told of it."""

    stage: Stage
    folder: Path
    seed: int
    settings: LoopSettings
    flops: Callable[[Counts], float] | None = None  # of one step
    peak_flops: float | None = None  # of one device, a second
    optimizer: Optimizer = Optimizer.ADAMW


class _StepsLeft(Sampler[int]):
    """The numbers of the steps from the trainer's current one on."""

    def __init__(self, trainer: "StageTrainer") -> None:
        self.trainer = trainer

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.trainer.state.global_step, len(self)))

    def __len__(self) -> int:
        return len(self.trainer.data)


class StageTrainer(Trainer):
    """Saves and resumes the trained parameters only, the projector always among them."""

    model: Any
    optimizer: Any
    lr_scheduler: Any

    def __init__(self, learner: Learner, data: StageData, job: Job, **kwargs: Any) -> None:
        self.data, self.job, self.learner = data, job, learner
        devices = processes().num_processes
        peak = job.peak_flops * devices if job.peak_flops else None
        self.window = Window(data.languages, peak)
        self.watch = SpikeWatch(job.settings.spike)
        self.demand, self._saved_at = OnDemand(), time.monotonic()
        args = arguments(job, len(data))
        self.is_cut = in_effect(job.settings.sharding) is Sharding.FSDP2
        if self.is_cut:
            cut(learner)
        super().__init__(model=learner, args=args, train_dataset=data, **kwargs)
        self.remove_callback(PrinterCallback)
        self.add_callback(self.demand)

    def get_train_dataloader(self) -> DataLoader[list[Row]]:
        """A step an item; no random number is drawn from the generators that a resume restores."""
        return DataLoader(
            self.data,
            batch_size=None,
            sampler=_StepsLeft(self),
            num_workers=self.args.dataloader_num_workers,
            pin_memory=self.args.dataloader_pin_memory,
            persistent_workers=False,
            generator=torch.Generator().manual_seed(self.args.seed),
        )

    def get_batch_samples(
        self, epoch_iterator: Iterator[list[Row]], num_batches: int, device: torch.device
    ) -> tuple[list[list[Row]], None]:
        """One step; its supervised tokens are counted in `training_step`, over all processes."""
        step = next(epoch_iterator, None)
        return ([] if step is None else [step]), None

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """The projector may learn at its own rate."""
        if self.optimizer is None:
            stage = self.job.stage
            named = [(n, p) for n, p in self.model.named_parameters() if p.requires_grad]
            projector_rate = stage.projector_learning_rate or stage.learning_rate
            groups = [
                {"params": [p for n, p in named if PROJECTOR in n], "lr": projector_rate},
                {"params": [p for n, p in named if PROJECTOR not in n], "lr": stage.learning_rate},
            ]
            chosen = [group for group in groups if group["params"]]
            how: dict[str, Any] = {"betas": (0.9, 0.999), "weight_decay": stage.weight_decay}
            if self.job.optimizer is Optimizer.ADAMW_8BIT:
                self.optimizer = eight_bit_adamw(self.model, chosen, how)
                return self.optimizer
            # one kernel for many parameters
            how["fused"] = self.args.device.type == "cuda" or None
            self.optimizer = torch.optim.AdamW(chosen, **how)
        return self.optimizer

    def training_step(
        self, model: Any, inputs: Any, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """All rows of a step; the mean loss over its supervised tokens on all processes. Raises
        TrainingDiverged, with the step's sample ids in diverged.json."""
        model.train()
        device = self.args.device
        counts = Counts.of(inputs, len(self.data.languages), device)
        losses = torch.zeros(len(self.data.languages), dtype=torch.float64, device=device)
        for at, row in enumerate(inputs, start=1):
            is_last = at == len(inputs)
            with self._accumulating(model, is_last):
                with self.compute_loss_context_manager():
                    told = model(row=row.to(device), num_items=counts.supervised)
                losses += told["by_language"]  # read once a step: reading waits for the device
                if is_last and self.is_deepspeed_enabled:  # whose backward pass takes the step
                    mean = self._told(losses, counts)
                # gradients are averaged over processes, the loss is a mean over all their tokens
                self.accelerator.backward(told["loss"] * self.args.world_size)
        if not self.is_deepspeed_enabled:
            mean = self._told(losses, counts)
        return torch.tensor(mean, device=device)

    def _told(self, losses: torch.Tensor, counts: Counts) -> float:
        """The step's mean loss over all processes, looked at and kept for the log. On the way they
        tell one another whether to save and end: any one's wish is all's, the clock is the first's.
        """
        minutes, since = self.job.settings.save_every_minutes, time.monotonic() - self._saved_at
        is_time = is_first() and minutes is not None and since >= 60 * minutes
        wishes = losses.new_tensor([is_time, was_asked_to_end()])
        *by_language, saves, ends = summed(torch.cat([losses, wishes]), self.args.device)
        everywhere = torch.stack(by_language)
        self.demand.saves, self.demand.ends = bool(saves), bool(ends)
        mean = float(everywhere.sum()) / max(1, counts.supervised)
        if problem := self.watch.problem(mean):
            self._diverged(problem)
        self.window.add(everywhere, counts, self.job.flops(counts) if self.job.flops else 0.0)
        return mean

    @contextmanager
    def _accumulating(self, model: Any, is_last: bool) -> Iterator[None]:
        """Gradients are exchanged once a step, after its last row."""
        if self.accelerator.distributed_type == DistributedType.DEEPSPEED:
            # its engine takes its step inside the backward pass of a row marked so
            self.accelerator.gradient_state._set_sync_gradients(is_last)
            held = False  # ZeRO refuses no_sync
        else:
            held = hasattr(model, "no_sync") and not is_last
            if self.is_cut:
                model.set_requires_gradient_sync(is_last)
        with model.no_sync() if held else nullcontext():
            yield

    def _wrap_model(self, model: Any, training: bool = True, dataloader: Any = None) -> Any:
        if self.is_cut:  # prepared by us: else accelerate would wrap it in DDP
            self.accelerator.prepare_model(model, device_placement=False, evaluation_mode=True)
        return super()._wrap_model(model, training, dataloader)

    def _clip_grad_norm(self, model: Any) -> Any:
        norm = super()._clip_grad_norm(model)
        if isinstance(norm, DTensor):
            norm = norm.full_tensor()
        if norm is not None and not math.isfinite(float(norm)):
            self._diverged(f"the gradient's norm is {float(norm)}")
        return norm

    def _diverged(self, problem: str) -> None:
        """Ends the run before anything is learned from this step."""
        step, told = self.state.global_step, self.job.folder / DIVERGED
        ids = self.data.sample_ids(step)
        if self.args.should_save:
            write_json(told, {"step": step, "problem": problem, "sample_ids": ids})
        raise TrainingDiverged(
            f"Step {step}: {problem}. Stopped before learning from it; the checkpoints before it "
            f"are whole. Its {len(ids)} conversations ({', '.join(ids[:3])}, ...) are listed in "
            f"{told}. Look at them, lower the learning rate, or set train.loop.spike to null."
        )

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "loss" in logs:
            logs.update(self.window.logs(self.state.max_steps - self.state.global_step))
        self.data.losses.check()
        # Trainer counts epochs from where a run was resumed
        self.state.epoch = self.state.global_step / self.data.plan.steps_per_epoch
        super().log(logs, start_time)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Writes beside, then digests and renames: a checkpoint is whole or not there."""
        beside = self.job.folder / WRITING
        if self.args.should_save:
            shutil.rmtree(beside, ignore_errors=True)
        processes().wait_for_everyone()
        super()._save_checkpoint(model, trial)
        processes().wait_for_everyone()
        if self.args.should_save:
            written = beside / f"checkpoint-{self.state.global_step}"
            seal(written, self.job.folder, self.job.stage.save_last)
        processes().wait_for_everyone()
        self.window.start()
        self._saved_at = time.monotonic()

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        save_whole(Path(output_dir or str(self.args.output_dir)) / TRAINABLE, self.learner.model)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        load_whole(Path(resume_from_checkpoint) / TRAINABLE, self.learner.model)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if not self.is_cut:
            super()._save_optimizer_and_scheduler(output_dir)
            return
        state = whole_state(self.optimizer.state_dict())
        if self.args.should_save:
            torch.save(state, Path(output_dir) / OPTIMIZER)
            torch.save(self.lr_scheduler.state_dict(), Path(output_dir) / SCHEDULER)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if not self.is_cut or checkpoint is None:
            super()._load_optimizer_and_scheduler(checkpoint)
            return
        folder = Path(checkpoint)
        state = torch.load(folder / OPTIMIZER, map_location="cpu", mmap=True, weights_only=True)
        self.optimizer.load_state_dict(cut_state(state, self.optimizer))
        self.lr_scheduler.load_state_dict(torch.load(folder / SCHEDULER, weights_only=True))


def eight_bit_adamw(model: Any, groups: list[Any], how: dict[str, Any]) -> torch.optim.Optimizer:
    """bitsandbytes' AdamW; moments of embeddings stay fp32, as its authors advise (arXiv
    2110.02861, section 2.3)."""
    from bitsandbytes.optim import AdamW8bit, GlobalOptimManager

    manager = GlobalOptimManager.get_instance()
    for module in model.modules():
        if isinstance(module, torch.nn.Embedding) and module.weight.requires_grad:
            manager.register_module_override(module, "weight", {"optim_bits": 32})
    return AdamW8bit(groups, **how)


def arguments(job: Job, num_steps: int) -> TrainingArguments:
    stage, settings = job.stage, job.settings
    on_gpu = torch.cuda.is_available()
    workers = settings.workers if settings.workers is not None else 8 if on_gpu else 0
    zero = in_effect(settings.sharding) is Sharding.DEEPSPEED
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # workers fork
    made = TrainingArguments(
        output_dir=str(job.folder / WRITING),
        per_device_train_batch_size=1,  # one step: see `StageTrainer.get_train_dataloader`
        learning_rate=stage.learning_rate,
        max_steps=num_steps,
        ignore_data_skip=True,  # `_StepsLeft` begins at the right step by itself
        lr_scheduler_type="cosine",
        warmup_steps=math.ceil(stage.warmup_ratio * num_steps),
        weight_decay=stage.weight_decay,
        max_grad_norm=MAX_GRAD_NORM,
        bf16=on_gpu,
        use_cpu=not on_gpu,
        deepspeed=str(settings.deepspeed_path) if zero else None,
        ddp_find_unused_parameters=False,
        save_strategy="steps",
        save_steps=stage.save_every_steps,
        logging_steps=settings.log_every_steps,
        logging_nan_inf_filter=False,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_num_workers=workers,
        dataloader_pin_memory=on_gpu,
        seed=job.seed,
        data_seed=job.seed,
    )
    made._n_gpu = min(1, made.n_gpu)  # never DataParallel: several GPUs are torchrun's
    return made


def require_shared_memory(data: StageData, workers: int) -> None:
    """Raises UserError where the steps that workers of this machine's processes hold ready, each
    two, would not go into /dev/shm: they would die of SIGBUS, without a word."""
    if not (workers and SHARED_MEMORY.is_dir()):
        return
    there = os.statvfs(SHARED_MEMORY)
    free, processes_here = there.f_bavail * there.f_frsize, int(os.getenv("LOCAL_WORLD_SIZE", "1"))
    a_step = math.ceil(data.plan.batch_size / data.world_size) * data.pictures.bytes_each
    needed = 2 * workers * a_step * processes_here
    if needed > free:
        raise UserError(
            f"{SHARED_MEMORY} has {free / MIB:,.0f} MiB free; {workers} data workers a process "
            f"hold up to {needed / MIB:,.0f} MiB of pictures in it. In Docker: --shm-size "
            f"{math.ceil(2 * needed / MIB)}m (64m is its default); or train: loop: workers: "
            f"{free // (2 * a_step * processes_here)} in pipelines.yaml."
        )


def run_stage(learner: Learner, data: StageData, job: Job, tick: Tick) -> list[dict[str, float]]:
    """Trains what requires a gradient, from the newest whole checkpoint on; the log. Raises
    EndedEarly where a signal ended it."""
    wanted = job.settings.trackers if is_first() else ()
    require_trackers(wanted, "train.loop.trackers")
    with tracked(wanted, job.folder / "runs") as trackers:
        trainer = StageTrainer(learner, data, job, callbacks=[Display(tick), *trackers])
        require_shared_memory(data, trainer.args.dataloader_num_workers)
        newest = [newest_complete(job.folder) if is_first() else None]
        resumed = broadcast_object_list(newest)[0]  # nobody may see another one
        trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    if trainer.demand.ends:
        raise EndedEarly(
            f"Asked to end by a signal: saved step {trainer.state.global_step} of {len(data)} in "
            f"{job.folder}. The same command goes on from there."
        )
    return [dict(entry) for entry in trainer.state.log_history]


def seal(written: Path, folder: Path, keep_last: int) -> Path:
    """Digests the finished checkpoint `written`, moves it into `folder`, removes older ones."""
    write_digests(written, filter(Path.is_file, written.rglob("*")))
    sealed = folder / written.name
    shutil.rmtree(sealed, ignore_errors=True)
    written.rename(sealed)
    to_disk(folder)
    for path in _by_step(folder)[:-keep_last]:
        shutil.rmtree(path)
    return sealed


def newest_complete(folder: Path) -> Path | None:
    """The latest checkpoint whose files are all there with the bytes that were written."""
    for path in reversed(_by_step(folder)):
        if (problem := harm(path, reread=True)) is None:
            return path
        note(f"{path} cannot be used ({problem}); going on from the one before.")
    return None


def _by_step(folder: Path) -> list[Path]:
    return sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
