"""Settings of the optional model-based filters: each is off (None) until a profile names it.

Every default threshold is a starting point only: what is usual depends on language, domain and
model. Take it from a verified set of your own before you act on the flags.
"""

from pathlib import Path

from pydantic import Field

from palo.settings.model import Section
from palo.settings.translate import EngineKind, ServerSettings, TranslatorSettings


class AskedModel(Section):
    """A language model behind any engine: by default an OpenAI-compatible server."""

    model: str
    revision: str | None = None
    licence: str = "check the licence of the weights, or the terms of the server"
    engine: EngineKind = EngineKind.OPENAI
    server: ServerSettings = ServerSettings()
    dtype: str = "bfloat16"
    max_tokens: int = Field(default=512, ge=1)
    max_model_tokens: int = Field(default=4096, ge=1)
    batch_size: int = Field(default=32, ge=1)  # transformers engine
    max_num_seqs: int = Field(default=64, ge=1)  # vllm engine
    stall_timeout_s: float = Field(default=300.0, gt=0)

    def for_engine(self) -> TranslatorSettings:
        """What engines are opened with; one attempt, greedy."""
        same = ("model", "revision", "licence", "engine", "server", "dtype", "max_tokens")
        more = ("max_model_tokens", "batch_size", "max_num_seqs", "stall_timeout_s")
        said = {name: getattr(self, name) for name in (*same, *more)}
        return TranslatorSettings(finetuned_dir=Path("none"), max_attempts=1, **said)


class BackTranslationSettings(AskedModel):
    """chrF (0 to 100) between the English and the translation's way back into English."""

    min_chrf: float = Field(default=30.0, ge=0, le=100)


class JudgeSettings(AskedModel):
    """A language model that says whether the translation keeps the meaning."""

    max_tokens: int = Field(default=256, ge=1)


class MetricxSettings(Section):
    """MetricX-24 without a reference: 0 is best, 25 worst, as in MQM."""

    model: str = "google/metricx-24-hybrid-large-v2p6"
    revision: str | None = None
    tokenizer: str = "google/mt5-xl"
    tokenizer_revision: str | None = None
    licence: str = "Apache-2.0 (google/metricx-24-hybrid-*)"
    dtype: str = "float32"
    batch_size: int = Field(default=16, ge=1)
    max_input_tokens: int = Field(default=1536, ge=1)
    score_token: int = Field(default=250089, ge=0)  # mT5's <extra_id_10>: its logit is the score
    max_score: float = Field(default=5.0, ge=0, le=25)  # MQM counts one major error as 5


class LabseSettings(Section):
    """Cosine between LaBSE's sentence embeddings of English and translation."""

    model: str = "sentence-transformers/LaBSE"
    revision: str | None = None
    licence: str = "Apache-2.0 (sentence-transformers/LaBSE)"
    dtype: str = "float32"
    batch_size: int = Field(default=64, ge=1)
    max_tokens: int = Field(default=256, ge=1)
    min_similarity: float = Field(default=0.45, ge=-1, le=1)


class ModelFilterSettings(Section):
    back_translation: BackTranslationSettings | None = None
    metricx: MetricxSettings | None = None
    labse: LabseSettings | None = None
    judge: JudgeSettings | None = None

    def licence_notes(self) -> tuple[str, ...]:
        """A line for each model that is on, for the run to print and for the dataset's card."""
        sections = {name: getattr(self, name) for name in type(self).model_fields}
        return tuple(
            f"filter {name} asks {one.model}: {one.licence}"
            for name, one in sections.items()
            if one
        )
