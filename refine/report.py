"""The report of refine: what was kept and flagged and why, and whether reviewing pays.

Its figures come from refined shards and review files; what is missing is None. What reviewing
said of the machine is told in rounds, of translators before and after, and in audits of what
passed. A round is an exported batch, in the order of their numbers: the seed's first, then the
others. The report is a table in the terminal, one HTML page, and a JSON file beside it.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.table import Table

from palo import console, pages
from palo.checks.language import LanguageId
from palo.checks.structure import without_protected
from palo.console import NOTHING, percent, wilson
from palo.files import write_json, write_text
from palo.languages import info
from palo.paths import DataPaths
from palo.schemas import Finding, Verdict
from palo.settings import AcceptancePlan, Profile, RefineSettings
from palo.shards import counted, read_refined, records_digest, shard_paths
from refine.filters import Bands, Thresholds, bands_of, load_thresholds, shipped
from refine.judgement import default_filters, version
from refine.queue import SEED, load_ledger
from refine.review_file import (
    ADJUDICATION,
    ReviewVerdict,
    parse_export_hash,
    read_review,
    returned_files,
)
from refine.review_status import edits
from refine.run import State, load_history

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EXAMPLES_PER_REASON = 2
LANGUAGE_ID_TURNS = 2000  # are asked again, spread evenly, for the distribution
MIN_RATIO_CHARS = 20  # shorter texts have no telling ratio
RATIO_STEP = 0.05
MAX_RATIO = 4.0

HEADINGS = ("", "kept", "flagged", "edited", "chrF", "wrong (95%)", "plan")
NOTES = (
    "flagged: of the turns, when the language was first refined and now",
    "edited, chrF: by people, all turns of the first translator and of the last",
    "*: of the flagged turns alone, as no more was reviewed",
    "wrong: errors in audited turns that had passed; in brackets, of all of them",
)
_COLOURS = {"pass": pages.BLUE, "note": "#a9c1e0", "review": pages.ORANGE, "reject": pages.RED}
_COLUMNS = 3  # of the small plots
_WIDTH = 8.4  # inches


class RoundKind(StrEnum):
    """Which turns a round holds."""

    SEED = "seed"  # all of a sample of conversations
    FLAGGED = "flagged"  # those that filters stopped
    AUDIT = "audit"  # drawn from those that passed
    CHOSEN = "chosen"  # by hand (`palo review export`), or nobody knows


@dataclass(frozen=True)
class JudgedRow:
    """One decided row; `human` is "" where a person rejected the text and wrote no other."""

    edited: bool
    machine: str
    human: str


@dataclass(frozen=True)
class RoundScore:
    """`edit_rate`: share of decided rows that were corrected or rejected; chrF from 0 to 100."""

    decided: int
    edited: int
    edit_rate: float
    chrf: float | None
    signature: str


@dataclass(frozen=True)
class Round:
    """`translator` is "" where the ledger does not say; `rows` are by review id."""

    name: str
    kind: RoundKind
    translator: str
    rows: Mapping[str, JudgedRow]

    @cached_property
    def score(self) -> RoundScore:
        return score(list(self.rows.values()))


@dataclass(frozen=True)
class Quality:
    """`edit_rate`: share of turns that a person would change; `chrf`: 0 to 100, against theirs."""

    edit_rate: float
    chrf: float | None


@dataclass(frozen=True)
class TranslatorReview:
    """What people said of one translator's turns; `flagged_share` is of them, when first judged."""

    translator: str
    flagged_share: float | None
    scores: Mapping[RoundKind, RoundScore]

    def quality(self, of_all: bool) -> Quality | None:
        """Of all its turns, or of the flagged ones alone; None where that was not reviewed."""
        flagged, passed = self.scores.get(RoundKind.FLAGGED), self.scores.get(RoundKind.AUDIT)
        share, seed = self.flagged_share, self.scores.get(RoundKind.SEED)
        if not of_all or seed:
            weighed = [(1.0, seed if of_all else flagged)]
        elif share is None:
            return None
        elif flagged or share:
            weighed = [(share, flagged), (1 - share, passed)]
        else:
            weighed = [(1.0, passed)]
        scores = [(weight, scored) for weight, scored in weighed if scored]
        if len(scores) < len(weighed):
            return None
        rate = sum(weight * scored.edit_rate for weight, scored in scores)
        chrfs = [weight * scored.chrf for weight, scored in scores if scored.chrf is not None]
        return Quality(rate, sum(chrfs) if len(chrfs) == len(scores) else None)


@dataclass(frozen=True)
class BeforeAfter:
    """The first translator and the last; `after` is None where there has been but one."""

    of_all: bool
    before: Quality
    after: Quality | None


Acceptance = StrEnum("Acceptance", "MET FAILED OPEN")  # open: too few rows audited to say


@dataclass(frozen=True)
class AuditedTranslator:
    """Errors among audited rows that came back, and what bounds their share (Wilson, 95%)."""

    translator: str
    num_rows: int
    num_errors: int
    low: float
    high: float
    acceptance: Acceptance


class Example(NamedTuple):
    """What a filter said of a turn; the verdict is the turn's."""

    finding: Finding
    verdict: Verdict
    english: str
    translation: str


@dataclass
class LanguageFigures:
    """`ratios`: turns by RATIO_STEP of target/source characters; `identified`: by language ID."""

    lang: str
    samples: int = 0
    kept: int = 0
    turns: int = 0
    by_verdict: Counter[str] = field(default_factory=Counter)
    by_reason: Counter[str] = field(default_factory=Counter)
    ratios: Counter[int] = field(default_factory=Counter)
    identified: Counter[str] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)
    translators: list[TranslatorReview] = field(default_factory=list)
    before_after: BeforeAfter | None = None
    audits: list[AuditedTranslator] = field(default_factory=list)
    bands: Bands | None = None
    history: list[State] = field(default_factory=list)

    @property
    def flagged_shares(self) -> tuple[float | None, float | None]:
        """Of the turns, at first and now; the second is None where nothing has changed."""
        first = self.history[0].share if self.history else self.flagged_share
        return first, self.flagged_share if len(self.history) > 1 else None

    @property
    def flagged_share(self) -> float | None:
        bad = self.by_verdict[Verdict.REVIEW] + self.by_verdict[Verdict.REJECT]
        return bad / self.turns if self.turns else None

    def as_json(self) -> dict[str, Any]:
        as_they_are = ("samples", "kept", "turns", "flagged_share", "by_reason", "identified")
        ratios, of_round = self.ratios.items(), ("name", "kind", "translator")
        return {
            **{name: getattr(self, name) for name in as_they_are},
            "flagged_history": [vars(state) for state in self.history],
            "by_verdict": {str(verdict): self.by_verdict[verdict] for verdict in Verdict},
            "length_ratios": {f"{step * RATIO_STEP:.2f}": count for step, count in ratios},
            "rounds": [
                {name: getattr(told, name) for name in of_round} | asdict(told.score)
                for told in self.rounds
            ],
            "translators": [asdict(review) for review in self.translators],
            "before_after": self.before_after and asdict(self.before_after),
            "audits": [asdict(audit) for audit in self.audits],
        }


def collect(profile: Profile, lang: str) -> LanguageFigures:
    paths, settings = profile.paths, profile.refine
    figures = LanguageFigures(lang, bands=load_thresholds(settings.thresholds_path))
    every = max(1, counted(paths.refined(lang), "turns") // LANGUAGE_ID_TURNS)
    identifier = LanguageId(settings.language_id_model)
    shards = shard_paths(paths.refined(lang))
    for refined in (refined for path in shards for refined in read_refined(path)):
        figures.samples += 1
        figures.kept += refined.kept
        pairs = zip(refined.sample.source, refined.sample.target, strict=False)
        for turn, (source, target) in enumerate(pairs):
            if figures.turns % every == 0:
                figures.identified[identifier.detect(target.text).lang or "none"] += 1
            verdict = refined.turn_verdicts[turn]
            figures.turns += 1
            figures.by_verdict[verdict] += 1
            source_chars = len(without_protected(source.text).strip())
            if source_chars >= MIN_RATIO_CHARS:
                ratio = len(without_protected(target.text).strip()) / source_chars
                figures.ratios[int(min(ratio, MAX_RATIO) / RATIO_STEP)] += 1
            if not verdict.flagged:
                continue
            spoke = [said for said in refined.findings[turn] if said.verdict is not Verdict.PASS]
            figures.by_reason.update({said.filter for said in spoke})
            figures.examples += [
                Example(said, verdict, source.text, target.text)
                for said in spoke
                if figures.by_reason[said.filter] <= EXAMPLES_PER_REASON
            ]
    figures.history = load_history(paths.refined(lang))
    figures.rounds = rounds(paths, lang)
    figures.translators = translators(paths, lang, figures.rounds, figures.history)
    figures.before_after = before_after(figures.translators)
    figures.audits = audits(paths, lang, settings.acceptance)
    return figures


def rounds(paths: DataPaths, lang: str) -> list[Round]:
    """Every batch of the language with at least one decision, in whatever file it came back.

    Where several people judged a turn, the adjudicated word counts, else that of the last file.
    """
    folder = paths.review(lang)
    ledger = {
        name: batch
        for name, batch in load_ledger(folder).items()
        if not name.startswith(ADJUDICATION)
    }
    batches = {turn: name for name, batch in ledger.items() for turn in batch.rows.items()}
    rows: dict[str, dict[str, JudgedRow]] = defaultdict(dict)
    for path in sorted(returned_files(folder), key=lambda path: path.stem.startswith(ADJUDICATION)):
        for row in read_review(path).rows:
            key, exported = row.id.strip(), parse_export_hash(row.hash)
            name = batches.get((key, exported[1])) if exported else None
            verdict = row.verdict.strip().lower()
            if not name or verdict not in list(ReviewVerdict):
                continue
            edited = verdict != ReviewVerdict.ACCEPT
            human = row.correction.strip() if edited else row.translation
            rows[name][key] = JudgedRow(edited, row.translation, human)

    def order(name: str) -> tuple[bool, int, str]:
        number = name.rpartition("-")[2]
        return not name.startswith(SEED), int(number) if number.isdecimal() else 0, name

    told = []
    for name in sorted(rows, key=order):
        batch = ledger[name]
        kind = RoundKind.FLAGGED if batch.translator else RoundKind.CHOSEN
        kind = RoundKind.AUDIT if batch.audit else kind
        kind = RoundKind.SEED if name.startswith(SEED) else kind
        told.append(Round(name, kind, batch.translator, rows[name]))
    return told


def score(rows: Sequence[JudgedRow]) -> RoundScore:
    """Of one row or more."""
    from sacrebleu.metrics.chrf import CHRF

    edited = sum(row.edited for row in rows)
    chrf, signature = None, ""
    if texts := [(row.machine, row.human) for row in rows if row.human]:
        metric = CHRF()
        machine, human = map(list, zip(*texts, strict=True))
        chrf = metric.corpus_score(machine, [human]).score
        signature = str(metric.get_signature())
    return RoundScore(len(rows), edited, edited / len(rows), chrf, signature)


def translators(
    paths: DataPaths, lang: str, reviewed: Sequence[Round], history: Sequence[State]
) -> list[TranslatorReview]:
    """Those whose turns were reviewed, in the order in which their turns first went out.

    The flagged share is of the run that sent the first turns out; copies of one file count once.
    """
    since: dict[str, str] = {}
    for batch in sorted(load_ledger(paths.review(lang)).values(), key=lambda batch: batch.at):
        if batch.translator:
            since.setdefault(batch.translator, batch.at)
    reviews = []
    for name, at in since.items():
        rows: dict[RoundKind, dict[str, JudgedRow]] = {}
        for each in reviewed:
            if each.translator == name:
                rows.setdefault(each.kind, {}).update(each.rows)
        if rows:
            before = [state.machine_share for state in history if state.at <= at]
            scores = {kind: score(list(judged.values())) for kind, judged in rows.items()}
            reviews.append(TranslatorReview(name, before[-1] if before else None, scores))
    return reviews


def before_after(reviews: Sequence[TranslatorReview]) -> BeforeAfter | None:
    """Of all turns where both translators can be told so, else of the flagged ones."""
    alone = None
    for of_all in (True, False) if reviews else ():
        before = reviews[0].quality(of_all)
        after = reviews[-1].quality(of_all) if len(reviews) > 1 else None
        if before and after:
            return BeforeAfter(of_all, before, after)
        alone = alone or (BeforeAfter(of_all, before, None) if before else None)
    return alone


def audits(paths: DataPaths, lang: str, plan: AcceptancePlan) -> list[AuditedTranslator]:
    """Of each translator of which audited rows came back, the oldest first."""
    audited = []
    for batch in sorted(load_ledger(paths.review(lang)).values(), key=lambda batch: batch.at):
        done = edits(paths, lang, batch.rows) if batch.audit else []
        if done:
            rows, errors = len(done), sum(done)
            share = wilson(errors, rows)
            acceptance = accepted(rows, errors, plan.rows, plan.max_errors)
            audited.append(AuditedTranslator(batch.audit, rows, errors, *share, acceptance))
    return audited


def accepted(num_rows: int, num_errors: int, plan_rows: int, max_errors: int) -> Acceptance:
    """Of more rows than the plan has, as many more may be wrong."""
    if num_errors > max_errors * max(1.0, num_rows / plan_rows):
        return Acceptance.FAILED
    return Acceptance.MET if num_rows >= plan_rows else Acceptance.OPEN


# As thresholds.yaml says at greater length.
SOURCES = {
    "length_ratio": "target/source characters, 0.5% to 99.5% of 1,004 gold pairs a language",
    "usual_ratio": "median of target/source characters on gold pairs of 20 characters or more",
    "script_share": "share of letters in the language's scripts, 0.5% of the same gold pairs",
    "short_unfinished_share": "of the usual ratio; shorter texts without a final mark are cut off",
    "foreign_share": "above the most that language ID gave a gold row of the language (.55 to .70)",
    "lexicon_score": "0.4% to 0.9% of gold rows that the weights have not seen",
    "low_logprob": "nats a token; a matter of the translator, calibrated on accepted translations",
}


def described(settings: RefineSettings, langs: list[str]) -> dict[str, Any]:
    """The filters as the JSON tells them, of which the dataset's card is written."""
    bands = load_thresholds(settings.thresholds_path)
    return {
        "version": version(),
        "filters": {judge.name: judge.about for judge in default_filters(settings)},
        "thresholds": {lang: bands[lang].model_dump(mode="json") for lang in langs},
        "threshold_sources": {name: SOURCES[name] for name in Thresholds.model_fields},
        "calibrated": [lang for lang in langs if bands[lang] != shipped()[lang]],
    }


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
    return write_text(page, render(settings.name, rows))


def render(profile: str, rows: Sequence[LanguageFigures]) -> str:
    totals = sum((row.by_reason for row in rows), Counter[str]())
    told = [row for row in rows if row.turns]
    plots: dict[str, str] = {}
    if told:
        size = (_WIDTH, max(0.7 + 0.3 * len(told), 1.5))
        plots = {
            "Verdicts of turns": pages.svg(lambda axes: _verdicts(axes, told), size, 8),
            "Length: characters of the translation for one of English": _many(told, _ratios),
            "Languages that language ID sees, not told which to expect": _many(told, _identified),
        }
    return pages.rendered(
        "refine",
        "report.html.j2",
        profile=profile,
        headings=HEADINGS,
        rows=[(row, lines(row)) for row in rows],
        notes=NOTES,
        reasons=sorted(totals, key=lambda name: (-totals[name], name)),
        plots=plots,
        info=info,
        percent=percent,
    )


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
    middles = [(step + 0.5) * RATIO_STEP for step in steps]
    axes.bar(middles, [row.ratios[s] for s in steps], RATIO_STEP, color=_COLOURS["pass"])
    band = bands_of(row.lang, row.bands).length_ratio
    axes.axvspan(*band, color="#8a94a6", alpha=0.18, linewidth=0)


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
