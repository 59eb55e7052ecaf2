"""What is published together: a language, several, or the mixture that models are trained on."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from palo.errors import MissingResource
from palo.languages import ENGLISH, TARGETS, Language, parse_languages
from palo.llava import read_conversations
from palo.paths import DataPaths
from palo.settings import Profile
from palo.shards import read_columns, shard_paths, training_conversations

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
    paths = DataPaths(profile.data_dir)
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
