"""Where a run stands in Prometheus's text format, for node-exporter's textfile collector.

`--metrics /var/lib/node_exporter/textfile/palo.prom`; every series has a label `lang`.
"""

from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, write_to_textfile
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from palo.errors import UserError
from translate.events import Event, Failed, Finished, Progress, ShardWritten, Started
from translate.progress import Monotonic

_EVERY_S = 5.0
_GAUGES = {
    "turns": "Source turns of the language.",
    "turns_done": "Turns whose text is known.",
    "output_tokens_per_s": "Output tokens a second, over the last minute.",
    "segments_per_s": "Segments answered a second, over the last minute.",
    "eta_s": "Seconds until every segment is answered.",
}
_COUNTERS = {
    "sent": "Segments sent to the engine.",
    "finished": "Segments with an entry in the memory.",
    "retried": "Attempts after the first.",
    "reused": "Turns found in a memory, or equal to one on its way.",
    "copied": "Turns with nothing to translate.",
    "prompt_tokens": "Prompt tokens of all attempts.",
    "output_tokens": "Output tokens of all attempts.",
}


class MetricsFile(Collector):
    """A sink. The file is replaced as a whole, every few seconds and whenever a state changes."""

    def __init__(self, path: Path, monotonic: Monotonic) -> None:
        self._path = path
        self._monotonic = monotonic
        self._written_s: float | None = None
        self._progress: dict[str, Progress] = {}
        self._finished: dict[str, Finished] = {}
        self._shards: dict[str, int] = {}
        self._errors: dict[str, int] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"Cannot write metrics to {path}: {error.strerror}.") from None
        self._write()

    def __call__(self, event: Event) -> None:
        match event:
            case Started():
                self._errors[event.lang] = self._shards[event.lang] = 0
            case Progress():
                self._progress[event.lang] = event
            case ShardWritten():
                self._shards[event.lang] += 1
            case Finished():
                self._finished[event.lang] = event
            case Failed():
                self._errors[event.lang] = self._errors.get(event.lang, 0) + 1
        often = isinstance(event, Progress | ShardWritten)
        now_s = self._monotonic()
        if often and self._written_s is not None and now_s - self._written_s < _EVERY_S:
            return
        self._written_s = now_s
        self._write()

    def _write(self) -> None:
        try:
            write_to_textfile(str(self._path), self._registry)
        except OSError as error:
            raise UserError(f"Cannot write metrics to {self._path}: {error.strerror}.") from None

    def collect(self) -> Iterator[Metric]:
        for name, text in _GAUGES.items():
            yield self._gauge(name, text)
        for name, text in _COUNTERS.items():
            yield self._counter(name, text)
        yield self._labelled("failures", "Segments that failed every attempt.", "reason")
        shards = CounterMetricFamily("palo_translate_shards_written", "Shards.", labels=["lang"])
        errors = CounterMetricFamily("palo_translate_errors", "Runs ended by one.", labels=["lang"])
        for lang, number in self._shards.items():
            shards.add_metric([lang], number)
        for lang, number in self._errors.items():
            errors.add_metric([lang], number)
        yield shards
        yield errors
        yield from self._audits()

    def _gauge(self, name: str, text: str) -> Metric:
        family = GaugeMetricFamily(f"palo_translate_{_with_unit(name)}", text, labels=["lang"])
        for lang, progress in self._progress.items():
            if (value := getattr(progress, name)) is not None:
                family.add_metric([lang], value)
        return family

    def _counter(self, name: str, text: str) -> Metric:
        family = CounterMetricFamily(f"palo_translate_{name}", text, labels=["lang"])
        for lang, progress in self._progress.items():
            family.add_metric([lang], getattr(progress, name))
        return family

    def _labelled(self, name: str, text: str, label: str) -> Metric:
        family = CounterMetricFamily(f"palo_translate_{name}", text, labels=["lang", label])
        for lang, progress in self._progress.items():
            for reason, number in progress.failures.items():
                family.add_metric([lang, reason], number)
        return family

    def _audits(self) -> Iterator[Metric]:
        whole = GaugeMetricFamily(
            "palo_translate_audit_whole", "1 where the audit found nothing wrong.", labels=["lang"]
        )
        turns = GaugeMetricFamily(
            "palo_translate_audit_turns", "Turns in the shards.", labels=["lang", "status"]
        )
        for lang, done in self._finished.items():
            whole.add_metric([lang], int(done.whole))
            for status, number in done.by_status.items():
                turns.add_metric([lang, status], number)
        yield whole
        yield turns


def _with_unit(name: str) -> str:
    """Prometheus writes units out."""
    name = name.replace("_per_s", "_per_second")
    return f"{name.removesuffix('_s')}_seconds" if name.endswith("_s") else name
