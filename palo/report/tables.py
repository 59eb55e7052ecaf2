"""The figures as a table in the terminal."""

from rich import box
from rich.table import Table

from palo.console import NOTHING, percent
from palo.report.figures import Figures, LanguageFigures


def table(figures: Figures) -> Table:
    """Per language; a dash stands where a stage has not been run."""
    scale = f", model {figures.scale}" if figures.scale else ""
    # no frame, so that the ten columns fit a terminal of 80 characters
    shown = Table(
        title=f"Palo, profile {figures.profile}{scale}",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=0,
    )
    shown.add_column("language")
    for name in HEADINGS:
        shown.add_column(name, justify="right")
    for row in figures.languages:
        shown.add_row(f"{row.lang} {row.name}", *cells(row))
    shown.add_row("mean", *means(figures), style="bold")
    return shown


HEADINGS = (
    "trans-\nlated",
    "kept",
    "flagged",
    "chrF",
    "wrong\nturns",
    "caught",
    "answers\nright",
    "images\nmixed",
    "reaso-\nning",
    "in its\nlanguage",
)


def cells(row: LanguageFigures) -> tuple[str, ...]:
    """The texts under HEADINGS, in their order."""
    status, truth, answers = row.status, row.truth, row.answers
    return (
        f"{status.translated:,}" if status else NOTHING,
        f"{status.kept:,}" if status else NOTHING,
        f"{status.flagged:,}" if status else NOTHING,
        f"{truth.chrf:.1f}" if truth else NOTHING,
        percent(truth.wrong / truth.turns) if truth else NOTHING,
        percent(truth.caught / truth.wrong) if truth and truth.wrong else NOTHING,
        percent(answers.accuracy) if answers else NOTHING,
        percent(answers.accuracy_shuffled) if answers else NOTHING,
        percent(answers.reasoning) if answers else NOTHING,
        percent(answers.fidelity) if answers else NOTHING,
    )


def means(figures: Figures) -> tuple[str, ...]:
    states = [row.status for row in figures.languages if row.status]
    truths = [row.truth for row in figures.languages if row.truth]
    answers = [row.answers for row in figures.languages if row.answers]
    wrong, turns = sum(row.wrong for row in truths), sum(row.turns for row in truths)
    return (
        mean([state.translated for state in states], "{:,.0f}"),
        mean([state.kept for state in states], "{:,.0f}"),
        mean([state.flagged for state in states], "{:,.0f}"),
        mean([row.chrf for row in truths], "{:.1f}"),
        percent(wrong / turns) if turns else NOTHING,
        percent(sum(row.caught for row in truths) / wrong) if wrong else NOTHING,
        mean([row.accuracy for row in answers], "{:.1%}"),
        mean([row.accuracy_shuffled for row in answers], "{:.1%}"),
        mean([row.reasoning for row in answers if row.reasoning is not None], "{:.1%}"),
        mean([row.fidelity for row in answers], "{:.1%}"),
    )


def mean(values: list[float] | list[int], form: str) -> str:
    return form.format(sum(values) / len(values)) if values else NOTHING
