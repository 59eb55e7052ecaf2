"""Where the checkpoint of a scale is: merged, or base and adapter."""

from pathlib import Path

from palo.errors import MissingResource
from palo.paths import DataPaths
from palo.settings import Profile
from train.scale import Scale
from train.serving.arguments import ADAPTER, BASE

_ADAPTED = "-adapter"  # what `keep_adapter` adds to the scale's name


def find_checkpoint(scale: Scale, profile: Profile, given: Path | None) -> Path:
    """The folder `given`, else the profile's own of the scale. Raises MissingResource."""
    if given is not None:
        if not is_checkpoint(given):
            raise MissingResource(
                f"No checkpoint in {given}: neither config.json nor {BASE}/ and {ADAPTER}/."
            )
        return given
    merged = DataPaths(profile.data_dir).checkpoint(scale.name)
    parts = merged.with_name(merged.name + _ADAPTED)
    for folder in (merged, parts):
        if is_checkpoint(folder):
            return folder
    raise MissingResource(
        f"No checkpoint in {merged}. Train it first: palo train --scale {scale.name}"
    )


def is_checkpoint(folder: Path) -> bool:
    if (folder / "config.json").is_file():
        return True
    parts = (folder / BASE / "config.json", folder / ADAPTER / "adapter_config.json")
    return all(part.is_file() for part in parts)
