"""What the stages wrote down of one language; what they did not is None, never a guess."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from palo.files import read_json
from palo.languages import LANGUAGES, Language
from palo.paths import DataPaths
from palo.schemas import TurnStatus, Verdict
from palo.settings import Profile
from palo.shards import read_record, records_digest, shard_paths, training_conversations
from palo.status import manifest

FAILED = "failed"  # how refine's report calls an audit with more errors than the plan allows


@dataclass(frozen=True)
class Use:
    """Conversations by what training takes of them; the last two are of those that it takes."""

    whole: int
    cut: int
    left_out: int
    turns: int
    with_image: int

    @property
    def conversations(self) -> int:
        return self.whole + self.cut


@dataclass(frozen=True)
class Source:
    samples: int
    turns: int
    set_aside: int | None


@dataclass(frozen=True)
class LanguageFacts:
    """`translated` and `refined` are the stages' manifests, empty where the stage wrote none.

    `report` is the language's part of refine's report; `report_is_older` says that it was made
    from other shards than there are now.
    """

    lang: Language
    source: Source
    samples: int
    turns: int
    translated: Mapping[str, Any]
    refined: Mapping[str, Any]
    use: Use | None
    report: Mapping[str, Any]
    report_is_older: bool

    @property
    def name(self) -> str:
        return LANGUAGES[self.lang].name

    def by_status(self, status: TurnStatus) -> int | None:
        counts = self.translated.get("by_status")
        return None if counts is None else int(counts.get(status, 0))

    def by_verdict(self, verdict: Verdict) -> int | None:
        counts = self.refined.get("by_verdict")
        return None if counts is None else int(counts.get(verdict, 0))

    @property
    def audit(self) -> Mapping[str, Any] | None:
        """The blind audit of the last translator of which audited rows came back."""
        audits = self.report.get("audits") or [None]
        last: Mapping[str, Any] | None = audits[-1]
        return last

    @property
    def audit_failed(self) -> bool:
        return self.audit is not None and self.audit["acceptance"] == FAILED

    @property
    def structure_broken(self) -> bool:
        """Whether the end-of-run audit of `palo translate` found shards unlike their source."""
        account = self.translated.get("audit")
        return account is not None and not account["whole"]


def load_report(paths: DataPaths) -> Mapping[str, Any]:
    """refine-report.json, or nothing where `palo refine report` has not been run."""
    path = paths.refine_report.with_suffix(".json")
    found: Mapping[str, Any] = read_json(path) if path.is_file() else {}
    return found


def facts(profile: Profile, lang: Language, with_use: bool = True) -> LanguageFacts:
    """`with_use` False spares reading the shards."""
    paths = DataPaths(profile.data_dir)
    found = load_report(paths).get("languages", {}).get(lang, {})
    samples, turns = _counts(paths, lang)
    return LanguageFacts(
        lang=lang,
        source=source(paths),
        samples=samples,
        turns=turns,
        translated=manifest(paths.translated(lang)),
        refined=manifest(paths.refined(lang)),
        use=_use(profile, paths, lang) if with_use and shard_paths(paths.refined(lang)) else None,
        report=found,
        report_is_older=bool(found) and found.get("shards") != records_digest(paths.refined(lang)),
    )


def source(paths: DataPaths) -> Source:
    records = [one for path in shard_paths(paths.source_dir) if (one := read_record(path))]
    said = manifest(paths.source_dir).get("report", {})
    return Source(
        sum(one.counts.get("samples", 0) for one in records),
        sum(one.counts.get("turns", 0) for one in records),
        said.get("set_aside"),
    )


def _counts(paths: DataPaths, lang: Language) -> tuple[int, int]:
    records = [one for path in shard_paths(paths.translated(lang)) if (one := read_record(path))]
    samples = sum(one.counts.get("samples", 0) for one in records)
    return samples, sum(one.counts.get("turns", 0) for one in records)


def _use(profile: Profile, paths: DataPaths, lang: Language) -> Use:
    """By the profile's policy today, as the mixture is made."""
    whole = cut = left_out = turns = with_image = 0
    for count, in_all, (image,) in training_conversations(
        paths.refined(lang), profile.refine, ("image",)
    ):
        if not count:
            left_out += 1
            continue
        whole, cut = whole + (count == in_all), cut + (count < in_all)
        turns, with_image = turns + count, with_image + bool(image)
    return Use(whole, cut, left_out, turns, with_image)
