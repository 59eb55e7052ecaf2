"""A micro world with perfect translations, and models small enough to train in a second."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import CLIPVisionConfig, CLIPVisionModel

from palo import schemas
from palo.files import read_json
from palo.languages import TARGETS
from palo.paths import DataPaths
from palo.schemas import (
    IMAGE_TAG,
    RefinedSample,
    Role,
    Sample,
    TranslatedSample,
    Turn,
    TurnMeta,
    TurnStatus,
    Verdict,
)
from palo.settings import WorldSettings, load_profile
from palo.shards import shard_name, to_row, write_shard
from sceneworld import standins
from sceneworld.build import build_world
from sceneworld.standins.tiny import tiny_llama, train_tokenizer
from sceneworld.truth import load_truth, with_image_as_in, without_image
from train.data.template import spans_of
from train.model.assembly import assemble
from train.scale import Scale, standin_builders

standin_builders.update(standins.BUILDERS)  # as the front door does

ROOT = Path(__file__).parents[2]
META = TurnMeta(TurnStatus.TRANSLATED, 1, "stop", -0.1, "scripted", "s", "", "")
STANDIN_TOWER = {"hidden_size": 16, "layers": 2, "heads": 2, "steps": 2, "batch_size": 2}
STANDIN_LM = {
    "vocab_size": 400,
    "hidden_size": 16,
    "layers": 1,
    "heads": 2,
    "steps": 3,
    "riddle_steps": 1,
    "english_steps": 2,
}
STAGE = {"learning_rate": 1e-2, "batch_size": 4, "max_steps": 2, "save_every_steps": 1}
KINDS = {
    "7b": {"projector": "mlp2", "lora": {"rank": 4, "alpha": 8}},
    "13b": {"projector": "mlp2", "lora": {"rank": 8, "alpha": 8, "dropout": 0.1}},
    "1.7b": {"projector": "ldp", "lora": None},
}


def make_scale(name: str, **changed: Any) -> Scale:
    tower = {"name": "tower", "standin": {**STANDIN_TOWER, "patch_size": 16}}
    language = {"name": "lm", "standin": {**STANDIN_LM, "batch_size": 2}}
    return Scale.model_validate(
        {
            "name": name,
            "language_model": language,
            "vision_tower": tower,
            **KINDS[name],
            "image_size": 64,
            "max_length": 600,
            "stage1": STAGE,
            "stage2": STAGE,
            **changed,
        }
    )


def encode(template, turns, has_image, *limits):
    """A whole conversation."""
    return template.fit(spans_of(turns, has_image), *limits)


def make_tokenizer():
    return train_tokenizer(["What is it? A red circle. USER: ASSISTANT:"], 300, (IMAGE_TAG,))


def make_model(scale: Scale, tokenizer):
    config = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=scale.image_size,
        patch_size=16,
        projection_dim=16,
    )
    torch.manual_seed(1)
    return assemble(scale, CLIPVisionModel(config), tiny_llama(tokenizer, 16, 1, 2), tokenizer, 3)


def write_shards(paths: DataPaths) -> None:
    """What ingest, translate and refine would have written, without a mistake."""
    truth = load_truth(paths.world_dir / "truth.jsonl")
    samples = [
        Sample(
            f"{row['id']}-{number}",
            row["id"],
            row.get("image"),
            tuple(Turn(Role(turn["from"]), turn["value"]) for turn in row["conversations"]),
            "world",
        )
        for number, row in enumerate(read_json(paths.world_dir / "source.json"))
    ]
    rows = [to_row(sample) for sample in samples]
    write_shard(paths.source_dir / shard_name(0), rows, schemas.SOURCE, {}, {})
    for lang in TARGETS:
        refined = [to_row(_translated(sample, lang, truth)) for sample in samples]
        write_shard(paths.refined(lang) / shard_name(0), refined, schemas.REFINED, {}, {})


def _translated(sample: Sample, lang: str, truth) -> RefinedSample:
    target, question = [], ""
    for turn in sample.turns:
        english = without_image(turn.text)
        said = truth[question if turn.role is Role.GPT else "", english][lang]
        target.append(Turn(turn.role, with_image_as_in(said, turn.text)))
        question = english
    count = len(target)
    translated = TranslatedSample(
        sample.sample_id,
        sample.source_id,
        lang,
        sample.image,
        sample.turns,
        tuple(target),
        (META,) * count,
        sample.origin,
    )
    passed = (Verdict.PASS,) * count
    return RefinedSample(translated, ((),) * count, passed, Verdict.PASS, True)


@pytest.fixture(scope="session")
def micro_world(tmp_path_factory):
    """A data folder with a world of two source pictures; copied, never changed."""
    root = tmp_path_factory.mktemp("micro")
    settings = WorldSettings(
        source_images=2,
        corpus_scenes=1,
        caption_images=6,
        text_scenes=6,
        parallel_text_scenes=4,
        evaluation_images=2,
    )
    build_world(root / "world", settings)
    write_shards(DataPaths(root))
    return root


@pytest.fixture
def profile(micro_world, tmp_path):
    """The sample profile over a copy of the micro world."""
    shutil.copytree(micro_world, tmp_path / "data" / "sample")
    text = (ROOT / "pipelines.yaml").read_text("utf-8")
    (tmp_path / "pipelines.yaml").write_text(text, "utf-8")
    return load_profile("sample", tmp_path / "pipelines.yaml")
