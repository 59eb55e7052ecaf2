"""Where the weights of a judging model lie, which they are, and what it runs on."""

from pathlib import Path
from typing import Any

from palo.engines.stream import cached_snapshot, weights_digest
from palo.errors import MissingResource
from palo.files import digest, file_digest


def model_folder(model: str, revision: str | None) -> Path:
    """A folder as it is, or a hub model's in the local cache. Raises MissingResource."""
    if Path(model).is_dir():
        return Path(model)
    folder = None if Path(model).is_absolute() else cached_snapshot(model, revision)
    if folder is None:
        wanted = f" --revision {revision}" if revision else ""
        raise MissingResource(
            f"Model {model} of refine.models is not on this machine. Run `hf download "
            f"{model}{wanted}`, or take the filter out of pipelines.yaml."
        )
    return folder


def model_version(model: str, revision: str | None) -> str:
    """The commit of a hub model, or a digest of a folder's files."""
    folder = model_folder(model, revision)
    if not Path(model).is_dir():
        return folder.name
    parts = [path for path in sorted(folder.glob("*/*")) if path.is_file()]
    return digest([weights_digest(folder), *map(file_digest, parts)])


def device() -> Any:
    """The GPU where there is one."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
