"""`palo translate --estimate` as a person sees it: runs the languages, prints the tables."""

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rich import box
from rich.table import Table

from palo.console import NOTHING, console, note, progress
from palo.engines.stream import Engine
from palo.languages import Language
from palo.settings import EngineKind
from translate.display import duration
from translate.estimate import (
    LanguageEstimate,
    at_once,
    default_sample,
    estimate_language,
    machines,
)
from translate.extrapolate import Estimate, together
from translate.job import Job
from translate.run import Places


def estimate_all(
    jobs: Iterable[tuple[Job, Engine]],
    places: dict[Language, Places],
    kind: EngineKind,
    num: int | None,
) -> None:
    found = []
    count, unit = 1, "machine-hours"
    for job, engine in jobs:
        wanted = num or default_sample(job.settings, kind)
        count, unit = machines(job.settings, kind)
        with progress(f"estimate {job.lang}", wanted) as tick:
            one = estimate_language(
                job,
                places[job.lang],  # type: ignore[index]
                engine,
                wanted,
                at_once(job.settings, kind),
                lambda: datetime.now(UTC).isoformat(timespec="seconds"),
                time.monotonic,
                tick,
            )
        note(
            f"{one.lang}: {one.sampled:,} segments translated into the memory as a sample, "
            f"start-up {one.start_up_s:.1f} s"
        )
        found.append(one)
    console.print(stock_table(found))
    console.print()
    console.print(cost_table(found, count, unit))
    note("± is half of a 95 % interval. Start-up is not in the time.")
    slack = [one.lang for one in found if one.left and not one.full]
    if slack:
        note(
            f"{', '.join(slack)}: the sample never filled the engine for long, so the time is "
            "rather too long; take more with --sample."
        )


def stock_table(found: Sequence[LanguageEstimate]) -> Table:
    """What there is to translate; the sample is among what is there already now."""
    table = _table("turns", "copied", "verified", "unique", "in memory", "sample", "left")
    for one in found:
        stock = one.inventory
        numbers = (stock.turns, stock.copied, stock.verified, stock.unique, stock.there)
        table.add_row(one.lang, *(f"{number:,}" for number in (*numbers, one.sampled, one.left)))
    return table


def cost_table(found: Sequence[LanguageEstimate], count: int, unit: str) -> Table:
    """What is left, in tokens, time and hours of `count` machines."""
    table = _table("prompt\ntokens", "output\ntokens", "tokens/s", "time", unit)
    for one in found:
        rate = NOTHING if one.tokens_per_s is None else _number(one.tokens_per_s)
        table.add_row(one.lang, *_tokens([one]), rate, *_time(one.seconds, count))
    if len(found) > 1:
        times = [one.seconds for one in found if one.seconds is not None]
        whole = together(times) if len(times) == len(found) else None
        table.add_section()
        table.add_row("all", *_tokens(found), "", *_time(whole, count))
    return table


def _table(*names: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)  # for 80 columns
    table.add_column("", no_wrap=True)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _tokens(found: Sequence[LanguageEstimate]) -> list[str]:
    return [
        _number(together([one.prompt_tokens for one in found])),
        _number(together([one.output_tokens for one in found])),
    ]


def _number(found: Estimate) -> str:
    return f"{_short(found.value)} ±{found.share:.1%}"


def _time(found: Estimate | None, count: int) -> tuple[str, str]:
    if found is None:
        return NOTHING, NOTHING
    hours = found.value * count / 3600
    return f"{duration(found.value)} ±{found.share:.1%}", f"{hours:,.3g} ±{found.share:.1%}"


def _short(value: float) -> str:
    """Three digits are more than the interval allows: `940`, `26.1k`, `1.23M`."""
    for size, mark in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{mark}"
    return f"{value:.0f}"
