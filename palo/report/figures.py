"""Collects what the stages wrote down; measures nothing itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from palo.files import read_json
from palo.languages import LANGUAGES, TARGETS
from palo.paths import DataPaths
from palo.schemas import RefinedSample, Verdict
from palo.settings import Profile
from palo.shards import read_refined, shard_paths
from palo.status import LanguageStatus, manifest
from palo.status import collect as collect_status

EXAMPLES_PER_VERDICT = 2


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
class Example:
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
    examples: tuple[Example, ...]


def collect(profile: Profile, against_truth: Mapping[str, AgainstTruth]) -> Figures:
    """Everything the report shows; what has not been run yet is missing, not zero."""
    paths = DataPaths(profile.data_dir)
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


def _examples(profile: Profile, paths: DataPaths) -> list[Example]:
    """For each language the first answers of every verdict, worst first."""
    found = []
    for lang in TARGETS:
        room = dict.fromkeys(Verdict, EXAMPLES_PER_VERDICT)
        rows: list[Example] = []
        for path in shard_paths(paths.refined(lang)):
            for refined in read_refined(path):
                for turn, verdict in enumerate(refined.turn_verdicts):
                    if turn % 2 and room[verdict]:  # answers; questions repeat too much
                        room[verdict] -= 1
                        rows.append(_example(profile, refined, turn))
        found += sorted(rows, key=lambda row: -row.verdict.severity)
    return found


def _example(profile: Profile, refined: RefinedSample, turn: int) -> Example:
    sample, images_dir = refined.sample, profile.source.images_dir
    reasons = [finding.reason for finding in refined.findings[turn] if finding.reason]
    return Example(
        lang=sample.lang,
        image_path=images_dir / sample.image if images_dir and sample.image else None,
        previous=sample.source[turn - 1].text if turn else "",
        english=sample.source[turn].text,
        translation=sample.target[turn].text,
        verdict=refined.turn_verdicts[turn],
        reasons="; ".join(reasons),
    )
