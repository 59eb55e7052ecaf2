"""The cards: of a dataset (a language, several, the mixture of stage 2), and of a checkpoint.

palo card --lang ur
palo card --scale 7b
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import DatasetCard, DatasetCardData, EvalResult, ModelCard, ModelCardData

from data_cards.card_format import bars, cell, code, filled, number, size_category, table
from data_cards.licences import (
    dataset_chain,
    licence_table,
    model_chain,
    of_profile,
    translator_name,
)
from data_cards.provenance import (
    DATASET_TEMPLATE,
    MODEL_TEMPLATE,
    checkpoint_provenance,
    dataset_provenance,
    has_checkpoint,
)
from data_cards.release import (
    ALL,
    MIXTURE,
    LanguageFacts,
    Release,
    conversations,
    load_report,
    optional,
)
from palo.console import wilson
from palo.errors import MissingResource, UserError, unknown
from palo.files import read_json
from palo.languages import ENGLISH, LANGUAGES
from palo.schemas import TurnStatus, Verdict
from palo.settings import Profile
from palo.shards import read_columns, shard_paths, training_conversations

EXAMPLES = 2  # a language, in the card of that language alone
MAX_EXAMPLE_CHARS = 300
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_STATUSES = (TurnStatus.TRANSLATED, TurnStatus.VERIFIED, TurnStatus.COPIED, TurnStatus.FAILED)
_STAGES = ("stage1", "stage2")
_PARTS = ("language_model", "vision_tower")


def dataset_card(profile: Profile, release: Release) -> str:
    """The card as Markdown with a YAML head. Raises UserError where nothing is translated."""
    if not release.langs:
        raise UserError("No translated rows to describe. Run palo translate --lang all first.")
    rows = [LanguageFacts(profile, lang) for lang in release.langs]
    told = load_report(profile.paths).get("filters", {})
    english = _count(profile) if release.english else None
    total = sum(row.use.whole + row.use.cut for row in rows if row.use) + (english or 0)
    finetune = optional(profile.paths.translator_report)
    by_reason = [row.refined.get("by_reason", {}) for row in rows]
    about = told.get("filters", {})
    others = sorted({name for counts in by_reason for name in counts} - {*about})
    return filled(
        DatasetCard,
        _dataset_data(profile, release, total),
        DATASET_TEMPLATE,
        rows=rows,
        title=_title(profile, release),
        description=profile.description[:1].upper() + profile.description[1:] + ".",
        conversations_total=number(total),
        languages_told=", ".join(LANGUAGES[lang].name for lang in release.configs),
        origin=cell(profile.source.path.name),
        translator=cell(translator_name(profile)),
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
        mixture=profile.train.mixture,
        english_mix=profile.train.english_mix_path,
        licences_table=licence_table(dataset_chain(profile, release.english)),
        world=profile.world,
        examples_table=_examples(profile, release),
        first_config=release.configs[0],
        english=release.english,
        provenance=dataset_provenance(profile, release).block(),
    )


def _title(profile: Profile, release: Release) -> str:
    names = " and ".join(LANGUAGES[lang].name for lang in release.langs)
    said = {ALL: "all languages", MIXTURE: "training mixture"}.get(release.name, names)
    return f"Palo instructions: {said} (profile {profile.name})"


def _dataset_data(profile: Profile, release: Release, rows: int) -> DatasetCardData:
    configs: list[dict[str, Any]] = [
        {"config_name": lang, "data_files": [{"split": "train", "path": f"data/{lang}/*.parquet"}]}
        for lang in map(str, release.configs)
    ]
    if len(configs) == 1:
        configs[0]["default"] = True
    own = of_profile(profile)
    return DatasetCardData(
        language=[str(lang) for lang in release.configs],
        pretty_name=_title(profile, release),
        task_categories=["visual-question-answering", "image-text-to-text"],
        size_categories=[size_category(rows)],
        multilinguality=["multilingual" if len(configs) > 1 else "monolingual"],
        source_datasets=list(own.source_datasets) or None,
        tags=["llava", "palo", "translation", "visual-instruction-tuning"],
        configs=configs,
        **own.dataset.model_dump(exclude_none=True),
    )


def _count(profile: Profile) -> int:
    """English conversations of the mixture, without reading more of them than needed."""
    if profile.train.english_mix_path is None:
        shards = shard_paths(profile.paths.source_dir)
        return sum(1 for path in shards for _ in read_columns(path, ("sample_id",)))
    return sum(1 for _ in conversations(profile, ENGLISH))


def _examples(profile: Profile, release: Release) -> str:
    """The first round of the first kept conversations, English and translated; with several
    languages one of each."""
    wanted, lines = EXAMPLES if len(release.langs) == 1 else 1, []
    for lang in release.langs:
        rows = training_conversations(
            profile.paths.refined(lang), profile.refine, ("source", "target")
        )
        kept = (columns for count, _, columns in rows if count)
        for source, target in islice(kept, wanted):
            for turns in list(zip(source, target, strict=True))[:2]:
                lines.append(
                    (str(lang), *(cell(turn["text"], MAX_EXAMPLE_CHARS) for turn in turns))
                )
    return table(("", "English", "translation"), lines, align="lll") if lines else "None is kept."


def _ratio_bars(row: LanguageFacts) -> str:
    """The same as a histogram in steps of a tenth."""
    tenths: Counter[str] = Counter()
    for edge, count in sorted(row.report.get("length_ratios", {}).items()):
        tenths[f"{int(float(edge) * 10 + 1e-9) / 10:.1f}"] += count
    return bars(list(tenths.items()))


def scale_names(profile: Profile) -> list[str]:
    """Those of the profile, trained or not."""
    return sorted(path.stem for path in profile.train.scales_dir.glob("*.yaml"))


def model_card(profile: Profile, scale: str) -> str:
    """The card as Markdown with a YAML head. Raises UserError for an unknown scale,
    MissingResource for one that is not trained."""
    if scale not in scale_names(profile):
        raise unknown("scale", scale, scale_names(profile))
    paths = profile.paths
    folder = paths.checkpoint(scale)
    if not has_checkpoint(profile, scale):
        raise MissingResource(f"No checkpoint in {folder}. Run palo train --scale {scale} first.")
    said = _scale(profile, scale)
    config, training = read_json(folder / "config.json"), optional(folder / "training.json")
    evaluation = optional(paths.evaluation(scale))
    mixture = training.get("mixture", {})
    return filled(
        ModelCard,
        _model_data(profile, scale, said, evaluation),
        MODEL_TEMPLATE,
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
        stages=[_Stage(name, said[name], training) for name in _STAGES],
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
        licences_table=licence_table(model_chain(profile, named_bases(profile, scale))),
        stock=config.get("model_type") == "llava",  # which transformers has by itself
        provenance=checkpoint_provenance(profile, scale).block(),
    )


def _scale(profile: Profile, scale: str) -> dict[str, Any]:
    path = profile.train.scales_dir / f"{scale}.yaml"
    said: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return said


def named_bases(profile: Profile, scale: str) -> list[tuple[str, str]]:
    """What the scale is built on: part and name."""
    said = _scale(profile, scale)
    return [(part.replace("_", " "), said[part]["name"]) for part in _PARTS]


def _model_data(
    profile: Profile, scale: str, said: Mapping[str, Any], evaluation: Mapping[str, Any]
) -> ModelCardData:
    own = of_profile(profile)
    on_hub = [
        source["name"]
        for source in map(said.__getitem__, _PARTS)
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
        **own.model.model_dump(exclude_none=True),
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


class _Stage:
    """What a stage was asked for and what came of it, from the checkpoint's log."""

    def __init__(self, name: str, said: Mapping[str, Any], training: Mapping[str, Any]) -> None:
        log = training.get("logs", {}).get(name, [])
        losses = [entry["loss"] for entry in log if "loss" in entry]
        self.name, self.said = name, said
        self.steps = int(max((entry.get("step", 0) for entry in log), default=0)) or None
        self.first_loss: float | None = losses[0] if losses else None
        self.last_loss: float | None = losses[-1] if losses else None
        self.seconds = training.get("seconds", {}).get(name)


def _right_interval(row: Mapping[str, Any]) -> tuple[float, float] | None:
    """Where the share of right answers lies; None where there is none."""
    accuracy, asked = row.get("accuracy"), row.get("questions", 0)
    return wilson(round(accuracy * asked), asked) if accuracy is not None and asked else None
