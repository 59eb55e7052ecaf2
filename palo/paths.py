"""Where the data of a run lies, below the profile's data folder; names that stay in theirs."""

import hashlib
import re
from pathlib import Path


def source_root(data_dir: Path, source_path: Path) -> Path:
    """The folder of its own that `--source FILE` works in, so the profile's data stays as it is.
    Named after the file's place, not its content: an extended file finds its memory again."""
    place = str(source_path.absolute())
    mark = hashlib.blake2b(place.encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()
    return data_dir / "sources" / f"{source_path.stem}-{mark}"


def leads_out(name: str) -> bool:
    """Whether a name out of the data leads out of the folder that it is meant to be in. Only names
    are looked at: links that a user has laid inside the folder are the user's own."""
    outside = name[:1] in ("/", "\\") or ".." in re.split(r"[/\\]", name)
    return outside or re.match("[A-Za-z]:", name) is not None or "\0" in name


class DataPaths:
    """The layout that all stages agree on; nothing here touches the disk."""

    def __init__(self, root: Path, memory_dir: Path | None = None) -> None:
        self.root = root
        self.world_dir = root / "world"
        self.source_dir = root / "source"
        # SQLite's files, which want a local disk, wherever the rest lies
        self.memory_dir = memory_dir or root / "memory"
        # the first samples a person reviews; `<lang>/part-*.parquet` like translated/
        self.seed_dir = root / "seed"
        self.models_dir = root / "models"
        self.translator_report = self.models_dir / "translator-training.json"
        self.report = root / "report.html"
        self.refine_report = root / "refine-report.html"

    def memory(self, lang: str) -> Path:
        return self.memory_dir / f"{lang}.sqlite"

    def verified(self, lang: str) -> Path:
        return self.memory_dir / f"{lang}.verified.sqlite"

    def translated(self, lang: str) -> Path:
        return self.root / "translated" / lang

    def refined(self, lang: str) -> Path:
        return self.root / "refined" / lang

    def review(self, lang: str) -> Path:
        return self.root / "review" / lang

    def checkpoint(self, scale: str) -> Path:
        return self.root / "checkpoints" / scale

    def evaluation(self, scale: str) -> Path:
        return self.root / "evaluation" / f"{scale}.json"
