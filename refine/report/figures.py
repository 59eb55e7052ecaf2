"""Collects the report's figures from refined shards and review files; what is missing is None."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from palo.checks.language import LanguageId
from palo.checks.structure import without_protected
from palo.schemas import RefinedSample, Verdict
from palo.settings import Profile, RefineSettings
from palo.shards import read_record, read_refined, shard_paths
from refine.filters.thresholds import Bands, Thresholds, bands_of, load_thresholds, shipped
from refine.registry import default_filters, version
from refine.report.reviews import (
    AuditedTranslator,
    BeforeAfter,
    Round,
    TranslatorReview,
    audits,
    before_after,
    rounds,
    translators,
)
from refine.run import State, load_history

EXAMPLES_PER_REASON = 2
LANGUAGE_ID_TURNS = 2000  # are asked again, spread evenly, for the distribution
MIN_RATIO_CHARS = 20  # shorter texts have no telling ratio
RATIO_STEP = 0.05
MAX_RATIO = 4.0


@dataclass(frozen=True)
class FlaggedTurn:
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
    examples: list[FlaggedTurn] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)
    translators: list[TranslatorReview] = field(default_factory=list)
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

    @property
    def before_after(self) -> BeforeAfter | None:
        return before_after(self.translators)

    @property
    def band(self) -> tuple[float, float]:
        return bands_of(self.lang, self.bands).length_ratio

    def as_json(self) -> dict[str, Any]:
        told = self.before_after
        return {
            "samples": self.samples,
            "kept": self.kept,
            "turns": self.turns,
            "flagged_share": self.flagged_share,
            "flagged_history": [vars(state) for state in self.history],
            "by_verdict": {str(verdict): self.by_verdict[verdict] for verdict in Verdict},
            "by_reason": dict(sorted(self.by_reason.items())),
            "length_ratios": {
                f"{step * RATIO_STEP:.2f}": count for step, count in sorted(self.ratios.items())
            },
            "identified": dict(self.identified.most_common()),
            "rounds": [batch.as_json() for batch in self.rounds],
            "translators": [review.as_json() for review in self.translators],
            "before_after": asdict(told) if told else None,
            "audits": [asdict(audit) for audit in self.audits],
        }


def collect(profile: Profile, lang: str) -> LanguageFigures:
    paths = profile.paths
    figures = LanguageFigures(lang, bands=load_thresholds(profile.refine.thresholds_path))
    room: Counter[str] = Counter()
    shards = shard_paths(paths.refined(lang))
    records = map(read_record, shards)
    num_turns = sum(record.counts.get("turns", 0) for record in records if record)
    every = max(1, num_turns // LANGUAGE_ID_TURNS)
    identifier = LanguageId(profile.refine.language_id_model)
    for refined in (refined for path in shards for refined in read_refined(path)):
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
    plan = profile.refine.acceptance
    figures.audits = audits(paths, lang, (plan.rows, plan.max_errors))
    return figures


def _add_ratio(ratios: Counter[int], source: str, target: str) -> None:
    source_chars = len(without_protected(source).strip())
    if source_chars >= MIN_RATIO_CHARS:
        ratio = len(without_protected(target).strip()) / source_chars
        ratios[int(min(ratio, MAX_RATIO) / RATIO_STEP)] += 1


def _add_reasons(
    figures: LanguageFigures, refined: RefinedSample, turn: int, room: Counter[str]
) -> None:
    """Counts the filters that spoke of a flagged turn, and keeps the first examples of each."""
    if not refined.turn_verdicts[turn].flagged:
        return
    sample, verdict = refined.sample, refined.turn_verdicts[turn]
    spoke = [finding for finding in refined.findings[turn] if finding.verdict is not Verdict.PASS]
    figures.by_reason.update({finding.filter for finding in spoke})
    for finding in spoke:
        if room[finding.filter] < EXAMPLES_PER_REASON:
            room[finding.filter] += 1
            texts = sample.source[turn].text, sample.target[turn].text
            figures.examples.append(FlaggedTurn(finding.filter, verdict, finding.reason, *texts))


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
    """The filters as the report's JSON tells them: what each looks for, thresholds, their sources.

    The dataset's card is written from this, so it needs nothing of the filters' code.
    """
    bands = load_thresholds(settings.thresholds_path)
    own = [lang for lang in langs if bands[lang] != shipped()[lang]]
    return {
        "version": version(),
        "filters": {judge.name: judge.about for judge in default_filters(settings)},
        "thresholds": {lang: bands[lang].model_dump(mode="json") for lang in langs},
        "threshold_sources": {name: SOURCES[name] for name in Thresholds.model_fields},
        "calibrated": own,
    }
