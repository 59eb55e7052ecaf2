"""Settings of the benchmark: where the LLaVA-Bench-style set of a profile lies."""

from pathlib import Path

from palo.settings.model import Section


class BenchSettings(Section):
    path: Path  # a folder as palo/benchmark_set.py describes it
