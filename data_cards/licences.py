"""The licence chain of a release: licences.yaml, the translator, the models that were asked."""

from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

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
    """Keys of `components` for each part of a release; nothing is known of a profile of one's own
    that licences.yaml does not name."""

    dataset: HubLicence = HubLicence(license="unknown")
    model: HubLicence = HubLicence(license="unknown")
    translations: tuple[str, ...] = ()
    english: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()
    source_datasets: tuple[str, ...] = ()
    training_datasets: tuple[str, ...] = ()


class _Table(Section):
    components: dict[str, _Terms]
    profiles: dict[str, _OfProfile]
    models: dict[str, _Terms]


class Link(NamedTuple):
    """One link of the chain; `link` is "" where none is known."""

    part: str
    name: str
    licence: str
    link: str


@cache
def _read() -> _Table:
    return _Table.model_validate(yaml.safe_load(TABLE.read_text(encoding="utf-8")))


def of_profile(profile: Profile) -> _OfProfile:
    return _read().profiles.get(profile.name, _OfProfile())


def dataset_chain(profile: Profile, english: bool) -> list[Link]:
    """What translated conversations are made of; with `english` the English ones beside them."""
    own, hub_id = of_profile(profile), translator_name(profile)
    chain = _components("translations", own.translations, profile)
    if english:
        names = {link.name for link in chain}
        beside = _components("English", own.english, profile)
        chain += [link for link in beside if link.name not in names]
    is_local = Path(profile.translator.model).is_absolute()
    page = "" if is_local else f"https://huggingface.co/{hub_id}"
    chain.append(Link("translator", hub_id, profile.translator.licence or NOT_SAID, page))
    # models behind filters judge texts and write none, but their terms may bind
    for line in profile.refine.models.licence_notes():
        name, _, licence = line.partition(": ")
        chain.append(Link("filter", name.removeprefix("filter "), licence, ""))
    return chain


def model_chain(profile: Profile, bases: Iterable[tuple[str, str]]) -> list[Link]:
    """What a checkpoint is made of; `bases` are parts and hub's ids (or stand-ins' names)."""
    own, known = of_profile(profile), _read().models
    made_here = "Apache-2.0, made on the spot by this software"
    unknown = _Terms(licence=NOT_SAID if profile.world is None else made_here)
    chain = []
    for part, name in bases:
        terms = known.get(name, unknown)
        chain.append(Link(part, name, terms.licence, terms.link))
    captions = _components("stage 1", own.captions, profile)
    return [*chain, *captions, *dataset_chain(profile, english=True)]


def _components(part: str, keys: Sequence[str], profile: Profile) -> list[Link]:
    if not keys:
        said = f"nobody has written down the terms of profile {profile.name} in licences.yaml"
        return [Link(part, profile.source.path.name, said, "")]
    terms = map(_read().components.__getitem__, keys)
    return [Link(part, component.name, component.licence, component.link) for component in terms]


def translator_name(profile: Profile) -> str:
    """A hub's id, or the last part of a folder's name: where it lies is nobody's business."""
    model = profile.translator.model
    return Path(model).name if Path(model).is_absolute() else model


def licence_table(chain: Iterable[Link]) -> str:
    rows = [
        (part, cell(name), cell(licence), f"<{link}>" if link else "")
        for part, name, licence, link in chain
    ]
    return table(("part", "what", "terms", "where"), rows, align="llll")


def licence_notes(chain: Iterable[Link]) -> str:
    """LICENSE.md of a folder that is published."""
    return (
        "# Terms of this release and of what it is made of\n\n"
        "Every part has its own terms, and all of them bind. The table says what each part's own "
        "page said when it was written; that page is what counts.\n\n" + licence_table(chain) + "\n"
    )
