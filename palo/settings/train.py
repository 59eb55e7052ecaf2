"""Settings of training and evaluation; the scales themselves are files in train/scales/."""

from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator

from palo.errors import unknown
from palo.languages import LANGUAGES
from palo.settings.evaluate import AnswerJudgeSettings, BenchRunSettings
from palo.settings.loop import LoopSettings
from palo.settings.model import Section

MAX_WEIGHT = 100.0  # beyond it a typing mistake is likelier


class MixtureWeights(Section):
    """How often an epoch of stage 2 has the conversations of each language.

    Weight 1 (the default, and PALO's recipe): every one once; 2: twice; 0.5: half of them, others
    the next epoch. Or a temperature T: shares of languages in proportion to n^(1/T), as many
    conversations in all as there are; 1 changes nothing, larger ones even languages out.
    """

    weights: dict[str, float] = {}
    temperature: float | None = Field(default=None, gt=0, allow_inf_nan=False)

    @field_validator("weights")
    @classmethod
    def _known(cls, weights: dict[str, float]) -> dict[str, float]:
        for lang, weight in weights.items():
            if lang not in LANGUAGES:
                raise unknown("language", lang, LANGUAGES)
            if not 0 <= weight <= MAX_WEIGHT:
                raise ValueError(f"weight {weight} of '{lang}' is not from 0 to {MAX_WEIGHT:g}")
        return weights

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.weights and self.temperature is not None:
            raise ValueError("give weights or a temperature, not both")
        return self


class TrainSettings(Section):
    """Where scales and training data lie; `scales_dir/<scale>.yaml` is one scale."""

    scales_dir: Path
    captions_path: Path  # stage 1: LLaVA list of image, caption
    captions_images_dir: Path
    english_mix_path: Path | None = None  # extra English instructions for stage 2
    english_mix_images_dir: Path | None = None
    # What the stand-ins of the sample profile are taught on (a real scale needs neither).
    patches_path: Path | None = None  # JSONL of image, cells
    text_path: Path | None = None  # JSONL of caption, lang, question, answer
    mixture: MixtureWeights = MixtureWeights()
    # Of a stage's conversations with an image: more than this share without a readable one is fatal
    max_broken_images: float = Field(default=0.01, ge=0, le=1)
    seed: int = 7
    loop: LoopSettings = LoopSettings()


class EvaluateSettings(Section):
    questions_path: Path  # JSONL of held-out questions with answers in ten languages
    images_dir: Path
    batch_size: int = 64
    bench: BenchRunSettings = BenchRunSettings()  # of `palo evaluate --bench`
    judge: AnswerJudgeSettings | None = None  # who scores answers there
