"""What is published together, and what the stages wrote down of it; what they did not is None."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from palo.errors import MissingResource
from palo.files import read_json
from palo.languages import ENGLISH, LANGUAGES, TARGETS, Language, parse_languages
from palo.llava import read_conversations
from palo.paths import DataPaths
from palo.schemas import TurnStatus, Verdict
from palo.settings import Profile
from palo.shards import (
    manifest,
    read_columns,
    read_record,
    records_digest,
    shard_paths,
    training_conversations,
)

MIXTURE = "mixture"
ALL = "all"


@dataclass(frozen=True)
class Release:
    """`name` goes into file names; `langs` are the translated ones, `english` comes beside them."""

    name: str
    langs: tuple[Language, ...]
    english: bool = False

    @property
    def configs(self) -> tuple[Language, ...]:
        return (ENGLISH, *self.langs) if self.english else self.langs


@dataclass(frozen=True)
class Conversation:
    """One conversation as stage 2 sees it: turns of role and text, cut by the policy.

    `source_id` is as published, of whatever type; `sample_id` is unique, "" in a LLaVA list.
    """

    source_id: Any
    sample_id: str
    lang: Language
    image: str | None
    turns: tuple[tuple[str, str], ...]


def parse_release(text: str, paths: DataPaths) -> Release:
    """`ur`, `ur,fr`, `all`, `mixture`; the last two hold the languages that were refined.

    Raises UserError for an unknown language, MissingResource for one that was not translated.
    """
    word = text.strip().lower()
    if word in (ALL, MIXTURE):
        refined = tuple(lang for lang in TARGETS if shard_paths(paths.refined(lang)))
        return Release(word, refined, english=word == MIXTURE)
    langs = parse_languages(text)
    missing = [lang for lang in langs if lang not in there_are(paths)]
    if missing:
        codes = ",".join(missing)
        raise MissingResource(
            f"No translated rows to describe in {' '.join(missing)}. "
            f"Run palo translate --lang {codes} first."
        )
    return Release("-".join(langs), langs)


def there_are(paths: DataPaths) -> tuple[Language, ...]:
    """Languages with anything translated."""
    return tuple(lang for lang in TARGETS if shard_paths(paths.translated(lang)))


def conversations(profile: Profile, lang: Language, prefix: str = "") -> Iterator[Conversation]:
    """What an epoch of stage 2 draws from in one language, a batch in memory at a time.

    `prefix` goes before the image of a translated row (see image_prefix).
    """
    paths = profile.paths
    if lang is not ENGLISH:
        yield from _translated(profile, paths, lang, prefix)
    elif profile.train.english_mix_path is not None:
        yield from _mix(profile)
    else:
        columns = ("source_id", "sample_id", "image", "turns")
        for path in shard_paths(paths.source_dir):
            for source_id, sample_id, image, turns in read_columns(path, columns):
                yield Conversation(source_id, sample_id, lang, image, _turns(turns))


def _translated(
    profile: Profile, paths: DataPaths, lang: Language, prefix: str
) -> Iterator[Conversation]:
    columns = ("source_id", "sample_id", "image", "target")
    for count, _, (source_id, sample_id, image, turns) in training_conversations(
        paths.refined(lang), profile.refine, columns
    ):
        if count:
            placed = prefix + image if image else None
            yield Conversation(source_id, sample_id, lang, placed, _turns(turns[:count]))


def _turns(values: list[dict[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((turn["role"], turn["text"]) for turn in values)


def image_prefix(profile: Profile) -> str:
    """What stands before a translated row's image so that one folder serves the mixture.

    LLaVA-Instruct names COCO's files alone, the 665K mix with their folders (`coco/train2017/`);
    published trainers take one folder. "" where the two have nothing to do with each other.
    """
    images, mix = profile.source.images_dir, profile.train.english_mix_images_dir
    if images is None or mix is None or not images.is_relative_to(mix) or images == mix:
        return ""
    return images.relative_to(mix).as_posix() + "/"


def _mix(profile: Profile) -> Iterator[Conversation]:
    """The English list as it is, item for item."""
    path = profile.train.english_mix_path
    assert path is not None
    if not path.is_file():
        raise MissingResource(
            f"No English mix at {path}. Put it there, or take train.english_mix_path out of "
            "pipelines.yaml: then the mixture has the source's own English."
        )
    for source_id, image, turns in read_conversations(path):
        yield Conversation(source_id, "", ENGLISH, image, turns)


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

    @property
    def title(self) -> str:
        return f"{self.lang} {self.name}"

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
    paths = profile.paths
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
