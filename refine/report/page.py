"""The report of refine as a table in the terminal and as one HTML page."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from palo import console, pages
from palo.console import NOTHING, percent
from palo.files import write_json
from palo.languages import info
from palo.settings import Profile
from palo.shards import records_digest
from refine.report.figures import (
    RATIO_STEP,
    AuditedTranslator,
    LanguageFigures,
    Quality,
    described,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEADINGS = ("", "kept", "flagged", "edited", "chrF", "wrong (95%)", "plan")
NOTES = (
    "flagged: of the turns, when the language was first refined and now",
    "edited, chrF: by people, all turns of the first translator and of the last",
    "*: of the flagged turns alone, as no more was reviewed",
    "wrong: errors in audited turns that had passed; in brackets, of all of them",
)


def table(rows: Sequence[LanguageFigures], profile: str) -> Table:
    named = ((row.lang, line) for row in rows for line in lines(row))
    return console.table(
        "lang",
        *HEADINGS,
        rows=(("" if line[0] == "after" else lang, *line) for lang, line in named),
        narrow=True,
        pad_edge=True,
        padding=(0, 1, 0, 0),
        title=f"refine, profile {profile}",
        caption="\n".join(NOTES),
        caption_justify="left",
    )


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


def _edits(quality: Quality | None, star: str) -> tuple[str, str]:
    if quality is None:
        return NOTHING, NOTHING
    chrf = NOTHING if quality.chrf is None else f"{quality.chrf:.1f}{star}"
    return percent(quality.edit_rate) + star, chrf


def _wrong(audit: AuditedTranslator | None) -> str:
    """`2/132 (0.4-5.4%)`."""
    if audit is None:
        return NOTHING
    low, high = (f"{100 * share:.1f}" for share in (audit.low, audit.high))
    return f"{audit.num_errors}/{audit.num_rows} ({low}-{high}%)"


_COLOURS = {"pass": pages.BLUE, "note": "#a9c1e0", "review": pages.ORANGE, "reject": pages.RED}
_COLUMNS = 3  # of the small plots
_WIDTH = 8.4  # inches


def write_report(settings: Profile, rows: Sequence[LanguageFigures]) -> Path:
    """Writes the page and a JSON file beside it, and returns the page's path."""
    paths = settings.paths
    page = paths.refine_report
    write_json(
        page.with_suffix(".json"),
        {
            "profile": settings.name,
            "acceptance": settings.refine.acceptance.model_dump(),
            "filters": described(settings.refine, [row.lang for row in rows]),
            "languages": {
                row.lang: {**row.as_json(), "shards": records_digest(paths.refined(row.lang))}
                for row in rows
            },
        },
    )
    return pages.write_page(page, render(settings.name, rows))


def render(profile: str, rows: Sequence[LanguageFigures]) -> str:
    names = sorted({name for row in rows for name in row.by_reason})
    totals = {name: sum(row.by_reason[name] for row in rows) for name in names}
    return pages.rendered(
        "refine.report",
        "page.html.j2",
        profile=profile,
        headings=HEADINGS,
        rows=[(row, lines(row)) for row in rows],
        notes=NOTES,
        reasons=sorted(names, key=lambda name: (-totals[name], name)),
        plots=_plots([row for row in rows if row.turns]),
        info=info,
        percent=percent,
    )


def _plots(rows: Sequence[LanguageFigures]) -> dict[str, str]:
    if not rows:
        return {}
    size = (_WIDTH, max(0.7 + 0.3 * len(rows), 1.5))
    return {
        "Verdicts of turns": pages.svg(lambda axes: _verdicts(axes, rows), size, 8),
        "Length: characters of the translation for one of English": _many(rows, _ratios),
        "Languages that language ID sees, not told which to expect": _many(rows, _identified),
    }


def _verdicts(axes: "Axes", rows: Sequence[LanguageFigures]) -> None:
    left = [0.0] * len(rows)
    for verdict, colour in _COLOURS.items():
        shares = [100 * row.by_verdict[verdict] / row.turns for row in rows]
        axes.barh([row.lang for row in rows], shares, left=left, color=colour, label=verdict)
        left = [before + share for before, share in zip(left, shares, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel("% of turns")
    axes.legend(frameon=False, ncols=4, loc="lower left", bbox_to_anchor=(0, 1))


def _ratios(axes: "Axes", row: LanguageFigures) -> None:
    steps = sorted(row.ratios)
    axes.bar(
        [(step + 0.5) * RATIO_STEP for step in steps],
        [row.ratios[step] for step in steps],
        RATIO_STEP,
        color=_COLOURS["pass"],
    )
    axes.axvspan(*row.band, color="#8a94a6", alpha=0.18, linewidth=0)


def _identified(axes: "Axes", row: LanguageFigures) -> None:
    top = row.identified.most_common(4)
    total = row.identified.total()
    colours = [_COLOURS["pass" if name == row.lang else "review"] for name, _ in top]
    bars = axes.bar([name for name, _ in top], [100 * n / total for _, n in top], color=colours)
    axes.bar_label(bars, fmt="%.1f", fontsize=7)
    axes.set_ylim(0, 115)
    axes.set_xlim(-0.6, 3.6)


def _many(
    rows: Sequence[LanguageFigures], draw: Callable[["Axes", LanguageFigures], object]
) -> str:
    def draw_all(plots: Sequence["Axes"]) -> None:
        for row, axes in zip(rows, plots, strict=False):
            axes.set_title(f"{row.lang} {info(row.lang).name}", fontsize=9)
            draw(axes, row)
        for axes in plots[len(rows) :]:
            axes.set_visible(False)

    lines = -(-len(rows) // _COLUMNS)
    return pages.svg(draw_all, (_WIDTH, max(1.7 * lines, 1.5)), 8, (lines, _COLUMNS))
