"""The licence chain of a release: licences.yaml, the translator, the models that were asked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import yaml

from data_cards.card_format import cell, table
from palo.settings import Profile, Section

TABLE = files("data_cards") / "licences.yaml"
NOT_SAID = "not stated here; ask its publisher"


class HubLicence(Section):
    """As the Hub's metadata give a licence; name and link belong to `other`."""

    license: str
    license_name: str | None = None
    license_link: str | None = None


class _Terms(Section):
    name: str = ""
    licence: str
    link: str = ""


class _OfProfile(Section):
    """Keys of `components` for each part of a release."""

    dataset: HubLicence
    model: HubLicence
    translations: tuple[str, ...]
    english: tuple[str, ...]
    captions: tuple[str, ...]
    source_datasets: tuple[str, ...] = ()
    training_datasets: tuple[str, ...] = ()


class _Table(Section):
    components: dict[str, _Terms]
    profiles: dict[str, _OfProfile]
    models: dict[str, _Terms]


_UNKNOWN = _OfProfile(
    dataset=HubLicence(license="unknown"),
    model=HubLicence(license="unknown"),
    translations=(),
    english=(),
    captions=(),
)


@dataclass(frozen=True)
class Link:
    """One link of the chain; `link` is "" where none is known."""

    part: str
    name: str
    licence: str
    link: str


@cache
def _read() -> _Table:
    return _Table.model_validate(yaml.safe_load(TABLE.read_text(encoding="utf-8")))


def of_profile(profile: Profile) -> _OfProfile:
    """`unknown` for a profile of one's own that licences.yaml does not know."""
    return _read().profiles.get(profile.name, _UNKNOWN)


def dataset_chain(profile: Profile, english: bool) -> list[Link]:
    """What translated conversations are made of; with `english` the English ones beside them."""
    own = of_profile(profile)
    chain = list(_components("translations", own.translations, profile))
    if english:
        chain += [
            one
            for one in _components("English", own.english, profile)
            if one.name not in {other.name for other in chain}
        ]
    return [*chain, _translator(profile), *_asked(profile)]


def model_chain(profile: Profile, bases: Iterable[tuple[str, str]]) -> list[Link]:
    """What a checkpoint is made of; `bases` are parts and hub's ids (or stand-ins' names)."""
    own, known = of_profile(profile), _read().models
    chain = []
    for part, name in bases:
        made_here = profile.world is not None
        terms = known.get(name) or _Terms(
            licence="Apache-2.0, made on the spot by this software" if made_here else NOT_SAID
        )
        chain.append(Link(part, name, terms.licence, terms.link))
    chain += _components("stage 1", own.captions, profile)
    return [*chain, *dataset_chain(profile, english=True)]


def _components(part: str, keys: Sequence[str], profile: Profile) -> Iterable[Link]:
    if not keys:
        said = f"nobody has written down the terms of profile {profile.name} in licences.yaml"
        yield Link(part, profile.source.path.name, said, "")
    for key in keys:
        terms = _read().components[key]
        yield Link(part, terms.name, terms.licence, terms.link)


def _translator(profile: Profile) -> Link:
    licence = profile.translator.licence or NOT_SAID
    name = translator_name(profile)
    hub = "" if Path(profile.translator.model).is_absolute() else f"https://huggingface.co/{name}"
    return Link("translator", name, licence, hub)


def _asked(profile: Profile) -> Iterable[Link]:
    """Models behind filters: they judge texts and write none, but their terms may bind."""
    for line in profile.refine.models.licence_notes():
        said, _, licence = line.partition(": ")
        yield Link("filter", said.removeprefix("filter "), licence, "")


def translator_name(profile: Profile) -> str:
    """A hub's id, or the last part of a folder's name: where it lies is nobody's business."""
    model = profile.translator.model
    return Path(model).name if Path(model).is_absolute() else model


def licence_table(chain: Iterable[Link]) -> str:
    rows = [
        (one.part, cell(one.name), cell(one.licence), f"<{one.link}>" if one.link else "")
        for one in chain
    ]
    return table(("part", "what", "terms", "where"), rows, align="llll")


def licence_notes(chain: Iterable[Link]) -> str:
    """LICENSE.md of a folder that is published."""
    return (
        "# Terms of this release and of what it is made of\n\n"
        "Every part has its own terms, and all of them bind. The table says what each part's own "
        "page said when it was written; that page is what counts.\n\n" + licence_table(chain) + "\n"
    )
