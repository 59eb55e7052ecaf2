"""The report as one HTML file that asks for nothing from outside."""

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader

from palo.console import percent
from palo.files import replaced, write_json
from palo.languages import info
from palo.paths import DataPaths
from palo.settings import Profile
from palo.shards import records_digest
from refine.report.figures import RATIO_STEP, LanguageFigures
from refine.report.filters import described
from refine.report.table import HEADINGS, NOTES, lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {"pass": "#3b6fb6", "note": "#a9c1e0", "review": "#e08a3c", "reject": "#c44e52"}
_COLUMNS = 3  # of the small plots


def write_report(settings: Profile, rows: Sequence[LanguageFigures]) -> Path:
    """Writes the page and a JSON file beside it, and returns the page's path."""
    paths = DataPaths(settings.data_dir)
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
    with replaced(page) as temporary:
        temporary.write_text(render(settings.name, rows), encoding="utf-8")
    return page


def render(profile: str, rows: Sequence[LanguageFigures]) -> str:
    environment = Environment(loader=PackageLoader("refine.report", "."), autoescape=True)
    names = sorted({name for row in rows for name in row.by_reason})
    totals = {name: sum(row.by_reason[name] for row in rows) for name in names}
    return environment.get_template("page.html.j2").render(
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
    return {
        "Verdicts of turns": _svg(lambda axes: _verdicts(axes[0], rows), 1, 0.7 + 0.3 * len(rows)),
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


def _many(rows: Sequence[LanguageFigures], draw: Any) -> str:
    def draw_all(axes: Sequence["Axes"]) -> None:
        for row, one in zip(rows, axes, strict=False):
            one.set_title(f"{row.lang} {info(row.lang).name}", fontsize=9)
            draw(one, row)
        for one in axes[len(rows) :]:
            one.set_visible(False)

    lines = -(-len(rows) // _COLUMNS)
    return _svg(draw_all, lines * _COLUMNS, 1.7 * lines, _COLUMNS)


def _svg(draw: Any, count: int, height: float, columns: int = 1) -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "palo", "font.size": 8}):
        figure = Figure(figsize=(8.4, max(height, 1.5)), layout="constrained")
        axes = figure.subplots(count // columns, columns, squeeze=False).flatten()
        for one in axes:
            one.spines[["top", "right"]].set_visible(False)
        draw(axes)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return re.sub(r"^.*?(?=<svg)", "", buffer.getvalue(), flags=re.DOTALL)
