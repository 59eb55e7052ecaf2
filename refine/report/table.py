"""The report as a table in the terminal."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from palo.console import NOTHING, percent
from refine.report.figures import LanguageFigures

HEADINGS = (
    "kept",
    "flagged\nbefore",
    "flagged\nafter",
    "edited\nbefore",
    "edited\nafter",
    "chrF\nbefore",
    "chrF\nafter",
    "audited\nwrong",
    "accep-\ntance",
)


def table(rows: Sequence[LanguageFigures], profile: str) -> Table:
    shown = Table(
        title=f"refine, profile {profile} (before, after: first and last round)",
        box=box.SIMPLE_HEAD,  # no frame, so that it fits a terminal of 80 characters
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    shown.add_column("lang")
    for name in HEADINGS:
        shown.add_column(name, justify="right")
    for row in rows:
        shown.add_row(row.lang, *cells(row))
    return shown


def cells(row: LanguageFigures) -> tuple[str, ...]:
    """The texts under HEADINGS; one round of review has no after."""
    before = row.rounds[0] if row.rounds else None
    after = row.rounds[-1] if len(row.rounds) > 1 else None
    scores = [one.chrf if one else None for one in (before, after)]
    audit = row.audit
    return (
        percent(row.kept / row.samples) if row.samples else NOTHING,
        *(NOTHING if share is None else percent(share) for share in row.flagged_shares),
        *(percent(one.edit_rate) if one else NOTHING for one in (before, after)),
        *(NOTHING if score is None else f"{score:.1f}" for score in scores),
        f"{audit.num_errors}/{audit.num_rows}" if audit else NOTHING,
        str(audit.acceptance) if audit else NOTHING,
    )
