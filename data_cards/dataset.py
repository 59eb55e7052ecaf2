"""The card of a translated dataset: a language, several, or the mixture of stage 2.

palo card --lang ur
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import yaml
from huggingface_hub import DatasetCard, DatasetCardData

from data_cards import tables
from data_cards.facts import facts, load_report
from data_cards.licences import HubLicence, dataset_chain, licence_table, of_profile
from data_cards.licences import translator_name as translator_of
from data_cards.limits import limits
from data_cards.markdown import cell, number, table
from data_cards.metadata import problems, size_category
from data_cards.provenance import DATASET_TEMPLATE, dataset_provenance
from data_cards.release import ALL, MIXTURE, Release, conversations
from palo import __version__
from palo.errors import UserError
from palo.files import read_json
from palo.languages import ENGLISH, LANGUAGES, Language
from palo.paths import DataPaths
from palo.settings import Profile
from palo.shards import read_columns, shard_paths, training_conversations

EXAMPLES = 2  # a language, in the card of that language alone
MAX_EXAMPLE_CHARS = 300


def render(profile: Profile, release: Release) -> str:
    """The card as Markdown with a YAML head. Raises UserError where nothing is translated."""
    if not release.langs:
        raise UserError("No translated rows to describe. Run palo translate --lang all first.")
    paths = DataPaths(profile.data_dir)
    rows = [facts(profile, lang) for lang in release.langs]
    told = load_report(paths).get("filters", {})
    english = _count(profile) if release.english else None
    total = sum(row.use.conversations for row in rows if row.use) + (english or 0)
    report = paths.translator_report
    finetune = read_json(report) if report.is_file() else {}
    card = DatasetCard.from_template(
        _metadata(profile, release, total),
        template_str=DATASET_TEMPLATE.read_text(encoding="utf-8"),
        title=title(profile, release),
        description=profile.description[:1].upper() + profile.description[1:] + ".",
        conversations_total=number(total),
        languages_told=", ".join(LANGUAGES[lang].name for lang in release.configs),
        origin=cell(profile.source.path.name),
        translator=cell(translator_of(profile)),
        version=__version__,
        policy=profile.refine.policy,
        keep_review=profile.refine.keep_review,
        conversations_table=tables.conversations(rows, english),
        stages_table=tables.stages(rows),
        filters_known=bool(told),
        filters_table=tables.filters(rows, told),
        thresholds_table=tables.thresholds(rows, told),
        calibrated=", ".join(lang for lang in told.get("calibrated", []) if lang in release.langs),
        languages_table=tables.languages(rows),
        ratios_table=tables.ratios(rows, told),
        bars=tables.ratio_bars(rows[0]) if len(rows) == 1 else "",
        reported=any(row.report for row in rows),
        reviews_table=tables.reviews(rows),
        audits_table=tables.audits(rows),
        plan=profile.refine.acceptance,
        finetune_table=tables.finetune(finetune, rows),
        chrf_signature=finetune.get("chrf_signature", ""),
        mixture_told=_mixture(profile) if release.english else "",
        licences_table=licence_table(dataset_chain(profile, release.english)),
        limits=limits(profile, rows),
        examples_table=_examples(profile, release),
        first_config=release.configs[0],
        english=release.english,
        provenance=dataset_provenance(profile, release).block(),
    )
    return str(card)


def title(profile: Profile, release: Release) -> str:
    names = " and ".join(LANGUAGES[lang].name for lang in release.langs)
    said = {ALL: "all languages", MIXTURE: "training mixture"}.get(release.name, names)
    return f"Palo instructions: {said} (profile {profile.name})"


def licence_of(profile: Profile) -> HubLicence:
    return of_profile(profile).dataset


def _metadata(profile: Profile, release: Release, rows: int) -> DatasetCardData:
    configs: list[dict[str, Any]] = [
        {"config_name": lang, "data_files": [{"split": "train", "path": f"data/{lang}/*.parquet"}]}
        for lang in map(str, release.configs)
    ]
    if len(configs) == 1:
        configs[0]["default"] = True
    licence, own = licence_of(profile), of_profile(profile)
    data = DatasetCardData(
        language=[str(lang) for lang in release.configs],
        pretty_name=title(profile, release),
        task_categories=["visual-question-answering", "image-text-to-text"],
        size_categories=[size_category(rows)],
        multilinguality=["multilingual" if len(configs) > 1 else "monolingual"],
        source_datasets=list(own.source_datasets) or None,
        tags=["llava", "palo", "translation", "visual-instruction-tuning"],
        configs=configs,
        **licence.model_dump(exclude_none=True),
    )
    wrong = problems(yaml.safe_load(data.to_yaml()))
    assert not wrong, f"metadata: {wrong}"
    return data


def _count(profile: Profile) -> int:
    """English conversations of the mixture, without reading more of them than needed."""
    if profile.train.english_mix_path is None:
        shards = shard_paths(DataPaths(profile.data_dir).source_dir)
        return sum(1 for path in shards for _ in read_columns(path, ("sample_id",)))
    return sum(1 for _ in conversations(profile, ENGLISH))


def _mixture(profile: Profile) -> str:
    mixture = profile.train.mixture
    said = "Every conversation is in this release once. "
    if mixture.temperature is not None:
        said += f"An epoch draws languages with temperature {mixture.temperature:g} (n^(1/T))."
    elif mixture.weights:
        told = ", ".join(f"{lang} {weight:g}" for lang, weight in sorted(mixture.weights.items()))
        said += f"An epoch draws languages with these weights: {told}; all others with weight 1."
    else:
        said += "So is it in an epoch, which is the recipe of the paper."
    mix = profile.train.english_mix_path
    named = f"`{mix.name}`" if mix else "the source itself"
    return f"{said} The English is {named}."


def _examples(profile: Profile, release: Release) -> str:
    """Rounds in English and translated; with several languages one of each."""
    number_each = EXAMPLES if len(release.langs) == 1 else 1
    lines = [
        (str(lang), cell(english, MAX_EXAMPLE_CHARS), cell(text, MAX_EXAMPLE_CHARS))
        for lang in release.langs
        for turns in islice(_rounds(profile, lang), number_each)
        for english, text in turns
    ]
    return table(("", "English", "translation"), lines, align="lll") if lines else "None is kept."


def _rounds(profile: Profile, lang: Language) -> Iterator[Sequence[tuple[str, str]]]:
    """The first round of each kept conversation, as pairs of English and translation."""
    refined = DataPaths(profile.data_dir).refined(lang)
    for count, _, (source, target) in training_conversations(
        refined, profile.refine, ("source", "target")
    ):
        if count:
            yield [(_text(one), _text(other)) for one, other in _pairs(source, target)]


def _pairs(source: list[Any], target: list[Any]) -> list[tuple[Any, Any]]:
    return list(zip(source, target, strict=True))[:2]


def _text(turn: dict[str, str]) -> str:
    return turn["text"]
