"""Files of a model: in a folder, or on the hub and in its cache on this machine."""

from pathlib import Path
from typing import Any

from palo.files import read_json

WHOLE = ("model.safetensors", "pytorch_model.bin")  # weights in one file, without an index


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
        names = set(read_json(index)["weight_map"].values())
        if all((folder / name).is_file() for name in names):
            return folder
    return folder if any((folder / name).is_file() for name in WHOLE) else None


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
