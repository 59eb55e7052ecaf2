"""The report's plots, as SVG text that needs nothing from outside."""

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from palo.report.figures import Figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, GREY, RED = "#3b6fb6", "#e08a3c", "#b9bec7", "#c44e52"
Series = tuple[str, str, Sequence[float]]  # label, colour, one value a language


def plots(figures: Figures) -> dict[str, str]:
    """Title -> SVG, for whatever has been run."""
    drawn = {
        "Translator: chrF++ on held-out pairs, before and after the fine-tune": _finetune(figures),
        "Conversations kept and flagged": _kept(figures),
        "Answers on held-out pictures": _answers(figures),
        "Where the time went": _times(figures),
    }
    return {title: svg for title, svg in drawn.items() if svg}


def _finetune(figures: Figures) -> str:
    rows = figures.finetune.get("languages", {})
    if not rows:
        return ""
    series: list[Series] = [
        ("before", GREY, [row["chrf_before"] for row in rows.values()]),
        ("after", BLUE, [row["chrf_after"] for row in rows.values()]),
    ]
    return _bars(list(rows), series, "chrF++")


def _kept(figures: Figures) -> str:
    rows = [row for row in figures.languages if row.status and row.status.translated]
    if not rows:
        return ""
    states = [row.status for row in rows if row.status]
    series: list[Series] = [
        ("kept", BLUE, [state.kept for state in states]),
        ("flagged", ORANGE, [state.flagged for state in states]),
    ]
    return _bars([row.lang for row in rows], series, "conversations")


def _answers(figures: Figures) -> str:
    rows = [row for row in figures.languages if row.answers]
    answers = [row.answers for row in rows if row.answers]
    if not rows:
        return ""
    series: list[Series] = [
        ("with its picture", BLUE, [100 * row.accuracy for row in answers]),
        ("pictures shuffled", ORANGE, [100 * row.accuracy_shuffled for row in answers]),
        ("guessing (chance)", GREY, [100 * row.chance for row in answers]),
    ]
    return _bars([row.lang for row in rows], series, "right answers, %")


def _bars(names: list[str], series: list[Series], unit: str) -> str:
    """Grouped bars, one group a language."""

    def draw(axes: "Axes") -> None:
        width = 0.8 / len(series)
        for number, (label, colour, values) in enumerate(series):
            places = [place + (number + 0.5) * width - 0.4 for place in range(len(names))]
            axes.bar(places, values, width * 0.92, label=label, color=colour)
        axes.set_xticks(range(len(names)), names)
        axes.set_ylabel(unit)
        axes.legend(frameon=False, ncols=len(series), loc="lower left", bbox_to_anchor=(0, 1))

    return _svg(draw, height=3.0)


def _times(figures: Figures) -> str:
    steps = [step for step in figures.steps if not step["skipped"]]
    if not steps:
        return ""

    def draw(axes: "Axes") -> None:
        titles = [step["title"] for step in steps]
        axes.barh(titles, [step["seconds"] for step in steps], color=BLUE)
        axes.invert_yaxis()
        axes.set_xlabel("seconds")

    return _svg(draw, height=0.4 + 0.3 * len(steps))


def _svg(draw: Any, height: float) -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "palo", "font.size": 9}):
        figure = Figure(figsize=(7.6, height), layout="constrained")
        axes = figure.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
        draw(axes)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return re.sub(r"^.*?(?=<svg)", "", buffer.getvalue(), flags=re.DOTALL)
