"""What a run needs that this machine may not have; asked before any heavy import."""

import os
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from palo.console import note
from palo.engines.open import has_gpu
from palo.errors import MissingResource, UserError
from palo.languages import TARGETS
from palo.settings import Profile, Sharding
from palo.shards import shard_paths
from train.scale import Scale, StageName


def require_for_training(scale: Scale, profile: Profile, until: StageName) -> None:
    """Raises MissingResource that lists all that is missing, and what to do about each."""
    refuse_training(scale, profile, missing_for(scale, profile, until))
    require_sharing(profile)


def require_sharing(profile: Profile) -> None:
    """Raises MissingResource where the profile shares a model in a way that can't be had here."""
    sharding = profile.train.loop.sharding
    if sharding is Sharding.NONE:
        return
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        note(
            f"train.loop.sharding: {sharding} has no effect in a single process: "
            "start several with torchrun (docs/training.md)."
        )
        return
    if sharding is not Sharding.DEEPSPEED:
        return
    if not has_gpu():
        raise MissingResource("sharding: deepspeed needs NVIDIA GPUs; fsdp2 runs on CPUs too.")
    if find_spec("deepspeed") is None:
        raise MissingResource(
            "sharding: deepspeed needs the package deepspeed: pip install deepspeed, "
            "or set sharding: fsdp2, which needs nothing more."
        )


def refuse_training(scale: Scale, profile: Profile, missing: list[str]) -> None:
    """Raises MissingResource where something is."""
    _refuse(f"train {scale.name}", profile, missing)


def missing_for(
    scale: Scale, profile: Profile, until: StageName, needs_gpu: bool = True
) -> list[str]:
    """All that training so far needs and this machine lacks, and what to do about each.

    `needs_gpu`: False for a run that is to be somewhere else.
    """
    settings, paths = profile.train, profile.paths
    missing = []
    if not scale.is_standin and needs_gpu and not has_gpu():
        missing.append(f"an NVIDIA GPU for {scale.name}: run on a machine that has one")
    wanted: list[tuple[Path | None, str]] = [
        (settings.captions_path, "captions"),
        (settings.captions_images_dir, "their images"),
    ]
    if scale.language_model.standin:
        wanted.append((settings.text_path, "text for the stand-in language model"))
    if scale.vision_tower.standin:
        wanted.append((settings.patches_path, "patch labels for the stand-in vision tower"))
    missing += _missing_paths(wanted, profile)
    if until is StageName.STAGE1:
        return missing
    if settings.english_mix_path:
        wanted = [
            (settings.english_mix_path, "English instructions"),
            (settings.english_mix_images_dir, "their images"),
        ]
        missing += _missing_paths(wanted, profile)
    elif not shard_paths(paths.source_dir):
        missing.append(f"English conversations in {paths.source_dir}: run palo translate first")
    if not any(shard_paths(paths.refined(lang)) for lang in TARGETS):
        refined = paths.refined("<language>")
        missing.append(f"refined shards ({refined}): palo translate --lang all, then palo refine")
    return missing


def _missing_paths(wanted: Iterable[tuple[Path | None, str]], profile: Profile) -> list[str]:
    missing = []
    for path, what in wanted:
        if path is None:
            raise UserError(f"Profile {profile.name} names no path for {what}: see pipelines.yaml.")
        if not path.exists():
            how = _how_to_get(profile, "palo sample build")
            missing.append(f"{what} ({path}): {how}")
    return missing


def require_for_evaluation(
    scale: Scale, profile: Profile, held_out: bool = True, judge: bool = False
) -> None:
    """Raises MissingResource that lists all that is missing, of the held-out questions and of a
    judge only where they are needed."""
    evaluate, missing = profile.evaluate, []
    if not scale.is_standin and not has_gpu():
        missing.append(f"an NVIDIA GPU for {scale.name}: run on a machine that has one")
    if held_out:
        wanted = [(evaluate.questions_path, "held-out questions")]
        missing += _missing_paths([*wanted, (evaluate.images_dir, "their images")], profile)
    checkpoint = profile.paths.checkpoint(scale.name)
    if not (checkpoint / "config.json").is_file():
        missing.append(f"a checkpoint ({checkpoint}): palo train --scale {scale.name}")
    if judge and evaluate.judge is None:
        missing.append(
            "a judge: set `evaluate: {judge: {model: NAME, server: {base_url: URL}}}` of the "
            "profile in pipelines.yaml, or give --no-judge"
        )
    _refuse(f"evaluate {scale.name}", profile, missing)


def _how_to_get(profile: Profile, build: str) -> str:
    return build if profile.world else "put it there; README.md says where it is published"


def _refuse(what: str, profile: Profile, missing: list[str]) -> None:
    if missing:
        lines = "".join(f"\n  - {line}" for line in missing)
        raise MissingResource(f"Cannot {what} on profile {profile.name}. Missing:{lines}")
