"""`palo status` and `palo report`: where a run stands, what its stages wrote; tables and a page.

Measures nothing itself; what has not been run yet is missing, not zero.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from palo.paths import DataPaths
from palo.schemas import RefinedSample, Verdict
from palo.settings import Profile
from palo.shards import counted, manifest, read_refined, shard_paths

if TYPE_CHECKING:
    import pandas as pd
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
    """Of turns whose truth is known (copied ones left out); only the sample world knows any.

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


# Of an evaluation: shares from 0 to 1 of held-out questions. `reasoning` is the accuracy on those
# that take more than seeing one thing, null where there are none.
ANSWERS = ("accuracy", "accuracy_shuffled", "chance", "reasoning", "fidelity")
_NUMBERS = ("translated", "kept", "flagged", "turns", "wrong", "caught", "chrf", *ANSWERS)


@dataclass(frozen=True)
class Figures:
    """What is known of a run. `languages` is the table of `by_language`; each of `examples` is a
    refined sample with the number of the turn to show."""

    profile: str
    languages: "pd.DataFrame"
    signatures: Sequence[str] = ()  # of the truth's chrF
    by_reason: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # by language
    finetune: Mapping[str, Any] = field(default_factory=dict)  # what `palo translator train` wrote
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    steps: Sequence[Mapping[str, Any]] = ()  # times of the last `palo demo`
    examples: Sequence[tuple[RefinedSample, int]] = ()


def collect(profile: Profile, against_truth: Mapping[str, AgainstTruth]) -> Figures:
    paths = profile.paths
    # the one written last, of whichever scale
    evaluations = (paths.root / "evaluation").glob("*.json")
    newest = max(evaluations, key=lambda path: path.stat().st_mtime, default=None)
    evaluation = read_json(newest) if newest else {}
    answers = evaluation.get("languages", {})
    return Figures(
        profile=profile.name,
        languages=by_language(collect_status(profile), against_truth, answers),
        signatures=sorted({row.signature for row in against_truth.values()}),
        by_reason={lang: manifest(paths.refined(lang)).get("by_reason", {}) for lang in TARGETS},
        finetune=read_json(paths.translator_report, {}),
        evaluation=evaluation,
        steps=tuple(read_json(paths.root / "demo-times.json", [])),
        examples=tuple(_examples(paths)),
    )


def by_language(
    states: Iterable[LanguageStatus],
    truths: Mapping[str, AgainstTruth],
    answers: Mapping[str, Mapping[str, Any]],
) -> "pd.DataFrame":
    """A row a language, with fields of all three; NaN for what was not measured, as in the answers
    of a version that measured less."""
    import pandas as pd

    rows: dict[str, dict[str, Any]] = defaultdict(dict)
    for state in states:
        rows[state.lang] |= vars(state)
    for lang, truth in truths.items():
        rows[lang] |= vars(truth)
    for lang, row in answers.items():
        if row.keys() >= {*ANSWERS}:
            rows[lang] |= {name: row[name] for name in ANSWERS}
    known = [rows[lang] for lang in LANGUAGES]
    return pd.DataFrame(known, index=[*LANGUAGES], columns=_NUMBERS, dtype=float)


def _examples(paths: DataPaths) -> Iterator[tuple[RefinedSample, int]]:
    """For each language the first answers of every verdict, worst first."""
    for lang in TARGETS:
        chosen: dict[Verdict, list[tuple[RefinedSample, int]]] = {each: [] for each in Verdict}
        for path in shard_paths(paths.refined(lang)):
            for refined in read_refined(path):
                # answers alone: questions repeat too much
                for turn in range(1, len(refined.turn_verdicts), 2):
                    if len(rows := chosen[refined.turn_verdicts[turn]]) < EXAMPLES_PER_VERDICT:
                        rows.append((refined, turn))
        yield from chain.from_iterable(reversed(chosen.values()))


# By heading in the terminal: what of `by_language` it tells, and how a value is written.
COLUMNS = {
    "trans-\nlated": ("translated", "{:,.0f}"),
    "kept": ("kept", "{:,.0f}"),
    "flagged": ("flagged", "{:,.0f}"),
    "chrF": ("chrf", "{:.1f}"),
    "wrong\nturns": ("wrong / turns", "{:.1%}"),
    "caught": ("caught / wrong", "{:.1%}"),
    "answers\nright": ("accuracy", "{:.1%}"),
    "images\nmixed": ("accuracy_shuffled", "{:.1%}"),
    "reaso-\nning": ("reasoning", "{:.1%}"),
    "in its\nlanguage": ("fidelity", "{:.1%}"),
}


def texts(figures: Figures) -> dict[str, list[str]]:
    """Under COLUMNS, by language (`ur Urdu`), and their means last; a dash for what is missing.

    A mean is of languages, but for wrong turns and those caught, which are of all turns together.
    """
    import pandas as pd

    known = figures.languages.rename(lambda lang: f"{lang} {info(lang).name}")
    of_turns = ["turns", "wrong", "caught"]
    known.loc["mean"] = pd.concat(
        [known.drop(columns=of_turns).mean(), known[of_turns].sum(min_count=1)]
    )
    rows = zip(*(known.eval(told) for told, _ in COLUMNS.values()), strict=True)
    forms = [form for _, form in COLUMNS.values()]
    return {
        name: [
            NOTHING if pd.isna(value) else form.format(value)
            for value, form in zip(row, forms, strict=True)
        ]
        for name, row in zip(known.index, rows, strict=True)
    }


def table(figures: Figures) -> Table:
    """Per language; a dash stands where a stage has not been run."""
    scale = f", model {figures.evaluation['scale']}" if figures.evaluation.get("scale") else ""
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
    images_dirs = profile.source.images_dir, profile.evaluate.images_dir
    return write_text(profile.paths.report, render(figures, *images_dirs))


def render(
    figures: Figures, source_images_dir: Path | None, evaluation_images_dir: Path | None
) -> str:
    rows = texts(figures)
    means = rows.pop("mean")
    by_reason = figures.by_reason.values()

    def picture(folder: Path | None, name: str | None) -> str:
        return thumbnail(folder / name) if folder and name else ""

    return rendered(
        "palo",
        "report.html.j2",
        figures=figures,
        headings=[heading.replace("-\n", "") for heading in COLUMNS],  # the page has room
        rows=rows.items(),
        means=means,
        plots=plots(figures),
        reasons=sorted(
            ((name, [row.get(name, 0) for row in by_reason]) for name in {*chain(*by_reason)}),
            key=lambda item: (-sum(item[1]), item[0]),
        ),
        examples=[
            (row, turn, picture(source_images_dir, row.sample.image))
            for row, turn in figures.examples
        ],
        answers=[
            (row, picture(evaluation_images_dir, row["image"]))
            for row in figures.evaluation.get("examples", [])[:ANSWERS_SHOWN]
        ],
        languages=LANGUAGES,
    )


def plots(figures: Figures) -> dict[str, str]:
    """Title -> SVG, for whatever has been run."""
    import pandas as pd

    known = figures.languages
    scores = pd.DataFrame.from_dict(figures.finetune.get("languages", {}), orient="index")
    answers = known[["accuracy", "accuracy_shuffled", "chance"]].dropna() * 100
    names = ["with its picture", "pictures shuffled", "guessing (chance)"]
    bars: dict[str, tuple[str, pd.DataFrame, Mapping[str, str]]] = {
        "Translator: chrF++ on held-out pairs, before and after the fine-tune": (
            "chrF++",
            scores.rename(columns=lambda name: name.removeprefix("chrf_")),
            {"before": GREY, "after": BLUE},
        ),
        "Conversations kept and flagged": (
            "conversations",
            known[known.translated > 0],
            {"kept": BLUE, "flagged": ORANGE},
        ),
        "Answers on held-out pictures": (
            "right answers, %",
            answers.set_axis(names, axis=1),
            dict(zip(names, (BLUE, ORANGE, GREY), strict=True)),
        ),
    }
    drawn = {title: _bars(*told) for title, told in bars.items() if len(told[1])}
    if steps := [step for step in figures.steps if not step["skipped"]]:

        def times(axes: "Axes") -> None:
            axes.barh(
                [step["title"] for step in steps], [step["seconds"] for step in steps], color=BLUE
            )
            axes.invert_yaxis()
            axes.set_xlabel("seconds")

        drawn["Where the time went"] = svg(times, (PLOT_WIDTH, 0.4 + 0.3 * len(steps)))
    return drawn


def _bars(unit: str, languages: "pd.DataFrame", colours: Mapping[str, str]) -> str:
    """Grouped bars, a group a language, a bar each of these columns."""

    def draw(axes: "Axes") -> None:
        width = 0.8 / len(colours)
        for number, (name, colour) in enumerate(colours.items()):
            places = [place + (number + 0.5) * width - 0.4 for place in range(len(languages))]
            axes.bar(places, languages[name], width * 0.92, label=name, color=colour)
        axes.set_xticks(range(len(languages)), [*languages.index])
        axes.set_ylabel(unit)
        axes.legend(frameon=False, ncols=len(colours), loc="lower left", bbox_to_anchor=(0, 1))

    return svg(draw, (PLOT_WIDTH, 3.0))
