"""Which weights a model has: a digest of its files, or the revision of a hub."""

from pathlib import Path

from palo.errors import MissingResource
from palo.shards import digest, file_digest, read_json, write_json

_RECORD = ".weights-digest.json"
_SUFFIXES = (".safetensors", ".bin", ".json", ".model", ".jinja", ".txt")


def weights_digest(folder: Path) -> str:
    """12 hex digits over everything in a model folder that decides its text.

    Reading 15 GB again for every run would take minutes, so the digest is kept beside the files
    with their sizes and times. Raises MissingResource where there is no model.
    """
    if not (folder / "config.json").is_file() and not (folder / "adapter_config.json").is_file():
        raise MissingResource(f"No model in {folder} (no config.json there).")
    files = sorted(
        path for path in folder.iterdir() if path.suffix in _SUFFIXES and path.name != _RECORD
    )
    seen = {path.name: [path.stat().st_size, path.stat().st_mtime_ns] for path in files}
    record_path = folder / _RECORD
    if record_path.is_file():
        record = read_json(record_path)
        if record["files"] == seen:
            return str(record["digest"])
    found = digest({path.name: file_digest(path) for path in files})[:12]
    try:
        write_json(record_path, {"files": seen, "digest": found})
    except OSError:  # a read-only model folder: the digest is worked out again next time
        return found
    return found


def cached_snapshot(model: str, revision: str | None) -> Path | None:
    """The folder of a hub model in the local cache, or None; never goes to the network."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = snapshot_download(model, revision=revision, local_files_only=True)
    except LocalEntryNotFoundError:
        return None
    return Path(folder)
