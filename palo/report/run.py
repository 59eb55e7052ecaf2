"""`palo report`: what the stages wrote, as a table in the terminal and one HTML page.

Measures nothing itself; what has not been run yet is missing, not zero.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rich.table import Table

from palo import console
from palo.console import NOTHING
from palo.files import read_json
from palo.languages import LANGUAGES, TARGETS
from palo.paths import DataPaths
from palo.report.pages import BLUE, GREY, ORANGE, rendered, svg, thumbnail
from palo.report.pages import write_page as write
from palo.schemas import RefinedSample, Verdict
from palo.settings import Profile
from palo.shards import read_refined, shard_paths
from palo.status import LanguageStatus, manifest
from palo.status import collect as collect_status

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EXAMPLES_PER_VERDICT = 2
ANSWERS_SHOWN = 30
PLOT_WIDTH = 7.6  # inches


class AgainstTruth(Protocol):
    """Figures against a known truth; only the sample world has one."""

    @property
    def turns(self) -> int: ...
    @property
    def wrong(self) -> int: ...
    @property
    def caught(self) -> int: ...
    @property
    def false_alarms(self) -> int: ...
    @property
    def chrf(self) -> float: ...
    @property
    def signature(self) -> str: ...


@dataclass(frozen=True)
class Answers:
    """Evaluation of one language: shares from 0 to 1, over `questions` held-out questions."""

    questions: int
    accuracy: float
    accuracy_shuffled: float
    chance: float
    reasoning: float | None  # accuracy on questions that take more than seeing one thing, if any
    fidelity: float


@dataclass(frozen=True)
class LanguageFigures:
    lang: str
    status: LanguageStatus | None  # None for English, which is not translated
    truth: AgainstTruth | None
    answers: Answers | None
    by_reason: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return LANGUAGES[self.lang].name  # type: ignore[index]


@dataclass(frozen=True)
class ExampleTurn:
    """One turn as the page shows it; `truth` is "" where nothing is known."""

    lang: str
    image_path: Path | None
    previous: str
    english: str
    translation: str
    verdict: Verdict
    reasons: str


@dataclass(frozen=True)
class Figures:
    profile: str
    scale: str  # "" where nothing has been evaluated
    languages: tuple[LanguageFigures, ...]
    finetune: dict[str, Any]  # what `palo translator train` reported
    evaluation: dict[str, Any]
    steps: tuple[dict[str, Any], ...]  # times of the last `palo demo`
    examples: tuple[ExampleTurn, ...]


def collect(profile: Profile, against_truth: Mapping[str, AgainstTruth]) -> Figures:
    paths = profile.paths
    evaluation = _latest(paths.root / "evaluation")
    states = {state.lang: state for state in collect_status(profile)}
    languages = tuple(
        LanguageFigures(
            lang=lang,
            status=states.get(lang),
            truth=against_truth.get(lang),
            answers=_answers(evaluation, lang),
            by_reason=dict(manifest(paths.refined(lang)).get("by_reason", {})),
        )
        for lang in LANGUAGES
    )
    return Figures(
        profile=profile.name,
        scale=str(evaluation.get("scale", "")),
        languages=languages,
        finetune=_optional(paths.translator_report),
        evaluation=evaluation,
        steps=tuple(_optional(paths.root / "demo-times.json") or ()),
        examples=tuple(_examples(profile, paths)),
    )


def _optional(path: Path) -> Any:
    return read_json(path) if path.is_file() else {}


def _latest(folder: Path) -> dict[str, Any]:
    """The evaluation written last, of whichever scale."""
    files = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
    return json.loads(files[-1].read_text(encoding="utf-8")) if files else {}


def _answers(evaluation: dict[str, Any], lang: str) -> Answers | None:
    """None where nothing was evaluated, or by a version that measured less."""
    row = evaluation.get("languages", {}).get(lang, {})
    names = Answers.__dataclass_fields__
    return Answers(**{name: row[name] for name in names}) if names.keys() <= row.keys() else None


def _examples(profile: Profile, paths: DataPaths) -> list[ExampleTurn]:
    """For each language the first answers of every verdict, worst first."""
    examples = []
    for lang in TARGETS:
        room = dict.fromkeys(Verdict, EXAMPLES_PER_VERDICT)
        rows: list[ExampleTurn] = []
        for path in shard_paths(paths.refined(lang)):
            for refined in read_refined(path):
                for turn, verdict in enumerate(refined.turn_verdicts):
                    if turn % 2 and room[verdict]:  # answers; questions repeat too much
                        room[verdict] -= 1
                        rows.append(_example(profile, refined, turn))
        examples += sorted(rows, key=lambda row: -row.verdict.severity)
    return examples


def _example(profile: Profile, refined: RefinedSample, turn: int) -> ExampleTurn:
    sample, images_dir = refined.sample, profile.source.images_dir
    reasons = [finding.reason for finding in refined.findings[turn] if finding.reason]
    return ExampleTurn(
        lang=sample.lang,
        image_path=images_dir / sample.image if images_dir and sample.image else None,
        previous=sample.source[turn - 1].text if turn else "",
        english=sample.source[turn].text,
        translation=sample.target[turn].text,
        verdict=refined.turn_verdicts[turn],
        reasons="; ".join(reasons),
    )


# By heading in the terminal, how a value is written.
COLUMNS = {
    "trans-\nlated": "{:,.0f}",
    "kept": "{:,.0f}",
    "flagged": "{:,.0f}",
    "chrF": "{:.1f}",
    "wrong\nturns": "{:.1%}",
    "caught": "{:.1%}",
    "answers\nright": "{:.1%}",
    "images\nmixed": "{:.1%}",
    "reaso-\nning": "{:.1%}",
    "in its\nlanguage": "{:.1%}",
}


def texts(figures: Figures) -> dict[str, list[str]]:
    """Under COLUMNS, by language (`ur Urdu`), and their means last; a dash for what is missing.

    A mean is of languages, but for wrong turns and those caught, which are of all turns together.
    """
    import pandas as pd

    values = pd.DataFrame.from_dict(
        {f"{row.lang} {row.name}": _values(row) for row in figures.languages},
        orient="index",
        columns=[*COLUMNS],
        dtype=float,
    )
    means = values.mean()
    truths = [row.truth for row in figures.languages if row.truth]
    wrong = sum(truth.wrong for truth in truths)
    if truths:
        means["wrong\nturns"] = wrong / sum(truth.turns for truth in truths)
    if wrong:
        means["caught"] = sum(truth.caught for truth in truths) / wrong
    values.loc["mean"] = means
    return {
        str(name): [
            NOTHING if pd.isna(value) else form.format(value)
            for value, form in zip(row, COLUMNS.values(), strict=True)
        ]
        for name, row in values.iterrows()
    }


def _values(row: LanguageFigures) -> list[float | None]:
    status, truth, answers = row.status, row.truth, row.answers
    return [
        *((status.translated, status.kept, status.flagged) if status else [None] * 3),
        *((truth.chrf, truth.wrong / truth.turns) if truth else [None] * 2),
        truth.caught / truth.wrong if truth and truth.wrong else None,
        *((answers.accuracy, answers.accuracy_shuffled) if answers else [None] * 2),
        *((answers.reasoning, answers.fidelity) if answers else [None] * 2),
    ]


def table(figures: Figures) -> Table:
    """Per language; a dash stands where a stage has not been run."""
    scale = f", model {figures.scale}" if figures.scale else ""
    shown = console.table(
        "language",
        *COLUMNS,
        rows=((name, *row) for name, row in texts(figures).items()),
        narrow=True,
        padding=0,
        title=f"Palo, profile {figures.profile}{scale}",
    )
    shown.rows[-1].style = "bold"  # the mean
    return shown


def write_page(figures: Figures, profile: Profile) -> Path:
    """Writes report.html below the profile's data folder and returns its path."""
    page = render(figures, profile.evaluate.images_dir)
    return write(profile.paths.report, page)


def render(figures: Figures, evaluation_images_dir: Path) -> str:
    answers = figures.evaluation.get("examples", [])[:ANSWERS_SHOWN]
    rows = texts(figures)
    means = rows.pop("mean")
    return rendered(
        "palo.report",
        "run.html.j2",
        figures=figures,
        headings=[heading.replace("-\n", "") for heading in COLUMNS],  # the page has room
        rows=rows.items(),
        means=means,
        plots=plots(figures),
        signatures=sorted({row.truth.signature for row in figures.languages if row.truth}),
        reasons=_reasons(figures),
        examples=[(example, thumbnail(example.image_path)) for example in figures.examples],
        answers=[(row, thumbnail(evaluation_images_dir / row["image"])) for row in answers],
        languages=LANGUAGES,
    )


def _reasons(figures: Figures) -> list[tuple[str, list[int]]]:
    """Filter -> turns it spoke of, one number a translated language, most frequent first."""
    rows = [row.by_reason for row in figures.languages if row.status]
    totals: Counter[str] = sum(map(Counter, rows), Counter())
    names = sorted(totals, key=lambda name: (-totals[name], name))
    return [(name, [row.get(name, 0) for row in rows]) for name in names]


def plots(figures: Figures) -> dict[str, str]:
    """Title -> SVG, for whatever has been run."""
    drawn = {}
    if scores := figures.finetune.get("languages", {}):
        drawn["Translator: chrF++ on held-out pairs, before and after the fine-tune"] = _bars(
            list(scores),
            {
                "before": (GREY, [row["chrf_before"] for row in scores.values()]),
                "after": (BLUE, [row["chrf_after"] for row in scores.values()]),
            },
            "chrF++",
        )
    states = [row.status for row in figures.languages if row.status and row.status.translated]
    if states:
        drawn["Conversations kept and flagged"] = _bars(
            [state.lang for state in states],
            {
                "kept": (BLUE, [state.kept for state in states]),
                "flagged": (ORANGE, [state.flagged for state in states]),
            },
            "conversations",
        )
    if answers := {row.lang: row.answers for row in figures.languages if row.answers}:
        drawn["Answers on held-out pictures"] = _bars(
            list(answers),
            {
                "with its picture": (BLUE, [100 * row.accuracy for row in answers.values()]),
                "pictures shuffled": (
                    ORANGE,
                    [100 * row.accuracy_shuffled for row in answers.values()],
                ),
                "guessing (chance)": (GREY, [100 * row.chance for row in answers.values()]),
            },
            "right answers, %",
        )
    if steps := [step for step in figures.steps if not step["skipped"]]:

        def times(axes: "Axes") -> None:
            axes.barh(
                [step["title"] for step in steps], [step["seconds"] for step in steps], color=BLUE
            )
            axes.invert_yaxis()
            axes.set_xlabel("seconds")

        drawn["Where the time went"] = svg(times, (PLOT_WIDTH, 0.4 + 0.3 * len(steps)))
    return drawn


def _bars(names: list[str], series: dict[str, tuple[str, Sequence[float]]], unit: str) -> str:
    """Grouped bars, one group a language; `series` by label: colour, and a value a language."""

    def draw(axes: "Axes") -> None:
        width = 0.8 / len(series)
        for number, (label, (colour, values)) in enumerate(series.items()):
            places = [place + (number + 0.5) * width - 0.4 for place in range(len(names))]
            axes.bar(places, values, width * 0.92, label=label, color=colour)
        axes.set_xticks(range(len(names)), names)
        axes.set_ylabel(unit)
        axes.legend(frameon=False, ncols=len(series), loc="lower left", bbox_to_anchor=(0, 1))

    return svg(draw, (PLOT_WIDTH, 3.0))
