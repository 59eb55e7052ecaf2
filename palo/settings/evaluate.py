"""Settings of `palo evaluate --bench`: how answers are given, who judges them, and intervals."""

from enum import StrEnum

from pydantic import Field

from palo.settings.model import Section
from palo.settings.refine_models import AskedModel
from palo.settings.translate import ServerSettings


class AnswerEngine(StrEnum):
    """What runs a trained checkpoint; greedy answers are the same."""

    TRANSFORMERS = "transformers"
    VLLM = "vllm"


class Order(StrEnum):
    """In which order a judge is shown the two answers."""

    REFERENCE_FIRST = "reference-first"  # as published
    BOTH = "both"  # each answer judged twice, the mean of both: no place is an advantage


class JudgeServer(ServerSettings):
    """Asked for the same answer twice, and for nothing that not every server gives."""

    logprobs: bool = False
    seed: bool = True


class AnswerJudgeSettings(AskedModel):
    """The model that scores answers beside reference answers; its key is in OPENAI_API_KEY.

    Give the model's dated name where it has one: an alias means another model one day.
    """

    server: JudgeServer = JudgeServer()
    max_tokens: int = Field(default=512, ge=1)
    max_model_tokens: int = Field(default=16384, ge=1)
    order: Order = Order.REFERENCE_FIRST
    max_attempts: int = Field(default=3, ge=1, le=10)  # to get two scores out of one reply
    seed: int = 0


class BenchRunSettings(Section):
    """How a trained scale is measured on a bench."""

    reference: str | None = None  # gpt4 for answers_gpt4.jsonl; None: GPT-4's, or the only one
    max_new_tokens: int = Field(default=1024, ge=1)  # as published
    batch_size: int = Field(default=16, ge=1)  # transformers; answers are long, so is their memory
    max_num_seqs: int = Field(default=64, ge=1)  # vllm
    gpu_memory_utilization: float = Field(default=0.9, gt=0, le=1)  # vllm
    resamples: int = Field(default=2000, ge=1000)  # of the bootstrap
    seed: int = 7
