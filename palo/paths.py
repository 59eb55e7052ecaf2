"""Where the data of a run lies, below the profile's data folder."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DataPaths:
    """The layout that all stages agree on; nothing here touches the disk."""

    root: Path

    @property
    def world_dir(self) -> Path:
        return self.root / "world"

    @property
    def source_dir(self) -> Path:
        return self.root / "source"

    @property
    def memory_dir(self) -> Path:
        return self.root / "memory"

    @property
    def models_dir(self) -> Path:
        return self.root / "models"

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

    @property
    def translator_report(self) -> Path:
        return self.models_dir / "translator-training.json"

    @property
    def report(self) -> Path:
        return self.root / "report.html"
