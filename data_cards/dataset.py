"""The card of a translated dataset: a language, several, or the mixture of stage 2.

palo card --lang ur
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import yaml
from huggingface_hub import DatasetCard, DatasetCardData

from data_cards.card_format import (
    WRITERS,
    bars,
    cell,
    code,
    interval,
    number,
    problems,
    share,
    size_category,
    table,
)
from data_cards.licences import HubLicence, dataset_chain, licence_table, of_profile
from data_cards.licences import translator_name as translator_of
from data_cards.provenance import DATASET_TEMPLATE, dataset_provenance
from data_cards.release import (
    ALL,
    MIXTURE,
    LanguageFacts,
    Release,
    conversations,
    facts,
    load_report,
)
from palo import __version__
from palo.errors import UserError
from palo.files import read_json
from palo.languages import ENGLISH, LANGUAGES, Language
from palo.schemas import TurnStatus, Verdict
from palo.settings import Profile
from palo.shards import read_columns, shard_paths, training_conversations

EXAMPLES = 2  # a language, in the card of that language alone
MAX_EXAMPLE_CHARS = 300
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_STATUSES = (TurnStatus.TRANSLATED, TurnStatus.VERIFIED, TurnStatus.COPIED, TurnStatus.FAILED)
_MAX_FOREIGN = 0.01  # of the turns: more in another language than that is worth a line


def render(profile: Profile, release: Release) -> str:
    """The card as Markdown with a YAML head. Raises UserError where nothing is translated."""
    if not release.langs:
        raise UserError("No translated rows to describe. Run palo translate --lang all first.")
    paths = profile.paths
    rows = [facts(profile, lang) for lang in release.langs]
    told = load_report(paths).get("filters", {})
    english = _count(profile) if release.english else None
    total = sum(row.use.conversations for row in rows if row.use) + (english or 0)
    report = paths.translator_report
    finetune = read_json(report) if report.is_file() else {}
    by_reason = [row.refined.get("by_reason", {}) for row in rows]
    about = told.get("filters", {})
    unknown = sorted({name for counts in by_reason for name in counts} - {*about})
    card = DatasetCard.from_template(
        _metadata(profile, release, total),
        template_str=DATASET_TEMPLATE.read_text(encoding="utf-8"),
        **WRITERS,
        identified=_identified,
        rows=rows,
        title=title(profile, release),
        description=profile.description[:1].upper() + profile.description[1:] + ".",
        conversations_total=number(total),
        languages_told=", ".join(LANGUAGES[lang].name for lang in release.configs),
        origin=cell(profile.source.path.name),
        translator=cell(translator_of(profile)),
        version=__version__,
        policy=profile.refine.policy,
        keep_review=profile.refine.keep_review,
        num_english=english,
        statuses=_STATUSES,
        verdicts=list(Verdict),
        told=told,
        filters=[
            (code(name), cell(about.get(name, "?")), [counts.get(name, 0) for counts in by_reason])
            for name in (*about, *unknown)
        ],
        quantiles=_QUANTILES,
        calibrated=", ".join(lang for lang in told.get("calibrated", []) if lang in release.langs),
        bars=_ratio_bars(rows[0]) if len(rows) == 1 else "",
        reported=any(row.report for row in rows),
        reviews=[(row, batch) for row in rows for batch in row.report.get("rounds", [])],
        audits=[(row, audit) for row in rows for audit in row.report.get("audits", [])],
        plan=profile.refine.acceptance,
        finetuned=[
            (row, finetune["languages"][row.lang])
            for row in rows
            if row.lang in finetune.get("languages", {})
        ],
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
        shards = shard_paths(profile.paths.source_dir)
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
    refined = profile.paths.refined(lang)
    for count, _, (source, target) in training_conversations(
        refined, profile.refine, ("source", "target")
    ):
        if count:
            yield [(_text(one), _text(other)) for one, other in _pairs(source, target)]


def _pairs(source: list[Any], target: list[Any]) -> list[tuple[Any, Any]]:
    return list(zip(source, target, strict=True))[:2]


def _text(turn: dict[str, str]) -> str:
    return turn["text"]


def _identified(row: LanguageFacts) -> str:
    """What language ID says of a sample of turns: as it, as others (the first five)."""
    counts = row.report.get("identified", {})
    asked = sum(counts.values())
    if not asked:
        return f"{number(None)} |  | "
    others = sorted(((n, lang) for lang, n in counts.items() if lang != row.lang), reverse=True)
    told = ", ".join(f"{cell(lang)} {count:,}" for count, lang in others[:5])
    return f"{number(asked)} | {share(counts.get(row.lang, 0) / asked)} | {told}"


def _ratio_bars(row: LanguageFacts) -> str:
    """The same as a histogram in steps of a tenth."""
    tenths: dict[str, int] = {}
    for edge, count in sorted(
        row.report.get("length_ratios", {}).items(), key=lambda step: step[0]
    ):
        step = f"{int(float(edge) * 10 + 1e-9) / 10:.1f}"
        tenths[step] = tenths.get(step, 0) + count
    return bars(list(tenths.items()))


def limits(profile: Profile, rows: Sequence[LanguageFacts]) -> list[str]:
    """Sentences, those that hold for every release last."""
    found = [line for row in rows for line in _of_language(profile, row)]
    if set_aside := rows[0].source.set_aside:
        found.append(f"{number(set_aside)} samples of the source were malformed and are missing.")
    if profile.world is not None:
        found.append(
            "These are drawn scenes and sentences of a small grammar: they test the software and "
            "teach nothing about photographs."
        )
    else:
        found.append(
            "The English was written by a language model from captions and boxes, without seeing "
            "the pictures: what it says may not be in them. Translation keeps such errors."
        )
    found.append("Pictures are named, not included; get them from where they are published.")
    found.append("Turns that nobody reviewed or audited are as the machine wrote them.")
    return found


def _of_language(profile: Profile, row: LanguageFacts) -> list[str]:
    return [f"{row.name}: {line}" for line in (*_judged(row), *_audited(profile, row))]


def _judged(row: LanguageFacts) -> list[str]:
    found = []
    if row.structure_broken:
        found.append("the audit of the translation run found shards that do not match the source.")
    if row.samples < row.source.samples:
        left = row.source.samples - row.samples
        found.append(f"{number(left)} conversations of the source are not translated.")
    if failed := row.by_status(TurnStatus.FAILED):
        found.append(
            f"{number(failed)} of {number(row.turns)} turns failed every attempt to translate."
        )
    if row.use is None:
        found.append("nothing has been filtered, so nothing can be trained on.")
        return found
    left_out, cut = row.use.left_out, row.use.cut
    if left_out or cut:
        waiting = sum(row.by_verdict(one) or 0 for one in (Verdict.REVIEW, Verdict.REJECT))
        found.append(
            f"conversations left out: {number(left_out)}, cut: {number(cut)}. Turns that were "
            f"flagged and are not corrected: {number(waiting)}."
        )
    if not row.report:
        found.append("language, lengths and reviews were not measured (`palo refine report`).")
        return found
    if row.report_is_older:
        found.append(
            "language, lengths and reviews were measured on earlier shards than these "
            "(`palo refine report` measures them anew)."
        )
    identified = row.report.get("identified", {})
    asked = sum(identified.values())
    foreign = asked - identified.get(row.lang, 0)
    if asked and foreign / asked > _MAX_FOREIGN:
        found.append(
            f"language identification gives {share(foreign / asked)} of {number(asked)} turns "
            "another language or none; short answers are often misjudged."
        )
    return found


def _audited(profile: Profile, row: LanguageFacts) -> list[str]:
    plan, audit = profile.refine.acceptance, row.audit
    if audit is None:
        return ["no turn that passed the filters has been audited, so its error rate is unknown."]
    rate = (
        f"{number(audit['num_errors'])} of {number(audit['num_rows'])} audited turns were wrong "
        f"({interval(audit['low'], audit['high'])} of all that passed)"
    )
    current = row.translated.get("signature", "")
    older = current and not str(audit["translator"]).endswith(current)
    whose = f" The audit is of another translator: {cell(audit['translator'])}." if older else ""
    if row.audit_failed:
        allowed = f"{plan.max_errors} in {plan.rows}"
        return [f"**fails the acceptance plan** of {allowed} errors: {rate}.{whose}"]
    if audit["acceptance"] != "met":
        return [f"too few rows were audited to accept it: {rate}.{whose}"]
    return [f"accepted, with errors left: {rate}.{whose}"]
