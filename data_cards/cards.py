"""The cards: of a dataset (a language, several, the mixture of stage 2), and of a checkpoint.

palo card --lang ur
palo card --scale 7b
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from huggingface_hub import DatasetCard, DatasetCardData, EvalResult, ModelCard, ModelCardData

from data_cards import licences, provenance
from data_cards.card_format import bars, cell, code, filled, number, size_category, table
from data_cards.release import LanguageFacts, Release, conversations, load_report
from palo.console import wilson
from palo.errors import UserError, unknown
from palo.files import read_json
from palo.languages import ENGLISH, LANGUAGES
from palo.schemas import TurnStatus, Verdict
from palo.settings import Profile
from palo.shards import counted, training_conversations

EXAMPLES = 2  # a language, in the card of that language alone
MAX_EXAMPLE_CHARS = 300
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_STATUSES = (TurnStatus.TRANSLATED, TurnStatus.VERIFIED, TurnStatus.COPIED, TurnStatus.FAILED)


def dataset_card(profile: Profile, release: Release) -> str:
    """The card as Markdown with a YAML head. Raises UserError where nothing is translated."""
    if not release.langs:
        raise UserError("No translated rows to describe. Run palo translate --lang all first.")
    rows = [LanguageFacts(profile, lang) for lang in release.langs]
    told = load_report(profile.paths).get("filters", {})
    english = None
    if release.english and profile.train.english_mix_path is None:
        english = counted(profile.paths.source_dir)
    elif release.english:
        english = sum(1 for _ in conversations(profile, ENGLISH))
    total = sum(row.use.whole + row.use.cut for row in rows if row.use) + (english or 0)
    finetune = read_json(profile.paths.translator_report, {})
    by_reason = [row.refined.get("by_reason", {}) for row in rows]
    about = told.get("filters", {})
    others = sorted({name for counts in by_reason for name in counts} - {*about})
    tenths: Counter[str] = Counter()  # of a language alone: its ratios of lengths, in wider steps
    if len(rows) == 1:
        for edge, count in sorted(rows[0].report.get("length_ratios", {}).items()):
            tenths[f"{int(float(edge) * 10 + 1e-9) / 10:.1f}"] += count
    title = f"Palo instructions: {release.title} (profile {profile.name})"
    return filled(
        DatasetCard,
        _dataset_data(profile, release, title, total),
        provenance.DATASET_TEMPLATE,
        rows=rows,
        title=title,
        description=profile.description[:1].upper() + profile.description[1:] + ".",
        conversations_total=number(total),
        languages_told=", ".join(LANGUAGES[lang].name for lang in release.configs),
        origin=cell(profile.source.path.name),
        translator=cell(licences.translator_name(profile)),
        policy=profile.refine.policy,
        keep_review=profile.refine.keep_review,
        num_english=english,
        statuses=_STATUSES,
        verdicts=list(Verdict),
        told=told,
        filters=[
            (code(name), cell(about.get(name, "?")), [counts.get(name, 0) for counts in by_reason])
            for name in (*about, *others)
        ],
        quantiles=_QUANTILES,
        calibrated=", ".join(lang for lang in told.get("calibrated", []) if lang in release.langs),
        bars=bars(list(tenths.items())),
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
        mixture=profile.train.mixture,
        english_mix=profile.train.english_mix_path,
        licences_table=licences.licence_table(licences.dataset_chain(profile, release.english)),
        world=profile.world,
        examples_table=_examples(profile, release),
        first_config=release.configs[0],
        english=release.english,
        provenance=provenance.dataset_provenance(profile, release).block(),
    )


def _dataset_data(profile: Profile, release: Release, title: str, rows: int) -> DatasetCardData:
    configs: list[dict[str, Any]] = [
        {"config_name": lang, "data_files": [{"split": "train", "path": f"data/{lang}/*.parquet"}]}
        for lang in map(str, release.configs)
    ]
    if len(configs) == 1:
        configs[0]["default"] = True
    own = licences.of_profile(profile)
    return DatasetCardData(
        language=[str(lang) for lang in release.configs],
        pretty_name=title,
        task_categories=["visual-question-answering", "image-text-to-text"],
        size_categories=[size_category(rows)],
        multilinguality=["multilingual" if len(configs) > 1 else "monolingual"],
        source_datasets=list(own.source_datasets) or None,
        tags=["llava", "palo", "translation", "visual-instruction-tuning"],
        configs=configs,
        **own.dataset,
    )


def _examples(profile: Profile, release: Release) -> str:
    """The first round of the first kept conversations, English and translated; of each language."""
    wanted, lines = EXAMPLES if len(release.langs) == 1 else 1, []
    for lang in release.langs:
        folder = profile.paths.refined(lang)
        rows = training_conversations(folder, profile.refine, ("source", "target"))
        kept = (columns for count, _, columns in rows if count)
        for source, target in islice(kept, wanted):
            for turns in list(zip(source, target, strict=True))[:2]:
                texts = (cell(turn["text"], MAX_EXAMPLE_CHARS) for turn in turns)
                lines.append((str(lang), *texts))
    return table(("", "English", "translation"), lines, align="lll") if lines else "None is kept."


def scale_names(profile: Profile) -> list[str]:
    """Those of the profile, trained or not."""
    return sorted(path.stem for path in profile.train.scales_dir.glob("*.yaml"))


def model_card(profile: Profile, scale: str) -> str:
    """As Markdown with a YAML head. UserError: an unknown scale; MissingResource: not trained."""
    if scale not in scale_names(profile):
        raise unknown("scale", scale, scale_names(profile))
    paths, folder = profile.paths, provenance.checkpoint_dir(profile, scale)
    said = licences.scale_settings(profile, scale)
    config, training = read_json(folder / "config.json"), read_json(folder / "training.json", {})
    evaluation = read_json(paths.evaluation(scale), {})
    mixture = training.get("mixture", {})
    return filled(
        ModelCard,
        _model_data(profile, scale, said, evaluation),
        provenance.MODEL_TEMPLATE,
        languages=LANGUAGES,
        right_interval=_right_interval,
        title=f"Palo {scale} (profile {profile.name})",
        scale=scale,
        projector=config.get("palo", {}).get("projector", said["projector"]),
        languages_told=", ".join(info.name for info in LANGUAGES.values()),
        said=said,
        stage2_told="the projector and adapters on the language model, which are merged into it"
        if said.get("lora")
        else "the projector and the whole language model",
        stages=[_stage(name, said[name], training) for name in ("stage1", "stage2")],
        mixture=mixture,
        untrained=[info.name for lang, info in LANGUAGES.items() if not mixture.get(lang)],
        cut=training.get("cut", {}).get("stage2", {}),
        set_aside=training.get("set_aside", {}),
        evaluated=evaluation.get("languages", {}),
        benches=[
            read_json(path)
            for path in sorted(paths.evaluation(scale).with_suffix("").glob("bench-*.json"))
        ],
        tiny=profile.world is not None,
        measured=bool(evaluation),
        licences_table=licences.licence_table(licences.model_chain(profile, scale)),
        stock=config.get("model_type") == "llava",  # which transformers has by itself
        provenance=provenance.checkpoint_provenance(profile, scale).block(),
    )


def _model_data(
    profile: Profile, scale: str, said: Mapping[str, Any], evaluation: Mapping[str, Any]
) -> ModelCardData:
    own = licences.of_profile(profile)
    on_hub = [
        source["name"]
        for source in map(said.__getitem__, licences.PARTS)
        if "standin" not in source and not Path(source["name"]).is_absolute()
    ]
    return ModelCardData(
        base_model=on_hub or None,
        datasets=list(own.training_datasets) or None,
        eval_results=list(_results(evaluation)) or None,
        language=list(map(str, LANGUAGES)),
        library_name="transformers",
        model_name=f"Palo {scale} (profile {profile.name})",
        pipeline_tag="image-text-to-text",
        tags=["palo", "llava", "vision-language", "multilingual"],
        **own.model,
    )


def _results(evaluation: Mapping[str, Any]) -> Iterator[EvalResult]:
    for lang, row in evaluation.get("languages", {}).items():
        for metric, name in (("accuracy", "right"), ("fidelity", "in its language")):
            if row.get(metric) is not None:
                yield EvalResult(
                    task_type="visual-question-answering",
                    dataset_type="palo-held-out-questions",
                    dataset_name="Held-out questions",
                    dataset_config=lang,
                    dataset_split="test",
                    metric_type=metric,
                    metric_name=f"answers {name}, {LANGUAGES[lang].name}",
                    metric_value=round(row[metric], 4),
                )


def _stage(name: str, said: Mapping[str, Any], training: Mapping[str, Any]) -> dict[str, Any]:
    """What a stage was asked for and what came of it, from the checkpoint's log."""
    log = training.get("logs", {}).get(name, [])
    losses = [entry["loss"] for entry in log if "loss" in entry] or [None]
    steps = int(max((entry.get("step", 0) for entry in log), default=0)) or None
    told = {"steps": steps, "first_loss": losses[0], "last_loss": losses[-1]}
    return {"name": name, "said": said, "seconds": training.get("seconds", {}).get(name), **told}


def _right_interval(row: Mapping[str, Any]) -> tuple[float, float] | None:
    """Where the share of right answers lies; None where there is none."""
    accuracy, asked = row.get("accuracy"), row.get("questions", 0)
    return wilson(round(accuracy * asked), asked) if accuracy is not None and asked else None
