"""The licence chain of a release: licences.yaml, the translator, the models that were asked."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from data_cards.card_format import cell, table
from palo.files import read_yaml
from palo.settings import Profile, Section, read_mapping

TABLE = Path(__file__).with_name("licences.yaml")
PARTS = ("language_model", "vision_tower")  # that a scale names
NOT_SAID = "not stated here; ask its publisher"


class Terms(Section):
    """`link` is "" where none is known."""

    name: str = ""
    licence: str
    link: str = ""


Chain = list[tuple[str, Terms]]  # what something is made of: the part that it plays, its terms


class _OfProfile(Section):
    """Keys of `components` for each part of a release; nothing is known of a profile of one's own
    that licences.yaml does not name. `dataset` and `model` are the licence as the Hub's metadata
    give it."""

    dataset: dict[str, Any] = {"license": "unknown"}
    model: dict[str, Any] = {"license": "unknown"}
    translations: tuple[str, ...] = ()
    english: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()
    source_datasets: tuple[str, ...] = ()
    training_datasets: tuple[str, ...] = ()


class _Table(Section):
    components: dict[str, Terms]
    profiles: dict[str, _OfProfile]
    models: dict[str, Terms]


@cache
def _read() -> _Table:
    return _Table.model_validate(read_yaml(__file__, TABLE.name))


def of_profile(profile: Profile) -> _OfProfile:
    return _read().profiles.get(profile.name, _OfProfile())


def scale_settings(profile: Profile, scale: str) -> dict[str, Any]:
    return read_mapping(profile.train.scales_dir / f"{scale}.yaml")


def dataset_chain(profile: Profile, english: bool) -> Chain:
    """What translated conversations are made of; with `english` the English ones beside them."""
    own, hub_id = of_profile(profile), translator_name(profile)
    chain = _components("translations", own.translations, profile)
    if english:
        names = {terms.name for _, terms in chain}
        beside = _components("English", own.english, profile)
        chain += [(part, terms) for part, terms in beside if terms.name not in names]
    is_local = Path(profile.translator.model).is_absolute()
    page = "" if is_local else f"https://huggingface.co/{hub_id}"
    licence = profile.translator.licence or NOT_SAID
    chain.append(("translator", Terms(name=hub_id, licence=licence, link=page)))
    # models behind filters judge texts and write none, but their terms may bind
    for line in profile.refine.models.licence_notes():
        name, _, licence = line.partition(": ")
        chain.append(("filter", Terms(name=name.removeprefix("filter "), licence=licence)))
    return chain


def model_chain(profile: Profile, scale: str) -> Chain:
    """What a checkpoint is made of."""
    made_here = "Apache-2.0, made on the spot by this software"
    unknown = Terms(licence=NOT_SAID if profile.world is None else made_here)
    chain, settings = [], scale_settings(profile, scale)
    for part in PARTS:
        name = settings[part]["name"]  # a hub's id or a stand-in's
        terms = _read().models.get(name, unknown)
        chain.append((part.replace("_", " "), terms.model_copy(update={"name": name})))
    captions = _components("stage 1", of_profile(profile).captions, profile)
    return [*chain, *captions, *dataset_chain(profile, english=True)]


def _components(part: str, keys: Sequence[str], profile: Profile) -> Chain:
    said = f"nobody has written down the terms of profile {profile.name} in licences.yaml"
    known = [(part, _read().components[key]) for key in keys]
    return known or [(part, Terms(name=profile.source.path.name, licence=said))]


def translator_name(profile: Profile) -> str:
    """A hub's id, or the last part of a folder's name: where it lies is nobody's business."""
    model = profile.translator.model
    return Path(model).name if Path(model).is_absolute() else model


def licence_table(chain: Chain) -> str:
    rows = [
        (part, cell(terms.name), cell(terms.licence), f"<{terms.link}>" if terms.link else "")
        for part, terms in chain
    ]
    return table(("part", "what", "terms", "where"), rows, align="llll")


def licence_notes(chain: Chain) -> str:
    """LICENSE.md of a folder that is published."""
    return (
        "# Terms of this release and of what it is made of\n\n"
        "Every part has its own terms, and all of them bind. The table says what each part's own "
        "page said when it was written; that page is what counts.\n\n" + licence_table(chain) + "\n"
    )
