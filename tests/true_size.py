"""7b and its translator at one of two sizes: what tests/test_true_size.py runs.

Both sizes are the published configs of sceneworld/published with random weights, and the scale is
PALO's but for the number of steps: `true` ones are as they are, `tiny` ones as narrow as the
rehearsal's. What takes a GPU's memory runs in a process of its own, and gives it back.
"""

import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from benchmarks.harness import MIB, peak_rss_mib
from palo.engines.open import engines_for
from palo.engines.stream import Message, Request, Result, Sampling
from palo.paths import DataPaths
from palo.settings import (
    AnswerEngine,
    EngineKind,
    Profile,
    Sharding,
    TranslatorSettings,
    WorldSettings,
    load_profile,
)
from sceneworld.build import build_world
from sceneworld.rehearsal import write_model
from tests.train.conftest import ROOT, write_shards
from train.scale import Checkpointing, Scale, StageName, load_scale
from translate import finetune
from translate.finetune import TrainingPair, base_weights, make_pair
from translate.segments import cut

VICUNA, CLIP = "lmsys/vicuna-7b-v1.5", "openai/clip-vit-large-patch14-336"
TRANSLATOR = "tencent/Hy-MT2-7B"
STEPS = 2
STAGE = {"batch_size": 8, "max_steps": STEPS, "row_tokens": 2048, "save_every_steps": 1000}
TOGETHER = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
ANSWER_TOKENS = 32
HANGS_S = 900  # processes that wait for one another never end


@dataclass(frozen=True)
class Project:
    """A folder with models, a micro world, and the scale `7b`; `7b-shared` is the same."""

    folder: Path
    is_true: bool

    def config_path(self, sharding: Sharding = Sharding.NONE) -> Path:
        return self.folder / f"{sharding}.yaml"

    @property
    def profile(self) -> Profile:
        return load_profile("sample", self.config_path())

    def scale(self, name: str = "7b") -> Scale:
        return load_scale(name, self.folder / "scales")

    def losses(self, name: str = "7b") -> dict[str, list[float]]:
        """Of each step, by stage, as the finished checkpoint tells."""
        told = self.profile.paths.checkpoint(name) / "training.json"
        logs = json.loads(told.read_text("utf-8"))["logs"]
        return {
            stage: [row["loss"] for row in rows if "loss" in row] for stage, rows in logs.items()
        }


def build(project: Project) -> None:
    folder = project.folder
    for name, place in ((VICUNA, "language_model"), (CLIP, "vision_tower")):
        write_model(name, folder / place, not project.is_true)
    data_dir = folder / "data" / "sample"
    sizes = {"corpus_scenes": 1, "text_scenes": 6, "parallel_text_scenes": 4}
    pictures = {"source_images": 4, "caption_images": 16, "evaluation_images": 1, "bench_images": 1}
    build_world(data_dir / "world", WorldSettings(**sizes, **pictures))
    write_shards(DataPaths(data_dir))
    questions = data_dir / "world" / "evaluation.jsonl"
    first = questions.read_text("utf-8").split("\n")[:2]  # each in ten languages
    questions.write_text("\n".join(first), "utf-8")
    scale = yaml.safe_load((ROOT / "train/scales/7b.yaml").read_text("utf-8"))
    for part in ("language_model", "vision_tower"):
        scale[part] = {"name": str(folder / part)}
    scale["checkpointing"] = str(Checkpointing.FULL)  # as published
    for stage in StageName:
        scale[stage] |= STAGE
    (folder / "scales").mkdir()
    for name in ("7b", "7b-shared"):
        (folder / "scales" / f"{name}.yaml").write_text(yaml.safe_dump(scale), "utf-8")
    settings = yaml.safe_load((ROOT / "pipelines.yaml").read_text("utf-8"))
    train = settings["profiles"]["sample"]["train"]
    train["scales_dir"] = "scales"
    for sharding in (Sharding.NONE, Sharding.FSDP2):
        train["loop"] = {"log_every_steps": 1, "trackers": [], "sharding": str(sharding)}
        project.config_path(sharding).write_text(yaml.safe_dump(settings), "utf-8")


def learn(project: Project, until: StageName) -> tuple[int, int]:
    """Bytes that training up to the end of that stage took at its peak, and what the plan says. On
    a GPU those of tensors, on a CPU what the process grew by."""
    import psutil
    import torch

    import train.loop.trainer  # noqa: F401  (loaded before memory is looked at)
    from train.model.sizes import sizes_of
    from train.planning.memory import FULL_BYTES, Sharing, memory_of
    from train.run import train_scale

    scale, profile, on_gpu = project.scale(), project.profile, torch.cuda.is_available()
    sizes = sizes_of(scale, profile.data_dir)
    planned = memory_of(sizes, until, Sharing.NONE, 1, 2 if on_gpu else FULL_BYTES)
    before = psutil.Process().memory_info().rss
    train_scale(scale, profile, until)
    grown = int(peak_rss_mib() * MIB) - before
    taken = torch.cuda.max_memory_allocated() if on_gpu else grown
    return taken, planned.total - planned.overhead


def learn_together(project: Project) -> None:
    """The whole of `7b-shared` by `palo train`, FSDP2 over two processes."""
    environment = {**os.environ, "PALO_CONFIG": str(project.config_path(Sharding.FSDP2))}
    command = [sys.executable, *TOGETHER, "-m", "palo", "train", "--scale", "7b-shared"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=HANGS_S
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


def ask(project: Project) -> dict[str, Any]:
    """`palo evaluate --engine vllm`."""
    from train.evaluation.held_out import evaluate_scale

    return evaluate_scale(project.scale(), project.profile, AnswerEngine.VLLM)


def translator(project: Project) -> TranslatorSettings:
    """As the profile `palo` has it, but for its place."""
    settings = load_profile("palo", project.config_path()).translator
    quiet = settings.finetune.model_copy(update={"trackers": ()})
    changed = {"model": str(project.folder / "translator"), "revision": None, "finetune": quiet}
    changed |= {"finetuned_dir": project.folder / "tuned", "data_parallel_size": 1}
    if not project.is_true:
        changed["dtype"] = "float32"  # which any CPU has
    return settings.model_copy(update=changed)


def pairs() -> list[TrainingPair]:
    said = {"circle": "Le cercle est rouge.", "square": "Le carré est rouge.", "heart": "Un coeur."}
    made = [make_pair("fr", cut(f"A red {name}."), french) for name, french in said.items()]
    return [pair for pair in made if pair]


def tune(project: Project) -> float | None:
    """Writes the translator and an adapter on it, as `palo translator train` does; its loss."""
    write_model(TRANSLATOR, project.folder / "translator", not project.is_true)
    settings = translator(project)
    return finetune.train(settings, pairs(), settings.finetuned_dir / "fr", "fr")


def translate(project: Project) -> list[list[Result]]:
    """Answers of the model alone, and with its adapter, by one vLLM."""
    settings = translator(project)
    alone = base_weights(settings)
    wanted = [alone, replace(alone, adapter_dir=settings.finetuned_dir / "fr")]
    requests = [
        Request(pair.text, (Message("user", pair.prompt),), Sampling(ANSWER_TOKENS))
        for pair in pairs()
    ]
    with closing(engines_for(EngineKind.VLLM, wanted, settings)) as engines:
        results = [list(engine.stream(requests)) for engine in engines]
    return [sorted(of_engine, key=lambda result: result.tag) for of_engine in results]
