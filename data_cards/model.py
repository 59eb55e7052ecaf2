"""The card of a trained checkpoint: parts, training, evaluation with intervals, terms, limits.

palo card --scale 7b
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from data_cards.card_format import NOT_MEASURED, WRITERS, interval, problems, share
from data_cards.licences import licence_table, model_chain, of_profile
from data_cards.provenance import MODEL_TEMPLATE, checkpoint_provenance
from palo import __version__
from palo.console import wilson
from palo.errors import MissingResource, unknown
from palo.files import read_json
from palo.languages import LANGUAGES
from palo.settings import Profile

STOCK = "llava"  # the model type that transformers has by itself
_STAGES = ("stage1", "stage2")


def has_checkpoint(profile: Profile, scale: str) -> bool:
    return (profile.paths.checkpoint(scale) / "config.json").is_file()


def scales(profile: Profile) -> list[str]:
    """Those of the profile, trained or not."""
    return sorted(path.stem for path in profile.train.scales_dir.glob("*.yaml"))


def render(profile: Profile, scale: str) -> str:
    """The card as Markdown with a YAML head. Raises UserError for an unknown scale,
    MissingResource for one that is not trained."""
    if scale not in scales(profile):
        raise unknown("scale", scale, scales(profile))
    paths = profile.paths
    folder = paths.checkpoint(scale)
    if not has_checkpoint(profile, scale):
        raise MissingResource(f"No checkpoint in {folder}. Run palo train --scale {scale} first.")
    said = _scale(profile, scale)
    config, training = read_json(folder / "config.json"), _optional(folder / "training.json")
    evaluation = _optional(paths.evaluation(scale))
    card = ModelCard.from_template(
        _metadata(profile, scale, said, evaluation),
        template_str=MODEL_TEMPLATE.read_text(encoding="utf-8"),
        **WRITERS,
        right=_right,
        named=lambda lang: f"{lang} {LANGUAGES[lang].name}",
        title=title(profile, scale),
        scale=scale,
        projector=config.get("palo", {}).get("projector", said["projector"]),
        languages_told=", ".join(info.name for info in LANGUAGES.values()),
        version=__version__,
        said=said,
        stage2_told="the projector and adapters on the language model, which are merged into it"
        if said.get("lora")
        else "the projector and the whole language model",
        stages=[_Stage(name, said[name], training) for name in _STAGES],
        mixture=training.get("mixture", {}),
        cut=training.get("cut", {}).get("stage2", {}),
        set_aside=_set_aside(training),
        evaluated=evaluation.get("languages", {}),
        benches=[
            read_json(path)
            for path in sorted(paths.evaluation(scale).with_suffix("").glob("bench-*.json"))
        ],
        limits=list(_limits(profile, training, evaluation)),
        licences_table=licence_table(model_chain(profile, named_bases(profile, scale))),
        stock=config.get("model_type") == STOCK,
        provenance=checkpoint_provenance(profile, scale).block(),
    )
    return str(card)


def title(profile: Profile, scale: str) -> str:
    return f"Palo {scale} (profile {profile.name})"


def _optional(path: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = read_json(path) if path.is_file() else {}
    return found


def _scale(profile: Profile, scale: str) -> dict[str, Any]:
    path = profile.train.scales_dir / f"{scale}.yaml"
    said: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return said


def named_bases(profile: Profile, scale: str) -> list[tuple[str, str]]:
    """What the scale is built on: part and name."""
    said = _scale(profile, scale)
    parts = ("language_model", "vision_tower")
    return [(part.replace("_", " "), said[part]["name"]) for part in parts]


def _is_on_hub(source: Mapping[str, Any]) -> bool:
    return "standin" not in source and not Path(source["name"]).is_absolute()


def _metadata(
    profile: Profile, scale: str, said: Mapping[str, Any], evaluation: Mapping[str, Any]
) -> ModelCardData:
    own = of_profile(profile)
    sources = (said["language_model"], said["vision_tower"])
    data = ModelCardData(
        base_model=[one["name"] for one in sources if _is_on_hub(one)] or None,
        datasets=list(own.training_datasets) or None,
        eval_results=list(_results(evaluation)) or None,
        language=list(map(str, LANGUAGES)),
        library_name="transformers",
        model_name=title(profile, scale),
        pipeline_tag="image-text-to-text",
        tags=["palo", "llava", "vision-language", "multilingual"],
        **own.model.model_dump(exclude_none=True),
    )
    wrong = problems(yaml.safe_load(data.to_yaml()))
    assert not wrong, f"metadata: {wrong}"
    return data


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


def _set_aside(training: Mapping[str, Any]) -> str:
    lost = training.get("set_aside", {})
    told = ", ".join(f"{name} {len(lost[name]):,}" for name in _STAGES if name in lost)
    return f"Samples set aside for a broken picture or text: {told}." if told else ""


def _right(row: Mapping[str, Any]) -> str:
    """The share of right answers with its interval."""
    accuracy, asked = row.get("accuracy"), row.get("questions", 0)
    if accuracy is None or not asked:
        return NOT_MEASURED
    return f"{share(accuracy)} ({interval(*wilson(round(accuracy * asked), asked))})"


def _limits(
    profile: Profile, training: Mapping[str, Any], evaluation: Mapping[str, Any]
) -> Iterator[str]:
    if profile.world is not None:
        yield (
            "A tiny twin: it knows drawn scenes of a few shapes and colours and says nothing of "
            "photographs. It shows that the software works."
        )
    for lang, row in evaluation.get("languages", {}).items():
        name, asked = LANGUAGES[lang].name, row.get("questions", 0)
        if row.get("accuracy") is not None and asked:
            low, _ = wilson(round(row["accuracy"] * asked), asked)
            if low <= row.get("chance", 0):
                yield f"{name}: answers are no better than guessing as far as can be told."
        fidelity = row.get("fidelity")
        if fidelity is not None and fidelity < 0.95:
            other = share(1 - fidelity)
            yield f"{name}: {other} of answers are not in the language of the question."
    if not evaluation:
        yield "Nothing was measured on held-out questions."
    if mixture := training.get("mixture"):
        missing = [info.name for lang, info in LANGUAGES.items() if not mixture.get(lang)]
        if missing:
            yield f"Not trained on instructions in {', '.join(missing)}."
    yield "One picture a conversation. It may tell of things that are not in the picture."
    yield "It has the biases and the errors of its base models and of machine translation."
