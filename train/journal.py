"""What a training run did: losses, seconds, the mixture, what was cut and what was left out."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from palo.console import note
from train.scale import StageName


@dataclass
class Journal:
    """What the run did: goes into the checkpoint as training.json."""

    scale: str
    seconds: dict[str, float] = field(default_factory=dict)
    logs: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    mixture: dict[str, int] = field(default_factory=dict)
    cut: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    set_aside: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        self.seconds[what] = round(time.monotonic() - start, 1)

    def tell(self, stage: StageName) -> None:
        """What of a stage's conversations was cut or left out, in a line each."""
        if lost := self.set_aside[stage]:
            first = f"{lost[0]['id']}: {lost[0]['reason']}"
            note(f"{stage}: {len(lost)} samples set aside; first: {first}")
        cut = {lang: count["cut"] for lang, count in self.cut[stage].items() if count["cut"]}
        if cut:
            by_language = ", ".join(f"{lang} {count}" for lang, count in cut.items())
            note(f"{stage}: conversations cut after a round to fit: {by_language}")
