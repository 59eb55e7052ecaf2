"""The report as a table in the terminal."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from palo.console import NOTHING, percent
from refine.report.audit import Audit
from refine.report.figures import LanguageFigures

HEADINGS = (
    "kept",
    "flagged\nbefore",
    "flagged\nafter",
    "edited\nbefore",
    "edited\nafter",
    "chrF\nbefore",
    "chrF\nafter",
    "wrong\nbefore",
    "wrong\nafter",
    "accep-\ntance",
)
NOTES = (
    "before, after: the first translator and the last; flagged: when first refined and now",
    "edited, chrF: of all its turns; with *, of the flagged ones alone, as no more was reviewed",
    "wrong: errors in audited turns that had passed, and between what shares they bound all (95%)",
)


def table(rows: Sequence[LanguageFigures], profile: str) -> Table:
    shown = Table(
        title=f"refine, profile {profile}",
        caption="\n".join(NOTES),
        caption_justify="left",
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
    """The texts under HEADINGS; what has been reviewed or audited once has no after."""
    told = row.before_after
    qualities = (told.before, told.after) if told else (None, None)
    star = "" if told is None or told.of_all else "*"
    first, last = (row.audits[0], row.audits[-1]) if row.audits else (None, None)
    return (
        percent(row.kept / row.samples) if row.samples else NOTHING,
        *(NOTHING if share is None else percent(share) for share in row.flagged_shares),
        *(percent(one.edit_rate) + star if one else NOTHING for one in qualities),
        *(f"{one.chrf:.1f}" if one and one.chrf is not None else NOTHING for one in qualities),
        *map(_wrong, (first, None if last is first else last)),
        str(last.acceptance) if last else NOTHING,
    )


def _wrong(one: Audit | None) -> str:
    """`2/132` and below it `0.4-5.4%`."""
    if one is None:
        return NOTHING
    low, high = (f"{100 * share:.{0 if one.high >= 0.1 else 1}f}" for share in (one.low, one.high))
    return f"{one.num_errors}/{one.num_rows}\n{low}-{high}%"
