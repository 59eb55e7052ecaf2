"""`palo status` and `palo report`: where a run stands, and what its stages wrote, as tables in the
terminal and one HTML page.

Measures nothing itself; what has not been run yet is missing, not zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from palo import console
from palo.console import NOTHING
from palo.files import read_json, write_text
from palo.languages import LANGUAGES, TARGETS, info
from palo.pages import BLUE, GREY, ORANGE, rendered, svg, thumbnail
from palo.schemas import Verdict
from palo.settings import Profile
from palo.shards import counted, manifest, read_refined, shard_paths

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EXAMPLES_PER_VERDICT = 2
ANSWERS_SHOWN = 30
PLOT_WIDTH = 7.6  # inches


@dataclass(frozen=True)
class LanguageStatus:
    """Samples, but for `reviewed`, which counts turns that a person accepted or wrote."""

    lang: str
    source: int
    translated: int
    kept: int
    flagged: int
    reviewed: int

    @property
    def left(self) -> int:
        return max(0, self.source - self.translated)


def collect_status(profile: Profile) -> list[LanguageStatus]:
    """From records and manifests alone."""
    paths, rows = profile.paths, []
    source = counted(paths.source_dir)
    for lang in TARGETS:
        refined = manifest(paths.refined(lang))
        counts = (int(refined.get(name, 0)) for name in ("kept", "flagged", "reviewed"))
        rows.append(LanguageStatus(lang, source, counted(paths.translated(lang)), *counts))
    return rows


def status_table(rows: list[LanguageStatus]) -> Table:
    def cells(row: LanguageStatus) -> tuple[str, ...]:
        numbers = (row.source, row.translated, row.kept, row.flagged, row.reviewed, row.left)
        return f"{row.lang} {info(row.lang).name}", *(f"{number:,}" for number in numbers)

    return console.table(
        "language",
        *("source", "translated", "kept", "flagged", "reviewed", "left to do"),
        rows=map(cells, rows),
        narrow=True,
        title="samples per language (reviewed: turns)",
    )


@dataclass(frozen=True)
class AgainstTruth:
    """Of the turns whose truth is known, whoever wrote them (copied ones left out); only the
    sample world knows any.

    `wrong`: turns that differ from the truth at all; `caught`: wrong turns that refine flagged;
    `false_alarms`: right turns flagged. chrf: sacrebleu's corpus chrF, 0-100, with its signature,
    of the turns that the engine wrote alone.
    """

    turns: int
    wrong: int
    caught: int
    false_alarms: int
    chrf: float
    signature: str


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
        return info(self.lang).name


@dataclass(frozen=True)
class ExampleTurn:
    """One turn as the page shows it."""

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
    # the one written last, of whichever scale
    evaluations = (paths.root / "evaluation").glob("*.json")
    newest = max(evaluations, key=lambda path: path.stat().st_mtime, default=None)
    evaluation = read_json(newest) if newest else {}
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
        examples=tuple(_examples(profile)),
    )


def _optional(path: Path) -> Any:
    return read_json(path) if path.is_file() else {}


def _answers(evaluation: dict[str, Any], lang: str) -> Answers | None:
    """None where nothing was evaluated, or by a version that measured less."""
    row = evaluation.get("languages", {}).get(lang, {})
    names = Answers.__dataclass_fields__
    return Answers(**{name: row[name] for name in names}) if names.keys() <= row.keys() else None


def _examples(profile: Profile) -> list[ExampleTurn]:
    """For each language the first answers of every verdict, worst first."""
    images_dir, examples = profile.source.images_dir, []
    for lang in TARGETS:
        room = dict.fromkeys(Verdict, EXAMPLES_PER_VERDICT)
        rows: list[ExampleTurn] = []
        shards = shard_paths(profile.paths.refined(lang))
        for refined in (refined for path in shards for refined in read_refined(path)):
            sample = refined.sample
            for turn, verdict in enumerate(refined.turn_verdicts):
                if turn % 2 == 0 or not room[verdict]:  # answers alone: questions repeat too much
                    continue
                room[verdict] -= 1
                reasons = [finding.reason for finding in refined.findings[turn] if finding.reason]
                rows.append(
                    ExampleTurn(
                        lang=lang,
                        image_path=images_dir / sample.image
                        if images_dir and sample.image
                        else None,
                        previous=sample.source[turn - 1].text,
                        english=sample.source[turn].text,
                        translation=sample.target[turn].text,
                        verdict=verdict,
                        reasons="; ".join(reasons),
                    )
                )
        examples += sorted(rows, key=lambda row: -row.verdict.severity)
    return examples


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
    return write_text(profile.paths.report, render(figures, profile.evaluate.images_dir))


def render(figures: Figures, evaluation_images_dir: Path) -> str:
    answers = figures.evaluation.get("examples", [])[:ANSWERS_SHOWN]
    rows = texts(figures)
    means = rows.pop("mean")
    by_reason = [row.by_reason for row in figures.languages if row.status]
    return rendered(
        "palo",
        "report.html.j2",
        figures=figures,
        headings=[heading.replace("-\n", "") for heading in COLUMNS],  # the page has room
        rows=rows.items(),
        means=means,
        plots=plots(figures),
        signatures=sorted({row.truth.signature for row in figures.languages if row.truth}),
        reasons=sorted(
            ((name, [row.get(name, 0) for row in by_reason]) for name in {*chain(*by_reason)}),
            key=lambda item: (-sum(item[1]), item[0]),
        ),
        examples=[(example, thumbnail(example.image_path)) for example in figures.examples],
        answers=[(row, thumbnail(evaluation_images_dir / row["image"])) for row in answers],
        languages=LANGUAGES,
    )


def plots(figures: Figures) -> dict[str, str]:
    """Title -> SVG, for whatever has been run."""
    drawn = {}
    if scores := figures.finetune.get("languages", {}):
        drawn["Translator: chrF++ on held-out pairs, before and after the fine-tune"] = _bars(
            "chrF++",
            {lang: (row["chrf_before"], row["chrf_after"]) for lang, row in scores.items()},
            before=GREY,
            after=BLUE,
        )
    states = [row.status for row in figures.languages if row.status and row.status.translated]
    if states:
        drawn["Conversations kept and flagged"] = _bars(
            "conversations",
            {state.lang: (state.kept, state.flagged) for state in states},
            kept=BLUE,
            flagged=ORANGE,
        )
    if answers := {row.lang: row.answers for row in figures.languages if row.answers}:
        drawn["Answers on held-out pictures"] = _bars(
            "right answers, %",
            {
                lang: (100 * row.accuracy, 100 * row.accuracy_shuffled, 100 * row.chance)
                for lang, row in answers.items()
            },
            **{"with its picture": BLUE, "pictures shuffled": ORANGE, "guessing (chance)": GREY},
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


def _bars(unit: str, values: Mapping[str, Sequence[float]], **series: str) -> str:
    """Grouped bars, a group a language; `series`: a label and its colour for each of its values."""

    def draw(axes: "Axes") -> None:
        width = 0.8 / len(series)
        for number, (label, colour) in enumerate(series.items()):
            places = [place + (number + 0.5) * width - 0.4 for place in range(len(values))]
            heights = [row[number] for row in values.values()]
            axes.bar(places, heights, width * 0.92, label=label, color=colour)
        axes.set_xticks(range(len(values)), [*values])
        axes.set_ylabel(unit)
        axes.legend(frameon=False, ncols=len(series), loc="lower left", bbox_to_anchor=(0, 1))

    return svg(draw, (PLOT_WIDTH, 3.0))
