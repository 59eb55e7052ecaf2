"""What is published together, and what the stages wrote down of it; what they did not is None."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from palo import shards
from palo.errors import MissingResource
from palo.files import read_json
from palo.languages import ENGLISH, LANGUAGES, TARGETS, Language, parse_languages
from palo.llava import read_conversations
from palo.paths import DataPaths
from palo.schemas import TurnStatus, Verdict
from palo.settings import Profile

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

    @property
    def title(self) -> str:
        names = " and ".join(LANGUAGES[lang].name for lang in self.langs)
        return {ALL: "all languages", MIXTURE: "training mixture"}.get(self.name, names)


def parse_release(text: str, paths: DataPaths) -> Release:
    """`ur`, `ur,fr`, `all`, `mixture`; the last two hold the languages that were refined. Raises
    UserError for an unknown language, MissingResource for one that was not translated."""
    word = text.strip().lower()
    if word in (ALL, MIXTURE):
        refined = tuple(lang for lang in TARGETS if shards.shard_paths(paths.refined(lang)))
        return Release(word, refined, english=word == MIXTURE)
    langs = parse_languages(text)
    missing = [lang for lang in langs if lang not in there_are(paths)]
    if missing:
        raise MissingResource(
            f"No translated rows to describe in {' '.join(missing)}. "
            f"Run palo translate --lang {','.join(missing)} first."
        )
    return Release("-".join(langs), langs)


def there_are(paths: DataPaths) -> tuple[Language, ...]:
    """Languages with anything translated."""
    return tuple(lang for lang in TARGETS if shards.shard_paths(paths.translated(lang)))


def conversations(
    profile: Profile, lang: Language, beside_mix: bool = False
) -> Iterator[dict[str, Any]]:
    """What an epoch of stage 2 draws from in one language, cut by the policy, a batch in memory at
    a time: `id` as published, of whatever type, `sample_id` unique ("" in a LLaVA list),
    `language`, `image` or None, `conversations` as in LLaVA-Instruct.

    `beside_mix` names images so that one folder serves the mixture. Raises MissingResource where
    the profile names an English list that is not there.
    """
    paths, mix = profile.paths, profile.train.english_mix_path
    columns: tuple[str, ...] = ("source_id", "sample_id", "image")
    rows: Iterator[Sequence[Any]]
    if lang is not ENGLISH:
        prefix = _image_prefix(profile) if beside_mix else ""
        columns = (*columns, "target")
        cut = shards.training_conversations(paths.refined(lang), profile.refine, columns)
        rows = (
            (*ids, prefix + image if image else None, turns[:count])
            for count, _, (*ids, image, turns) in cut
            if count
        )
    elif mix is None:
        sources, columns = shards.shard_paths(paths.source_dir), (*columns, "turns")
        rows = (row for path in sources for row in shards.read_columns(path, columns))
    elif mix.is_file():  # the English list as it is, item for item
        rows = (
            (source_id, "", image, [{"role": role, "text": text} for role, text in pairs])
            for source_id, image, pairs in read_conversations(mix)
        )
    else:
        raise MissingResource(
            f"No English mix at {mix}. Put it there, or take train.english_mix_path out of "
            "pipelines.yaml: then the mixture has the source's own English."
        )
    for source_id, sample_id, image, turns in rows:
        said = [{"from": turn["role"], "value": turn["text"]} for turn in turns]
        row = {"id": source_id, "sample_id": sample_id, "language": str(lang), "image": image}
        yield row | {"conversations": said}


def _image_prefix(profile: Profile) -> str:
    """What stands before a translated row's image so that one folder serves the mixture.
    LLaVA-Instruct names COCO's files alone, the 665K mix with their folders (`coco/train2017/`);
    published trainers take one folder. "" where the two have nothing to do with each other."""
    images, mix = profile.source.images_dir, profile.train.english_mix_images_dir
    if images is None or mix is None or not images.is_relative_to(mix) or images == mix:
        return ""
    return images.relative_to(mix).as_posix() + "/"


@dataclass(frozen=True)
class Use:
    """Conversations by what training takes of them; pictures are of those that it takes."""

    whole: int
    cut: int
    left_out: int
    with_image: int


class LanguageFacts:
    """What the stages wrote down of a language; shards are read only where `use` is asked for.

    `translated` and `refined` are the stages' manifests, empty where the stage wrote none.
    `report` is the language's part of refine's report; `report_is_older` says that it was made
    from other shards than there are now. `audit` is the blind audit of the last translator of
    which audited rows came back; it failed with more errors than the plan allows.
    `structure_broken`: the end-of-run audit of `palo translate` found shards unlike their source.
    """

    def __init__(self, profile: Profile, lang: Language) -> None:
        paths = profile.paths
        self._profile, self.lang, self.name = profile, lang, LANGUAGES[lang].name
        self.title = f"{lang} {self.name}"
        self.set_aside = shards.manifest(paths.source_dir).get("report", {}).get("set_aside")
        self.source_samples = shards.counted(paths.source_dir)
        self.samples = shards.counted(paths.translated(lang))
        self.turns = shards.counted(paths.translated(lang), "turns")
        self.translated = shards.manifest(paths.translated(lang))
        self.refined = shards.manifest(paths.refined(lang))
        self.report: Mapping[str, Any] = load_report(paths).get("languages", {}).get(lang, {})
        current = shards.records_digest(paths.refined(lang))
        self.report_is_older = bool(self.report) and self.report.get("shards") != current
        self.audit: Mapping[str, Any] | None = (self.report.get("audits") or [None])[-1]
        self.audit_failed = self.audit is not None and self.audit["acceptance"] == "failed"
        self.structure_broken = not (self.translated.get("audit") or {"whole": True})["whole"]

    @cached_property
    def use(self) -> Use | None:
        """By the profile's policy today, as the mixture is made; None before refine."""
        folder = self._profile.paths.refined(self.lang)
        if not shards.shard_paths(folder):
            return None
        whole = cut = left_out = with_image = 0
        policy = self._profile.refine
        for count, in_all, (image,) in shards.training_conversations(folder, policy, ("image",)):
            whole += 0 < count == in_all
            cut += 0 < count < in_all
            left_out += not count
            with_image += bool(count and image)
        return Use(whole, cut, left_out, with_image)

    def by_status(self, status: TurnStatus) -> int | None:
        counts = self.translated.get("by_status")
        return None if counts is None else int(counts.get(status, 0))

    def by_verdict(self, verdict: Verdict) -> int | None:
        counts = self.refined.get("by_verdict")
        return None if counts is None else int(counts.get(verdict, 0))


def load_report(paths: DataPaths) -> Mapping[str, Any]:
    """refine-report.json, or nothing where `palo refine report` has not been run."""
    return read_json(paths.refine_report.with_suffix(".json"), {})
