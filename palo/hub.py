"""Files of a model: in a folder, or on the hub and in its cache on this machine."""

import os
from pathlib import Path
from typing import Any

from palo.files import DIGESTS, harm, read_json

WHOLE = ("model.safetensors", "pytorch_model.bin")  # weights in one file, without an index
ADAPTER_FILE = "adapter_model.safetensors"  # weights of a LoRA's folder


# Nothing is fetched, and no bot is asked to convert what is no safetensors
_OFFLINE = {"HF_HUB_OFFLINE": "1", "DISABLE_SAFETENSORS_CONVERSION": "1"}
_set_here: set[str] = set()


def stay_offline() -> None:
    """What is not on this machine is missing, whichever library is asked for it: `hf download`
    fetches it. Before huggingface_hub is imported; what the environment says goes before it."""
    for name in _OFFLINE.keys() - os.environ.keys():
        os.environ[name] = _OFFLINE[name]
        _set_here.add(name)


def go_online() -> None:
    """For what the hub itself is asked to do; not where the user has said HF_HUB_OFFLINE."""
    if "HF_HUB_OFFLINE" in _set_here:
        from huggingface_hub import constants

        os.environ.pop("HF_HUB_OFFLINE", None)
        constants.HF_HUB_OFFLINE = False


def cached_snapshot(model: str, revision: str | None = None) -> Path | None:
    """A hub model's folder in the local cache, never from the network; None where it is not."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, revision=revision, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError):
        return None


def with_weights(model: str, revision: str | None = None) -> Path | None:
    """The folder of a model, its own or of the cache, with all of its weights in it.

    A cache that was asked for a config alone has a snapshot too, and a download that was cut short
    lacks files that the weights' index names.
    """
    folder = Path(model) if Path(model).is_dir() else cached_snapshot(model, revision)
    if folder is None:
        return None
    for index in folder.glob("*.index.json"):
        names = set(read_json(index).get("weight_map", {}).values())
        if names and all((folder / name).is_file() for name in names):
            return folder
    return folder if any((folder / name).is_file() for name in WHOLE) else None


def damage(folder: Path) -> str | None:
    """What is wrong with the weights of a folder, a model's or an adapter's; None: nothing. Of one
    without digests.json, as all once were, nothing can be told but that it has weights."""
    if (folder / DIGESTS).is_file():
        return harm(folder)
    is_there = (folder / ADAPTER_FILE).is_file() or with_weights(str(folder)) is not None
    return None if is_there else "its weights are missing"


def hub_file(model: str, revision: str | None, name: str, **looking: Any) -> Path | None:
    """A file of a folder or of the hub; None where there is none. `looking` may say
    `local_files_only`: else a file that is not in the cache is fetched."""
    from transformers.utils.hub import cached_file

    try:
        path: Any = cached_file(model, name, revision=revision, **looking)
    except OSError:
        return None
    return Path(path) if path else None


def hub_json(model: str, revision: str | None, name: str, **looking: Any) -> dict[str, Any]:
    """A JSON file of a folder or of the hub; empty where there is none."""
    path = hub_file(model, revision, name, **looking)
    return dict(read_json(path)) if path else {}
