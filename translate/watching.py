"""Everything that follows a run of `palo translate`: the terminal, `--events`, `--metrics`; and the
account at its end."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich import box
from rich.table import Table

from palo.console import console, note
from palo.schemas import TurnStatus
from translate.display import display
from translate.event_file import event_file
from translate.events import Event, Sink
from translate.run import LanguageReport


@contextmanager
def watching(events_path: Path | None = None, metrics_path: Path | None = None) -> Iterator[Sink]:
    with ExitStack() as stack:
        sinks: list[Sink] = []
        if events_path is not None:
            sinks.append(stack.enter_context(event_file(events_path, lambda: datetime.now(UTC))))
        if metrics_path is not None:
            from translate.metrics import MetricsFile

            sinks.append(MetricsFile(metrics_path, time.monotonic))
        sinks.append(stack.enter_context(display(console, time.monotonic)))

        def tell(event: Event) -> None:
            for sink in sinks:
                sink(event)

        yield tell


def show_account(reports: Sequence[LanguageReport]) -> None:
    """A table where there are several languages, failures by reason, and the audit's sentence."""
    if len(reports) > 1:
        console.print(account_table(reports))
    for report in reports:
        if report.audit.by_person:
            note(
                f"{report.lang}: {report.audit.by_person:,} verified turns differ from the source "
                "in protected spans or image tags, as a person wrote them"
            )
    whole = [report for report in reports if report.audit.balanced]
    if whole:
        turns = sum(report.audit.turns for report in whole)
        read = sum(report.audit.reread for report in whole)
        shards = sum(report.audit.shards for report in whole)
        langs = ", ".join(report.lang for report in whole)
        note(
            f"Audit of {langs}: all {turns:,} source turns are in the shards; no sample missing, "
            f"doubled or foreign; structure identical ({read:,} of {shards:,} shards read back"
            f"{', the others unchanged since they were' if read < shards else ''})."
        )


def account_table(reports: Sequence[LanguageReport]) -> Table:
    """Fits 80 columns with seven-digit counts."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("turns", no_wrap=True)
    for name in ("source", *TurnStatus, "sent"):
        shown = str(name).replace("translated", "trans-\nlated")
        table.add_column(shown, justify="right", no_wrap=True)
    table.add_column("audit", no_wrap=True)
    for report in reports:
        verdict = "whole" if report.audit.balanced else "[bold red]BROKEN[/]"
        table.add_row(report.lang, *_cells([report]), verdict)
    table.add_section()
    table.add_row("together", *_cells(reports), "")
    return table


def _cells(reports: Sequence[LanguageReport]) -> list[str]:
    numbers = [sum(report.audit.turns for report in reports)]
    for status in TurnStatus:
        numbers.append(sum(report.audit.by_status[status] for report in reports))
    numbers.append(sum(report.fill.sent for report in reports))
    return [f"{number:,}" for number in numbers]
