"""The terminal: options that mean the same everywhere, first line, notes, progress, shares."""

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import sqrt
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from palo.settings import Profile

# Of the processes that torchrun starts, the first one speaks.
console = Console(
    highlight=False, soft_wrap=not sys.stdout.isatty(), quiet=os.environ.get("RANK", "0") != "0"
)
NOTHING = "-"  # in tables: what was not measured
_PLAIN_EVERY_S = 10.0

ProfileOption = Annotated[
    str | None, typer.Option("--profile", help="A profile of pipelines.yaml; also PROFILE=...")
]
LangsOption = Annotated[str, typer.Option("--lang", help="Languages: ur, or ur,fr, or all.")]
# translate's own --source takes any file; these commands look at what it made of it
SourceOption = Annotated[
    Path | None, typer.Option("--source", help="The file that `palo translate --source` took.")
]


class Tick(Protocol):
    def __call__(self, advance: int = 1, text: str = "") -> None: ...


def announce(profile: Profile, what: str) -> None:
    """The first line of every command: the profile, its data and its models."""
    console.print(
        f"[bold]palo {what}[/] · profile [bold]{profile.name}[/] · data {_short(profile.data_dir)} "
        f"· source {_short(profile.source.path)} · translator {_short(profile.translator.model)} "
        f"· scales {_short(profile.train.scales_dir)}"
    )


def group(help: str) -> typer.Typer:
    """Commands under one name, which alone prints its help (and is no mistake, as typer has it)."""

    def print_help(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            console.print(context.get_help(), markup=False)

    return typer.Typer(help=help, invoke_without_command=True, callback=print_help)


def note(text: str) -> None:
    console.print(text, markup=False)


def table(
    first: str,
    *names: str,
    text: str | None = None,
    rows: Iterable[Sequence[str]] = (),
    narrow: bool = False,
    **options: Any,
) -> Table:
    """A column of names, columns of numbers, then perhaps one of `text`; `()` of `rows` is a line.
    `narrow` has no frame, for 80 columns."""
    if narrow:
        options = {"box": box.SIMPLE_HEAD, "show_edge": False, "pad_edge": False, **options}
    shown = Table(**options)
    shown.add_column(first, no_wrap=narrow)
    for name in names:
        shown.add_column(name, justify="right", no_wrap=narrow)
    if text is not None:
        shown.add_column(text, no_wrap=narrow, overflow="fold")
    for row in rows:
        if row:
            shown.add_row(*row)
        else:
            shown.add_section()
    return shown


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Tick]:
    """A bar on a terminal, a plain line now and then elsewhere; call the yielded tick per step."""
    if console.is_terminal:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[text]}"),
        )
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(what, total=total, text="")

            def tick(advance: int = 1, text: str = "") -> None:
                bar.update(task, advance=advance, text=text)

            yield tick
    else:
        done, last = 0, time.monotonic()

        def plain(advance: int = 1, text: str = "") -> None:
            nonlocal done, last
            done += advance
            if time.monotonic() - last >= _PLAIN_EVERY_S:
                last = time.monotonic()
                note(f"{what}: {done}{f' of {total}' if total else ''} {text}".rstrip())

        yield plain


def wilson(hits: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson 1927), 95%; (0, 1) where nothing was looked at."""
    if not total:
        return 0.0, 1.0
    share, square = hits / total, z * z / total
    middle, half = share + square / 2, z * sqrt(share * (1 - share) / total + square / total / 4)
    return max(0.0, (middle - half) / (1 + square)), min(1.0, (middle + half) / (1 + square))


def percent(share: float | None) -> str:
    """`93.4%`; a dash for what was not measured."""
    return NOTHING if share is None else f"{share:.1%}"


def _short(path: object) -> str:
    """A path as seen from here, an id of a model hub as it is; brackets are no markup."""
    return escape(str(path).removeprefix(f"{Path.cwd()}/"))
