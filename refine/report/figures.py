"""Collects the report's figures from refined shards and review files; what is missing is None."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from palo.checks.language import LanguageId
from palo.checks.structure import without_protected
from palo.paths import DataPaths
from palo.schemas import RefinedSample, Verdict
from palo.settings import Profile, RefineSettings
from palo.shards import read_record, read_refined, shard_paths
from refine.filters.thresholds import Bands, load_thresholds, thresholds
from refine.history import State, load_history
from refine.judgement import flagged
from refine.report.audit import Audit, audits
from refine.report.rounds import Round, rounds
from refine.report.translators import BeforeAfter, TranslatorReview, before_after, translators

EXAMPLES_PER_REASON = 2
LANGUAGE_ID_TURNS = 2000  # are asked again, spread evenly, for the distribution
MIN_RATIO_CHARS = 20  # shorter texts have no telling ratio
RATIO_STEP = 0.05
MAX_RATIO = 4.0


@dataclass(frozen=True)
class Example:
    """One turn that a filter spoke of."""

    reason: str
    verdict: Verdict
    said: str
    english: str
    translation: str


@dataclass
class LanguageFigures:
    """`ratios`: turns by target/source characters, in steps of RATIO_STEP, by the step's number.

    `identified`: turns by the language that language ID gives without being told one.
    """

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
    audits: list[Audit] = field(default_factory=list)
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

    @property
    def before_after(self) -> BeforeAfter | None:
        return before_after(self.translators)

    @property
    def band(self) -> tuple[float, float]:
        return thresholds(self.lang, self.bands).length_ratio

    def as_json(self) -> dict[str, Any]:
        told = self.before_after
        return {
            "samples": self.samples,
            "kept": self.kept,
            "turns": self.turns,
            "flagged_share": self.flagged_share,
            "flagged_history": [vars(one) for one in self.history],
            "by_verdict": {str(one): self.by_verdict[one] for one in Verdict},
            "by_reason": dict(sorted(self.by_reason.items())),
            "length_ratios": {
                f"{step * RATIO_STEP:.2f}": count for step, count in sorted(self.ratios.items())
            },
            "identified": dict(self.identified.most_common()),
            "rounds": [one.as_json() for one in self.rounds],
            "translators": [one.as_json() for one in self.translators],
            "before_after": asdict(told) if told else None,
            "audits": [asdict(one) for one in self.audits],
        }


def collect(profile: Profile, lang: str) -> LanguageFigures:
    paths = DataPaths(profile.data_dir)
    figures = LanguageFigures(lang, bands=load_thresholds(profile.refine.thresholds_path))
    room: Counter[str] = Counter()
    every = max(1, _num_turns(paths, lang) // LANGUAGE_ID_TURNS)
    identifier = LanguageId(profile.refine.language_id_model)
    for refined in _refined(paths, lang):
        figures.samples += 1
        figures.kept += refined.kept
        pairs = zip(refined.sample.source, refined.sample.target, strict=False)
        for turn, (source, target) in enumerate(pairs):
            if figures.turns % every == 0:
                figures.identified[identifier.detect(target.text).lang or "none"] += 1
            figures.turns += 1
            figures.by_verdict[refined.turn_verdicts[turn]] += 1
            _add_ratio(figures.ratios, source.text, target.text)
            _add_reasons(figures, refined, turn, room)
    figures.history = load_history(paths.refined(lang))
    figures.rounds = rounds(paths, lang)
    figures.translators = translators(paths, lang, figures.rounds, figures.history)
    figures.audits = audits(paths, lang, _plan(profile.refine))
    return figures


def _plan(settings: RefineSettings) -> tuple[int, int]:
    return settings.acceptance.rows, settings.acceptance.max_errors


def _refined(paths: DataPaths, lang: str) -> Iterator[RefinedSample]:
    for path in shard_paths(paths.refined(lang)):
        yield from read_refined(path)


def _num_turns(paths: DataPaths, lang: str) -> int:
    records = map(read_record, shard_paths(paths.refined(lang)))
    return sum(record.counts.get("turns", 0) for record in records if record)


def _add_ratio(ratios: Counter[int], source: str, target: str) -> None:
    source_chars = len(without_protected(source).strip())
    if source_chars >= MIN_RATIO_CHARS:
        ratio = len(without_protected(target).strip()) / source_chars
        ratios[int(min(ratio, MAX_RATIO) / RATIO_STEP)] += 1


def _add_reasons(
    figures: LanguageFigures, refined: RefinedSample, turn: int, room: Counter[str]
) -> None:
    """Counts the filters that spoke of a flagged turn, and keeps the first examples of each."""
    if not flagged(refined.turn_verdicts[turn]):
        return
    spoke = [one for one in refined.findings[turn] if one.verdict is not Verdict.PASS]
    figures.by_reason.update({one.filter for one in spoke})
    for one in spoke:
        if room[one.filter] < EXAMPLES_PER_REASON:
            room[one.filter] += 1
            source, target = refined.sample.source[turn].text, refined.sample.target[turn].text
            example = Example(one.filter, refined.turn_verdicts[turn], one.reason, source, target)
            figures.examples.append(example)
