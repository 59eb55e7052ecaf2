"""The report as a table in the terminal."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from palo.console import NOTHING, percent
from refine.report.audit import Audit
from refine.report.figures import LanguageFigures
from refine.report.translators import Quality

HEADINGS = ("", "kept", "flagged", "edited", "chrF", "wrong (95%)", "plan")
NOTES = (
    "flagged: of the turns, when the language was first refined and now",
    "edited, chrF: by people, all turns of the first translator and of the last",
    "*: of the flagged turns alone, as no more was reviewed",
    "wrong: errors in audited turns that had passed; in brackets, of all of them",
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
        for lang, line in zip((row.lang, ""), lines(row), strict=False):
            shown.add_row(lang, *line)
    return shown


def lines(row: LanguageFigures) -> list[tuple[str, ...]]:
    """The texts under HEADINGS, before and after; one line where nothing has an after yet."""
    told = row.before_after
    before, after = (told.before, told.after) if told else (None, None)
    star = "" if told is None or told.of_all else "*"
    first, last = (row.audits[0], row.audits[-1]) if row.audits else (None, None)
    later = None if last is first else last
    kept = percent(row.kept / row.samples) if row.samples else NOTHING
    plan = str(last.acceptance) if last else NOTHING
    flagged, now = row.flagged_shares
    if now is None and after is None and later is None:
        return [("now", kept, percent(flagged), *_edits(before, star), _wrong(first), plan)]
    return [
        ("before", "", percent(flagged), *_edits(before, star), _wrong(first), ""),
        ("after", kept, percent(now), *_edits(after, star), _wrong(later), plan),
    ]


def _edits(one: Quality | None, star: str) -> tuple[str, str]:
    if one is None:
        return NOTHING, NOTHING
    return percent(one.edit_rate) + star, NOTHING if one.chrf is None else f"{one.chrf:.1f}{star}"


def _wrong(one: Audit | None) -> str:
    """`2/132 (0.4-5.4%)`."""
    if one is None:
        return NOTHING
    low, high = (f"{100 * share:.1f}" for share in (one.low, one.high))
    return f"{one.num_errors}/{one.num_rows} ({low}-{high}%)"
